#!/usr/bin/env python3
"""The servers that the seeds of `spec/policies` are about, unmodified, behind `callgate proxy`: `aws.py CALLGATE FOLDER-OF-THE-SERVERS`.

In: the programs. Out: a line for each server; fails at the first answer that is not as the policy says. Calls reach no network: the servers
refuse them for their arguments, which shows that they came through.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

POLICIES = Path(__file__).parent.parent / "spec" / "policies"
CALLGATE, SERVERS = sys.argv[1], Path(sys.argv[2])
HIDING = """
version: "1"
default: deny
hide: ["delete_*", "ecs_resource_management"]
tools:
  list_brokers: {}
  create_broker: {require: [{path: args.broker_name, op: starts_with, value: test-}]}
  wait_for_service_ready: {limits: [{counter: waits, window: day, max: 1}]}
"""


class Client:
    """A client of a server behind the proxy."""

    def __init__(self, folder: Path, policy: Path, server: str, *arguments: str) -> None:
        config = folder / "config"
        config.write_text("[default]\nregion = us-east-1\n")
        keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1"}
        env = {**os.environ, **keys, "AWS_CONFIG_FILE": str(config), "CALLGATE_STATE_DIR": str(folder / "state")}
        identity = json.dumps({"id": "agent", "grant": "ci-runner"})
        command = [CALLGATE, "proxy", "-p", str(policy), "--identity", identity, "--stderr", "null", "--", str(SERVERS / server), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.ids = 0
        self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "proof", "version": "1"})
        self.send({"method": "notifications/initialized"})
        self.tools = {tool["name"] for tool in self.ask("tools/list")["tools"]}

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        print(json.dumps({"jsonrpc": "2.0", **message}), file=self.process.stdin, flush=True)

    def ask(self, method: str, **params: Any) -> Any:
        assert self.process.stdout is not None
        self.ids += 1
        self.send({"id": self.ids, "method": method, "params": params})
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self.ids and "method" not in message:
                return message["result"]
        raise SystemExit(f"the server is gone: {self.process.stderr and self.process.stderr.read()}")

    def call(self, tool: str, **arguments: Any) -> str:
        text: str = self.ask("tools/call", name=tool, arguments=arguments)["content"][0]["text"]
        return text

    def end(self) -> str:
        """What the proxy said."""
        said: str = self.process.communicate(timeout=60)[1]
        assert self.process.returncode == 0, (self.process.returncode, said)
        return said


def expect(answer: str, part: str) -> None:
    assert part in answer, f"{part!r} is not in {answer!r}"


def limited(client: Client, tool: str, served: str) -> None:
    """The seeds' limit: thirty a minute, for a grant. A minute may end meanwhile."""
    answers = [client.call(tool) for _ in range(61)]
    refused = [answer for answer in answers if answer.startswith("Rate limit of 30 per minute reached")]
    assert 1 <= len(refused) <= 31, answers
    for answer in answers:
        if answer not in refused:
            expect(answer, served)


def main(folder: Path) -> None:
    def start(name: str, policy: Path, *command: str) -> Client:
        (folder / name).mkdir()
        return Client(folder / name, policy, *command)

    hiding = folder / "hiding.yaml"
    hiding.write_text(HIDING)

    client = start("iam", POLICIES / "seed-create-access-key.json", "awslabs.iam-mcp-server")
    assert len(client.tools) == 29
    limited(client, "create_access_key", "validation error")
    expect(client.call("list_users"), "not permitted by policy")
    client.end()
    print("awslabs.iam-mcp-server: 29 tools, create_access_key limited, others denied")

    client = start("mq", POLICIES / "seed-create-user.json", "awslabs.amazon-mq-mcp-server")
    limited(client, "create_user", "Unknown tool")
    expect(client.call("list_brokers"), "not permitted by policy")
    # The seed's page names a tool that this server does not have.
    expect(client.end(), "create_user")
    client = start("mq-hiding", hiding, "awslabs.amazon-mq-mcp-server", "--allow-resource-creation")
    assert "create_broker" in client.tools and not any(name.startswith("delete_") for name in client.tools)
    expect(client.call("delete_broker"), "hidden by policy")
    expect(client.call("create_broker", broker_name="production"), "Denied by rule")
    expect(client.call("list_brokers"), "validation error")
    client.end()
    print("awslabs.amazon-mq-mcp-server: create_user limited; delete_* hidden, create_broker by its name")

    client = start("ecs", hiding, "ecs-mcp-server")
    assert client.tools and "ecs_resource_management" not in client.tools
    expect(client.call("wait_for_service_ready"), "validation error")
    expect(client.call("wait_for_service_ready"), "Rate limit of 1 per day reached")
    expect(client.call("ecs_resource_management"), "hidden by policy")
    expect(client.call("ecs_troubleshooting_tool"), "not permitted by policy")
    client.end()
    print(f"awslabs.ecs-mcp-server: {len(client.tools)} tools seen, one hidden, one limited")


with tempfile.TemporaryDirectory() as folder:
    main(Path(folder))
