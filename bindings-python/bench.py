"""What `evaluate` costs beside the call across the language border itself: a method that does nothing, with the same
signature. Best of several rounds, in nanoseconds a call; all from one run. `python bench.py`, with the package installed.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

import callgate

POLICY = """
version: "1"
default: deny
hide: [secret]
tools:
  listed: {}
  condition: {require: [{path: args.amount, op: lte, value: 50000}]}
  counted:
    rules:
      - conditions: [{path: args.amount, op: lte, value: 50000}]
    limits: [{counter: n, window: day, max: 1000000000, scope: identity}]
"""
ARGS = {"amount": 4200, "currency": "usd", "customer": "cus_9s6XKzkNRiz8i3", "metadata": {"order": "6735"}}
ROUNDS, CALLS = 7, 100_000


def main() -> None:
    engine = callgate.Engine.from_str(POLICY)
    text = json.dumps(ARGS)
    listening = callgate.Engine.from_str(POLICY, on_decision=lambda record: None)
    cases: list[tuple[str, Callable[[], object]]] = [
        ("a method that does nothing", lambda: engine._noop("condition", ARGS, "alice")),
        ("denied by name", lambda: engine.evaluate("secret", ARGS, "alice")),
        ("allowed without a check", lambda: engine.evaluate("listed", ARGS, "alice")),
        ("one condition", lambda: engine.evaluate("condition", ARGS, "alice")),
        ("a condition and a counter", lambda: engine.evaluate("counted", ARGS, "alice")),
        ("one condition, raw JSON text", lambda: engine.evaluate_json("condition", text, "alice")),
        ("one condition, with on_decision", lambda: listening.evaluate("condition", ARGS, "alice")),
        ("json.loads of the same arguments", lambda: json.loads(text)),
    ]
    for name, call in cases:
        best = min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9
        print(f"{name:40} {best:8.0f} ns")


main()
