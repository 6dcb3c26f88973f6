"""The scenarios of `spec/guards`, over servers of every SDK that this package guards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import anyio.abc
import callgate
from callgate._native import _changed
from clients import SDK
from conftest import PROJECT
from guarded import GUARDS, Connection, Guarded, Tools
from guarded_http import HttpConnection, served
from hosted import Hosted
from line import Raw

pytestmark = pytest.mark.filterwarnings("ignore:.*as of 2026-07-28")
# What may stand in a step beside what it does.
ABOUT = ("arguments", "params", "task", "progress", "identity", "times", "at_once", "expect", "text", "as", "state", "of", "cache")
# Lists, by their members and by what names an item.
LISTS = {
    "tools/list": ("tools", "name"),
    "resources/list": ("resources", "uri"),
    "prompts/list": ("prompts", "name"),
}
# Guards whose SDK does not read `params.task`.
WITHOUT_TASKS = {"python-fastmcp"}
# Guards of this package that another environment, or nobody, tests here.
KNOWN = {"python-mcp1", "python-mcp2", "python-fastmcp", "python-streams", "node", "node-v2", "rmcp", "gateway"}
UNCHECKED = "The call could not be checked against the policy"


def scenarios() -> Iterator[Any]:
    for path in sorted((PROJECT / "spec" / "guards").glob("*.json")):
        for scenario in json.loads(path.read_text("utf-8"))["scenarios"]:
            only, without = scenario.get("only", sorted(KNOWN)), scenario.get("except", {})
            assert KNOWN.issuperset(only) and KNOWN.issuperset(without), scenario["name"]
            for guard in GUARDS:
                # The guard of a connection has a server of the same SDK behind it, which cannot do more than it can.
                behind = without.get(f"python-mcp{SDK}", "") if guard == "python-streams" else ""
                if guard in only and guard not in without and not behind.startswith("1.x of the SDK"):
                    for over in transports(guard, scenario):
                        for callback in ("plain", "stubborn") if scenario.get("approvals") is True else ("plain",):
                            name = f"{path.stem}: {scenario['name']} [{guard}, {over}, {callback}]"
                            yield pytest.param(guard, {**scenario, "over": over}, callback == "stubborn", id=name)


def transports(guard: str, scenario: Raw) -> list[str]:
    """A pair of streams, and HTTP where the guard has it. There, no connection is closed, and each request's stream ends with an answer."""
    if "over" in scenario:
        return [scenario["over"]]
    closes = any("disconnect" in step or step.get("expect") == "none" for step in scenario["steps"])
    return ["streams"] if guard == "python-streams" or closes else ["streams", "http"]


class Call:
    """A request of the client, and what came of it."""

    def __init__(self, method: str, params: Raw, connection: Any, identity: Any) -> None:
        self.method, self.params, self.connection, self.identity = method, params, connection, identity
        self.number = 0
        # The last result that asked for input, and the most progress that was told.
        self.asked: Raw | None = None
        self.told = -1.0

    async def send(self) -> None:
        self.number = await self.connection.request(self.method, self.params)

    async def answered(self) -> Raw:
        answer: Raw = await self.connection.answer_to(self.number)
        return answer

    def is_of(self, other: Call) -> bool:
        """Whether this is another round of that call."""
        return bool(self.params["arguments"] == other.params["arguments"])

    def progress(self) -> float:
        token = self.params["_meta"]["progressToken"]
        told = [message["params"] for message in self.connection.seen if message["method"] == "notifications/progress"]
        return max((params["progress"] for params in told if params["progressToken"] == token), default=-1.0)


