#!/usr/bin/env python3
"""Writes THIRD-PARTY-NOTICES: the licences of what is linked into the command, the wheel and the npm packages, on any platform.

In: Cargo's metadata, the sources that Cargo fetched, and the NOTICE of the catalogue. Out: the file; with `--check` nothing, and failure where it is not current.
Must not list what only builds or tests need.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = ROOT / "THIRD-PARTY-NOTICES"
DEFINITIONS = ROOT / "catalogue" / "NOTICE"
SHIPPED = ["callgate-cli", "callgate-python", "callgate-node"]
TEXTS = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT|UNLICENSE)([-_. ].*)?", re.IGNORECASE)


def linked() -> list[dict]:
    """The packages that anything shipped is linked with, callgate's own left out."""
    run = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    metadata = json.loads(run.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    macros = {key for key, package in packages.items() if any("proc-macro" in target["kind"] for target in package["targets"])}
    waiting = [key for key, package in packages.items() if package["name"] in SHIPPED]
    seen = set(waiting)
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            # A null kind is a dependency that is linked; a macro leaves only what it wrote.
            kinds = [kind["kind"] for kind in dependency["dep_kinds"]]
            if None in kinds and dependency["pkg"] not in macros and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    found = [packages[key] for key in seen if packages[key]["source"] is not None]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def texts(package: dict) -> list[str]:
    """What the package's own sources say of its licence."""
    folder = pathlib.Path(package["manifest_path"]).parent
    depths = [*folder.glob("*"), *folder.glob("*/*"), *folder.glob("*/*/*")]
    files = sorted(path for path in depths if TEXTS.fullmatch(path.name) and path.is_file() and path.suffix not in {".rs", ".toml", ".py"})
    read = [path.read_text("utf-8", errors="replace") for path in files]
    return ["\n".join(line.rstrip() for line in text.strip("\ufeff\r\n ").splitlines()) for text in read if text.strip()]


def notices() -> str:
    packages = linked()
    users: dict[str, list[str]] = {}
    rows = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        rows.append(f"{name}: {package['license'] or 'see its text'}; {package['repository'] or 'no repository'}")
        for text in dict.fromkeys(texts(package)):
            users.setdefault(text, []).append(name)
    head = "The command `callgate`, the Python wheel and the npm packages contain these crates. SQLite, in libsqlite3-sys, is in the public domain."
    rule = "-" * 80
    # What `catalogue/collect.py --notice` wrote: whose the definitions are that the command has.
    definitions = [line for line in DEFINITIONS.read_text("utf-8").splitlines() if line.startswith("- ")]
    servers = "The command has tool definitions of these packages, which are data of their authors under the packages' licences:"
    parts = [f"{head}\n\n" + "\n".join(rows), f"{servers}\n\n" + "\n".join(definitions)]
    parts += [f"{rule}\n{', '.join(names)}\n{rule}\n\n{text}" for text, names in sorted(users.items(), key=lambda item: item[1])]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    now = notices()
    if sys.argv[1:] == ["--check"]:
        if FILE.exists() and FILE.read_text("utf-8") == now:
            return 0
        print(f"error: {FILE.name} is not current; run scripts/notices.py", file=sys.stderr)
        return 1
    FILE.write_text(now, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
