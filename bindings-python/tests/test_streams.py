"""The guard of a pair of streams, between a client and a server that are both played here, message by message."""

from __future__ import annotations

import asyncio
import functools
import sys
from contextlib import suppress
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
    error,
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
    theirs: list[Raw] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"a": [None, 1.5, {"b": None}], "_meta": {"c": 1}}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}},
        {"jsonrpc": "2.0", "id": "s-1", "method": "resources/subscribe", "params": {"uri": "file:///x"}},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 9, "result": {"roots": []}},
        {"jsonrpc": "2.0", "id": 10, "error": {"code": -1, "message": "not now", "data": {"x": None}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/other", "params": {"name": "secret"}},
    ]
    ours: list[Raw] = [
        {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"messages": []}},
        {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "secret"}]}},
        {"jsonrpc": "2.0", "id": "s-1", "error": {"code": -32602, "message": "no such resource"}},
        {"jsonrpc": "2.0", "id": "unknown", "result": {"tools": [{"name": "secret"}]}},
    ]

    async def test(ends: Line) -> None:
        for raw in theirs:
            sent = SessionMessage(parsed(raw), ServerMessageMetadata())
            await ends.client_send.send(sent)
            assert await ends.server_receive.receive() is sent
        for raw in ours:
            sent = SessionMessage(parsed(raw), ServerMessageMetadata(related_request_id=1))
            await ends.server_send.send(sent)
            assert await ends.client_receive.receive() is sent
        broken = ValueError("a line that is no message")
        await ends.client_send.send(broken)
        assert await ends.server_receive.receive() is broken

    run(test)


