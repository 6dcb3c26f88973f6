"""`callgate proxy` in front of published servers, unmodified: `mcp-server-time` and `mcp-server-git`; and the guarded servers of the
examples."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("mcp_server_time", reason="these tests run where the published servers are installed")

from clients import ERAS, Agent, run
from conftest import PROJECT, timeless

QUICKSTART = PROJECT / "examples" / "quickstart"
EXAMPLE = str(PROJECT / "examples" / "python" / "server.py")
every_era = pytest.mark.parametrize("era", ERAS)

TIME_POLICY = """
version: "1"
default: deny
hide: [convert_time]
tools:
  get_current_time:
    require:
      - conditions: [{path: args.timezone, op: in, value: [UTC, Europe/Paris]}]
        on_deny: Only UTC and Paris
    limits: [{counter: looks, window: 7d, max: 2}]
  no_such_tool:
    limits: [{counter: tries, window: 7d, max: 1}]
"""

GIT_POLICY = """
version: "1"
default: deny
hide: ["git_reset"]
tools:
  git_status: {rules: [{rate_limit: 2/7d}]}
  git_log: {limits: [{counter: logs, window: 7d, max: 1}]}
  git_commit: {rules: [{action: require_approval, name: commits}]}
  "git_diff*":
    require:
      - conditions: [{path: args.repo_path, op: within, value: "%s"}]
        on_deny: Not that repository
  no_such_tool: {limits: [{counter: tries, window: 7d, max: 1}]}
"""


def behind(tmp_path: Path, policy: str, era: str, test: Callable[[Agent], Awaitable[None]], *server: str) -> list[tuple[str, str]]:
    """Runs a test against a server behind the proxy. Gives the calls, as the records say."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy)
    command = ["-m", "callgate", "proxy", "-p", str(path), "--name", "server", "--", sys.executable, "-m", *server]
    run(test, command, era, CALLGATE_STATE_DIR=str(tmp_path / "state"))
    records = map(json.loads, (tmp_path / "state" / "audit" / "server.jsonl").read_text().splitlines())
    return [(call["name"], call["decision"]["effect"]) for call in records if call["kind"] == "call"]


@every_era
def test_time_server(tmp_path: Path, era: str) -> None:
    async def test(agent: Agent) -> None:
        assert await agent.tools() == {"get_current_time"}
        assert (await agent.call("convert_time")).text == 'Tool "convert_time" is hidden by policy'
        denied = await agent.call("get_current_time", timezone="Asia/Tokyo")
        assert (denied.text, denied.is_error) == ("Only UTC and Paris", True)
        allowed = await agent.call("get_current_time", timezone="Europe/Paris")
        assert not allowed.is_error and '"timezone": "Europe/Paris"' in allowed.text
        assert not (await agent.call("get_current_time", timezone="UTC")).is_error
        limited = await agent.call("get_current_time", timezone="UTC")
        assert timeless(limited.text) == "Rate limit of 2 per 7d reached. Try again in S seconds."
        unknown = await agent.call("no_such_tool")
        assert (unknown.code, unknown.text) == (-32602, "Unknown tool: no_such_tool")
        # A JSON-RPC error of the server gives nothing back.
        assert timeless((await agent.call("no_such_tool")).text) == "Rate limit of 1 per 7d reached. Try again in S seconds."

    ended = behind(tmp_path, TIME_POLICY, era, test, "mcp_server_time", "--local-timezone", "UTC")
    current, unknown = "get_current_time", "no_such_tool"
    denied_first = [("convert_time", "deny"), (current, "deny"), (current, "allow"), (current, "allow")]
    assert ended == [*denied_first, (current, "deny"), (unknown, "allow"), (unknown, "deny")]


@every_era
def test_git_server(tmp_path: Path, era: str) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)

    async def test(agent: Agent) -> None:
        tools = await agent.tools()
        assert "git_reset" not in tools and {"git_status", "git_commit", "git_add"} <= tools
        repo = str(repository)
        for _ in range(2):
            status = await agent.call("git_status", repo_path=repo)
            assert not status.is_error and "No commits yet" in status.text
        assert (await agent.call("git_status", repo_path=repo)).text.startswith("Rate limit of 2 per 7d")
        assert "not permitted" in (await agent.call("git_add", repo_path=repo, files=["x"])).text
        waiting = await agent.call("git_commit", repo_path=repo, message="m")
        assert waiting.is_error and waiting.text.startswith('Rule "commits" needs approval')
        for path in ("/etc", f"{repo}/../other", "relative"):
            assert (await agent.call("git_diff_unstaged", repo_path=path)).text == "Not that repository"
        assert not (await agent.call("git_diff_unstaged", repo_path=repo)).is_error
        # A repository without commits: an error result, which keeps the charge.
        failed = await agent.call("git_log", repo_path=repo)
        assert failed.is_error and failed.code is None and "Rate limit" not in failed.text
        assert (await agent.call("git_log", repo_path=repo)).text.startswith("Rate limit of 1 per 7d")
        assert (await agent.call("no_such_tool")).code == -32602

    ended = behind(tmp_path, GIT_POLICY % repository, era, test, "mcp_server_git")
    assert len(ended) == 12 and {("git_add", "deny"), ("git_commit", "require_approval"), ("git_log", "deny")} <= set(ended)


def test_example_server() -> None:
    async def test(agent: Agent) -> None:
        assert await agent.tools() == {"balance", "charge", "refund"}
        assert (await agent.call("charge", amount=4200)).text == "charged 4200"
        assert (await agent.call("charge", amount=99999)).text == "Single charge cannot exceed $500.00"
        assert 'Rule "large charges" needs approval' in (await agent.call("charge", amount=30000)).text
        assert (await agent.call("charge", amount="1")).is_error
        assert "hidden" in (await agent.call("reset_ledger")).text
        for _ in range(2):
            assert not (await agent.call("charge", amount=1)).is_error
        assert timeless((await agent.call("charge", amount=1)).text) == "Rate limit of 3 per 7d reached. Try again in S seconds."
        for _ in range(2):
            assert (await agent.call("refund", charge=9)).code == -32050
        assert (await agent.call("refund", charge=0)).text == "refunded 4200"
        assert timeless((await agent.call("refund", charge=0)).text) == "Rate limit of 1 per 7d reached. Try again in S seconds."
        assert (await agent.call("balance")).text == "2"

    run(test, [EXAMPLE], "handshake")


def test_the_server_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(agent: Agent) -> None:
        assert await agent.tools() == {"create_charge"}
        assert (await agent.call("create_charge", amount=4200)).text == "charged 4200"
        denied = await agent.call("create_charge", amount=99999)
        assert (denied.is_error, denied.text) == (True, "Single charge cannot exceed $500.00")

    monkeypatch.chdir(QUICKSTART)  # where its policy lies
    run(test, [str(QUICKSTART / "server.py")], "handshake")
