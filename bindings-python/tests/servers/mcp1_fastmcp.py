"""`FastMCP` of mcp 1.x. Its tools can answer with one JSON-RPC error only: that a URL must be visited."""

import behaviour
import callgate.mcp
from mcp.server.fastmcp import FastMCP
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.types import ElicitRequestURLParams

server = FastMCP("test")


def fetch(mode: str) -> str:
    behaviour.ran.append(f"fetch {mode}")
    if mode == "error":
        visit = ElicitRequestURLParams(mode="url", message="sign in", url="https://example.com/", elicitationId="1")
        raise UrlElicitationRequiredError([visit])
    if mode in ("result", "timeout"):
        raise ValueError("upstream says no")
    return "fetched"


for tool in (behaviour.read, behaviour.search, behaviour.pay, behaviour.whoami, behaviour.secret, behaviour.drop,
             behaviour.runs, fetch):
    server.tool()(tool)

callgate.mcp.guard(server, behaviour.engine(), **behaviour.options())
server.run()
