"""Over HTTP, a call is its token's: the verified token tells who calls, and nothing else that a client can set does.

Servers of every SDK, with sessions and without, asked by the official SDK's client.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

from clients import ERAS, SDK, Agent
from conftest import timeless
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

SERVERS = Path(__file__).with_name("servers")
KINDS = [["http_official.py", "high"], ["http_official.py", "low"], *([] if SDK == 1 else [["http_fastmcp4.py"]])]
MODES = ["stateful", "stateless"]
LIMITED = ("Rate limit of 1 per 7d reached. Try again in S seconds.", True)
SEARCH = ("search", {"query": "x"})
NO_ADMIN = ('Denied by rule "/tools/admin/require/0"', True)
NO_SESSION = ("no such session", True)
every_era = pytest.mark.parametrize("era", ERAS)


@pytest.fixture(params=[(*kind, mode) for kind in KINDS for mode in MODES], ids="-".join)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    program, *arguments = request.param
    command = [sys.executable, "-P", str(SERVERS / program), *arguments]
    # `-P` leaves the servers' own folder out.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SERVERS)}) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"
        finally:
            server.kill()


@asynccontextmanager
async def connected(url: str, era: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    async with create_mcp_http_client(headers=headers) as http:
        transport: Any = streamable_http_client(url, http_client=http)
        if SDK > 1:
            from mcp import Client

            async with Client(transport, mode="legacy" if era == "handshake" else era) as client:
                yield client
            return
        async with transport as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            yield session


def ask(
    url: str, era: str, token: str, *calls: tuple[str, dict[str, Any]], **headers: str
) -> list[tuple[str, bool]]:
    """The text of each answer, and whether it is an error. All of a client's claims say that it is Alice."""

    async def main() -> list[tuple[str, bool]]:
        answers = []
        claims: Any = {"client_id": "alice", "identity": "alice", "sub": "alice", "id": "alice"}
        with anyio.fail_after(60):
            async with connected(url, era, {"Authorization": f"Bearer {token}", **headers}) as client:
                assert await Agent(client).tools() == {"search", "admin"}
                for tool, arguments in calls:
                    result = await client.call_tool(tool, arguments, meta=claims)
                    answers.append((timeless(result.content[0].text), bool(result.isError if SDK == 1 else result.is_error)))
        return answers

    return anyio.run(main)


@every_era
def test_each_token_has_a_budget_of_its_own(url: str, era: str) -> None:
    assert ask(url, era, "token-of-alice", SEARCH, SEARCH) == [("found x", False), LIMITED]
    # Another session of the same token is the same caller; another token is not.
    assert ask(url, era, "token-of-alice", SEARCH) == [LIMITED]
    assert ask(url, era, "token-of-bob", SEARCH) == [("found x", False)]


@every_era
def test_what_a_client_claims_about_itself_is_no_identity(url: str, era: str) -> None:
    search = ("search", {"query": "x", "identity": "alice"})
    assert ask(url, era, "token-of-bob", search, **{"X-Identity": "alice"}) == [("found x", False)]
    assert ask(url, era, "token-of-bob", search, **{"X-User": "alice"}) == [LIMITED], "still bob, whose budget is spent"
    assert ask(url, era, "token-of-alice", SEARCH) == [("found x", False)], "nobody spent what is alice's"
    assert ask(url, era, "token-of-bob", ("admin", {})) == [NO_ADMIN]
    assert ask(url, era, "token-of-alice", ("admin", {})) == [("done", False)]


@pytest.mark.parametrize("token", [None, "token-of-nobody"])
def test_without_a_token_that_verifies_nobody_is_let_in(url: str, token: str | None) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(url, token, {})
    assert refused.value.code == 401


def post(url: str, token: str | None, message: dict[str, Any], session: str | None = None) -> tuple[Any, str | None]:
    """A message as any client might send it: the answer, and the session that it opened."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {} if token is None else {"Authorization": f"Bearer {token}"}
    headers |= {} if session is None else {"Mcp-Session-Id": session}
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as response:
        lines = response.read().decode().splitlines()
        found = [line.removeprefix("data:") for line in lines if line.startswith(("data:", "{")) and line != "data: "]
        return json.loads(found[-1]) if found else None, response.headers.get("Mcp-Session-Id")


def test_a_session_makes_no_caller(url: str, request: pytest.FixtureRequest) -> None:
    """Each message belongs to its own token, whichever token opened its session."""
    kind = request.node.callspec.id
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "alice", "version": "1"}}
    _, session = post(url, "token-of-alice", {"id": 1, "method": "initialize", "params": client})
    if session is None:
        pytest.skip("this server has none")
    post(url, "token-of-alice", {"method": "notifications/initialized"}, session)

    def call(token: str, tool: str) -> tuple[str, bool]:
        params = {"name": tool, "arguments": {"query": "x"} if tool == "search" else {}}
        try:
            answer, _ = post(url, token, {"id": 2, "method": "tools/call", "params": params}, session)
        except urllib.error.HTTPError as refused:
            # The verifier of `fastmcp` names the subject, so the SDK knows that the session is another's.
            assert refused.code == 404 and token == "token-of-bob" and "fastmcp4" in kind
            return NO_SESSION
        return timeless(answer["result"]["content"][0]["text"]), bool(answer["result"].get("isError"))

    assert call("token-of-alice", "admin") == ("done", False)
    assert call("lesser-token-of-alice", "admin") == NO_ADMIN
    assert call("token-of-bob", "admin") in (NO_ADMIN, NO_SESSION)
    assert call("token-of-bob", "search") in (("found x", False), NO_SESSION)
    assert call("token-of-alice", "search") == ("found x", False)
    assert call("lesser-token-of-alice", "search") == LIMITED
