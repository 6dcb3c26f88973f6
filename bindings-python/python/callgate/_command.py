"""Where the command `callgate` is that was installed with the package.

In: the record of the installation. Out: a path, or why there is none. Must not run it.
"""

from __future__ import annotations

import os
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_NAME = "callgate.exe" if os.name == "nt" else "callgate"
MISSING = "the command `callgate` was not installed with this package; `cargo install callgate-cli` builds it"


def find() -> Path | None:
    """Where the installer put the command: its record says so; else the folder of the environment's scripts."""
    try:
        files = distribution("callgate").files or []
    except PackageNotFoundError:
        files = []
    recorded = [Path(str(file.locate())) for file in files if file.name == _NAME and file.parent.name != "callgate"]
    for candidate in [*recorded, Path(sysconfig.get_path("scripts"), _NAME)]:
        if candidate.is_file():
            return candidate.resolve()
    return None
