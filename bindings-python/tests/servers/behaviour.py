"""What the test servers do, and how they are guarded. Each runs one server class of one SDK over stdio."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import callgate

ran: list[str] = []
asked: list[str] = []
POLICY = Path(__file__).with_name("policy.yaml")


def engine() -> callgate.Engine:
    return callgate.Engine.from_file(POLICY)


def options() -> dict[str, Any]:
    """The guard's options, as the test asks for them."""
    chosen: dict[str, Any] = {}
    if answer := os.environ.get("ON_APPROVAL"):

        async def on_approval(request: Any) -> object:
            assert request.decision.approval.key.startswith("ak1:") and request.tool == "pay"
            if answer == "raise":
                raise RuntimeError("nobody there")
            return {"yes": "approval-1", "true": True, "no": None}[answer]

        chosen["on_approval"] = on_approval
    if name := os.environ.get("IDENTITY"):
        chosen["identity"] = lambda context: name
    if refund := os.environ.get("REFUND"):

        def refund_on_error(call: Any, error: Any) -> bool:
            assert call.tool == "fetch" and call.decision.allowed
            asked.append(f"refund {error.code}")
            return refund == "errors"

        chosen["refund_on_error"] = refund_on_error
    return chosen


def read(path: str) -> str:
    ran.append(f"read {path}")
    return f"content of {path}"


def search(query: str) -> str:
    ran.append("search")
    return "nothing"


def pay(amount: int) -> str:
    ran.append(f"pay {amount}")
    return f"paid {amount}"


def whoami() -> str:
    ran.append("whoami")
    return "somebody"


def secret() -> str:
    ran.append("secret")
    return "secret"


def drop() -> str:
    ran.append("drop")
    return "dropped"


def runs() -> str:
    """Which handlers ran, in order, and then what the host was asked."""
    return json.dumps(ran + asked)
