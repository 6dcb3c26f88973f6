"""What `guard_streams` costs a call: a client and a server of the official SDK's streams, with the guard between them and without it.

Medians over many rounds, in microseconds a call there and back, all from one run: each round measures both, in another order. The server
answers at once, so that a call is the streams and the guard and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import callgate
import callgate.mcp
from mcp.shared.message import SessionMessage

SDK = int(version("mcp").split(".")[0])
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
POLICY = """
version: "1"
default: deny
hide: [rotate_keys]
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
  send_receipt: {}
"""
ARGS = {"amount": 4200, "currency": "eur", "customer": "cus_123", "description": "order 17", "capture": True}
DENIED = {**ARGS, "amount": 99_999}
TEXT = {"content": [{"type": "text", "text": json.dumps(ARGS)}]}
CALLS = 200


def parsed(raw: dict[str, Any]) -> Any:
    raw = {"jsonrpc": "2.0", **raw}
    return types.JSONRPCMessage.model_validate(raw) if SDK == 1 else types.jsonrpc_message_adapter.validate_python(raw)


class Line:
    """A client's ends of a connection, and a server behind it that answers every request at once."""

    def __init__(self, send: Any, receive: Any) -> None:
        self._send, self._receive, self._asked = send, receive, 0

    async def call(self, tool: str, args: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        request = {"id": self._asked, "method": "tools/call", "params": {"name": tool, "arguments": args}}
        await self._send.send(SessionMessage(parsed(request)))
        answer = (await self._receive.receive()).message
        found: dict[str, Any] = getattr(answer, "root", answer).result
        return found


async def serve(read: Any, write: Any) -> None:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("create_charge", "send_receipt", "rotate_keys")]
    async for item in read:
        message = getattr(item.message, "root", item.message)
        result = {"tools": tools} if message.method == "tools/list" else TEXT
        await write.send(SessionMessage(parsed({"id": message.id, "result": result})))


@asynccontextmanager
async def line(guarded: bool) -> AsyncIterator[Line]:
    client_send, read = anyio.create_memory_object_stream[Any](0)
    write, client_receive = anyio.create_memory_object_stream[Any](0)
    async with AsyncExitStack() as stack:
        streams: Any = (read, write)
        if guarded:
            guard = callgate.mcp.guard_streams(read, write, callgate.Engine.from_str(POLICY), identity=lambda _: "alice")
            streams = await stack.enter_async_context(guard)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(serve, *streams)
        yield Line(client_send, client_receive)
        tasks.cancel_scope.cancel()


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=50)
    options.add_argument("--json", type=Path, help="the file to append the result to, a JSON object for each case")
    chosen = options.parse_args()
    async with line(False) as plain, line(True) as guarded:
        cases: list[tuple[str, Line, str, dict[str, Any]]] = [
            ("the streams alone", plain, "create_charge", ARGS),
            ("guard_streams: an allowed charge", guarded, "create_charge", ARGS),
            ("guard_streams: listed, no checks", guarded, "send_receipt", ARGS),
            ("guard_streams: a denied charge", guarded, "create_charge", DENIED),
        ]
        rounds: dict[str, list[float]] = {name: [] for name, *_ in cases}
        for name, ends, tool, args in cases:
            is_error = (await ends.call(tool, args)).get("isError", False)
            assert is_error is ("denied" in name)
        # Seeded: two runs measure in the same order.
        order = random.Random(1)
        for _ in range(chosen.rounds):
            for name, ends, tool, args in order.sample(cases, len(cases)):
                began = time.perf_counter()
                for _ in range(CALLS):
                    await ends.call(tool, args)
                rounds[name].append((time.perf_counter() - began) / CALLS * 1e6)
    floor = statistics.median(rounds["the streams alone"])
    rows = []
    print(f"{'us a call, median of ' + str(chosen.rounds) + ' rounds':36} {'median':>8} {'25%':>8} {'75%':>8} {'more':>8}")
    for name, found in rounds.items():
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:36} {median:8.1f} {low:8.1f} {high:8.1f} {median - floor:8.1f}")
        # The shape that all benches of the repository share.
        subject, _, work = name.partition(": ")
        role = "ours" if work else "floor"
        row = {"bench": "python", "case": work or "a call", "subject": subject, "role": role, "unit": "ns", "x": None}
        low, median, high, least = (1000 * value for value in (low, median, high, min(found)))
        rows.append({**row, "value": median, "least": least, "low": low, "high": high})
    print(f"mcp {version('mcp')}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    if chosen.json:
        with chosen.json.open("a") as lines:
            for row in rows:
                lines.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    anyio.run(main)
