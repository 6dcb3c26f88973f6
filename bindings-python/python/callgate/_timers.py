"""When a connection's relay wants to be asked again.

In: times, and that another policy is in force, from any thread. Out: one call for what is due. Must not keep a task for each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic

import anyio


class Timers:
    """The times of one connection, in milliseconds."""

    def __init__(self, due: Callable[[bool], Awaitable[None]]) -> None:
        self._due = due
        self._times: set[int] = set()
        self._reloaded = False
        self._changed = anyio.Event()

    @staticmethod
    def millis() -> int:
        return int(monotonic() * 1000)

    def at(self, millis: int) -> None:
        """Asks to be called then."""
        self._times.add(millis)
        self._changed.set()

    def reloaded(self) -> None:
        """Another policy is in force. Called on the event loop's thread."""
        self._reloaded = True
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed = anyio.Event()
            with anyio.move_on_after(max(0.0, min(self._times, default=inf) / 1000 - monotonic())):
                await self._changed.wait()
            reloaded, self._reloaded = self._reloaded, False
            late = {time for time in self._times if time <= self.millis()}
            self._times -= late
            if reloaded or late:
                await self._due(reloaded)
