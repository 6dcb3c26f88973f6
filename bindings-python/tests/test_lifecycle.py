"""An engine's life: collected, forgetting what has passed, watching a file, and in a process that forks."""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import callgate
import pytest
from subject import NOW, POLICY, engine


def test_an_engine_in_a_cycle_is_collected() -> None:
    class Server:
        def __init__(self) -> None:
            self.engine = engine(on_decision=self.audit)

        def audit(self, record: callgate.AuditRecord) -> None: ...

    server = Server()
    gone = weakref.ref(server)
    del server
    gc.collect()
    assert gone() is None


# Forgetting


BRIEF = """{version: "1", default: deny, tools: {
    brief: {limits: [{counter: n, window: hour, max: 9, scope: identity}]},
    long: {limits: [{counter: n, window: day, max: 9, scope: identity}]}}}"""


def test_what_no_call_can_see_any_more_is_forgotten() -> None:
    clock = callgate.ManualClock(NOW)
    subject = callgate.Engine.from_str(BRIEF, clock=clock)
    for caller in range(1_000):
        assert subject.evaluate("brief", None, f"caller {caller}").allowed
    assert subject.evaluate("long", None, "alice").allowed
    assert subject.purge() == 0, "all of it is live"
    clock.advance(3600)
    assert [subject.purge(), subject.purge()] == [1_000, 0]
    assert subject.evaluate("long", None, "alice").counters[0].used == 2


def test_a_clock_that_fails_forgets_nothing() -> None:
    times: list[Any] = [NOW - 1e9, "noon", NOW - 1e9]
    subject = callgate.Engine.from_str(BRIEF, clock=lambda: times.pop(0))
    assert subject.evaluate("brief", None, "alice").allowed
    with pytest.raises(TypeError):
        subject.purge()
    assert subject.evaluate("brief", None, "alice").counters[0].used == 2


# Reloading


def test_watching_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    news: list[Any] = []
    heard = threading.Condition()

    def on_reload(change: callgate.Policy | Exception) -> None:
        with heard:
            news.append(change)
            heard.notify()

    def wait_for(count: int) -> Any:
        with heard:
            assert heard.wait_for(lambda: len(news) >= count, 30)
        return news[count - 1]

    with caplog.at_level(logging.INFO, "callgate"):
        subject = callgate.Engine.from_file(path, watch=0.05, on_reload=on_reload, on_reload_error=on_reload)
        assert not subject.visible("secret")
        old = subject.policy.digest
        path.write_text("tools: [")
        assert isinstance(wait_for(1), callgate.PolicyError)
        assert subject.policy.digest == old and not subject.visible("secret")
        path.write_text(POLICY.replace("hide: [secret]\n", ""))
        changed = wait_for(2)
        assert changed.digest == subject.policy.digest != old and subject.visible("secret")
        subject.close()
    assert "the old one stays in force" in caplog.text and "policy reloaded from" in caplog.text


WARNED = """\
version: "1"
default: deny
tools:
  pay: {}
  Pay: {}
"""


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_warnings_of_a_policy_are_logged_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(WARNED)
    loads: dict[str, list[Callable[[], callgate.Policy]]] = {
        str(path): [lambda: callgate.Policy.from_file(path), lambda: callgate.Engine.from_file(str(path)).policy],
        "<string>": [lambda: callgate.Policy.from_str(WARNED), lambda: callgate.Engine.from_str(WARNED).policy],
    }
    for where, ways in loads.items():
        for load in ways:
            caplog.clear()
            policy = load()
            assert [warning.code for warning in policy.warnings] == ["confusable_name"] * 2
            assert warned(caplog) == [f"{where}:{warning}" for warning in policy.warnings]
            assert warned(caplog)[0].startswith(f"{where}:4:3: warning[confusable_name]: ")
            assert "\n  help: names compare exactly" in warned(caplog)[0]
            assert [vars(record)["callgate"].line for record in caplog.records] == [4, 5]
    caplog.clear()
    callgate.Policy.from_str(POLICY)
    assert warned(caplog) == []


def test_a_log_filter_that_raises_keeps_no_policy_from_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: logging.LogRecord) -> bool:
        raise ValueError("a broken filter")

    raised: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: raised.append(str(unraisable.exc_value)))
    logger = logging.getLogger("callgate")
    logger.addFilter(broken)
    try:
        assert len(callgate.Policy.from_str(WARNED).warnings) == 2
    finally:
        logger.removeFilter(broken)
    assert raised == ["a broken filter"]