def test_calls_are_decided_before_the_server_sees_them() -> None:
    async def test(ends: Line) -> None:
        assert await ends.refused(call(1, "read", arguments={"path": "/etc/passwd"})) == "Not that"
        assert await ends.refused(call(2, "secret")) == 'Tool "secret" is hidden by policy'
        assert await ends.refused(call(3, "elsewhere")) == 'Tool "elsewhere" is not permitted by policy'
        allowed = SessionMessage(parsed(call(4, "read", arguments={"path": "/a", "b": None})), ServerMessageMetadata())
        await ends.client_send.send(allowed)
        assert await ends.server_receive.receive() is allowed
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
        # A server may give an id back as text, which clients take for the same.
        await ends.passes({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        await ends.answer(result("2", tools=tools))
        assert await ends.answered() == result("2", tools=left)
        await ends.passes({"jsonrpc": "2.0", "id": 3, "method": "tools/list"})
        await ends.server_send.send(SessionMessage(parsed(result(3, tools=[{"name": "\ud800"}, "odd", {}]))))
        answer = (await ends.client_receive.receive()).message
        assert getattr(answer, "root", answer).result == {"tools": ["odd", {}]}

    run(test)


def test_a_list_is_filtered_for_who_asks_and_for_nobody_else() -> None:
    asked: list[str] = []

    def identity(sent: Any) -> str:
        asked.append(getattr(sent.message, "root", sent.message).method)
        if len(asked) == 3:
            raise RuntimeError("nobody knows")
        return "alice" if len(asked) == 1 else "bob"

    tools = [{"name": name} for name in ("own", "open", "lab", "unlisted")]

    async def shown(ends: Line, number: int, **scope: str) -> Raw:
        await ends.ask({"jsonrpc": "2.0", "id": number, "method": "tools/list"})
        await ends.served()
        await ends.answer(result(number, tools=tools, ttlMs=1000, **scope))
        found: Raw = (await ends.answered())["result"]
        return {**found, "tools": [tool["name"] for tool in found["tools"]]}

    async def test(ends: Line) -> None:
        assert await shown(ends, 1, cacheScope="public") == {"tools": ["own", "open"], "ttlMs": 1000, "cacheScope": "private"}
        # A list that may be kept is private, also where the server says nothing of that.
        assert await shown(ends, 2) == {"tools": ["open"], "ttlMs": 1000, "cacheScope": "private"}
        # Where it is not known who asks, nothing is shown.
        assert (await shown(ends, 3))["tools"] == []

    async def all_are_shown(ends: Line) -> None:
        assert await shown(ends, 4, cacheScope="public") == {"tools": ["own", "open", "lab", "unlisted"], "ttlMs": 1000, "cacheScope": "public"}

    policy = """{version: "1", default: deny, list: LIST, tools: {
        own: {require: [{path: identity.id, op: eq, value: alice}]},
        open: {require: [{path: server, op: eq, value: bank}]},
        lab: {require: [{path: server, op: eq, value: lab}]}}}"""
    run(test, policy.replace("LIST", "callable"), identity=identity, server_name="bank")
    run(all_are_shown, policy.replace("LIST", "all"), identity=identity, server_name="bank")
    assert asked == ["tools/list"] * 3


ANSWERS = [
    error(1),
    error(1, -32000, "out of paper"),
    error(1, -32602, "Invalid params"),
    error(1, -32001, "Request timed out"),
    error(1, -32000, "Connection closed"),
    result(1, content=[], isError=True),
    result(1, content=[]),
    error(2),
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
        async with line() as ends:
            await ends.ask(call(1, "once"))
            await anyio.wait_all_tasks_blocked()  # decided, and nobody reads
            assert charged(ends.engine)
            await ends.server_receive.aclose()
            await given_back(ends.engine)
        async with line() as ends:
            await ends.ask(call(1, "once"))
            await anyio.wait_all_tasks_blocked()
            await ends.ask(cancelled(1), MARK)
            assert [await ends.served() for _ in range(2)] == [cancelled(1), MARK], "the call itself was withdrawn"
            await given_back(ends.engine)
            await ends.passes(call(1, "once"))

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
@pytest.mark.parametrize("first", [True, False])
def test_an_id_that_is_used_twice_releases_nothing(other: Raw, first: bool) -> None:
    async def test(ends: Line) -> None:
        for message in (other, call(1, "once")) if first else (call(1, "once"), other):
            await ends.passes(message)
        for _ in range(2):
            await ends.answer(error(other["id"]))
            await ends.answered()
        assert await ends.refused(call(3, "once")) == LIMITED
        # One of two is still to be answered: it must not release a third.
        for message in (call(1, "twice"), other):
            await ends.passes(message)
        await ends.answer(result(1))
        await ends.passes(call(1, "twice"))
        await ends.answer(error(1), error(1))
        for _ in range(3):
            await ends.answered()
        assert "Rate limit of 2" in await ends.refused(call(5, "twice"))

    policy = POLICY.replace("once: {limits: [{counter: n", "once: {limits: [{counter: m")
    run(test, policy, refund_on_error=always)


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


def test_a_cancelled_call_stays_charged_whatever_is_answered() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once"))
        await ends.passes(cancelled("1"))
        await ends.answer(error(1, 0, "Request cancelled"))
        assert await ends.answered() == error(1, 0, "Request cancelled")
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
            assert await ends.answered() == error(5, -32602, "Invalid params: no tool is named")
        not_objects: list[Any] = [[], "x", 5, True]
        for arguments in not_objects:
            text = await ends.refused(call(6, "read", arguments=arguments))
            assert text == "Arguments are not valid: they are not an object"
        await ends.nothing_served()
        await ends.passes(call(7, "read"))
        await ends.passes(call(8, "read", arguments=None))

    run(test)


def test_a_request_that_states_its_revision_gets_a_result_that_states_its_type() -> None:
    async def test(ends: Line) -> None:
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        await ends.ask(call(1, "secret", _meta=meta))
        answer = (await ends.answered())["result"]
        assert (answer["isError"], answer["resultType"]) == (True, "complete")
        await ends.ask(call(2, "secret", _meta={"progressToken": 1}))
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
            await ends.server_receive.aclose()
            with pytest.raises(anyio.BrokenResourceError):
                await ends.ask(MARK)
        await approval.ended.wait()

    run(test, on_approval=approval)


def test_what_the_server_closes_is_closed() -> None:
    async def main() -> None:
        async with line() as ends:
            async with ends.server_receive, ends.server_send:
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


def test_schemas_are_learnt_from_the_lists_that_pass_by() -> None:
    """Only from the answer to a request for the list: the answer to a call under the same id may say anything."""
    refused = "Arguments are not valid: args.path is of another type than the tool's schema admits"

    def listed(number: int, of: str) -> Raw:
        return result(number, tools=[{"name": "read", "inputSchema": {"properties": {"path": {"type": of}}}}])

    async def test(ends: Line) -> None:
        await ends.ask(call(1, "read", arguments={"path": 5}))
        assert "Not that" in (await ends.answered())["result"]["content"][0]["text"]
        await ends.ask({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        await ends.served()
        await ends.answer(listed(2, "string"))
        await ends.answered()
        for path in (5, ["/srv"]):
            await ends.ask(call(3, "read", arguments={"path": path}))
            assert (await ends.answered())["result"]["content"][0]["text"] == refused
        # An id that stands for two requests teaches nothing.
        for message in (call(4, "read", arguments={"path": "/srv"}), {"jsonrpc": "2.0", "id": 4, "method": "tools/list"}):
            await ends.ask(message)
            await ends.served()
        for _ in range(2):
            await ends.answer(listed(4, "integer"))
            await ends.answered()
        await ends.ask(call(5, "read", arguments={"path": 5}))
        assert (await ends.answered())["result"]["content"][0]["text"] == refused

    run(test)
