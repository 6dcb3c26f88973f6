"""The guard of a pair of message streams: what `callgate.mcp.guard_streams` puts between a connection and its server.

In: `SessionMessage`s of the SDK, 1.x or 2.x, in both directions. Out: those that the policy lets through, and answers to
the others. Must not alter a message, but for the list of tools; must not release what may have run.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from callgate._calls import ServerError
from callgate._enforcement import Enforcement, Permitted, Refused

_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)
_INVALID_PARAMS = -32602
# A request that states its revision so (2026-07-28 and later) is answered with results that state their type.
_PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"

_logger = logging.getLogger("callgate")
# Tools whose input schemas are kept.
_SCHEMAS = 10_000

_Id = int | str


@dataclass
class _Item:
    """A message on its way to the server."""

    context: Context | None
    message: Any
    taken: bool = False
    withdrawn: bool = False
    """The server must not get it: it was given up before the server took it."""


@asynccontextmanager
async def guarded(read: Any, write: Any, enforcement: Enforcement) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """The two streams for the server. Leaving closes all four streams."""
    guard = _Guard(read, write, enforcement)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(guard.run)
        try:
            yield guard.incoming, guard.outgoing
        finally:
            await guard.incoming.aclose()
            await guard.outgoing.aclose()
            tasks.cancel_scope.cancel()


class Incoming(ObjectReceiveStream[Any]):
    """What the server reads. Closing it closes the stream that it guards."""

    def __init__(self, guard: _Guard, receive: MemoryObjectReceiveStream[_Item]) -> None:
        self._guard = guard
        self._receive = receive
        self.last_context: Context | None = None
        """The context in which the last message was sent, where the guarded stream tells it (2.x)."""

    async def receive(self) -> Any:
        # A cancelled `send` may have put its item here all the same.
        while (item := await self._receive.receive()).withdrawn:
            pass
        item.taken = True
        self.last_context = item.context
        return item.message

    async def aclose(self) -> None:
        self._receive.close()
        await self._guard.stop()


class Outgoing(ObjectSendStream[Any]):
    """What the server writes. Closing it closes the stream that it guards."""

    def __init__(self, guard: _Guard, write: Any) -> None:
        self._guard = guard
        self._write = write

    async def send(self, item: Any) -> None:
        await self._write.send(await self._guard.answered(item))

    async def aclose(self) -> None:
        await self._write.aclose()


@dataclass
class _Open:
    """What passed to the server under one id, and is not answered yet."""

    permit: Permitted | None
    """The call's; none once no answer tells any more whether it failed."""
    requests: int = 1
    reused: bool = False
    """Whether there was ever more than one at a time."""
    item: Any = None
    """The first message."""
    lists: bool = False
    """Whether one of them asked for the list of tools."""


