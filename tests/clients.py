#!/usr/bin/env python3
"""Plays the scenarios of `spec/guards` by the SDKs' own clients, over stdio and streamable HTTP.

    tests/clients.py CLIENT:SERVER ...   these pairs; `all` is every client against every server
    tests/clients.py --write all         and writes what was as it should into tests/clients-played.json, beside what is there of other pairs
    tests/clients.py --only TEXT ...     only scenarios whose name has this text

In: the programs that `bindings-python/test.sh`, `bindings-node/test.sh` and `cargo test` set up, the scenarios, and `tests/clients.json`: which
scenarios are not played, each with the reason. Out: a line for each pair and transport, what went otherwise than its scenario says, and exit
status 1 if anything did. Nothing but Python's own library.

A server is a program with a guard, which serves scenarios: one over stdio, or all at once over HTTP. A client is a program that plays them by the
public interface of its SDK. Steps that no client plays, such as a new policy, go to the server by a unix socket.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

Raw = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
PYTHON, NODE = ROOT / "bindings-python", ROOT / "bindings-node"
# Seconds for all scenarios of a pair over one transport.
PATIENCE = 900


def python(environment: str, program: str, *arguments: str) -> list[str]:
    return [str(PYTHON / ".test" / environment / "bin" / "python"), str(PYTHON / "tests" / program), *arguments]


def node(program: str, *arguments: str) -> list[str]:
    return ["node", str(NODE / ".work" / "tests" / "test" / f"{program}.mjs"), *arguments]


def rmcp(*arguments: str) -> list[str]:
    """The test program, which `cargo test` names itself."""
    program = os.environ.get("CALLGATE_RMCP_CLIENTS")
    if program is None:
        # As `make test` builds it: with fewer packages, what they share has other features, and is built once more.
        stores = ["--exclude=callgate-store-contract", "--exclude=callgate-sqlite", "--exclude=callgate-redis"]
        build = ["cargo", "test", "--quiet", "--locked", "--workspace", *stores, "--test", "clients", "--no-run", "--message-format", "json"]
        made = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        program = next(one["executable"] for line in made.splitlines() if (one := json.loads(line)).get("executable"))
        os.environ["CALLGATE_RMCP_CLIENTS"] = program
    return [program, *arguments]


# A client: its command, before the file of jobs.
CLIENTS = {
    "mcp1": lambda: python("mcp1", "scenario_client.py", "official"),
    "mcp2": lambda: python("mcp2", "scenario_client.py", "official"),
    "fastmcp2": lambda: python("fastmcp2", "scenario_client.py", "fastmcp"),
    "fastmcp3": lambda: python("fastmcp3", "scenario_client.py", "fastmcp"),
    "fastmcp4": lambda: python("mcp2", "scenario_client.py", "fastmcp"),
    "sdk1": lambda: node("scenario-client", "1"),
    "sdk2": lambda: node("scenario-client", "2"),
    "rmcp": lambda: rmcp("play"),
}
# A server: the guard's name in the scenarios, and the command.
SERVERS = {
    "mcp1": ("python-mcp1", lambda: python("mcp1", "scenario_server.py", "python-mcp1")),
    "mcp1-streams": ("python-streams", lambda: python("mcp1", "scenario_server.py", "python-streams")),
    "mcp2": ("python-mcp2", lambda: python("mcp2", "scenario_server.py", "python-mcp2")),
    "mcp2-streams": ("python-streams", lambda: python("mcp2", "scenario_server.py", "python-streams")),
    "fastmcp2": ("python-mcp1", lambda: python("fastmcp2", "scenario_server.py", "python-fastmcp")),
    "fastmcp3": ("python-mcp1", lambda: python("fastmcp3", "scenario_server.py", "python-fastmcp")),
    "fastmcp4": ("python-fastmcp", lambda: python("mcp2", "scenario_server.py", "python-fastmcp")),
    "sdk1": ("node", lambda: node("scenario-server", "node")),
    "sdk2": ("node-v2", lambda: node("scenario-server", "node-v2")),
    "rmcp": ("rmcp", lambda: rmcp("serve")),
    # What stands behind the gateway.
    "none": ("", lambda: python("mcp2", "scenario_server.py", "none")),
    "gateway": ("gateway", lambda: python("mcp2", "scenario_gateway.py")),
}


# What a client is a package of, and what the page calls a server.
PACKAGES = {
    "mcp1": "mcp",
    "mcp2": "mcp",
    "fastmcp2": "fastmcp",
    "fastmcp3": "fastmcp",
    "fastmcp4": "fastmcp",
    "sdk1": "@modelcontextprotocol/sdk",
    "sdk2": "@modelcontextprotocol/client",
    "rmcp": "rmcp",
}
GUARDS = {
    "mcp1": "`callgate.mcp.guard`, `mcp` 1.x",
    "mcp1-streams": "`guard_streams`, `mcp` 1.x",
    "mcp2": "`callgate.mcp.guard`, `mcp` 2.x",
    "mcp2-streams": "`guard_streams`, `mcp` 2.x",
    "fastmcp2": "`callgate.mcp.guard`, `fastmcp` 2",
    "fastmcp3": "`callgate.mcp.guard`, `fastmcp` 3",
    "fastmcp4": "`callgate.fastmcp`",
    "sdk1": "`callgate/mcp`, `@modelcontextprotocol/sdk`",
    "sdk2": "`callgate/mcp`, `@modelcontextprotocol/server`",
    "rmcp": "`callgate-rmcp`",
    "gateway": "`callgate proxy`",
}


def version(client: str) -> str:
    """The version that is installed where the client runs."""
    package = PACKAGES[client]
    if client == "rmcp":
        lock = (ROOT / "Cargo.lock").read_text("utf-8")
        return lock.partition('name = "rmcp"\nversion = "')[2].partition('"')[0]
    if package.startswith("@"):
        return str(json.loads((NODE / "node_modules" / package / "package.json").read_text("utf-8"))["version"])
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([CLIENTS[client]()[0], "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def traits(scenario: Raw) -> set[str]:
    """What a rule of `tests/clients.json` may name of a scenario."""
    steps = {member for step in scenario["steps"] for member in step}
    again = {f"{what}.{member}" for step in scenario["steps"] for what in ("round",) if what in step for member in ("state", "arguments") if member in step}
    does = {f"does.{tool['does']}" for tool in scenario["tools"].values() if isinstance(tool.get("does"), str)}
    return {scenario["name"], *steps, *again, *does, *(member for member in ("era", "approvals") if member in scenario)}


class Reasons:
    """Which scenarios a client does not play against a server, and why."""

    def __init__(self) -> None:
        self._rules: list[Raw] = json.loads((ROOT / "tests" / "clients.json").read_text("utf-8"))["rules"]

    def why(self, scenario: Raw, client: str, server: str, over: str) -> str | None:
        guard = SERVERS[server][0]
        why: str | None = scenario.get("except", {}).get(guard)
        if guard not in scenario.get("only", [guard]):
            why = scenario["because"]
        # The guard of a connection has a server of the same SDK behind it, which cannot do more than it can.
        if server == "mcp1-streams" and (behind := scenario.get("except", {}).get("python-mcp1", "")).startswith("1.x of the SDK"):
            why = behind
        if why is not None:
            return why
        if scenario.get("over", over) != over:
            return "it is about the other transport"
        for rule in self._rules:
            here = {"client": client, "server": server, "over": over}
            if all(value in rule[name] for name, value in here.items() if name in rule) and traits(scenario).intersection(rule["what"]):
                return str(rule["because"])
        return None


def scenarios(only: str) -> list[Raw]:
    found = []
    for path in sorted((ROOT / "spec" / "guards").glob("*.json")):
        found += [scenario for scenario in json.loads(path.read_text("utf-8"))["scenarios"] if only in scenario["name"]]
    return found


@contextmanager
def served(server: str, over: str, jobs: list[Raw], folder: str, log: IO[str]) -> Iterator[str | None]:
    """Adds to each job how its client gets at the server; gives what went wrong."""
    serve = SERVERS[server][1]()
    file = Path(folder, "jobs.json")
    if server == "gateway":
        behind = [{**job, "host": f"{job['host']}s"} for job in jobs]
        with served("none", over, behind, folder, log) as wrong:
            for number, (job, one) in enumerate(zip(jobs, behind, strict=True)):
                job |= {"behind": one["command"], "host_behind": one["host"], "command": [*serve, f"{folder}/gateway.json", str(number)]}
            Path(folder, "gateway.json").write_text(json.dumps(jobs))
            yield wrong
        return
    file.write_text(json.dumps(jobs))
    is_warm = over == "stdio" and serve[0].endswith("python")
    if over == "stdio" and not is_warm:
        for number, job in enumerate(jobs):
            job["command"] = [*serve, str(file), str(number)]
        yield None
        return
    warm = [f"{folder}/warm"] if is_warm else []
    listening = subprocess.Popen([*serve, str(file), *warm], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    assert listening.stdout is not None
    said = listening.stdout.readline()
    try:
        if not said:
            yield "the server did not start"
            return
        for number, job in enumerate(jobs):
            if is_warm:
                job["command"] = [serve[0], "-S", "-I", str(PYTHON / "tests" / "scenario_stdio.py"), warm[0], str(number)]
            else:
                job["url"] = json.loads(said)[number]
        yield None
    finally:
        listening.communicate()
        # A handler may hold up the process of its job.
        with suppress(ProcessLookupError):
            os.killpg(listening.pid, signal.SIGKILL)


def played(client: str, server: str, over: str, of: list[Raw]) -> list[str]:
    """What went otherwise, by scenario."""
    with tempfile.TemporaryDirectory(prefix="cg-") as folder:
        log, playing = Path(folder, "log"), Path(folder, "playing.json")
        jobs = [{"scenario": scenario, "guard": SERVERS[server][0], "host": f"{folder}/{number}"} for number, scenario in enumerate(of)]
        with log.open("w") as to, served(server, over, jobs, folder, to) as wrong:
            playing.write_text(json.dumps(jobs))
            try:
                done = subprocess.run([*CLIENTS[client](), str(playing)], stdout=subprocess.PIPE, stderr=to, timeout=PATIENCE)
                lines = done.stdout.decode().splitlines()
            except subprocess.TimeoutExpired as late:
                lines = (late.stdout or b"").decode().splitlines()
        failed = [] if wrong is None else [wrong]
        for number, job in enumerate(jobs):
            answer = json.loads(lines[number]) if number < len(lines) else {"failed": "not played"}
            if "failed" in answer:
                failed.append(f"{job['scenario']['name']}: {answer['failed']}")
        if failed and "--log" in sys.argv:
            failed.append(log.read_text()[-20000:])
        return failed


def main() -> None:
    arguments = sys.argv[1:]
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    named = [one for one in arguments if ":" in one or one == "all"]
    pairs = [(client, server) for client in CLIENTS for server in SERVERS if server != "none"] if "all" in named else [(*one.split(":"),) for one in named]
    reasons = Reasons()
    if "rmcp" in {name for pair in pairs for name in pair}:
        rmcp()

    def play(one: tuple[str, str, str]) -> tuple[int, Counter[str], list[str]]:
        client, server, over = one
        jobs, skipped = [], Counter()
        for scenario in scenarios(only):
            why = reasons.why(scenario, client, server, over)
            if why is None:
                jobs.append(scenario)
            else:
                skipped[why] += 1
        failed = played(client, server, over, jobs) if jobs else []
        print(f"{client} against {server}, {over}: {len(jobs)} played, {len(failed)} failed", flush=True)
        for line in failed:
            print(f"    {line}", flush=True)
        if "--write" in arguments:
            with (ROOT / "tests" / "clients.json").open() as alone:
                fcntl.flock(alone, fcntl.LOCK_EX)
                write(client, server, over, None if failed else {"played": len(jobs), "left": dict(sorted(skipped.items()))})
        return len(jobs), skipped, failed

    runs = [(client, server, over) for over in ("http", "stdio") for client, server in pairs if (server, over) != ("gateway", "http")]
    with ThreadPoolExecutor(int(os.environ.get("CALLGATE_CLIENTS_AT_ONCE", os.cpu_count() or 1))) as pool:
        results = list(zip(runs, pool.map(play, runs), strict=True))
    if any(failed for _, (_, _, failed) in results):
        sys.exit(1)


def write(client: str, server: str, over: str, run: Raw | None) -> None:
    """Keeps what a run came to, where the pages' tables are made of it."""
    page = ROOT / "tests" / "clients-played.json"
    kept = json.loads(page.read_text("utf-8")) if page.exists() else {"versions": {}, "pairs": []}
    key = {"client": client, "server": server, "over": over}
    pairs = [pair for pair in kept["pairs"] if any(pair[name] != value for name, value in key.items())]
    if run is not None:
        pairs.append({**key, "date": datetime.now(timezone.utc).date().isoformat(), **run})
    orders = {"client": [*CLIENTS], "server": [*SERVERS], "over": ["stdio", "http"]}
    pairs.sort(key=lambda pair: [of.index(pair[name]) for name, of in orders.items()])
    versions = {**kept["versions"], client: f"{PACKAGES[client]} {version(client)}"}
    about = f'"versions": {json.dumps(versions)},\n"guards": {json.dumps(GUARDS)}'
    rows = ",\n".join(json.dumps(pair) for pair in pairs)
    page.write_text(f'{{{about},\n"pairs": [\n{rows}\n]}}\n')


main()
