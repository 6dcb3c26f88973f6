"""Enforcement on servers of the `fastmcp` package (4.x), in one line::

    server.add_middleware(callgate.fastmcp.Guard(engine))

In: a `fastmcp` server. Out: the same, with hidden tools left out of `tools/list`, and every call decided before its tool
runs. Add it last, so that nothing changes a call after it was decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mcp_types
from fastmcp.exceptions import FastMCPError
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers.addressing import parse_hashed_backend_name
from fastmcp.tools.base import Tool, ToolResult

from callgate._calls import ApprovalRequest, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._enforcement import Enforcement, Refused, identity_of_token
from callgate._native import Engine

__all__ = ["ApprovalRequest", "Guard", "ServerError", "ToolCall"]


class Guard(Middleware):
    """Middleware that enforces a policy.

    `identity` tells who calls from the `MiddlewareContext`, at once or when awaited; without it, the verified access
    token does (`get_access_token`). It must not read what the client sets: arguments, `_meta`, client info, or a session
    id, which a client can drop. `on_approval` asks for approval with an `ApprovalRequest`; without it, such a call is
    answered with an error that names its approval key.

    A call that was passed on stays charged, whatever comes of it (clause 8.10), unless `refund_on_error` returns `True` for
    the JSON-RPC error that ended it. Exceptions of `fastmcp` are none: they become error results.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        identity: IdentityOf | None = None,
        on_approval: OnApproval | None = None,
        refund_on_error: RefundOnError | None = None,
    ) -> None:
        self._enforcement = Enforcement(engine, identity or _verified, on_approval, refund_on_error, _request)

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """Drops what the policy hides (spec 10.9)."""
        tools = await call_next(context)
        return self._enforcement.engine.filter_tools(tools, name=lambda tool: tool.name)

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Decides the call, and runs the tool if it is allowed."""
        call = context.message
        name = await _listed_name(context, call.name)
        answer = await self._enforcement.admit(name, call.arguments, context)
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


def _request(context: Any) -> Any:
    # `get_http_request` gives one that cannot be asked whether its client is still there.
    request_context = getattr(context.fastmcp_context, "request_context", None)
    return getattr(request_context, "request", None)


def _verified(_context: Any) -> Any:
    return identity_of_token(get_access_token())


async def _listed_name(context: MiddlewareContext[Any], name: str) -> str:
    """The name under which a tool is listed: an app's back-end tool can also be called by a hashed address."""
    address = parse_hashed_backend_name(name)
    server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
    if address is None or server is None or await server.get_tool(name) is not None:
        return name
    tool = await server.get_tool_by_hash(*address)
    return name if tool is None else tool.name
