"""The scenarios of `spec/guards`, over servers of every SDK that this package guards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import anyio.abc
import callgate
from clients import SDK
from conftest import PROJECT
from guarded import GUARDS, Connection, Guarded, Tools
from guarded_http import HttpConnection, served
from line import Raw

# Guards whose SDK does not read `params.task`.
WITHOUT_TASKS = {"python-fastmcp"}
# Guards of this package that another environment, or nobody, tests here.
KNOWN = {"python-mcp1", "python-mcp2", "python-fastmcp", "python-streams", "node", "node-v2", "rmcp"}


def scenarios() -> Iterator[Any]:
    for path in sorted((PROJECT / "spec" / "guards").glob("*.json")):
        for scenario in json.loads(path.read_text("utf-8"))["scenarios"]:
            only, without = scenario.get("only", sorted(KNOWN)), scenario.get("except", [])
            assert KNOWN.issuperset(only) and KNOWN.issuperset(without), scenario["name"]
            for guard in GUARDS:
                # The guard of a connection has a server of the same SDK behind it.
                names = {guard, f"python-mcp{SDK}"} if guard == "python-streams" else {guard}
                if guard in only and names.isdisjoint(without):
                    for callback in ("plain", "stubborn") if scenario.get("approvals") else ("plain",):
                        name = f"{path.stem}: {scenario['name']} [{guard}, {callback}]"
                        yield pytest.param(guard, scenario, callback == "stubborn", id=name)


class Approvals:
    """The host's callback. A stubborn one takes its own cancellation for an approval."""

    def __init__(self, run: Run, stubborn: bool) -> None:
        self._run, self._stubborn = run, stubborn
        self._answered: dict[str, anyio.Event] = {}
        self._answers: dict[str, bool] = {}
        self.ended = anyio.Event()

    async def __call__(self, request: Any) -> bool:
        name = self._run.calling
        assert name is not None
        answered = self._answered[name] = anyio.Event()
        self._run.happened()
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


