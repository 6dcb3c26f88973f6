"""A candidate policy beside the one in force: it changes no decision, whatever it says and whatever its store does."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import callgate
import pytest
from test_conformance import Form, Runner, files

DENIES = ["{version: '1', default: deny, tools: {}}"]
COUNTS = ["{version: '1', default: allow, tools: {}, all_tools: {rules: [{rate_limit: 3/hour}]}}"]
ONE = "{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: hour, max: %d}]}, free: {}}}"


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def decided(case: dict[str, Any], form: Form, store: callgate.Store | None = None) -> list[str]:
    steps = [{key: value for key, value in step.items() if key != "observed"} for step in case["steps"]]
    runner = Runner({**case, "steps": steps}, form, store=store)
    runner.run()
    return [decision.to_json() for decision in runner.decisions]


@pytest.mark.parametrize("form", ["raw", "value"])
def test_no_candidate_changes_a_decision_of_any_case(form: Form, tmp_path: Path) -> None:
    store = callgate.Store(f"sqlite://{tmp_path}/s.db", timeout=60)
    # Whoever asks it waits for this, and for a minute.
    holder = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    count = 0
    for _, cases in files("decisions"):
        for case in cases:
            without = decided({key: value for key, value in case.items() if key != "candidate"}, form)
            assert decided({**case, "candidate": DENIES}, form) == without
            assert decided({**case, "candidate": COUNTS}, form) == without
            assert decided({**case, "candidate": COUNTS}, form, store) == without
            count += len(without)
    assert count > 500
    holder.execute("ROLLBACK")
    holder.close()


def test_a_store_that_hangs_is_waited_for_by_nobody(tmp_path: Path) -> None:
    store = callgate.Store(f"sqlite://{tmp_path}/s.db", timeout=60)
    holder = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    engine = callgate.Engine.from_str(ONE % 9)
    engine.observe(callgate.Policy.from_str(ONE % 1), store=store)
    first, second = engine.evaluate("t"), asyncio.run(engine.evaluate_async("t"))
    assert first.allowed and second.allowed and first.observed() is None
    holder.execute("ROLLBACK")
    until(lambda: second.observed() is not None)
    observed = second.observed()
    assert observed is not None and observed["flip"] == "tighter" and observed["code"] == "limit_exceeded"
    observations = engine.observations()
    assert observations is not None and observations["calls"] == 2 and len(observations["rows"]) == 2
    holder.close()


def test_the_call_is_read_before_it_waits_for_the_store_in_force(tmp_path: Path) -> None:
    policy = "{version: '1', default: deny, tools: {t: {require: [{path: args.a, op: eq, value: %d}], limits: [{counter: n, window: hour, max: 1}]}}}"
    store = callgate.Store(f"sqlite://{tmp_path}/s.db")
    engine = callgate.Engine.from_str(policy % 1, store=store)
    with pytest.raises(ValueError, match="counters of its own"):
        engine.observe(callgate.Policy.from_str(policy % 1), store=store)
    engine.observe(callgate.Policy.from_str(policy % 2))

    async def decide() -> callgate.Decision:
        args = {"a": 1}
        waits = asyncio.create_task(engine.evaluate_async("t", args))
        await asyncio.sleep(0)
        args["a"] = 2
        return await waits

    assert (decision := asyncio.run(decide())).allowed
    observed = decision.observed()
    assert observed is not None and (observed["code"], observed["flip"]) == ("condition_failed", "tighter")
    engine.observe(None)
    assert engine.evaluate("t", {"a": 1}).observed() is None and engine.observations() is None


def test_charges_of_a_call_that_did_not_run_are_given_back_also_where_only_the_candidate_charged() -> None:
    engine = callgate.Engine.from_str("{version: '1', default: allow, tools: {}}")
    engine.observe(callgate.Policy.from_str(ONE % 1))
    first = engine.evaluate("t")
    assert first.reservation is None
    assert not first._gives_back("not_run")
    observed = engine.evaluate("t").observed()
    assert observed is not None and observed["effect"] == "allow"


def test_a_clock_that_raises_for_the_candidate_fails_no_call() -> None:
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise RuntimeError("the candidate's")
        return 1_763_719_200.0

    engine = callgate.Engine.from_str(ONE % 9, clock=clock)
    engine.observe(callgate.Policy.from_str(ONE % 9))
    assert engine.evaluate("t").allowed
    assert engine.evaluate("free").allowed, "nothing is left of the error"
    with pytest.raises(RuntimeError):
        engine.evaluate("t")


def test_a_watched_engine_keeps_its_candidate(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(ONE % 9)
    engine = callgate.Engine.from_file(path)
    engine.observe(callgate.Policy.from_str(ONE % 1))
    before = engine.evaluate("free")
    engine.replace(callgate.Policy.from_str(DENIES[0]))
    after = engine.evaluate("free")
    flips = [observed["flip"] for decision in (before, after) if (observed := decision.observed()) is not None]
    assert flips == ["none", "looser"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_a_thread_and_a_table_of_its_own(tmp_path: Path) -> None:
    store = callgate.Store(f"sqlite://{tmp_path}/s.db")
    engine = callgate.Engine.from_str(ONE % 9)
    engine.observe(callgate.Policy.from_str(ONE % 2), store=store)

    def flip() -> Any:
        decision = engine.evaluate("t")
        until(lambda: decision.observed() is not None)
        return (decision.observed() or {})["flip"]

    assert flip() == "none"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            flips = [flip(), flip()]
            os.write(writer, json.dumps([flips, (engine.observations() or {})["calls"]]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        assert json.loads(answers.read()) == [["none", "tighter"], 2]
    os.waitpid(child, 0)
    assert flip() == "tighter"
    observations = engine.observations()
    assert observations is not None and observations["calls"] == 2
