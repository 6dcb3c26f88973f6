"""What the tests share: where the project's cases are."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CASES = PROJECT / "spec" / "cases"
POLICIES = PROJECT / "spec" / "policies"
