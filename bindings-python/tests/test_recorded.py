"""Real clients in front of real servers: through `callgate proxy` with a policy that allows all, and without one, every message is the
same, byte for byte, as without it. What passes is recorded at the client's side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
from clients import SDK, Agent, connected
from conftest import PROJECT
from everything_client import Callbacks, types

RECORDING = [sys.executable, str(PROJECT / "tests" / "recording.py")]
CALLGATE = str(Path(sys.executable).with_name("callgate"))
EVERYTHING = [sys.executable, str(Path(__file__).with_name("servers") / "everything.py")]
REVISIONS = ["2025-06-18", "2025-11-25"] if SDK == 1 else ["2025-06-18", "2025-11-25", "2026-07-28"]
ALLOW = 'version: "1"\ndefault: allow\n'
# Rules that read arguments, so that calls wait for the list that the proxy asks for; they deny nothing.
READS = ALLOW + 'tools: {"*": {deny_if: [{path: args.never, op: exists, value: true}]}}\n'
DENY = 'version: "1"\ndefault: allow\ntools: {log: {rules: [{action: deny}]}}\n'
POLICIES = {"allow": ALLOW, "reads": READS, "none": None}

pytestmark = pytest.mark.filterwarnings("ignore:.*as of 2026-07-28")
every_revision = pytest.mark.parametrize("revision", REVISIONS)
Test = Callable[[Agent, Callbacks], Awaitable[None]]


def record(tmp_path: Path, name: str, through: list[str], server: list[str], revision: str, test: Test) -> str:
    """Runs a client against a server. Gives the recording's prefix."""
    prefix = str(tmp_path / name)
    era = "handshake" if revision < "2026" else revision

    async def main() -> None:
        callbacks = Callbacks()
        arguments = [*RECORDING[1:], "tee", prefix, *through, *server]
        with anyio.fail_after(60):
            async with connected(arguments, era, options=callbacks.options) as agent:
                await test(agent, callbacks)

    anyio.run(main)
    return prefix


def through(tmp_path: Path, policy: str | None) -> list[str]:
    """`callgate proxy` in front of what follows."""
    options = ["--name", "server", "--store", "memory", "--audit", str(tmp_path / "audit.jsonl")]
    # Tools that the server does not list are called as well.
    options += ["--without-schema", "allow"]
    if policy is not None:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        options += ["-p", str(path)]
    return [CALLGATE, "proxy", *options, "--"]


def compared(direct: str, relayed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RECORDING, "compare", direct, relayed], capture_output=True, text=True, timeout=60)


def is_equal(tmp_path: Path, server: list[str], revision: str, monkeypatch: pytest.MonkeyPatch, test: Test) -> None:
    if revision < "2026":
        if SDK == 1:
            monkeypatch.setattr("mcp.types.LATEST_PROTOCOL_VERSION", revision)
        else:
            monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", revision)
    direct = record(tmp_path, "direct", [], server, revision, test)
    said = Path(f"{direct}.client").read_text(), Path(f"{direct}.server").read_text()
    # It was spoken, and agreed upon.
    assert all(f'"{revision}"' in text for text in (said if revision < "2026" else said[:1]))
    for name, policy in POLICIES.items():
        relayed = record(tmp_path, name, through(tmp_path, policy), server, revision, test)
        found = compared(direct, relayed)
        assert found.returncode == 0, f"{name}: {found.stdout}{found.stderr}"


@every_revision
def test_all_of_the_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        session = agent.session
        for _ in range(2):
            await session.list_tools()
        assert (await agent.call("think")).text == "2 + 2? 4"
        assert (await agent.call("ask")).text == "accept Who? Ada"
        assert (await agent.call("where")).text == "['file:///srv/a']"
        assert (await agent.call("log", text="Ünïcödé \u2028 \U0001f600", large=12345678901234567890, small=1e-7)).text == "logged"
        assert (await agent.call("missing")).is_error

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            pass

        await session.call_tool("count", {}, progress_callback=on_progress)
        reference = types.PromptReference(type="ref/prompt", name="greet")
        await session.complete(reference, {"name": "who", "value": "A"})
        await session.list_prompts()
        await session.list_resources()
        if revision < "2026":
            await session.send_ping()
            await session.set_logging_level("info")
            await agent.call("grow")
            assert (await callbacks.heard_of())[0] == "ToolListChangedNotification"
            await session.list_tools()

    is_equal(tmp_path, EVERYTHING, revision, monkeypatch, test)


@pytest.mark.skipif(find_spec("mcp_server_git") is None, reason="published servers are installed beside 2.x of the SDK")
@every_revision
def test_published_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)

    async def git(agent: Agent, callbacks: Callbacks) -> None:
        await agent.session.list_tools()
        for tool in ("git_status", "git_log", "git_diff_unstaged", "missing"):
            await agent.call(tool, repo_path=str(repository))
        await agent.call("git_status", repo_path=7)

    async def time(agent: Agent, callbacks: Callbacks) -> None:
        await agent.session.list_tools()
        await agent.call("get_current_time", timezone="Nowhere/Else")
        await agent.call("convert_time", source_timezone="UTC", time="25:00", target_timezone="UTC")

    (tmp_path / "git").mkdir()
    (tmp_path / "time").mkdir()
    is_equal(tmp_path / "git", [sys.executable, "-m", "mcp_server_git"], revision, monkeypatch, git)
    is_equal(tmp_path / "time", [sys.executable, "-m", "mcp_server_time"], revision, monkeypatch, time)


def test_a_difference_is_found(tmp_path: Path) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        await agent.call("log")

    direct = record(tmp_path, "direct", [], EVERYTHING, "2025-11-25", test)
    relayed = record(tmp_path, "denied", through(tmp_path, DENY), EVERYTHING, "2025-11-25", test)
    assert compared(direct, direct).returncode == 0
    assert compared(direct, relayed).returncode == 1
