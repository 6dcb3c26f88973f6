"""`python -m callgate`: the command `callgate` that was installed with the package.

In: the arguments and what a process inherits. Out: the command takes this process's place; on Windows its exit status is this one's.
Must not decide or print anything else.
"""

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_NAME = "callgate.exe" if os.name == "nt" else "callgate"


def _command() -> Path | None:
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


def _main() -> int:
    command = _command()
    if command is None:
        print("error: the command `callgate` was not installed with this package; `cargo install callgate-cli` builds it", file=sys.stderr)
        return 2
    arguments = [str(command), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.run(arguments, check=False).returncode
    os.execv(command, arguments)


if __name__ == "__main__":
    sys.exit(_main())
