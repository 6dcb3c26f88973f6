"""The engine: errors, decisions, clocks, threads."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import callgate
import pytest
from subject import NOW, POLICY, engine


# Errors


def test_policy_errors_name_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("defualt: deny\ntools:\n  t: {rulez: []}\n")
    with pytest.raises(callgate.PolicyError) as caught:
        callgate.Engine.from_file(path)
    error = caught.value
    assert str(error) == f"{path}:1:1: unknown field `defualt` [unknown_field]"
    assert (error.code, error.line, error.column, error.span, error.path) == ("unknown_field", 1, 1, (0, 7), str(path))
    assert error.__notes__[0] == "help: did you mean `default`?"
    assert error.__notes__[1].startswith(f"{path}:3:7: error[unknown_field]: unknown field `rulez`")
    assert [one.severity for one in error.diagnostics if one.code == "missing_default"] in ([], ["warning"])
    assert isinstance(error, ValueError) and isinstance(error, callgate.CallgateError)


def test_files_that_cannot_be_read_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        callgate.Policy.from_file(tmp_path / "none.yaml")
    assert caught.value.filename == str(tmp_path / "none.yaml")
    with pytest.raises(OSError, match="not UTF-8"):
        (tmp_path / "bad.yaml").write_bytes(b"\xff")
        callgate.Policy.from_file(str(tmp_path / "bad.yaml"))


def test_store_urls_are_not_repeated() -> None:
    with pytest.raises(callgate.StoreURLError) as caught:
        engine(store="postgres://user:hunter2@host")
    assert "hunter2" not in str(caught.value) and "user" not in repr(caught.value)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_store_that_cannot_be_reached_is_no_wrong_url() -> None:
    url = f"redis://alice:hunter2@127.0.0.1:{closed_port()}"
    with pytest.raises(callgate.StoreError) as caught:
        engine(store=url)
    assert caught.value.transient and "hunter2" not in str(caught.value)
    # Where calls pass without a store, an engine begins without it.
    lenient = engine(store=url, on_store_error="allow", store_timeout=5)
    decision = lenient.evaluate("one")
    assert (decision.effect, decision.code) == ("allow", "store_unavailable")


@pytest.mark.parametrize("choice", ["deny", "allow"])
def test_a_url_that_is_wrong_is_an_error_whatever_becomes_of_calls(choice: Any) -> None:
    for url in ("redis://localhost:port", "sqlite://", "postgres://host"):
        with pytest.raises(callgate.StoreURLError):
            engine(store=url, on_store_error=choice)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"on_store_error": "open"}, ValueError),
        ({"on_store_error": True}, TypeError),
        ({"fail_open": True}, TypeError),
        ({"store_timeout": -1}, ValueError),
        ({"store_timeout": float("nan")}, ValueError),
        ({"clock": 5}, TypeError),
        ({"on_decision": 5}, TypeError),
        ({"on_warning": 5}, TypeError),
        ({"args_hash": "md5"}, ValueError),
        ({"store": 5}, TypeError),
    ],
)
def test_options_are_typed(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        callgate.Engine.from_str(POLICY, **options)


# Decisions


def test_decision() -> None:
    decision = engine().evaluate("pay", {"amount": 4.5}, "alice")
    assert decision and decision.allowed and decision.effect == "allow" and decision.message is None
    (counter,) = decision.counters
    assert (counter.charged, counter.used, counter.max) == (Decimal("4.5"), Decimal("4.5"), Decimal(100))
    assert (counter.entry, counter.counter, counter.scope, counter.window) == ("pay", "spend", "global", "day")
    assert counter.budget is None and counter.resets_at is not None
    assert counter.resets_at.isoformat() == "2026-11-22T00:00:00+00:00"
    denied = engine().evaluate("pay", {"amount": 101})
    assert not denied and denied.rule is not None and denied.rule.name == "cap" and denied.rule.line == 7
    assert denied.to_mcp_result() == {
        "content": [{"type": "text", "text": 'Denied by rule "cap"'}],
        "isError": True,
        "_meta": {"callgate/code": "condition_failed"},
    }
    assert denied.to_mcp_meta() == {"callgate/code": "condition_failed"} and decision.to_mcp_meta() is None
    assert callgate.MCP_DENIED == -31000
    assert denied.to_dict() == json.loads(denied.to_json())


SHARED = """
version: "1"
default: deny
hide: [secret]
tools:
  pay:
    require:
      - {path: args.amount, op: lte, value: 100}
      - {path: args.currency, op: eq, value: eur}
  "list_*": {}
  one: {limits: [{counter: n, window: day, max: 1000}]}
