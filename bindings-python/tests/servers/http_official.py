"""Guarded servers of the official SDK, 1.x or 2.x, behind HTTP: `high` or `low`, `stateful` or `stateless`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import callgate.mcp
import http_tokens
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.lowlevel import Server
from pydantic import AnyHttpUrl

SDK = int(version("mcp").split(".")[0])
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
level, mode = sys.argv[1:]
TOOLS = {tool.__name__: tool for tool in (http_tokens.search, http_tokens.admin, http_tokens.secret)}


class Verifier:
    async def verify_token(self, token: str) -> AccessToken | None:
        known = http_tokens.TOKENS.get(token)
        if known is None:
            return None
        return AccessToken(token=token, client_id=known["client_id"], scopes=[], claims=known)


settings: dict[str, Any] = {
    "token_verifier": Verifier(),
    "auth": AuthSettings(issuer_url=AnyHttpUrl("https://issuer.example"), resource_server_url=None),
}


def high_level() -> Any:
    if SDK == 1:
        fastmcp = import_module("mcp.server.fastmcp")
        server: Any = fastmcp.FastMCP("tokens", stateless_http=mode == "stateless", **settings)
    else:
        server = import_module("mcp.server.mcpserver").MCPServer("tokens", **settings)
    for tool in TOOLS.values():
        server.tool()(tool)
    callgate.mcp.guard(server, http_tokens.engine())
    return server.streamable_http_app(**({} if SDK == 1 else {"stateless_http": mode == "stateless"}))


async def list_tools(_: Any = None, params: Any = None) -> Any:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
    return types.ListToolsResult.model_validate({"tools": tools})


async def call_tool(_: Any, params: Any) -> Any:
    text = TOOLS[params.name](**params.arguments or {})
    return types.CallToolResult.model_validate({"content": [{"type": "text", "text": text}]})


def low_level() -> Any:
    if SDK > 1:
        options: dict[str, Any] = {"on_list_tools": list_tools, "on_call_tool": call_tool}
        modern: Any = callgate.mcp.guard(Server("tokens", **options), http_tokens.engine())
        return modern.streamable_http_app(stateless_http=mode == "stateless", **settings)
    server: Any = callgate.mcp.guard(Server("tokens"), http_tokens.engine())

    async def listing(request: Any) -> Any:
        return types.ServerResult(await list_tools())

    async def calling(request: Any) -> Any:
        return types.ServerResult(await call_tool(None, request.params))

    server.request_handlers.update({types.ListToolsRequest: listing, types.CallToolRequest: calling})
    return authenticated(server)


def authenticated(server: Any) -> Any:
    """What `FastMCP` (1.x) does for its low-level server, as a host that has none does it."""
    from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.routing import Mount

    manager = StreamableHTTPSessionManager(server, stateless=mode == "stateless")
    return Starlette(
        routes=[Mount("/", RequireAuthMiddleware(manager.handle_request, []))],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(Verifier())),
            Middleware(AuthContextMiddleware),
        ],
        lifespan=lambda app: manager.run(),
    )


http_tokens.serve(high_level() if level == "high" else low_level())
