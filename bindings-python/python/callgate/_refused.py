"""What a call gets that may not run (clause 10.6).

In: a decision, or why there is none. Out: the tool's result, the JSON-RPC error, or what is raised in their stead. Must not tell an argument's
value, or the text of an exception.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from callgate._asking import Ask
from callgate._calls import NotApproved
from callgate._errors import Denied
from callgate._native import MCP_DENIED, Decision, _changed

# Shown to the agent when deciding itself failed (no detail: that is for the log), and to nobody, or a client that comes back.
GONE = "The client closed the connection while the call waited"
UNDECIDED = "The call could not be checked against the policy"


@dataclass(frozen=True)
class Refused:
    """The handler must not run; this is the answer (clause 10.6)."""

    result: dict[str, Any]
    """The tool's result."""
    message: str
    decision: Decision | None = None
    """`None` where nothing was decided."""

    @classmethod
    def decided(cls, decision: Decision, result: dict[str, Any], why: NotApproved | None) -> Refused:
        """For a call that the policy does not allow, and what a callback adds to it."""
        message = str(decision.message)
        if why is None:
            return cls(result, message, decision)
        message = f"{message}\n{why.text}"
        meta = {**result.get("_meta", {}), **why.meta}
        return cls({**result, "content": [{"type": "text", "text": message}], "_meta": meta}, message, decision)

    @classmethod
    def asking(cls, ask: Ask) -> Refused:
        """For a call whose client is to be asked: it makes the call again, with its answer (2026-07-28)."""
        requests = ask.question.requests()
        return cls({"resultType": "input_required", "inputRequests": requests, "requestState": ask.state}, ask.question.message)

    @classmethod
    def undecided(cls, message: str) -> Refused:
        """For a call that no policy denied."""
        return cls({"content": [{"type": "text", "text": message}], "isError": True}, message)

    @classmethod
    def changed(cls, tool: str) -> Refused:
        """For a call of a tool that is not as it was approved (G13.3)."""
        result, message = _changed(tool)
        return cls(json.loads(result), message)

    @property
    def is_question(self) -> bool:
        """Whether the answer is a round of the call, and no tool's result."""
        return self.result.get("resultType") == "input_required"

    @property
    def text(self) -> str:
        """What the result tells the agent."""
        return str(self.result["content"][0]["text"])

    @property
    def meta(self) -> dict[str, Any] | None:
        """The result's `_meta`."""
        return self.result.get("_meta")

    @property
    def error(self) -> dict[str, Any]:
        """The JSON-RPC error that answers a call which asked for a task: the result of a task is no tool's result."""
        error = {"code": MCP_DENIED, "message": self.message}
        return error if self.meta is None else {**error, "data": self.meta}


def raised(refused: Refused, error: type[Exception]) -> Exception | None:
    """The SDK's `error`, which is `Denied`, too; `None` where nothing was decided."""
    if refused.decision is None:
        return None
    made: Any = _raising(error)(refused.error)
    made.decision = refused.decision
    return made if isinstance(made, Exception) else None


# By the SDK's error.
_raised: dict[Any, Any] = {}


def _raising(error: Any) -> Any:
    """`Denied` that is the SDK's error, too: where nobody catches it, the client is told what 10.6 says."""

    def made(self: Any, told: dict[str, Any]) -> None:
        if error.__name__ == "McpError":
            # 1.x.
            error.__init__(self, import_module("mcp.types").ErrorData(**told))
        else:
            error.__init__(self, **told)

    if error not in _raised:
        _raised[error] = type("Denied", (Denied, error), {"__init__": made, "__module__": "callgate"})
    return _raised[error]
