"""Calls inside of calls, on servers of `fastmcp`: its search and code transforms, mounts, and tools that call tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("mcp_types", reason="`callgate.fastmcp` is for fastmcp 4")

import anyio
import callgate
from callgate.fastmcp import Guard
from fastmcp import Context, FastMCP
from fastmcp.server.transforms.search import BM25SearchTransform
from inside import HANDSHAKE, MODERN, client

POLICY = """
version: "1"
default: deny
hide: [delete_entity]
dispatchers: {call_tool: {tool: args.name, args: args.arguments}}
tools:
  search_tools: {}
  execute: {}
  call_tool: {limits: [{counter: calls, window: 7d, max: 3}]}
  add: {limits: [{counter: adds, window: 7d, max: 3}]}
  twice: {}
"""
WITHOUT = POLICY.replace("dispatchers: {call_tool: {tool: args.name, args: args.arguments}}", "")
eras = pytest.mark.parametrize("era", [HANDSHAKE, MODERN])


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(60):
            await test()

    anyio.run(limited)


def used(engine: callgate.Engine) -> dict[str, int]:
    return {counter.counter: int(counter.used) for counter in engine.counters()}


class Numbers:
    """Tools that are called by others."""

    def __init__(self, policy: str, **options: Any) -> None:
        self.ran: list[Any] = []
        self.ends: list[tuple[str | None, str]] = []
        self.engine = callgate.Engine.from_str(policy)
        self.server: Any = FastMCP("numbers")

        @self.server.tool
        def add(a: int, b: int) -> int:
            """Adds two numbers."""
            self.ran.append(("add", a, b, callgate.current_reservation() is not None))
            return a + b

        @self.server.tool
        def delete_entity(id: int) -> str:
            """Deletes an entity."""
            self.ran.append("delete")
            return "deleted"

        self.server.add_middleware(Guard(self.engine, on_result=self.ended, **options))

    def ended(self, decision: callgate.Decision, result: Any) -> None:
        self.ends.append((decision.tool, result.outcome))


@eras
def test_a_search_finds_no_hidden_tool_and_calls_once(era: str) -> None:
    async def test() -> None:
        numbers = Numbers(POLICY)
        numbers.server.add_transform(BM25SearchTransform())
        async with client("fastmcp", numbers.server, era) as agent:
            assert await agent.tools() == ["call_tool", "search_tools"]
            assert "delete_entity" not in (await agent.call("search_tools", query="delete an entity")).text
            hidden = await agent.call("call_tool", name="delete_entity", arguments={"id": 1})
            assert hidden.meta["callgate/code"] == "hidden"
            for times in (1, 2, 3):
                assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).text == "2"
                assert used(numbers.engine) == {"calls": times, "adds": times}
            assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).meta["callgate/code"] == "limit_exceeded"
        assert numbers.ran == [("add", 1, 1, True)] * 3
        # The outer call ends, and the inner one with it.
        assert numbers.ends == [("search_tools", "done"), ("call_tool", "not_run"), *[("call_tool", "done")] * 3, ("call_tool", "not_run")]

    run(test)


def test_without_a_dispatcher_both_calls_are_calls_of_their_own() -> None:
    async def test() -> None:
        numbers = Numbers(WITHOUT)
        numbers.server.add_transform(BM25SearchTransform())
        async with client("fastmcp", numbers.server) as agent:
            assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).text == "2"
            assert (await agent.call("call_tool", name="delete_entity", arguments={"id": 1})).is_error
        assert used(numbers.engine) == {"calls": 2, "adds": 1}
        assert numbers.ends[:2] == [("add", "done"), ("call_tool", "done")]
        assert "delete" not in numbers.ran

    run(test)


@pytest.mark.parametrize(
    ("made", "charged"),
    [([("add", {"a": 1, "b": 1})], 1), ([("add", {"a": 1, "b": 1})] * 2, 2), ([("add", {"a": 1, "b": 2})], 2), ([("add", {"b": 1.0, "a": 1})], 1)],
    ids=["the inner call", "twice", "other arguments", "the same, spelt otherwise"],
)
def test_only_the_call_that_was_decided_is_taken_for_it_once(made: list[tuple[str, Any]], charged: int) -> None:
    async def test() -> None:
        numbers = Numbers(POLICY)

        @numbers.server.tool  # type: ignore[untyped-decorator]
        async def call_tool(name: str, arguments: dict[str, Any], ctx: Context) -> str:
            for tool, given in made:
                await ctx.fastmcp.call_tool(tool, given)
            return "called"

        async with client("fastmcp", numbers.server) as agent:
            assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).text == "called"
        assert used(numbers.engine)["adds"] == charged

    run(test)


def test_another_call_between_is_no_inner_one() -> None:
    async def test() -> None:
        numbers = Numbers(POLICY)

        @numbers.server.tool  # type: ignore[untyped-decorator]
        async def call_tool(name: str, arguments: dict[str, Any], ctx: Context) -> str:
            await ctx.fastmcp.call_tool("twice", {})
            return "called"

        @numbers.server.tool  # type: ignore[untyped-decorator]
        async def twice(ctx: Context) -> str:
            await ctx.fastmcp.call_tool("add", {"a": 1, "b": 1})
            return "added"

        async with client("fastmcp", numbers.server) as agent:
            assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).text == "called"
        assert used(numbers.engine)["adds"] == 2

    run(test)


def test_code_calls_what_the_policy_allows() -> None:
    pytest.importorskip("pydantic_monty")
    code_mode: Any = import_module("fastmcp.experimental.transforms.code_mode").CodeMode

    async def test() -> None:
        numbers = Numbers(POLICY)
        numbers.server.add_transform(code_mode())
        async with client("fastmcp", numbers.server) as agent:
            code = 'return [await call_tool("add", {"a": 1, "b": 1}), await call_tool("add", {"a": 1, "b": 1})]'
            answer = await agent.call("execute", code=code)
            assert not answer.is_error, answer.text
            # Each is a call of its own: nobody can tell from code what it will call.
            assert used(numbers.engine) == {"adds": 2}
            refused = await agent.call("execute", code='return await call_tool("delete_entity", {"id": 1})')
            assert refused.is_error
        assert numbers.ran == [("add", 1, 1, True)] * 2

    run(test)


def test_mounted_tools_are_decided_once_by_the_names_that_clients_see() -> None:
    policy = """
