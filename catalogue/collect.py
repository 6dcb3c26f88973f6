#!/usr/bin/env python3
"""Collects the tool definitions that published MCP servers list.

In: `packages.json` beside this file, which pins each server's package. Out: one file of definitions for each server.
Entries with `"catalogue": true` go to `catalogue/<server>/tools.json`, the others to `analysis/tests/risk/servers/<server>.json`.

For each server the script installs the pinned package in a temporary directory, without install scripts. It starts the
server over stdio in a network namespace without interfaces, so that no credential can leave the machine. It then sends
`initialize`, `notifications/initialized` and `tools/list` for every page. It must not call a tool, and must not keep a
definition under a licence that `LICENCES` does not name.

A server outside the catalogue keeps at most 15 tools; a definition above 40 KB is left out everywhere. The pick depends on
the names alone:

1. Up to 8 tools with a word of `MONEY`, `EXECUTE` or `DELETE` in the name. Each belongs to the first group that has one of
   its words. The groups take turns; within a group the order is that of the SHA-256 of the name.
2. The rest in the order of the SHA-256 of the name.

The file keeps the listed order, and `listed` tells how many tools the server listed.

Examples: `collect.py`, `collect.py filesystem git`, `collect.py --check`, `collect.py --notice`.
"""

import argparse
import concurrent.futures
import email
import hashlib
import itertools
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
SAMPLES = ROOT / "analysis" / "tests" / "risk" / "servers"
PROTOCOL = "2025-06-18"
LICENCES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "Unlicense",
    "MIT AND Apache-2.0",
}
PICKED, PICKED_RISKY, LARGEST = 15, 8, 40_000
INSTALL_SECONDS, ANSWER_SECONDS = 540, 60
MONEY = """pay payment payments payout payouts transfer transfers refund refunds charge charges invoice invoices order orders
buy sell swap trade withdraw withdrawal deposit purchase checkout send_transaction subscription subscriptions stake unstake
close_position position bid tip mint bridge""".split()
EXECUTE = """execute exec run shell command commands eval evaluate script sql query invoke cli terminal code process ssh
console python javascript""".split()
DELETE = """delete remove drop terminate purge destroy kill clear erase uninstall wipe truncate prune revoke reset
deregister""".split()


class Refused(Exception):
    """Why a server is left out."""


def pick(tools):
    """At most 15 of the tools, by the rule that the head of this file states."""
    digest = lambda tool: hashlib.sha256(tool["name"].encode()).hexdigest()
    groups = [[], [], []]
    for tool in sorted(tools, key=digest):
        words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", tool["name"]).lower()
        words = set(re.split(r"[^a-z0-9]+", words))
        for group, named in zip(groups, (MONEY, EXECUTE, DELETE)):
            if words.intersection(named):
                group.append(tool)
                break
    turns = [(turn, number, tool) for number, group in enumerate(groups) for turn, tool in enumerate(group)]
    first = [tool["name"] for _, _, tool in sorted(turns, key=lambda entry: entry[:2])][:PICKED_RISKY]
    rest = [tool["name"] for tool in sorted(tools, key=digest) if tool["name"] not in first]
    kept = set((first + rest)[:PICKED])
    return [tool for tool in tools if tool["name"] in kept]


