"""The adapters on real servers, asked over stdio by the official SDK's client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

from clients import ERAS, SDK, Agent, run
from conftest import timeless

SERVERS = Path(__file__).with_name("servers")
NAMES = ["mcp1_fastmcp", "mcp1_lowlevel"] if SDK == 1 else ["mcp2_mcpserver", "mcp2_lowlevel", "fastmcp4"]

pytestmark = pytest.mark.parametrize("name", NAMES)
# The protocol's revisions differ in how a result is wrapped; where that cannot matter, one is enough.
every_era = pytest.mark.parametrize("era", ERAS)
HANDSHAKE = "handshake"


def server(name: str) -> list[str]:
    return [str(SERVERS / f"{name}.py")]


@every_era
def test_hidden_allowed_denied(name: str, era: str) -> None:
    async def test(agent: Agent) -> None:
        assert await agent.tools() == {"read", "search", "pay", "whoami", "drop", "runs", "fetch"}
        allowed = await agent.call("read", path="/srv/a")
        assert (allowed.text, allowed.is_error) == ("content of /srv/a", False)
        denied = await agent.call("read", path="/etc/passwd")
        assert (denied.text, denied.is_error, denied.code) == ("Not that directory", True, None)
        hidden = await agent.call("secret")
        assert (hidden.text, hidden.is_error) == ('Tool "secret" is hidden by policy', True)
        unlisted = await agent.call("drop")
        assert (unlisted.text, unlisted.is_error) == ('Tool "drop" is not permitted by policy', True)
        assert await agent.runs() == ["read /srv/a"]

    run(test, server(name), era)


def test_rate_limit(name: str) -> None:
    async def test(agent: Agent) -> None:
        for _ in range(2):
            assert not (await agent.call("search", query="x")).is_error
        refused = await agent.call("search", query="x")
        assert (timeless(refused.text), refused.is_error) == ("Rate limit of 2 per 7d reached. Try again in S seconds.", True)
        assert await agent.runs() == ["search", "search"]

    run(test, server(name), HANDSHAKE)


@every_era
def test_approval_without_callback_names_the_key(name: str, era: str) -> None:
    async def test(agent: Agent) -> None:
        assert (await agent.call("pay", amount=100)).text == "paid 100"
        waiting = await agent.call("pay", amount=101)
        assert waiting.is_error
        key = waiting.meta["callgate/approval_key"]
        assert waiting.text == f'Rule "large" needs approval\nApproval key: {key}'
        assert await agent.runs() == ["pay 100"]

    run(test, server(name), era)


@pytest.mark.parametrize("answer", ["yes", "true"])
def test_approval_given(name: str, answer: str) -> None:
    async def test(agent: Agent) -> None:
        assert (await agent.call("pay", amount=500)).text == "paid 500"
        again = await agent.call("pay", amount=500)
        if answer == "yes":
            # The same id a second time: one approval lets one call through.
            assert again.is_error and 'The approval for rule "large" was already used' in again.text
            assert await agent.runs() == ["pay 500"]
        else:
            assert await agent.runs() == ["pay 500", "pay 500"]

    run(test, server(name), HANDSHAKE, ON_APPROVAL=answer)


@pytest.mark.parametrize("answer", ["no", "raise"])
def test_approval_refused(name: str, answer: str) -> None:
    async def test(agent: Agent) -> None:
        refused = await agent.call("pay", amount=500)
        expected = "needs approval" if answer == "no" else "could not be checked against the policy"
        assert refused.is_error and expected in refused.text and "nobody" not in refused.text
        assert await agent.runs() == []

    run(test, server(name), HANDSHAKE, ON_APPROVAL=answer)


def test_identity_comes_from_the_host(name: str) -> None:
    async def alice(agent: Agent) -> None:
        assert (await agent.call("whoami")).text == "somebody"

    async def nobody(agent: Agent) -> None:
        assert (await agent.call("whoami")).is_error
        # What a client sets is no identity.
        assert (await agent.call("whoami", identity="alice", id="alice")).is_error
        assert await agent.runs() == []

    run(alice, server(name), HANDSHAKE, IDENTITY="alice")
    run(nobody, server(name), HANDSHAKE)


@every_era
@pytest.mark.parametrize("mode", ["error", "result", "timeout"])
def test_nothing_that_the_server_answers_gives_a_charge_back(name: str, era: str, mode: str) -> None:
    async def test(agent: Agent) -> None:
        first = await agent.call("fetch", mode=mode)
        assert first.is_error
        assert (first.code is not None) == (mode == "error" or (mode == "timeout" and name != "mcp1_fastmcp"))
        second = await agent.call("fetch", mode="ok")
        assert timeless(second.text) == "Rate limit of 1 per 7d reached. Try again in S seconds."
        assert await agent.runs() == [f"fetch {mode}"]

    run(test, server(name), era)


@every_era
def test_the_host_may_give_a_charge_back_for_an_error(name: str, era: str) -> None:
    async def test(agent: Agent) -> None:
        failed = await agent.call("fetch", mode="error")
        assert failed.code is not None
        assert (await agent.call("fetch", mode="ok")).text == "fetched"
        # Given back once: the second call was charged.
        assert (await agent.call("fetch", mode="ok")).is_error
        assert await agent.runs() == ["fetch error", "fetch ok", f"refund {failed.code}"]

    run(test, server(name), era, REFUND="errors")


@pytest.mark.parametrize("mode", ["result", "timeout"])
def test_the_host_is_asked_about_each_error_alone(name: str, mode: str) -> None:
    async def test(agent: Agent) -> None:
        failed = await agent.call("fetch", mode=mode)
        assert (await agent.call("fetch", mode="ok")).is_error
        asked = [] if failed.code is None else [f"refund {failed.code}"]
        assert await agent.runs() == [f"fetch {mode}", *asked]

    run(test, server(name), HANDSHAKE, REFUND="none")


@pytest.mark.parametrize("params", [{"name": "read", "arguments": ["/srv"]}, {"name": 7, "arguments": {}}, {}])
def test_what_cannot_be_parsed_reaches_no_handler(name: str, params: object) -> None:
    start = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    process = subprocess.Popen(
        [sys.executable, *server(name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdin is not None and process.stdout is not None

    def send(message: dict[str, object]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()

    def answer(number: int) -> dict[str, object]:
        assert process.stdout is not None
        for line in process.stdout:
            message: dict[str, object] = json.loads(line)
            if message.get("id") == number:
                return message
        raise AssertionError("the server went away")

    try:
        send({"id": 1, "method": "initialize", "params": start})
        answer(1)
        send({"method": "notifications/initialized"})
        send({"id": 2, "method": "tools/call", "params": params})
        refused = answer(2)
        result = refused.get("result")
        assert "error" in refused or (isinstance(result, dict) and result["isError"] is True)
        send({"id": 3, "method": "tools/call", "params": {"name": "runs", "arguments": {}}})
        ran = answer(3)["result"]
        assert isinstance(ran, dict) and ran["content"][0]["text"] == "[]"
    finally:
        process.stdin.close()
        process.wait(10)
