"""The guard of a pair of streams, between a client and a server that are both played here, message by message."""

from __future__ import annotations

import asyncio
import functools
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
import callgate.mcp
from callgate._enforcement import Enforcement
from clients import SDK
from line import (
    MARK,
    POLICY,
    Line,
    NeverApproved,
    Raw,
    call,
    cancelled,
    dumped,
    error,
    is_own,
    line,
    parsed,
    result,
    run,
    with_timeout,
)
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from starlette.requests import Request

LIMITED = "Rate limit of 1 per 7d reached. Try again in S seconds."


def test_everything_but_calls_passes_untouched() -> None:
    meta = {"progressToken": 1}
    theirs: list[Raw] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"a": [None, 1.5, {"b": None}], "_meta": meta}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}},
        {"jsonrpc": "2.0", "id": "s-1", "method": "resources/subscribe", "params": {"uri": "file:///x"}},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/other", "params": {"name": "secret"}},
    ]
    ours: list[Raw] = [
        {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"messages": []}},
        {"jsonrpc": "2.0", "id": "1", "method": "roots/list"},
        {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "secret"}], "x": None}},
        {"jsonrpc": "2.0", "id": "s-1", "error": {"code": -32602, "message": "no such resource"}},
        {"jsonrpc": "2.0", "id": 3, "result": {"tools": [{"name": "secret"}]}},
    ]
    answers: list[Raw] = [
        {"jsonrpc": "2.0", "id": 1, "result": {"roots": [], "a": None}},
        {"jsonrpc": "2.0", "id": "1", "error": {"code": -1, "message": "not now", "data": {"x": None}}},
    ]

    async def to_server(ends: Line, raw: Raw) -> None:
        metadata = ServerMessageMetadata()
        await ends.client_send.send(SessionMessage(parsed(raw), metadata))
        served = await ends.server_receive.receive()
        assert dumped(served) == raw and served.metadata is metadata

    async def test(ends: Line) -> None:
        for raw in theirs:
            await to_server(ends, raw)
        for raw in ours:
            metadata = ServerMessageMetadata(related_request_id=1)
            await ends.server_send.send(SessionMessage(parsed(raw), metadata))
            answered = await ends.client_receive.receive()
            assert dumped(answered) == raw and answered.metadata is metadata
        for raw in answers:
            await to_server(ends, raw)
        broken = ValueError("a line that is no message")
        await ends.client_send.send(broken)
        assert await ends.server_receive.receive() is broken

    run(test)


def test_what_nobody_asked_for_is_no_answer() -> None:
    async def test(ends: Line) -> None:
        await ends.ask(result(9, roots=[]), error("x"))
        await ends.nothing_served()
        await ends.answer(result("unknown", tools=[{"name": "secret"}]), MARK)
        assert await ends.answered() == MARK

    run(test)


def test_calls_are_decided_before_the_server_sees_them() -> None:
    async def test(ends: Line) -> None:
        assert await ends.refused(call(1, "read", arguments={"path": "/etc/passwd"})) == "Not that"
        assert await ends.refused(call(2, "secret")) == 'Tool "secret" is hidden by policy'
        assert await ends.refused(call(3, "elsewhere")) == 'Tool "elsewhere" is not permitted by policy'
        await ends.passes(call(4, "read", arguments={"path": "/a", "b": None}))
        await ends.answer(result(4, content=[], isError=True))
        assert await ends.answered() == result(4, content=[], isError=True)

    run(test)


def test_hidden_tools_are_left_out_of_the_list_and_nothing_else() -> None:
    async def test(ends: Line) -> None:
        await ends.passes({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "2"}})
        tools = [{"name": "read", "inputSchema": {"x": None}}, {"name": "secret"}, {"name": "elsewhere"}]
        await ends.answer(result(1, tools=tools, nextCursor="3", _meta={"a": 1}, other=None))
        left = [tools[0], tools[2]]
        assert await ends.answered() == result(1, tools=left, nextCursor="3", _meta={"a": 1}, other=None)
        # A list that cannot be read shows nothing.
        for number, odd in enumerate([[{"name": "\ud800"}], [*tools, "odd"], [*tools, {}], [*tools, tools[1]], "none"], 2):
            await ends.passes({"jsonrpc": "2.0", "id": number, "method": "tools/list"})
            await ends.server_send.send(SessionMessage(parsed(result(number, tools=odd))))
            answer = await ends.answered()
            assert answer["error"]["message"].startswith("The server's answer cannot be passed on: ")

    run(test)


