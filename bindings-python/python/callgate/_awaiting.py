"""`Engine.evaluate_async`: reads the arguments at once, and waits for the store on a worker thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from callgate._native import Decision

if TYPE_CHECKING:
    from callgate._native import Engine


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
    return await loop.run_in_executor(None, pending.decide)
