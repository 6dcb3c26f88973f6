"""What the callbacks of an adapter get: a call as the host sees it, and its result.

In: what a guard knows of a call. Out: immutable values with types. Must not hold anything that the host could change for
the handler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from callgate._native import Decision


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, and what was decided about it."""

    decision: Decision
    tool: str
    args: Any
    """The arguments as the handler gets them. They must not be changed."""
    identity: Any


@dataclass(frozen=True)
class ApprovalRequest(ToolCall):
    """A call that waits for somebody's approval.

    `decision.approval.key` binds to the exact call, `decision.message` says why it waits.
    """


@dataclass(frozen=True)
class ServerError:
    """The error with which a server ended a call: a JSON-RPC error, not a result with `isError`."""

    code: int | None
    """Of the JSON-RPC error; `None` where the handler raised an exception that names none."""
    message: str
    data: Any = None
    exception: Exception | None = None
    """What the handler raised, where the guard stands between it and the SDK."""

    @classmethod
    def raised(cls, exception: Exception) -> ServerError:
        """Of what a handler raised. The SDKs' own exceptions carry the JSON-RPC error."""
        data = getattr(exception, "error", None)
        if isinstance(getattr(data, "code", None), int):
            return cls.answered(data, exception)
        return cls(None, str(exception), None, exception)

    @classmethod
    def answered(cls, data: Any, exception: Exception | None = None) -> ServerError:
        """Of an `ErrorData` of the SDK."""
        return cls(data.code, str(data.message), data.data, exception)


IdentityOf = Callable[[Any], Any]
"""Tells who calls from the SDK's context, at once or when awaited."""

OnApproval = Callable[[ApprovalRequest], Any]
"""Asks for an approval, at once or when awaited: its own id (a string never used before) or true if it was given, anything
else if not."""

RefundOnError = Callable[[ToolCall, ServerError], bool]
"""Whether an error of the server gives the charges of the call back."""
