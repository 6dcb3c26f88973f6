"""The host's side of a scenario of `spec/guards`: the engine, who calls, who approves, and what the handlers of a guarded server did.

In: a scenario, and the name that `spec/guards` gives the guard. Out: a `Guarded` server, and the steps that no client plays.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import anyio
import callgate
from callgate import _command
from callgate._native import _definition_digests
from conftest import policy_text
from guarded import Connection, Guarded, Tools
from line import Raw


def listed_by(guard: str, scenario: Raw) -> list[Raw]:
    """What the server lists: definitions as a client gets them, by a policy that hides nothing."""
    found: list[Raw] = []

    async def main() -> None:
        engine = callgate.Engine.from_str('{version: "1", default: allow}')
        guarded = Guarded(guard, Tools(scenario, lambda: None), engine, {})
        connection = Connection(lambda: None, scenario.get("era"))
        async with guarded.lifespan(), anyio.create_task_group() as tasks:
            await connection.open(guarded, tasks)
            cursor: Any = ""
            while cursor is not None:
                request = await connection.request("tools/list", {"cursor": cursor} if cursor else {})
                page = (await connection.answer_to(request))["result"]
                found.extend(page["tools"])
                cursor = page.get("nextCursor")
            tasks.cancel_scope.cancel()

    # An event loop may run in this thread.
    thread = Thread(target=anyio.run, args=(main,))
    thread.start()
    thread.join()
    return found


def lock_of(server: str, definitions: list[Raw]) -> str:
    """The text of a lock."""

    def entry(definition: Raw) -> Raw:
        found = _definition_digests(json.dumps(definition))
        assert found is not None
        (_, digest), *fields = found
        about = {"server": server, "name": definition["name"], "class": "Unknown", "severity": "high"}
        return {**about, "digest": digest, "fields": dict(fields), "definition": definition}

    origin = {"name": server, "protocol": "", "complete": True, "date": "2026-11-30"}
    return json.dumps({"version": "1", "servers": [origin], "tools": [entry(definition) for definition in definitions]})


class Approvals:
    """The host's callback. A stubborn one takes its own cancellation for an approval."""

    def __init__(self, hosted: Hosted, stubborn: bool) -> None:
        self._hosted, self._stubborn = hosted, stubborn
        self._answered: dict[str, anyio.Event] = {}
        self._answers: dict[str, bool] = {}
        self.ended = anyio.Event()

    @property
    def asks(self) -> bool:
        return bool(self._answered)

    async def __call__(self, request: Any) -> bool:
        name = self._hosted.calling
        assert name is not None
        answered = self._answered[name] = anyio.Event()
        self._hosted.happened()
        try:
            await answered.wait()
        except anyio.get_cancelled_exc_class():
            if not self._stubborn:
                raise
            return True
        finally:
            self.ended.set()
        return self._answers[name]

    def answer(self, name: str, given: bool) -> None:
        self._answers[name] = given
        self._answered[name].set()


class Hosted:
    def __init__(self, guard: str, scenario: Raw, stubborn: bool = False) -> None:
        self.kind = scenario.get("approvals")
        # Time stands still, so that a message which tells one can be compared. A person who answers in another process has a clock.
        where: Raw = {"clock": callgate.ManualClock(1_795_255_200.0)}
        if self.kind == "store":
            self._folder = TemporaryDirectory()
            self._store = f"sqlite://{self._folder.name}/counters.db"
            where = {"store": self._store}
        self.engine = callgate.Engine.from_str(policy_text(scenario["policy"]), **where)
        self.tools = Tools(scenario, self.happened)
        self.approvals = Approvals(self, stubborn)
        options = dict(scenario.get("options", {}))
        if "lock" in scenario:
            self._locks = TemporaryDirectory()
            options["lock"] = f"{self._locks.name}/callgate.lock"
            listed = [tool for tool in listed_by(guard, scenario) if tool["name"] in scenario["lock"]]
            Path(options["lock"]).write_text(lock_of(options.get("server_name", "server"), listed), "utf-8")
        self.server_name = options.get("server_name")
        # Of the step that runs.
        self.identity = self.known = scenario.get("identity")
        if self.known is not None:
            options["identity"] = lambda context: self.identity
        if self.kind is True:
            options["on_approval"] = self.approvals
        elif self.kind is not None:
            options["on_approval"] = getattr(callgate, f"approve_by_{self.kind}")()
        self.guard = guard
        self.guarded = Guarded(guard, self.tools, self.engine, options)
        self.calling: str | None = None
        self._happened: anyio.Event | None = None

    def happened(self) -> None:
        """A handler ran, an approval is asked for, or an answer came."""
        if self._happened is not None:
            self._happened.set()

    def begins(self, name: str) -> None:
        """The call with this name is about to be sent: what happens now is its."""
        self.calling = self.tools.calling = name
        self._happened = anyio.Event()

    async def began(self) -> None:
        assert self._happened is not None
        await self._happened.wait()

    async def noticed(self) -> None:
        """The client has left: a callback that asks hears of it, or hangs on."""
        with anyio.move_on_after(5):
            while not self.approvals.ended.is_set() and self.approvals.asks:
                await anyio.sleep(0.01)

    def finish(self, name: str) -> None:
        self.tools.finish[name].set()

    def answer(self, name: str, given: bool) -> None:
        """The callback answers."""
        self.approvals.answer(name, given)

    async def answer_in_store(self, filed: str, given: bool) -> None:
        program = [str(_command.find()), "approvals", "approve" if given else "deny", filed]
        await anyio.run_process([*program, "--by", "ann", "--store", self._store])

    def change(self, changes: Raw) -> None:
        self.tools.change(changes)

    def reload(self, policy: Any) -> None:
        self.engine.replace(callgate.Policy.from_str(policy_text(policy)))

    def ran(self, times: dict[str, int]) -> dict[str, int]:
        """How often these handlers ran."""
        return {tool: self.tools.ran[tool] for tool in times}

    def used(self, amounts: dict[str, str]) -> dict[str, str]:
        """What the counters of these entries hold."""
        held = {counter.entry: str(counter.used) for counter in self.engine.counters()}
        return {tool: held.get(tool, "0") for tool in amounts}