def test_every_reload_is_logged_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Trap 41: half a file is refused and said; other warnings are said and refuse nothing."""
    path, beside = tmp_path / "policy.yaml", tmp_path / "beside"
    path.write_text(POLICY)
    news: queue.Queue[callgate.Policy | Exception] = queue.Queue()
    subject = callgate.Engine.from_file(path, watch=0.02, on_reload=news.put, on_reload_error=news.put)

    def replace(text: str) -> callgate.Policy | Exception:
        caplog.clear()
        beside.write_text(text)
        beside.rename(path)
        return news.get(timeout=30)

    with caplog.at_level(logging.INFO, "callgate"):
        old = subject.policy.digest
        for text, code in {
            "": "empty_policy",
            'version: "1"\n': "empty_policy",
            "default: deny\n": "missing_version",
            'version: "1"\nhide: [secret]\n': "missing_default",
            'version: "1"\ndefault: deny\ntools: {pay: }\n': "null_entry",
            'version: "1"\ndefault: deny\ntools: {pay: {rules: }}\n': "null_rules",
        }.items():
            error = replace(text)
            assert isinstance(error, callgate.PolicyError) and error.code == code
            assert subject.policy.digest == old
            [record] = caplog.records
            assert record.levelno == logging.ERROR and str(error) in record.getMessage()
            assert str(path) in record.getMessage() and "help: " in record.getMessage()

        policy = replace(WARNED)
        assert isinstance(policy, callgate.Policy) and policy.digest == subject.policy.digest != old
        assert [warning.code for warning in policy.warnings] == ["confusable_name"] * 2
        levels = [(record.levelno, record.getMessage().split(":")[0]) for record in caplog.records]
        assert levels == [(logging.INFO, f"policy reloaded from {path}"), *[(logging.WARNING, str(path))] * 2]
    subject.close()


def test_an_on_reload_that_raises_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    heard: queue.Queue[object] = queue.Queue()

    def on_reload(change: object) -> None:
        heard.put(change)
        raise RuntimeError("no such reload")

    with caplog.at_level(logging.ERROR, "callgate"):
        subject = callgate.Engine.from_file(path, watch=0.02, on_reload=on_reload)
        for turn in range(2):
            path.write_text(f"{POLICY}\n# {turn}\n")
            assert isinstance(heard.get(timeout=30), callgate.Policy), "the watcher goes on"
        subject.close()
    raised = [record for record in caplog.records if record.getMessage() == "on_reload raised"]
    assert raised and all(record.exc_info is not None for record in raised)


def test_an_on_reload_that_hangs_holds_up_no_reload_and_no_other_engine(tmp_path: Path) -> None:
    paths = [tmp_path / "hangs.yaml", tmp_path / "goes-on.yaml"]
    for path in paths:
        path.write_text(POLICY)
    let_go = threading.Event()
    heard: queue.Queue[object] = queue.Queue()

    def hang(change: object) -> None:
        let_go.wait(30)

    hangs = callgate.Engine.from_file(paths[0], watch=0.02, on_reload=hang)
    goes_on = callgate.Engine.from_file(paths[1], watch=0.02, on_reload=heard.put)
    for tool in ("one", "two"):
        for path in paths:
            path.write_text(POLICY.replace("hide: [secret]", f"hide: [{tool}]"))
        assert isinstance(heard.get(timeout=30), callgate.Policy)
        for _ in range(3000):
            if not hangs.visible(tool):
                break
            time.sleep(0.01)
        assert not hangs.visible(tool) and not goes_on.visible(tool)
    assert not let_go.is_set()
    let_go.set()
    hangs.close()
    goes_on.close()


def test_dropping_a_watched_engine_waits_for_no_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    entered = threading.Event()

    def on_reload(change: object) -> None:
        entered.set()

    for turn in range(5):
        entered.clear()
        subject = callgate.Engine.from_file(path, watch=0.01, on_reload=on_reload)
        path.write_text(f"{POLICY}\n# {turn}\n")
        assert entered.wait(30)
        # The watcher's thread may want the GIL at this moment.
        del subject
        gc.collect()


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forks(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    reader, writer = os.pipe()
    child_pid = 0
    heard = threading.Event()

    def on_reload(change: object) -> None:
        heard.set()

    subject = callgate.Engine.from_file(path, watch=0.05, on_reload=on_reload, clock=callgate.ManualClock(NOW))
    assert subject.evaluate("pay", {"amount": 60}).allowed
    child_pid = os.fork()
    if child_pid == 0:
        try:
            # In-memory counters are a copy: what the parent charged before counts, what it charges later does not.
            first = subject.evaluate("pay", {"amount": 40}).allowed
            second = subject.evaluate("pay", {"amount": 1}).allowed
            path.write_text(POLICY.replace("hide: [secret]\n", ""))
            reloaded = heard.wait(30) and subject.visible("secret")
            del subject
            os.write(writer, json.dumps([first, second, reloaded]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    os.waitpid(child_pid, 0)
    assert json.loads(answer) == [True, False, True]
    assert subject.evaluate("pay", {"amount": 40}).allowed
    assert heard.wait(30), "the parent's own watcher goes on"
    subject.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_sqlite_counters_are_shared_with_a_forked_process(tmp_path: Path) -> None:
    policy = "version: '1'\ndefault: deny\ntools: {pay: {limits: [{counter: n, window: month, max: 3}]}}"
    store = f"sqlite://{tmp_path}/counters.db"

    def opened() -> callgate.Engine:
        return callgate.Engine.from_str(policy, store=store, store_timeout=30, clock=callgate.ManualClock(NOW))

    subject = opened()
    assert subject.evaluate("pay").allowed
    answer_reader, answer_writer = os.pipe()
    closed_reader, closed_writer = os.pipe()
    child_pid = os.fork()
    if child_pid == 0:
        try:
            first = subject.evaluate("pay").allowed
            os.write(answer_writer, b"1" if first else b"0")
            # The parent closes the file, as the last one that had it open before the fork: the child's hold on it must be
            # its own, or the log would be taken away under it.
            os.read(closed_reader, 1)
            for _ in range(2):
                os.write(answer_writer, b"1" if subject.evaluate("pay").allowed else b"0")
        finally:
            os._exit(0)
    os.close(answer_writer)
    assert os.read(answer_reader, 1) == b"1"
    del subject
    gc.collect()
    os.write(closed_writer, b"x")
    with os.fdopen(answer_reader) as answers:
        assert answers.read() == "10"
    os.waitpid(child_pid, 0)
    decision = opened().evaluate("pay")
    assert not decision.allowed
    assert decision.counters[0].used == 3
