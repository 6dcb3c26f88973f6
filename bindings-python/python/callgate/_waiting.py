"""The caller of a call that is being decided: whether anybody still waits for the answer (clause 7.6).

In: the HTTP request that a call came with, if it came with one. Out: whether its client is still there. Must not end a call
whose answer goes elsewhere than to that request, as that of the older transport over SSE does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

# Seconds between two looks at the HTTP request. A person who approves takes longer.
_LOOK = 0.25


class Gone(Exception):
    """Nobody waits for the answer any more."""


class Caller:
    """Who waits for the answer to one call."""

    def __init__(self, request: Any) -> None:
        self._request = request if _is_answered(request) else None

    async def check(self) -> None:
        """Raises `Gone`, or the cancellation of the current task, also one that a callback swallowed."""
        await _raise_cancellation()
        if self._request is not None and await _is_disconnected(self._request):
            raise Gone

    async def wait_for(self, ask: Callable[[], Awaitable[Any]], beside: Callable[[], Coroutine[Any, Any, None]] | None = None) -> Any:
        """The answer of a callback, which is cancelled when the caller is gone. `beside` runs as long as it is waited for."""
        async with anyio.create_task_group() as tasks:
            if self._request is not None:
                tasks.start_soon(self._watch, tasks.cancel_scope)
            if beside is not None:
                tasks.start_soon(beside)
            answer = None
            answer = await ask()
            tasks.cancel_scope.cancel()
        await self.check()
        return answer

    async def _watch(self, waiting: anyio.CancelScope) -> None:
        while not await _is_disconnected(self._request):
            await anyio.sleep(_LOOK)
        waiting.cancel()


def _is_answered(request: Any) -> bool:
    """Whether the answer goes out as the response to this request. Clients of streamable HTTP say that they read one."""
    headers = getattr(request, "headers", None)
    if headers is None or not hasattr(request, "is_disconnected"):
        return False
    return "text/event-stream" in headers.get("accept", "") or "mcp-session-id" in headers


async def _is_disconnected(request: Any) -> bool:
    try:
        return bool(await request.is_disconnected())
    except RuntimeError:  # a request that the framework gave no channel to
        return False


async def _raise_cancellation() -> None:
    await checkpoint_if_cancelled()
    # `Task.cancel` is not a cancel scope. Python 3.10 does not remember it.
    if sys.version_info >= (3, 11):
        try:
            task = asyncio.current_task()
        except RuntimeError:  # another event loop than asyncio's
            return
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
