"""`fastmcp` 4.x. It makes error results of all that tools raise; a JSON-RPC error comes from a middleware further in."""

from typing import Any

import behaviour
import callgate.fastmcp
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp.shared.exceptions import MCPError

server: FastMCP = FastMCP("test")


def fetch(mode: str) -> str:
    behaviour.ran.append(f"fetch {mode}")
    if mode == "result":
        raise ValueError("upstream says no")
    return "fetched"


for tool in (behaviour.read, behaviour.search, behaviour.pay, behaviour.whoami, behaviour.secret, behaviour.drop,
             behaviour.runs, fetch):
    server.tool(tool)


class Upstream(Middleware):
    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        mode = (context.message.arguments or {}).get("mode")
        errors = {"error": (-32603, "upstream failed"), "timeout": (-32001, "timed out")}
        if context.message.name == "fetch" and mode in errors:
            behaviour.ran.append(f"fetch {mode}")
            code, message = errors[mode]
            raise MCPError(code=code, message=message)
        return await call_next(context)


server.add_middleware(callgate.fastmcp.Guard(behaviour.engine(), **behaviour.options()))
server.add_middleware(Upstream())
server.run(show_banner=False)
