"""What `evaluate` costs beside the call across the language border itself, a function written by hand, and other engines.

Medians over many rounds, in nanoseconds a call, all from one run: each round measures every case once, in another order,
so that what else the machine does falls on all of them. `bench/run.sh` builds what this needs and runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import timeit
from pathlib import Path
from typing import Any, NamedTuple

import callgate
import callgate_floor
from peers import Peer, peers

POLICY = """
version: "1"
default: deny
hide: [rotate_keys]
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
  create_refund:
    deny_if: [{path: args.amount, op: gt, value: 10000}]
  delete_customer: {rules: [{action: deny, on_deny: customers are never deleted}]}
  send_receipt:
    limits: [{counter: receipts, window: day, max: 1000000000, scope: identity}]
""" + "".join(f"  list_{tool}: {{}}\n" for tool in range(17))
ARGS = {"amount": 4200, "currency": "eur", "customer": "cus_123", "description": "order 17", "capture": True}
TOO_LARGE = {**ARGS, "amount": 99_999}
NOTHING = "a method that does nothing"
# Native, reads the same arguments in the same way, and returns a decision that was made before.
KNOWN_POLICY = "a native method that knows the policy"
# What floors and peers decide.
CHARGE = "an allowed charge"
# Seconds that one case takes in one round, about.
SLICE = 0.004


class Case(NamedTuple):
    """A statement to measure."""

    name: str
    timer: timeit.Timer
    rounds: list[float]


def case(name: str, statement: str, names: dict[str, Any]) -> Case:
    # As local variables, which is how a server that cares holds them.
    setup = "; ".join(f"{name} = _names[{name!r}]" for name in names)
    return Case(name, timeit.Timer(statement, setup, globals={"_names": names}), [])


def ours() -> list[Case]:
    engine = callgate.Engine.from_str(POLICY)
    listening = callgate.Engine.from_str(POLICY, on_decision=lambda record: None)
    names = {"evaluate": engine.evaluate, "evaluate_json": engine.evaluate_json, "args": ARGS, "text": json.dumps(ARGS)}

    def decided(name: str, tool: str, code: str) -> Case:
        assert engine.evaluate(tool, ARGS, "alice").code == code
        return case(name, f"evaluate({tool!r}, args, 'alice').allowed", names)

    floor = callgate_floor.Floor()
    for args, allowed in [(ARGS, True), (TOO_LARGE, False)]:
        assert floor.decide("create_charge", args, "alice").allowed is allowed
    floors = {"nothing": floor.noop, "decide": floor.decide, "args": ARGS}
    return [
        case(NOTHING, "nothing('create_charge', args, 'alice')", floors),
        case(KNOWN_POLICY, "decide('create_charge', args, 'alice').allowed", floors),
        decided("evaluate: an allowed charge", "create_charge", "allowed"),
        decided("evaluate: denied by name", "delete_customer", "denied"),
        decided("evaluate: hidden", "rotate_keys", "hidden"),
        decided("evaluate: not listed", "drop_table", "not_listed"),
        decided("evaluate: listed, no checks", "list_7", "allowed"),
        decided("evaluate: one limit", "send_receipt", "allowed"),
        case("evaluate_json: an allowed charge", "evaluate_json('create_charge', text, 'alice').allowed", names),
        case(
            "evaluate: an allowed charge, on_decision set",
            "evaluate('create_charge', args, 'alice').allowed",
            {"evaluate": listening.evaluate, "args": ARGS},
        ),
    ]


def theirs(peer: Peer) -> Case:
    for args, allowed in [(ARGS, True), (TOO_LARGE, False)]:
        assert bool(eval(peer.statement, {**peer.names, "args": args})) is allowed, peer.name
    return case(peer.name, peer.statement, {**peer.names, "args": ARGS})


def role(name: str) -> str:
    if name.startswith("evaluate"):
        return "ours"
    return "floor" if name in (NOTHING, KNOWN_POLICY) else "peer"


def measure(cases: list[Case], rounds: int) -> None:
    calls = {case.name: max(1, int(SLICE / (min(case.timer.repeat(5, 100)) / 100))) for case in cases}
    # Seeded: two runs measure in the same order.
    order = random.Random(1)
    for _ in range(rounds):
        for case in order.sample(cases, len(cases)):
            case.rounds.append(case.timer.timeit(calls[case.name]) / calls[case.name] * 1e9)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--json", type=Path, help="the file to append the result to, a JSON object for each case")
    options.add_argument("--case", help="the only case to run, for instruction counts; nothing is measured")
    options.add_argument("--calls", type=int, default=1000, help="calls of that case")
    chosen = options.parse_args()
    cases = ours() + [theirs(peer) for peer in peers()]
    if chosen.case:
        next(case for case in cases if case.name == chosen.case).timer.timeit(chosen.calls)
        return
    measure(cases, chosen.rounds)

    floor = statistics.median(cases[0].rounds)
    rows = []
    print(f"{'ns a call, median of ' + str(chosen.rounds) + ' rounds':46} {'median':>8} {'25%':>8} {'75%':>8} {'x floor':>8}")
    for name, _, found in cases:
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:46} {median:8.0f} {low:8.0f} {high:8.0f} {median / floor:8.1f}")
        # The shape that all benches of the repository share.
        subject, _, work = name.partition(": ")
        row = {"bench": "python", "case": work or CHARGE, "subject": subject, "role": role(name), "unit": "ns", "x": None}
        rows.append({**row, "value": median, "least": min(found), "low": low, "high": high})
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    if chosen.json:
        with chosen.json.open("a") as lines:
            for row in rows:
                lines.write(json.dumps(row) + "\n")


main()
