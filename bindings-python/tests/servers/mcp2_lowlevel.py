"""The low-level `Server` of mcp 2.x."""

from typing import Any

import anyio
import behaviour
import callgate.mcp
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

TOOLS = ["read", "search", "pay", "whoami", "secret", "drop", "runs", "fetch"]


async def list_tools(_: Any, params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name=name, input_schema={"type": "object"}) for name in TOOLS])


async def call_tool(_: Any, params: types.CallToolRequestParams) -> Any:
    arguments = params.arguments or {}
    if params.name != "fetch":
        text = getattr(behaviour, params.name)(**arguments)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])
    mode = arguments["mode"]
    behaviour.ran.append(f"fetch {mode}")
    if mode == "error":
        # Returned, not raised: the SDK makes a JSON-RPC error of it all the same.
        return types.ErrorData(code=-32603, message="upstream failed")
    if mode == "timeout":
        raise MCPError(code=-32001, message="timed out")
    text = types.TextContent(type="text", text="fetched" if mode == "ok" else "upstream says no")
    return types.CallToolResult(content=[text], is_error=mode == "result")


async def main() -> None:
    server: Server[Any] = Server("test", on_list_tools=list_tools, on_call_tool=call_tool)
    callgate.mcp.guard(server, behaviour.engine(), **behaviour.options())
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


anyio.run(main)
