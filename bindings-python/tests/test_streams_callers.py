"""The guard of a pair of streams: who calls, and what waits for a person."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
import callgate.mcp
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
    is_own,
    parsed,
    result,
    run,
    with_timeout,
)
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from starlette.requests import Request


def test_a_call_that_waits_for_approval_holds_nothing_up() -> None:
    asked, given = anyio.Event(), anyio.Event()

    async def on_approval(request: callgate.mcp.ApprovalRequest) -> str:
        assert (request.tool, request.args) == ("pay", {"amount": 5})
        asked.set()
        await given.wait()
        return "approval-1"

    async def test(ends: Line) -> None:
        await ends.ask(call(1, "pay", arguments={"amount": 5}))
        await asked.wait()
        await ends.passes(call(2, "read"))
        await ends.answer(result(2))
        assert await ends.answered() == result(2)
        given.set()
        assert await ends.served() == call(1, "pay", arguments={"amount": 5})
        assert "already used" in await ends.refused(call(3, "pay", arguments={"amount": 5}))

    run(test, on_approval=on_approval)


def test_approval_that_is_not_given() -> None:
    answers: list[Any] = [None, False, "", RuntimeError("nobody there")]

    def on_approval(request: callgate.mcp.ApprovalRequest) -> object:
        if isinstance(answers[0], Exception):
            raise answers.pop(0)
        return answers.pop(0)

    async def test(ends: Line) -> None:
        for _ in range(3):
            await ends.ask(call(1, "pay"))
            refused = (await ends.answered())["result"]
            key = refused["_meta"]["callgate/approval_key"]
            assert refused["content"][0]["text"] == f'Rule "all" needs approval\nApproval key: {key}'
        assert await ends.refused(call(1, "pay")) == "The call could not be checked against the policy"

    run(test, on_approval=on_approval)


def test_a_call_that_is_cancelled_while_it_waits_reaches_nobody() -> None:
    approval, unanswered = NeverApproved(), anyio.Event()

    async def settle() -> None:
        unanswered.set()

    async def test(ends: Line) -> None:
        metadata = ServerMessageMetadata()
        # 2.x: an HTTP response that nobody will write to must be ended.
        metadata.on_request_unanswered = settle  # type: ignore[attr-defined, unused-ignore]
        await ends.ask(call(1, "pay"), metadata=metadata)
        await approval.asked.wait()
        await ends.ask(cancelled(1))
        with anyio.move_on_after(5):
            await approval.ended.wait()
        assert approval.ended.is_set(), "nobody waits for a call that is given up"
        await unanswered.wait()
        await ends.nothing_served()
        await ends.answer(MARK)
        assert await ends.answered() == MARK, "nor is it answered"

    run(test, on_approval=approval)


def test_an_approval_that_comes_after_the_cancellation_is_late() -> None:
    asked = anyio.Event()

    async def on_approval(request: callgate.mcp.ApprovalRequest) -> bool:
        asked.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            return True
        return False

    async def test(ends: Line) -> None:
        await ends.ask(call(1, "pay"))
        await asked.wait()
        await ends.ask(cancelled(1))
        await ends.nothing_served()

    run(test, on_approval=on_approval)


def test_identity() -> None:
    seen: list[Any] = []

    async def identity(message: Any) -> str:
        seen.append(message)
        if message.metadata is None:
            raise RuntimeError("hunter2")
        return "alice"

    async def test(ends: Line) -> None:
        metadata = ServerMessageMetadata(request_context="request")
        await ends.ask(call(1, "mine"), metadata=metadata)
        assert await ends.served() == call(1, "mine")
        assert seen[0].metadata is metadata and dumped(seen[0]) == call(1, "mine")
        assert await ends.refused(call(2, "mine")) == "The call could not be checked against the policy"

    run(test, identity=identity)


def test_identity_is_the_verified_token_of_the_request() -> None:
    class Request:
        def __init__(self, subject: str | None) -> None:
            token = AccessToken(token="t", client_id="app", scopes=[], claims={"sub": subject})
            self.scope = {"user": AuthenticatedUser(token)} if subject else {}

    async def test(ends: Line) -> None:
        for number, (subject, allowed) in enumerate((("alice", True), ("bob", False), (None, False))):
            message = call(number, "mine", arguments={"identity": "alice"}, _meta={"identity": "alice", "sub": "alice"})
            await ends.ask(message, metadata=ServerMessageMetadata(request_context=Request(subject)))
            if allowed:
                assert await ends.served() == message
            else:
                assert (await ends.answered())["result"]["isError"] is True
                await ends.nothing_served()

    run(test)


@pytest.mark.skipif(SDK == 1, reason="streams of 1.x carry no context")
def test_the_sender_s_context_goes_along() -> None:
    from mcp.shared._context_streams import create_context_streams

    token = AccessToken(token="t", client_id="app", scopes=[], claims={"sub": "alice"})
    colour = contextvars.ContextVar("colour", default="none")

    async def main() -> None:
        client_send, read = create_context_streams[Any](1)
        write, _ = create_context_streams[Any](1)
        engine = callgate.Engine.from_str(POLICY)
        async with callgate.mcp.guard_streams(read, write, engine) as (server_receive, _):
            for raw in (MARK, call(1, "mine")):

                async def send(raw: Raw) -> None:
                    auth_context_var.set(AuthenticatedUser(token))
                    colour.set("red")
                    await client_send.send(SessionMessage(parsed(raw)))

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(send, raw)  # in a context of its own
                served = [dumped(await server_receive.receive())]
                while served[-1] != raw:
                    # What the guard itself asks is asked for whom it asks.
                    assert is_own(served[-1]) and server_receive.last_context is not None
                    assert server_receive.last_context.get(colour) == "red"
                    served.append(dumped(await server_receive.receive()))
                assert server_receive.last_context is not None
                assert server_receive.last_context.get(colour) == "red"

    with_timeout(main)


def test_calls_of_one_caller_that_wait_have_a_ceiling(caplog: pytest.LogCaptureFixture) -> None:
    asked, go_on = anyio.Event(), anyio.Event()

    async def on_approval(request: callgate.mcp.ApprovalRequest) -> bool:
        if request.args == {"n": 1}:
            asked.set()
            await go_on.wait()
        return True

    async def test(ends: Line) -> None:
        async def pay(number: int, name: str) -> None:
            metadata = ServerMessageMetadata(request_context=name)
            await ends.ask(call(number, "pay", arguments={"n": number}), metadata=metadata)

        await pay(1, "ann")
        await asked.wait()
        await pay(2, "ann")
        assert "Approval key: " in (await ends.answered())["result"]["content"][0]["text"]
        # Another caller is not held up.
        await pay(3, "bob")
        assert (await ends.served())["id"] == 3
        go_on.set()
        assert (await ends.served())["id"] == 1
        await pay(4, "ann")
        assert (await ends.served())["id"] == 4

    run(test, on_approval=on_approval, max_waiting=1, identity=lambda sent: {"id": sent.metadata.request_context})
    assert "1 calls of one caller wait for approval already" in caplog.text


def test_what_the_guard_asks_the_client_is_its_own_affair() -> None:
    """The question belongs to the call, and the answer never reaches the server."""

    async def test(ends: Line) -> None:
        client = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}}
        await ends.passes({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client})
        await ends.ask(call(1, "pay", arguments={"n": 1}))
        asked = await ends.client_receive.receive()
        question = dumped(asked)
        assert (question["method"], asked.metadata.related_request_id) == ("elicitation/create", 1)
        # Only its own id answers it, and only once.
        await ends.ask(result(question["id"] + "0", action="accept", content={}))
        await ends.ask(result(question["id"], action="accept", content={}))
        assert await ends.served() == call(1, "pay", arguments={"n": 1})
        await ends.ask(result(question["id"], action="accept", content={}))
        await ends.nothing_served()
        # A call that is given up takes its question along.
        await ends.ask(call(2, "pay", arguments={"n": 2}))
        question = await ends.answered()
        await ends.ask(cancelled(2))
        assert await ends.answered() == cancelled(question["id"])
        await ends.nothing_served()

    run(test, on_approval=callgate.approve_by_elicitation())
