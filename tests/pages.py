#!/usr/bin/env python3
"""Checks the Markdown pages of the repository.

In: every page that git knows. Out: a line for each fault, and exit status 1 if there is one. Needs nothing but Python and git, and runs in
a second; it must not build or run anything.

- A sentence has at most 35 words. Pages of `spec/` are left out: a clause is one sentence where that makes it exact.
- Relative links lead to a file, and anchors to a heading. A path in backticks that begins with a folder of the repository is there.
- Each code block of a README and below `docs/guide` says who runs it, in a comment on the line before:
      <!-- same as FILE -->         the block is that file, whole
      <!-- part of FILE -->         the block's lines stand in that file, or in the example of its crate docs
      <!-- run by FILE -->          that test takes the block from the page
      <!-- not run: REASON -->
- Each page of `docs/decisions` is in its list, and has its four parts.
- Each recipe is a page, a policy that the page quotes whole, and its tests. The guide lists it, and every other page of the guide.
- The number of traps that the README tells is the number of rows in `spec/traps.md`, and `tests/RESULTS.md` adds up its runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_WORDS = 35
FENCE = re.compile(r"^( *)(```+|~~~+)(\w*)[^\n]*\n(.*?)^\1\2[ ]*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
faults: list[str] = []


def pages() -> list[Path]:
    # Files that are not yet committed count, too.
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).exists()]


def blank(found: re.Match[str]) -> str:
    """Takes something out of a page, and keeps its lines."""
    return "\n" * found[0].count("\n")


def prose(text: str) -> str:
    """A page without code blocks and comments."""
    return re.sub(r"<!--.*?-->", blank, FENCE.sub(blank, text), flags=re.DOTALL)


def paragraphs(text: str) -> list[tuple[int, str]]:
    """Paragraphs, list items and table cells, each with its line."""
    found: list[tuple[int, str]] = []
    open_ = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("|"):
            cells = re.split(r"(?<!\\)\|", stripped.strip("|"))
            found += [(number, cell) for cell in cells]
            open_ = False
        elif not stripped or stripped.startswith("#"):
            open_ = False
        elif open_ and not re.match(r"([-*]|\d+\.) ", stripped):
            start, before = found[-1]
            found[-1] = (start, f"{before} {stripped}")
        else:
            found.append((number, re.sub(r"^([-*]|\d+\.) ", "", stripped)))
            open_ = True
    return found


def sentences(paragraph: str) -> list[str]:
    # What is in backticks is one word, whatever it holds.
    plain = LINK.sub(lambda link: link[0].split("](")[0].lstrip("["), re.sub(r"`+[^`]+`+", "CODE", paragraph))
    return re.split(r"(?<=[.!?])[)\"*]* +(?=[A-Z\"*(\[\d])", plain)


def long_sentences(page: Path, text: str) -> None:
    for number, paragraph in paragraphs(prose(text)):
        for sentence in sentences(paragraph):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > MOST_WORDS:
                faults.append(f"{page.relative_to(ROOT)}:{number}: a sentence of {len(words)} words: {' '.join(words[:8])} …")


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", prose(text), re.MULTILINE):
        heading = LINK.sub(lambda link: link[0].split("](")[0].lstrip("["), heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        times = found.get(slug, 0)
        found[slug] = times + 1
        names.add(f"{slug}-{times}" if times else slug)
    return names


def links(page: Path, text: str) -> None:
    for number, line in enumerate(prose(text).splitlines(), 1):
        for target in LINK.findall(re.sub(r"`[^`]*`", lambda code: "x" * len(code[0]), line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                faults.append(f"{page.relative_to(ROOT)}:{number}: no such file: {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
                faults.append(f"{page.relative_to(ROOT)}:{number}: no such heading: {target}")


def paths(page: Path, text: str) -> None:
    """Files that pages name without a link."""
    for number, line in enumerate(prose(text).splitlines(), 1):
        for named in re.findall(r"`([\w.-]+/[\w./-]*\.[a-z]+)`", line):
            if (ROOT / named.split("/")[0]).is_dir() and not any((folder / named).exists() for folder in (ROOT, page.parent)):
                faults.append(f"{page.relative_to(ROOT)}:{number}: no such file: {named}")


def blocks(page: Path, text: str) -> None:
    for found in FENCE.finditer(text):
        where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        before = text[: found.start()].rstrip("\n").rpartition("\n")[2].strip()
        mark = re.fullmatch(r"<!-- (same as|part of|run by|not run:) (.+) -->", before)
        if mark is None:
            faults.append(f"{where}: nothing says who runs this block")
            continue
        kind, named = mark.groups()
        if kind == "not run:":
            continue
        file = ROOT / named
        if not file.is_file():
            faults.append(f"{where}: no such file: {named}")
            continue
        code, there = found[4], file.read_text("utf-8")
        # An example in crate docs is a test, too.
        docs = re.sub(r"^//! ?", "", there, flags=re.MULTILINE)
        if kind == "same as" and code != there or kind == "part of" and code not in there and code not in docs:
            faults.append(f"{where}: not what stands in {named}")
        if kind == "run by" and page.relative_to(ROOT).as_posix() not in there and not (page.name == "README.md" and "README" in there):
            faults.append(f"{where}: {named} does not read this page")


def decisions() -> None:
    """Every page of `docs/decisions` is in its list, and says what one has to say."""
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text("utf-8")
    for page in sorted(folder.glob("*.md")):
        text = page.read_text("utf-8")
        if page.name != "README.md" and f"({page.name})" not in listed:
            faults.append(f"{page.relative_to(ROOT)}: not in the list of decisions")
        if page.name != "README.md" and not all(f"**{part}.**" in text for part in ("Context", "Decision", "Rejected", "Figure")):
            faults.append(f"{page.relative_to(ROOT)}: needs context, decision, rejected and figure")


def guide() -> None:
    """Every page of the guide is in its list, and every recipe has its page, its policy and its tests."""
    folder = ROOT / "docs/guide"
    listed = (folder / "README.md").read_text("utf-8")
    for page in sorted(folder.rglob("*.md")):
        if page.name != "README.md" and f"({page.relative_to(folder).as_posix()})" not in listed:
            faults.append(f"{page.relative_to(ROOT)}: not in the list of the guide")
    recipes = folder / "recipes"
    endings = (".md", ".yaml", "_test.yaml")
    for name in sorted({re.sub(r"(_test)?\.\w+$", "", file.name) for file in recipes.iterdir()}):
        missing = [name + ending for ending in endings if not (recipes / (name + ending)).is_file()]
        faults.extend(f"docs/guide/recipes/{file}: a recipe lacks it" for file in missing)
        if not missing and f"<!-- same as docs/guide/recipes/{name}.yaml -->" not in (recipes / f"{name}.md").read_text("utf-8"):
            faults.append(f"docs/guide/recipes/{name}.md: does not quote its policy")


def traps(page: Path, text: str) -> None:
    rows = len(re.findall(r"^\| \d+ \|", (ROOT / "spec/traps.md").read_text("utf-8"), re.MULTILINE))
    for said in re.findall(r"\[(\d+) ways\]", text):
        if int(said) != rows:
            faults.append(f"{page.relative_to(ROOT)}: {said} ways, where spec/traps.md has {rows}")


def main() -> None:
    found = pages()
    for page in found:
        text = page.read_text("utf-8")
        links(page, text)
        paths(page, text)
        traps(page, text)
        if page.relative_to(ROOT).parts[0] != "spec":
            long_sentences(page, text)
            if page.name == "README.md" or ROOT / "docs/guide" in page.parents:
                blocks(page, text)
    decisions()
    guide()
    added = subprocess.run([sys.executable, ROOT / "tests/results.py", "--check"], capture_output=True, text=True)
    if added.returncode != 0:
        faults.append(added.stderr.strip())
    print("\n".join(faults) or f"{len(found)} pages: no faults")
    raise SystemExit(bool(faults))


main()
