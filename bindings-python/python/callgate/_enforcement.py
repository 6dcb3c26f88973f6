"""What the adapters share: a tool call between a client and a handler.

In: the call, and the SDK's context. Out: permission to run the handler, or the MCP result that says why not.
Must not take anything that the client sets for an identity, and must not run the handler when anything fails.
"""

from __future__ import annotations

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio

from callgate._callbacks import synchronous
from callgate._calls import ApprovalRequest, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._native import MCP_DENIED, ArgsCheck, Decision, Engine, Policy
from callgate._values import Approval
from callgate._waiting import Caller, Gone

# Shown to the agent when deciding itself failed (no detail: that is for the log), and to nobody, or a client that comes back.
GONE = "The client closed the connection while the call waited"
UNDECIDED = "The call could not be checked against the policy"
# Pages of a server's own list of tools that are read for one call.
_PAGES = 1_000
_logger = logging.getLogger("callgate")

_T = TypeVar("_T")

InputSchemaOf = Callable[[], Awaitable[Any]]
"""Gives a tool's input schema from the server's own definitions; `None` if it has none."""


@dataclass(frozen=True)
class Permitted:
    """The handler may run. Its charges stand, whatever the result (clause 8.10)."""

    call: ToolCall
    refund_on_error: RefundOnError | None

    async def not_run(self) -> None:
        """Takes the charges back: the call never reached its tool."""
        self.call.decision._observed_not_run()
        reservation = self.call.decision.reservation
        if reservation is None or not reservation.open:
            return
        try:
            # Also for a call that was cancelled: the store's own time-out bounds this.
            with anyio.CancelScope(shield=True):
                await reservation.finish_async("not_run")
        except Exception:
            _logger.exception("a reservation could not be finished")

    async def failed(self, error: ServerError) -> None:
        """The server ended the call with an error. A client can cause one after the tool ran, so the host alone can say
        that this one gives the charges back.
        """
        if self.refund_on_error is None or self.call.decision.reservation is None:
            # What a candidate charged stands, too: nobody decides about it.
            return
        try:
            refunds: object = self.refund_on_error(self.call, error)
        except Exception:
            _logger.exception("refund_on_error raised; the charges stand")
            return
        if refunds is True:
            await self.not_run()
        elif refunds is not False:
            _logger.error("refund_on_error answered with neither True nor False; the charges stand")


@dataclass(frozen=True)
class Refused:
    """The handler must not run; this is the answer (clause 10.6)."""

    result: dict[str, Any]
    """The tool's result."""
    message: str

    @classmethod
    def undecided(cls, message: str) -> Refused:
        """For a call that no policy denied."""
        return cls({"content": [{"type": "text", "text": message}], "isError": True}, message)

    @property
    def text(self) -> str:
        """What the result tells the agent."""
        return str(self.result["content"][0]["text"])

    @property
    def meta(self) -> dict[str, Any] | None:
        """The result's `_meta`."""
        return self.result.get("_meta")

    @property
    def error(self) -> dict[str, Any]:
        """The JSON-RPC error that answers a call which asked for a task: the result of a task is no tool's result."""
        error = {"code": MCP_DENIED, "message": self.message}
        return error if self.meta is None else {**error, "data": self.meta}


