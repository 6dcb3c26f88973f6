"""What the callbacks of an adapter get: a call as the host sees it, and its result.

In: what a guard knows of a call. Out: immutable values with types. Must not hold anything that the host could change for
the handler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callgate._client import Asking, Elicitation
from callgate._native import Decision, Engine

if TYPE_CHECKING:
    from callgate._native import _Outcome


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, and what was decided about it."""

    decision: Decision
    tool: str
    """Or the method, of a request of another one than `tools/call` (3.10)."""
    args: Any
    """The arguments as the handler gets them. They must not be changed."""
    identity: Any


@dataclass(frozen=True)
class ApprovalRequest(ToolCall):
    """A call that waits for somebody's approval.

    `decision.approval.key` binds to the exact call, `decision.message` says why it waits.
    """

    context: Any = None
    """What the SDK gives a handler, or `identity`: its context of the request, or the message where the guard is one of a connection."""
    server: str | None = None
    """The server's name, where the guard was told one."""
    engine: Engine | None = field(default=None, repr=False)
    """The engine that decided."""
    _asking: Asking = field(default_factory=lambda: Asking(None, ()), repr=False, compare=False)

    async def elicit(self, message: str, schema: Mapping[str, Any]) -> Elicitation:
        """Asks the calling client, and no other, by `elicitation/create`. `schema` is that of the form: an object of plain values.

        Raises `callgate.CannotAsk` where the client does not answer questions. Where the protocol has no questions meanwhile (2026-07-28),
        the client gets the question as the answer to its call, and makes the call again; then the callback is called anew, and finds what
        was answered. So it must ask the same in each round, and must not catch `BaseException` around this.
        """
        return await self._asking.elicit(message, schema)


@dataclass(frozen=True)
class NotApproved:
    """What a callback says of a call that is not approved, beside that it is not: for the agent to read, and for programs."""

    text: str
    """Comes behind the policy's message."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Comes into the `_meta` of the answer."""
    is_denied: bool = True
    """Whether somebody said no; else nobody has answered yet."""


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


@dataclass(frozen=True)
class CallResult:
    """How a call ended that a guard decided."""

    outcome: _Outcome
    """`not_run` of a call that was refused, too."""
    answer: Any = None
    """The SDK's result, or what a refused call is answered with. `None` where there is none."""
    error: ServerError | None = None
    """Where it ended with an error."""


IdentityOf = Callable[[Any], Any]
"""Tells who calls from the SDK's context, at once or when awaited."""

OnApproval = Callable[[ApprovalRequest], Any]
"""Asks for an approval, at once or when awaited: its own id (a string never used before), true, or a `callgate.Approval` of the call's key if
it was given, anything else if not."""

RefundOnError = Callable[[ToolCall, ServerError], bool]
"""Whether an error of the server gives the charges of the call back."""
