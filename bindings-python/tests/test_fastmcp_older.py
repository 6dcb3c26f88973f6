"""Servers of fastmcp 2 and 3, behind `callgate.mcp.guard`: where `callgate.fastmcp` says that it is of no use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import pytest

MAJOR = int(version("fastmcp").split(".")[0])
if MAJOR > 3:
    pytest.skip("fastmcp 4 has an adapter of its own", allow_module_level=True)

import callgate
from conftest import timeless
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError

POLICY = """
version: "1"
default: deny
hide: [secret]
tools:
  read: {deny_if: [{conditions: [{path: args.path, op: starts_with, value: /etc}], on_deny: Not that}]}
  fails: {limits: [{counter: n, window: 7d, max: 1}]}
  pay: {rules: [{name: all, action: require_approval}]}
"""
LIMITED = "Rate limit of 1 per 7d reached. Try again in S seconds."


def run(test: Callable[[Any, list[str]], Awaitable[None]], **options: Any) -> None:
    ran: list[str] = []
    server: Any = FastMCP("test")

    def read(path: str) -> str:
        ran.append("read")
        return path

    server.tool(read)
    # The rest is added behind the guard.
    callgate.mcp.guard(server, callgate.Engine.from_str(POLICY), **options)

    def secret() -> str:
        ran.append("secret")
        return "secret"

    def fails() -> str:
        ran.append("fails")
        raise ToolError("upstream says no")

    def pay(amount: int) -> str:
        ran.append(f"pay {amount}")
        return "paid"

    for tool in (secret, fails, pay):
        server.tool(tool)

    async def main() -> None:
        async with Client(server) as client:
            await test(client, ran)

    asyncio.run(main())


async def said(client: Any, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    return timeless(str(result.content[0].text))


def test_calls_are_decided_before_the_tool_runs() -> None:
    async def test(client: Any, ran: list[str]) -> None:
        assert sorted(tool.name for tool in await client.list_tools()) == ["fails", "pay", "read"]
        assert await said(client, "read", path="/srv") == "/srv"
        assert await said(client, "read", path="/etc/passwd") == "Not that"
        assert await said(client, "secret") == 'Tool "secret" is hidden by policy'
        assert "upstream says no" in await said(client, "fails")
        assert await said(client, "fails") == LIMITED
        assert 'Rule "all" needs approval\nApproval key: ak1:' in await said(client, "pay", amount=1)
        assert ran == ["read", "fails"]

    run(test)


def test_approval() -> None:
    async def on_approval(request: Any) -> bool:
        return bool(request.args["amount"] < 10)

    async def test(client: Any, ran: list[str]) -> None:
        assert await said(client, "pay", amount=9) == "paid"
        assert "needs approval" in await said(client, "pay", amount=10)
        assert ran == ["pay 9"]

    run(test, on_approval=on_approval)


def test_the_adapter_of_fastmcp_4_says_what_it_needs() -> None:
    found = re.escape(f"needs fastmcp 4 (4.1.2 or later), and fastmcp {version('fastmcp')} is installed")
    with pytest.raises(ImportError, match=f"{found}; callgate.mcp.guard"):
        callgate.fastmcp


def test_what_guards_do_around_a_call() -> None:
    """Approvals by the calling client, settling in a thread, and arguments that the server's own model refuses."""
    from callgate import testing

    policy = """
version: "1"
default: deny
tools:
  pay: {rules: [{action: require_approval}], limits: [{counter: spend, window: 7d, max: 100, increment_from: args.amount}]}
"""
    server: Any = FastMCP("test")
    engine = callgate.Engine.from_str(policy)
    ends: list[str] = []

    def pay(amount: int, times: int = 1) -> str:
        reservation = callgate.current_reservation()
        assert reservation is not None
        reservation.settle(7)
        return "paid"

    server.tool(pay)
    callgate.mcp.guard(
        server,
        engine,
        on_approval=callgate.approve_by_elicitation(),
        on_result=lambda decision, result: ends.append(result.outcome),
    )

    def used() -> int:
        return int(sum(counter.used for counter in engine.counters()))

    async def main() -> None:
        async with testing.connect(server, answers=lambda message: True) as client:
            refused = await client.call("pay", amount=5, times="x")
            assert refused.is_error and (ends, used()) == (["not_run"], 0)
            assert (await client.call("pay", amount=60)).text == "paid"
            assert (ends, used()) == (["not_run", "done"], 7)
        async with testing.connect(server, answers=lambda message: False) as client:
            assert (await client.call("pay", amount=60)).code == "approval_required"

    asyncio.run(main())
