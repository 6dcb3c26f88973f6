"""Checks of the host's callbacks, when they are given: one that must not be async would drop what it was meant to do.

In: a callback. Out: the same, or `TypeError`. Must not call it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

_Callback = TypeVar("_Callback", bound=Callable[..., Any] | None)


def synchronous(name: str, callback: _Callback) -> _Callback:
    """The callback, which the caller will not await."""
    if callback is None:
        return callback
    if not callable(callback):
        raise TypeError(f"{name} must be callable, not {type(callback).__name__}")
    if _waits(callback):
        raise TypeError(f"{name} must not be async, nor a generator: it is called, and nothing more")
    return callback


def _waits(callback: Any) -> bool:
    while isinstance(callback, functools.partial):
        callback = callback.func
    # An object is called by its class's `__call__`.
    return any(
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
        for function in (callback, getattr(type(callback), "__call__", None))
    )
