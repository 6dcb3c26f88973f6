"""`Store`: one connection for many engines and namespaces, what they share, and what is left once it is closed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

import callgate
from test_redis import Server

TENANTS = 50


def policy(limit: int) -> callgate.Policy:
    return callgate.Policy.from_str(
        f"{{version: '1', default: deny, tools: {{t: {{limits: [{{counter: c, window: 366d, max: {limit}}}]}}}}}}"
    )


def engine(store: callgate.Store | str, limit: int = 9) -> callgate.Engine:
    return callgate.Engine(policy(limit), store=store)


def used(subject: callgate.Store | callgate.Engine) -> list[Decimal]:
    return [counter.used for counter in subject.counters()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[callgate.Store]:
    kind: str = request.param
    with ExitStack() as ending:
        url = kind
        if kind == "sqlite":
            url = f"sqlite://{tmp_path / 'counters.db'}"
        elif kind == "redis":
            started = Server(tmp_path)
            ending.callback(started.process.wait)
            ending.callback(started.process.kill)
            url = f"redis://127.0.0.1:{started.port}"
        yield ending.enter_context(callgate.Store(url, timeout=30.0))


def test_engines_share_counters_by_the_name_of_their_namespace(store: callgate.Store) -> None:
    one, other = store.namespaced("one"), store.namespaced("other")
    for subject in (store, one, other):
        assert engine(subject, 1).evaluate("t").allowed
    for again in (one, store.namespaced("one"), other.namespaced("one")):
        assert engine(again, 1).evaluate("t").code == "limit_exceeded"
        assert asyncio.run(engine(again, 1).evaluate_async("t")).code == "limit_exceeded"
    # The name that a store has by itself is one as any other.
    assert store.namespace == "callgate"
    assert engine(one.namespaced("callgate"), 1).evaluate("t").code == "limit_exceeded"


def test_each_memory_url_has_counters_of_its_own() -> None:
    first, second = engine("memory", 1), engine("memory", 1)
    assert first.evaluate("t").allowed and second.evaluate("t").allowed
    with callgate.Store("memory") as shared, callgate.Store("memory") as apart:
        assert engine(shared, 1).evaluate("t").allowed and not engine(shared, 1).evaluate("t").allowed
        assert engine(apart, 1).evaluate("t").allowed


def test_counters_are_listed_and_reset_by_stores_and_engines(store: callgate.Store) -> None:
    tenant = store.namespaced("tenant")
    subjects = [engine(tenant), engine(store)]
    for calls, subject in enumerate(subjects, 2):
        assert all(subject.evaluate("t").allowed for _ in range(calls))
    assert [used(tenant), used(store), used(subjects[0])] == [[2], [3], [2]]
    (listed,) = tenant.counters()
    assert (listed.entry, listed.counter, listed.scope, listed.window) == ("t", "c", "global", "31622400s")
    assert listed.algorithm == "fixed" and listed.resets_at is not None and listed.resets_at.tzinfo is not None
    assert repr(listed) == "<LiveCounter t.c used=2>"
    assert tenant.reset_counter(listed) and not tenant.reset_counter(listed)
    assert [used(tenant), used(subjects[0]), used(store)] == [[], [], [3]]
    # A key is enough, in any process.
    assert subjects[1].reset_counter(listed.key) and used(store) == []
    for wrong, error in (("", ValueError), ("x" * 32, ValueError), (listed.key[:-1], ValueError), (7, TypeError)):
        with pytest.raises(error):
            store.reset_counter(wrong)  # type: ignore[arg-type]


def test_what_is_asked_of_a_closed_store_is_certainly_not_done(store: callgate.Store) -> None:
    tenant = store.namespaced("tenant")
    subjects = [engine(store), engine(tenant), engine(store.namespaced("tenant"))]
    held = [subject.evaluate("t").reservation for subject in subjects]
    # An engine does not close a store that it was given.
    subjects[0].close()
    assert [subject.evaluate("t").code for subject in subjects] == ["allowed"] * 3
    # A namespace is closed alone.
    tenant.close()
    assert [subject.evaluate("t").code for subject in subjects] == ["allowed", "store_unavailable", "allowed"]
    store.close()
    for _ in range(2):
        for subject, reservation in zip(subjects, held, strict=True):
            assert subject.evaluate("t").code == "store_unavailable"
            assert asyncio.run(subject.evaluate_async("t")).code == "store_unavailable"
            with pytest.raises(callgate.StoreError, match="closed"):
                subject.counters()
            with pytest.raises(callgate.StoreError, match="closed"):
                subject.purge()
            assert reservation is not None
            with pytest.raises(callgate.StoreError, match="closed"):
                reservation.finish("not_run")
            with pytest.raises(callgate.StoreError, match="closed"):
                asyncio.run(reservation.finish_async("not_run"))
            assert reservation.open, "certainly not given back"
        for call in (store.counters, lambda: store.namespaced("another"), lambda: store.reset_counter("0" * 32)):
            with pytest.raises(callgate.StoreError, match="closed"):
                call()
        store.close()


def test_an_engine_closes_the_store_that_it_opened(tmp_path: Path) -> None:
    with engine(f"sqlite://{tmp_path / 'counters.db'}") as own:
        assert own.evaluate("t").allowed
    assert own.evaluate("t").code == "store_unavailable"
    with engine("memory") as memory:
        assert memory.evaluate("t").allowed
    assert memory.evaluate("t").allowed, "its counters in memory go on"


def test_a_store_is_given_with_its_own_namespace_and_time_out(store: callgate.Store) -> None:
    with pytest.raises(TypeError, match="store_namespace"):
        callgate.Engine(policy(1), store=store, store_namespace="other")
    with pytest.raises(TypeError, match="store_timeout"):
        callgate.Engine(policy(1), store=store, store_timeout=2.0)
    with pytest.raises(TypeError, match="a URL or a Store"):
        callgate.Engine(policy(1), store=7)  # type: ignore[arg-type]


def test_stores_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(callgate.StoreURLError):
        callgate.Store("http://alice:hunter2@internal")
    for timeout in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match="timeout"):
            callgate.Store("memory", timeout=timeout)
    with pytest.raises(callgate.StoreError):
        callgate.Store(f"sqlite://{tmp_path / 'missing' / 'counters.db'}")


def test_a_store_shows_neither_its_path_nor_its_password(tmp_path: Path, server: Server) -> None:
    shown = [
        repr(callgate.Store("memory", namespace="mine")),
        repr(callgate.Store(f"sqlite://{tmp_path / 'hunter2.db'}")),
        repr(callgate.Store(f"redis://127.0.0.1:{server.port}").namespaced("a:b")),
    ]
    expected = ["memory namespace=\"mine\"", "sqlite namespace=\"callgate\"", "redis namespace=\"a:b\""]
    assert shown == [f"<Store {text}>" for text in expected]


def test_engines_of_many_threads_pass_exactly_the_limit(store: callgate.Store) -> None:
    tenants = [store.namespaced(f"tenant-{number}") for number in range(4)]
    engines = [[engine(tenant, 50) for tenant in tenants] for _ in range(8)]
    passed, start = [0] * len(engines), threading.Barrier(len(engines))

    def work(index: int) -> None:
        start.wait()
        for _ in range(25):
            passed[index] += sum(subject.evaluate("t").allowed for subject in engines[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(engines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 50 * len(tenants)
    assert [used(tenant) for tenant in tenants] == [[50]] * len(tenants)


def test_callbacks_of_engines_may_use_the_store(store: callgate.Store) -> None:
    """No lock is held while Python code runs."""
    seen: list[Decimal] = []
    heard = callgate.Engine(policy(9), store=store, on_decision=lambda record: seen.extend(used(store)))
    for _ in range(2):
        assert heard.evaluate("t").allowed
    assert seen == [1, 2]


def descriptors(path: Path) -> int:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(descriptor))
        except OSError:  # that of this very listing
            continue
    return sum(link.startswith(str(path)) for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not tell what is open")
def test_fifty_tenants_have_one_open_file_and_one_thread(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    tasks = Path("/proc/self/task")
    with callgate.Store(f"sqlite://{path}", timeout=30.0) as store:
        assert engine(store).evaluate("t").allowed
        assert asyncio.run(engine(store).evaluate_async("t")).allowed
        alone, threads = descriptors(path), len(list(tasks.iterdir()))
        assert alone > 0
        engines = [engine(store.namespaced(f"tenant-{number}")) for number in range(TENANTS)]
        assert all(subject.evaluate("t").allowed for subject in engines)

        async def all_at_once() -> None:
            decisions = await asyncio.gather(*(subject.evaluate_async("t") for subject in engines))
            assert [int(decision.counters[0].used) for decision in decisions] == [2] * TENANTS

        asyncio.run(all_at_once())
        assert (descriptors(path), len(list(tasks.iterdir()))) == (alone, threads)
    assert descriptors(path) == 0, "the file is closed with the store"


def clients(server: Server) -> int:
    told = subprocess.run(["redis-cli", "-p", str(server.port), "CLIENT", "LIST"], capture_output=True, text=True, check=True)
    return sum("cmd=client" not in line for line in told.stdout.splitlines())


def test_fifty_tenants_have_one_connection_of_each_kind(server: Server) -> None:
    store = callgate.Store(f"redis://127.0.0.1:{server.port}", timeout=30.0)
    engines = [engine(store.namespaced(f"tenant-{number}")) for number in range(TENANTS)]
    assert all(subject.evaluate("t").allowed for subject in engines)
    assert clients(server) == 1

    async def all_at_once() -> None:
        decisions = await asyncio.gather(*(subject.evaluate_async("t") for subject in engines))
        assert [int(decision.counters[0].used) for decision in decisions] == [2] * TENANTS

    asyncio.run(all_at_once())
    assert clients(server) == 2
    store.close()
    while clients(server) > 0:
        assert server.process.poll() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_forked_process_counts_on_in_every_namespace(kind: str, tmp_path: Path, server: Server) -> None:
    url = f"sqlite://{tmp_path / 'counters.db'}" if kind == "sqlite" else f"redis://127.0.0.1:{server.port}"
    with callgate.Store(url, timeout=30.0) as store:
        engines = [engine(store.namespaced(f"tenant-{number}")) for number in range(5)]
        assert all(subject.evaluate("t").allowed for subject in engines)
        assert all(asyncio.run(subject.evaluate_async("t")).allowed for subject in engines)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                passed = [subject.evaluate("t").allowed for subject in engines]
                passed += [asyncio.run(subject.evaluate_async("t")).allowed for subject in engines]
                # Closing here must not close what the parent has.
                store.close()
                passed += [engines[0].evaluate("t").code == "store_unavailable"]
                status = 0 if all(passed) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [int(subject.evaluate("t").counters[0].used) for subject in engines] == [5] * len(engines)
        if kind == "redis":
            assert clients(server) == 2, "the parent's connections are those it had"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_may_close_a_store_that_it_never_used(server: Server) -> None:
    store = callgate.Store(f"redis://127.0.0.1:{server.port}", timeout=30.0)
    subject = engine(store)
    assert subject.evaluate("t").allowed
    child = os.fork()
    if child == 0:
        try:
            store.close()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert subject.evaluate("t").allowed and clients(server) == 1


def test_the_interpreter_ends_with_a_store_that_is_open(tmp_path: Path) -> None:
    script = f"""
import asyncio, callgate
store = callgate.Store("sqlite://{tmp_path / 'counters.db'}")
engine = callgate.Engine.from_str("{{version: '1', default: deny, tools: {{t: }}}}", store=store.namespaced("a"))
assert engine.evaluate("t").allowed and asyncio.run(engine.evaluate_async("t")).allowed
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
