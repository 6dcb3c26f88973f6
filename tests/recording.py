#!/usr/bin/env python3
"""Records what passes between a client and what it starts, and compares such recordings.

    recording.py tee PREFIX COMMAND...    runs COMMAND in its place; bytes go to PREFIX.client and PREFIX.server as well
    recording.py compare ONE OTHER        says how many messages each side sent; fails where the recordings differ

In: the command's standard input and output, or prefixes. Out: the same bytes, or the first difference. Must not read a message while it
copies: what is recorded is what passed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

SIDES = ("client", "server")
TRACE = re.compile(rb'"traceparent":"[^"]*"')


def copy(source: int, sink: int, record: str) -> None:
    """Copies until one of them ends."""
    with open(record, "wb", buffering=0) as kept:
        while chunk := os.read(source, 1 << 16):
            kept.write(chunk)
            while chunk:
                chunk = chunk[os.write(sink, chunk) :]


def tee(prefix: str, command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    to_child, from_child = child.stdin, child.stdout

    def forth() -> None:
        try:
            copy(0, to_child.fileno(), f"{prefix}.client")
        except BrokenPipeError:
            return  # it does not read any more
        to_child.close()

    # It may wait for a client that says no more, and does not keep the process alive.
    threading.Thread(target=forth, daemon=True).start()
    try:
        copy(from_child.fileno(), 1, f"{prefix}.server")
    except BrokenPipeError:
        pass
    return child.wait()


def lines(prefix: str, side: str) -> list[bytes]:
    # Where OpenTelemetry is there, an SDK marks each run's messages with a trace of its own.
    return [TRACE.sub(b"", line) for line in Path(f"{prefix}.{side}").read_bytes().splitlines()]


def compare(one: str, other: str) -> int:
    for side in SIDES:
        direct, relayed = lines(one, side), lines(other, side)
        for index, (left, right) in enumerate(zip(direct, relayed)):
            if left != right:
                print(f"message {index} of the {side} differs:", left, right, sep=os.linesep)
                return 1
        if len(direct) != len(relayed):
            more = max(direct, relayed, key=len)[min(len(direct), len(relayed))]
            print(f"the {side} sent {len(direct)} messages, and {len(relayed)}; the first that is missing:", more, sep=os.linesep)
            return 1
        print(side, len(direct))
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["tee", prefix, *command] if command:
            code = tee(prefix, command)
            # The thread that reads standard input may still hold it.
            os._exit(code if code >= 0 else 128 - code)
        case ["compare", one, other]:
            sys.exit(compare(one, other))
        case _:
            sys.exit(__doc__)
