"""Requests that the relay asks about: who makes them, and whether they may go on.

In: what the relay asks, and the message of the SDK that it is about. Out: an identity with its engine, and permission or a refusal. Must not
let through what could not be decided.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from callgate._audit import About
from callgate._calls import ToolCall
from callgate._ending import Permitted
from callgate._enforcement import Deciding, Enforcement, _awaited
from callgate._native import Decision, Engine, Stream, StreamAsk, Subscription
from callgate._refused import UNDECIDED, Refused
from callgate._rounds import Round, call_key
from callgate._stream_client import StreamClient
from callgate._values import Approval
from callgate._waiting import Caller
from callgate._wire import root

_logger = logging.getLogger("callgate")


@dataclass(frozen=True)
class Who:
    """Who makes a request, and who decides it."""

    identity: Any
    engine: Engine
    text: str | None
    """The identity as JSON, by which the relay tells callers apart."""


class Judge:
    """A policy in force on one connection, or one for each caller."""

    def __init__(self, enforcement: Enforcement, reloaded: Callable[[], object]) -> None:
        self._enforcement = enforcement
        self._reloaded = reloaded
        # By the engine's address, which the engine beside it keeps from being reused.
        self._engines: dict[int, tuple[Engine, Subscription | None]] = {}
        self._audit = enforcement._audit
        self._names: list[str] | None = None
        self._listed = anyio.Event()

    def stream(self) -> Stream:
        """A relay for the connection."""
        enforcement, engine = self._enforcement, self._enforcement._engine
        fixed = engine if isinstance(engine, Engine) else None
        if fixed is not None:
            self._meet(fixed)
        locked = enforcement._locked
        return Stream(
            fixed,
            server=enforcement._server,
            check_args=enforcement._check_args,
            lock=None if locked is None else locked.pins,
            on_drift="hide" if locked is None else locked.on_drift,
        )

    def over(self) -> None:
        """Policies that come into force are of no interest any more."""
        self._engines.clear()

    async def who(self, item: Any) -> Who:
        """Who sent a message. Raises what the host's callbacks do."""
        identity = await _awaited(self._enforcement._identity(item))
        engine = await self._enforcement.engine_of(item)
        self._meet(engine)
        return Who(identity, engine, None if identity is None else _text(identity))

    async def decide(self, ask: StreamAsk, item: Any, who: Who, client: StreamClient | None) -> Permitted | Refused:
        """Permission, or the refusal. Raises the caller's cancellation, and never an `Exception`."""
        enforcement, began = self._enforcement, time.perf_counter()
        name, args, http = ask.tool or ask.method, _arguments(ask, item), enforcement._request(item)

        def about() -> About:
            return About(ask.tool, ask.method, args, who.identity, http is not None, ask.protocol, json.loads(ask.request), began)

        try:
            caller, policy = Caller(http), who.engine.policy
            enforcement._callers.look(policy, who.identity, http is not None, client is not None and client.by_rounds)
            if enforcement._lists.refuses and not await enforcement._lists.compare(policy, self._known):
                _logger.error("a call of %r was refused: the policy has names that no tool of the server has", name)
                return Refused.undecided(UNDECIDED)
            return await enforcement.judge(
                Deciding(
                    call=lambda decision: ToolCall(decision, name, args, who.identity),
                    decide=partial(self._decided, ask, who),
                    caller=caller,
                    client=client,
                    round=Round() if client is None else client.round,
                    key=lambda: call_key(ask.method, name, args or {}, who.text, id(who.engine)),
                    beside={"context": item, "server": enforcement._server, "engine": who.engine},
                    permit=lambda call: Permitted(
                        call, enforcement._refund_on_error, enforcement._on_result, audit=enforcement._record(about)
                    ),
                    about=about,
                )
            )
        except Exception as error:
            return enforcement.failed(name, error, about())

    async def _decided(self, ask: StreamAsk, who: Who, approved: Approval | None) -> Decision:
        """Never interrupted, so that what was charged is known. The store's own time-out bounds it."""
        server, check = self._enforcement._server, ask.check if self._enforcement._check_args else None
        decide: Callable[..., Awaitable[Decision]] = who.engine.evaluate_json_async
        if ask.tool is None:
            decide = who.engine.evaluate_request_json_async
        deciding = decide(ask.tool or ask.method, ask.args or "{}", who.identity, approved, check, server)
        if who.engine._in_memory:
            # It is decided at once.
            return await deciding
        with anyio.CancelScope(shield=True):
            decision = await deciding
        return decision

    async def noted(self, what: str, about: Any) -> None:
        """What the relay says of itself."""
        if what == "listed" or what == "list_failed":
            if what == "listed":
                self._names, changed = about
                if self._enforcement._locked is not None:
                    self._enforcement._locked.warn(changed)
            self._listed.set()
            await self.compare()
        elif self._audit is not None and what == "list_filtered":
            self._audit.filtered(*about)
        elif self._audit is not None and what in ("unchecked", "definition_changed", "withdrawn"):
            request, tool = about
            self._audit.call(About(tool, "tools/call", None, None, request=json.loads(request)), None, refusal=what)

    async def compare(self) -> None:
        """Warns of names in the policies in force that the server does not have (`unmatched`)."""
        for engine, _ in list(self._engines.values()) if self._names is not None else ():
            await self._enforcement._lists.compare(engine.policy, self._known)

    async def _known(self) -> list[str]:
        await self._listed.wait()
        if self._names is None:
            raise RuntimeError("the server did not tell its tools")
        return self._names

    def _meet(self, engine: Engine) -> None:
        """Hears of each policy that comes into force. Other event loops than asyncio's are not told from a thread."""
        if id(engine) in self._engines:
            return
        try:
            heard = engine._subscribe(partial(_soon, asyncio.get_running_loop(), self._reloaded))
        except RuntimeError:
            self._engines[id(engine)] = engine, None
        else:
            self._engines[id(engine)] = engine, heard


def _arguments(ask: StreamAsk, item: Any) -> Any:
    """The arguments, or the params of another method."""
    if ask.tool is None:
        return json.loads(ask.args or "{}")
    return (root(item).params or {}).get("arguments")


def _plain(value: Any) -> Any:
    """What is no JSON, in a text by which identities are told apart."""
    return dict(value) if isinstance(value, Mapping) else str(value)


_text = json.JSONEncoder(sort_keys=True, allow_nan=False, default=_plain).encode


def _soon(loop: asyncio.AbstractEventLoop, tell: Callable[[], object]) -> None:
    """Called by any thread."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)