"""


def test_equal_decisions_are_one_object_until_another_policy_is_in_force() -> None:
    subject = callgate.Engine.from_str(SHARED)
    allowed = subject.evaluate("pay", {"amount": 1, "currency": "eur"}, "alice")
    assert allowed is subject.evaluate("pay", {"amount": 2, "currency": "eur"}, "bob")
    assert allowed is subject.evaluate_json("pay", '{"amount": 2, "currency": "eur"}')
    assert allowed.allowed is True and allowed.tool == "pay" and allowed.reservation is None
    by_amount = subject.evaluate("pay", {"amount": 101, "currency": "eur"})
    by_currency = subject.evaluate("pay", {"amount": 1, "currency": "usd"})
    assert by_amount.allowed is False and by_amount.rule is not None and by_currency.rule is not None
    assert by_amount.rule.pointer != by_currency.rule.pointer
    assert by_amount is subject.evaluate("pay", {"amount": 102})
    # What a decision knows of a counter is of one call.
    first, second = subject.evaluate("one"), subject.evaluate("one")
    assert first is not second and [use.used for use in (*first.counters, *second.counters)] == [1, 2]

    changed = callgate.Policy.from_str(SHARED.replace("value: 100", "value: 10"))
    subject.replace(changed)
    later = subject.evaluate("pay", {"amount": 2, "currency": "eur"})
    assert later is not allowed and later.policy == changed.digest != allowed.policy
    assert not subject.evaluate("pay", {"amount": 11, "currency": "eur"})
    assert allowed.allowed and allowed.to_json() != later.to_json()


@pytest.mark.parametrize("store", ["memory", "file"])
def test_requests_have_a_method_and_no_tool(store: str, tmp_path: Path) -> None:
    records: list[callgate.AuditRecord] = []
    url = store if store == "memory" else f"sqlite://{tmp_path / 'counters.db'}"
    subject = callgate.Engine.from_str(SHARED, store=url, on_decision=records.append)
    params = {"uri": "file:///a"}

    async def awaited() -> list[callgate.Decision]:
        return [
            await subject.evaluate_request_async("resources/read", params, "alice"),
            await subject.evaluate_request_json_async("resources/read", json.dumps(params), "alice"),
        ]

    made = [
        subject.evaluate_request("resources/read", params, "alice"),
        subject.evaluate_request_json("resources/read", json.dumps(params), "alice"),
        *asyncio.run(awaited()),
    ]
    for decision, record in zip(made, records, strict=True):
        assert (decision.allowed, decision.code, decision.tool) == (True, "allowed", None)
        assert decision.method == "resources/read" and repr(decision) == '<Decision allow allowed "resources/read">'
        told = json.loads(record.to_json())
        assert told["decision"] == decision.to_dict() and told["decision"]["method"] == "resources/read"
        assert (record.identity, record.keys) == ("alice", ("uri",))
    assert subject.evaluate_request("tools/call", {"name": "one"}).code == "invalid_method"
    assert subject.evaluate("one").method == "tools/call"
    # A tool and a method of one name are two.
    assert subject.evaluate_request("one").tool is None and subject.evaluate("one").tool == "one"


def test_decisions_stay_those_of_their_tools_however_many_there_are() -> None:
    """More than an engine remembers, from threads that meet, while the policy is replaced."""
    subject = callgate.Engine.from_str(SHARED)
    policies = [subject.policy, callgate.Policy.from_str(SHARED + "# again")]
    names = [f"list_{index}" for index in range(2000)]

    def decide(start: int) -> None:
        for name in names[start:] + names[:start]:
            decision = subject.evaluate(name)
            assert decision.allowed and decision.tool == name
            assert json.loads(decision.to_json())["tool"] == name
            assert subject.evaluate("secret").code == "hidden"

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(decide, start) for start in range(0, 2000, 250)]
        for _ in range(200):
            for policy in policies:
                subject.replace(policy)
                assert subject.evaluate("list_1").policy == policy.digest
        for each in running:
            each.result()


def test_reservations_finish_once() -> None:
    subject = engine()
    reservation = subject.evaluate("pay", {"amount": 100}).reservation
    assert reservation is not None and reservation.open
    with pytest.raises(ValueError, match="decimal"):
        reservation.settle("1e-9")
    with pytest.raises(ValueError, match="not_run"):
        reservation.finish("never")  # type: ignore[arg-type]  # the wrong word is what is tested
    with pytest.raises(TypeError):
        reservation.settle(object())  # type: ignore[arg-type]  # the wrong type is what is tested
    reservation.settle(Decimal("99.5"))
    assert repr(reservation) == "<Reservation finished>"
    with pytest.raises(callgate.ReservationError):
        reservation.finish("not_run")
    (counter,) = subject.explain("pay", {"amount": 0.5}).decision.counters
    assert counter.used == Decimal("99.5"), "what is explained is not charged"
    unknown = subject.evaluate("pay", {"amount": 0.5}).reservation
    assert unknown is not None
    with pytest.raises(callgate.SettleError) as caught:
        unknown.settle({"other": 1})
    assert (caught.value.code, unknown.open) == ("unknown_counter", True)
    assert unknown.gives_back("not_run") and not unknown.gives_back("done")
    unknown.finish("not_run")  # what was refused has changed nothing
    (counter,) = subject.explain("pay", {"amount": 0.5}).decision.counters
    assert counter.used == Decimal("99.5") and not unknown.open and not unknown.gives_back("not_run")
    more = subject.evaluate("pay", {"amount": 0.5}).reservation
    assert more is not None
    more.settle(3)  # no bound refuses what a call really cost
    (counter,) = subject.explain("pay", {"amount": 0.5}).decision.counters
    assert counter.used == Decimal("102.5") and not subject.evaluate("pay", {"amount": 0.5}).allowed
    assert subject.evaluate("ask").reservation is None


def test_a_decision_has_one_reservation() -> None:
    """It is made when it is asked for; a second one would give the charges back twice."""
    subject = engine()
    decision = subject.evaluate("pay", {"amount": 60})
    with ThreadPoolExecutor(8) as pool:
        readers = list(pool.map(lambda _: decision.reservation, range(64)))
    first = decision.reservation
    assert first is not None and all(reader is first for reader in readers)
    first.finish("not_run")
    assert decision.reservation is first and not first.open
    assert subject.evaluate("pay", {"amount": 100}).allowed


def test_approval() -> None:
    subject = engine()
    waiting = subject.evaluate("ask", {"n": 1}, "alice")
    assert waiting.effect == "require_approval" and waiting.approval is not None
    approval = callgate.Approval(waiting.approval.key, "id-1")
    assert subject.evaluate("ask", {"n": 2}, "alice", approval).code == "approval_required"
    assert subject.evaluate("ask", {"n": 1}, "alice", (waiting.approval.key, "id-1")).allowed
    assert subject.evaluate("ask", {"n": 1}, "alice", approval).code == "approval_spent"


def test_filter_tools() -> None:
    subject = engine()
    assert subject.filter_tools(["pay", "secret"]) == ["pay"]
    # What is hidden today is hidden from everybody.
    assert subject.filter_tools(["pay", "secret"], {"id": "alice"}) == subject.policy.filter_tools(["pay", "secret"], "bob") == ["pay"]
    assert subject.visible("pay", "alice") and not subject.visible("secret", "alice")
    assert subject.filter_tools([{"name": "pay"}, {"name": "secret"}]) == [{"name": "pay"}]
    assert subject.filter_tools([(1, "secret"), (2, "pay")], name=lambda tool: tool[1]) == [(2, "pay")]
    # A name that is no text is nobody's, and fails no list.
    for of in (subject, subject.policy):
        assert of.filter_tools(["pay", "pay\ud800", "one"]) == ["pay", "one"]
        assert not of.visible("\ud800")
    assert subject.visible("pay") and not subject.visible("secret")
    assert not subject.policy.visible("secret")


def test_explain_charges_nothing() -> None:
    subject = engine()
    explanation = subject.explain("pay", {"amount": 5})
    assert explanation.decision.allowed and explanation.decision.reservation is None
    assert "args.amount lte 100: holds" in str(explanation)
    assert explanation.checks[0].pointer == "/tools/pay/rules/0"
    assert subject.evaluate("pay", {"amount": 100}).allowed
    assert subject.explain_json("pay", "{").decision.code == "invalid_args"


# Clocks


def test_clocks() -> None:
    clock = callgate.ManualClock(NOW)
    subject = callgate.Engine.from_str(POLICY, clock=clock)
    assert subject.evaluate("pay", {"amount": 100}).allowed
    assert subject.evaluate("pay", {"amount": 1}).retry_after == 14 * 3600
    clock.advance(14 * 3600)
    assert clock.now() == NOW + 14 * 3600
    assert subject.evaluate("pay", {"amount": 1}).allowed
    times = iter([NOW, NOW + 0.25])
    called = callgate.Engine.from_str(POLICY, clock=lambda: next(times))
    assert called.evaluate("one").allowed
    assert called.evaluate("secret").code == "hidden"  # asks no clock
    assert called.evaluate("one").allowed


@pytest.mark.parametrize("broken", [lambda: "noon", lambda: float("nan"), lambda: 1 // 0])
def test_a_clock_that_fails_gives_no_decision(broken: Any) -> None:
    subject = callgate.Engine.from_str(POLICY, clock=broken)
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)):
        subject.evaluate("one")
    assert subject.evaluate("secret").code == "hidden"


# Async


def test_evaluate_async() -> None:
    subject = engine()

    async def main() -> list[callgate.Decision]:
        lazy = subject.evaluate_async("pay", {"amount": 100})
        assert subject.evaluate("pay", {"amount": 60}).allowed  # nothing is charged before it is awaited
        refused = await lazy
        return [refused, *await asyncio.gather(*(subject.evaluate_async("pay", {"amount": 10}) for _ in range(6)))]

    refused, *others = asyncio.run(main())
    assert refused.code == "limit_exceeded"
    assert [decision.allowed for decision in others] == [True] * 4 + [False] * 2


# Threads


def test_threads_never_exceed_a_maximum() -> None:
    calls = 0

    def callback(record: callgate.AuditRecord) -> None:
        nonlocal calls
        calls += 1

    # A clock and a callback in Python, so that threads change in the middle of decisions.
    subject = callgate.Engine.from_str(POLICY, clock=lambda: NOW, on_decision=callback)
    allowed: list[bool] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for turn in range(400):
            allowed.append(subject.evaluate("one").allowed)
            if turn % 50 == 0:
                subject.replace(callgate.Policy.from_str(POLICY))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "deadlock"
    finally:
        sys.setswitchinterval(interval)
    assert len(allowed) == 3200 and sum(allowed) == 1000


def test_an_approval_says_when_it_was_given_and_how_often_it_lets_calls_through() -> None:
    clock = callgate.ManualClock(1_000_000.0)
    text = """
