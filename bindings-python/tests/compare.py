"""Compares the decisions of two languages: `compare.py OURS THEIRS`. Any difference fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def read(path: str) -> dict[tuple[object, ...], str]:
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return {(row["file"], row["case"], row["step"], row["form"]): row["decision"] for row in rows}


def main(ours_path: str, theirs_path: str) -> None:
    ours, theirs = read(ours_path), read(theirs_path)
    missing = ours.keys() ^ theirs.keys()
    different = [key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
    for key in sorted(map(str, missing))[:10]:
        print(f"only one language decided {key}")
    for one in different[:10]:
        print(f"{one}\n  {ours[one]}\n  {theirs[one]}")
    print(f"{len(ours)} decisions compared, {len(missing)} missing, {len(different)} different")
    if not theirs or missing or different:
        sys.exit(1)


main(*sys.argv[1:])
