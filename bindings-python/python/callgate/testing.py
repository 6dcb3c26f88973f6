"""Runs tests of policies: `callgate test`, by the command that came with the package. Connects to guarded servers in memory.

    from callgate import testing

    report = testing.run("policies/")
    assert report["totals"]["failed"] == 0

    async with testing.connect(server, caller="ann") as client:
        assert (await client.call("pay", amount=101)).code == "condition_failed"

In: test files, and folders of them; or a server. Out: the command's JSON, whose form is stable: fields are only added; or a client. Must not
decide anything, and must not take a run that tested nothing for one that passed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from callgate import _command
from callgate._connecting import Answer, Client, connect
from callgate._errors import CallgateError

__all__ = ["Answer", "Check", "Client", "Difference", "Failure", "FileReport", "Finding", "PolicyTest", "Problem", "Report", "RunError", "Totals", "connect", "run"]


class Finding(TypedDict):
    """A finding in a test file or a policy (spec 12)."""

    severity: Literal["error", "warning"]
    code: str
    line: int
    column: int
    pointer: str
    message: str
    help: str | None


class Problem(TypedDict):
    """Why a file, or a part of it, could not be run."""

    path: str
    message: str
    diagnostic: Finding | None
    """`None` where the file could not be read at all."""


class Difference(TypedDict):
    """Something that is not as expected."""

    what: str
    """`decision`, or a field of it, such as `counters[0].used`."""
    expected: str
    actual: str


class Check(TypedDict):
    """A check that led to the decision."""

    pointer: str
    """Where it stands in the policy; empty for a counter."""
    what: str
    outcome: str
    why: str | None
    checks: list[Check]


class Failure(TypedDict):
    """A call that was not decided as expected. Its arguments are not in it."""

    line: int
    column: int
    pointer: str
    tool: str
    turn: int | None
    """Which repetition of the call it was, from 1, where there are several."""
    differences: list[Difference]
    decision: dict[str, Any]
    checks: list[Check]


class PolicyTest(TypedDict):
    """What came of a test, or of one of its runs."""

    name: str
    """Unique in its file."""
    test: str
    """The name that the file gives it, which several runs may share."""
    policy: str
    line: int
    column: int
    status: Literal["passed", "failed", "skipped", "todo", "done"]
    """`todo`: it is marked to fail, and fails. `done`: it is marked to fail, and passes, which counts as a failure."""
    reason: str | None
    """Why it is skipped or marked to fail."""
    calls: int
    seconds: float
    failures: list[Failure]
    """Empty unless it failed."""


class PolicyWarnings(TypedDict):
    """A policy that has warnings, which `callgate check` shows."""

    path: str
    count: int


class FileReport(TypedDict):
    """What came of a test file."""

    path: str
    problems: list[Problem]
    warnings: list[Finding]
    policy_warnings: list[PolicyWarnings]
    tests: list[PolicyTest]
    filtered: int
    """How many tests the filter left out."""


class Totals(TypedDict):
    """How many tests ended how."""

    passed: int
    failed: int
    skipped: int
    todo: int
    filtered: int
    problems: int
    calls: int


class Report(TypedDict):
    """What came of all files."""

    version: int
    totals: Totals
    files: list[FileReport]


class RunError(CallgateError):
    """Something could not be run, or nothing was: the message says what. Where the command exits with 2."""

    code = "not_run"
    report: Report | None
    """What came of the rest; `None` where there is none, such as for a path that leads nowhere."""

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = report


def run(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = ".",
    *,
    filter: str | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Report:
    """Runs test files, and those in folders. `filter` chooses tests whose name holds that text. Paths are relative to `cwd`.

    A report may tell of failed tests: look at `report["totals"]["failed"]`.

    Raises:
        RunError: where something could not be run, or nothing was.
    """
    command = _command.find()
    if command is None:
        raise RunError(_command.MISSING)
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not given:
        raise ValueError("`paths` is empty")
    chosen = [] if filter is None else [f"--filter={filter}"]
    arguments = [os.fspath(command), "test", "--format=json", *chosen, "--", *(os.fspath(path) for path in given)]
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", cwd=cwd, check=False)
    except OSError as error:
        raise RunError(f"{command} cannot run: {error}") from error
    said = done.stderr.strip() or f"{command} ended with status {done.returncode}"
    report = _read(done.stdout)
    if report is None or done.returncode not in (0, 1):
        problems = [_line(problem) for file in report["files"] for problem in file["problems"]] if report else []
        raise RunError("\n".join(problems) or said, report)
    return report


def _read(text: str) -> Report | None:
    """A report; `None` where the command gave none."""
    try:
        report: Report = json.loads(text)
    except ValueError:
        return None
    return report


def _line(problem: Problem) -> str:
    """`FILE:LINE:COLUMN: what is wrong [code]`, and the help on a line of its own."""
    found = problem["diagnostic"]
    if found is None:
        return problem["message"] if problem["message"].startswith(problem["path"]) else f"{problem['path']}: {problem['message']}"
    help = "" if found["help"] is None else f"\n  help: {found['help']}"
    return f"{problem['path']}:{found['line']}:{found['column']}: {found['message']} [{found['code']}]{help}"
