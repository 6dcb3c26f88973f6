#!/usr/bin/env python3
"""Adds up the runs of `tests/results.jsonl` for the table in `tests/RESULTS.md`.

In: a run a line, as RESULTS.md describes it. Out: the table between `<!-- runs:begin -->` and `<!-- runs:end -->`; with `--check`
nothing is written, and the exit status is 1 if the table is another one. Nothing but Python's own library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- runs:begin -->\n", "<!-- runs:end -->"


def table(runs: list[dict[str, Any]]) -> str:
    rows = ["| what | runs | last | inputs | finds |", "| --- | --- | --- | --- | --- |"]

    def row(name: str, of: list[dict[str, Any]], inputs: str, finds: str) -> None:
        tried, found = (sum(run.get(field, 0) for run in of) for field in (inputs, finds))
        rows.append(f"| {name} | {len(of)} | {max(run['date'] for run in of)} | {tried:,} | {found or 'none'} |")

    differ = [run for run in runs if run["run"] == "differ"]
    for generator in sorted({run["generator"] for run in differ}):
        of = [run for run in differ if run["generator"] == generator]
        row(f"`differ`, generator {generator}, calls", of, "calls", "differences")
    row("`differ`, all calls", differ, "calls", "differences")
    for name, judged in [("read by Go", "go"), ("of both sides, byte for byte", "bytes")]:
        of = [run for run in runs if run["run"] == "relayed" and run["judge"] == judged]
        row(f"`relayed`, messages {name}", of, "messages", "finds")
    fuzz = [run for run in runs if run["run"] == "fuzz"]
    for target in sorted({run["target"] for run in fuzz}):
        row(f"fuzz target `{target}`, executions", [run for run in fuzz if run["target"] == target], "executions", "finds")
    return "\n".join(rows) + "\n"


def main() -> None:
    runs = [json.loads(line) for line in (HERE / "results.jsonl").read_text().splitlines()]
    page = HERE / "RESULTS.md"
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    now = f"{before}{BEGIN}{table(runs)}{END}{rest.partition(END)[2]}"
    if "--check" in sys.argv[1:]:
        if now != text:
            raise SystemExit("tests/RESULTS.md does not add up what tests/results.jsonl says: run tests/results.py")
        return
    page.write_text(now)


main()
