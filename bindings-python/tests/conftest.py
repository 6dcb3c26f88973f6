"""What the tests share: where the project's cases are, policies of scenarios, and messages that tell a time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
CASES = PROJECT / "spec" / "cases"
POLICIES = PROJECT / "spec" / "policies"


def timeless(text: str) -> str:
    """A message, with S in place of the seconds until a limit has room: they pass while a test runs."""
    return re.sub(r"Try again in \d+ seconds?\.$", "Try again in S seconds.", text)


def policy_text(policy: Any) -> str:
    """A policy as a scenario has it: lines, or the document."""
    return "\n".join(policy) if isinstance(policy, list) else json.dumps(policy)