version: "1"
default: deny
tools:
  pay:
    rules:
      - action: require_approval
        approval: {ignore: [args.note], valid_for: 15m, uses: 2, approvers: [ann, bob]}
"""
    subject = callgate.Engine.from_str(text, clock=clock)
    needed = subject.evaluate("pay", {"note": "a"}).approval
    assert needed is not None
    assert (needed.ignored, needed.valid_for, needed.uses) == (("args.note",), 900, 2)
    assert [rule.approvers for rule in needed.rules] == [("ann", "bob")]
    assert subject.evaluate("pay", {}, approved=callgate.Approval(needed.key, "a-1")).code == "approval_required"
    given = callgate.Approval(needed.key, "a-1", 1_000_000.0)
    clock.advance(899)
    assert subject.evaluate("pay", {"note": "b"}, approved=given).allowed
    assert subject.evaluate("pay", {"note": "c"}, approved=given).allowed
    assert subject.evaluate("pay", {}, approved=given).code == "approval_spent"
    clock.advance(1)
    assert subject.evaluate("pay", {}, approved=given).code == "approval_required"
    for wrong in (("key", "id", "now"), ("key", "id", float("nan")), ("key",)):
        with pytest.raises((TypeError, ValueError)):
            subject.evaluate("pay", {}, approved=wrong)  # type: ignore[arg-type]  # the wrong type is what is tested


def test_an_engine_with_counters_in_memory_warns_of_what_it_loses(tmp_path: Path) -> None:
    text = "{version: '1', default: deny, tools: {pay: {limits: [{counter: n, window: ever, max: 5}]}}}"
    heard: list[str] = []
    policy = callgate.Policy.from_str(text)
    subject = callgate.Engine(policy, on_warning=lambda warning, file: heard.append(warning.code))
    assert heard == ["memory_store"] and policy.warnings == ()
    assert [warning.code for warning in subject.warnings] == ["memory_store"]
    (counter,) = subject.evaluate("pay").counters
    assert counter.resets_at is None and [live.resets_at for live in subject.counters()] == [None]
    subject.replace(policy)
    assert heard == ["memory_store"] * 2
    kept = callgate.Engine(policy, store=f"sqlite://{tmp_path}/s.db", on_warning=lambda warning, file: heard.append(warning.code))
    assert kept.warnings == () and heard == ["memory_store"] * 2
