"""Servers whose SDK converts arguments after the guard decided: what the rules read is what the handlers get."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

from clients import SDK, Agent, run

SERVER = Path(__file__).with_name("servers") / "converting.py"
KINDS = ["mcp1"] if SDK == 1 else ["mcp2", "fastmcp"]

pytestmark = pytest.mark.parametrize("kind", KINDS)
REFUSED = "Arguments are not valid: args.{} is of another type than the tool's schema admits"
LIST = '["us\\u0065rs"]'


def test_every_account_counts_by_its_number(kind: str) -> None:
    """Trap 43: the SDKs make 42 of each of these, and a limit of one counted each by itself."""

    async def test(agent: Agent) -> None:
        assert not (await agent.call("charge", account=42)).is_error
        for spelling in ("42", "042", " 42", "4_2", True):
            refused = await agent.call("charge", account=spelling)
            assert (refused.text, refused.is_error) == (REFUSED.format("account"), True)
        assert (await agent.call("charge", account=42.0)).is_error
        assert (await agent.call("ran")).text == "charge 42"

    run(test, [str(SERVER), kind, "on"], "handshake")


def test_text_that_is_json_is_no_list_and_no_object(kind: str) -> None:
    async def test(agent: Agent) -> None:
        for tables in (LIST, "null", ["orders", 7]):
            assert (await agent.call("query", tables=tables)).text == REFUSED.format("tables")
        assert (await agent.call("query", tables=["users"])).is_error
        assert (await agent.call("query", tables=["orders"])).text == "rows"
        for where in ("null", '{"a": "b"}'):
            assert (await agent.call("where", where=where)).text == REFUSED.format("where")
        assert (await agent.call("ran")).text == "query ['orders']"

    run(test, [str(SERVER), kind, "on"], "handshake")


def test_a_host_may_do_without(kind: str) -> None:
    async def test(agent: Agent) -> None:
        for spelling in (42, "42", "042"):
            assert not (await agent.call("charge", account=spelling)).is_error
        assert (await agent.call("ran")).text == "charge 42; charge 42; charge 42"

    run(test, [str(SERVER), kind, "off"], "handshake")
