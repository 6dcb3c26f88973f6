"""Plays a scenario of `spec/guards` by any Python SDK's client, as the people at a client and at its server do.

In: a job, and a client of an SDK. Out: an exception where something was not as the scenario says. The steps that no client plays go to the
server's host, each on a connection of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc

Raw = dict[str, Any]
ABOUT = ("arguments", "params", "task", "progress", "identity", "times", "at_once", "expect", "text", "as", "of", "cache")
LISTS = {"tools/list": ("tools", "name"), "resources/list": ("resources", "uri"), "prompts/list": ("prompts", "name")}
UNCHECKED = "The call could not be checked against the policy"
# What takes longer has failed: in seconds.
PATIENCE = 20
SECONDS = re.compile(r"Try again in \d+ seconds?\.")


class Refused(Exception):
    """A JSON-RPC error, as the SDK tells it."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data or {}}


class Call:
    def __init__(self) -> None:
        self.answer: Raw | None = None
        self.told = [-1.0]
        self.seen = 0
        self.scope = anyio.CancelScope()


class Question:
    """The server, or a round of a call, asks the person at the client."""

    def __init__(self, schema: Raw) -> None:
        self._names_which = "which" in schema.get("properties", {})
        self.answered = anyio.Event()
        self.reply: Raw = {}

    def answer(self, action: str) -> None:
        content = {"which": "this"} if self._names_which else {}
        self.reply = {"action": action, **({"content": content} if action == "accept" else {})}
        self.answered.set()


def must(so: bool, what: Any) -> None:
    if not so:
        raise AssertionError(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False))


