"""What the engine calls and where it logs: decisions, warnings, and callbacks that raise or are async."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import callgate
import pytest
from subject import POLICY, engine


def test_audit_records() -> None:
    records: list[callgate.AuditRecord] = []
    subject = engine(on_decision=records.append, args_hash=b"key")
    decision = subject.evaluate("pay", {"b": 1, "amount": 5}, {"id": "alice"})
    subject.evaluate_json("pay", '{"amount": 5, "b": 1}', "alice")
    subject.evaluate_json("pay", "{", "alice")
    first, second, broken = records
    assert first.decision is decision and first.identity == "alice" and first.keys == ("amount", "b")
    assert first.hash == second.hash and (first.hash or "").startswith("hmac-sha256:")
    assert json.loads(first.to_json()) == {
        "decision": decision.to_dict(),
        "identity": "alice",
        "args": {"keys": ["amount", "b"], "hash": first.hash},
    }
    assert (broken.decision.code, broken.keys, broken.hash) == ("invalid_args", (), None)


def test_no_call_runs_whose_decision_could_not_be_recorded() -> None:
    """Clause 10.10: what `on_decision` raises, `evaluate` raises, and what was charged stands."""
    full = RuntimeError("audit log is full")

    def callback(record: callgate.AuditRecord) -> None:
        raise full

    subject = engine(on_decision=callback)
    asks: list[Callable[[], object]] = [
        lambda: subject.evaluate("one"),
        lambda: subject.evaluate_json("one", "{}"),
        lambda: asyncio.run(subject.evaluate_async("one")),
    ]
    for ask in asks:
        with pytest.raises(RuntimeError) as raised:
            ask()
        assert raised.value is full
    # `explain` records nothing, and counts what was charged.
    assert subject.explain("one").decision.counters[0].used == 3


def test_a_callback_that_hands_over_to_an_async_one_raises() -> None:
    class Later:
        def __await__(self) -> Any:
            yield

    with pytest.raises(TypeError, match="would have to be awaited"):
        engine(on_decision=lambda record: Later()).evaluate("pay", {"amount": 5})


def test_warnings_are_heard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = 'version: "1"\ndefault: deny\ntools:\n  pay: {}\n  Pay: {}\n'
    heard: list[tuple[str, str | None]] = []

    def hear(warning: callgate.Diagnostic, path: str | None) -> None:
        heard.append((warning.code, path))
        raise RuntimeError("no warnings please")

    path = tmp_path / "policy.yaml"
    path.write_text(text)
    policy = callgate.Policy.from_str(text)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "callgate"):
        subject = callgate.Engine.from_str(text, on_warning=hear)
        callgate.Engine.from_file(path, on_warning=hear)
        callgate.Engine(policy, on_warning=hear)
        subject.replace(policy)
    expected = [None, None, str(path), str(path), None, None, None, None]
    assert heard == [("confusable_name", path) for path in expected]
    # What the callback raises is logged, and nothing else.
    assert {record.getMessage() for record in caplog.records} == {"on_warning raised"}


def test_lint() -> None:
    tools = {"tools": [{"name": "pay", "inputSchema": {"properties": {"sum": {}}, "additionalProperties": False}}]}
    found = callgate.lint(POLICY, tools)
    assert found and all(warning.severity == "warning" for warning in found)
    assert {"unmatched_entry", "unknown_argument"} <= {warning.code for warning in found}
    assert callgate.lint(POLICY, tools["tools"])[0].code == found[0].code
    with pytest.raises(callgate.PolicyError):
        callgate.lint("tools: [", tools)


def test_a_callback_that_stops_the_program_does() -> None:
    def callback(record: callgate.AuditRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine(on_decision=callback).evaluate("pay", {"amount": 5})


def test_a_callback_may_use_the_engine() -> None:
    seen: list[str | None] = []

    def callback(record: callgate.AuditRecord) -> None:
        seen.append(record.decision.tool)
        if record.decision.tool == "pay":
            subject.evaluate("one")

    subject = engine(on_decision=callback)
    assert subject.evaluate("pay", {"amount": 1}).allowed
    assert seen == ["pay", "one"]


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    subject = engine()
    with caplog.at_level(logging.DEBUG, "callgate"):
        subject.evaluate("pay", {"amount": 5})
        subject.evaluate("pay", {"amount": 987654321})
        subject.evaluate("x\nERROR forged")
        subject.evaluate_request("tools/call")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "allow 'pay': allowed"),
        ("INFO", "deny 'pay': condition_failed by /tools/pay/rules/0"),
        ("INFO", "deny 'x\\nERROR forged': not_listed"),
        ("INFO", "deny 'tools/call': invalid_method"),
    ]
    assert "987654321" not in caplog.text
    assert caplog.records[0].__dict__["callgate"].code == "allowed"


def test_logging_hears_of_every_change(caplog: pytest.LogCaptureFixture) -> None:
    subject = callgate.Engine.from_str("{version: '1', default: deny, tools: {free: {}}}")
    logger, root = logging.getLogger("callgate"), logging.getLogger()

    def is_logged() -> bool:
        caplog.clear()
        assert subject.evaluate("free").allowed
        return bool(caplog.records)

    before = root.level
    try:
        changes: list[tuple[Callable[[], object], bool]] = [
            (lambda: None, False),
            (lambda: logger.setLevel(logging.DEBUG), True),
            (lambda: logging.disable(logging.DEBUG), False),
            (lambda: logging.disable(logging.NOTSET), True),
            (lambda: logger.setLevel(logging.INFO), False),
            (lambda: logger.setLevel(logging.NOTSET), False),
            (lambda: root.setLevel(logging.DEBUG), True),
            (lambda: root.setLevel(before), False),
            (lambda: setattr(logger, "disabled", True), False),
            (lambda: logger.setLevel(logging.DEBUG), False),
            (lambda: setattr(logger, "disabled", False), True),
        ]
        for change, expected in changes:
            change()
            # The second time, the answer to the first one may be known.
            assert [is_logged(), is_logged()] == [expected, expected]
    finally:
        logger.disabled = False
        logger.setLevel(logging.NOTSET)
        root.setLevel(before)


async def coroutine(*_: Any) -> float:
    return 0.0


async def generator(*_: Any) -> Any:
    yield 0.0


def plain_generator(*_: Any) -> Any:
    yield 0.0


class Asynchronous:
    async def __call__(self, *_: Any) -> float:
        return 0.0

    async def method(self, *_: Any) -> float:
        return 0.0


ASYNCHRONOUS = [
    coroutine,
    generator,
    plain_generator,
    Asynchronous(),
    Asynchronous().method,
    functools.partial(coroutine, 1),
    functools.partial(functools.partial(Asynchronous()), 1),
]


@pytest.mark.parametrize("callback", ASYNCHRONOUS, ids=lambda callback: type(callback).__name__)
@pytest.mark.parametrize("name", ["on_decision", "clock", "on_warning", "on_reload", "on_reload_error"])
def test_a_callback_that_nobody_awaits_must_not_be_async(tmp_path: Path, name: str, callback: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    for watch in (False, True):
        with pytest.raises(TypeError, match=f"{name} must not be async"):
            callgate.Engine.from_file(path, watch=watch, **{name: callback})