def run(command, where):
    """Runs an installer and raises with the end of what it wrote."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode:
        raise Refused("install: " + (done.stderr or done.stdout).strip()[-600:])


def install_npm(entry, where):
    """Installs the package and returns its directory of programs, its own directory and its metadata."""
    (where / "package.json").write_text("{}")
    extra = entry.get("extra", [])
    name = f'{entry["package"]}@{entry["version"]}'
    run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--omit=dev", name, *extra], where)
    home = where / "node_modules" / entry["package"]
    stated = json.loads((home / "package.json").read_text())
    author, repository = stated.get("author"), stated.get("repository")
    meta = {
        "licence": stated.get("license"),
        "holder": author.get("name") if isinstance(author, dict) else author,
        "source": repository.get("url") if isinstance(repository, dict) else repository or stated.get("homepage"),
    }
    return where / "node_modules" / ".bin", home, meta


def install_pypi(entry, where):
    """As `install_npm`, in a virtual environment. `build` names the dependencies that have no wheel."""
    run([entry.get("python", sys.executable), "-m", "venv", "--without-pip", "venv"], where)
    wheels = ["--only-binary", ":all:", *(word for name in entry.get("build", []) for word in ("--no-binary", name))]
    name = f'{entry["package"]}=={entry["version"]}'
    pip = [sys.executable, "-m", "pip", "--python", "venv/bin/python", "install", "-q", "--no-compile"]
    run([*pip, *wheels, name, *entry.get("extra", [])], where)
    plain = re.sub(r"[-_.]+", "_", entry["package"]).lower()
    homes = [
        found for found in (where / "venv" / "lib").glob("python*/site-packages/*.dist-info")
        if re.sub(r"[-_.]+", "_", found.name.rsplit("-", 1)[0].rsplit("-", 1)[0]).lower() == plain
    ]
    stated = email.message_from_string((homes[0] / "METADATA").read_text())
    links = dict(link.split(", ", 1) for link in stated.get_all("Project-URL", []) if ", " in link)
    links = {label.lower(): link for label, link in links.items()}
    classes = [line for line in stated.get_all("Classifier", []) if line.startswith("License :: OSI")]
    written = stated["License-Expression"] or stated["License"] or (classes or [""])[0].rsplit(":: ", 1)[-1]
    mail = re.match(r'\s*"?([^"<]*?)"?\s*<', stated["Author-email"] or "")
    sources = ("repository", "source", "source code", "github", "code", "homepage")
    meta = {
        "licence": written,
        "holder": stated["Author"] or (mail and mail[1]) or None,
        "source": next((links[label] for label in sources if label in links), stated["Home-page"]),
    }
    return where / "venv" / "bin", homes[0], meta


def licence_of(text):
    """The SPDX name of a licence's name or text; None where neither is known."""
    text = " ".join((text or "").split())
    if text in LICENCES:
        return text
    apache = re.search(r"apache (software )?licen[sc]e|apache[- ]2", text, re.I)
    mit = re.search(r"\bMIT\b|Permission is hereby granted, free of charge", text)
    if apache and mit and len(text) > 40:
        return "MIT AND Apache-2.0"
    if mit or apache:
        return "MIT" if mit else "Apache-2.0"
    if "Redistribution and use in source and binary forms" in text:
        return "BSD-3-Clause" if "Neither the name" in text else "BSD-2-Clause"
    known = {"Mozilla Public License": "MPL-2.0", "ISC License": "ISC", "3-Clause BSD": "BSD-3-Clause"}
    return next((name for words, name in known.items() if words.lower() in text.lower()), None)


def check_licence(entry, home, meta):
    """Refuses a licence that is not allowed, or another one than the pin states. Returns the copyright's holder."""
    files = [found for found in home.rglob("*") if re.match(r"(licen[sc]e|copying)([.-]|$)", found.name, re.I)]
    files = [found for found in files if "node_modules" not in found.relative_to(home).parts and found.is_file()]
    text = files[0].read_text(errors="replace") if files else ""
    stated, read = licence_of(meta["licence"]), licence_of(text)
    if re.search(r"GNU (AFFERO|GENERAL|LESSER)|Business Source|Functional Source|Elastic License", text, re.I):
        raise Refused("licence: the package holds one that is not allowed")
    found = stated or read
    if found not in LICENCES or found != entry["licence"]:
        raise Refused(f'licence: pinned {entry["licence"]}, stated {meta["licence"]!r:.80}, file {read}')
    line = re.search(r"^\W*Copyright (?:\(c\)|©)?[\d,\s–-]*(?:present)?,?\s*(.{2,80}?)\.?\s*(?:All rights.*)?$", text, re.M | re.I)
    named = (meta["holder"] or "", line[1] if line else "")
    # Addresses are not kept, and a licence's own text or a template's name is no holder.
    named = [re.sub(r"\s*[<(][^<>()]*[>)]", "", name).strip() for name in named]
    return next((name for name in named if name and not re.search(r"\[|owner|notice|your name|@\w+\.", name, re.I)), None)


