"""The guard of a pair of message streams: what `callgate.mcp.guard_streams` puts between a connection and its server.

In: `SessionMessage`s of the SDK, 1.x or 2.x, in both directions. Out: what the relay makes of them. Must not judge a message itself: the relay
(`_native.Stream`) reads the text, and says what to send, whom to identify, what to decide, and what has ended. Must not let the reader of
one side wait for that of the other.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream

from callgate._asked import Judge, Who
from callgate._asking import without_ours
from callgate._calls import ServerError
from callgate._ending import Permitted
from callgate._enforcement import Enforcement
from callgate._refused import UNDECIDED
from callgate._stream_client import Questions, StreamClient
from callgate._timers import Timers
from callgate._wire import Wire, member, root

if TYPE_CHECKING:
    from callgate._native import StreamAsk, _Outcome, _StreamAsked, _StreamStep

_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)
# Bytes that wait for the server beyond which the client waits, or for decisions beyond which the server does. Each message counts for some
# more than its text. What the client sends beyond that of requests that wait for decisions, the relay refuses.
_WAITING = 32 << 20
_MESSAGE = 1 << 10

_logger = logging.getLogger("callgate")


@dataclass
class _Sent:
    """A message that came from either side, as long as a step may name it."""

    item: Any
    """The `SessionMessage`."""
    text: str
    context: Context | None
    """The sender's, where the guarded stream tells it (2.x)."""
    of_server: bool = False
    call: int | None = None
    """The first request that it is."""


@dataclass
class _Item:
    """A message on its way to the server."""

    message: Any
    context: Context | None
    size: int
    call: int | None = None
    withdrawn: bool = False
    """The server must not get it: its call ended before the server took it."""


@dataclass
class _Call:
    """A request that is identified or decided, until it has ended."""

    tag: int
    sent: _Sent
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    who: Who | None = None
    """Who makes it, as soon as that is known."""
    permit: Permitted | None = None
    request: Any = None
    """The id of the request that the server is to answer: that of the last round."""
    waits: _Item | None = None
    """What the server has not taken yet."""
    reached: bool = False
    """Whether the server took a message of it."""


@asynccontextmanager
async def guarded(read: Any, write: Any, enforcement: Enforcement) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """The two streams for the server. Leaving closes all four streams."""
    guard = _Guard(read, write, enforcement)
    async with anyio.create_task_group() as tasks:
        await tasks.start(guard.run)
        try:
            yield guard.incoming, guard.outgoing
        finally:
            await guard.incoming.aclose()
            await guard.outgoing.aclose()
            tasks.cancel_scope.cancel()
            await guard.over()


class Incoming(ObjectReceiveStream[Any]):
    """What the server reads. Closing it closes the stream that it guards."""

    def __init__(self, guard: _Guard, receive: MemoryObjectReceiveStream[_Item]) -> None:
        self._guard = guard
        self._receive = receive
        self.last_context: Context | None = None
        """The context in which the last message was sent, where the guarded stream tells it (2.x)."""

    async def receive(self) -> Any:
        while True:
            item = await self._receive.receive()
            self._guard.taken(item)
            if not item.withdrawn:
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
        await self._guard.from_server(item)

    async def aclose(self) -> None:
        await self._write.aclose()


