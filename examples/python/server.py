"""A guarded MCP server over stdio: the official SDK (2.x), and one line for the policy.

    pip install callgate "mcp>=2.3,<3"
    python server.py
"""

from pathlib import Path

import callgate
import callgate.mcp
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

server = MCPServer("ledger")
ledger: list[int] = []


@server.tool()
def balance() -> int:
    """What was charged, in cents."""
    return sum(ledger)


@server.tool()
def charge(amount: int) -> str:
    """Charges an amount in cents."""
    ledger.append(amount)
    return f"charged {amount}"


@server.tool()
def refund(charge: int) -> str:
    """Takes a charge back, by its number."""
    if charge < 0:
        raise ValueError("no such charge")  # an error result: counts against the limit
    if charge >= len(ledger):
        raise MCPError(code=-32602, message="no such charge")  # a JSON-RPC error: does not count
    return f"refunded {ledger.pop(charge)}"


@server.tool()
def reset_ledger() -> str:
    """Hidden by the policy."""
    ledger.clear()
    return "reset"


engine = callgate.Engine.from_file(Path(__file__).with_name("policy.yaml"), watch=True)
callgate.mcp.guard(server, engine)

if __name__ == "__main__":
    server.run()
