"""`python -m callgate`: the command `callgate` that was installed with the package.

In: the arguments and what a process inherits. Out: the command takes this process's place; on Windows its exit status is this one's.
Must not decide or print anything else.
"""

import os
import subprocess
import sys

from callgate import _command


def _main() -> int:
    command = _command.find()
    if command is None:
        print(f"error: {_command.MISSING}", file=sys.stderr)
        return 2
    arguments = [str(command), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.run(arguments, check=False).returncode
    os.execv(command, arguments)


if __name__ == "__main__":
    sys.exit(_main())
