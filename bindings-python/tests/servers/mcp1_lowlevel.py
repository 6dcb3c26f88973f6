"""The low-level `Server` of mcp 1.x, guarded before its handlers are registered."""

from typing import Any

import anyio
import behaviour
import callgate.mcp
import mcp.types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import McpError

TOOLS = ["read", "search", "pay", "whoami", "secret", "drop", "runs", "fetch"]
server: Server[Any, Any] = callgate.mcp.guard(Server("test"), behaviour.engine(), **behaviour.options())


@server.list_tools()
async def list_tools() -> list[types.Tool]:
    return [types.Tool(name=name, inputSchema={"type": "object"}) for name in TOOLS]


async def call_tool(request: types.CallToolRequest) -> types.ServerResult:
    arguments = request.params.arguments or {}
    if request.params.name != "fetch":
        text = getattr(behaviour, request.params.name)(**arguments)
        return types.ServerResult(types.CallToolResult(content=[types.TextContent(type="text", text=text)]))
    mode = arguments["mode"]
    behaviour.ran.append(f"fetch {mode}")
    if mode == "error":
        raise McpError(types.ErrorData(code=-32603, message="upstream failed"))
    if mode == "timeout":
        raise McpError(types.ErrorData(code=408, message="timed out"))
    content = types.TextContent(type="text", text="fetched" if mode == "ok" else "upstream says no")
    return types.ServerResult(types.CallToolResult(content=[content], isError=mode == "result"))


# The decorator `call_tool` makes an error result of every exception; a proxy registers its handler like this.
server.request_handlers.update({types.CallToolRequest: call_tool})


async def main() -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


anyio.run(main)
