"""A guarded server of the `fastmcp` package: what `guarded` is for the official SDK.

In: the tools of a scenario. Out: a server of fastmcp 4 behind `callgate.fastmcp`, and of 2 and 3 behind `callgate.mcp.guard`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import callgate
import callgate.mcp
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Prompt
from fastmcp.resources import TextResource
from fastmcp.server.dependencies import get_context
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from guarded import Inside, Tools, types
from line import Raw

MAJOR = int(version("fastmcp").split(".")[0])
base: Any = import_module("fastmcp.tools.tool" if MAJOR == 2 else "fastmcp.tools.base")


def fastmcp(tools: Tools, engine: callgate.Engine, options: dict[str, Any]) -> Any:
    async def inner(name: str, arguments: Raw) -> Any:
        return await (server._tool_manager if MAJOR == 2 else server).call_tool(name, arguments)

    class Scenario(base.Tool):  # type: ignore[misc]
        async def run(self, arguments: Raw) -> Any:
            context: Any = get_context()
            inside = Inside(getattr(context, "request_state", None), context.session, inner)
            found = await tools.run(self.name, arguments, inside)
            if MAJOR > 3 and isinstance(found, types.InputRequiredResult):
                return base.InputRequiredToolResult(found)
            if isinstance(found, base.ToolResult):
                return found
            if MAJOR < 4:
                if found.isError:
                    raise ToolError(found.content[0].text)
                return base.ToolResult(content=found.content, structured_content=found.structuredContent)
            return base.ToolResult(content=found.content, structured_content=found.structured_content, is_error=found.is_error)

    class Text(TextResource):
        async def read(self) -> Any:
            tools.got(str(self.uri))
            return await super().read()

    class Upstream(Middleware):
        """Stands behind the guard for tools that fail as none of this package's can: it makes error results of all that."""

        async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
            call = context.message
            if tools.tools[call.name].get("does") in ("protocol_error", "invalid_result"):
                return await tools.run(call.name, call.arguments or {}, Inside(None, None, inner))
            return await call_next(context)

    def prompt(name: str) -> Prompt:
        def render() -> str:
            return tools.got(name)

        return Prompt.from_function(render, name=name)

    # Seconds there, milliseconds on the wire.
    about: dict[str, Any] = {} if MAJOR == 2 else {"list_page_size": tools.page}
    if tools.cache:
        about |= {"cache_ttl": tools.cache["ttlMs"] // 1000, "cache_scope": tools.cache["cacheScope"]}
    server: Any = FastMCP("guarded", **about)

    added: list[str] = []

    def offer() -> None:
        remove = server.remove_tool if MAJOR < 3 else server.local_provider.remove_tool
        for name in added:
            remove(name)
        added[:] = [tool["name"] for tool in tools.listed()]
        for tool in tools.listed():
            server.add_tool(Scenario(name=tool["name"], parameters=tool["inputSchema"], output_schema=tool.get("outputSchema")))

    offer()
    tools.changed = offer
    for uri in tools.resources:
        server.add_resource(Text.model_validate({"uri": uri, "name": uri, "text": uri}))
    for name in tools.prompts:
        server.add_prompt(prompt(name))
    if MAJOR < 4:
        callgate.mcp.guard(server, engine, **options)
        return server
    adapter: Any = import_module("callgate.fastmcp")
    server.add_middleware(adapter.Guard(engine, **options))
    server.add_middleware(Upstream())
    return server
