"""A server whose SDK converts arguments, guarded: which server, and `off` for a guard that checks no arguments.

Its tools have types of Python, from which the SDK makes the input schema; it reads arguments as these types.
"""

import sys
from typing import Any

import callgate

POLICY = """
version: "1"
default: deny
tools:
  charge: {limits: [{counter: charges, window: 7d, max: 1, scope: [args.account]}]}
  query: {deny_if: [{path: args.tables, op: contains, value: users}]}
  where: {require: [{path: args.where, op: exists, value: true}]}
  ran: {}
"""
ran: list[str] = []


def charge(account: int) -> str:
    ran.append(f"charge {account!r}")
    return "charged"


def query(tables: list[str]) -> str:
    ran.append(f"query {tables!r}")
    return "rows"


def where(where: dict[str, str] | None = None) -> str:
    ran.append(f"where {where!r}")
    return "rows"


def seen() -> str:
    """What the handlers got."""
    return "; ".join(ran)


kind, choice = sys.argv[1:]
engine = callgate.Engine.from_str(POLICY)
options: dict[str, Any] = {"check_args": choice != "off"}
server: Any
if kind == "fastmcp":
    import callgate.fastmcp
    from fastmcp import FastMCP

    server = FastMCP("converting")
    server.add_middleware(callgate.fastmcp.Guard(engine, **options))
else:
    from importlib import import_module

    import callgate.mcp

    made: Any = (
        import_module("mcp.server.fastmcp").FastMCP if kind == "mcp1" else import_module("mcp.server.mcpserver").MCPServer
    )
    server = made("converting")
    callgate.mcp.guard(server, engine, **options)
for tool in (charge, query, where):
    server.tool()(tool)
server.tool(name="ran")(seen)
server.run()
