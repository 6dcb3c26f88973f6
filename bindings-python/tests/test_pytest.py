"""`callgate.pytest` in front of the real command, and in real runs of pytest; `callgate.testing`, which both rest on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import callgate
from callgate import testing
from test_readme import block

POLICY = """\
version: "1"
default: deny
tools:
  pay:
    rules:
      - name: cap
        conditions: [{path: args.amount, op: lte, value: 50000}]
      - rate_limit: 2/minute
"""
# Nothing may show the amount of the call that fails.
AMOUNT = 73123
FILES = {
    "policy.yaml": POLICY,
    "all_test.yaml": f"""\
policy: policy.yaml
tests:
  - name: caps one payment
    each:
      - {{tool: pay, args: {{amount: 4200}}, expect: allow}}
      - {{tool: pay, args: {{amount: {AMOUNT}}}, expect: allow}}
  - name: pays twice a minute
    steps:
      - {{tool: pay, args: {{amount: 1}}, repeat: 3, expect: allow}}
      - {{tool: refund, args: {{amount: 1}}, expect: allow, unlisted: true}}
  - name: waits for refunds
    skip: there are none yet
    steps: [{{tool: pay, args: {{amount: 1}}, expect: allow}}]
  - name: a known bug
    todo: needs a rule
    steps: [{{tool: pay, args: {{amount: {AMOUNT}}}, expect: allow}}]
  - name: a bug that is gone
    todo: needed a rule
    steps: [{{tool: pay, args: {{amount: 1}}, expect: allow}}]
""",
    "deeper/passing_test.yml": """\
policy: ../policy.yaml
calls: {unused: {tool: pay}}
tests:
  - {name: "a name: with / and # in it\\n\\a", steps: [{tool: pay, args: {amount: 1}, expect: allow}]}
""",
    "deeper/skipped_test.json": json.dumps(
        {"policy": "../policy.yaml", "tests": [{"name": "all of it", "skip": "later", "each": [{"tool": "pay", "args": {"amount": 1}, "expect": "allow"}]}]}
    ),
}
BROKEN = """\
policy: policy.yaml
tests:
  - {name: one, stepz: []}
  - {name: two, steps: [{tool: pay, args: {amount: 1}, expect: alow}]}
"""
CONFTEST = 'pytest_plugins = ["callgate.pytest"]\n'


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def run_pytest(folder: Path, *options: str, python: list[str] | None = None, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [*(python or [sys.executable, "-P"]), "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", *options]
    # Other plug-ins of the environment take most of the time.
    own = {"COLUMNS": "300", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | own
    if path is not None:
        env["PYTHONPATH"] = path
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120)


def run_command(folder: Path, *options: str) -> tuple[int, Any]:
    """What the command says by itself."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "callgate", "test", "--format", "json", *options], cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60
    )
    return done.returncode, json.loads(done.stdout)


def escaped(name: str) -> str:
    return name.replace("\n", "\\u{a}").replace("\a", "\\u{7}")


def expected(folder: Path) -> set[tuple[str, str, int, str]]:
    """File, name, line and outcome of each test, by the command."""
    words = {"done": "failed"}
    _, report = run_command(folder)
    return {
        (file["path"], escaped(test["name"]), test["line"], words.get(test["status"], test["status"])) for file in report["files"] for test in file["tests"]
    }


def outcomes(junit: Path) -> set[tuple[str, str, int, str]]:
    """The same, by what pytest writes for build servers."""

    def outcome(case: ElementTree.Element) -> str:
        if case.find("failure") is not None:
            return "failed"
        assert case.find("error") is None, ElementTree.tostring(case)
        skipped = case.find("skipped")
        return "passed" if skipped is None else {"pytest.skip": "skipped", "pytest.xfail": "todo"}[skipped.attrib["type"]]

    found = [(case.attrib["file"], case.attrib["name"], int(case.attrib["line"]) + 1, outcome(case)) for case in ElementTree.parse(junit).iter("testcase")]
    assert len(found) == len(set(found))
    return set(found)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("project"), FILES | {"conftest.py": CONFTEST})


