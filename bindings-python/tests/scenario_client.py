"""A client of a Python SDK as a program that plays scenarios of `spec/guards`: what `tests/clients.py` runs.

    scenario_client.py official|fastmcp JOBS

In: a file of jobs, a JSON list. Each has a `scenario`, the name of its `guard`, the unix socket of its `host`, and the server as a `command` or a
`url`. Out: a line of JSON for each job, with `failed` where something was not as the scenario says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
from scenario_play import PATIENCE, Play, Raw

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


def told(error: BaseException) -> str:
    """An exception, and those that it is a group of."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:1000]


async def played(job: Raw, client: Callable[[Raw, Play], Any]) -> Raw:
    try:
        with anyio.fail_after(2 * PATIENCE):
            await Play(job, client).all()
    except Exception as error:
        return {"failed": told(error)}
    return {}


def main() -> None:
    client = import_module(f"client_{sys.argv[1]}").Client
    for job in json.loads(Path(sys.argv[2]).read_text("utf-8")):
        print(json.dumps(anyio.run(played, job, client)), flush=True)


main()