class Play:
    """One scenario, as the people at a client and at its server play it."""

    def __init__(self, job: Raw, client: Callable[[Raw, Play], Any]) -> None:
        self.job, self.scenario = job, job["scenario"]
        self.made = client
        self.calls: dict[str, Call] = {}
        self.questions: list[Question] = []
        self.seen_methods: Counter[str] = Counter()
        self.moved = anyio.Event()

    # What a client's callbacks tell.

    async def asked(self, schema: Raw, is_request: bool = True) -> Raw:
        if is_request:
            self.seen_methods["elicitation/create"] += 1
        question = Question(schema)
        self.questions.append(question)
        self.move()
        await question.answered.wait()
        return question.reply

    def sampled(self) -> str:
        self.seen_methods["sampling/createMessage"] += 1
        return "sampled"

    def notified(self, method: str) -> None:
        self.seen_methods[method] += 1

    def move(self) -> None:
        self.moved.set()
        self.moved = anyio.Event()

    # The steps.

    async def all(self) -> None:
        async with anyio.create_task_group() as self.tasks:
            await self.connect(True)
            for number, step in enumerate(self.scenario["steps"]):
                try:
                    with anyio.fail_after(PATIENCE):
                        await self.step(dict(step))
                except Exception as error:
                    raise AssertionError(f"step {number}, {json.dumps(step, ensure_ascii=False)[:200]}: {type(error).__name__}: {error}") from error
            with anyio.move_on_after(PATIENCE):
                await self.disconnect(True)
            self.tasks.cancel_scope.cancel()

    async def step(self, step: Raw) -> None:
        about = {name: step.pop(name, None) for name in ABOUT}
        self.has_arguments = about["arguments"] is not None
        ((what, value),) = step.items()
        if what in ("call", "request", "listed", "round"):
            await self.host({"begins": about["as"], "identity": about["identity"]})
        if what in ("ran", "used"):
            await self.until(lambda: self.host({what: value}), {what: value})
        elif what in ("finish", "reload", "change"):
            await self.host({what: value})
        elif what in ("call", "request", "answer", "round", "listed"):
            await getattr(self, what)(value, about)
        else:
            await getattr(self, what)(value)
            if what == "disconnect":
                await self.host({"left": value})

    async def host(self, step: Raw) -> Raw:
        async with await self.to_host() as stream:
            await stream.send(json.dumps(step).encode() + b"\n")
            reply = b""
            while not reply.endswith(b"\n"):
                reply += await stream.receive()
        answer: Raw = json.loads(reply)
        must("failed" not in answer, answer.get("failed", ""))
        return answer

    async def to_host(self) -> anyio.abc.UNIXSocketStream:
        # Without a handshake, a client does not know when its server has started.
        with anyio.fail_after(PATIENCE):
            while True:
                try:
                    return await anyio.connect_unix(self.job["host"])
                except OSError:
                    await anyio.sleep(0.02)

    async def until(self, found: Callable[[], Any], expected: Any) -> None:
        with anyio.move_on_after(5):
            while await found() != expected:
                await anyio.sleep(0.02)
        must((last := await found()) == expected, f"{last} is not {expected}")

    async def connect(self, _: bool) -> None:
        self.seen_methods.clear()
        self.questions.clear()
        self.client = self.made(self.job, self)
        self.closing, self.closed = anyio.Event(), anyio.Event()
        await self.tasks.start(self.connection)

    async def connection(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        closing, closed = self.closing, self.closed
        async with self.client.connected():
            task_status.started()
            await closing.wait()
        closed.set()

    async def disconnect(self, _: bool) -> None:
        self.closing.set()
        await self.closed.wait()

    async def answered(self, made: Call, tool: str, about: Raw) -> Raw:
        def progressed(progress: float) -> None:
            made.told.append(progress)

        told_to = progressed if about["progress"] else None
        try:
            result = await self.client.call(tool, about["arguments"], told_to, about["task"])
            made.answer = {"result": result}
        except Refused as refused:
            made.answer = {"error": refused.error}
        self.move()
        return made.answer

    async def call(self, tool: str, about: Raw) -> None:
        if about["as"] is not None:
            made = self.calls[about["as"]] = Call()
            self.tasks.start_soon(self.alone, made, tool, about)
            asked = len(self.questions)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(self.began, waiting.cancel_scope, about["as"])
                while made.answer is None and len(self.questions) == asked:
                    await self.moved.wait()
                waiting.cancel_scope.cancel()
        elif about["at_once"] is not None:
            calls = [Call() for _ in range(about["at_once"])]
            async with anyio.create_task_group() as tasks:
                for made in calls:
                    tasks.start_soon(self.answered, made, tool, about)
            kinds = Counter(kind_of(made.answer or {}) for made in calls)
            must(kinds == about["expect"], dict(kinds))
        else:
            for _ in range(about["times"] or 1):
                self.check(await self.answered(Call(), tool, about), about, True)

    async def alone(self, made: Call, tool: str, about: Raw) -> None:
        closing = self.closing
        with made.scope:
            try:
                await self.answered(made, tool, about)
            except Exception:
                # A client may raise anything of a call that it left.
                if not closing.is_set():
                    raise

    async def began(self, scope: anyio.CancelScope, name: str) -> None:
        await self.host({"began": name})
        scope.cancel()

    async def request(self, method: str, about: Raw) -> None:
        for _ in range(about["times"] or 1):
            try:
                answer = {"result": await self.client.request(method, about["params"])}
            except Refused as refused:
                answer = {"error": refused.error}
            self.check(answer, about, False)

    async def answer(self, name: str, about: Raw) -> None:
        made = self.calls[name]
        if about["expect"] == "input_required":
            while made.answer is None and not self.questions:
                await self.moved.wait()
            must(made.answer is None, f"no question, but {made.answer}")
            return
        if about["expect"] == "none":
            await self.client.ping()
            must(made.answer is None, f"an answer: {made.answer}")
            return
        while made.answer is None:
            await self.moved.wait()
        self.check(made.answer, about, True)

    async def round(self, name: str, about: Raw) -> None:
        """The SDK's client brings the answer in another round itself."""
        self.questions.pop(0).answer("accept")
        if about["expect"] is not None:
            await self.answer(name, about)

    async def approve(self, name: str, word: str = "approve") -> None:
        if self.scenario["approvals"] == "elicitation":
            while not self.questions:
                await self.moved.wait()
            self.questions.pop(0).answer("accept" if word == "approve" else "decline")
            return
        answer = self.calls[name].answer if name in self.calls else None
        filed = (answer or {}).get("result", {}).get("_meta", {}).get("callgate/approval_id")
        await self.host({word: name, "filed": filed})

    async def refuse(self, name: str) -> None:
        await self.approve(name, "refuse")

    async def cancel(self, name: str) -> None:
        self.calls[name].scope.cancel()
        await self.client.ping()

    async def progressed(self, name: str) -> None:
        made = self.calls[name]
        with anyio.fail_after(3):
            while max(made.told) <= made.told[made.seen]:
                await anyio.sleep(0.01)
        made.seen = len(made.told) - 1

    async def listed(self, names: list[str], about: Raw) -> None:
        method = about["of"] or "tools/list"
        member, key = LISTS[method]
        found: list[str] = []
        for page in await self.client.pages(method):
            found += [str(item[key]) for item in page[member]]
            for name, value in (about["cache"] or {}).items():
                must(page.get(name) == value, f"{name} is {page.get(name)}")
        must(sorted(found) == names, f"listed are {sorted(found)}")

    async def seen(self, times: dict[str, int]) -> None:
        async def counted() -> dict[str, int]:
            return {method: self.seen_methods[method] for method in times}

        # What must not come has come by the time that the server answers. 1.x of the SDK takes no answer while it asks somebody.
        if not self.questions:
            await self.client.ping()
        await self.until(counted, times)

    def check(self, answer: Raw, about: Raw, is_call: bool) -> None:
        expect, text = about["expect"], about["text"] or ""
        said = text_of(answer)
        if self.job["guard"] == "gateway":
            # Its clock goes.
            said, text = SECONDS.sub("", said), SECONDS.sub("", text)
        must(text in said, answer)
        kind = kind_of(answer)
        if expect == "failed":
            must("error" in answer or answer["result"].get("isError", False), answer)
        elif expect == "unchecked":
            must((kind, said) == ("tool_error", UNCHECKED), answer)
        elif expect == "invalid_args":
            must(answer["result"]["isError"] and said.startswith("Arguments are not valid: "), answer)
        elif expect is not None:
            must(kind == expect, answer)
            if expect not in ("result", "tool_error", "error"):
                # The guard refused: it says why, and gives no result of the tool.
                must(bool(said), answer)
                if is_call and about["task"] is None:
                    must(answer["result"]["isError"] is True and answer["result"].get("structuredContent") is None, answer)


def text_of(answer: Raw) -> str:
    if "error" in answer:
        return str(answer["error"]["message"])
    if "content" in answer["result"]:
        return str(answer["result"]["content"][0]["text"])
    return json.dumps(answer["result"], ensure_ascii=False)


def kind_of(answer: Raw) -> str:
    if "error" in answer:
        return str(answer["error"]["data"].get("callgate/code", "error"))
    result = answer["result"]
    kind = "tool_error" if result.get("isError") else "result"
    return str((result.get("_meta") or {}).get("callgate/code", kind))