@pytest.fixture(scope="module")
def full(project: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    yield run_pytest(project, "-ra", f"--junitxml={project / 'junit.xml'}")


def test_names_lines_and_outcomes_are_the_commands(project: Path, full: subprocess.CompletedProcess[str]) -> None:
    assert full.returncode == 1, full.stdout + full.stderr
    found = outcomes(project / "junit.xml")
    assert found == expected(project)
    assert {status for *_, status in found} == {"passed", "failed", "skipped", "todo"} and len(found) == 8
    assert "3 failed, 2 passed, 2 skipped, 1 xfailed, 1 warning" in full.stdout, full.stdout


def test_a_failure_shows_what_differs_and_why_but_no_arguments(full: subprocess.CompletedProcess[str]) -> None:
    assert (
        """\
all_test.yaml:6:9: pay (/tests/0/each/1)
decision: expected allow
decision: actual   deny (condition_failed)
checks
└─ permit "cap"  denies  /tools/pay/rules/0
   └─ args.amount lte 50000  fails  …/conditions/0
"""
        in full.stdout
    ), full.stdout
    assert "all_test.yaml:9:9: pay (/tests/1/steps/0), repetition 3\n" in full.stdout
    # Both failures of a test, and one about which the policy says nothing.
    assert "all_test.yaml:10:9: refund (/tests/1/steps/1)\n" in full.stdout and "└─ nothing in the policy was checked\n" in full.stdout
    assert "all_test.yaml:17: it passes: remove `todo: needed a rule`\n" in full.stdout
    assert str(AMOUNT) not in full.stdout
    # Of this package, no line of code is shown, and what would steer a terminal is not.
    assert "raise PolicyTestFailed" not in full.stdout and "\a" not in full.stdout
    assert "deeper/passing_test.yml:2:9: no test uses the call `unused` [unused_call]" in full.stdout
    assert "there are none yet" in full.stdout and "needs a rule" in full.stdout


def test_the_line_of_the_file_is_shown_where_it_is_asked_for(project: Path) -> None:
    done = run_pytest(project, "-vv", "-k", "caps and not other")
    assert done.returncode == 1 and f"    - {{tool: pay, args: {{amount: {AMOUNT}}}, expect: allow}}\n" in done.stdout, done.stdout
    assert "1 failed, 1 passed, 6 deselected" in done.stdout


def test_nothing_happens_unless_it_is_turned_on(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    off = run_pytest(tmp_path)
    assert off.returncode == 5 and "no tests ran" in off.stdout, off.stdout
    on = run_pytest(tmp_path, "-p", "callgate.pytest", "deeper")
    assert on.returncode == 0 and "1 passed, 1 skipped" in on.stdout, on.stdout


def test_what_cannot_be_run_is_an_error_of_the_collection(tmp_path: Path) -> None:
    lost = "policy: gone.yaml\ntests: [{name: a, steps: [{tool: pay, expect: allow}]}]\n"
    write(tmp_path, {"policy.yaml": POLICY, "broken_test.yaml": BROKEN, "lost_test.yaml": lost, "conftest.py": CONFTEST})
    assert run_command(tmp_path)[0] == 2
    done = run_pytest(tmp_path)
    assert done.returncode == 2 and "2 errors" in done.stdout, done.stdout
    assert "broken_test.yaml:3:17: unknown field `stepz` [unknown_field]\n  help: did you mean `steps`?\n" in done.stdout
    assert "broken_test.yaml:4:64: `alow` is neither an effect nor a code [invalid_expect]\n" in done.stdout
    assert "lost_test.yaml:1:9: `gone.yaml` cannot be read: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_without_the_command_each_file_says_how_to_get_it(tmp_path: Path, project: Path) -> None:
    """As after an installation from source: the package is there, and nothing that the installer put elsewhere."""
    site = tmp_path / "site"
    site.mkdir()
    for entry in Path(pytest.__file__).resolve().parents[1].iterdir():
        if not entry.name.startswith("callgate-"):
            (site / entry.name).symlink_to(entry)
    base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    done = run_pytest(project, "all_test.yaml", python=[str(base), "-S", "-P"], path=str(site))
    assert done.returncode == 2 and "1 error" in done.stdout, done.stdout + done.stderr
    assert "the command `callgate` was not installed with this package; `cargo install callgate-cli` builds it" in done.stdout


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not in this environment")
def test_workers_of_xdist_share_the_tests(project: Path, tmp_path: Path) -> None:
    done = run_pytest(project, "-p", "xdist", "-n", "2", f"--junitxml={tmp_path / 'junit.xml'}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(tmp_path / "junit.xml") == expected(project)
    assert str(AMOUNT) not in done.stdout


def test_the_lines_of_the_readme(tmp_path: Path) -> None:
    """Of README.md of this package."""
    section = "## Tests of policies"
    write(tmp_path, {"policy.yaml": block("`policy.yaml`:", "yaml"), "conftest.py": block(section, "python"), "policy_test.yaml": block(section, "yaml")})
    done = run_pytest(tmp_path)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
    code = block("In code", "python")
    found = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, "3 passed\n", "")


def test_a_report_is_the_commands_json(project: Path) -> None:
    status, report = run_command(project)
    found: Any = testing.run(".", cwd=project)
    for one in (report, found):
        for file in one["files"]:
            for test in file["tests"]:
                del test["seconds"]
    assert status == 1 and found == report
    assert found["totals"] == {"passed": 2, "failed": 3, "skipped": 2, "todo": 1, "filtered": 0, "problems": 0, "calls": 9}
    paths: list[str | Path] = [project / "deeper/passing_test.yml", str(project / "all_test.yaml")]
    assert [Path(file["path"]) for file in testing.run(paths)["files"]] == sorted(map(Path, paths))
    assert testing.run(project, filter="caps")["totals"]["filtered"] == 6


def test_a_run_that_tests_nothing_is_an_error(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {"policy.yaml": POLICY, "broken_test.yaml": BROKEN, "all_test.yaml": FILES["all_test.yaml"]})
    with pytest.raises(testing.RunError, match="broken_test.yaml:3:17: unknown field `stepz`") as broken:
        testing.run(tmp_path)
    # What did run is not lost.
    assert broken.value.report is not None and broken.value.report["totals"]["failed"] == 3
    assert isinstance(broken.value, callgate.CallgateError) and broken.value.code == "not_run"
    with pytest.raises(testing.RunError, match="every test is skipped") as skipped:
        testing.run(project / "deeper/skipped_test.json")
    assert skipped.value.report is not None and skipped.value.report["totals"]["skipped"] == 1
    with pytest.raises(testing.RunError, match="no test has `no such name` in its name"):
        testing.run(project, filter="no such name")
    with pytest.raises(testing.RunError, match="nowhere") as nowhere:
        testing.run("nowhere", cwd=tmp_path)
    assert nowhere.value.report is None
    # A path is never taken for an option.
    with pytest.raises(testing.RunError, match="--verbose"):
        testing.run("--verbose", cwd=project)
    with pytest.raises(ValueError, match="empty"):
        testing.run([])
