"""`Engine.evaluate_async`: reads the arguments at once, and waits for the store without blocking the event loop."""

from __future__ import annotations

import asyncio
import atexit
from functools import partial
from typing import TYPE_CHECKING

from callgate._native import Decision, _stop_handing_over

if TYPE_CHECKING:
    from callgate._native import Engine

# Answers come from a thread that Python did not make, and that must not wait for an interpreter that is going.
atexit.register(_stop_handing_over)


async def evaluate(
    engine: Engine,
    tool: str,
    args: object,
    identity: object,
    approved: tuple[str, str] | None,
) -> Decision:
    """Decides when awaited. A cancelled await may leave a charge standing, as any cancelled call does."""
    pending = engine._begin(tool, args, identity, approved)
    if isinstance(pending, Decision):
        return pending
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # Another event loop than asyncio's: there is no executor to borrow, and one store call is short.
        return pending.decide()
    answered: asyncio.Future[None] = loop.create_future()
    if pending.start(partial(_wake, loop, answered)):
        await answered
        return pending.decide()
    # A file can only be waited for.
    return await loop.run_in_executor(None, pending.decide)


def _wake(loop: asyncio.AbstractEventLoop, answered: asyncio.Future[None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(_set, answered)


def _set(answered: asyncio.Future[None]) -> None:
    if not answered.done():  # it is, if whoever waited was cancelled
        answered.set_result(None)
