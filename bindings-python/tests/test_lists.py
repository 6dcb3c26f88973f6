"""Lists of tools by the guards that get objects: reloads, caches, names that no tool has, and callers that nobody knows."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
import callgate.mcp
from clients import SDK
from guarded_http import served
from inside import EVERY_GUARD, GUARDS, HANDSHAKE, MODERN, client, guarded

HIDING = '{version: "1", default: allow, hide: [wipe]}'
OPEN = '{version: "1", default: allow}'
guards = pytest.mark.parametrize("guard", EVERY_GUARD)


def wipe() -> str:
    """Wipes."""
    return "wiped"


def look() -> str:
    """Looks."""
    return "seen"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


def methods(heard: list[Any]) -> list[str]:
    return [str(getattr(getattr(message, "root", message), "method", "")) for message in heard]


def telling(guard: str, made: Any) -> None:
    """Lets the server say that it tells of other lists. `fastmcp` says so by itself."""
    if guard == "fastmcp":
        return
    low = made._mcp_server if SDK == 1 else made._lowlevel_server
    options = import_module("mcp.server.lowlevel").NotificationOptions(tools_changed=True)
    make = low.create_initialization_options
    low.create_initialization_options = lambda *_, **__: make(options)


@guards
@pytest.mark.parametrize("declared", [True, False])
def test_a_reload_that_changes_what_is_seen_is_told(guard: str, declared: bool) -> None:
    async def test() -> None:
        engine = callgate.Engine.from_str(HIDING)
        made = guarded(guard, engine, wipe, look)
        if declared:
            telling(guard, made)
        async with client(guard, made) as agent:
            assert await agent.tools() == ["look"]
            # On another thread, as a watched file does it. What stays as it is is not told.
            await anyio.to_thread.run_sync(engine.replace, callgate.Policy.from_str(HIDING + " # the same"))
            await anyio.sleep(0.05)
            assert "notifications/tools/list_changed" not in methods(agent.heard)
            await anyio.to_thread.run_sync(engine.replace, callgate.Policy.from_str(OPEN))
            with anyio.move_on_after(5 if declared or guard == "fastmcp" else 0.1):
                while "notifications/tools/list_changed" not in methods(agent.heard):
                    await anyio.sleep(0.01)
            told = methods(agent.heard).count("notifications/tools/list_changed")
            assert told == (1 if declared or guard == "fastmcp" else 0)
            assert await agent.tools() == ["look", "wipe"]
        # Nobody is there any more.
        engine.replace(callgate.Policy.from_str(HIDING))

    run(test)


@guards
def test_only_those_hear_of_it_whose_list_changes(guard: str) -> None:
    def policy(role: str) -> callgate.Policy:
        condition = f'{{path: identity.role, op: eq, value: {role}}}'
        return callgate.Policy.from_str(f'{{version: "1", default: deny, list: callable, tools: {{look: {{}}, wipe: {{require: [{condition}]}}}}}}')

    async def test() -> None:
        engine = callgate.Engine(policy("admin"))
        roles = ["admin"]
        made = guarded(guard, engine, wipe, look, identity=lambda context: {"id": roles[0], "role": roles[0]})
        telling(guard, made)
        async with client(guard, made) as first, client(guard, made) as second:
            assert await first.tools() == ["look", "wipe"]
            roles[0] = "guest"
            assert await second.tools() == ["look"]
            engine.replace(policy("owner"))
            while "notifications/tools/list_changed" not in methods(first.heard):
                await anyio.sleep(0.01)
            await anyio.sleep(0.05)
            assert "notifications/tools/list_changed" not in methods(second.heard)

    run(test)


@pytest.mark.skipif(SDK == 1, reason="the generation of 2026-07-28 is in 2.x of the SDK")
def test_subscribers_hear_of_a_reload() -> None:
    async def test() -> None:
        engine = callgate.Engine.from_str(HIDING)
        made = guarded("mcp2", engine, wipe, look)
        async with client("mcp2", made, MODERN) as agent:
            assert await agent.tools() == ["look"]
            async with agent.session.listen(tools_list_changed=True) as events:
                engine.replace(callgate.Policy.from_str(OPEN))
                heard: list[str] = []
                with anyio.move_on_after(10):
                    async for event in events:
                        heard.append(type(event).__name__)
                        break
                assert heard == ["ToolsListChanged"]

    run(test)


@pytest.mark.skipif(SDK == 1, reason="1.x of the SDK has no caches")
@pytest.mark.parametrize("guard", ["mcp2", "fastmcp"])
def test_no_filtered_list_is_for_others_or_for_long(guard: str) -> None:
    async def test() -> None:
        engine = callgate.Engine.from_str(HIDING)
        made = guarded(guard, engine, wipe, look)
        low = made._mcp_server if guard == "fastmcp" else made._lowlevel_server
        hint = import_module("mcp.server.caching").CacheHint
        low.cache_hints["tools/list"] = hint(ttl_ms=600_000, scope="public")
        async with client(guard, made, MODERN) as agent:
            session = getattr(agent.session, "session", agent.session)
            listed = await session.list_tools()
            assert [tool.name for tool in listed.tools] == ["look"]
            assert (listed.cache_scope, listed.ttl_ms) == ("private", 60_000)

    run(test)


@pytest.mark.skipif(SDK != 1, reason="members that 1.x does not know")
def test_what_a_server_says_of_caches_is_mended_where_its_sdk_does_not_know_it() -> None:
    from mcp.server.lowlevel import Server

    types: Any = import_module("mcp.types")
    connect: Any = import_module("mcp.shared.memory").create_connected_server_and_client_session

    async def test() -> None:
        server: Any = Server("low")

        @server.list_tools()  # type: ignore[untyped-decorator]
        async def tools() -> Any:
            listed = [{"name": name, "inputSchema": {"type": "object"}} for name in ("wipe", "look")]
            return types.ListToolsResult.model_validate({"tools": listed, "ttlMs": 600_000, "cacheScope": "public"})

        callgate.mcp.guard(server, callgate.Engine.from_str(HIDING))
        async with connect(server) as session:
            listed = await session.list_tools()
            assert [tool.name for tool in listed.tools] == ["look"]
            assert listed.model_extra == {"ttlMs": 60_000, "cacheScope": "private"}

    run(test)


POLICY = '{version: "1", default: allow, tools: {wipes: {rules: [{action: deny}]}, look: {}}}'
WARNING = "`wipes` matches no tool of the server; did you mean `wipe`?"


@guards
def test_names_that_no_tool_has_are_warned_of_once(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(POLICY), wipe, look)
        async with client(guard, made) as agent:
            for _ in range(2):
                assert await agent.tools() == ["look", "wipe"]
            assert (await agent.call("wipe")).text == "wiped"

    run(test)
    assert caplog.text.count(WARNING) == 1


@guards
def test_hidden_tools_are_no_names_too_many(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(HIDING), wipe, look)
        async with client(guard, made) as agent:
            await agent.tools()

    run(test)
    assert "matches no tool" not in caplog.text


@guards
def test_calls_are_refused_as_long_as_a_name_has_no_tool(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, wipe, look, unmatched="refuse")
        async with client(guard, made) as agent:
            assert "could not be checked against the policy" in (await agent.call("look")).text
            engine.replace(callgate.Policy.from_str(POLICY.replace("wipes", "wipe")))
            assert (await agent.call("look")).text == "seen"

    run(test)
    assert WARNING in caplog.text
    with pytest.raises(ValueError, match="unmatched"):
        guarded(guard, callgate.Engine.from_str(POLICY), wipe, unmatched="ignore")


CALLERS = """
version: "1"
default: deny
tools:
  look: {limits: [{counter: n, window: day, max: 100, scope: identity}]}
  wipe: {limits: [{counter: n, window: day, max: 100, scope: session}]}
