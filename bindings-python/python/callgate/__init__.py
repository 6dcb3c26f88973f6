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
from callgate._calls import NotApproved
from callgate._client import Elicitation
from callgate._errors import (
    CallgateError,
    CannotAsk,
    Denied,
    LockError,
    PolicyError,
    ReservationError,
    SettleError,
    StackError,
    StoreError,
    StoreURLError,
)
from callgate._locks import definition_digests
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
from callgate._risk import RiskFinding, RiskOverride, RiskReason, ToolRisk, classify_tools
from callgate._values import Approval

if _TYPE_CHECKING:
    from callgate import fastmcp as fastmcp
    from callgate import mcp as mcp
    from callgate._approving import approve_by_elicitation as approve_by_elicitation
    from callgate._approving import approve_by_store as approve_by_store
    from callgate._ending import current_reservation as current_reservation

__all__ = [
    "MCP_DENIED",
    "Approval",
    "ApprovalNeeded",
    "ArgsCheck",
    "AuditRecord",
    "CallgateError",
    "CannotAsk",
    "Check",
    "CounterUse",
    "Decision",
    "Denied",
    "Diagnostic",
    "Elicitation",
    "Engine",
    "Explanation",
    "LiveCounter",
    "LockError",
    "ManualClock",
    "NotApproved",
    "Policy",
    "PolicyError",
    "Reservation",
    "ReservationError",
    "RiskFinding",
    "RiskOverride",
    "RiskReason",
    "Rule",
    "SettleError",
    "StackError",
    "Store",
    "StoreError",
    "StoreURLError",
    "ToolRisk",
    "__version__",
    "approve_by_elicitation",
    "approve_by_store",
    "classify_tools",
    "current_reservation",
    "definition_digests",
    "lint",
]


# What needs `anyio`, which every SDK brings.
_LATER = {
    "approve_by_elicitation": "callgate._approving",
    "approve_by_store": "callgate._approving",
    "current_reservation": "callgate._ending",
}


def __getattr__(name: str) -> _Any:
    if name in ("fastmcp", "mcp"):
        return _import_module(f"callgate.{name}")
    if (module := _LATER.get(name)) is not None:
        return getattr(_import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
