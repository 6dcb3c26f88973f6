"""What is awaited: decisions, whose arguments are read at once, explanations, and the ends of a reservation. None blocks the event
loop while the store is asked.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from callgate._native import Decision, _stop_handing_over

if TYPE_CHECKING:
    from callgate._native import Engine, Explanation, Reservation

_T = TypeVar("_T")

# Answers come from a thread that Python did not make, and that must not wait for an interpreter that is going.
atexit.register(_stop_handing_over)


async def evaluate(engine: Engine, form: str, *call: Any) -> Decision:
    """Decides when awaited, as the method `form` does. A cancelled await may leave a charge standing, as any cancelled call does."""
    pending = engine._begin(form, *call)
    if isinstance(pending, Decision):
        return pending
    decision: Decision = await _wait(pending.start, pending.decide)
    return decision


async def explain(engine: Engine, method: str, *call: object) -> Explanation:
    """Explains when awaited, by the method of that name: at once, or on a thread where the store is waited for."""
    ask: Callable[[], Explanation] = partial(getattr(engine, method), *call)
    return ask() if engine._in_memory else await _wait(lambda wake: False, ask)


async def end(reservation: Reservation, outcome: str | None, actual: object) -> None:
    """Finishes it with `outcome`, or settles it to `actual`, when awaited."""
    finishing = reservation._end(outcome, actual)
    await _wait(finishing.start, finishing.finish)


async def _wait(start: Callable[[Callable[[], None]], bool], end: Callable[[], _T]) -> _T:
    """`end`, which asks the store and waits unless `start` has asked it without."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # Another event loop than asyncio's: there is no executor to borrow, and one store call is short.
        return end()
    answered: asyncio.Future[None] = loop.create_future()
    if start(partial(_wake, loop, answered)):
        await answered
        return end()
    # The store has no face that does not block, or no thread could be made for it.
    return await loop.run_in_executor(None, end)


def _wake(loop: asyncio.AbstractEventLoop, answered: asyncio.Future[None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(_set, answered)


def _set(answered: asyncio.Future[None]) -> None:
    if not answered.done():  # it is done if the waiting task was cancelled
        answered.set_result(None)