def test_a_list_is_filtered_for_who_asks_and_for_nobody_else() -> None:
    asked: list[str] = []

    def identity(sent: Any) -> str:
        asked.append(getattr(sent.message, "root", sent.message).method)
        if len(asked) == 3:
            raise RuntimeError("nobody knows")
        return "alice" if len(asked) == 1 else "bob"

    def nobody(sent: Any) -> None:
        return None

    tools = [{"name": name} for name in ("own", "open", "lab", "unlisted")]

    async def shown(ends: Line, number: int, **scope: str) -> Raw:
        await ends.passes({"jsonrpc": "2.0", "id": number, "method": "tools/list"})
        await ends.answer(result(number, tools=tools, ttlMs=1000, **scope))
        found: Raw = (await ends.answered())["result"]
        return {**found, "tools": [tool["name"] for tool in found["tools"]]}

    async def test(ends: Line) -> None:
        assert await shown(ends, 1, cacheScope="public") == {"tools": ["own", "open"], "ttlMs": 1000, "cacheScope": "private"}
        # A list that may be kept is private, also where the server says nothing of that.
        assert await shown(ends, 2) == {"tools": ["open"], "ttlMs": 1000, "cacheScope": "private"}
        # Where it is not known who asks, nothing is shown.
        await ends.ask({"jsonrpc": "2.0", "id": 3, "method": "tools/list"})
        assert (await ends.answered())["error"]["message"] == "The call could not be checked against the policy"
        await ends.nothing_served()

    async def all_are_shown(ends: Line) -> None:
        assert await shown(ends, 4, cacheScope="public") == {"tools": ["own", "open", "lab", "unlisted"], "ttlMs": 1000, "cacheScope": "public"}

    policy = """{version: "1", default: deny, list: LIST, tools: {
        own: {require: [{path: identity.id, op: eq, value: alice}]},
        open: {require: [{path: server, op: eq, value: bank}]},
        lab: {require: [{path: server, op: eq, value: lab}]}}}"""
    run(test, policy.replace("LIST", "callable"), identity=identity, server_name="bank")
    run(all_are_shown, policy.replace("LIST", "all"), identity=nobody, server_name="bank")
    assert asked == ["tools/list"] * 3


