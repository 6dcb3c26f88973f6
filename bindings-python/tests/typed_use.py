"""Uses of the package as a type checker sees them; `mypy --strict` must accept this file and find what is marked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal, assert_type

import callgate


def audit(record: callgate.AuditRecord) -> None:
    assert_type(record.keys, tuple[str, ...])


engine = callgate.Engine.from_file(Path("policy.yaml"), watch=2.5, store="memory", on_decision=audit)
both: callgate.Policy = callgate.Policy.stack([engine.policy, callgate.Policy.from_file(["base.yaml", Path("team.yaml")])])
names: tuple[str | None, ...] = both.layers
decision = engine.evaluate("tool", {"a": [1, 2.0, None]}, identity={"id": "alice"})
assert_type(decision.effect, Literal["allow", "deny", "require_approval"])
assert_type(decision.message, str | None)
if decision.code == "limit_exceeded":
    assert_type(decision.retry_after, int | None)
assert decision.code != "no_such_code"  # type: ignore[comparison-overlap]
for counter in decision.counters:
    assert_type(counter.used, Decimal)
assert_type(engine.filter_tools(["a", "b"]), list[str])
assert_type(engine.filter_tools(["a", "b"], {"id": "alice"}), list[str])
assert_type(callgate.lint("default: deny", []), tuple[callgate.Diagnostic, ...])
for risk in callgate.classify_tools([{"name": "pay"}], overrides=[{"tool": "pay", "class": "Financial", "reason": "it pays"}]):
    assert_type(risk["severity"], Literal["low", "medium", "high", "critical"])
callgate.classify_tools([], overrides=[{"tool": "pay", "class": "Risky", "reason": "it pays"}])  # type: ignore[typeddict-item]
assert_type(engine.filter_tools([(1, "a")], name=lambda tool: tool[1]), list[tuple[int, str]])
callgate.Engine(callgate.Policy.from_str("default: deny"), on_store_error="yes")  # type: ignore[arg-type]
callgate.Engine(callgate.Policy.from_str("default: deny"), clock=lambda: "noon")  # type: ignore[arg-type]
engine.evaluate(7)  # type: ignore[arg-type]


async def use() -> None:
    assert_type(await engine.evaluate_async("tool"), callgate.Decision)
    assert_type(await engine.evaluate_json_async("tool", "{}"), callgate.Decision)
    assert_type(await engine.explain_async("tool"), callgate.Explanation)


try:
    callgate.Policy.from_str("default: deny")
except callgate.PolicyError as error:
    assert_type(error.diagnostics, tuple[callgate.Diagnostic, ...])
    assert_type(error.span, tuple[int, int])
