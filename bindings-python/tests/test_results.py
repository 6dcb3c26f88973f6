"""How calls end: what is settled, given back, and told, by the guards that get objects and each SDK's own client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from clients import SDK
from inside import EVERY_GUARD, GUARDS, client, guarded

POLICY = """
version: "1"
default: deny
tools:
  render: {limits: [{counter: cost, window: 7d, max: 100, increment_from: args.amount}]}
  plain: {}
"""
guards = pytest.mark.parametrize("guard", GUARDS)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


def used(engine: callgate.Engine) -> int:
    return int(sum(counter.used for counter in engine.counters()))


@guards
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "in a thread"])
def test_a_handler_settles_what_its_call_cost(guard: str, is_async: bool) -> None:
    def settle() -> None:
        reservation = callgate.current_reservation()
        assert reservation is not None
        reservation.settle(7)

    def render(amount: int) -> str:
        """Renders."""
        settle()
        return f"rendered {amount}"

    async def render_async(amount: int) -> str:
        """Renders."""
        await anyio.sleep(0)
        settle()
        return f"rendered {amount}"

    def plain() -> str:
        """Costs nothing."""
        return str(callgate.current_reservation())

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        render_async.__name__ = "render"
        made = guarded(guard, engine, render_async if is_async else render, plain)
        async with client(guard, made) as agent:
            assert (await agent.call("render", amount=60)).text == "rendered 60"
            assert used(engine) == 7
            assert (await agent.call("plain")).text == "None"
        assert callgate.current_reservation() is None

    run(test)


@pytest.mark.parametrize("guard", EVERY_GUARD)
def test_on_result_hears_each_end_before_the_answer(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[tuple[str, str, bool]] = []

    def render(amount: int) -> str:
        """Renders."""
        if amount == 13:
            raise ValueError("unlucky")
        return f"rendered {amount}"

    async def on_result(decision: callgate.Decision, result: Any) -> None:
        heard.append((decision.code, result.outcome, result.answer is not None))
        if decision.reservation is not None:
            await decision.reservation.settle_async(1)
        if result.outcome == "not_run":
            raise RuntimeError("raised by the host")

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, render, on_result=on_result)
        async with client(guard, made) as agent:
            assert not (await agent.call("render", amount=60)).is_error
            assert used(engine) == 1
            assert (await agent.call("render", amount=13)).is_error
            assert (await agent.call("render", amount=100)).meta["callgate/code"] == "limit_exceeded"
        assert used(engine) == 2

    run(test)
    # `fastmcp` makes a result of what a tool raises behind its middleware.
    assert heard == [("allowed", "done", True), ("allowed", "tool_error", guard != "fastmcp"), ("limit_exceeded", "not_run", True)]
    assert "on_result raised" in caplog.text


@guards
def test_arguments_that_the_sdk_refuses_cost_nothing(guard: str) -> None:
    ran: list[Any] = []

    def render(amount: int, size: int = 1) -> str:
        """Renders."""
        ran.append(size)
        if size == 0:
            # What a tool's function refuses has run, whatever it raises.
            raise ValueError("1 validation error for renderArguments")
        return f"rendered {amount}"

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        ends: list[str] = []
        made = guarded(guard, engine, render, on_result=lambda decision, result: ends.append(result.outcome))
        async with client(guard, made) as agent:
            assert (await agent.call("render", amount=10, size="x")).is_error
            assert (ran, used(engine), ends) == ([], 0, ["not_run"])
            assert (await agent.call("render", amount=10, size=0)).is_error
            assert (ran, used(engine), ends) == ([0], 10, ["not_run", "tool_error"])

    run(test)


@guards
def test_a_model_that_looks_at_the_clock_gives_nothing_back(guard: str) -> None:
    from pydantic import AfterValidator
    from typing_extensions import Annotated

    refuses = [False]

    def check(value: int) -> int:
        if refuses[0]:
            raise ValueError("too late")
        return value

    def render(amount: int, size=1):  # type: ignore[no-untyped-def]
        """Renders."""
        refuses[0] = True
        raise ValueError("failed")

    render.__annotations__.update(amount=int, size=Annotated[int, AfterValidator(check)])

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, render)
        async with client(guard, made) as agent:
            assert (await agent.call("render", amount=10, size=1)).is_error
        assert used(engine) == 10

    run(test)


@pytest.mark.skipif(SDK != 1, reason="the low-level server of 1.x checks arguments by the schema")
def test_what_the_low_level_server_refuses_by_the_schema_costs_nothing() -> None:
    import callgate.mcp
    from mcp.server.lowlevel import Server

    types: Any = import_module("mcp.types")
    connect: Any = import_module("mcp.shared.memory").create_connected_server_and_client_session
    server: Any = Server("low")
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}, "size": {"type": "integer", "minimum": 1}}}
    ran: list[Any] = []

    @server.list_tools()  # type: ignore[untyped-decorator]
    async def tools() -> list[Any]:
        return [types.Tool(name="render", inputSchema=schema)]

    @server.call_tool()  # type: ignore[untyped-decorator]
    async def call(name: str, arguments: Any) -> list[Any]:
        ran.append(arguments)
        raise ValueError("failed")

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        callgate.mcp.guard(server, engine)
        async with connect(server) as session:
            await session.list_tools()
            assert (await session.call_tool("render", {"amount": 5, "size": 0})).isError
            assert (ran, used(engine)) == ([], 0)
            assert (await session.call_tool("render", {"amount": 5, "size": 1})).isError
            assert (len(ran), used(engine)) == (1, 5)

    run(test)


@pytest.mark.skipif(SDK != 1, reason="handlers of 1.x may answer with an error")
def test_an_error_that_a_handler_answers_with_is_one() -> None:
    import callgate.mcp
    from mcp.server.lowlevel import Server

    types: Any = import_module("mcp.types")
    connect: Any = import_module("mcp.shared.memory").create_connected_server_and_client_session

    async def test() -> None:
        server: Any = Server("low")
        ends: list[str] = []
        asked: list[Any] = []

        async def call(_request: Any) -> Any:
            return types.ErrorData(code=-32001, message="not now")

        def refunds(_call: Any, error: Any) -> bool:
            asked.append(error.code)
            return True

        server.request_handlers[types.CallToolRequest] = call
        engine = callgate.Engine.from_str(POLICY)
        callgate.mcp.guard(
            server, engine, check_args=False, refund_on_error=refunds, on_result=lambda decision, result: ends.append(result.outcome)
        )
        async with connect(server) as session:
            with pytest.raises(Exception, match="not now"):
                await session.call_tool("render", {"amount": 5})
        assert (asked, ends, used(engine)) == ([-32001], ["not_run"], 0)

    run(test)


@pytest.mark.skipif(SDK != 1, reason="the low-level server of 1.x checks arguments by the schema")
def test_what_a_server_checks_itself_has_run_and_is_charged() -> None:
    """The answer says what the SDK would say, but the function ran: a client may have chosen the words."""
    import callgate.mcp
    from mcp.server.lowlevel import Server

    types: Any = import_module("mcp.types")
    connect: Any = import_module("mcp.shared.memory").create_connected_server_and_client_session
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}, "size": {"type": "integer"}}}
    refusal = "Input validation error: 'x' is not of type 'integer'"

    def decorated(server: Any, run: Any) -> None:
        server.call_tool(validate_input=False)(run)

    def bare(server: Any, run: Any) -> None:
        async def handler(request: Any) -> Any:
            try:
                await run(request.params.name, request.params.arguments)
            except ValueError as error:
                content = [{"type": "text", "text": str(error)}]
                return types.ServerResult(types.CallToolResult.model_validate({"content": content, "isError": True}))

        server.request_handlers[types.CallToolRequest] = handler

    async def test(registered: Callable[[Any, Any], None]) -> None:
        server: Any = Server("low")
        ran: list[Any] = []

        @server.list_tools()  # type: ignore[untyped-decorator]
        async def tools() -> list[Any]:
            return [types.Tool(name="render", inputSchema=schema)]

        async def call(name: str, arguments: Any) -> list[Any]:
            ran.append(arguments)
            raise ValueError(refusal)

        registered(server, call)
        engine = callgate.Engine.from_str(POLICY)
        # Where the guard itself refuses them, no handler is reached.
        callgate.mcp.guard(server, engine, check_args=False)
        async with connect(server) as session:
            await session.list_tools()
            answer = await session.call_tool("render", {"amount": 5, "size": "x"})
            assert answer.isError and answer.content[0].text == refusal
        assert (len(ran), used(engine)) == (1, 5)

    for registered in (decorated, bare):
        run(partial(test, registered))


@guards
def test_arguments_that_were_mended_have_reached_the_tool(guard: str) -> None:
    """What stands between the guard and the tool may make other arguments of those that the tool's model refuses."""
    ran: list[int] = []

    def render(amount: int, size: int = 1) -> str:
        """Renders."""
        ran.append(size)
        raise ValueError("failed")

    def mended(arguments: Any) -> Any:
        return {**arguments, "size": int(arguments["size"].removesuffix(" px"))}

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, render)
        if guard == "fastmcp":
            from fastmcp.server.middleware import Middleware

            class Mends(Middleware):
                async def on_call_tool(self, context: Any, call_next: Any) -> Any:
                    message = context.message.model_copy(update={"arguments": mended(context.message.arguments)})
                    return await call_next(context.copy(message=message))

            made.add_middleware(Mends())
        else:
            manager = made._tool_manager
            call_tool = manager.call_tool
            manager.call_tool = lambda name, arguments, *more, **options: call_tool(name, mended(arguments), *more, **options)
        async with client(guard, made) as agent:
            assert (await agent.call("render", amount=10, size="2 px")).is_error
        assert (ran, used(engine)) == ([2], 10)

    run(test)


@pytest.mark.parametrize("guard", EVERY_GUARD)
def test_the_engine_may_be_told_for_each_caller(guard: str) -> None:
    def render(amount: int) -> str:
        """Renders."""
        return f"rendered {amount}"

    async def test() -> None:
        engines = {"ann": callgate.Engine.from_str(POLICY), "bob": callgate.Engine.from_str(POLICY)}
        who = ["ann"]

        async def engine(context: Any) -> Any:
            assert context is not None
            return engines.get(who[0])

        made = guarded(guard, engine, render)
        async with client(guard, made) as agent:
            assert await agent.tools() == ["render"]
            assert not (await agent.call("render", amount=60)).is_error
            assert (await agent.call("render", amount=60)).is_error
            who[0] = "bob"
            assert not (await agent.call("render", amount=60)).is_error
            who[0] = "nobody"
            assert "could not be checked" in (await agent.call("render", amount=1)).text
        assert [used(engine) for engine in engines.values()] == [60, 60]

    run(test)
    for wrong in (5, callgate.Engine):
        with pytest.raises(TypeError, match="engine must be"):
            guarded(guard, wrong, render)