ANSWERS = [
    error(1),
    error(1, -32000, "out of paper"),
    error(1, -32602, "Invalid params"),
    error(1, -32001, "Request timed out"),
    error(1, -32000, "Connection closed"),
    result(1, content=[], isError=True),
    result(1, content=[]),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_gives_a_charge_back(answer: Raw) -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once"))
        await ends.answer(answer)
        assert await ends.answered() == answer
        assert await ends.refused(call(3, "once")) == LIMITED

    run(test)


def always(_call: callgate.mcp.ToolCall, _error: callgate.mcp.ServerError) -> bool:
    return True


def test_the_host_may_give_a_charge_back_for_an_error() -> None:
    asked: list[tuple[callgate.mcp.ToolCall, callgate.mcp.ServerError]] = []

    def refund(tool_call: callgate.mcp.ToolCall, failed: callgate.mcp.ServerError) -> bool:
        asked.append((tool_call, failed))
        return failed.code == -32050

    async def test(ends: Line) -> None:
        for answer in (error(1, -32050, "not yet"), error(1, -32603)):
            await ends.passes(call(1, "once", arguments={"a": 1}))
            await ends.answer(answer)
            assert await ends.answered() == answer
        assert await ends.refused(call(3, "once")) == LIMITED
        assert [failed.code for _, failed in asked] == [-32050, -32603]
        tool_call, failed = asked[0]
        assert (tool_call.tool, tool_call.args, tool_call.identity) == ("once", {"a": 1}, None)
        assert tool_call.decision.allowed and (failed.message, failed.exception) == ("not yet", None)

    run(test, refund_on_error=refund)


@pytest.mark.parametrize("answer", [None, 1, "yes", RuntimeError("no such error")])
def test_a_host_that_does_not_say_true_gives_nothing_back(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    def refund(_call: callgate.mcp.ToolCall, _error: callgate.mcp.ServerError) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once"))
        await ends.answer(error(1))
        await ends.answered()
        assert await ends.refused(call(3, "once")) == LIMITED

    run(test, refund_on_error=refund)
    assert "refund_on_error" in caplog.text and "the charges stand" in caplog.text


async def coroutine(*_: Any) -> bool:
    return True


async def generator(*_: Any) -> Any:
    yield True


class Asynchronous:
    async def __call__(self, *_: Any) -> bool:
        return True


@pytest.mark.parametrize(
    "refund", [coroutine, generator, Asynchronous(), Asynchronous().__call__, functools.partial(Asynchronous(), 1), True]
)
def test_a_callback_that_nobody_awaits_must_not_be_async(refund: Any) -> None:
    with pytest.raises(TypeError, match="refund_on_error must"):
        callgate.mcp.guard_streams(None, None, callgate.Engine.from_str(POLICY), refund_on_error=refund)


def test_a_call_that_the_server_never_took_costs_nothing() -> None:
    async def main() -> None:
        async with line(serves=False) as ends:
            await ends.ask(call(1, "once"))
            await anyio.wait_all_tasks_blocked()  # decided, and nobody reads
            assert charged(ends.engine)
            await ends.guarded.aclose()
            await given_back(ends.engine)
        async with line(serves=False) as ends:
            await ends.ask(call(1, "once"))
            await anyio.wait_all_tasks_blocked()
            await ends.ask(cancelled(1), MARK)
            await given_back(ends.engine)
            found = [dumped(await ends.guarded.receive()) for _ in range(3)]
            assert [is_own(message) for message in found] == [True, False, False]
            assert found[1:] == [cancelled(1), MARK], "the call itself was withdrawn"
            await ends.ask(call(2, "once"))
            assert dumped(await ends.guarded.receive()) == call(2, "once")

    with_timeout(main)


async def given_back(engine: callgate.Engine) -> None:
    """Returns when it is, which a thread of the event loop's executor does."""
    while charged(engine):
        await anyio.sleep(0.001)


def charged(engine: callgate.Engine) -> bool:
    return not engine.explain("once").decision.allowed


@pytest.mark.parametrize(
    "other",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "no/such"},
        {"jsonrpc": "2.0", "id": "1", "method": "no/such"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        call(1, "read"),
        call("1", "read"),
    ],
)
def test_a_request_with_an_id_in_flight_is_refused(other: Raw) -> None:
    """Some servers take an id and its digits for the same."""
    refused = error(other["id"], -32600, "a request with this id is in flight")

    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once"))
        await ends.ask(other)
        assert await ends.answered() == refused
        await ends.nothing_served()
        await ends.answer(error(1))
        assert await ends.answered() == error(1)
        await ends.passes(call(2, "once"))
        await ends.answer(result(2))
        await ends.answered()
        await ends.passes({"jsonrpc": "2.0", "id": 1, "method": "no/such"})
        await ends.ask({**call(1, "once"), "id": other["id"]})
        assert await ends.answered() == refused
        assert await ends.refused(call(3, "once")) == LIMITED

    run(test, refund_on_error=always)


def test_an_id_is_free_again_when_all_is_answered() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "twice"))
        await ends.answer(error(1))
        await ends.answered()
        for _ in range(2):
            await ends.passes(call(1, "twice"))
            await ends.answer(result(1))
            await ends.answered()
        assert "Rate limit of 2" in await ends.refused(call(1, "twice"))

    run(test, refund_on_error=always)


