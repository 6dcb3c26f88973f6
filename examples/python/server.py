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
NO_SUCH_CHARGE = -32050
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
        raise ValueError("no such charge")  # counts against the limit, as every call that ran
    if charge >= len(ledger):
        raise MCPError(code=NO_SUCH_CHARGE, message="no such charge")
    return f"refunded {ledger.pop(charge)}"


@server.tool()
def reset_ledger() -> str:
    """Hidden by the policy."""
    ledger.clear()
    return "reset"


engine = callgate.Engine.from_file(Path(__file__).with_name("policy.yaml"), watch=True)
# Nothing was done where this error is raised, and nothing else raises it: it does not count.
callgate.mcp.guard(server, engine, refund_on_error=lambda call, error: error.code == NO_SUCH_CHARGE)

if __name__ == "__main__":
    server.run()
