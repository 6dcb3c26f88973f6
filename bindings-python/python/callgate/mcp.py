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
from typing import Any, TypeVar, cast

from callgate._calls import ApprovalRequest, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._enforcement import Enforcement, identity_of_request
from callgate._guarded import GUARDED, low_level, mark
from callgate._native import Engine

__all__ = ["ApprovalRequest", "ServerError", "ToolCall", "guard", "guard_streams"]

_Server = TypeVar("_Server")
_Read = TypeVar("_Read")
_Write = TypeVar("_Write")


def guard(
    server: _Server,
    engine: Engine,
    *,
    identity: IdentityOf | None = None,
    on_approval: OnApproval | None = None,
    refund_on_error: RefundOnError | None = None,
    check_args: bool = True,
    server_name: str | None = None,
) -> _Server:
    """Enforces the engine's policy on a server, and returns the server.

    `identity` tells who calls from the SDK's request context, at once or when awaited; without it, the verified access
    token does. It must not read what the client sets: arguments, `_meta`, client info, or a session id, which a client can
    drop. `on_approval` asks for approval with an `ApprovalRequest`, and is cancelled when nobody waits for the answer any
    more (clause 7.6); without it, such a call is answered with an error that names its approval key.

    A call that was passed on stays charged, whatever its result (clause 8.10): a client can cause an error after the tool
    ran. `refund_on_error` may say otherwise of one error, by returning `True`: it gets a `ToolCall` and a `ServerError`.
    It is not asked about error results, nor about a cancellation. What it raises is logged and gives nothing back.

    A server may read arguments otherwise than the rules do: it converts `"42"` to a number, parses text that is JSON, or takes
    `Amount` for `amount`. So arguments are checked first, where rules read them: against the tool's input schema, as the server
    itself defines it (clause 3.7), and for members that fold (clause 3.8). `check_args=False` switches both off.

    `server_name` is the name of the server, which policies read as `server` (clause 9.5). Under `list: callable`, `identity` is asked
    for lists of tools, too.

    Raises `TypeError` for an object that is not a server of the SDK, and `ValueError` for a server that is guarded already.
    """
    enforcement = Enforcement(engine, identity or _verified, on_approval, refund_on_error, _request, check_args, server_name)
    inner: Any = low_level(server)
    from mcp.server.lowlevel import Server

    if not isinstance(inner, Server):
        raise TypeError(f"cannot guard a {type(server).__name__}: it is not a server of the mcp package")
    if any(type(middleware).__module__ == "callgate.fastmcp" for middleware in getattr(server, "middleware", ())):
        raise ValueError(GUARDED)
    mark(inner)
    if hasattr(inner, "request_handlers"):
        from callgate import _mcp1

        _mcp1.guard(inner, enforcement)
    else:
        from callgate import _mcp2

        _mcp2.guard(inner, enforcement)
    return server


def guard_streams(
    read: _Read,
    write: _Write,
    engine: Engine,
    *,
    identity: IdentityOf | None = None,
    on_approval: OnApproval | None = None,
    refund_on_error: RefundOnError | None = None,
    check_args: bool = True,
    server_name: str | None = None,
) -> AbstractAsyncContextManager[tuple[_Read, _Write]]:
    """Enforces the engine's policy on a connection, whatever serves it: a gateway that passes messages on, say::

        async with stdio_server() as (read, write), guard_streams(read, write, engine) as (read, write):
            ...

    `read` and `write` are what a server transport of the SDK gives: streams of `SessionMessage` from and to the client. The
    result is another pair with the same protocol (async iteration, `receive`, `send`, `aclose`), for the server's side.
    Leaving the context closes all four.

    A call that the policy does not allow is answered, and never reaches the server; nor does one without an id, or one that
    names no tool. Hidden tools are left out of `tools/list`. No other message is altered or held up: calls are
    decided each in a task of its own. A call that the client cancels before it reached the server ends there.

    `identity` tells who calls from the call's `SessionMessage`, whose `metadata.request_context` is the HTTP request; without
    it, the verified access token does. `refund_on_error` is asked only about an id that the client uses for nothing else
    meanwhile. Input schemas are learnt from the server's own answers to `tools/list`, before anything is filtered: until a client
    has asked for the list, arguments are checked for members that fold only. Otherwise as `guard`.

    Raises `TypeError` for what is no `Engine`, and `ValueError` for streams that are guarded already.
    """
    from callgate._streams import Incoming, Outgoing, guarded

    if isinstance(read, Incoming) or isinstance(write, Outgoing):
        raise ValueError(GUARDED)
    enforcement = Enforcement(
        engine, identity or _verified_message, on_approval, refund_on_error, _request_of_message, check_args, server_name
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
