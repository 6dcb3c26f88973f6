"""Which servers are guarded: a second guard of one server would charge each call twice.

In: a server of an SDK. Out: whether it has a guard, or the low-level server to put one in. Must not import an SDK that is not
installed.
"""

from __future__ import annotations

from typing import Any

GUARDED = "this server is guarded already: a second guard would charge each call twice"
# Set on the low-level server. Sets of objects would need every SDK's servers to be hashable.
_MARK = "_callgate_guarded"


def low_level(server: Any) -> Any:
    """The low-level server that a `FastMCP` or `MCPServer` is built around; any other as it is."""
    for name in ("_mcp_server", "_lowlevel_server"):
        server = getattr(server, name, server)
    return server


def is_guarded(server: Any) -> bool:
    """Whether `callgate.mcp.guard` was called with this server."""
    return getattr(low_level(server), _MARK, False) is True


def mark(server: Any) -> None:
    """Remembers that a low-level server is guarded. Raises `ValueError` if it was."""
    if is_guarded(server):
        raise ValueError(GUARDED)
    setattr(server, _MARK, True)
