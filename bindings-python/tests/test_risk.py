"""Every case of `spec/risk`, and what hosts may pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import callgate
import pytest
from conftest import PROJECT


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    paths = sorted((PROJECT / "spec" / "risk").glob("*.json"))
    assert len(paths) >= 5
    for path in paths:
        for case in json.loads(path.read_text("utf-8"))["cases"]:
            yield f"{path.name}: {case['name']}", case


def differences(risk: callgate.ToolRisk, expected: dict[str, Any]) -> Iterator[str]:
    labels = set(risk["labels"])
    holds: dict[str, Callable[[Any], bool]] = {
        "class": lambda class_: risk["class"] == class_,
        "severity": lambda severity: risk["severity"] == severity,
        "labels": lambda all_: risk["labels"] == all_,
        "has": lambda some: labels >= set(some),
        "lacks": lambda some: not labels & set(some),
        "findings": lambda codes: [finding["code"] for finding in risk["findings"]] == codes,
        "least": lambda least: risk["confidence"] >= least,
        "most": lambda most: risk["confidence"] <= most,
        "reason": lambda wanted: any(
            (reason["direction"], reason["place"]) == (wanted["direction"], wanted["place"])
            and wanted["text"] in reason["text"]
            for reason in risk["reasons"]
        ),
    }
    for field, value in expected.items():
        if not holds[field](value):
            yield f"{risk['name']}: {field} {value!r}, not {risk}"


def test_every_case_holds() -> None:
    wrong: list[str] = []
    count = 0
    for name, case in cases():
        server = case.get("server", "server")
        for tool, class_ in case.get("classes", {}).items():
            definition = {"name": tool, "description": tool, "inputSchema": {"type": "object", "properties": {}}}
            (risk,) = callgate.classify_tools([definition], server=server)
            wrong += [f"{name}: {problem}" for problem in differences(risk, {"class": class_})]
            count += 1
        risks = callgate.classify_tools(
            case.get("tools", []),
            server=server,
            trusted=case.get("trusted", False),
            overrides=case.get("overrides", []),
        )
        by_name = {risk["name"]: risk for risk in reversed(risks)}
        for tool, expected in case.get("expect", {}).items():
            wrong += [f"{name}: {problem}" for problem in differences(by_name[tool], expected)]
            count += 1
    assert not wrong, "\n".join(wrong)
    assert count >= 200


def test_a_result_has_all_its_fields() -> None:
    tools = [{"name": "delete_repo", "description": "Deletes.", "annotations": {"readOnlyHint": True}}, 7]
    risk, none = callgate.classify_tools({"tools": tools}, server="code")
    assert set(risk) == {"server", "name", "class", "severity", "labels", "confidence", "reasons", "findings"}
    assert (risk["server"], risk["name"], risk["class"], risk["severity"]) == ("code", "delete_repo", "Destructive", "high")
    assert [finding["place"] for finding in risk["findings"]] == ["/annotations/readOnlyHint"]
    assert (none["name"], none["class"], none["severity"]) == ("", "Unknown", "high")


def test_models_of_an_sdk_are_read() -> None:
    def model_dump(*, mode: str, by_alias: bool, exclude_none: bool) -> dict[str, object]:
        assert (mode, by_alias, exclude_none) == ("json", True, True)
        return {"name": "delete_repo"}

    listed = SimpleNamespace(tools=[SimpleNamespace(model_dump=model_dump)])
    assert callgate.classify_tools(listed)[0]["class"] == "Destructive"


def test_hostile_definitions_are_read_like_others() -> None:
    deep: Any = {"type": "string"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep}}
    tools = [{"name": "delete_\ud800file", "inputSchema": deep}, {"name": "get_items"}]
    risk, other = callgate.classify_tools(tools)
    assert risk["name"] == "delete_\ufffdfile"
    assert risk["class"] in ("Destructive", "Unknown")
    assert other["class"] == "Read"


@pytest.mark.parametrize("tools", [None, "pay", {}, {"tools": "pay"}, [object()]])
def test_what_is_no_list_of_tools_is_an_error(tools: object) -> None:
    with pytest.raises(TypeError):
        callgate.classify_tools(tools)


@pytest.mark.parametrize(("class_", "reason"), [("Risky", "ours"), ("Read", " \n")])
def test_an_override_needs_a_class_and_a_reason(class_: Any, reason: str) -> None:
    with pytest.raises(ValueError, match="an override needs a"):
        callgate.classify_tools([], overrides=[{"tool": "pay", "class": class_, "reason": reason}])


def test_an_override_of_the_server_wins() -> None:
    overrides: list[callgate.RiskOverride] = [
        {"tool": "sync", "class": "Write", "reason": "of all"},
        {"server": "ours", "tool": "sync", "class": "Read", "reason": "it only compares"},
    ]
    for server, class_ in (("ours", "Read"), ("theirs", "Write")):
        (risk,) = callgate.classify_tools([{"name": "sync"}], server=server, overrides=overrides)
        assert (risk["class"], risk["confidence"]) == (class_, 100)


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="the list of tools"):
        callgate.classify_tools([{"name": "pay", "inputSchema": {"default": float("nan")}}])
