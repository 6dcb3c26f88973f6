"""A policy engine for MCP tool calls, decided in-process.

A policy, in YAML or JSON, says which tools may be called, with which arguments, how often, for whom, and which calls need
a human's approval::

    import callgate

    engine = callgate.Engine.from_file("policy.yaml")
    decision = engine.evaluate("create_charge", {"amount": 4200}, identity="alice")
    if not decision.allowed:
        raise PermissionError(decision.message)

Adapters enforce it on real servers in one line: `callgate.fastmcp` and `callgate.mcp`. Each is imported when it is first named,
so that no SDK is needed for anything else.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

import callgate._forking  # what a fork needs is registered there
from callgate._errors import (
    CallgateError,
    PolicyError,
    ReservationError,
    SettleError,
    StoreError,
    StoreURLError,
)
from callgate._native import (
    MCP_DENIED,
    ApprovalNeeded,
    ArgsCheck,
    AuditRecord,
    Check,
    CounterUse,
    Decision,
    Diagnostic,
    Engine,
    Explanation,
    LiveCounter,
    ManualClock,
    Policy,
    Reservation,
    Rule,
    Store,
    __version__,
    lint,
)
from callgate._values import Approval

if _TYPE_CHECKING:
    from callgate import fastmcp as fastmcp
    from callgate import mcp as mcp

__all__ = [
    "MCP_DENIED",
    "Approval",
    "ApprovalNeeded",
    "ArgsCheck",
    "AuditRecord",
    "CallgateError",
    "Check",
    "CounterUse",
    "Decision",
    "Diagnostic",
    "Engine",
    "Explanation",
    "LiveCounter",
    "ManualClock",
    "Policy",
    "PolicyError",
    "Reservation",
    "ReservationError",
    "Rule",
    "SettleError",
    "Store",
    "StoreError",
    "StoreURLError",
    "__version__",
    "lint",
]


def __getattr__(name: str) -> _Any:
    if name in ("fastmcp", "mcp"):
        return _import_module(f"callgate.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
