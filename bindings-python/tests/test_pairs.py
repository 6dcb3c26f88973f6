"""Generated policies and calls: the same decision as Rust's, from raw text and from Python values.

Reads what `cargo run -p callgate-tests --bin pairs` printed to the file named by `$CALLGATE_PAIRS`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import callgate
import pytest

PAIRS = os.environ.get("CALLGATE_PAIRS")


@pytest.mark.skipif(PAIRS is None, reason="test.sh generates the pairs; set CALLGATE_PAIRS to their file")
def test_pairs() -> None:
    assert PAIRS is not None
    compared = values = 0
    with Path(PAIRS).open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            clock = callgate.ManualClock(row["at_ms"] / 1000)
            raw = callgate.Engine.from_str(row["policy"], clock=clock)
            host = callgate.Engine.from_str(row["policy"], clock=clock)
            for call in row["calls"]:
                tool, text, expected = call["tool"], call["args"], call["decision"]
                identity = None if call["identity"] is None else json.loads(call["identity"])
                if call["identity"] is not None and identity is None:
                    identity = []  # JSON null is no identity, and not an absent one
                found = raw.evaluate_json(tool, text, identity).to_json()
                assert found == expected, f"{row['policy']}\n{tool} {text} {identity}\n{found}\n{expected}"
                compared += 1
                if call["raw_only"]:
                    # Charges it all the same, so that counters stay alike.
                    host.evaluate_json(tool, text, identity)
                    continue
                args = json.loads(text)
                found = host.evaluate(tool, [] if args is None else args, identity).to_json()
                assert found == expected, f"{row['policy']}\n{tool} {args!r} {identity}\n{found}\n{expected}"
                values += 1
    print(f"{compared} calls compared, {values} of them as Python values too")
    assert compared >= int(os.environ.get("CALLGATE_PAIRS_MIN", "100000"))
    assert values > compared // 2
