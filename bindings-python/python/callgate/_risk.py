"""Which class of risk each tool of a server has, from its definition alone (spec/risk.md).

In: what `tools/list` gives. Out: a dict for each tool. Decides nothing about calls, and nothing about risk: the native half does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from callgate._native import _classify_tools

RiskClass: TypeAlias = (
    Literal["Read"]
    | Literal["Write"]
    | Literal["Execute"]
    | Literal["Destructive"]
    | Literal["Financial"]
    | Literal["Unknown"]
)


class RiskReason(TypedDict):
    """One thing that was weighed. `place` is a JSON pointer into the definition; empty where no single place says it."""

    direction: Literal["for", "against"]
    text: str
    place: str


class RiskFinding(TypedDict):
    """Something odd about a definition, at its place."""

    code: Literal["contradicting_hint", "several_tools", "hidden_characters"]
    text: str
    place: str


ToolRisk = TypedDict(
    "ToolRisk",
    {
        "server": str,
        "name": str,
        "class": RiskClass,
        "severity": Literal["low", "medium", "high", "critical"],
        "labels": list[
            Literal["batch", "credentials", "identity_admin", "outbound", "private_data", "untrusted_input"]
        ],
        "confidence": int,
        "reasons": list[RiskReason],
        "findings": list[RiskFinding],
    },
)
"""What a tool was found to be. Fields are only added."""

_Override = TypedDict("_Override", {"tool": str, "class": RiskClass, "reason": str})


class RiskOverride(_Override, total=False):
    """A class that somebody gives a tool, with the reason; of one `server`, or of every one."""

    server: str


def classify_tools(
    tools: object, *, server: str = "", trusted: bool = False, overrides: Iterable[RiskOverride] = ()
) -> list[ToolRisk]:
    """Says which class of risk each tool of a server has, and why (spec/risk.md).

    `tools` is the result of `tools/list`, or its list of tools: dicts, or the objects of an SDK. Of a `trusted` server, descriptions and
    hints may lower a class, too. Raises `ValueError` where something is not JSON, or an override has no class or reason.
    """
    given = tools.get("tools") if isinstance(tools, Mapping) else getattr(tools, "tools", tools)
    if not isinstance(given, (list, tuple)):
        raise TypeError("tools is the result of tools/list, or its list of tools")
    text = json.dumps(given, ensure_ascii=False, default=_dumped)
    # Half of a surrogate pair is no text, and must not hide the tools beside it.
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    said = [(one.get("server"), one["tool"], one["class"], one["reason"]) for one in overrides]
    found: list[ToolRisk] = json.loads(_classify_tools(text, server, trusted, said))
    return found


def _dumped(value: Any) -> Any:
    """A model of an SDK as a dict."""
    if not hasattr(value, "model_dump"):
        raise TypeError(f"a tool is a dict or a model, not {type(value).__name__}")
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)
