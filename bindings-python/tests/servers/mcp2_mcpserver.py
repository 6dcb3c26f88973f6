"""`MCPServer` of mcp 2.x."""

import behaviour
import callgate.mcp
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

server = MCPServer("test")


def fetch(mode: str) -> str:
    behaviour.ran.append(f"fetch {mode}")
    if mode == "error":
        raise MCPError(code=-32603, message="upstream failed")
    if mode == "timeout":
        raise MCPError(code=-32001, message="timed out")
    if mode == "result":
        raise ValueError("upstream says no")
    return "fetched"


for tool in (behaviour.read, behaviour.search, behaviour.pay, behaviour.whoami, behaviour.secret, behaviour.drop,
             behaviour.runs, fetch):
    server.tool()(tool)

callgate.mcp.guard(server, behaviour.engine(), **behaviour.options())
server.run()
