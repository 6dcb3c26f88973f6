"""Enforcement with the official `mcp` SDK (1.30 and later, and 2.x), in one line::

    callgate.mcp.guard(server, engine)                                      # a server
    async with callgate.mcp.guard_streams(read, write, engine) as streams:  # a connection, for a gateway

In: a `FastMCP` or low-level `Server` (1.x), an `MCPServer` or low-level `Server` (2.x), or the streams of a connection. Out:
the same, with hidden tools left out of `tools/list`, and every call decided before the server runs it; everything else
passes through. Guard a server last, when its own middleware is in place, so that nothing changes a call after it was
decided.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, TypeVar, cast

from callgate._audit import Sink
from callgate._calls import ApprovalRequest, CallResult, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._ending import OnResult
from callgate._enforcement import Enforcement, EngineOf
from callgate._guarded import GUARDED, low_level, mark
from callgate._identities import identity_of_request
from callgate._locks import LockPath, OnDrift

__all__ = ["ApprovalRequest", "CallResult", "ServerError", "ToolCall", "guard", "guard_streams"]

_Server = TypeVar("_Server")
_Read = TypeVar("_Read")
_Write = TypeVar("_Write")


def guard(
    server: _Server,
    engine: EngineOf,
    *,
    identity: IdentityOf | None = None,
    on_approval: OnApproval | None = None,
    max_waiting: int = 100,
    refund_on_error: RefundOnError | None = None,
    on_result: OnResult | None = None,
    check_args: bool = True,
    unmatched: Literal["warn", "refuse"] = "warn",
    server_name: str | None = None,
    audit: Sink | None = None,
    denied: Literal["answer", "raise"] = "answer",
    lock: LockPath | None = None,
    on_drift: OnDrift = "hide",
) -> _Server:
    """Enforces the engine's policy on a server, and returns the server.

    `identity` tells who calls from the SDK's request context, at once or when awaited; without it, the verified access
    token does. It must not read what the client sets: arguments, `_meta`, client info, or a session id, which a client can
    drop. `on_approval` asks for approval with an `ApprovalRequest`, and is cancelled when nobody waits for the answer any
    more (clause 7.6); without it, such a call is answered with an error that names its approval key. Ready-made are
    `callgate.approve_by_elicitation()` and `callgate.approve_by_store()`. Meanwhile a client that asked for progress hears of it each second.
    Of one caller (the identity's `id`; all callers without one together) at most `max_waiting` calls wait; of another, nobody is asked.

    A call that was passed on stays charged, whatever its result (clause 8.10), but for what the policy gives back (clause 8.13): calls
    in flight, and charges with `refund`. A client can cause an error after the tool ran. `refund_on_error` may give all back for one
    error, by returning `True`: it gets a `ToolCall` and a `ServerError`. Arguments that the SDK itself refuses before the tool's function
    cost nothing. A task that was accepted has not ended, and nothing tells here
    when it does: its place in flight is free after the lease.
    It is not asked about error results, nor about a cancellation. What it raises is logged and gives nothing back.

    `on_result`, async or not, hears how each decided call ended before the answer goes out: it gets the decision and a `CallResult`,
    and may settle `decision.reservation`. So may the handler, by `callgate.current_reservation()`. What it raises is logged.

    A server may read arguments otherwise than the rules do: it converts `"42"` to a number, parses text that is JSON, or takes
    `Amount` for `amount`. So arguments are checked first, where rules read them: against the tool's input schema, as the server
    itself defines it (clause 3.7), and for members that fold (clause 3.8). `check_args=False` switches both off.

    `server_name` is the name of the server, which policies read as `server` (clause 9.5). Under `list: callable`, `identity` is asked
    for lists of tools, too. `engine` may be a function that tells the engine of a caller from the SDK's context, at once or when awaited.

    Names of the policy that no tool of the server has are warned of when it is first asked for its list, with the nearest tool.
    With `unmatched="refuse"`, every call is refused as long as there is one.

    `audit` is a file for records of what was decided, as `callgate proxy` writes them, or a function that gets each as a `dict`. Where
    OpenTelemetry has a current span, it gets `callgate.effect`, `callgate.code`, `callgate.tool` and `callgate.rule`.

    With `denied="raise"`, what is not allowed raises `callgate.Denied`, with the decision, for middleware of yours that stands around the
    guard. Where none catches it, the client gets a JSON-RPC error.

    `lock` is a file of definitions that somebody approved (`callgate scan --lock FILE --update`), read once, here; `server_name` names the
    server in it, where it holds several. A tool that is not as it was approved is not listed, and a call of it is refused with the code
    `definition_changed`, before any rule. With `on_drift="deny"` it is listed. What counts is what the server lists to this caller at the call.

    Raises `LockError` for a lock that cannot be used, and `OSError` for one that cannot be read.
    Raises `TypeError` for an object that is not a server of the SDK, and `ValueError` for a server that is guarded already.
    """
    enforcement = Enforcement(
        engine,
        identity,
        on_approval,
        refund_on_error,
        _request,
        check_args,
        server_name,
        max_waiting=max_waiting,
        on_result=on_result,
        unmatched=unmatched,
        audit=audit,
        denied=denied,
        lock=lock,
        on_drift=on_drift,
        verified=_verified,
    )
    inner: Any = low_level(server)
    from mcp.server.lowlevel import Server

    if not isinstance(inner, Server):
        raise TypeError(f"cannot guard a {type(server).__name__}: it is not a server of the mcp package")
    if any(type(middleware).__module__ == "callgate.fastmcp" for middleware in getattr(server, "middleware", ())):
        raise ValueError(GUARDED)
    mark(inner)
    if hasattr(inner, "request_handlers"):
        from callgate import _mcp1

        _mcp1.guard(inner, enforcement, server)
    else:
        from callgate import _mcp2

        _mcp2.guard(inner, enforcement, server)
    return server


def guard_streams(
    read: _Read,
    write: _Write,
    engine: EngineOf,
    *,
    identity: IdentityOf | None = None,
    on_approval: OnApproval | None = None,
    max_waiting: int = 100,
    refund_on_error: RefundOnError | None = None,
    on_result: OnResult | None = None,
    check_args: bool = True,
    unmatched: Literal["warn", "refuse"] = "warn",
    server_name: str | None = None,
    audit: Sink | None = None,
    lock: LockPath | None = None,
    on_drift: OnDrift = "hide",
) -> AbstractAsyncContextManager[tuple[_Read, _Write]]:
    """Enforces the engine's policy on a connection, whatever serves it: a gateway that passes messages on, say::

        async with stdio_server() as (read, write), guard_streams(read, write, engine) as (read, write):
            ...

    `read` and `write` are what a server transport of the SDK gives: streams of `SessionMessage` from and to the client. The
    result is another pair with the same protocol (async iteration, `receive`, `send`, `aclose`), for the server's side.
    Leaving the context closes all four.

    A call that the policy does not allow is answered, and never reaches the server; nor does one without an id, or one that
    names no tool. So it is with requests of other methods, of either side, where the policy has `requests`. Hidden tools are left out of
    `tools/list`. A request whose id is in flight is refused, and a message that two parsers could read as two. All else passes as it
    came, and nothing is held up: requests are decided each in a task of its own. A call that the client cancels before it reached the
    server ends there.

    The guard asks the server for its tools itself, before a client does, and takes the answer out. A call of a tool whose arguments rules
    read waits for that list; where the server does not give it, the call is refused.

    With a `lock` each call waits for that list. A client's own lists count, too: where one showed the caller another definition, no call of
    that tool runs until the caller sees the approved one.

    `identity` tells who sent a request from its `SessionMessage`, whose `metadata.request_context` is the HTTP request; without
    it, the verified access token does. It is asked for lists, too, and for a request of the server by the call that it belongs to.
    The guard is that of one connection: so are its ceilings, and rounds of calls. Otherwise as `guard`.

    Raises `TypeError` for what is no `Engine`, and `ValueError` for streams that are guarded already.
    """
    from callgate._streams import Incoming, Outgoing, guarded

    if isinstance(read, Incoming) or isinstance(write, Outgoing):
        raise ValueError(GUARDED)
    enforcement = Enforcement(
        engine,
        identity,
        on_approval,
        refund_on_error,
        _request_of_message,
        check_args,
        server_name,
        max_waiting=max_waiting,
        on_result=on_result,
        unmatched=unmatched,
        audit=audit,
        lock=lock,
        on_drift=on_drift,
        verified=_verified_message,
    )
    return cast("AbstractAsyncContextManager[tuple[_Read, _Write]]", guarded(read, write, enforcement))


def _request(context: Any) -> Any:
    return getattr(context, "request", None)


def _verified(context: Any) -> Any:
    return identity_of_request(_request(context))


def _request_of_message(message: Any) -> Any:
    return getattr(message.metadata, "request_context", None)


def _verified_message(message: Any) -> Any:
    return identity_of_request(_request_of_message(message))
