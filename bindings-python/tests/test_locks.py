"""Locks of definitions: the digests of `spec/lock`, and what a guard says of a lock that it cannot use."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the guards' tests run where an SDK is installed")

import anyio
import callgate
import callgate.mcp
from conftest import PROJECT
from guarded import GUARDS, Connection, Guarded, Tools
from hosted import lock_of
from line import Raw

FILES = [json.loads(path.read_text("utf-8")) for path in sorted((PROJECT / "spec" / "lock").glob("*.json"))]
CASES = [pytest.param(file, case, id=case["name"]) for file in FILES for case in file["cases"]]
ALLOW = '{version: "1", default: allow}'


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["about"])
def test_digests_are_those_of_the_spec(file: Raw) -> None:
    assert callgate.definition_digests(file["definition"]) == file["digests"]
    assert callgate.definition_digests(json.loads(file["definition"])) == file["digests"]


@pytest.mark.parametrize(("file", "case"), CASES)
def test_what_counts_as_a_change(file: Raw, case: Raw) -> None:
    text = file["definition"]
    for old, new in case["replace"]:
        assert old in text
        text = text.replace(old, new, 1)
    found = callgate.definition_digests(text)
    if case["expect"] == "refused":
        assert found is None
        return
    assert found is not None
    before = file["digests"]
    changed = [name for name in sorted({*found, *before} - {"digest"}) if found.get(name) != before.get(name)]
    assert changed == case.get("fields", [])
    if "also" not in case:
        assert (found["digest"] == before["digest"]) == (case["expect"] == "same")


def locked(path: Path, *servers: str) -> Path:
    """A lock of the tool `t` on each of these servers."""
    texts = [json.loads(lock_of(server, [{"name": "t", "inputSchema": {"type": "object"}}])) for server in servers]
    merged = {"version": "1", "servers": [s for text in texts for s in text["servers"]], "tools": [t for text in texts for t in text["tools"]]}
    path.write_text(json.dumps(merged), "utf-8")
    return path


def begin(guard: str, **options: Any) -> None:
    """Begins a guard, and a connection where that is what it guards."""

    async def main() -> None:
        guarded = Guarded(guard, Tools({"tools": {"t": {}}}, lambda: None), callgate.Engine.from_str(ALLOW), options)
        async with anyio.create_task_group() as tasks:
            await Connection(lambda: None).open(guarded, tasks)
            tasks.cancel_scope.cancel()

    anyio.run(main)


def failure(error: BaseException) -> BaseException:
    """What is inside of groups."""
    while (inside := getattr(error, "exceptions", None)) is not None:
        error = inside[0]
    return error


@pytest.mark.parametrize("name", GUARDS)
def test_a_lock_that_cannot_be_used_begins_no_guard(name: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.lock"
    broken.write_text(locked(tmp_path / "good.lock", "a").read_text().replace("sha256:", "sha255:", 1), "utf-8")
    two = locked(tmp_path / "two.lock", "a", "b")
    for options, kind, words in (
        ({"lock": tmp_path / "none.lock"}, FileNotFoundError, "none.lock"),
        ({"lock": broken}, callgate.LockError, "line 1: tool `t` has a `digest` that is not"),
        ({"lock": two}, callgate.LockError, "name one of `a`, `b`"),
        ({"lock": two, "server_name": "c"}, callgate.LockError, "no server `c`"),
        ({"lock": two, "server_name": "a", "on_drift": "ask"}, ValueError, "on_drift"),
    ):
        with pytest.raises(BaseException) as raised:
            begin(name, **options)
        found = failure(raised.value)
        assert isinstance(found, kind) and words in str(found), found
    begin(name, lock=two, server_name="b", on_drift="deny")


@pytest.mark.parametrize("name", GUARDS)
def test_a_refused_call_has_a_record_and_is_warned_of(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records: list[Any] = []
    tools = Tools({"tools": {"t": {}, "new": {}}}, lambda: None)
    options = {"lock": locked(tmp_path / "callgate.lock", "a"), "audit": records.append, "on_drift": "deny"}

    async def main() -> None:
        guarded = Guarded(name, tools, callgate.Engine.from_str(ALLOW), options)
        connection = Connection(lambda: None)
        with anyio.fail_after(60):
            async with guarded.lifespan(), anyio.create_task_group() as tasks:
                await connection.open(guarded, tasks)
                for _ in range(2):
                    call = await connection.request("tools/call", {"name": "new", "arguments": {}})
                    result = (await connection.answer_to(call))["result"]
                    assert result["_meta"]["callgate/code"] == "definition_changed"
                tasks.cancel_scope.cancel()

    with caplog.at_level(logging.WARNING, "callgate"):
        anyio.run(main)
    assert tools.ran["new"] == 0
    refused = [(record["name"], record["refusal"], record["decision"], record["charge"]) for record in records if record["kind"] == "call"]
    assert refused == [("new", "definition_changed", None, "none")] * 2
    assert caplog.text.count("tool 'new' is not as it was approved") == 1