class Run:
    """One scenario, step by step."""

    def __init__(self, guard: str, scenario: Raw, stubborn: bool) -> None:
        policy = scenario["policy"]
        text = "\n".join(policy) if isinstance(policy, list) else json.dumps(policy)
        # Time stands still, so that a message which tells one can be compared.
        self.engine = callgate.Engine.from_str(text, clock=callgate.ManualClock(1_795_255_200.0))
        # What `explain` says of an empty counter: it may count the call itself.
        self.empty = {tool: self._use(tool).used for tool in scenario["tools"] if self._use(tool)}
        self.tools = Tools(scenario["tools"], self.happened)
        self.approvals = Approvals(self, stubborn)
        options = dict(scenario.get("options", {}))
        self.server_name = options.get("server_name")
        self.identity = scenario.get("identity")
        if self.identity is not None:
            options["identity"] = lambda context: self.identity
        if scenario.get("approvals"):
            options["on_approval"] = self.approvals
        self.guard = guard
        self.guarded = Guarded(guard, self.tools, self.engine, options)
        self.steps: list[Raw] = scenario["steps"]
        self.over = scenario.get("over")
        self.calls: dict[str, tuple[Any, int]] = {}
        self.calling: str | None = None
        self._happened = anyio.Event()

    def happened(self) -> None:
        """A handler ran, an approval is asked for, or an answer came."""
        self._happened.set()

    async def all(self) -> None:
        async with AsyncExitStack() as stack:
            if self.over == "http":
                self.url = await stack.enter_async_context(served(self.guarded.app()))
            else:
                await stack.enter_async_context(self.guarded.lifespan())
            self.tasks = await stack.enter_async_context(anyio.create_task_group())
            await self.connect(True)
            for step in self.steps:
                await self.step(dict(step))
            self.tasks.cancel_scope.cancel()

    async def step(self, step: Raw) -> None:
        expect, text = step.pop("expect", None), step.pop("text", "")
        about = {name: step.pop(name, None) for name in ("arguments", "task", "times", "as")}
        ((what, value),) = step.items()
        if what == "call":
            await self.call(value, about, expect, text)
        elif what == "answer":
            await self.answer(value, expect, text)
        else:
            await getattr(self, what)(value)

    async def call(self, tool: str, about: Raw, expect: str | None, text: str) -> None:
        params = {"name": tool, "arguments": about["arguments"]}
        if about["task"] is not None:
            params["task"] = about["task"]
        if about["as"] is not None:
            self.calling, self._happened = about["as"], anyio.Event()
            self.calls[about["as"]] = self.connection, await self.connection.request("tools/call", params)
            await self._happened.wait()
            return
        for _ in range(about["times"] or 1):
            number = await self.connection.request("tools/call", params)
            self.check(await self.connection.answer_to(number), expect, text, tool, about)

    async def answer(self, name: str, expect: str | None, text: str) -> None:
        connection, number = self.calls[name]
        if expect == "none":
            await self.settled()
            assert number not in connection.answers
        else:
            self.check(await connection.answer_to(number), expect, text, "")

    def check(self, answer: Raw, expect: str | None, text: str, tool: str, about: Raw | None = None) -> None:
        about = about or {}
        if expect == "error":
            assert text in answer["error"]["message"]
            return
        if about.get("task") is not None and self.guard not in WITHOUT_TASKS:
            decision = self.explained(tool, about["arguments"])
            error = {"code": callgate.MCP_DENIED, "message": decision.message, "data": decision.to_mcp_meta()}
            assert decision.message and text in decision.message
            assert (decision.code, answer["error"]) == (expect, error)
            return
        result = answer["result"]
        said = result["content"][0]["text"]
        assert text in said
        if expect in ("result", "tool_error"):
            assert result.get("isError", False) == (expect == "tool_error")
        elif expect == "invalid_args":
            assert result["isError"] and said.startswith("Arguments are not valid: ")
        elif expect is not None:
            decision = self.explained(tool, about.get("arguments"))
            assert (decision.code, result) == (expect, decision.to_mcp_result())

    def explained(self, tool: str, arguments: Any) -> callgate.Decision:
        return self.engine.explain(tool, arguments, self.identity, server=self.server_name).decision

    async def settled(self) -> None:
        """All that this process does of itself is done."""
        if self.over == "http":
            # The HTTP server's loop never rests. What a guard does takes a few turns of the event loop.
            for _ in range(100):
                await anyio.sleep(0)
        else:
            await anyio.wait_all_tasks_blocked()

    async def approve(self, name: str) -> None:
        self.approvals.answer(name, True)
        await self.settled()

    async def refuse(self, name: str) -> None:
        self.approvals.answer(name, False)
        await self.settled()

    async def finish(self, name: str) -> None:
        self.tools.finish.set()

    async def cancel(self, name: str) -> None:
        connection, number = self.calls[name]
        await connection.notify("notifications/cancelled", {"requestId": number})
        await self.settled()

    async def disconnect(self, _: bool) -> None:
        await self.connection.close()

    async def connect(self, _: bool) -> None:
        if self.over == "http":
            self.connection: Any = HttpConnection(self.url, self.happened)
            await self.connection.open(self.tasks)
        else:
            self.connection = Connection(self.happened)
            await self.connection.open(self.guarded, self.tasks)

    async def hang_up(self, name: str) -> None:
        connection, number = self.calls[name]
        connection.hang_up(number)
        # The server looks from time to time. One that does not notice fails at what follows.
        with anyio.move_on_after(5):
            await self.approvals.ended.wait()

    async def listed(self, names: list[str]) -> None:
        answer = await self.connection.answer_to(await self.connection.request("tools/list", {}))
        assert sorted(tool["name"] for tool in answer["result"]["tools"]) == names

    async def ran(self, times: dict[str, int]) -> None:
        assert {tool: self.tools.ran[tool] for tool in times} == times

    async def used(self, amounts: dict[str, str]) -> None:
        held = {}
        for tool in amounts:
            use, allowed = self._use(tool), self.engine.explain(tool).decision.allowed
            assert use is not None
            # A counter that refuses is shown as it stands.
            held[tool] = str(use.used - self.empty[tool] if allowed else use.used)
        assert held == amounts

    def _use(self, tool: str) -> Any:
        counters = self.engine.explain(tool).decision.counters
        return counters[0] if counters else None


@pytest.mark.parametrize(("guard", "scenario", "stubborn"), list(scenarios()))
def test_scenario(guard: str, scenario: Raw, stubborn: bool) -> None:
    async def main() -> None:
        with anyio.fail_after(60):
            await Run(guard, scenario, stubborn).all()

    anyio.run(main)


@pytest.mark.parametrize("raised", [RuntimeError("no list"), StopIteration()], ids=repr)
def test_a_call_is_refused_where_its_server_does_not_tell_the_schema(
    raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Unlisted(Tools):
        def listed(self) -> list[Raw]:
            raise raised

    async def main() -> None:
        tools = Unlisted({"t": {}}, lambda: None)
        # A server is asked for it only where the policy reads arguments.
        engine = callgate.Engine.from_str('{version: "1", default: deny, tools: {t: {require: [{path: args.n, op: eq, value: 1}]}}}')
        guarded = Guarded(f"python-mcp{SDK}", tools, engine, {})
        connection = Connection(lambda: None)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                await connection.open(guarded, tasks)
                call = await connection.request("tools/call", {"name": "t", "arguments": {"n": 1}})
                result = (await connection.answer_to(call))["result"]
                tasks.cancel_scope.cancel()
        assert result["isError"]
        assert result["content"][0]["text"] == "The call could not be checked against the policy"
        assert tools.ran == {"t": 0}

    anyio.run(main)
    assert "a call of 't' could not be decided" in caplog.text
    assert "the server did not tell the tool's input schema" in caplog.text