class _Guard:
    def __init__(self, read: Any, write: Any, enforcement: Enforcement) -> None:
        self._wire = Wire()
        self._timers = Timers(self._woken)
        self._judge = Judge(enforcement, self._timers.reloaded)
        self._stream = self._judge.stream()
        self._read = read
        self._write = write
        self._sent: dict[int, _Sent] = {}
        self._tags = 0
        self._calls: dict[int, _Call] = {}
        self._tasks: TaskGroup | None = None
        self._reading = anyio.CancelScope()
        self._waiting = 0
        self._room = anyio.Event()
        self._questions = Questions(self._ask)
        self._send, receive = anyio.create_memory_object_stream[_Item](inf)
        self.incoming = Incoming(self, receive)
        self.outgoing = Outgoing(self, write)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """From the client, until either side is gone. Then nobody waits for what is still being decided."""
        try:
            with self._reading:
                async with anyio.create_task_group() as self._tasks:
                    self._tasks.start_soon(self._timers.run)
                    task_status.started()
                    with suppress(*_GONE):
                        async for item in self._read:
                            await self._from_client(item, getattr(self._read, "last_context", None))
                    self._tasks.cancel_scope.cancel()
        finally:
            self._tasks = None
            self._room.set()
            self._judge.over()
            self._send.close()
            # What the client still has an answer to may be told it all the same, but a call in flight has ended.
            for call in list(self._calls):
                await self._ended(call, "lost")

    async def stop(self) -> None:
        self._reading.cancel()
        await self._read.aclose()

    async def over(self) -> None:
        """Neither side is there any more."""
        await self._take(self._stream.client_closed())

    async def _from_client(self, item: Any, context: Context | None) -> None:
        if isinstance(item, Exception):
            self._put(_Item(item, context, _MESSAGE))
        elif not self._questions.takes(message := root(item)):
            if member(message, "method") == "initialize":
                self._questions.capabilities = (message.params or {}).get("capabilities")
            try:
                sent = _Sent(item, self._wire.text(_without_ours(message)), context)
            except Exception:
                _logger.exception("a message of the client has no text, and is not passed on")
                return
            await self._received(sent)
        while self._waiting > _WAITING:
            await self._more_room()

    async def from_server(self, item: Any) -> None:
        """Raises what the guarded stream does."""
        await self._received(_Sent(item, self._wire.text(item.message), None, of_server=True))
        while self._tasks is not None and self._stream.deciding_bytes > _WAITING:
            await self._more_room()

    async def _more_room(self) -> None:
        if self._room.is_set():
            self._room = anyio.Event()
        await self._room.wait()

    async def _received(self, sent: _Sent) -> None:
        self._tags += 1
        tag = self._tags
        self._sent[tag] = sent
        receive = self._stream.from_server if sent.of_server else self._stream.from_client
        await self._take(receive(sent.text, tag, self._timers.millis()), sent if sent.of_server else None)
        if sent.call is None:
            del self._sent[tag]

    async def _woken(self, reloaded: bool) -> None:
        """It is time for what waits, or another policy is in force."""
        if reloaded:
            await self._take(self._stream.reloaded())
            await self._judge.compare()
        await self._take(self._stream.wake(self._timers.millis()))

    async def _take(self, steps: Iterable[_StreamStep], answer: _Sent | None = None, mine: int | None = None) -> _StreamAsked | None:
        """Does what the relay says, but for what it asks of the call `mine`: returns that. `answer` is the message of the server that led to it."""
        mine_next: _StreamAsked | None = None
        left = list(steps)
        while left:
            now, left = left, []
            # Ends come first: a client that tries again at once finds its charge given back.
            for step in now:
                if step[0] == "finish":
                    await self._ended(step[1], step[2], answer)
                elif step[0] == "accepted":
                    self._forget(step[1])
            for step in now:
                if step[0] == "client":
                    await self._to_client(step[1], step[3], answer)
                elif step[0] == "server":
                    left += self._to_server(step[1], step[2], step[3])
                elif step[0] == "identify" or step[0] == "decide":
                    if step[1] == mine:
                        mine_next = step
                    else:
                        left += self._begin(step, answer)
                elif step[0] == "given_up":
                    await self._given_up(step[1])
                elif step[0] == "wake":
                    self._timers.at(step[1])
                elif step[0] == "note":
                    _logger.debug("%s: %s", step[1], step[2])
                    await self._judge.noted(step[1], step[2])
        return mine_next

    async def _to_client(self, tag: int, text: str, answer: _Sent | None) -> None:
        sent = self._sent.get(tag)
        metadata = sent.item.metadata if sent is not None and sent.of_server else None
        if sent is not None and not sent.of_server and sent.call is not None:
            # The guard answers the request itself.
            self._forget(sent.call)
        try:
            message = self._wire.message(text, metadata)
        except ValueError:
            _logger.debug("an answer without an id, which the SDK does not read")
            return
        # The server hears that the client is gone, nobody else does.
        with suppress(*(() if answer is not None else _GONE)):
            await self._write.send(message)

    def _to_server(self, tag: int, call: int | None, text: str) -> list[_StreamStep]:
        sent = self._sent.get(tag)
        context = metadata = None
        if sent is not None and not sent.of_server:
            context = sent.context
            if text == sent.text:
                metadata = sent.item.metadata
                if sent.call is not None and sent.call != call:
                    # It is not decided, or goes on with an earlier call.
                    self._forget(sent.call)
            else:
                metadata = self._wire.asking_for(sent.item.metadata)
        known = self._calls.get(call) if call is not None else None
        try:
            item = _Item(self._wire.message(text, metadata), context, len(text) + _MESSAGE, call)
        except ValueError:
            _logger.exception("a message is none to the SDK, and is not passed on")
            is_put = False
        else:
            is_put = self._put(item)
            if known is not None and sent is not None:
                known.waits, known.request = item, root(sent.item).id
        if is_put or known is None or known.reached or call is None:
            return []
        return self._stream.unsent(call)

    def _put(self, item: _Item) -> bool:
        """Whether the server may take it."""
        try:
            self._send.send_nowait(item)
        except _GONE:
            return False
        self._waiting += item.size
        return True

    def taken(self, item: _Item) -> None:
        """The server took it, or it was withdrawn."""
        self._waiting -= item.size
        self._room.set()
        call = self._calls.get(item.call) if item.call is not None else None
        if call is not None and call.waits is item:
            call.waits, call.reached = None, True

    def _begin(self, step: _StreamAsked, answer: _Sent | None) -> list[_StreamStep]:
        """Goes on with a request in a task of its own, in its sender's context, which the SDK keeps its verified token in."""
        call, tag = step[1], step[2]
        # What an answer asks for that was not decided itself is asked by the server's message.
        known, sent = self._calls.get(call), self._sent.get(tag) or answer
        if self._tasks is None or sent is None:
            return self._stream.refuse(call, UNDECIDED, self._timers.millis())
        if known is None:
            known = self._calls[call] = _Call(tag, sent)
            sent.call = call if sent.call is None else sent.call
        known.scope = anyio.CancelScope()
        (sent.context or copy_context()).run(self._tasks.start_soon, self._serve, step, known)
        return []

    async def _serve(self, step: _StreamAsked | None, known: _Call) -> None:
        """One request, until the relay asks nothing more about it."""
        with known.scope:
            while step is not None:
                try:
                    if step[0] == "identify":
                        steps = await self._identified(step[1], known)
                    else:
                        steps = await self._decided(step[1], step[3], known)
                except Exception:
                    _logger.exception("a request could not be decided")
                    steps = self._stream.refuse(step[1], UNDECIDED, self._timers.millis())
                self._room.set()
                step = await self._take(steps, mine=step[1])

    async def _identified(self, call: int, known: _Call) -> list[_StreamStep]:
        who = known.who = await self._judge.who(self._asked_by(known.sent))
        return self._stream.identified(who.engine, call, who.text, self._timers.millis())

    async def _decided(self, call: int, ask: StreamAsk, known: _Call) -> list[_StreamStep]:
        # What an answer asks for is asked for whom the request was.
        owner = known if known.who is not None else self._calls.get(known.sent.call or call, known)
        if owner.who is None:
            return self._stream.refuse(call, UNDECIDED, self._timers.millis())
        item = known.sent.item
        client = StreamClient(self._questions, root(item), ask.protocol) if ask.from_client else None
        found = await self._judge.decide(ask, item, owner.who, client)
        if isinstance(found, Permitted):
            known.permit = found
            return self._stream.decided(call, found.call.decision, self._timers.millis())
        if found.is_question:
            return self._stream.answer(call, json.dumps(found.result), self._timers.millis())
        data = None if found.meta is None else json.dumps(found.meta)
        return self._stream.deny(call, json.dumps(found.result), found.message, data, self._timers.millis())

    async def _ask(self, text: str, request: Any) -> None:
        """Gives the client a message of the guard's own, which belongs to a request."""
        await self._write.send(self._wire.message(text, self._wire.belongs_to(request)))

    def _asked_by(self, sent: _Sent) -> Any:
        """The message that says who calls: for a request of the server that belongs to a call, this call's."""
        related = getattr(sent.item.metadata, "related_request_id", None) if sent.of_server else None
        for known in self._calls.values() if related is not None else ():
            if not known.sent.of_server and str(root(known.sent.item).id) == str(related):
                return known.sent.item
        return sent.item

    async def _given_up(self, call: int) -> None:
        """Nobody waits for it, and no server has seen it."""
        if (known := self._forget(call)) is None:
            return
        known.scope.cancel()
        if (unanswered := getattr(known.sent.item.metadata, "on_request_unanswered", None)) is not None:
            await unanswered()

    async def _ended(self, call: int, outcome: _Outcome, answer: _Sent | None = None) -> None:
        if (known := self._forget(call)) is None or known.permit is None:
            return
        if known.waits is not None:
            known.waits.withdrawn = True
            if not known.reached:
                outcome = "not_run"
        message = None if answer is None else root(answer.item)
        if message is None or str(member(message, "id")) != str(known.request):
            # Nobody's answer, or another's.
            await known.permit.ended(outcome)
        elif outcome == "error" and (error := member(message, "error")) is not None:
            await known.permit.failed(ServerError.answered(error))
        else:
            await known.permit.ended(outcome, member(message, "result"))

    def _forget(self, call: int) -> _Call | None:
        known = self._calls.pop(call, None)
        if known is not None and known.sent.call == call:
            self._sent.pop(known.tag, None)
        return known


def _without_ours(message: Any) -> Any:
    """A message of the client as the server may see it: without an answer to the guard."""
    params = member(message, "params")
    if not isinstance(params, dict) or (rest := without_ours(params)) is params:
        return message
    return message.model_copy(update={"params": rest})
