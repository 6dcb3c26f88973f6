"""Enforcement on servers of the official `mcp` SDK (1.30 and later, and 2.x), in one line::

    callgate.mcp.guard(server, engine)

In: a `FastMCP` or low-level `Server` (1.x), an `MCPServer` or low-level `Server` (2.x). Out: the same server, with hidden
tools left out of `tools/list`, and every call decided before its handler runs; everything else passes through. Guard a
server last, when its own middleware is in place, so that nothing changes a call after it was decided.
"""

from __future__ import annotations

from typing import Any, TypeVar

from callgate._enforcement import ApprovalRequest, Enforcement, IdentityOf, OnApproval, identity_of_token
from callgate._native import Engine

__all__ = ["ApprovalRequest", "guard"]

_Server = TypeVar("_Server")


def guard(
    server: _Server,
    engine: Engine,
    *,
    identity: IdentityOf | None = None,
    on_approval: OnApproval | None = None,
) -> _Server:
    """Enforces the engine's policy on a server, and returns the server.

    `identity` tells who calls from the SDK's request context, at once or when awaited; without it, the verified access
    token does (`get_access_token`). It must not read what the client sets: arguments, `_meta`, client info, or a
    session id, which a client can drop. `on_approval` asks for approval with an `ApprovalRequest`; without it, such a
    call is answered with an error that names its approval key.

    The charges of a call are taken back only if the server answers with a JSON-RPC error. An error result, a time-out
    or a cancellation keeps them.

    Raises `TypeError` for an object that is no server of the SDK.
    """
    enforcement = Enforcement(engine, identity or _verified, on_approval)
    # FastMCP (1.x) and MCPServer (2.x) are built around a low-level server.
    low_level: Any = server
    for name in ("_mcp_server", "_lowlevel_server"):
        low_level = getattr(server, name, low_level)
    from mcp.server.lowlevel import Server

    if not isinstance(low_level, Server):
        raise TypeError(f"cannot guard a {type(server).__name__}: it is no server of the mcp package")
    if hasattr(low_level, "request_handlers"):
        from callgate import _mcp1

        _mcp1.guard(low_level, enforcement)
    else:
        from callgate import _mcp2

        _mcp2.guard(low_level, enforcement)
    return server


def _verified(_context: Any) -> Any:
    from mcp.server.auth.middleware.auth_context import get_access_token

    return identity_of_token(get_access_token())
