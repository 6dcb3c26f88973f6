#!/usr/bin/env python3
"""Turns the records of a run into a table and plots, and at a release into what the pages show.

In: benches/release.jsonl, the records of the last release, and benches/results/*.jsonl, those of runs on this machine, an object a line as
every bench writes them; a part that was run here takes the place of the release's. Out: results/table.md and results/*.svg, which git ignores.
With `--release` also release.jsonl, and what lies between `<!-- bench:begin -->` and `<!-- bench:end -->` in README.md and benches/README.md.
Nothing but Python's own library.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "results"
RELEASE = HERE / "release.jsonl"
Record = dict[str, Any]


class Row(NamedTuple):
    """A line of the table: ours against one other subject, and how much of that it may take."""

    title: str
    ours: tuple[str, str, str]  # bench, case, start of the subject's name
    other: tuple[str, str, str] | float | None  # the same, or an absolute bound in the unit of ours
    most: float | None  # ours / other
    readme: str = ""  # what it is called in the repository's README, if it stands there
    beside: str = ""  # and what the other is called


def same(title: str, bench: str, case: str, ours: str, other: str, most: float | None, readme: str = "", beside: str = "") -> Row:
    return Row(title, (bench, case, ours), (bench, case, other), most, readme, beside)


HAND = "a function written by hand"
LIMIT = "one limit, {} identities, {}"
ONE = "one identity, one counter"
NUMBER = "native, reads two properties, gives a number"
ENGINES = "Rust: an allowed charge, against policy engines, in a build with them"
ROWS = [
    ("Rust: a decision on a `serde_json::Value`, against a function written by hand with its tools in Rust's `HashMap`", [
        same("allowed charge, `Policy::evaluate`", "evaluate", "allowed charge", "Policy", "std's map", 2, "Rust, two conditions", HAND),
        same("allowed charge, `Engine::evaluate`", "evaluate", "allowed charge", "Engine", "std's map", 2),
        *(same(f"{kind}, `Policy::evaluate`", "evaluate", kind, "Policy", "std's map", most)
          for kind, most in [("denied by argument", None), ("denied by name", 2), ("listed, no checks", 2), ("not listed", 2)]),
        same("a shuffled stream of calls", "evaluate", "shuffled stream", "Policy", "std's map", None),
        same("allowed charge, its tools in the quickest map", "evaluate", "allowed charge", "Policy", "quick map", None),
        same("allowed charge, its tools in a `match`", "evaluate", "allowed charge", "Policy", "by hand", None),
    ]),
    ("Rust: a decision on raw JSON text, against `serde_json::from_str` of that text alone", [
        same("allowed charge", "evaluate", "raw text: allowed charge", "Policy", "serde_json", 0.5, "Rust, the same from raw JSON text",
             "`serde_json::from_str` of that text"),
        same("a shuffled stream of calls", "evaluate", "raw text: shuffled stream", "Policy", "serde_json", None),
    ]),
    ("Rust: a guard's check of the arguments, against the same call without it", [
        same(f"{kind}{check}", "evaluate", f"{prefix}checked: {check}", "checked", "unchecked", None)
        for kind, prefix in [("a `Value`, ", ""), ("raw text, ", "raw text, ")]
        for check in ["folding, 2 members", "folding, 10 members", "a schema"]
    ]),
    (ENGINES, [
        same(peer, "engines", "allowed charge", "Policy", peer, 1)
        for peer in ["cedar-policy", "regorus, compiled", "regorus, virtual", "casbin, the tool's row", "casbin, the rows", "cel"]
    ]),
    ("Rust: one limit for each caller, clock included", [
        same("10,000 callers, against `governor`", "limits", LIMIT.format(10000, "1 thread"), "Engine", "governor", 2,
             "Rust, a limit for each of 10,000 callers", "`governor`"),
        same("the same, 2 threads", "limits", LIMIT.format(10000, "2 threads"), "Engine", "governor", 1),
        same("1,000,000 callers, against `governor`", "limits", LIMIT.format(1000000, "1 thread"), "Engine", "governor", None),
        same("10,000 callers, against a sharded map of atomics", "limits", LIMIT.format(10000, "1 thread"), "Engine", "sharded", None),
        same("four limits, against the same map four times", "limits", "four limits, 10000 identities, 1 thread", "Engine", "sharded", None),
    ]),
    ("Rust: growth", [
        Row("100,000 tools against 20, one tool again and again", ("growth", "100000 tools", "one"), ("growth", "20 tools", "one"), 1.3),
        Row("50 conditions against 1", ("growth", "50 conditions", "all"), ("growth", "1 conditions", "all"), None),
        Row("10,000 globs, one matches; at most 200 ns", ("growth", "10000 globs", "one"), 200, 1),
        Row("10,000 globs, none matches; at most 200 ns", ("growth", "10000 globs", "none"), 200, 1),
        Row("limit, refused, against the same with room", ("growth", ONE, "limit, refused"), ("growth", "1 counters", "one identity"), 1),
        Row("sliding limit, against a fixed one", ("growth", ONE, "sliding limit"), ("growth", "1 counters", "one identity"), None),
        Row("sliding limit, refused, against the same with room", ("growth", ONE, "sliding limit, refused"), ("growth", ONE, "sliding limit"), 1),
        Row("1,000 tenants of 50 tools in turn, against one of them", ("growth", "1000 tenants", "all"), ("growth", "1000 tenants", "one"), None),
        Row("bytes of such a tenant, policy and engine; at most 200,000", ("memory", "tenants", "an engine"), 200_000, 1),
        Row("bytes of a live counter beyond its key's text; at most 100", ("memory", "counters", "bytes"), 100, 1),
    ]),
    ("Policy tests: 10,000 steps, read, checked and decided, against one second", [
        Row("`callgate test`", ("tests", "10000 steps", "callgate test"), 1_000_000_000, 1),
        Row("with `--coverage`", ("tests", "10000 steps", "the same"), 1_000_000_000, None),
    ]),
    ("Rust: classes of risk of 10,000 tools in one run, against one second", [
        Row("`risk::classify`", ("risk", "10000 tools", "classify"), 1_000_000_000, None),
    ]),
    ("Rust: compiling 10,000 tools with a rule each, against the bare parser into a `Value`", [
        same("YAML, against serde_yaml", "compile", "YAML, 10000 tools with a rule", "Policy", "serde_yaml", 1,
             "Rust, compiling 10,000 tools in YAML", "parsing alone, by serde_yaml"),
        same("JSON, against serde_json", "compile", "JSON, 10000 tools with a rule", "Policy", "serde_json", 1.2),
    ]),
    ("Python: `evaluate(..).allowed`, an allowed charge", [
        same("against a function written by hand", "python", "an allowed charge", "evaluate", "a Python function", 1, "Python, two conditions", HAND),
        *(same(f"against {name}", "python", "an allowed charge", "evaluate", start, most)
          for name, start, most in [("a native method with the policy in its code", "a native method that knows", 1.5),
                                    ("a method that does nothing", "a method that does", None),
                                    ("jsonschema_rs, arguments alone", "jsonschema", None), ("cedarpy", "cedarpy", None)]),
    ]),
    ("Python: the same of other calls, against the method that does nothing", [
        Row(case, ("python", case, "evaluate"), ("python", "an allowed charge", "a method that does"), None)
        for case in ["listed, no checks", "denied by name", "not listed", "one limit"]
    ]),
    ("Node: `evaluate(..).allowed`, two conditions", [
        same("against a native function that reads and returns the same", "node", "two conditions", "callgate",
             "native, reads two properties, gives effect", 1.5, "Node, two conditions", "a native function that only reads and returns the same"),
        *(same(f"against {name}", "node", "two conditions", "callgate", start, most)
          for name, start, most in [("a function written by hand", "JS by hand", None), ("cel-js", "cel-js", None), ("cedar-wasm", "cedar-wasm", 0.02)]),
    ]),
    ("Node: a call of a guarded server in one process with its client, against the same server without a guard", [
        same(f"`McpServer` of `{sdk}`", "node", f"an MCP call, {sdk}", "callgate", "unguarded", None)
        for sdk in ["@modelcontextprotocol/sdk", "@modelcontextprotocol/server"]
    ]),
    ("Gateway: added to a call over stdio, 1 KiB of arguments, in memory, with records", [
        Row("`callgate proxy`, median; at most 100 µs", ("gateway", "added to a call, p50", "callgate"), 100_000, 1),
        Row("`callgate proxy`, 99th percentile; at most 1 ms", ("gateway", "added to a call, p99", "callgate"), 1_000_000, 1),
        Row("`callgate proxy`, the start; at most 20 ms", ("gateway", "added to the start", "callgate"), 20_000_000, 1),
        Row("`callgate proxy`, bytes of an idle one; at most 20 MiB", ("gateway", "memory of an idle one", "callgate"), 20 << 20, 1),
        *(same(f"{case}, against {name}", "gateway", case, "callgate", start, None)
          for case in ["added to a call, p50", "added to a call, p99", "added to the start", "memory of an idle one"]
          for name, start in [("a relay of bytes", "a relay"), ("PyPI's `mcp-proxy`", "mcp-proxy"), ("fastmcp's proxy with the guard", "fastmcp")]),
    ]),
    ("Stores: `Engine::evaluate`", [
        Row("Redis, one fixed counter, against the smallest script", ("redis", "one call", "1 fixed"), ("redis", "one call", "smallest"), 1.25,
            "a limit in Redis, over a socket", "the smallest script"),
        Row("Redis, four fixed counters", ("redis", "one call", "4 fixed"), ("redis", "one call", "smallest"), None),
        *(same(f"SQLite, {t} thread{'s' * (t > 1)}, {c} counter{'s' * (c > 1)}, against bare upserts", "sqlite",
               f"process, {t} threads, {c} counters", "Engine", "bare", 1.25,
               *(("a limit in a SQLite file", "a bare upsert") if t == c == 1 else ())) for t in (1, 4) for c in (1, 4)),
    ]),
]


def load() -> list[Record]:
    def read(path: Path) -> list[Record]:
        return [json.loads(text) for text in path.read_text().splitlines() if text.strip()]

    fresh = [record for path in sorted(RESULTS.glob("*.jsonl")) for record in read(path)]
    measured = {record["bench"] for record in fresh}
    return [record for record in (read(RELEASE) if RELEASE.exists() else []) if record["bench"] not in measured] + fresh


def find(records: list[Record], key: tuple[str, str, str]) -> Record | None:
    found = [r for r in records if (r["bench"], r["case"]) == key[:2] and r["subject"].startswith(key[2])]
    # Of a case at several places of an axis, the farthest.
    return max(found, key=lambda record: record["x"] or 0, default=None)


def shown(value: float, unit: str) -> str:
    if unit != "ns":
        return f"{value:,.0f} {unit}"
    for factor, name in [(1e6, "ms"), (1e3, "µs")]:
        if value >= factor * 10:
            return f"{value / factor:,.1f} {name}"
    return f"{value:,.1f} ns" if value < 100 else f"{value:,.0f} ns"


def ratio(value: float) -> str:
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def times(row: Row, records: list[Record]) -> tuple[Record, float] | None:
    """Ours, and what it is compared with."""
    ours = find(records, row.ours)
    other = find(records, row.other) if isinstance(row.other, tuple) else None
    if ours is None or (isinstance(row.other, tuple) and other is None):
        return None
    return ours, other["value"] if other else row.other


def line(row: Row, records: list[Record]) -> str | None:
    if (pair := times(row, records)) is None:
        return None
    ours, other = pair
    value = ours["value"] / other
    target = "" if row.most is None else f"≤ {row.most:g}" if value <= row.most else f"**≤ {row.most:g}, missed**"
    return f"| {row.title} | {shown(ours['value'], ours['unit'])} | {shown(other, ours['unit'])} | {ratio(value)} | {target} |"


HEAD = "| | callgate | the other | ratio | target |\n| --- | --- | --- | --- | --- |"


def table(records: list[Record]) -> str:
    parts = []
    for title, rows in ROWS:
        lines = [text for row in rows if (text := line(row, records))]
        if lines:
            parts.append("\n".join([f"| **{title}** | | | | |", *lines]))
    return "\n".join([HEAD, *parts])


def short_table(records: list[Record]) -> str:
    """For the repository's README: one figure for one thing, and the policy engines in a sentence."""
    rows = [(row, *pair) for _, rows in ROWS for row in rows if row.readme and (pair := times(row, records))]
    lines = [f"| {row.readme} | {shown(ours['value'], ours['unit'])} | {shown(other, ours['unit'])} | {row.beside} |" for row, ours, other in rows]
    peers = [pair for title, rows in ROWS if title == ENGINES for row in rows if (pair := times(row, records))]
    ratios = sorted(other / ours["value"] for ours, other in peers)
    said = f"For the same call cedar-policy, regorus, casbin and cel take {ratios[0]:,.0f} to {ratios[-1]:,.0f} times as long." if ratios else ""
    return "\n".join(["| an allowed call | callgate | beside it | |", "| --- | --- | --- | --- |", *lines, "", said])


