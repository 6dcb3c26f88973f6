"""Metrics of a guarded server by OpenTelemetry: how many calls of each tool were decided how, and how they ended.

    pip install callgate "mcp>=2.3,<3" opentelemetry-sdk
    python metrics.py
"""

from pathlib import Path
from typing import Any

import callgate
import callgate.mcp
from mcp.server.mcpserver import MCPServer
from opentelemetry import metrics

server = MCPServer("ledger")
calls = metrics.get_meter("callgate").create_counter("callgate.calls", description="Calls that the policy decided")


def count(decision: callgate.Decision, result: Any) -> None:
    """Counts a call when it has ended. No argument and no caller is in it: they would make too many series."""
    rule = decision.rule
    calls.add(1, {
        # What no tool is called is the client's choice.
        "tool": decision.tool or "" if decision.code != "not_listed" else "",
        "code": decision.code,
        "outcome": result.outcome,
        "rule": "" if rule is None else rule.name or rule.pointer,
    })


@server.tool()
def balance() -> int:
    """What was charged, in cents."""
    return 0


callgate.mcp.guard(server, callgate.Engine.from_file(Path(__file__).with_name("policy.yaml")), on_result=count)

if __name__ == "__main__":
    server.run()
