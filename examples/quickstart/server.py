from mcp.server.mcpserver import MCPServer

import callgate

server = MCPServer("payments")


@server.tool()
def create_charge(amount: int) -> str:
    """Charges an amount in cents."""
    return f"charged {amount}"


callgate.mcp.guard(server, callgate.Engine.from_file("policy.yaml", watch=True))
server.run()