def instructions(records: list[Record]) -> str:
    counted = [f"{r['case']} {r['value']:,.0f}" for r in records if r["bench"] == "instructions"]
    if not counted:
        return ""
    return f"\nInstructions of a call, by `count.sh`: `{', '.join(counted)}`.\n"


def others(records: list[Record]) -> str:
    """Every subject of the engines' bench on every kind of call."""
    cases = list(dict.fromkeys(r["case"] for r in records if r["bench"] == "engines"))
    subjects = list(dict.fromkeys(r["subject"] for r in records if r["bench"] == "engines"))
    if not cases:
        return ""
    rows = [
        f"| {subject} | " + " | ".join(shown(r["value"], "ns") if (r := find(records, ("engines", case, subject))) else "" for case in cases) + " |"
        for subject in subjects
    ]
    head = f"| | {' | '.join(cases)} |\n|{' --- |' * (len(cases) + 1)}"
    return f"\nEvery engine on every kind of call, the arguments' conversion included:\n\n{head}\n" + "\n".join(rows) + "\n"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = [text.partition(":")[2].strip() for text in info.read_text().splitlines() if text.startswith("model name")] if info.exists() else []
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    quick = ", a quick run" if os.environ.get("BENCH_QUICK") not in (None, "", "0") else ""
    return (f"{datetime.date.today()}, {platform.system()} {platform.machine()}, {names[0] if names else 'unknown processor'}, "
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, commit {commit or 'unknown'}{quick}")


def measured(records: list[Record]) -> str:
    """When and where, here and at the release, of which some parts may be left."""
    released = next((record["subject"] for record in records if record["bench"] == "release"), None)
    fresh = any(RESULTS.glob("*.jsonl"))
    return "; what was not run again: ".join(([machine()] if fresh else []) + ([released] if released else []))


# Of the Okabe-Ito palette, those that are told apart on white and on black, by the colour-blind too.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 14px; font-weight: 600 }
.grid { stroke: #8884; stroke-width: 1 } .axis { stroke: #888; stroke-width: 1 } .paper { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .paper { fill: #0d1117 } }
</style>"""


def ticks(low: float, high: float) -> list[float]:
    """The powers of ten between, and what divides them into 2 and 5 if those are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def short(value: float) -> str:
    for factor, name in [(1e6, "M"), (1e3, "k")]:
        if value >= factor:
            return f"{value / factor:g}{name}"
    return f"{value:g}"


def plot(name: str, title: str, x_title: str, y_title: str, series: dict[str, list[tuple[float, float, float, float]]]) -> None:
    """Lines over an axis of growth, both axes by powers of ten; each point with its quartiles."""
    series = {key: sorted(points) for key, points in series.items() if points}
    if not series:
        return
    points = [point for line in series.values() for point in line]
    width, height, left, right, top, bottom = 640, 360 + 18 * len(series), 70, 20, 40, 70 + 18 * len(series)
    x_low, x_high = min(p[0] for p in points), max(p[0] for p in points)
    # Never less than a factor of ten on the axis, or noise would look like growth.
    y_low, y_high = min(p[2] for p in points) / 1.3, max(p[3] for p in points) * 1.3
    if y_high / y_low < 10:
        y_low, y_high = y_low / 2, y_low * 10
    across = math.log10(x_high / x_low) or 1

    def x(value: float) -> float:
        return left + (width - left - right) * math.log10(value / x_low) / across

    def y(value: float) -> float:
        return height - bottom - (height - top - bottom) * math.log10(value / y_low) / math.log10(y_high / y_low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
           f"<title>{title}</title>", STYLE, f'<rect class="paper" width="{width}" height="{height}"/>',
           f'<text class="title" x="{left}" y="22">{title}</text>']
    for tick in ticks(y_low, y_high):
        out.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        out.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    base = height - bottom
    for tick in sorted({p[0] for p in points}):
        out.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{base}"/>')
        out.append(f'<text x="{x(tick):.1f}" y="{base + 16}" text-anchor="middle">{short(tick)}</text>')
    out.append(f'<line class="axis" x1="{left}" x2="{width - right}" y1="{base}" y2="{base}"/><line class="axis" x1="{left}" x2="{left}" y1="{top}" y2="{base}"/>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{base + 36}" text-anchor="middle">{x_title}</text>')
    out.append(f'<text transform="translate(16 {(top + base) / 2}) rotate(-90)" text-anchor="middle">{y_title}</text>')
    for index, (key, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(p[0]):.1f},{y(p[1]):.1f}" for p in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, value, low, high in line:
            out.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}" stroke="{colour}" stroke-width="1"/>')
            out.append(f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"/>')
        legend = base + 58 + 18 * index
        out.append(f'<line x1="{left}" x2="{left + 24}" y1="{legend}" y2="{legend}" stroke="{colour}" stroke-width="3"/><text x="{left + 32}" y="{legend + 4}">{key}</text>')
    out.append("</svg>")
    (RESULTS / f"{name}.svg").write_text("\n".join(out) + "\n")


def points(records: list[Record], chosen: Callable[[Record], str | None]) -> dict[str, list[tuple[float, float, float, float]]]:
    series: dict[str, list[tuple[float, float, float, float]]] = {}
    for record in records:
        if record["x"] and (key := chosen(record)) is not None:
            series.setdefault(key, []).append((record["x"], record["value"], record["low"], record["high"]))
    return series


def plots(records: list[Record]) -> None:
    def of(word: str, bench: str = "growth") -> dict[str, list[tuple[float, float, float, float]]]:
        return points(records, lambda r: r["subject"] if r["bench"] == bench and r["case"].endswith(word) else None)

    time = "nanoseconds a call"
    plot("tools", "Time of a call against the number of tools", "tools", time, of(" tools"))
    plot("conditions", "Time of a call against the conditions that hold", "conditions on one tool", time, of(" conditions"))
    plot("globs", "Time of a call against the number of globs", "globs", time, of(" globs"))
    plot("identities", "Time of a call with a limit against the number of callers", "callers with a counter", time, of(" identities"))
    plot("counters", "Time of a call against its counters", "counters", time, of(" counters"))
    plot("threads", "Time that a thread sees for a call with a limit", "threads", time, of(" threads"))
    plot("compile", "Compiling a policy against the bare parser", "tools with a rule", "nanoseconds", points(
        records, lambda r: f"{r['case'][:4]}: {r['subject']}" if r["bench"] == "compile" else None))
    plot("memory", "What a policy and its counters hold", "tools, globs, conditions or counters", "bytes for each", points(
        records, lambda r: {"counters": "counter, without its identity's text"}.get(r["case"], f"of a policy, for each of its {r['case']}") if r["bench"] == "memory" and r["case"] != "tenants" else None))


def between(path: Path, text: str) -> None:
    begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
    before, _, rest = path.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path} has no place between {begin} and {end}")
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def shown_on_pages(record: Record, records: list[Record]) -> bool:
    keys = [key for _, rows in ROWS for row in rows for key in (row.ours, row.other) if isinstance(key, tuple)]
    return record["bench"] == "instructions" or any(find(records, key) is record for key in keys)


def main() -> None:
    records = load()
    RESULTS.mkdir(exist_ok=True)
    plots(records)
    when = measured(records)
    whole = f"{table(records)}\n{instructions(records)}\nMeasured {when}."
    (RESULTS / "table.md").write_text(f"# Results\n\n{whole}\n{others(records)}")
    if "--release" in sys.argv[1:]:
        kept = [{"bench": "release", "case": "", "subject": when, "x": None}, *(record for record in records if shown_on_pages(record, records))]
        RELEASE.write_text("".join(json.dumps(record) + "\n" for record in kept))
        between(HERE / "README.md", whole)
        between(HERE.parent / "README.md", f"{short_table(records)} Measured {when}. [All rows, and how to read them](benches/README.md).")
    missing = [row.title for _, rows in ROWS for row in rows if line(row, records) is None]
    if missing:
        print("not measured: " + "; ".join(missing))
    print(f"{len(records)} records -> {RESULTS / 'table.md'}")


main()