def test_a_cancelled_call_stays_charged_and_is_not_answered() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once"))
        await ends.passes(cancelled(1))
        # Its id is not free before the server has answered all the same.
        await ends.ask(call(1, "read"))
        assert (await ends.answered())["error"]["code"] == -32600
        await ends.answer(error(1, 0, "Request cancelled"), MARK)
        assert await ends.answered() == MARK
        await ends.passes(call(1, "read"))
        assert await ends.refused(call(2, "once")) == LIMITED

    run(test, refund_on_error=always)


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "read"}},
        {"jsonrpc": "2.0", "id": 1.5, "method": "tools/call", "params": {"name": "read"}},
        {"jsonrpc": "2.0", "id": None, "method": "tools/call", "params": {"name": "read"}},
        {"jsonrpc": "2.0", "id": [1], "method": "tools/call", "params": {"name": "read"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "result": {}, "params": ["secret"]},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "error": {"code": 1, "message": ""}, "params": ["secret"]},
    ],
)
def test_what_is_no_request_to_call_is_no_way_to_call(message: Raw) -> None:
    async def test(ends: Line) -> None:
        await ends.ask(message, MARK)
        served = await ends.served()
        if served != MARK:
            # The SDK itself left out what made it look like a call.
            assert "method" not in served and await ends.served() == MARK

    run(test)


def test_what_names_no_tool_and_arguments_that_are_no_object() -> None:
    async def test(ends: Line) -> None:
        for params in [None, {}, {"name": 7}, {"name": ["read"]}, {"name": None}]:
            await ends.ask({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params})
            assert await ends.answered() == error(5, -32602, "`params.name` is not a string")
        not_objects: list[Any] = [[], "x", 5, True]
        for arguments in not_objects:
            text = await ends.refused(call(6, "read", arguments=arguments))
            assert text == "Arguments are not valid: they are not an object"
        await ends.nothing_served()
        await ends.passes(call(7, "read"))
        await ends.passes(call(8, "read", arguments=None))

    run(test)


def test_without_a_handshake_a_result_states_its_type() -> None:
    async def test(ends: Line) -> None:
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        await ends.ask(call(1, "secret", _meta=meta))
        answer = (await ends.answered())["result"]
        assert (answer["isError"], answer["resultType"]) == (True, "complete")
        await ends.passes({"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": {}})
        await ends.ask(call(3, "secret", _meta={"progressToken": 1}))
        assert "resultType" not in (await ends.answered())["result"]

    run(test)


@pytest.mark.parametrize("stubborn", [False, True])
@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "*/*"])
def test_a_call_ends_with_the_http_stream_that_carries_its_answer(accept: str, stubborn: bool) -> None:
    closed, asked, given = anyio.Event(), anyio.Event(), anyio.Event()

    async def receive() -> Any:
        await closed.wait()
        return {"type": "http.disconnect"}

    async def on_approval(request: callgate.mcp.ApprovalRequest) -> bool:
        asked.set()
        try:
            await given.wait()
        except anyio.get_cancelled_exc_class():
            if not stubborn:
                raise
        return True

    async def test(ends: Line) -> None:
        scope = {"type": "http", "headers": [(b"accept", accept.encode())]}
        await ends.ask(call(1, "pay"), metadata=ServerMessageMetadata(request_context=Request(scope, receive)))
        await asked.wait()
        closed.set()
        if accept == "*/*":
            # The older transport answers elsewhere than in the response to this request, which is over at once.
            await anyio.wait_all_tasks_blocked()
            given.set()
            assert await ends.served() == call(1, "pay")
        else:
            assert "closed" in (await ends.answered())["result"]["content"][0]["text"]
            await ends.nothing_served()

    run(test, on_approval=on_approval)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 does not remember a cancellation that was swallowed")
def test_a_task_that_was_cancelled_passes_nothing_on() -> None:
    asked = anyio.Event()
    ran: list[str] = []

    async def on_approval(request: callgate.mcp.ApprovalRequest) -> bool:
        asked.set()
        with suppress(asyncio.CancelledError):
            await anyio.sleep_forever()
        return True

    async def main() -> None:
        engine = callgate.Engine.from_str(POLICY)
        enforcement = Enforcement(engine, lambda _: None, on_approval, None, lambda _: None, check_args=True)

        async def no_schema() -> None:
            return None

        async def handle() -> None:
            await enforcement.admit("pay", {}, None, no_schema)
            ran.append("pay")

        task = asyncio.create_task(handle())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ran == []

    with_timeout(main)