def command_of(entry, programs):
    """The server's command line; without `command`, the program that is named like the package."""
    words = entry.get("command") or [entry["package"].rsplit("/", 1)[-1]]
    if not (programs / words[0]).exists():
        there = ", ".join(sorted(program.name for program in programs.iterdir()))
        raise Refused(f"start: no program {words[0]}, there are {there[:400]}")
    return [str(programs / words[0]), *words[1:]]


def source_of(stated):
    """The page of a repository, from the forms that packages state."""
    plain = re.sub(r"^(git\+|git:)?((https?|ssh)://)?(//)?(git@)?(github:)?|\.git$", "", stated or "").replace("github.com:", "github.com/")
    host = "" if "." in plain.split("/")[0] else "github.com/"
    return "https://" + host + plain if plain else None


def list_tools(command, env, where, log):
    """Starts the server and returns what `initialize` and all pages of `tools/list` answered."""
    apart = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    server = subprocess.Popen(
        [*apart, *command], cwd=where, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
    )
    lines = queue.Queue()
    read = lambda: [lines.put(line) for line in itertools.chain(server.stdout, [None])]
    threading.Thread(target=read, daemon=True).start()

    def tell(message):
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        server.stdin.flush()

    def ask(number, method, params):
        tell({"id": number, "method": method, "params": params})
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            line = lines.get(timeout=max(0.1, until - time.monotonic()))
            if line is None:
                raise Refused(f"start: the server ended before it answered {method}")
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if not isinstance(message, dict):
                continue
            if message.get("id") == number and "method" not in message:
                if "result" not in message:
                    raise Refused(f'{method}: {message.get("error")}')
                return message["result"]
            if "method" in message and "id" in message:
                tell({"id": message["id"], "error": {"code": -32601, "message": "method not found"}})

    try:
        client = {"name": "callgate-collect", "version": "1"}
        hello = ask(1, "initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
        tell({"method": "notifications/initialized"})
        tools, page = [], {}
        for number in range(2, 102):
            answer = ask(number, "tools/list", page)
            tools += answer["tools"]
            if not answer.get("nextCursor"):
                return hello, tools
            page = {"cursor": answer["nextCursor"]}
        raise Refused("tools/list: more than 100 pages")
    except queue.Empty:
        raise Refused("start: no answer in time") from None
    except BrokenPipeError:
        raise Refused("start: the server closed its input") from None
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def collect(entry):
    """The file of one server, as text."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="callgate-collect-"))
    try:
        home = where / "home"
        home.mkdir()
        install = {"npm": install_npm, "pypi": install_pypi}[entry["registry"]]
        programs, package, meta = install(entry, where)
        holder = check_licence(entry, package, meta)
        node = pathlib.Path(shutil.which("node")).parent
        env = {"PATH": f"{programs}:{node}:/usr/bin:/bin", "HOME": str(home)}
        env |= {name: value.replace("{home}", str(home)) for name, value in entry.get("env", {}).items()}
        for name, text in entry.get("files", {}).items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)
        command = [word.replace("{home}", str(home)) for word in command_of(entry, programs)]
        with open(where / "log", "w+b") as log:
            try:
                hello, tools = list_tools(command, env, home, log)
            except Refused as error:
                log.seek(0)
                raise Refused(f"{error}\n{log.read()[-1500:].decode(errors='replace')}") from None
        listed = len(tools)
        if not listed:
            raise Refused("tools/list: no tools")
        tools = [tool for tool in tools if len(json.dumps(tool)) <= LARGEST]
        if not entry.get("catalogue"):
            tools = pick(tools) if len(tools) > PICKED else tools
        data = {key: entry[key] for key in ("server", "registry", "package", "version", "date", "licence")}
        data |= {"holder": holder, "source": source_of(meta["source"])}
        data |= {"collected": time.strftime("%Y-%m-%d", time.gmtime()), "protocol": hello["protocolVersion"]}
        info = {key: hello["serverInfo"][key] for key in ("name", "title", "version") if key in hello["serverInfo"]}
        data |= {"serverInfo": info, "listed": listed, "tools": tools}
        text = json.dumps(data, indent=1, ensure_ascii=False).replace(str(home), "/home/user").replace(str(where), "/opt/server")
        if "callgate-collect-" in text.replace(str(ROOT), "") or str(ROOT) in text:
            raise Refused("the definitions name a path of this machine")
        return text + "\n"
    finally:
        shutil.rmtree(where, ignore_errors=True)


def place(entry):
    """Where the server's file lies."""
    return HERE / entry["server"] / "tools.json" if entry.get("catalogue") else SAMPLES / f'{entry["server"]}.json'


def differences(stored, now):
    """What changed between two files, but for the day of collection."""
    stored, now = json.loads(stored), json.loads(now)
    old, new = ({tool["name"]: tool for tool in data["tools"]} for data in (stored, now))
    heads = [key for key in now if key not in ("tools", "collected") and stored.get(key) != now[key]]
    return heads + [name for name in {**old, **new} if old.get(name) != new.get(name)]


def notice(entries, where):
    """The text of a NOTICE, for definitions that stand there."""
    lines = [
        "callgate",
        "",
        f"The tool definitions in {where} are data of the packages below. Each",
        "package's authors hold the copyright, and its licence applies. `catalogue/collect.py --notice` writes this file.",
        "",
    ]
    for entry in sorted(entries, key=lambda entry: entry["package"]):
        data = json.loads(place(entry).read_text())
        holder = data["holder"] or "the authors of " + data["package"]
        facts = [f'{data["package"]} {data["version"]} ({data["registry"]})', data["licence"], holder, data["source"]]
        lines.append("- " + ", ".join(fact for fact in facts if fact))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these servers")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the stored file differs")
    parser.add_argument("--notice", action="store_true", help="only write both NOTICE files, from the stored files; with --check, compare it")
    parser.add_argument("--jobs", type=int, default=2, help="servers at a time (default: 2)")
    asked = parser.parse_args()
    entries = json.loads((HERE / "packages.json").read_text())
    if asked.notice:
        shipped = [entry for entry in entries if entry.get("catalogue")]
        # The crate is published without the rest of the repository.
        files = {
            ROOT / "NOTICE": notice(entries, "`catalogue/*/tools.json` and `analysis/tests/risk/servers/`"),
            HERE / "NOTICE": notice(shipped, "`*/tools.json` and in `*/callgate.lock`"),
        }
        if asked.check:
            wrong = [str(file.relative_to(ROOT)) for file, text in files.items() if file.read_text() != text]
            return ", ".join(wrong) + ": not current" if wrong else 0
        for file, text in files.items():
            file.write_text(text)
        return 0
    by_name = {entry["server"]: entry for entry in entries}
    unknown = [name for name in asked.names if name not in by_name]
    if unknown:
        return "unknown: " + ", ".join(unknown)
    chosen = [by_name[name] for name in asked.names] or entries
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        works = {pool.submit(collect, entry): entry for entry in chosen}
        for work in concurrent.futures.as_completed(works):
            entry = works[work]
            try:
                text, file = work.result(), place(entry)
                changed = differences(file.read_text(), text) if asked.check else []
            except (Refused, subprocess.TimeoutExpired, OSError, KeyError, IndexError) as error:
                changed = [f"{type(error).__name__}: {error}"]
            else:
                if not asked.check:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text)
            failed += bool(changed)
            print(f'{entry["server"]}: {", ".join(changed) or "ok"}', flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
