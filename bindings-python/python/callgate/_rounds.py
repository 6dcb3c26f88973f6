"""What went out to a client that is to come back with it: calls in several rounds (clause 8.16), and questions to a person.

In: a `requestState`, and the call that it was given for. Out: what was kept for it, once. Must not give it to another call or caller, and must
not hold more than its ceiling.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

# Seconds for which a client may stay away.
AWAY = 600.0
# What is kept at most. One more is not kept.
_KEPT = 10_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Round:
    """What a request of the generation of 2026-07-28 brings back."""

    state: str | None = None
    responses: Any = None
    """The client's answers, by the names of the questions."""

    @classmethod
    def of(cls, params: Any) -> Round:
        """Of a request's params, as they are on the wire."""
        state = params.get("requestState")
        return cls(state if isinstance(state, str) else None, params.get("inputResponses"))


def call_key(*parts: Any) -> bytes | None:
    """Tells calls apart by everything that they consist of; `None` where that is no JSON, so that none is the same."""
    try:
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return sha256(text.encode()).digest()


@dataclass(frozen=True)
class _Kept(Generic[_T]):
    value: _T
    until: float


class Rounds(Generic[_T]):
    """Values by state and call. A server may give one state to several calls alike: each is given back once, the oldest first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _KEPT) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[tuple[str, bytes], deque[_Kept[_T]]] = {}
        self._count = 0

    def keep(self, state: str, call: bytes, value: _T) -> bool:
        """Keeps a value for a while; false where there is no room."""
        if self._count >= self._most:
            return False
        self._kept.setdefault((state, call), deque()).append(_Kept(value, self._clock() + AWAY))
        self._count += 1
        return True

    def take(self, state: str, call: bytes) -> _T | None:
        """What is kept for just this call, if it did not stay away for too long."""
        waiting = self._kept.get((state, call))
        if waiting is None or waiting[0].until <= self._clock():
            return None
        return self._remove((state, call))

    def overdue(self) -> list[_T]:
        """Takes what nobody may come back with any more."""
        now = self._clock()
        gone = []
        # The oldest come first, but for a state that was given again: that one goes a little later.
        while self._kept and next(iter(self._kept.values()))[0].until <= now:
            gone.append(self._remove(next(iter(self._kept))))
        return gone

    def next_overdue(self) -> float | None:
        """In how many seconds something is overdue; `None` where nothing is kept."""
        if not self._kept:
            return None
        return max(0.0, next(iter(self._kept.values()))[0].until - self._clock())

    def all(self) -> list[_T]:
        """Everything that is kept."""
        return [kept.value for waiting in self._kept.values() for kept in waiting]

    def _remove(self, key: tuple[str, bytes]) -> _T:
        waiting = self._kept[key]
        kept = waiting.popleft()
        if not waiting:
            del self._kept[key]
        self._count -= 1
        return kept.value


class Alarm:
    """One timer for everything that is overdue. It rings on asyncio's event loop; another one's callers wait for the next call."""

    def __init__(self, ring: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ring = ring
        self._set: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None
        self._ringing: asyncio.Task[None] | None = None

    def set(self, seconds: float) -> None:
        """Rings then, unless it is set already."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._set is None or self._set[0] is not loop:
            # In nobody's context: it rings for the calls of all.
            self._set = loop, loop.call_later(seconds, self._rings, loop, context=Context())

    def _rings(self, loop: asyncio.AbstractEventLoop) -> None:
        self._set = None
        # The loop alone would not keep it.
        self._ringing = loop.create_task(self._ring())
