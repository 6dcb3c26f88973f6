"""Every case of `spec/cases`, from raw JSON text and from Python values.

Writes the JSON of every decision to `$CALLGATE_DECISIONS`, to be compared with Rust's byte for byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import callgate
import pytest
from conftest import CASES, POLICIES

Form = Literal["raw", "value"]
START = "2026-11-21T10:00:00.000Z"


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def files(kind: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    paths = sorted((CASES / kind).glob("*.json"))
    assert paths, f"no cases in {CASES / kind}"
    for path in paths:
        yield path.name, json.loads(path.read_text("utf-8"))["cases"]


def policy_text(case: dict[str, Any]) -> str:
    if "policy_file" in case:
        path: Path = POLICIES / case["policy_file"]
        return path.read_text("utf-8")
    return "\n".join(case["policy"])


def policy_of(case: dict[str, Any]) -> callgate.Policy:
    if "layers" not in case:
        return callgate.Policy.from_str(policy_text(case))
    return stacked(case["layers"])


def stacked(layers: list[list[str]]) -> callgate.Policy:
    return callgate.Policy.stack([callgate.Policy.from_str("\n".join(lines)) for lines in layers])


class Runner:
    """One case in one form."""

    def __init__(self, case: dict[str, Any], form: Form, *, store: callgate.Store | None = None) -> None:
        self.case = case
        self.form: Form = form
        self.clock = callgate.ManualClock(seconds(START))
        self.engine = callgate.Engine(policy_of(case), clock=self.clock)
        if "candidate" in case:
            self.engine.observe(callgate.Policy.from_str("\n".join(case["candidate"])), store=store)
        self.decisions: list[callgate.Decision] = []

    def call(self, step: dict[str, Any], approved: callgate.Approval | None) -> callgate.Decision:
        explain = step.get("explain", False)
        identity = json.loads(step["identity"]) if "identity" in step else None
        if "identity" in step and identity is None:
            # JSON null is not absent, and Python has no other null: an identity of no valid type stands for it.
            identity = []
        check = callgate.ArgsCheck(**step["check"]) if "check" in step else None
        server = step.get("server")
        called, text = (step["tool"], "args") if "tool" in step else (step["method"], "params")
        if self.form == "raw" or "raw_only" in step:
            raw = (called, step.get(text, "{}"), identity, approved, check, server)
            if "method" in step:
                return self.engine.evaluate_request_json(*raw)
            return self.engine.explain_json(*raw).decision if explain else self.engine.evaluate_json(*raw)
        args = json.loads(step[text]) if text in step else None
        if text in step and args is None:
            args = NULL
        call = (called, args, identity, approved, check, server)
        if "method" in step:
            return self.engine.evaluate_request(*call)
        return self.engine.explain(*call).decision if explain else self.engine.evaluate(*call)

    def decide(self, step: dict[str, Any]) -> callgate.Decision:
        approve = step.get("approve")
        if approve is None:
            return self.call(step, None)
        if "key" in approve:
            key = approve["key"]
        elif "key_of" in approve:
            key = asked(self.decisions[approve["key_of"]])
        else:
            key = asked(self.call(step, None))
        given_at = seconds(approve["given_at"]) if "given_at" in approve else None
        return self.call(step, callgate.Approval(key, approve["id"], given_at))

    def finish(self, step: dict[str, Any], decision: callgate.Decision, *, again: bool) -> None:
        how = step["finish"]
        reservation = decision.reservation
        if again and (reservation is None or not reservation.open):
            return  # a second finish does nothing
        assert reservation is not None, "there is no reservation to finish"
        error = step.get("finish_error")
        try:
            if isinstance(how, str):
                reservation.finish(how)  # type: ignore[arg-type]  # an outcome, as data
            else:
                reservation.settle(how["settle"])
        except callgate.SettleError as refused:
            assert refused.code == error and reservation.open
        else:
            assert error is None and not reservation.open

    def see(self, seen: dict[str, Any]) -> None:
        identity = json.loads(seen["identity"]) if seen.get("identity") is not None else None
        server = seen.get("server")
        tools = [*seen["shown"], *seen["left_out"]]
        policy = self.engine.policy
        for tool in tools:
            shown = [of.visible(tool, identity, server) for of in (self.engine, policy)]
            assert shown == [tool in seen["shown"]] * 2, f"{seen}: {tool}"
        for of in (self.engine, policy):
            assert of.filter_tools(tools, identity, server) == seen["shown"], f"{seen}"

    def run(self) -> None:
        for seen in self.case.get("visible", []):
            self.see(seen)
        for index, step in enumerate(self.case["steps"]):
            if "at" in step:
                self.clock.set(seconds(step["at"]))
            if "reload" in step:
                text = step["reload"]
                is_stack = isinstance(text[0], list)
                self.engine.replace(stacked(text) if is_stack else callgate.Policy.from_str("\n".join(text)))
            if "finish_of" in step:
                self.finish(step, self.decisions[step["finish_of"]], again=True)
            decision = self.decide(step)
            for turn in range(1, step.get("repeat", 1)):
                assert decision.allowed, f"step {index}, turn {turn - 1}: {decision.to_json()}"
                decision = self.decide(step)
            where = f"step {index}: {decision.to_json()}"
            compare(step["expect"], {**decision.to_dict(), "mcp_result": mcp_result(decision, where)}, where)
            if "observed" in step and "candidate" in self.case:
                observed: Any = decision.observed()
                assert observed is not None, f"step {index}: nothing was observed"
                rule = observed["rule"] and observed["rule"]["pointer"]
                assert {**observed, "rule": rule} == step["observed"], f"step {index}: {observed}"
            self.decisions.append(decision)
            if "finish" in step and "finish_of" not in step:
                self.finish(step, decision, again=False)


# The JSON value null as arguments: a value of its own, while `None` is absent. No case can tell it from another value
# that is no object.
NULL = 0


def asked(decision: callgate.Decision) -> str:
    """The key of the call; where it needs none, any will do."""
    return decision.approval.key if decision.approval else "ak1:none"


def mcp_result(decision: callgate.Decision, where: str) -> dict[str, Any] | None:
    """The answer to an MCP client, whose `_meta` is what the library gives alone."""
    result = decision.to_mcp_result()
    assert (result is None) == decision.allowed, where
    assert (result or {}).get("_meta") == decision.to_mcp_meta(), where
    return result


def compare(expect: dict[str, Any], found: dict[str, Any], where: str) -> None:
    assert {"effect", "code"} <= expect.keys()
    rule = found["rule"] or {}
    for field, wanted in expect.items():
        match field:
            case "rule":
                assert rule.get("pointer") == wanted, where
            case "rule_name":
                assert rule.get("name") == wanted, where
            case "line":
                assert rule.get("line") == wanted, where
            case "layer":
                assert rule.get("layer") == wanted, where
            case "approval_rules":
                assert [rule["pointer"] for rule in found["approval"]["rules"]] == wanted, where
            case "approval":
                needed = found["approval"]
                told = {**needed, "approvers": [rule["approvers"] for rule in needed["rules"]]}
                assert {key: told[key] for key in wanted} == wanted, where
            case "counters":
                assert len(found["counters"]) == len(wanted), where
                for one, other in zip(found["counters"], wanted, strict=True):
                    assert {key: one[key] for key in other} == other, where
            case "effect" | "code" | "message" | "retry_after" | "tool" | "method" | "inner" | "mcp_result":
                assert found[field] == wanted, f"{field}: {where}"
            case _:
                pytest.fail(f"unknown expectation {field}")


@pytest.mark.parametrize("name", [name for name, _ in files("decisions")])
@pytest.mark.parametrize("form", ["raw", "value"])
def test_decisions(name: str, form: Form, decisions: list[str]) -> None:
    cases = dict(files("decisions"))[name]
    failures = []
    for case in cases:
        runner = Runner(case, form)
        try:
            runner.run()
        except AssertionError as error:
            failures.append(f"{case['name']}: {error}")
        for index, decision in enumerate(runner.decisions):
            row = {"file": name, "case": case["name"], "step": index, "form": form, "decision": decision.to_json()}
            decisions.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def decisions() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    if target := os.environ.get("CALLGATE_DECISIONS"):
        Path(target).write_text("".join(f"{row}\n" for row in rows), "utf-8")


@pytest.mark.parametrize("name", [name for name, _ in files("invalid")])
def test_invalid(name: str) -> None:
    failures = []
    for case in dict(files("invalid"))[name]:
        if "policy" in case:
            text = "\n".join(case["policy"])
        else:
            make = case["generate"]
            text = make.get("before", "") + make["repeat"] * make["times"] + make.get("after", "")
        try:
            found = callgate.Policy.from_str(text).warnings
        except callgate.PolicyError as error:
            found = error.diagnostics
        if not case.get("warnings", False):
            found = tuple(one for one in found if one.severity == "error")
        shown = [(one.code, one.line) for one in found]
        if len(found) != len(case["expect"]):
            failures.append(f"{case['name']}: {shown}")
            continue
        for one, expected in zip(found, case["expect"], strict=True):
            same = one.code == expected["code"] and all(
                expected[field] in (getattr(one, field) or "")
                if field in ("help", "message")
                else getattr(one, field) == expected[field]
                for field in expected.keys() - {"code"}
            )
            if not same:
                failures.append(f"{case['name']}: expected {expected}, found {one}")
    assert not failures, "\n".join(failures)
