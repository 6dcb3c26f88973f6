"""What a guard costs: calls of a guarded server beside those of the same server without a guard, in memory, by the SDK's own client.

    python bench/guards.py

In: the SDK that is installed. Out: a line for each guard, with the median of both and what the guard adds, in microseconds. The calls alternate,
so that what else the machine does meets both.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import anyio
import callgate
from inside import GUARDS, client, guarded, server

POLICY = """
version: "1"
default: deny
tools:
  pay:
    require: [{path: args.amount, op: lte, value: 100}]
    limits: [{counter: spend, window: day, max: 1000000000, increment_from: args.amount, scope: identity}]
"""
CALLS = 600


async def pay(amount: int) -> str:
    """Pays."""
    return f"paid {amount}"


async def measured(guard: str) -> None:
    engine = callgate.Engine.from_str(POLICY)
    made = guarded(guard, engine, pay, identity=lambda context: "ann")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client(guard, one)) for one in (server(guard, pay), made)]
        spent: tuple[list[float], list[float]] = ([], [])
        for number in range(CALLS):
            for agent, times in zip(clients, spent, strict=True):
                began = perf_counter()
                answer = await agent.call("pay", amount=5)
                times.append(perf_counter() - began)
                assert answer.text == "paid 5"
        without, with_guard = (median(times[CALLS // 10 :]) * 1e6 for times in spent)
        print(f"{guard:10} without {without:8.0f} us   guarded {with_guard:8.0f} us   adds {with_guard - without:7.0f} us")


if __name__ == "__main__":
    # What an SDK logs of each call is not what is measured.
    logging.disable(logging.CRITICAL)
    for name in GUARDS:
        anyio.run(measured, name)
