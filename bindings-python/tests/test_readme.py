"""The quick start of the README, as written, with whatever `callgate` is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def block(after: str, language: str) -> str:
    text = README.read_text("utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text[text.index(after) :], re.DOTALL)
    assert found is not None, f"no {language} after {after!r}"
    return found[1]


def test_quick_start(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(block("`policy.yaml`:", "yaml"))
    (tmp_path / "quickstart.py").write_text(block("`quickstart.py`:", "python"))
    done = subprocess.run(
        [os.environ.get("QUICKSTART_PYTHON", sys.executable), "-I", "quickstart.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.stdout, done.stderr) == (block("It prints:", "text"), "")


def test_the_options_of_an_engine(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(block("`policy.yaml`:", "yaml"))
    (tmp_path / "options.py").write_text(block("## The engine", "python") + 'print(engine.evaluate("create_charge", {"amount": 1}).allowed)\n')
    done = subprocess.run(
        [os.environ.get("QUICKSTART_PYTHON", sys.executable), "-I", "options.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    lines = done.stdout.splitlines()
    assert (lines[-1:], done.stderr) == (["True"], "")
    record = lines[0]  # what `on_decision` prints
    assert '"effect":"allow"' in record and "hmac-sha256:" in record, record


def test_a_store_for_many_tenants(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(block("`policy.yaml`:", "yaml"))
    (tmp_path / "tenants.py").write_text(block("### Many servers or tenants, one store", "python"))
    done = subprocess.run(
        [os.environ.get("QUICKSTART_PYTHON", sys.executable), "-I", "tenants.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.stdout.splitlines(), done.stderr) == (["True", "[1, 0]"], "")