class Enforcement:
    """A policy in force on one server."""

    def __init__(
        self,
        engine: Engine,
        identity: IdentityOf,
        on_approval: OnApproval | None,
        refund_on_error: RefundOnError | None,
        request: Callable[[Any], Any],
        check_args: bool,
        server: str | None = None,
    ) -> None:
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be a callgate.Engine, not {type(engine).__name__}")
        for name, callback in (("identity", identity), ("on_approval", on_approval)):
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} must be callable, not {type(callback).__name__}")
        if server is not None and not isinstance(server, str):
            raise TypeError(f"server must be a str, not {type(server).__name__}")
        self.engine = engine
        self._server = server
        self._identity = identity
        # The HTTP request of an SDK's context.
        self._request = request
        self._check_args = check_args
        self._on_approval = on_approval
        self._refund_on_error = synchronous("refund_on_error", refund_on_error)

    async def admit(self, tool: str, args: Any, context: Any, schema: InputSchemaOf) -> Permitted | Refused:
        """Decides a call. Raises the caller's cancellation, and never an `Exception`: what fails refuses.

        `schema` gives the tool's input schema as its server defines it.
        """
        try:
            caller = Caller(self._request(context))
            identity = await _awaited(self._identity(context))
            decision = await self._decide(tool, args, identity, None, schema)
            if decision.effect == "require_approval" and self._on_approval is not None:
                request = ApprovalRequest(decision, tool, args, identity)
                answer = await caller.wait_for(partial(self._ask, request))
                key = decision.approval.key if decision.approval is not None else None
                if key is not None and (given := _approval_id(answer)) is not None:
                    # Decided again: the policy, a counter or the arguments may have changed meanwhile.
                    decision = await self._decide(tool, args, identity, Approval(key, given), schema)
            permitted = Permitted(ToolCall(decision, tool, args, identity), self._refund_on_error)
            try:
                await caller.check()
            except BaseException:
                await permitted.not_run()
                raise
        except Gone:
            return Refused.undecided(GONE)
        except Exception:
            _logger.exception("a call of %r could not be decided", tool)
            return Refused.undecided(UNDECIDED)
        result = decision.to_mcp_result()
        return permitted if result is None else Refused(result, str(decision.message))

    async def _decide(
        self, tool: str, args: Any, identity: Any, approved: Approval | None, schema: InputSchemaOf
    ) -> Decision:
        """Never interrupted, so that what was charged is known. The store's own time-out bounds it."""
        while True:
            policy = self.engine.policy
            check = await self._check(policy, tool, schema)
            with anyio.CancelScope(shield=True):
                decision = await self.engine.evaluate_async(tool, args, identity, approved, check, self._server)
            checked = check is not None or not self._check_args or decision.policy == policy.digest
            if checked or not decision.allowed:
                return decision
            # Another policy came into force meanwhile, and may read the arguments.
            await Permitted(ToolCall(decision, tool, args, identity), None).not_run()

    async def visible(
        self, tools: Iterable[_T], context: Any, name: Callable[[_T], str] | None = None, *, known: bool = True
    ) -> tuple[list[_T], bool]:
        """The tools that the caller may see (spec 10.9), and whether another caller may see others. `known` says that the context is
        the caller's.
        """
        policy = self.engine.policy
        by_caller = policy._lists_by_caller
        identity = await _awaited(self._identity(context)) if by_caller and known else None
        return policy.filter_tools(tools, identity, self._server, name=name), by_caller

    async def _ask(self, request: ApprovalRequest) -> Any:
        return None if self._on_approval is None else await _awaited(self._on_approval(request))

    async def _check(self, policy: Policy, tool: str, schema: InputSchemaOf) -> ArgsCheck | None:
        """What is checked before any rule, if the policy reads the arguments of the tool at all. Compiled for each such call: a
        server may change a definition in place.
        """
        if not self._check_args or not policy._reads_args(tool):
            return None
        try:
            definition = await schema()
        except Exception as error:
            raise RuntimeError("the server did not tell the tool's input schema") from error
        return ArgsCheck(definition if isinstance(definition, Mapping) else None)


async def listed_schema(tool: str, page: Callable[[str | None], Awaitable[Any]]) -> Any:
    """The input schema of a tool in a list that is read page by page, as plain JSON."""
    cursor = None
    for _ in range(_PAGES):
        listed = await page(cursor)
        for definition in listed.get("tools") or ():
            if definition.get("name") == tool:
                return definition.get("inputSchema")
        cursor = listed.get("nextCursor")
        if cursor is None:
            return None
    raise RuntimeError(f"a list of tools has more than {_PAGES} pages")


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


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def run(permitted: Permitted, handler: Callable[[], Awaitable[Any]]) -> Any:
    """Runs the handler. A cancellation is not an error of the server, so `refund_on_error` is not asked."""
    try:
        return await handler()
    except Exception as error:
        await permitted.failed(ServerError.raised(error))
        raise