"""


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("is_told", [True, False])
def test_rules_that_need_a_caller_are_warned_of_over_http(guard: str, is_told: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "callgate")

    async def test() -> None:
        engine = callgate.Engine.from_str(CALLERS)
        options = {"identity": lambda context: {"id": "ann", "session": "s"}} if is_told else {}
        made = guarded(guard, engine, wipe, look, **options)
        app = made.http_app() if guard == "fastmcp" else made.streamable_http_app()
        async with served(app) as url:
            if SDK == 1:
                from mcp.client.session import ClientSession

                connect: Any = import_module("mcp.client.streamable_http").streamable_http_client
                async with connect(url) as (read, write, _), ClientSession(read, write) as session:
                    await session.initialize()
                    for _ in range(2):
                        await session.call_tool("look", {})
            else:
                async with import_module("mcp").Client(url, mode="legacy") as session:
                    for _ in range(2):
                        await session.call_tool("look", {})

    run(test)
    said = [record.getMessage() for record in caplog.records if "help:" in record.getMessage() and "no identity comes" in record.getMessage()]
    assert len(said) == (0 if is_told else 2)
    if said:
        assert said[0].startswith("line 5: `scope: identity` needs an identity, and no identity comes with requests over HTTP; help: verify tokens")


@pytest.mark.skipif(SDK == 1, reason="the generation of 2026-07-28 is in 2.x of the SDK")
@pytest.mark.parametrize("guard", ["mcp2", "fastmcp", "streams"])
def test_sessions_are_warned_of_where_the_protocol_has_none(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(CALLERS), wipe, look, identity=lambda context: "ann")
        for era, times in ((HANDSHAKE, 0), (MODERN, 1)):
            async with client(guard, made, era) as agent:
                await agent.call("look")
            assert caplog.text.count("line 6: `scope: session` needs a session, and the protocol has no sessions") == times

    run(test)


@guards
@pytest.mark.parametrize("asks", ["identity", "engine"])
def test_a_list_that_cannot_be_judged_tells_nothing(guard: str, asks: str) -> None:
    def fails(context: Any) -> Any:
        raise RuntimeError("password hunter2")

    async def test() -> None:
        engine = callgate.Engine.from_str('{version: "1", default: allow, list: callable}')
        made = guarded(guard, fails, look) if asks == "engine" else guarded(guard, engine, look, identity=fails)
        async with client(guard, made) as agent:
            with pytest.raises(Exception) as raised:
                await agent.tools()
            assert "hunter2" not in str(raised.value)

    run(test)
