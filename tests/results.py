#!/usr/bin/env python3
"""Writes the tables in `tests/RESULTS.md`: the runs of `tests/results.jsonl`, added up, which guard runs which scenario, and which client.

In: a run a line, as RESULTS.md describes it, `spec/guards`, and what `tests/clients.py` played. Out: the tables between `<!-- runs:begin -->`
and `<!-- runs:end -->`, `guards` and `clients` likewise; with `--check` nothing is written, and the exit status is 1 if a table is another one. Nothing but Python's own library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GUARDS = ["python-mcp1", "python-mcp2", "python-fastmcp", "python-streams", "node", "node-v2", "rmcp", "gateway"]


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


def guards() -> str:
    """A tick where the guard runs the scenario, which fails the tests unless it holds; else the number of the reason."""
    reasons: dict[str, int] = {}
    rows = [f"| scenario | {' | '.join(f'`{guard}`' for guard in GUARDS)} |", "| --- |" + " --- |" * len(GUARDS)]
    for path in sorted((HERE.parent / "spec" / "guards").glob("*.json")):
        for scenario in json.loads(path.read_text())["scenarios"]:
            only = scenario.get("only", GUARDS)
            why = {guard: scenario["because"] for guard in GUARDS if guard not in only} | scenario.get("except", {})
            cells = [str(reasons.setdefault(why[guard], len(reasons) + 1)) if guard in why else "\u2713" for guard in GUARDS]
            rows.append(f"| {path.stem}: {scenario['name']} | {' | '.join(cells)} |")
    rows += ["", *(f"{number}. {reason}" for reason, number in reasons.items())]
    return "\n".join(rows) + "\n"


def played(pairs: list[dict[str, Any]], client: str, over: str) -> str:
    return next((str(pair["played"]) for pair in pairs if (pair["client"], pair["over"]) == (client, over)), "?")


def clients() -> str:
    """How many scenarios each client played against each guard, over stdio and over HTTP, and why not the others."""
    run = json.loads((HERE / "clients-played.json").read_text())
    versions, pairs = run["versions"], run["pairs"]
    names = list(dict.fromkeys(pair["client"] for pair in pairs))
    rows = [f"| guard, stdio + HTTP | {' | '.join(f'`{versions[name]}`' for name in names)} |", "| --- |" + " --- |" * len(names)]
    for server in dict.fromkeys(pair["server"] for pair in pairs):
        of = [pair for pair in pairs if pair["server"] == server]
        # Nobody has run it yet, or one of its scenarios did not hold.
        cells = [" + ".join(played(of, name, over) for over in ("stdio", "http") if (server, over) != ("gateway", "http")) for name in names]
        rows.append(f"| {run['guards'][server]} | {' | '.join(cells)} |")
    # Of the runs that a reason is in, how many scenarios each leaves out.
    left: dict[str, list[int]] = {}
    for pair in pairs:
        for reason, count in pair["left"].items():
            left.setdefault(reason, []).append(count)
    rows += ["", "| not played because | runs | scenarios of each |", "| --- | --- | --- |"]
    for reason, counts in sorted(left.items(), key=lambda one: -sum(one[1])):
        least, most = min(counts), max(counts)
        rows.append(f"| {reason} | {len(counts)} | {least if least == most else f'{least} to {most}'} |")
    total, last = sum(pair["played"] for pair in pairs), max(pair["date"] for pair in pairs)
    rows += ["", f"{total:,} scenarios in {len(pairs)} runs, one a client, a guard and a transport; the last on {last}. All were as `spec/guards` says."]
    return "\n".join(rows) + "\n"


def main() -> None:
    runs = [json.loads(line) for line in (HERE / "results.jsonl").read_text().splitlines()]
    page = HERE / "RESULTS.md"
    now = text = page.read_text()
    for name, found in [("runs", table(runs)), ("guards", guards()), ("clients", clients())]:
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, _, rest = now.partition(begin)
        now = f"{before}{begin}{found}{end}{rest.partition(end)[2]}"
    if "--check" in sys.argv[1:]:
        if now != text:
            raise SystemExit("tests/RESULTS.md does not say what tests/results.jsonl and spec/guards say: run tests/results.py")
        return
    page.write_text(now)


main()
