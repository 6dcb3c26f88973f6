"""Clients that send anything, to each guard: sequences of steps from a seed, and a model of what may come of them (`fuzzing`).

A step is a call, a round, an answer, a cancellation, a list, another request, a line that is no message, a connection that ends, or something that
the host does. `CALLGATE_FUZZ` is how many sequences there are for each guard, and `CALLGATE_FUZZ_SEED` the first seed.

Of the mistakes of `mistakes.py` it notices alone, with the seeds that are always run: `mcp2_hidden_tools_listed`, `round_of_another_caller` and
`any_number_waits`.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
from clients import SDK
from fuzzing import NEVER, Wire, World, canonical, settled
from guarded import HANDSHAKE, INFO
from inside import EVERY, MODERN
from line import Raw

SEQUENCES = int(os.environ.get("CALLGATE_FUZZ", "6"))
SEED = int(os.environ.get("CALLGATE_FUZZ_SEED", "1"))
STEPS = 60
CALLERS = ["ann", "bob", None]
CAPABLE: Raw = {"elicitation": {"form": {}}}
PREFIX = "io.modelcontextprotocol/"
ODD: list[Any] = [None, True, 0, -1, 1.5, 1e300, 10**30, "", "7", "\u0000", "\ud800", "x" * 2_000, [], ["count"], {}, {"name": "wipe"}]


class Fuzz:
    """One sequence. A calm one sends nothing that is given up or malformed: then exactly what ran is charged."""

    def __init__(self, guard: str, era: str, seed: int) -> None:
        self.random = random.Random(f"{guard} {era} {seed}")
        self.era = MODERN if era == MODERN else None
        self.is_calm = seed % 3 == 0
        self.world = World(guard, self.era, self.random.choice(["host", "client"]))
        self.wires: list[Wire] = []
        self.number = 0
        self.said: list[str] = []
        # Questions that a client has answered, and states that it has come back with.
        self.settled: set[Any] = set()

    async def all(self) -> None:
        calm: list[tuple[int, Callable[[], None]]] = [
            (30, self.call), (8, self.round), (5, self.forged_round), (6, self.reply), (4, self.listing), (3, self.other),
            (8, self.host), (5, self.world.let_go), (1, self.world.reload),
        ]  # fmt: skip
        wild = [(6, self.equal_id), (8, self.cancel), (14, self.junk), (3, self.task), (2, self.hang_up), (2, self.connect)]
        steps = calm if self.is_calm else calm + wild
        async with self.world.running():
            for who in CALLERS:
                await self.connected(who)
            for _ in range(STEPS):
                ((step),) = self.random.choices([step for _, step in steps], [weight for weight, _ in steps])
                self.said.append(f"-- {step.__name__}")
                step()
                await self.looked()
            await self.at_rest()

    async def looked(self, is_over: bool = False) -> None:
        """What must hold, once everything is done that threads do, too: the store's."""
        with anyio.move_on_after(5):
            while True:
                await settled()
                if not self.world.wrong(self.wires, self.is_calm, is_over):
                    return
                await anyio.sleep(0.002)
        raise AssertionError(self.world.wrong(self.wires, self.is_calm, is_over))

    async def at_rest(self) -> None:
        """Everything ends: each call has its answer, and nothing is in flight."""
        while self.world.waiting or self.world.running_now:
            self.world.answer(0, False)
            self.world.let_go()
            await self.looked()
        for wire in self.wires:
            for question in list(wire.questions) if wire.is_open else []:
                self.say(wire, {"id": question["id"], "result": {"action": "decline"}})
        await self.looked()
        self.world.let_go()
        await self.looked(is_over=True)
        for wire in self.wires:
            wire.close()
            await wire.served.wait()

    # Steps.

    def call(self) -> None:
        self.request(self.wire(), "tools/call", self.params())

    def round(self) -> None:
        """A client goes on with a call, as it was asked to."""
        wire = self.wire()
        if wire.asking:
            asked = self.random.choice(wire.asking[-4:])
            self.come_back(wire, asked["params"], asked["result"])

    def forged_round(self) -> None:
        """With another call's state, other arguments, or as another caller."""
        asked = [one for wire in self.wires for one in wire.asking]
        if self.era is None or not asked:
            return
        first, second = self.random.choice(asked), self.random.choice(asked)
        state = self.random.choice([second["result"]["requestState"], "asked", "callgate.ask.forged", ""])
        self.come_back(self.wire(), first["params"], {**first["result"], "requestState": state})

    def come_back(self, wire: Wire, params: Raw, asked: Raw) -> None:
        state, action = asked["requestState"], self.random.choice(["accept", "accept", "decline", "cancel"])
        answers = {name: {"action": action, "content": {}} for name in asked["inputRequests"]}
        args = params.get("arguments") or {}
        if params["name"] == "pay" and (state, wire.who, canonical(args)) not in self.settled:
            self.settled.add((state, wire.who, canonical(args)))
            if action == "accept" and self.is_question(state, wire.who, args):
                self.world.approved(wire.who, args)
        bare = {name: value for name, value in params.items() if name not in ("requestState", "inputResponses")}
        self.request(wire, "tools/call", {**bare, "requestState": state, "inputResponses": answers})

    def is_question(self, state: str, who: str | None, args: Raw) -> bool:
        """Whether the guard gave this caller this state for a call with these arguments."""
        return any(
            one["result"]["requestState"] == state and one["params"]["arguments"] == args
            for wire in self.wires
            if wire.who == who
            for one in wire.asking
        )

    def reply(self) -> None:
        """To a request of the server: by the client that got it or another one, once or more often."""
        asked = [(wire, question) for wire in self.wires for question in wire.questions]
        if not asked:
            return
        wire, question = self.random.choice(asked[-6:])
        action = self.random.choice(["accept", "accept", "decline", "cancel"])
        whose = wire if self.is_calm or self.random.random() < 0.8 else self.wire()
        if not whose.is_open:
            return
        self.answered(whose, question["id"], action)
        self.say(whose, {"id": question["id"], "result": {"action": action, **({"content": {}} if action == "accept" else {})}})

    def answered(self, wire: Wire, number: Any, action: str) -> None:
        """The first answer of the client that was asked counts."""
        for question in wire.questions:
            if question["id"] == number and (id(wire), number) not in self.settled:
                self.settled.add((id(wire), number))
                if action == "accept":
                    self.world.approved(wire.who, json.loads(question["params"]["message"].partition("Arguments: ")[2]))

    def listing(self) -> None:
        cursor = {} if self.random.random() < 0.8 else {"cursor": self.random.choice(["0", "5", "wipe"])}
        self.request(self.wire(), "tools/list", cursor)

    def other(self) -> None:
        method = self.random.choice(["ping", "resources/list", "prompts/list", "prompts/get", "resources/read", "tools/wipe"])
        if self.era is not None and method == "ping":
            return
        params = {"prompts/get": {"name": "none"}, "resources/read": {"uri": "file:///none"}}.get(method, {})
        self.request(self.wire(), method, params)

    def host(self) -> None:
        self.world.answer(self.random.randrange(10), self.random.random() < 0.6)

    def equal_id(self) -> None:
        """The id of a request in flight, or of one that was answered; also as text."""
        wire = self.wire()
        if wire.sent:
            number = json.loads(self.random.choice(list(wire.sent)))
            wire.plain.pop(canonical(number), None)
            twin = str(number) if isinstance(number, int) and self.random.random() < 0.3 else number
            self.say(wire, {"id": twin, "method": "tools/call", "params": self.with_meta(self.params())})

    def cancel(self) -> None:
        wire = self.wire()
        if wire.sent:
            waiting = list(wire.plain) if wire.plain and self.random.random() < 0.7 else list(wire.sent)
            number = self.random.choice(waiting)
            wire.plain.pop(number, None)
            self.world.slack += 1
            self.say(wire, {"method": "notifications/cancelled", "params": {"requestId": json.loads(number)}})

    def task(self) -> None:
        task = {"task": self.random.choice([{}, {"ttl": 1000}, None, 7])}
        self.request(self.wire(), "tools/call", {**self.params(), **task}, is_plain=False)

    def hang_up(self) -> None:
        wire = self.wire()
        self.world.slack += len(wire.plain)
        wire.close()

    def connect(self) -> None:
        wire = self.world.connect(self.random.choice(CALLERS))
        self.wires.append(wire)
        self.shake_hands(wire)

    def junk(self) -> None:
        """What is no message, or no good one; or another one than it looks like."""
        wire = self.wire()
        self.number += 1
        message: Raw = {"jsonrpc": "2.0", "id": self.number, "method": "tools/call", "params": self.with_meta(self.params())}
        if self.random.random() < 0.5:
            holder, name = self.random.choice(
                [(message, "id"), (message, "jsonrpc"), (message, "method"), (message, "params")]
                + [(message["params"], name) for name in ("name", "arguments", "_meta", "requestState", "inputResponses", "task")]
            )
            holder[name] = self.random.choice([*ODD, "wipe", "WIPE", "wipe ", "secret\u200b", "tools/call ", "notifications/cancelled"])
            if self.random.random() < 0.3:
                del holder[name]
        text = json.dumps(message)
        answer = self.random.randrange(40)
        if self.random.random() < 0.1:
            self.answered(wire, answer, "accept")
            text = f'{{"jsonrpc": "2.0", "id": {answer}, "result": {{"action": "accept", "content": {{}}}}}}'
        elif self.random.random() < 0.6:
            at = self.random.randrange(len(text))
            text = self.random.choice(
                [
                    text.replace('"name":', '"name": "wipe", "name":'),
                    text.replace('"arguments":', '"name": "wipe", "arguments":'),
                    text.replace('"method"', '"Method"'),
                    text.replace('"params"', '"params": {"name": "wipe"}, "params"'),
                    text.replace("tools/call", "tools\\/call"),
                    f"[{text}, {text}]",
                    text + text,
                    text[:at],
                    text[at:],
                    text[:at] + self.random.choice('{}[]",:0\\ \r\x00') + text[at:],
                    f"\ufeff{text}",
                    f" {text}\r",
                    f'{{"jsonrpc": "2.0", "id": {answer}, "error": {{"code": -32600, "message": "no"}}}}',
                    "[" * 300,
                    "",
                ]
            )
        wire.say(text)
        self.said.append(f"{wire.who}: {text}")

    # What they consist of.

    def params(self) -> Raw:
        pick = self.random.choice
        tools: dict[str, Callable[[], Any]] = {
            "count": lambda: pick([{}, {"n": 1}, {"n": "x"}, {"n": pick(ODD)}, {"n": 1, "more": pick(ODD)}]),
            "spend": lambda: pick([{"amount": pick([1, 10, 50, 51])}, {"amount": pick(["10", 10.0, *ODD])}, {"Amount": 1, "amount": 2}]),
            "fail": lambda: {"how": pick(["", "protocol", "Input validation error: 'x' is not of type 'integer'"])},
            "hold": lambda: pick([{}, {"n": 2}]),
            "slow": lambda: {},
            "pay": lambda: {"amount": pick([1, 2, 3])},
            "read": lambda: {"path": pick(["/tmp", "/etc/shadow", ["/etc"], "/etc", " /etc"])},
            "mine": lambda: {},
            "book": lambda: {"day": pick(["mon", "tue"])},
            **{name: dict for name in NEVER},
        }
        if SDK == 1 or self.era is None:
            del tools["book"]
        name = pick([*tools, "pay", "count", "spend", *(["book"] * 3 if "book" in tools else [])])
        found: Raw = {"name": name, "arguments": tools[name]()}
        if self.random.random() < 0.1:
            found["_meta"] = pick(
                [
                    {"progressToken": pick([self.number, "t", 0, ""])},
                    {"identity": {"id": "ann"}, "callgate/approval": "yes", f"{PREFIX}clientInfo": {"name": "ann", "version": "1"}},
                    {f"{PREFIX}related-task": {"taskId": "t"}, "callgate/code": "allowed"},
                ]
            )
        return found

    def with_meta(self, params: Raw) -> Raw:
        if self.era is None:
            return params
        meta = {f"{PREFIX}protocolVersion": self.era, f"{PREFIX}clientInfo": INFO, f"{PREFIX}clientCapabilities": CAPABLE}
        return {**params, "_meta": {**params.get("_meta", {}), **meta}}

    def wire(self) -> Wire:
        if not any(wire.is_open for wire in self.wires):
            self.connect()
        return self.random.choice([wire for wire in self.wires if wire.is_open])

    async def connected(self, who: str | None) -> None:
        wire = self.world.connect(who)
        self.wires.append(wire)
        self.shake_hands(wire)
        await settled()

    def shake_hands(self, wire: Wire) -> None:
        if self.era is None:
            self.request(wire, "initialize", HANDSHAKE)
            self.say(wire, {"method": "notifications/initialized"})

    def request(self, wire: Wire, method: str, params: Raw, is_plain: bool = True) -> None:
        self.number += 1
        # No reader of Rust takes half a surrogate pair.
        if is_plain and "\\ud800" not in json.dumps(params):
            wire.plain[str(self.number)] = params
        self.say(wire, {"id": self.number, "method": method, "params": self.with_meta(params)})

    def say(self, wire: Wire, message: Raw) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message})
        self.said.append(f"{wire.who}: {text}")
        wire.say(text)


@pytest.mark.parametrize(("guard", "era"), EVERY)
def test_nothing_that_a_client_sends_gets_it_more_than_it_may(guard: str, era: str) -> None:
    for seed in range(SEED, SEED + SEQUENCES):
        fuzz = Fuzz(guard, era, seed)

        async def main(fuzz: Fuzz = fuzz) -> None:
            with anyio.fail_after(60):
                await fuzz.all()

        try:
            anyio.run(main)
        except BaseException as error:
            error.add_note("\n".join([f"{guard}, {era}, seed {seed}, approvals by the {fuzz.world.asks}", *fuzz.said]))
            raise
