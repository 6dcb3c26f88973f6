"""Tests of policies as tests of pytest. Nothing happens until a project turns it on, by one line in its `conftest.py`:

    pytest_plugins = ["callgate.pytest"]

or by `pytest -p callgate.pytest`. Every `*_test.yaml`, `*_test.yml` and `*_test.json` that pytest then meets is a file of tests.

In: a test file. Out: an item for each of its tests, with the outcome that `callgate test` has for it. Must not decide anything, and must
not show arguments of calls: reports of pytest are logs of build servers.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from callgate import testing

_ENDINGS = ("_test.yaml", "_test.yml", "_test.json")
# What steers a terminal, or the order of its text.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
# Above this, a failure shows the line of the test file as it stands there.
_VERBOSE = 2


class PolicyTestWarning(pytest.PytestWarning):
    """Something in a test file that may not mean what its author thinks."""


class PolicyTestFailed(Exception):
    """A test that failed. Its text is all there is to say."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PolicyFile | None:
    """Takes the files of policy tests."""
    return PolicyFile.from_parent(parent, path=file_path) if file_path.name.endswith(_ENDINGS) else None


class PolicyFile(pytest.File):
    """A file of policy tests. It is run once, when its tests are collected: that takes milliseconds, and gives their names."""

    def collect(self) -> Iterator[PolicyItem]:
        # Messages name files as they would be typed.
        here = self.config.invocation_params.dir
        path = self.path.relative_to(here) if self.path.is_relative_to(here) else self.path
        try:
            report = testing.run(path, cwd=here)
        except testing.RunError as error:
            # A file in which every test is skipped is nothing that fails here: its tests are shown as skipped.
            if error.report is None or error.report["totals"]["problems"] > 0:
                raise self.CollectError(_shown_lines(str(error))) from error
            report = error.report
        for file in report["files"]:
            for found in file["warnings"]:
                place = f"{file['path']}:{found['line']}:{found['column']}"
                self.warn(PolicyTestWarning(f"{place}: {_shown(found['message'])} [{found['code']}]"))
            for test in file["tests"]:
                yield PolicyItem.from_parent(self, name=_shown(test["name"]), shown_path=file["path"], result=test)


class PolicyItem(pytest.Item):
    """A policy test, and what came of it."""

    def __init__(self, *, shown_path: str, result: testing.PolicyTest, **node: Any) -> None:
        super().__init__(**node)
        self._shown_path = shown_path
        self.result = result
        """The test as `callgate test --format json` has it."""
        reason = _shown(result["reason"] or "")
        if result["status"] == "skipped":
            self.add_marker(pytest.mark.skip(reason=reason))
        elif result["status"] == "todo":
            self.add_marker(pytest.mark.xfail(reason=reason, raises=PolicyTestFailed, strict=True))

    def runtest(self) -> None:
        """Raises what the test failed with."""
        status = self.result["status"]
        if status == "passed":
            return
        reason = _shown(self.result["reason"] or "")
        if status == "done":
            raise PolicyTestFailed(f"{self._shown_path}:{self.result['line']}: it passes: remove `todo: {reason}`")
        if status == "todo":
            raise PolicyTestFailed(f"{self._shown_path}:{self.result['line']}: todo: {reason}")
        # A status of some later version is no success.
        failures = "\n\n".join(self._failure(failure) for failure in self.result["failures"])
        raise PolicyTestFailed(failures or f"{self._shown_path}:{self.result['line']}: {status}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The text alone: where this module raised it is no news."""
        if isinstance(excinfo.value, PolicyTestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.result["line"] - 1, self.name

    def _failure(self, failure: testing.Failure) -> str:
        turn = "" if failure["turn"] is None else f", repetition {failure['turn']}"
        lines = [f"{self._shown_path}:{failure['line']}:{failure['column']}: {_shown(failure['tool'])} ({failure['pointer']}){turn}"]
        if self.config.get_verbosity() >= _VERBOSE:
            lines.append(f"    {_shown(linecache.getline(str(self.path), failure['line']).strip())}")
        for one in failure["differences"]:
            lines.append(f"{one['what']}: expected {_shown(one['expected'])}")
            lines.append(f"{one['what']}: actual   {_shown(one['actual'])}")
        lines += ["checks", *_tree(failure["checks"])]
        if not failure["checks"]:
            lines.append("└─ nothing in the policy was checked")
        return "\n".join(lines)


def _tree(checks: Sequence[testing.Check], indent: str = "", above: str = "") -> Iterator[str]:
    """Checks under one another, as `callgate explain` shows them."""
    for number, check in enumerate(checks, 1):
        branch, below = ("└─ ", "   ") if number == len(checks) else ("├─ ", "│  ")
        pointer = check["pointer"]
        # Do not repeat what the line above says.
        place = f"…{pointer[len(above) :]}" if above and pointer.startswith(above) else pointer
        parts = [check["what"], check["outcome"], "" if pointer == above else place]
        yield indent + branch + "  ".join(_shown(part) for part in parts if part)
        if check["why"] is not None:
            yield indent + below + ("│  " if check["checks"] else "   ") + _shown(check["why"])
        yield from _tree(check["checks"], indent + below, pointer)


def _shown(text: str) -> str:
    """Text of an author, on one line."""
    return _STEERING.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def _shown_lines(text: str) -> str:
    return "\n".join(map(_shown, text.split("\n")))
