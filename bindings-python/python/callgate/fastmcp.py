"""Enforcement on servers of the `fastmcp` package (4.x), in one line::

    server.add_middleware(callgate.fastmcp.Guard(engine))

In: a `fastmcp` server. Out: the same, with hidden tools left out of `tools/list`, and every call decided before its tool
runs. Add it last, so that nothing changes a call after it was decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    import mcp_types
    from fastmcp.exceptions import FastMCPError
    from fastmcp.server.dependencies import get_access_token
    from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
    from fastmcp.server.providers.addressing import parse_hashed_backend_name
    from fastmcp.tools.base import Tool, ToolResult
except ImportError as _error:
    try:
        _found = f"fastmcp {version('fastmcp')} is installed"
    except PackageNotFoundError:
        _found = "it is not installed"
    raise ImportError(
        f"callgate.fastmcp needs fastmcp 4 (4.1.2 or later), and {_found}; "
        "callgate.mcp.guard(server, engine) guards servers of fastmcp 2 and 3"
    ) from _error

from callgate._calls import ApprovalRequest, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._enforcement import Enforcement, Refused, identity_of_token
from callgate._guarded import GUARDED, is_guarded
from callgate._native import Engine

__all__ = ["ApprovalRequest", "Guard", "ServerError", "ToolCall"]


class Guard(Middleware):
    """Middleware that enforces a policy.

    `identity` tells who calls from the `MiddlewareContext`, at once or when awaited; without it, the verified access
    token does (`get_access_token`). It must not read what the client sets: arguments, `_meta`, client info, or a session
    id, which a client can drop. `on_approval` asks for approval with an `ApprovalRequest`; without it, such a call is
    answered with an error that names its approval key.

    A call that was passed on stays charged, whatever its result (clause 8.10), unless `refund_on_error` returns `True` for
    the JSON-RPC error that ended it. Exceptions of `fastmcp` are none: they become error results.

    Arguments are checked first, where rules read them: against the tool's own input schema, and for members that fold, as
    `callgate.mcp.guard` does. `check_args=False` switches that off.

    `server_name` is the name of the server, which policies read as `server` (clause 9.5). Under `list: callable`, `identity` is asked
    for lists of tools, too, and no list may be told to others by a cache.

    A refused call that asked for a task by `params.task` gets a tool's result, too: `fastmcp` does not read it, and answers such calls
    as others.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        identity: IdentityOf | None = None,
        on_approval: OnApproval | None = None,
        refund_on_error: RefundOnError | None = None,
        check_args: bool = True,
        server_name: str | None = None,
    ) -> None:
        self._enforcement = Enforcement(
            engine, identity or _verified, on_approval, refund_on_error, _request, check_args, server_name
        )

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """Drops what the caller may not see (spec 10.9)."""
        self._check_alone(context)
        tools = await call_next(context)
        visible, _ = await self._enforcement.visible(tools, context, lambda tool: tool.name)
        return visible

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Decides the call, and runs the tool if it is allowed."""
        self._check_alone(context)
        call = context.message
        name, tool = await _listed(context, call.name)

        async def schema() -> Any:
            return None if tool is None else tool.parameters

        answer = await self._enforcement.admit(name, call.arguments, context, schema)
        if isinstance(answer, Refused):
            content = [mcp_types.TextContent(type="text", text=answer.text)]
            return ToolResult(content=content, is_error=True, meta=answer.meta)
        try:
            return await call_next(context)
        except FastMCPError:
            # The server makes an error result of these.
            raise
        except Exception as error:
            await answer.failed(ServerError.raised(error))
            raise


    def _check_alone(self, context: MiddlewareContext[Any]) -> None:
        """Two guards would charge each call twice. `add_middleware` does not tell a middleware that it was added."""
        if context.fastmcp_context is None:
            return
        server = context.fastmcp_context.fastmcp
        if sum(isinstance(middleware, Guard) for middleware in server.middleware) > 1 or is_guarded(server):
            raise ValueError(GUARDED)


def _request(context: Any) -> Any:
    # `get_http_request` gives one that cannot be asked whether its client is still there.
    request_context = getattr(context.fastmcp_context, "request_context", None)
    return getattr(request_context, "request", None)


def _verified(_context: Any) -> Any:
    return identity_of_token(get_access_token())


async def _listed(context: MiddlewareContext[Any], name: str) -> tuple[str, Tool | None]:
    """The tool that is called, as the server has it, and the name under which it is listed: an app's back-end tool can also be
    called by a hashed address."""
    server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
    if server is None:
        return name, None
    address = parse_hashed_backend_name(name)
    tool = await server.get_tool(name)
    if address is None or tool is not None:
        return name, tool
    tool = await server.get_tool_by_hash(*address)
    return (name, None) if tool is None else (tool.name, tool)
