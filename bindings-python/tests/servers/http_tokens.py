"""What the servers behind HTTP share: a policy, the tokens that they know, and a port of their own."""

from __future__ import annotations

import socket
from typing import Any

import callgate
import uvicorn

POLICY = """
version: "1"
default: deny
hide: [secret]
tools:
  search: {limits: [{counter: searches, window: 7d, max: 1, scope: identity}]}
  admin: {require: [{path: identity.roles, op: contains, value: admin}]}
"""
# All of one client: to the SDK, which knows no claims, they are one principal.
TOKENS: dict[str, dict[str, Any]] = {
    "token-of-alice": {"client_id": "app", "sub": "alice", "roles": ["admin"], "scopes": []},
    "lesser-token-of-alice": {"client_id": "app", "sub": "alice", "roles": [], "scopes": []},
    "token-of-bob": {"client_id": "app", "sub": "bob", "roles": [], "scopes": []},
}


def engine() -> callgate.Engine:
    return callgate.Engine.from_str(POLICY)


def search(query: str, identity: str | None = None) -> str:
    return f"found {query}"


def admin() -> str:
    return "done"


def secret() -> str:
    return "secret"


def listen() -> socket.socket:
    """Listens on a free port, which is told in the first line of output."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    return listener


def serve(app: Any) -> None:
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listen()])
