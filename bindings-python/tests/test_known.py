"""What an engine keeps of tools that were called before: the strings that name them, their decisions, their arguments' names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import callgate
import pytest
from test_values import Custom, Lying

POLICY = """
version: "1"
default: deny
tools:
  small: {require: [{path: args.n, op: lte, value: 10}]}
  large: {require: [{path: args.n, op: gt, value: 10}]}
  "srv/sm-all": {require: [{path: args.n, op: lte, value: 10}]}
  "any_*": {}
"""


class Name(str):
    """Claims to be equal to every other name."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __str__(self) -> str:
        raise AssertionError("read")


def made(name: str) -> str:
    """The same text in another object."""
    return "".join(list(name))


def codes(subject: callgate.Engine, name: str) -> list[str]:
    return [subject.evaluate(name, {"n": n}).code for n in (1, 11)]


SMALL, LARGE = ["allowed", "condition_failed"], ["condition_failed", "allowed"]


@pytest.mark.parametrize("as_named", [str, made, Name], ids=["literal", "made", "extended"])
def test_a_tool_is_its_name_whatever_string_that_is(as_named: Any) -> None:
    subject = callgate.Engine.from_str(POLICY)
    for _ in range(4):
        for name, expected in [("small", SMALL), ("large", LARGE), ("srv/sm-all", SMALL)]:
            assert codes(subject, as_named(name)) == expected
            assert codes(subject, name) == expected
            assert subject.evaluate(as_named(name), {"n": 1}) is subject.evaluate(name, {"n": 2})
            assert subject.evaluate(as_named(name), {"n": 1}).tool == name
        assert subject.evaluate(as_named("other")).code == "not_listed"


def test_a_string_that_is_gone_is_not_taken_for_the_one_in_its_place() -> None:
    """Strings of one length, each freed before the next is made, so that they stand in few places."""
    subject = callgate.Engine.from_str(POLICY)
    places = set()
    for n in range(2000):
        name = made("small" if n % 3 else "large" if n % 2 else "other")
        places.add(id(name))
        expected = {"small": SMALL, "large": LARGE, "other": ["not_listed"] * 2}[name]
        assert codes(subject, name) == expected
        del name
    assert len(places) < 2000


def test_more_strings_than_are_kept() -> None:
    subject = callgate.Engine.from_str(POLICY)
    names = [f"any_{n}" for n in range(1000)]
    for _ in range(3):
        for name in names:
            assert subject.evaluate(name).tool == name
    assert codes(subject, "small") == SMALL and codes(subject, "large") == LARGE


def test_strings_name_tools_of_the_policy_in_force() -> None:
    """The first policy, which is kept otherwise than later ones, and those; from threads that meet."""
    first = callgate.Policy.from_str(POLICY)
    swapped = POLICY.replace("small", "_").replace("large", "small").replace("  _", "  large")
    second = callgate.Policy.from_str(swapped)
    subject = callgate.Engine(first)
    for policy, expected in [(first, SMALL), (second, LARGE), (first, SMALL), (second, LARGE)]:
        subject.replace(policy)
        for _ in range(3):
            assert codes(subject, "small") == expected
            assert subject.evaluate("small", {"n": 1}).policy == policy.digest

    def decide() -> None:
        for _ in range(2000):
            decision = subject.evaluate("small", {"n": 1})
            assert decision.allowed is (decision.policy == first.digest)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(decide) for _ in range(4)]
        for n in range(400):
            subject.replace(second if n % 2 else first)
        for each in running:
            each.result()


def test_decisions_that_are_alike_are_told_apart_by_their_rule() -> None:
    """More rules than decisions are kept."""
    tests = ", ".join(f"{{path: args.n, op: neq, value: {n}}}" for n in range(8))
    subject = callgate.Engine.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: [{tests}]}}}}}}")
    for _ in range(3):
        for n in range(8):
            decision = subject.evaluate("t", {"n": n})
            assert decision.rule is not None and decision.rule.pointer == f"/tools/t/require/{n}"
        assert subject.evaluate("t", {"n": 8}).rule is None
        assert subject.evaluate("t", {"n": 8}, 7).code == "invalid_identity"
        assert subject.evaluate("t", [], "alice").code == "invalid_args"


@pytest.mark.parametrize("approved", [7, "ab", ["k", "id"], ("k", 1), ("k", "\ud800"), (), ("k", "id", "more")])
def test_an_approval_is_two_strings(approved: Any) -> None:
    subject = callgate.Engine.from_str(POLICY)
    for _ in range(2):
        with pytest.raises((TypeError, ValueError)) as raised:
            subject.evaluate("small", {"n": 1}, None, approved)
        # Python has notes since 3.11.
        assert "approved" in str(getattr(raised.value, "__notes__", "approved"))
        assert subject.evaluate("small", {"n": 1}, None, ("k", "id")).allowed


def test_a_decision_outlives_its_engine() -> None:
    text = POLICY + "  spend: {limits: [{counter: spend, window: day, max: 9}]}\n"
    subject = callgate.Engine.from_str(text)
    decisions = [subject.evaluate("spend", {}, "alice") for _ in range(10)]
    digest = subject.policy.digest
    del subject
    for n, decision in enumerate(decisions):
        assert decision.allowed is (n < 9) and decision.policy == digest and decision.tool == "spend"
        assert json.loads(decision.to_json())["tool"] == "spend"
        assert (decision.message is None) is decision.allowed
        if decision.reservation is not None:
            decision.reservation.finish("not_run")


@pytest.mark.parametrize("others", [0, 1, 30, 31, 32, 33, 500])
def test_every_key_is_looked_at_however_many_there_are(others: int) -> None:
    subject = callgate.Engine.from_str(POLICY)
    args: dict[Any, Any] = {f"k{n}": n for n in range(others)}
    for _ in range(3):
        assert subject.evaluate("small", {"n": 1, **args}).code == "allowed"
        assert subject.evaluate("small", {**args, "n": 11}).code == "condition_failed"
        assert subject.evaluate("small", {**args, made("n"): 1}).code == "allowed"
        for bad in (1, Lying("z"), b"n"):
            assert subject.evaluate("small", {"n": 1, **args, bad: 1}).code == "invalid_args"
            assert subject.evaluate("small", {bad: 1, **args, "n": 1}).code == "invalid_args"
        assert subject.evaluate("small", {Lying("n"): 1, **args}).code == "invalid_args"


@pytest.mark.parametrize("value", ["eur", 7, 1 << 70, 0.5, ["eur"], None])
def test_what_was_picked_is_there_until_it_is_read(value: Any) -> None:
    """The dict lets go of it meanwhile, and nothing else holds it."""
    wanted = json.dumps(value)
    tests = f"[{{path: args.first.y, op: eq, value: 1}}, {{path: args.then, op: eq, value: {wanted}}}]"
    subject = callgate.Engine.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: {tests}}}}}}}")

    class Clearing(Custom):
        def __getitem__(self, key: str) -> Any:
            args.clear()
            junk = ["usd" + made("!") for _ in range(100)]
            return super().__getitem__(key) if junk else None

    for _ in range(5):
        args: dict[str, Any] = {"first": Clearing(y=1), "then": json.loads(wanted)}
        assert subject.evaluate("t", args).code in {"allowed", "condition_failed"}
        assert args == {}