@pytest.mark.parametrize("side", ["client", "server"])
def test_when_a_side_goes_the_other_hears_and_nothing_waits(side: str) -> None:
    approval = NeverApproved()

    async def test(ends: Line) -> None:
        await ends.ask(call(1, "pay"))
        await approval.asked.wait()
        if side == "client":
            await ends.client_send.aclose()
            assert [message async for message in ends.server_receive] == []
        else:
            await ends.guarded.aclose()
            with pytest.raises(anyio.BrokenResourceError):
                await ends.ask(MARK)
        await approval.ended.wait()

    run(test, on_approval=approval)


def test_what_the_server_closes_is_closed() -> None:
    async def main() -> None:
        async with line() as ends:
            async with ends.guarded, ends.server_send:
                pass
            with pytest.raises(anyio.BrokenResourceError):
                await ends.ask(MARK)
            with pytest.raises(anyio.EndOfStream):
                await ends.answered()
        async with line() as ends:
            pass
        with pytest.raises(anyio.BrokenResourceError):
            await ends.ask(MARK)
        with pytest.raises(anyio.EndOfStream):
            await ends.answered()

    with_timeout(main)


def test_what_is_no_engine() -> None:
    with pytest.raises(TypeError, match=r"engine must be a callgate\.Engine"):
        callgate.mcp.guard_streams(None, None, POLICY)  # type: ignore[arg-type]


def test_schemas_are_known_before_a_client_asks_for_the_list() -> None:
    refused = "Arguments are not valid: args.path is of another type than the tool's schema admits"

    def listed(of: str) -> list[Raw]:
        return [{"name": "read", "inputSchema": {"properties": {"path": {"type": of}}}}]

    async def test(ends: Line) -> None:
        for number, path in enumerate((5, ["/srv"])):
            assert await ends.refused(call(number, "read", arguments={"path": path})) == refused
        # A list that the client asks for is filtered, and teaches nothing.
        await ends.passes({"jsonrpc": "2.0", "id": 3, "method": "tools/list"})
        await ends.answer(result(3, tools=listed("integer")))
        await ends.answered()
        assert await ends.refused(call(4, "read", arguments={"path": 5})) == refused
        ends.tools = listed("integer")
        changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        await ends.answer(changed)
        assert await ends.answered() == changed
        assert await ends.refused(call(5, "read", arguments={"path": "/srv"})) == refused

    run(test, tools=listed("string"))


def test_where_the_server_does_not_list_its_tools_nothing_is_decided_by_arguments() -> None:
    async def test(ends: Line) -> None:
        ends.tools = None
        refused = await ends.refused(call(1, "read", arguments={"path": "/srv"}))
        assert refused == "The call could not be checked against the policy"
        # What no rule reads the arguments of needs no list.
        await ends.passes(call(2, "once"))

    run(test)


def test_a_host_may_do_without_the_list() -> None:
    async def main() -> None:
        async with line(serves=False, check_args=False) as ends:
            await ends.ask(call(1, "read", arguments={"path": "/srv"}))
            found = [dumped(await ends.guarded.receive()) for _ in range(2)]
            assert is_own(found[0]) and found[1] == call(1, "read", arguments={"path": "/srv"}), "nothing is waited for"

    with_timeout(main)


ONE_AT_A_TIME = """
version: "1"
default: deny
tools:
  slow: {limits: [{in_flight: 1, lease: 10m}]}
"""
BUSY = "1 call is in flight, which is the most. Try again when one has ended."


def test_a_task_that_was_accepted_has_not_ended() -> None:
    async def test(ends: Line) -> None:
        for answer in ({"task": {"taskId": "1", "status": "working"}}, {"resultType": "task", "taskId": "1"}):
            await ends.passes(call(1, "slow", task={"ttl": 1000}))
            await ends.answer(result(1, **answer))
            await ends.answered()
            assert await ends.refused(call(2, "slow")) == BUSY
            ends.engine.reset_counter(*ends.engine.counters())
        # What asked for a task, and is answered at once, has ended.
        for number in (3, 4):
            await ends.passes(call(number, "slow", task={"ttl": 1000}))
            await ends.answer(result(number, content=[], task="none"))
            await ends.answered()

    run(test, ONE_AT_A_TIME)


