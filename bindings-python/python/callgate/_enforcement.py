"""What the adapters share: a tool call between a client and a handler.

In: the call, and whatever context the SDK has of it. Out: leave to run the handler, or the MCP result that says why not.
Must not take anything that the client sets for an identity, and must not run the handler when anything fails.
"""

from __future__ import annotations

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from callgate._native import Decision, Engine, Reservation
from callgate._values import Approval

IdentityOf = Callable[[Any], Any]
"""Tells who calls from the SDK's context, at once or when awaited."""


@dataclass(frozen=True)
class ApprovalRequest:
    """A call that waits for somebody's approval."""

    decision: Decision
    """`decision.approval_key` binds to the exact call, `decision.message` says why it waits."""
    tool: str
    args: Any
    """The arguments as the handler will get them. They must not be changed."""
    identity: Any


OnApproval = Callable[[ApprovalRequest], Any]
"""Asks for an approval, at once or when awaited: its own id (a string never used before) or true if it was given, anything
else if not."""

# Shown to the agent when deciding itself failed. No detail: that is for the log.
UNDECIDED = "The call could not be checked against the policy"
APPROVAL_KEY = "callgate/approval_key"
_logger = logging.getLogger("callgate")

# Error codes by which the SDKs report what happened between them and a server further on; nobody answered there. 408 is
# what `mcp` 1.x uses for a time-out, -32001 what 2.x does. A closed connection shares -32000 with servers' own errors.
_TIMEOUTS = frozenset({408, -32001})
_CLOSED = -32000


@dataclass(frozen=True)
class Permitted:
    """The handler may run."""

    reservation: Reservation | None

    async def release(self) -> None:
        """Takes the charges back: the server answered with a JSON-RPC error."""
        if self.reservation is None or not self.reservation.open:
            return
        try:
            await self.reservation.release_async()
        except Exception:
            _logger.exception("a reservation could not be released")

    async def raised(self, error: Exception) -> None:
        """Takes the charges back if the server answers what the handler raised with a JSON-RPC error of its own.

        A time-out or a lost connection keeps them: the call may have been carried out. So does a cancellation, which
        is no `Exception`.
        """
        if not _is_unanswered(error):
            await self.release()

    async def answered(self, error: Any) -> None:
        """`raised` for an `ErrorData` that came from the server."""
        if not _tells_of_no_answer(error):
            await self.release()


@dataclass(frozen=True)
class Refused:
    """The handler must not run; this is the result."""

    result: dict[str, Any]

    @property
    def text(self) -> str:
        """What to tell the agent."""
        return str(self.result["content"][0]["text"])

    @property
    def meta(self) -> dict[str, Any] | None:
        """The result's `_meta`."""
        return self.result.get("_meta")


class Enforcement:
    """A policy in force on one server."""

    def __init__(
        self,
        engine: Engine,
        identity: IdentityOf,
        on_approval: OnApproval | None,
    ) -> None:
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be a callgate.Engine, not {type(engine).__name__}")
        self.engine = engine
        self._identity = identity
        self._on_approval = on_approval

    async def admit(self, tool: str, args: Any, context: Any) -> Permitted | Refused:
        """Decides a call. Never raises an `Exception`: what fails refuses."""
        try:
            identity = await _awaited(self._identity(context))
            decision = await self.engine.evaluate_async(tool, args, identity)
            if decision.effect == "require_approval" and self._on_approval is not None:
                request = ApprovalRequest(decision, tool, args, identity)
                answer = await _awaited(self._on_approval(request))
                key = decision.approval_key
                if key is not None and (given := _approval_id(answer)) is not None:
                    approved = Approval(key, given)
                    # Decided again: the policy, a counter or the arguments may have changed meanwhile.
                    decision = await self.engine.evaluate_async(tool, args, identity, approved)
        except Exception:
            _logger.exception("a call of %r could not be decided", tool)
            return Refused({"content": [{"type": "text", "text": UNDECIDED}], "isError": True})
        result = decision.to_mcp_result()
        if result is None:
            return Permitted(decision.reservation)
        if decision.approval_key is not None:
            result["content"][0]["text"] += f"\nApproval key: {decision.approval_key}"
            result["_meta"] = {APPROVAL_KEY: decision.approval_key}
        return Refused(result)


def identity_of_request(request: Any) -> dict[str, Any] | None:
    """The identity that an HTTP request's verified token stands for; over another transport, the current context's.

    The request comes first: 1.x of the SDK handles all messages of a session in the context of the one that opened it.
    """
    from mcp.server.auth.middleware.auth_context import get_access_token
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

    user = (getattr(request, "scope", None) or {}).get("user")
    return identity_of_token(user.access_token if isinstance(user, AuthenticatedUser) else get_access_token())


def identity_of_token(token: Any) -> dict[str, Any] | None:
    """The identity that a verified access token stands for; absent without one.

    Its claims, with `id` (the subject, else the client), `client_id` and `scopes` from the token itself.
    """
    if token is None:
        return None
    claims = getattr(token, "claims", None) or {}
    subject = getattr(token, "subject", None) or claims.get("sub")
    return {
        **claims,
        "id": subject or token.client_id,
        "client_id": token.client_id,
        "scopes": list(token.scopes or ()),
    }


def _approval_id(answer: Any) -> str | None:
    if answer is True:
        return str(uuid.uuid4())
    return answer if isinstance(answer, str) and answer else None


def _is_unanswered(error: Exception) -> bool:
    if isinstance(error, OSError):  # TimeoutError and ConnectionError are some
        return True
    if type(error).__module__.split(".")[0] == "anyio":  # ClosedResourceError, BrokenResourceError, EndOfStream
        return True
    return _tells_of_no_answer(getattr(error, "error", None))


def _tells_of_no_answer(data: Any) -> bool:
    code, message = getattr(data, "code", None), getattr(data, "message", None)
    # The TypeScript SDK puts its code before the words.
    return code in _TIMEOUTS or (code == _CLOSED and str(message).endswith("Connection closed"))


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def run(permitted: Permitted, handler: Callable[[], Awaitable[Any]]) -> Any:
    """Runs the handler, and takes the charges back if what it raises becomes a JSON-RPC error."""
    try:
        return await handler()
    except Exception as error:
        await permitted.raised(error)
        raise
