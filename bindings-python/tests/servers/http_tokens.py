"""A guarded `fastmcp` server behind HTTP that knows two tokens. Its first line of output is its port."""

import socket

import callgate.fastmcp
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

POLICY = """
version: "1"
default: deny
tools:
  search: {limits: [{counter: searches, window: 7d, max: 1, scope: identity}]}
  admin: {require: [{path: identity.roles, op: contains, value: admin}]}
"""

tokens = {
    "token-of-alice": {"client_id": "app", "sub": "alice", "roles": ["admin"], "scopes": []},
    "token-of-bob": {"client_id": "app", "sub": "bob", "roles": [], "scopes": []},
}
server: FastMCP = FastMCP("tokens", auth=StaticTokenVerifier(tokens))


@server.tool
def search(query: str, identity: str | None = None) -> str:
    return f"found {query}"


@server.tool
def admin() -> str:
    return "done"


server.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_str(POLICY)))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
server.run("http", show_banner=False, sockets=[listener], log_level="error")
