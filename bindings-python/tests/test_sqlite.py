"""Counters in a SQLite file: processes that fork, and a file that another process keeps."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import callgate
import pytest

POLICY = "version: '1'\ndefault: deny\ntools: {t: {limits: [{counter: n, window: month, max: 10000000}]}}"
# A thousand are a matter of minutes.
CHILDREN = int(os.environ.get("CALLGATE_FORKS", "40"))
CALLS = 3
PATIENCE = 60.0
FULL = "1" * CALLS


def opened(path: Path, timeout: float = PATIENCE, **options: Any) -> callgate.Engine:
    clock = callgate.ManualClock(1_800_000_000)
    return callgate.Engine.from_str(POLICY, store=f"sqlite://{path}", store_timeout=timeout, **{"clock": clock, **options})


def forked(engine: callgate.Engine) -> str:
    """What a forked process finds: 1 for each call that passed, blocking or not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            passed = [engine.evaluate("t").allowed for _ in range(CALLS - 1)]
            passed.append(asyncio.run(engine.evaluate_async("t")).allowed)
            os.write(writer, "".join("01"[one] for one in passed).encode())
        finally:
            os._exit(0)
    os.close(writer)
    answered, _, _ = select.select([reader], [], [], PATIENCE)
    if not answered:
        os.kill(child, 9)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return answer or "nothing"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("busy", [0, 1, 4])
def test_every_forked_process_counts_whatever_the_parent_does(tmp_path: Path, busy: int) -> None:
    engine = opened(tmp_path / "counters.db")
    assert engine.evaluate("t").allowed
    charged, over = [0] * busy, threading.Event()

    def work(index: int) -> None:
        while not over.is_set():
            charged[index] += engine.evaluate("t").allowed

    threads = [threading.Thread(target=work, args=(index,)) for index in range(busy)]
    for thread in threads:
        thread.start()
    try:
        found = [forked(engine) for _ in range(CHILDREN)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert found == [FULL] * CHILDREN
    (counter,) = opened(tmp_path / "counters.db").evaluate("t").counters
    assert counter.used == 2 + sum(charged) + CHILDREN * CALLS


KEEP = """
import sqlite3, sys
keeper = sqlite3.connect(sys.argv[1], isolation_level=None)
keeper.execute("BEGIN EXCLUSIVE")
print("kept", flush=True)
sys.stdin.read()
"""


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Another process keeps the file: the locks of one process are no obstacle to itself."""
    command = [sys.executable, "-c", KEEP, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        assert keeper.stdout.readline() == b"kept\n"
        try:
            yield
        finally:
            keeper.stdin.close()
            keeper.wait()


def test_a_file_that_is_kept_holds_up_neither_the_loop_nor_its_executor(tmp_path: Path) -> None:
    engine = opened(tmp_path / "counters.db", timeout=0.3)
    assert engine.evaluate("t").allowed

    async def scenario() -> None:
        # One thread, which is all that the loop has: were calls to wait there, each would have to wait for the one before.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        with kept(tmp_path / "counters.db"):
            calls = [asyncio.ensure_future(engine.evaluate_async("t")) for _ in range(200)]
            await asyncio.sleep(0)
            assert await asyncio.to_thread(int, "1") == 1
            assert not any(call.done() and call.result().allowed for call in calls)
            done, waiting = await asyncio.wait(calls, timeout=PATIENCE / 2)
            assert not waiting, "the time-out of a call began with another's"
        assert {call.result().code for call in done} == {"store_unavailable"}
        assert (await engine.evaluate_async("t")).allowed

    asyncio.run(scenario())


def test_a_charge_is_given_back_later_where_nothing_was_written(tmp_path: Path) -> None:
    engine = opened(tmp_path / "counters.db", timeout=0.1)
    held = [engine.evaluate("t").reservation for _ in range(2)]

    async def scenario() -> None:
        first, second = held
        assert first is not None and second is not None
        with kept(tmp_path / "counters.db"):
            with pytest.raises(callgate.StoreError):
                first.finish("not_run")
            with pytest.raises(callgate.StoreError):
                await second.finish_async("not_run")
            assert [first.open, second.open] == [True, True]
        first.finish("not_run")
        await second.finish_async("not_run")
        assert not first.open and not second.open

    asyncio.run(scenario())
    (counter,) = engine.evaluate("t").counters
    assert counter.used == 1


def test_an_engine_that_began_without_its_file_counts_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    with kept(path):
        with pytest.raises(callgate.StoreError) as caught:
            opened(path, timeout=0.1)
        assert caught.value.transient
        engine = opened(path, timeout=0.1, on_store_error="allow")
        for decision in (engine.evaluate("t"), asyncio.run(engine.evaluate_async("t"))):
            assert (decision.effect, decision.code) == ("allow", "store_unavailable")
    decisions = [engine.evaluate("t"), asyncio.run(engine.evaluate_async("t"))]
    assert [decision.code for decision in decisions] == ["allowed"] * 2
    assert [int(decision.counters[0].used) for decision in decisions] == [1, 2]


def test_what_no_call_can_see_any_more_is_forgotten(tmp_path: Path) -> None:
    clock = callgate.ManualClock(1_800_000_000)
    engine = opened(tmp_path / "counters.db", timeout=0.1, clock=clock)
    assert engine.evaluate("t").allowed
    assert engine.purge() == 0, "it is live"
    clock.advance(31 * 86_400)
    with kept(tmp_path / "counters.db"), pytest.raises(callgate.StoreError):
        engine.purge()
    assert [engine.purge(), engine.purge()] == [1, 0]


def test_a_closed_engine_reaches_no_store(tmp_path: Path) -> None:
    with opened(tmp_path / "counters.db") as engine:
        assert engine.evaluate("t").allowed
        reservation = engine.evaluate("t").reservation
    assert reservation is not None
    for _ in range(2):
        assert engine.evaluate("t").code == "store_unavailable"
        assert asyncio.run(engine.evaluate_async("t")).code == "store_unavailable"
        with pytest.raises(callgate.StoreError, match="closed"):
            engine.purge()
        # Certainly not given back, so it may still be.
        with pytest.raises(callgate.StoreError, match="closed"):
            reservation.finish("not_run")
        assert reservation.open
        engine.close()
    # The file is free for everybody else, and kept what was counted.
    with opened(tmp_path / "counters.db") as other:
        assert other.evaluate("t").counters[0].used == 3


def test_raw_text_and_explanations_without_blocking(tmp_path: Path) -> None:
    records: list[callgate.AuditRecord] = []
    with opened(tmp_path / "counters.db", on_decision=records.append) as engine:

        async def ask() -> None:
            decision = await engine.evaluate_json_async("t", '{"b": 1, "a": 2}', "alice")
            assert decision.allowed and decision.counters[0].used == 1
            assert (await engine.evaluate_json_async("t", "{")).code == "invalid_args"
            for explanation in (
                await engine.explain_async("t", {"a": 1}, "alice"),
                await engine.explain_json_async("t", "{}", "alice"),
            ):
                assert explanation.decision.allowed and explanation.decision.counters[0].used == 1
                assert explanation.checks

        asyncio.run(ask())
        # Under no loop of asyncio's they block.
        explained = engine.explain_async("t")
        with pytest.raises(StopIteration) as ended:
            explained.send(None)
        assert isinstance(ended.value.value, callgate.Explanation)
    assert [(record.keys, record.decision.code) for record in records] == [(("a", "b"), "allowed"), ((), "invalid_args")]
