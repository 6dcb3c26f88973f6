"""Calls inside of calls: the inner call of a dispatcher, which was decided with the outer one (clause 3.11).

In: an outer call that runs, and a call that a guard of the same engine sees meanwhile. Out: whether that is the inner one. Must not take another
call for it, nor the same one twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from callgate._calls import ToolCall
from callgate._native import Engine, Policy, _canonical
from callgate._rounds import call_key

_running: ContextVar[Inner | None] = ContextVar("callgate_inner", default=None)


@dataclass
class Inner:
    """The inner call of one that was allowed."""

    call: ToolCall
    """The outer one."""
    engine: Engine
    tool: str
    args: str
    """Canonical."""
    is_taken: bool = False


def inner_of(engine: Engine, policy: Policy, call: ToolCall) -> Inner | None:
    """The inner call that was decided with this one; `None` where there is none, or another policy came into force meanwhile."""
    if call.decision._inner is None or call.decision.policy != policy.digest:
        return None
    try:
        found = policy._inner_call(call.tool, json.dumps(call.args))
    except (TypeError, ValueError, RecursionError):
        return None
    return None if found is None else Inner(call, engine, *found)


@contextmanager
def around(inner: Inner | None) -> Iterator[None]:
    """What runs here may make that call. Without one, nothing of calls further out counts: another call is between."""
    token = _running.set(inner)
    try:
        yield
    finally:
        _running.reset(token)


def taken(engine: Engine, tool: str, args: Any, identity: Any) -> ToolCall | None:
    """The outer call with which this one was decided, once."""
    inner = _running.get()
    if inner is None or inner.is_taken or inner.engine is not engine or inner.tool != tool:
        return None
    try:
        same = _canonical(json.dumps(args or {})) == inner.args
    except (TypeError, ValueError, RecursionError):
        return None
    key = call_key(identity)
    if not same or key is None or key != call_key(inner.call.identity):
        return None
    inner.is_taken = True
    return inner.call
