"""Requests of other methods than `tools/call`, by the guards that get objects (3.10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from clients import SDK
from inside import EVERY, PAIRS, client, guarded

POLICY = """
version: "1"
default: deny
tools: {}
requests:
  default: deny
  methods:
    resources/read:
      require: [{path: args.uri, op: starts_with, value: "note://open"}]
      limits: [{counter: reads, window: 7d, max: 2}]
    prompts/get:
      require: [{path: args.name, op: eq, value: greet}]
"""
pairs = pytest.mark.parametrize(("guard", "era"), EVERY)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


def server(guard: str, engine: callgate.Engine, **options: Any) -> tuple[Any, list[str]]:
    made = guarded(guard, engine, **options)
    ran: list[str] = []

    @made.resource("note://open/a")  # type: ignore[untyped-decorator]
    def a() -> str:
        ran.append("a")
        return "a"

    @made.resource("note://secret")  # type: ignore[untyped-decorator]
    def secret() -> str:
        ran.append("secret")
        return "secret"

    @made.resource("note://open/{name}")  # type: ignore[untyped-decorator]
    def template(name: str) -> str:
        ran.append(name)
        return name

    @made.prompt()  # type: ignore[untyped-decorator]
    def greet() -> str:
        ran.append("greet")
        return "hello"

    @made.prompt()  # type: ignore[untyped-decorator]
    def leak() -> str:
        ran.append("leak")
        return "leak"

    return made, ran


def members(found: Any, *names: str) -> list[str]:
    for name in names:
        found = getattr(found, name, found)
    return sorted(str(getattr(item, "uri", None) or getattr(item, "name", "")) for item in found)


def denied(error: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    found = error.value.error
    return found.code, found.data["callgate/code"]


@pairs
def test_requests_are_decided_and_lists_leave_out_what_is_never_got(guard: str, era: str) -> None:
    async def test() -> None:
        ends: list[tuple[str, str]] = []
        engine = callgate.Engine.from_str(POLICY)
        made, ran = server(guard, engine, on_result=lambda decision, result: ends.append((decision.method, result.outcome)))
        async with client(guard, made, era) as agent:
            session = agent.session
            assert members(await session.list_resources(), "resources") == ["note://open/a"]
            assert members(await session.list_prompts(), "prompts") == ["greet"]
            templates = await session.list_resource_templates()
            assert len(members(templates, "resource_templates", "resourceTemplates")) == 1
            await session.read_resource("note://open/a")
            await session.read_resource("note://open/b")
            await session.get_prompt("greet", {})
            errors = []
            asked = (session.read_resource, "note://secret"), (session.read_resource, "note://open/a"), (session.get_prompt, "leak")
            for ask, name in asked:
                with pytest.raises(Exception) as error:
                    await ask(name)
                errors.append(denied(error))
        assert errors == [(callgate.MCP_DENIED, code) for code in ("condition_failed", "limit_exceeded", "condition_failed")]
        assert ran == ["a", "b", "greet"]
        assert ends[0] == ("resources/read", "done") and ends[-1] == ("prompts/get", "not_run")

    run(test)


@pairs
def test_every_method_is_decided(guard: str, era: str) -> None:
    async def test() -> None:
        made, ran = server(guard, callgate.Engine.from_str(POLICY))

        @made.completion()  # type: ignore[untyped-decorator]
        async def complete(ref: Any, argument: Any, context: Any) -> Any:
            ran.append("complete")

        types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
        async with client(guard, made, era) as agent:
            with pytest.raises(Exception) as error:
                await agent.session.complete(types.PromptReference(type="ref/prompt", name="greet"), {"name": "a", "value": ""})
            assert (ran, denied(error)) == ([], (callgate.MCP_DENIED, "not_listed"))

    run(test)


@pairs
def test_without_requests_all_of_them_pass(guard: str, era: str) -> None:
    async def test() -> None:
        made, ran = server(guard, callgate.Engine.from_str('{version: "1", default: deny}'))
        async with client(guard, made, era) as agent:
            assert members(await agent.session.list_resources(), "resources") == ["note://open/a", "note://secret"]
            assert members(await agent.session.list_prompts(), "prompts") == ["greet", "leak"]
            await agent.session.read_resource("note://secret")
        assert ran == ["secret"]

    run(test)


@pairs
def test_a_request_may_wait_for_approval(guard: str, era: str) -> None:
    policy = '{version: "1", default: allow, requests: {default: deny, methods: {resources/read: {rules: [{action: require_approval}]}}}}'

    async def test() -> None:
        async def yes(message: str) -> Any:
            assert "Method: resources/read" in message and "note://secret" in message
            return {}

        made, ran = server(guard, callgate.Engine.from_str(policy), on_approval=callgate.approve_by_elicitation())
        async with client(guard, made, era, yes) as agent:
            await agent.session.read_resource("note://secret")
        assert ran == ["secret"]

    run(test)


@pairs
def test_what_cannot_be_decided_does_not_pass(guard: str, era: str) -> None:
    async def test() -> None:
        def identity(context: Any) -> Any:
            raise RuntimeError("nobody knows")

        made, ran = server(guard, callgate.Engine.from_str(POLICY), identity=identity)
        async with client(guard, made, era) as agent:
            with pytest.raises(Exception) as error:
                await agent.session.read_resource("note://open/a")
            assert "could not be checked" in str(error.value)
            with pytest.raises(Exception):
                await agent.session.list_resources()
        assert ran == []

    run(test)


def test_a_guard_says_that_it_decides_no_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "callgate")
    server(PAIRS[0][0], callgate.Engine.from_str(POLICY))
    assert "requests are not decided" not in caplog.text
    server(PAIRS[0][0], callgate.Engine.from_str('{version: "1", default: deny}'))
    assert "resources, prompts and other requests are not decided: the policy has no `requests`" in caplog.text
