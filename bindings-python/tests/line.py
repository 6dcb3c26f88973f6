"""A connection whose two sides are both played by a test: the streams that `guard_streams` is put between, and messages for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import callgate
import callgate.mcp
import mcp.types
from clients import SDK
from conftest import timeless
from mcp.shared.message import ServerMessageMetadata, SessionMessage

POLICY = """
version: "1"
default: deny
hide: [secret]
tools:
  read: {deny_if: [{conditions: [{path: args.path, op: starts_with, value: /etc}], on_deny: Not that}]}
  once: {limits: [{counter: n, window: 7d, max: 1}]}
  twice: {limits: [{counter: n, window: 7d, max: 2}]}
  pay: {rules: [{name: all, action: require_approval}]}
  mine: {require: [{path: identity.id, op: eq, value: alice}]}
"""
Raw = dict[str, Any]
MARK: Raw = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}


def parsed(raw: Raw) -> Any:
    """As the SDK's transports read it."""
    types: Any = mcp.types
    return types.JSONRPCMessage.model_validate(raw) if SDK == 1 else types.jsonrpc_message_adapter.validate_python(raw)


def call(number: Any, tool: Any, **params: Any) -> Raw:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, **params}}


def result(number: Any, **members: Any) -> Raw:
    return {"jsonrpc": "2.0", "id": number, "result": members}


def error(number: Any, code: int = -32603, message: str = "upstream failed") -> Raw:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


def cancelled(number: Any) -> Raw:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}


def is_own(message: Raw) -> bool:
    """Whether the guard asks this itself: for the server's tools."""
    return message.get("method") == "tools/list" and str(message["id"]).startswith("callgate-")


class Line:
    """A connection: the client's ends, and the guarded ones."""

    def __init__(self, engine: callgate.Engine, tools: list[Raw]) -> None:
        self.engine = engine
        self.client_send, self.read = anyio.create_memory_object_stream[Any](100)
        self.write, self.client_receive = anyio.create_memory_object_stream[Any](100)
        self.server_send: Any = None
        self.guarded: Any = None
        """What the server reads."""
        self.tools: list[Raw] | None = tools
        """What the server tells the guard; `None` for an error."""
        self._serve, self.server_receive = anyio.create_memory_object_stream[Any](100)
        """The same, without the questions of the guard."""

    async def serve(self) -> None:
        """The server answers what the guard itself asks."""
        async with self._serve:
            async for item in self._guarded():
                if not isinstance(item, Exception) and is_own(message := dumped(item)):
                    own = message["id"]
                    await self.answer(error(own) if self.tools is None else result(own, tools=self.tools))
                else:
                    await self._serve.send(item)

    async def _guarded(self) -> AsyncIterator[Any]:
        with suppress(anyio.ClosedResourceError):
            async for item in self.guarded:
                yield item

    async def ask(self, *messages: Raw, metadata: Any = None) -> None:
        for raw in messages:
            await self.client_send.send(SessionMessage(parsed(raw), metadata))

    async def served(self) -> Raw:
        """The next message that the server gets."""
        return dumped(await self.server_receive.receive())

    async def answer(self, *messages: Raw, related: Any = None) -> None:
        metadata = None if related is None else ServerMessageMetadata(related_request_id=related)
        for raw in messages:
            await self.server_send.send(SessionMessage(parsed(raw), metadata))

    async def answered(self) -> Raw:
        """The next message that the client gets."""
        return dumped(await self.client_receive.receive())

    async def nothing_served(self) -> None:
        """The next message that the server gets is none of those that were sent before."""
        await self.ask(MARK)
        assert await self.served() == MARK

    async def refused(self, message: Raw) -> str:
        await self.ask(message)
        answer = await self.answered()
        assert answer["id"] == message["id"] and answer["result"]["isError"] is True
        await self.nothing_served()
        return timeless(answer["result"]["content"][0]["text"])

    async def passes(self, message: Raw) -> None:
        await self.ask(message)
        assert await self.served() == message


def dumped(item: Any) -> Raw:
    found: Raw = item.message.model_dump(by_alias=True, mode="json", exclude_unset=True)
    return found


@asynccontextmanager
async def line(
    policy: str = POLICY, tools: list[Raw] | None = None, serves: bool = True, store: str = "memory", **options: Any
) -> AsyncIterator[Line]:
    """A guarded connection. Where the server does not serve, the test reads what is for it from `guarded`."""
    ends = Line(callgate.Engine.from_str(policy, store=store), tools or [])
    async with anyio.create_task_group() as tasks:
        async with callgate.mcp.guard_streams(ends.read, ends.write, ends.engine, **options) as streams:
            ends.guarded, ends.server_send = streams
            if serves:
                tasks.start_soon(ends.serve)
            yield ends
        tasks.cancel_scope.cancel()


def run(test: Callable[[Line], Awaitable[None]], policy: str = POLICY, **options: Any) -> None:
    async def main() -> None:
        async with line(policy, **options) as ends:
            await test(ends)

    with_timeout(main)


def with_timeout(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(10):
            await main()

    anyio.run(limited)


class NeverApproved:
    """An approval that nobody gives: it waits until the call is given up."""

    def __init__(self) -> None:
        self.asked, self.ended = anyio.Event(), anyio.Event()

    async def __call__(self, request: callgate.mcp.ApprovalRequest) -> bool:
        self.asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.ended.set()
        return True
