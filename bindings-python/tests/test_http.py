"""Over HTTP, a call is its token's: the verified token tells who calls, and nothing else that a client can set does."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("fastmcp", reason="runs where fastmcp is installed")

from fastmcp import Client
from fastmcp.client.auth import BearerAuth
from fastmcp.client.transports import StreamableHttpTransport

SERVER = Path(__file__).with_name("servers") / "http_tokens.py"


@pytest.fixture
def url() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-P", str(SERVER)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"
        finally:
            server.kill()


def ask(url: str, token: str | None, *calls: tuple[str, dict[str, Any]], **headers: str) -> list[tuple[str, bool]]:
    """The text of each answer, and whether it is an error."""

    async def main() -> list[tuple[str, bool]]:
        auth = None if token is None else BearerAuth(token)
        answers = []
        with anyio.fail_after(60):
            async with Client(StreamableHttpTransport(url, headers=headers, auth=auth)) as client:
                for tool, arguments in calls:
                    meta = {"client_id": "alice", "identity": "alice", "sub": "alice"}
                    result = await client.call_tool_mcp(tool, arguments, meta=meta)
                    answers.append((result.content[0].text, bool(result.is_error)))
        return answers

    return anyio.run(main)


def test_each_token_has_a_budget_of_its_own(url: str) -> None:
    search = ("search", {"query": "x"})
    refused = ("Rate limit of 1 per 7d reached. Try again later.", True)
    assert ask(url, "token-of-alice", search, search) == [("found x", False), refused]
    # Another session of the same token is the same caller; another token is not.
    assert ask(url, "token-of-alice", search) == [refused]
    assert ask(url, "token-of-bob", search) == [("found x", False)]


def test_what_a_client_claims_about_itself_is_no_identity(url: str) -> None:
    search = ("search", {"query": "x", "identity": "alice"})
    assert ask(url, "token-of-bob", search, **{"X-Identity": "alice"}) == [("found x", False)]
    assert ask(url, "token-of-bob", search, **{"X-User": "alice"})[0][1], "still bob, whose budget is spent"
    assert ask(url, "token-of-alice", search) == [("found x", False)], "nobody spent what is alice's"
    assert ask(url, "token-of-bob", ("admin", {})) == [
        ('Denied by rule "/tools/admin/require/0"', True)
    ]
    assert ask(url, "token-of-alice", ("admin", {})) == [("done", False)]


@pytest.mark.parametrize("token", [None, "token-of-nobody"])
def test_without_a_token_that_verifies_nobody_is_let_in(url: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=60)
    assert refused.value.code == 401
