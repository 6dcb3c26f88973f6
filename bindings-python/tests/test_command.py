"""The command `callgate` that the installed wheel brings: on PATH, and by `python -m callgate`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = Path(os.environ.get("QUICKSTART_PYTHON", sys.executable))
WAYS = [[str(PYTHON.parent / "callgate")], [str(PYTHON), "-I", "-m", "callgate"]]
POLICY = 'version: "1"\ndefault: deny\ntools: {t: {}}\n'


def run(way: list[str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*way, *args], capture_output=True, text=True, encoding="utf-8", timeout=60)


@pytest.mark.parametrize("way", WAYS, ids=["path", "module"])
def test_the_command_answers_and_keeps_its_exit_status(way: list[str], tmp_path: Path) -> None:
    policy, broken = tmp_path / "policy.yaml", tmp_path / "broken.yaml"
    policy.write_text(POLICY)
    broken.write_text("defualt: deny\n")
    version = run(way, "--version")
    assert version.returncode == 0
    assert version.stdout.startswith("callgate ") and "\nstores memory, sqlite, redis\n" in version.stdout, version
    assert run(way, "check", str(policy)).returncode == 0
    found = run(way, "check", str(broken))
    assert found.returncode == 1 and "defualt" in found.stdout + found.stderr, found
    assert run(way, "no-such-command").returncode == 2
    assert run(way, "eval", "-p", str(policy), "--tool", "u").returncode == 1


@pytest.mark.parametrize("way", WAYS, ids=["path", "module"])
def test_a_signal_ends_the_command(way: list[str], tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    command = [*way, "eval", "-p", str(policy), "--calls", "-", "--format", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write('{"tool": "t"}\n')
        process.stdin.flush()
        assert '"allow"' in process.stdout.readline()  # it runs, and waits for more
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM


def test_without_the_command_the_module_says_how_to_get_it(tmp_path: Path) -> None:
    """As after an installation from source, whose wheel has the library alone."""
    found = subprocess.run([str(PYTHON), "-c", "import callgate; print(callgate.__path__[0])"], capture_output=True, text=True, encoding="utf-8", check=True)
    (tmp_path / "callgate").symlink_to(found.stdout.strip())
    # No environment of its own, so no record of an installation and no folder of scripts.
    code = "import sys, sysconfig, runpy; sysconfig.get_path = lambda *_: '/nowhere'; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
    code += f"sys.path.insert(0, {str(tmp_path)!r}); runpy.run_module('callgate', run_name='__main__')"
    done = subprocess.run([str(PYTHON), "-I", "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.returncode == 2 and "cargo install callgate-cli" in done.stderr, done