version: "1"
default: deny
tools:
  inner_add: {limits: [{counter: adds, window: 7d, max: 3}]}
"""

    async def test() -> None:
        child: Any = FastMCP("child")

        @child.tool  # type: ignore[untyped-decorator]
        def add(a: int, b: int) -> int:
            return a + b

        @child.tool  # type: ignore[untyped-decorator]
        def other() -> str:
            return "other"

        engine = callgate.Engine.from_str(policy)
        server: Any = FastMCP("parent")
        server.mount(child, namespace="inner")
        server.add_middleware(Guard(engine))
        async with client("fastmcp", server) as agent:
            assert (await agent.call("inner_add", a=1, b=2)).text == "3"
            assert (await agent.call("inner_other")).meta["callgate/code"] == "not_listed"
        assert used(engine) == {"adds": 1}

    run(test)


@eras
def test_an_inner_call_asks_its_client(era: str) -> None:
    policy = WITHOUT.replace("  twice: {}", "  twice: {}\n  pay: {rules: [{action: require_approval}]}")

    async def test() -> None:
        numbers = Numbers(policy, on_approval=callgate.approve_by_elicitation())

        @numbers.server.tool  # type: ignore[untyped-decorator]
        async def twice(ctx: Context) -> Any:
            return await ctx.fastmcp.call_tool("pay", {"amount": 5})

        @numbers.server.tool  # type: ignore[untyped-decorator]
        def pay(amount: int) -> str:
            return f"paid {amount}"

        async def yes(message: str) -> Any:
            assert "Tool: pay" in message
            return {}

        async with client("fastmcp", numbers.server, era, yes) as agent:
            assert (await agent.call("twice")).text == "paid 5"

    run(test)


def test_an_outer_call_is_in_flight_until_it_ends_itself() -> None:
    policy = POLICY.replace("call_tool: {limits: [{counter: calls, window: 7d, max: 3}]}", "call_tool: {limits: [{in_flight: 1, lease: 1h}]}")

    async def test() -> None:
        numbers = Numbers(policy)
        held: list[int] = []

        @numbers.server.tool  # type: ignore[untyped-decorator]
        async def call_tool(name: str, arguments: dict[str, Any], ctx: Context) -> str:
            await ctx.fastmcp.call_tool(name, arguments)
            held.append(sum(int(counter.used) for counter in numbers.engine.counters() if counter.entry == "call_tool"))
            return "called"

        async with client("fastmcp", numbers.server) as agent:
            for _ in range(2):
                assert (await agent.call("call_tool", name="add", arguments={"a": 1, "b": 1})).text == "called"
        assert held == [1, 1]

    run(test)