class _Guard:
    def __init__(self, read: Any, write: Any, enforcement: Enforcement) -> None:
        self._types: Any = import_module("mcp.types")
        self._session_message: Any = import_module("mcp.shared.message").SessionMessage
        self._read = read
        self._write = write
        self._enforcement = enforcement
        self._open: dict[_Id, _Open] = {}
        # Calls that are being decided, or wait for approval: the server has not seen them.
        self._deciding: dict[_Id, anyio.CancelScope] = {}
        # What the server said of its tools' arguments, by name.
        self._schemas: dict[str, Any] = {}
        self._reading = anyio.CancelScope()
        self._send, receive = anyio.create_memory_object_stream[_Item](0)
        self.incoming = Incoming(self, receive)
        self.outgoing = Outgoing(self, write)

    async def run(self) -> None:
        """From the client, until either side is gone. Then nobody waits for what is still being decided."""
        with self._reading:
            async with self._send, anyio.create_task_group() as deciding:
                with suppress(*_GONE):
                    async for item in self._read:
                        await self._received(item, getattr(self._read, "last_context", None), deciding)
                deciding.cancel_scope.cancel()

    async def stop(self) -> None:
        self._reading.cancel()
        await self._read.aclose()

    async def _received(self, item: Any, context: Context | None, deciding: TaskGroup) -> None:
        if isinstance(item, Exception):
            await self._send.send(_Item(context, item))
            return
        message = getattr(item.message, "root", item.message)
        method = getattr(message, "method", None)
        is_request = isinstance(message, self._types.JSONRPCRequest)
        if method == "tools/call":
            # Without an id there is nobody to answer, and no server runs a tool for it.
            if is_request:
                scope = anyio.CancelScope()
                # A second call under the same id must not be able to cancel the first one's waiting in its stead.
                self._deciding.setdefault(_key(message.id), scope)
                # In the sender's context, which the SDK keeps its verified token in.
                (context or copy_context()).run(deciding.start_soon, self._called, item, message, scope, context)
            return
        if is_request:
            self._track(message.id, None, item).lists |= method == "tools/list"
        if method == "notifications/cancelled":
            self._cancelled(message.params)
        await self._send.send(_Item(context, item))

    async def _called(self, item: Any, request: Any, scope: anyio.CancelScope, context: Context | None) -> None:
        """Decides a call, then passes it on or answers it."""
        params = request.params or {}
        name = params.get("name")
        answer: Permitted | Refused | None = None
        passed_on = False
        try:
            if not isinstance(name, str):
                error = self._types.ErrorData(code=_INVALID_PARAMS, message="Invalid params: no tool is named")
                await self._reply(self._types.JSONRPCError(jsonrpc="2.0", id=request.id, error=error))
                return
            with scope:
                answer = await self._enforcement.admit(name, params.get("arguments"), item, partial(self._schema, name))
                if isinstance(answer, Permitted):
                    passed_on = await self._passed_on(_Item(context, item), request.id, answer)
        finally:
            if self._deciding.get(_key(request.id)) is scope:
                del self._deciding[_key(request.id)]
        if scope.cancel_called and not passed_on:
            # The client gave up before the server saw the call.
            if (unanswered := getattr(item.metadata, "on_request_unanswered", None)) is not None:
                await unanswered()
        elif isinstance(answer, Refused):
            if "task" in params:
                error = self._types.ErrorData(**answer.error)
                await self._reply(self._types.JSONRPCError(jsonrpc="2.0", id=request.id, error=error))
                return
            result = answer.result
            if isinstance(meta := params.get("_meta"), dict) and _PROTOCOL_VERSION in meta:
                result = {**result, "resultType": "complete"}
            await self._reply(self._types.JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result))

    async def _passed_on(self, item: _Item, request: _Id, permit: Permitted) -> bool:
        """Gives the call to the server. One that the server never took costs nothing."""
        self._track(request, permit)
        sent = False
        try:
            with suppress(*_GONE):
                await self._send.send(item)
                sent = True
        finally:
            if not sent and not item.taken:
                item.withdrawn = True
                self._settled(request)
                await permit.not_run()
        return sent or item.taken

    async def answered(self, item: Any) -> Any:
        """To the client: the message as it may go on."""
        message = getattr(item.message, "root", item.message)
        is_error = isinstance(message, self._types.JSONRPCError)
        if not is_error and not isinstance(message, self._types.JSONRPCResponse):
            return item
        open_ = self._open.get(_key(message.id))
        if open_ is None:
            return item
        self._settled(message.id)
        if is_error:
            if open_.permit is not None:
                # Before the answer: a client that tries again at once finds its charge given back.
                await open_.permit.failed(ServerError.answered(message.error))
            return item
        tools = message.result.get("tools")
        if not open_.lists or not isinstance(tools, list):
            return item
        if not open_.reused:
            self._learn(tools)
        # Whoever used an id twice is nobody here.
        result = await self._visible(message.result, tools, open_)
        return replace(item, message=self._message(message.model_copy(update={"result": result})))

    def _learn(self, tools: list[Any]) -> None:
        """Keeps the input schemas of a page of the server's own list."""
        for tool in tools:
            if isinstance(tool, dict) and isinstance(name := tool.get("name"), str):
                if len(self._schemas) >= _SCHEMAS:
                    self._schemas.clear()
                self._schemas[name] = tool.get("inputSchema")

    async def _schema(self, tool: str) -> Any:
        return self._schemas.get(tool)

    async def _visible(self, result: dict[str, Any], tools: list[Any], open_: _Open) -> dict[str, Any]:
        """A list of tools as its caller may see it."""
        # What has no name cannot be called, and is left as it is.
        named = [tool for tool in tools if isinstance(tool, dict)]
        try:
            shown, by_caller = await self._enforcement.visible(
                named, open_.item, lambda tool: str(tool.get("name")), known=not open_.reused
            )
        except Exception:
            _logger.exception("a list of tools could not be judged")
            return {**result, "tools": []}
        kept = {id(tool) for tool in shown}
        scope = {"cacheScope": "private"} if by_caller and {"ttlMs", "cacheScope"} & result.keys() else {}
        visible = [tool for tool in tools if not isinstance(tool, dict) or id(tool) in kept]
        return {**result, "tools": visible, **scope}

    def _cancelled(self, params: Any) -> None:
        """The client gave up. What the server has begun stays charged, whatever it still answers."""
        request = params.get("requestId") if isinstance(params, dict) else None
        if not isinstance(request, int | str):
            return
        if (scope := self._deciding.get(_key(request))) is not None:
            scope.cancel()
        if (open_ := self._open.get(_key(request))) is not None:
            open_.permit = None

    def _track(self, request: _Id, permit: Permitted | None, item: Any = None) -> _Open:
        open_ = self._open.get(_key(request))
        if open_ is None:
            open_ = self._open[_key(request)] = _Open(permit, item=item)
        else:
            # A client that uses an id twice: no answer tells which request it belongs to, so none releases anything.
            open_.requests += 1
            open_.reused = True
            open_.permit = None
        return open_

    def _settled(self, request: _Id) -> None:
        """One request under this id has its answer, or never reached the server."""
        open_ = self._open[_key(request)]
        open_.requests -= 1
        if open_.requests == 0:
            del self._open[_key(request)]

    async def _reply(self, message: Any) -> None:
        with suppress(*_GONE):
            await self._write.send(self._session_message(self._message(message)))

    def _message(self, message: Any) -> Any:
        # 1.x wraps messages in a model; in 2.x the name stands for a union.
        wrapper = self._types.JSONRPCMessage
        return wrapper(message) if isinstance(wrapper, type) else message


def _key(request: _Id | None) -> Any:
    """The SDKs take an id and its digits for the same."""
    if isinstance(request, str):
        with suppress(ValueError):
            return int(request)
    return request
