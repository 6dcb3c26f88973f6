"""A guarded server that remembers what reached its handlers, and what it and its clients owe each other: the model of `test_fuzz`.

In: which guard, and how approvals are asked for. Out: connections whose clients write lines of text, through the transport of the SDK, and what
must hold of what they got. Knows nothing of the guard but its options.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import anyio
import anyio.abc
import callgate
import callgate.mcp
from callgate._guarded import low_level
from clients import SDK
from guarded import types
from inside import server
from line import Raw
from mcp.server.stdio import stdio_server

# How many calls of one caller wait, and how many are in flight.
WAITING, FLYING = 3, 2
# How often a client may make one call (G5.3).
ROUNDS = 8
# Calls that no handler may see.
NEVER = {"secret", "wipe", "unlisted"}
# What each run of a handler costs, where that is no argument.
COUNTED = ("count", "fail", "hold", "pay", "book")
_who: ContextVar[str | None] = ContextVar("who", default=None)


FORM: Raw = {"type": "object", "properties": {}}


def policy(number: int) -> str:
    """The number changes nothing but the text."""
    limit = {"limits": [{"counter": "n", "window": "7d", "max": 40}]}
    tools = {
        "count": {"limits": [{"counter": "n", "window": "7d", "max": 12, "scope": "identity"}]},
        "spend": {
            "require": [{"path": "args.amount", "op": "lte", "value": 50}],
            "limits": [{"counter": "spent", "window": "7d", "max": 400, "increment_from": "args.amount"}],
        },
        "fail": limit,
        "hold": limit,
        "slow": {"limits": [{"in_flight": FLYING, "lease": "10m"}]},
        "book": limit,
        "pay": {"rules": [{"action": "require_approval"}], **limit},
        "read": {"deny_if": [{"path": "args.path", "op": "starts_with", "value": "/etc"}]},
        "mine": {"require": [{"path": "identity.id", "op": "eq", "value": "ann"}]},
        "wipe": {"rules": [{"action": "deny"}]},
        "spare": {"limits": [{"counter": "n", "window": "7d", "max": 1 + number}]},
    }
    return json.dumps({"version": "1", "default": "deny", "list": "callable", "hide": ["secret"], "tools": tools})


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


async def settled() -> None:
    """All tasks wait for something else than another one. `anyio.wait_all_tasks_blocked` sleeps in between."""
    mine, calm = asyncio.current_task(), 0
    while calm < 3:
        waiters = [getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks() if task is not mine]
        is_calm = all(waiter is not None and not waiter.done() for waiter in waiters)
        calm = calm + 1 if is_calm else 0
        await anyio.sleep(0)


class Wire:
    """A client's connection: it writes lines, and keeps what it got."""

    def __init__(self, who: str | None, era: str | None) -> None:
        self.who, self.era = who, era
        self._send, self.lines = anyio.create_memory_object_stream[str](1_000)
        self.served = anyio.Event()
        self.is_open = True
        self.sent: Counter[str] = Counter()
        """How many requests there were with an id."""
        self.answers: Counter[str] = Counter()
        self.plain: dict[str, Raw] = {}
        """Requests that are to be answered, by their ids."""
        self.asking: list[Raw] = []
        """Answers that ask for input, with the params of their calls."""
        self.questions: list[Raw] = []
        """Requests of the server."""
        self.lists: list[list[str]] = []

    async def write(self, text: str) -> None:
        """Of the transport: a message to the client."""
        message = json.loads(text)
        if "method" in message:
            if "id" in message:
                self.questions.append(message)
            return
        if message.get("id") is None:
            return
        number = canonical(message["id"])
        self.answers[number] += 1
        result, params = message.get("result"), self.plain.pop(number, None)
        if isinstance(result, dict) and isinstance(result.get("tools"), list):
            self.lists.append([tool["name"] for tool in result["tools"]])
        if isinstance(result, dict) and result.get("resultType") == "input_required" and params is not None:
            self.asking.append({"params": params, "result": result})

    async def flush(self) -> None:
        """Of the transport."""

    def say(self, text: str) -> None:
        """A line of the client's, whatever it is."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and "id" in message:
            self.sent[canonical(message["id"])] += 1
        self._send.send_nowait(text + "\n")

    def close(self) -> None:
        self.is_open = False
        self._send.close()


class World:
    """One guarded server, and everything that is known of it from outside."""

    def __init__(self, guard: str, era: str | None, asks: str) -> None:
        self.guard, self.era, self.asks = guard, era, asks
        self.engine = callgate.Engine.from_str(policy(0), clock=callgate.ManualClock(1_795_255_200.0))
        self.policies = 0
        self.owed: Counter[str] = Counter()
        """What the runs of handlers owe at least, by tool."""
        self.paid: Counter[tuple[str | None, Any]] = Counter()
        self.yes: Counter[tuple[str | None, Any]] = Counter()
        """How often somebody approved a payment: of this caller, and this amount."""
        self.given: dict[tuple[str, str | None, str], list[int]] = {}
        """Rounds that may come: by state, caller and arguments, the number of each."""
        self.waiting: list[Raw] = []
        """Calls for which the host is asked."""
        self.flying = 0
        self.running_now = 0
        """Handlers that wait for their end."""
        self.finish = anyio.Event()
        self.faults: list[str] = []
        """What a handler found wrong: SDKs make an answer of what it raises."""
        self.slack = 0
        """How many calls may be in flight beyond the limit: those that were given up, whose handlers go on."""
        options: dict[str, Any] = {"identity": lambda context: _who.get(), "max_waiting": WAITING}
        options["on_approval"] = self._asked if asks == "host" else callgate.approve_by_elicitation()
        self.options = options
        self.server = server(guard, *self._tools())
        if guard == "fastmcp":
            self.server.add_middleware(import_module("callgate.fastmcp").Guard(self.engine, **options))
        elif guard != "streams":
            callgate.mcp.guard(self.server, self.engine, **options)
        self.low: Any = low_level(self.server)
        # States are to be as bare as those of a server that seals none.
        kept = [one for one in getattr(self.low, "middleware", ()) if type(one).__name__ != "RequestStateBoundary"]
        if SDK > 1:
            self.low.middleware[:] = kept

    # What handlers do.

    def _ran(self, tool: str, cost: int = 1) -> None:
        self._must(tool not in NEVER, f"the handler of {tool} was reached")
        self.owed[tool] += cost

    def _must(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    def _tools(self) -> list[Callable[..., Any]]:
        def never(name: str) -> Callable[..., Any]:
            async def run() -> str:
                self._ran(name)
                return name

            run.__name__ = name
            return run

        async def count(n: int = 0) -> str:
            self._ran("count")
            return "counted"

        async def spend(amount: int, note: str = "") -> str:
            self._must(amount <= 50, f"{amount} was spent")
            self._ran("spend", amount)
            return "spent"

        async def fail(how: str = "") -> str:
            self._ran("fail")
            if how == "protocol":
                exceptions: Any = import_module("mcp.shared.exceptions")
                raise exceptions.McpError(types.ErrorData(code=-32600, message=how)) if SDK == 1 else exceptions.MCPError(-32600, how)
            raise ValueError(how)

        async def hold(n: int = 0) -> str:
            self._ran("hold")
            await self._finished()
            return "held"

        async def slow(n: int = 0) -> str:
            self.flying += 1
            try:
                self._must(self.flying <= FLYING + self.slack, "too many calls are in flight")
                await self._finished()
            finally:
                self.flying -= 1
            return "done"

        async def pay(amount: int) -> str:
            self._ran("pay")
            self.paid[_who.get(), amount] += 1
            self._must(self.paid[_who.get(), amount] <= self.yes[_who.get(), amount], "an approval was used that nobody gave")
            return "paid"

        async def read(path: str) -> str:
            self._must(not path.startswith("/etc"), f"{path} was read")
            return path

        async def mine() -> str:
            self._must(_who.get() == "ann", "a call ran that is not its caller's")
            return "mine"

        books = [] if SDK == 1 else [self._book()]
        return [count, spend, fail, hold, slow, pay, read, mine, *books, *map(never, sorted(NEVER))]

    async def _finished(self) -> None:
        self.running_now += 1
        try:
            await self.finish.wait()
        finally:
            self.running_now -= 1

    def _book(self) -> Callable[..., Any]:
        """A tool that asks its client, always by the same state: nothing but the guard tells calls apart."""
        context = import_module("fastmcp" if self.guard == "fastmcp" else "mcp.server.mcpserver").Context

        async def book(day: str, ctx: Any) -> Any:
            state, key = ctx.request_state, canonical({"day": day})
            known = self.given.get((state, _who.get(), key), []) if state is not None else []
            number = known.pop(0) if known else 0
            # Another round of a call, or a new one.
            self.owed["book"] += 0 if number else 1
            number += 1
            if day == "mon" and number > 2:
                return "booked"
            if number < ROUNDS:
                self.given.setdefault(("asked", _who.get(), key), []).append(number)
            question = {"method": "elicitation/create", "params": {"mode": "form", "message": "?", "requestedSchema": FORM}}
            return types.InputRequiredResult.model_validate({"inputRequests": {"q": question}, "requestState": "asked"})

        book.__annotations__["ctx"] = context
        return book

    async def _asked(self, request: Any) -> bool:
        """The host's callback: somebody answers, sooner or later."""
        key = request.identity, request.args["amount"]
        waits: Raw = {"key": key, "answered": anyio.Event(), "given": False}
        self.waiting.append(waits)
        self._must(sum(one["key"][0] == request.identity for one in self.waiting) <= WAITING, "too many calls wait")
        try:
            await waits["answered"].wait()
        finally:
            self.waiting.remove(waits)
        return bool(waits["given"])

    # What the host does.

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self.guard == "fastmcp":
                await stack.enter_async_context(self.server._lifespan_manager())
            self._tasks: anyio.abc.TaskGroup = await stack.enter_async_context(anyio.create_task_group())
            yield
            self._tasks.cancel_scope.cancel()

    def connect(self, who: str | None) -> Wire:
        wire = Wire(who, self.era)
        self._tasks.start_soon(self._serve, wire)
        return wire

    async def _serve(self, wire: Wire) -> None:
        _who.set(wire.who)
        transport: Any = stdio_server
        try:
            async with AsyncExitStack() as stack:
                read, write = await stack.enter_async_context(transport(stdin=wire.lines, stdout=wire))
                if self.guard == "streams":
                    read, write = await stack.enter_async_context(
                        callgate.mcp.guard_streams(read, write, self.engine, **self.options)
                    )
                await self.low.run(read, write, self.low.create_initialization_options())
        finally:
            wire.served.set()

    def answer(self, index: int, given: bool) -> None:
        """Somebody answers one of the calls that wait; what was given up is not approved any more."""
        if not self.waiting:
            return
        waits = self.waiting[index % len(self.waiting)]
        if given and not waits["answered"].is_set():
            self.yes[waits["key"]] += 1
        waits["given"] = waits["given"] or given
        waits["answered"].set()

    def let_go(self) -> None:
        """What runs comes to its end."""
        self.finish.set()
        self.finish = anyio.Event()

    def reload(self) -> None:
        self.policies += 1
        self.engine.replace(callgate.Policy.from_str(policy(self.policies)))
        # Under another policy no call goes on.
        self.given.clear()

    def approved(self, who: str | None, args: Raw) -> None:
        """A client said yes to a question of the guard."""
        self.yes[who, args["amount"]] += 1

    # What must hold, whatever came.

    def used(self, tool: str) -> int:
        return int(sum(counter.used for counter in self.engine.counters() if counter.entry == tool))

    def wrong(self, wires: list[Wire], is_calm: bool, is_over: bool) -> str:
        """What does not hold; empty where all does. Of calls that are given up it is not known whether they were charged. At the end
        nothing is in flight, and everybody has an answer.
        """
        return "; ".join([*self.faults, *self._wrong_charges(is_calm), *self._wrong_answers(wires, is_over)])

    def _wrong_charges(self, is_calm: bool) -> Iterator[str]:
        for tool in (*COUNTED, "spend"):
            used, owed = self.used(tool), self.owed[tool]
            # Arguments that the SDK refuses cost nothing where the guard can see that.
            is_exact = is_calm and (self.guard != "streams" or tool not in ("count", "spend"))
            if used < owed or (is_exact and used > owed):
                yield f"{used} is charged for {tool}, and its runs owe {owed}"

    def _wrong_answers(self, wires: list[Wire], is_over: bool) -> Iterator[str]:
        for wire in wires:
            for number, times in wire.answers.items():
                if times > wire.sent[number]:
                    yield f"{times} answers to {wire.sent[number]} requests with the id {number}"
            hidden = NEVER if wire.who == "ann" else NEVER | {"mine"}
            yield from (f"{wire.who} was shown {names}" for names in wire.lists if hidden & set(names))
            if is_over and wire.is_open and wire.plain:
                yield f"no answer to {wire.plain}"
        if is_over and self.used("slow"):
            yield "a call is in flight that has ended"
