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
        await ends.ask(call("1", "read"))
        assert await ends.served() == call("1", "read"), "another call under that id goes on"
        await ends.passes(cancelled(1))
        await approval.ended.wait()
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
        await ends.passes(cancelled(1))
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
        for subject, allowed in (("alice", True), ("bob", False), (None, False)):
            message = call(1, "mine", arguments={"identity": "alice"}, _meta={"identity": "alice", "sub": "alice"})
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
                assert dumped(await server_receive.receive()) == raw
                assert server_receive.last_context is not None
                assert server_receive.last_context.get(colour) == "red"

    with_timeout(main)