class Run:
    """One scenario, step by step."""

    def __init__(self, guard: str, scenario: Raw, stubborn: bool) -> None:
        self.host = Hosted(guard, scenario, stubborn)
        self.steps: list[Raw] = scenario["steps"]
        self.over = scenario["over"]
        self.era = scenario.get("era")
        self.calls: dict[str, Call] = {}

    async def all(self) -> None:
        async with AsyncExitStack() as stack:
            if self.over == "http":
                self.url = await stack.enter_async_context(served(self.host.guarded.app()))
            else:
                await stack.enter_async_context(self.host.guarded.lifespan())
            self.tasks = await stack.enter_async_context(anyio.create_task_group())
            await self.connect(True)
            for number, step in enumerate(self.steps):
                try:
                    await self.step(dict(step))
                except Exception as error:
                    error.add_note(f"in step {number}: {json.dumps(step)}")
                    raise
            self.tasks.cancel_scope.cancel()

    async def step(self, step: Raw) -> None:
        about = {name: step.pop(name, None) for name in ABOUT}
        self.host.identity = about["identity"] or self.host.known
        ((what, value),) = step.items()
        if what in ("call", "request", "answer", "round", "listed"):
            await getattr(self, what)(value, about)
        else:
            await getattr(self, what)(value)

    async def call(self, tool: str, about: Raw) -> None:
        params = {"name": tool, "arguments": about["arguments"]}
        if about["task"] is not None:
            params["task"] = about["task"]
        if about["progress"]:
            params["_meta"] = {"progressToken": f"progress of {about['as']}"}
        made = Call("tools/call", params, self.connection, self.host.identity)
        if about["as"] is not None:
            self.host.begins(about["as"])
            self.calls[about["as"]] = made
            await made.send()
            await self.host.began()
        elif about["at_once"] is not None:
            calls = [Call("tools/call", params, self.connection, self.host.identity) for _ in range(about["at_once"])]
            for one in calls:
                await one.send()
            kinds = Counter([self.kind_of(await one.answered()) for one in calls])
            assert kinds == about["expect"]
        else:
            await self.repeat(made, about)

    async def request(self, method: str, about: Raw) -> None:
        await self.repeat(Call(method, about["params"], self.connection, self.host.identity), about)

    async def repeat(self, made: Call, about: Raw) -> None:
        for _ in range(about["times"] or 1):
            await made.send()
            self.check(made, await made.answered(), about)

    async def answer(self, name: str, about: Raw) -> None:
        made = self.calls[name]
        if about["expect"] == "none":
            await self.settled()
            assert made.number not in made.connection.answers
        else:
            self.check(made, await made.answered(), about)

    async def round(self, name: str, about: Raw, action: str = "accept") -> None:
        made = self.calls[name]
        if made.asked is None:
            made.asked = (await made.answered())["result"]
        content = {"which": "this"} if action == "accept" else {}
        answers = {key: {"action": action, "content": content} for key in made.asked.get("inputRequests", {})}
        state = about.get("state") or made.asked.get("requestState")
        params = {**made.params, "inputResponses": answers, "requestState": state}
        if about.get("arguments") is not None:
            params["arguments"] = about["arguments"]
        again = Call("tools/call", params, self.connection, self.host.identity)
        await again.send()
        answer = await again.answered()
        if about.get("expect") is not None:
            self.check(again, answer, about)
        if about.get("expect") in (None, "input_required") and again.is_of(made):
            # The call goes on from here.
            self.calls[name] = again
            again.asked = answer["result"] if self.kind_of(answer) == "input_required" else made.asked

    def kind_of(self, answer: Raw) -> str:
        if "error" in answer:
            return str(answer["error"].get("data", {}).get("callgate/code", "error"))
        result = answer["result"]
        kind = "tool_error" if result.get("isError") else "result"
        if result.get("resultType") == "input_required":
            kind = "input_required"
        return str((result.get("_meta") or {}).get("callgate/code", kind))

    def check(self, made: Call, answer: Raw, about: Raw) -> None:
        expect, text = about["expect"], about["text"] or ""
        if "error" in answer:
            said = answer["error"]["message"]
        elif "content" in answer["result"]:
            said = answer["result"]["content"][0]["text"]
        else:
            said = json.dumps(answer["result"], ensure_ascii=False)
        assert text in said
        if expect in ("result", "tool_error", "error", "input_required"):
            assert self.kind_of(answer) == expect, answer
        elif expect == "failed":
            assert "error" in answer or answer["result"].get("isError"), answer
        elif expect == "unchecked":
            assert (self.kind_of(answer), said) == ("tool_error", UNCHECKED)
        elif self.host.kind == "store" and expect == "approval_required":
            # A line follows: where the call waits.
            assert self.kind_of(answer) == expect and said.splitlines()[0] == self.explained(made).message
        elif expect == "definition_changed":
            self.changed(made, answer)
        elif expect == "invalid_args":
            assert answer["result"]["isError"] and said.startswith("Arguments are not valid: ")
        elif expect is not None:
            self.refused(made, answer, expect)

    def changed(self, made: Call, answer: Raw) -> None:
        """The guard refused a tool that is not as it was approved (G13.3)."""
        told, message = _changed(made.params["name"])
        expected = json.loads(told)
        if made.params.get("task") is not None and self.host.guard not in WITHOUT_TASKS:
            assert answer.get("error") == {"code": callgate.MCP_DENIED, "message": message, "data": expected["_meta"]}
            return
        result = deepcopy(answer["result"])
        if self.era is not None:
            assert result.pop("resultType", None) == "complete"
            result["_meta"].pop("io.modelcontextprotocol/serverInfo", None)
        assert result == expected

    def refused(self, made: Call, answer: Raw, expect: str) -> None:
        """The guard refused, and told what it has to."""
        decision = self.explained(made)
        assert decision.code == expect and decision.message
        task = made.params.get("task") is not None and self.host.guard not in WITHOUT_TASKS
        if task or made.method != "tools/call":
            error = {"code": callgate.MCP_DENIED, "message": decision.message, "data": decision.to_mcp_meta()}
            assert answer.get("error") == error
            return
        result = deepcopy(answer["result"])
        if self.era is not None:
            # What the protocol, and the SDK for the server, say of each result.
            assert result.pop("resultType", None) == "complete"
            result["_meta"].pop("io.modelcontextprotocol/serverInfo", None)
        expected = decision.to_mcp_result() or {}
        if self.host.kind == "store" and expect == "approval_required":
            # Where the filed call stands is told beside.
            name = result["_meta"].pop("callgate/approval_id")
            (said,) = result.pop("content")
            assert said["text"].startswith(f"{decision.message}\n") and name in said["text"]
            del expected["content"]
        assert result == expected

    def explained(self, made: Call) -> callgate.Decision:
        params = made.params
        if made.method != "tools/call":
            # A request that is refused charges nothing.
            return self.host.engine.evaluate_request(made.method, params, made.identity, server=self.host.server_name)
        return self.host.engine.explain(params["name"], params["arguments"], made.identity, server=self.host.server_name).decision

    async def settled(self) -> None:
        """All that this process does of itself is done."""
        if self.over == "http":
            # The HTTP server's loop never rests. What a guard does takes a few turns of the event loop.
            for _ in range(100):
                await anyio.sleep(0)
        else:
            await anyio.wait_all_tasks_blocked()

    async def approve(self, name: str, given: bool = True) -> None:
        if self.host.kind is True:
            self.host.answer(name, given)
        elif self.host.kind == "store":
            filed = (await self.calls[name].answered())["result"]["_meta"]["callgate/approval_id"]
            await self.host.answer_in_store(filed, given)
        elif self.era is not None:
            await self.round(name, {}, "accept" if given else "decline")
        else:
            question = self.connection.questions.pop(0)
            answer = {"action": "accept", "content": {}} if given else {"action": "decline"}
            await self.connection.write({"id": question["id"], "result": answer})
        await self.settled()

    async def refuse(self, name: str) -> None:
        await self.approve(name, False)

    async def finish(self, name: str) -> None:
        self.host.finish(name)

    async def cancel(self, name: str) -> None:
        made = self.calls[name]
        await made.connection.notify("notifications/cancelled", {"requestId": made.number})
        await self.settled()

    async def progressed(self, name: str) -> None:
        made = self.calls[name]
        with anyio.fail_after(3):
            while (told := made.progress()) <= made.told:
                await anyio.sleep(0.01)
        made.told = told

    async def disconnect(self, _: bool) -> None:
        await self.connection.close()

    async def connect(self, _: bool) -> None:
        if self.over == "http":
            self.connection: Any = HttpConnection(self.url, self.host.happened, self.era)
            await self.connection.open(self.tasks)
        else:
            self.connection = Connection(self.host.happened, self.era)
            await self.connection.open(self.host.guarded, self.tasks)

    async def hang_up(self, name: str) -> None:
        made = self.calls[name]
        made.connection.hang_up(made.number)
        # The server looks from time to time. One that does not notice fails at what follows.
        with anyio.move_on_after(5):
            await self.host.approvals.ended.wait()

    async def change(self, changes: Raw) -> None:
        self.host.change(changes)

    async def reload(self, policy: Any) -> None:
        self.host.reload(policy)
        await self.settled()

    async def listed(self, names: list[str], about: Raw) -> None:
        method = about["of"] or "tools/list"
        member, key = LISTS[method]
        found, cursor = [], None
        while True:
            page = Call(method, {} if cursor is None else {"cursor": cursor}, self.connection, self.host.identity)
            await page.send()
            result = (await page.answered())["result"]
            found += [item[key] for item in result[member]]
            for name, value in (about["cache"] or {}).items():
                assert result[name] == value, name
            if (cursor := result.get("nextCursor")) is None:
                break
        assert sorted(found) == names

    async def seen(self, times: dict[str, int]) -> None:
        await self.settled()

        def counted() -> dict[str, int]:
            methods = Counter(message["method"] for message in self.connection.seen)
            return {method: methods[method] for method in times}

        # Over HTTP they are still on their way.
        with anyio.move_on_after(5 if self.over == "http" else 0):
            while counted() != times:
                await anyio.sleep(0.01)
        assert counted() == times

    async def ran(self, times: dict[str, int]) -> None:
        assert self.host.ran(times) == times

    async def used(self, amounts: dict[str, str]) -> None:
        assert self.host.used(amounts) == amounts


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
        tools = Unlisted({"tools": {"t": {}}}, lambda: None)
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
