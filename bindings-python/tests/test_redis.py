"""`evaluate_async` with counters on a real Redis server: the event loop goes on, and no call has a thread of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import callgate

TIMEOUT = 0.5
CALLS, LIMIT = 200, 50


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A server on a port that was free."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(directory)]
        self.process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self.process.poll() is None, "redis-server did not start"
                time.sleep(0.01)

    def engine(self, limit: int, timeout: float = 30.0) -> callgate.Engine:
        return engine_at(self.port, limit, store_timeout=timeout)


def engine_at(port: int, limit: int, **options: Any) -> callgate.Engine:
    policy = f'{{version: "1", default: deny, tools: {{t: {{limits: [{{counter: c, window: 366d, max: {limit}}}]}}}}}}'
    return callgate.Engine.from_str(policy, store=f"redis://127.0.0.1:{port}", **options)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


async def ask(engine: callgate.Engine, calls: int) -> list[callgate.Decision]:
    return await asyncio.gather(*(engine.evaluate_async("t") for _ in range(calls)))


def test_concurrent_calls_admit_exactly_the_limit_without_threads(server: Server) -> None:
    engine = server.engine(LIMIT)
    asyncio.run(ask(engine, 1))
    before = threading.active_count()

    async def all_at_once() -> list[callgate.Decision]:
        decisions = await ask(engine, CALLS)
        # Of an executor's threads Python would know.
        assert threading.active_count() == before
        return decisions

    decisions = asyncio.run(all_at_once())
    assert sum(decision.allowed for decision in decisions) == LIMIT - 1
    assert {decision.code for decision in decisions} == {"allowed", "limit_exceeded"}


def test_the_decision_is_the_same_as_without_await(server: Server) -> None:
    awaited, waited = server.engine(9), server.engine(9)
    first, second = asyncio.run(ask(awaited, 1))[0], waited.evaluate("t")
    assert first.to_json().replace('"used":"1"', '"used":"2"') == second.to_json()
    assert first.reservation is not None
    first.reservation.finish("not_run")
    assert waited.evaluate("t").counters[0].used == second.counters[0].used


def test_charges_are_given_back_without_threads(server: Server) -> None:
    policy = """{version: "1", default: deny, tools: {t: {limits: [
        {counter: c, window: 366d, max: 100, increment_from: args.n}]}}}"""
    engine = callgate.Engine.from_str(policy, store=f"redis://127.0.0.1:{server.port}", store_timeout=30.0)

    async def scenario() -> None:
        asked = [await engine.evaluate_async("t", {"n": 10}) for _ in range(10)]
        held = [decision.reservation for decision in asked if decision.reservation is not None]
        assert len(held) == 10 and not (await engine.evaluate_async("t", {"n": 1})).allowed
        before = threading.active_count()
        releases = [one.finish_async("not_run") for one in held[:5]]
        assert all(one.open for one in held), "nothing is done before it is awaited"
        await asyncio.gather(*releases, *(one.settle_async("7.5") for one in held[5:9]))
        assert threading.active_count() == before
        # Each once, and with the errors of what does not wait.
        finishes: list[Callable[[], Awaitable[None]]] = [
            lambda: held[0].finish_async("done"),
            lambda: held[5].finish_async("not_run"),
            lambda: held[6].settle_async(1),
        ]
        for finish in finishes:
            with pytest.raises(callgate.ReservationError):
                await finish()
        with pytest.raises(ValueError):
            await held[9].settle_async("-1")
        with pytest.raises(callgate.SettleError) as unknown:
            await held[9].settle_async({"other": 1})
        assert unknown.value.code == "unknown_counter" and held[9].open, "nothing was changed"
        await held[9].settle_async(11)
        (used,) = (await engine.evaluate_async("t", {"n": 0})).counters
        assert used.used == Decimal("41"), "more than was charged is charged"

    asyncio.run(scenario())


def test_what_cannot_be_given_back_is_told(server: Server) -> None:
    engine = server.engine(9, TIMEOUT)

    async def scenario() -> None:
        decision = await engine.evaluate_async("t")
        assert decision.reservation is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(callgate.StoreError):
                await decision.reservation.finish_async("not_run")
            assert not decision.reservation.open
        finally:
            server.process.send_signal(signal.SIGCONT)

    asyncio.run(scenario())


def test_the_loop_goes_on_while_the_server_hangs(server: Server) -> None:
    engine = server.engine(1_000, TIMEOUT)

    async def scenario() -> None:
        assert (await engine.evaluate_async("t")).allowed
        server.process.send_signal(signal.SIGSTOP)
        try:
            calls = asyncio.ensure_future(ask(engine, 20))
            ticks = 0
            while not calls.done():
                await asyncio.sleep(TIMEOUT / 50)
                ticks += 1
            # Where the loop is blocked, one tick takes as long as a call.
            assert ticks >= 5
            assert {decision.code for decision in calls.result()} == {"store_unavailable"}
        finally:
            server.process.send_signal(signal.SIGCONT)
        patience = time.monotonic() + 25
        while not (await engine.evaluate_async("t")).allowed:
            assert time.monotonic() < patience, "the service does not resume"
            await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_who_is_cancelled_is_not_woken(server: Server) -> None:
    engine = server.engine(1_000)

    async def scenario() -> None:
        calls = [asyncio.ensure_future(engine.evaluate_async("t")) for _ in range(20)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
        assert all(isinstance(result, callgate.Decision) and result.allowed for result in results[1::2])
        # Charges of calls that were cancelled may stand.
        used = int((await engine.evaluate_async("t")).counters[0].used)
        assert 11 <= used <= 21

    asyncio.run(scenario())


def test_an_engine_that_began_without_its_server_counts_once_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(callgate.StoreError) as caught:
        engine_at(port, 3, store_timeout=TIMEOUT)
    assert caught.value.transient
    engine = engine_at(port, 3, store_timeout=TIMEOUT, on_store_error="allow")
    for decision in (engine.evaluate("t"), *asyncio.run(ask(engine, 2))):
        assert (decision.effect, decision.code) == ("allow", "store_unavailable")
    server = Server(tmp_path, port)
    try:
        patience = time.monotonic() + 25
        while (decision := engine.evaluate("t")).code == "store_unavailable":
            assert time.monotonic() < patience, "the engine does not find its server"
            time.sleep(0.02)
        decisions = [decision, engine.evaluate("t"), *asyncio.run(ask(engine, 2))]
        # What passed without a server was not counted, and what passes with it is, in both faces.
        assert [decision.code for decision in decisions] == ["allowed"] * 3 + ["limit_exceeded"]
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_makes_its_own_connection(server: Server) -> None:
    engine = server.engine(30)
    assert sum(decision.allowed for decision in asyncio.run(ask(engine, 10))) == 10
    child = os.fork()
    if child == 0:
        status = 1
        try:
            allowed = sum(decision.allowed for decision in asyncio.run(ask(engine, 10)))
            status = 0 if allowed == 10 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(decision.allowed for decision in asyncio.run(ask(engine, 20))) == 10


@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "os.kill(os.getpid(), signal.SIGINT); await asyncio.sleep(9)"])
def test_the_interpreter_ends_with_calls_under_way(server: Server, ending: str) -> None:
    script = f"""
import asyncio, os, signal, sys, callgate
# A job in the background of a script is started with the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = callgate.Engine.from_str(
    '{{version: "1", default: allow, tools: {{t: {{limits: [{{counter: c, window: hour, max: 9999}}]}}}}}}',
    store="redis://127.0.0.1:{server.port}", store_timeout=30)

async def main():
    await engine.evaluate_async("t")
    os.kill({server.process.pid}, signal.SIGSTOP)
    calls = [asyncio.ensure_future(engine.evaluate_async("t")) for _ in range(50)]
    await asyncio.sleep(0.05)
    os.kill({server.process.pid}, signal.SIGCONT)
    {ending}

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    expected = {"pass": 0, "sys.exit(3)": 3}.get(ending, -signal.SIGINT)
    assert ended.returncode == expected, ended.stderr
    assert "panicked" not in ended.stderr and "Fatal" not in ended.stderr
