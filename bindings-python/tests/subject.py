"""The policy that tests of the engine share, and an engine for it."""

from __future__ import annotations

from typing import Any

import callgate

POLICY = """
version: "1"
default: deny
hide: [secret]
tools:
  pay:
    rules: [{name: cap, conditions: [{path: args.amount, op: lte, value: 100}]}]
    limits: [{counter: spend, window: day, max: 100, increment_from: args.amount}]
  ask: {rules: [{action: require_approval, name: ask, x-ignore: {memory_store: a test}}]}
  one: {limits: [{counter: n, window: day, max: 1000}]}
"""
NOW = 1_795_255_200.0


def engine(**options: Any) -> callgate.Engine:
    return callgate.Engine.from_str(POLICY, clock=callgate.ManualClock(NOW), **options)