def test_a_candidate_hears_how_calls_ended() -> None:
    async def test(ends: Line) -> None:
        ends.engine.observe(callgate.Policy.from_str(ONE_AT_A_TIME))
        for number, flip in ((1, "none"), (2, "none"), (3, "none"), (4, "tighter")):
            await ends.passes(call(number, "slow"))
            if number < 3:
                await ends.answer(result(number, content=[]))
                await ends.answered()
            observations = ends.engine.observations()
            assert observations is not None and flip in {row["flip"] for row in observations["rows"]}

    run(test, "{version: '1', default: deny, tools: {slow: {}}}")


def test_a_client_waits_while_the_server_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from callgate import _streams

    monkeypatch.setattr(_streams, "_WAITING", 2_000)

    async def main() -> None:
        async with line(serves=False) as ends:
            for number in range(10):
                await ends.ask({"jsonrpc": "2.0", "id": number, "method": "ping", "params": {"text": "x" * 500}})
            await anyio.wait_all_tasks_blocked()
            left = ends.client_send.statistics().current_buffer_used
            assert 5 <= left < 10, "the rest is with the client"
            served: list[int] = []
            while len(served) < 10:
                message = dumped(await ends.guarded.receive())
                if is_own(message):
                    await ends.answer(result(message["id"], tools=[]))
                else:
                    served.append(message["id"])
            assert sorted(served) == list(range(10))

    with_timeout(main)


def test_a_call_has_ended_when_its_answer_comes(tmp_path: Path) -> None:
    """Its end is written to a file, which takes a while."""
    used: list[int] = []

    async def test(ends: Line) -> None:
        async def answered() -> None:
            await ends.answered()
            used.append(int(sum(counter.used for counter in ends.engine.counters())))

        await ends.passes(call(1, "slow", arguments={}))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answered)
            await anyio.wait_all_tasks_blocked()
            await ends.answer(result(1, content=[]))
        assert used == [0]

    policy = "{version: '1', default: deny, tools: {slow: {limits: [{in_flight: 1, lease: 10m}]}}}"
    run(test, policy, store=f"sqlite://{tmp_path}/counters.db")


def test_calls_that_wait_are_bounded_and_the_client_is_still_heard() -> None:
    """A person who approves may take long: meanwhile a client cancels, and is answered."""
    on_approval = NeverApproved()

    async def test(ends: Line) -> None:
        # Each of a mebibyte.
        for number in range(33):
            await ends.ask(call(number, "pay", arguments={"text": "x" * (1 << 20)}))
        refused = [(await ends.answered()) for _ in range(2)]
        assert {answer["error"]["code"] for answer in refused} == {-32600}
        assert all("too many requests wait" in answer["error"]["message"] for answer in refused)
        assert [answer["id"] for answer in refused] == [31, 32]
        # What needs no decision passes, and a cancellation makes room.
        await ends.passes({"jsonrpc": "2.0", "id": 100, "method": "ping"})
        await ends.ask(cancelled(0), call(101, "read", arguments={"text": "x" * (1 << 20)}))
        await on_approval.ended.wait()
        assert (await ends.served())["id"] == 101

    async def main() -> None:
        with anyio.fail_after(60):
            async with line(on_approval=on_approval) as ends:
                await test(ends)

    anyio.run(main)


def test_an_end_is_told_with_the_answer_of_its_own_call() -> None:
    """Two equal calls with one state cannot be told apart, so the first one ends when the second is answered."""
    heard: list[tuple[str, Any]] = []

    def on_result(decision: callgate.Decision, ended: callgate.mcp.CallResult) -> None:
        heard.append((ended.outcome, ended.answer))

    async def test(ends: Line) -> None:
        for number in (1, 2):
            await ends.passes(call(number, "twice", arguments={"n": 2}))
            await ends.answer(result(number, resultType="input_required", requestState="s", inputRequests={}))
            await ends.answered()
        assert heard == [("done", None)]
        await ends.passes(call(3, "twice", arguments={"n": 2}, requestState="s"))
        await ends.answer(result(3, content=[]))
        await ends.answered()
        assert heard[1:] == [("done", {"content": []})]

    run(test, on_result=on_result)
