"""The example gateway passes all of the protocol on, both ways, and decides tool calls alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
from clients import ERAS, SDK, Agent, connected
from conftest import PROJECT, timeless

types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
GATEWAY = str(PROJECT / "examples" / "python" / "gateway.py")
SERVER = str(Path(__file__).with_name("servers") / "everything.py")
URI = "memo://today"
POLICY = """
version: "1"
default: allow
hide: ["secret_*"]
tools:
  ask: {limits: [{counter: asked, window: 7d, max: 2}]}
"""
pytestmark = pytest.mark.filterwarnings("ignore:.*as of 2026-07-28")
every_era = pytest.mark.parametrize("era", ERAS)


class Callbacks:
    """What a client offers a server, and what it heard."""

    def __init__(self) -> None:
        self.logged: list[Any] = []
        self.heard: list[tuple[str, str]] = []
        self.hears = anyio.Event()

    async def sample(self, context: Any, params: Any) -> Any:
        message = params.messages[0]
        found = {"role": "assistant", "content": {"type": "text", "text": f"{message.content.text} 4"}, "model": "m"}
        return types.CreateMessageResult.model_validate(found)

    async def elicit(self, context: Any, params: Any) -> Any:
        return types.ElicitResult(action="accept", content={"name": f"{params.message} Ada"})

    async def roots(self, context: Any) -> Any:
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///srv/a"}]})

    async def log(self, params: Any) -> None:
        self.logged.append((params.level, params.logger, params.data))

    async def hear(self, message: Any) -> None:
        message = getattr(message, "root", message)
        name = type(message).__name__
        if name in ("ResourceUpdatedNotification", "ToolListChangedNotification"):
            self.heard.append((name, str(getattr(message.params, "uri", ""))))
            self.hears.set()

    async def heard_of(self) -> tuple[str, str]:
        await self.hears.wait()
        self.hears = anyio.Event()
        return self.heard.pop()

    @property
    def options(self) -> dict[str, Any]:
        return {
            "sampling_callback": self.sample,
            "elicitation_callback": self.elicit,
            "list_roots_callback": self.roots,
            "logging_callback": self.log,
            "message_handler": self.hear,
            **({} if SDK == 1 else {"log_level": "info"}),
        }


def run(test: Callable[[Any, Callbacks], Awaitable[None]], tmp_path: Path, era: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)

    async def main() -> None:
        callbacks = Callbacks()
        arguments = [GATEWAY, str(policy), "--", sys.executable, SERVER]
        with anyio.fail_after(60):
            async with connected(arguments, era, options=callbacks.options) as agent:
                await test(agent, callbacks)

    anyio.run(main)


@every_era
def test_requests_of_the_server_and_its_notifications(tmp_path: Path, era: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        assert (await agent.call("think")).text == "2 + 2? 4"
        assert (await agent.call("ask")).text == "accept Who? Ada"
        assert (await agent.call("where")).text == "['file:///srv/a']"
        assert (await agent.call("log")).text == "logged"
        assert callbacks.logged == [("warning", "notes", {"a": [1, "b"]})]
        steps: list[Any] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            steps.append((progress, total, message))

        result = await agent.session.call_tool("count", {}, progress_callback=on_progress)
        assert result.content[0].text == "counted"
        assert steps == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]
        refused = "Rate limit of 2 per 7d reached. Try again in S seconds."
        if era == "handshake":
            assert not (await agent.call("ask")).is_error
        # At 2026-07-28 the client came back with its input, which is another call.
        assert timeless((await agent.call("ask")).text) == refused

    run(test, tmp_path, era)


@every_era
def test_what_the_server_says_of_itself(tmp_path: Path, era: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        session = agent.session
        reference = types.PromptReference(type="ref/prompt", name="greet")
        completed = await session.complete(reference, {"name": "who", "value": "A"})
        assert completed.completion.values == ["greet/who/A1", "greet/who/A2"] and completed.completion.total == 2
        assert [prompt.name for prompt in (await session.list_prompts()).prompts] == ["greet"]
        if era == "handshake":
            await session.set_logging_level("info")
            capabilities = session.get_server_capabilities() if SDK == 1 else session.server_capabilities
            tools = capabilities.model_dump(by_alias=True)["tools"]
            assert tools["listChanged"] is True
            if SDK > 1:
                assert session.server_info.name == "everything" and session.instructions == "Read this."

    run(test, tmp_path, era)


@every_era
def test_pages_of_tools(tmp_path: Path, era: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        pages: list[list[str]] = []
        cursor = None
        session = agent.session if SDK == 1 else agent.session.session
        while True:
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            pages.append([tool.name for tool in page.tools])
            cursor = page.nextCursor if SDK == 1 else page.next_cursor
            if cursor is None:
                break
        # A page of which all is hidden is empty, and has a next one all the same.
        assert pages == [["count", "think"], ["ask"], [], ["where", "log", "touch", "grow", "wait", "waited"]]
        assert (await agent.call("secret_one")).text == 'Tool "secret_one" is hidden by policy'

    run(test, tmp_path, era)


def test_subscriptions(tmp_path: Path) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        uri: Any = URI
        if SDK == 1:
            from pydantic import AnyUrl

            uri = AnyUrl(URI)
        await agent.session.subscribe_resource(uri)
        await agent.call("touch")
        assert await callbacks.heard_of() == ("ResourceUpdatedNotification", URI)
        await agent.call("grow")
        assert (await callbacks.heard_of())[0] == "ToolListChangedNotification"

    run(test, tmp_path, "handshake")


@pytest.mark.skipif(SDK == 1, reason="1.x does not speak 2026-07-28")
def test_subscriptions_at_2026_07_28(tmp_path: Path) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        async with agent.session.listen(resource_subscriptions=[URI], tools_list_changed=True) as events:
            await agent.call("touch")
            event = await anext(events)
            assert (type(event).__name__, event.uri) == ("ResourceUpdated", URI)
            await agent.call("grow")
            assert type(await anext(events)).__name__ == "ToolsListChanged"

    run(test, tmp_path, "2026-07-28")


@every_era
def test_cancellation(tmp_path: Path, era: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        session = agent.session
        with anyio.CancelScope() as scope:

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                if progress < 3:
                    return
                if SDK == 1:
                    # 1.x has no other way to say that it gave up.
                    params = types.CancelledNotificationParams(requestId=session._request_id - 1)
                    notification = types.CancelledNotification(method="notifications/cancelled", params=params)
                    await session.send_notification(types.ClientNotification(notification))
                scope.cancel()

            await session.call_tool("wait", {}, progress_callback=on_progress)
        assert scope.cancelled_caught
        assert (await agent.call("waited")).text == "it was cancelled"

    run(test, tmp_path, era)


def test_the_gateway_ends_with_its_server(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    server = [sys.executable, "-c", "print('{\"jsonrpc\": \"2.0\", \"method\": \"bye\"}')"]
    with subprocess.Popen(
        [sys.executable, GATEWAY, str(policy), "--", *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as gateway:
        assert gateway.stdout is not None
        # Its stdin stays open; what the server said last arrives.
        assert json.loads(gateway.stdout.read()) == {"jsonrpc": "2.0", "method": "bye"}
        assert gateway.wait(60) == 1


def test_the_gateway_ends_with_its_client_and_passes_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    mark = tmp_path / "mark"
    monkeypatch.setenv("MARK", str(mark))
    server = [sys.executable, "-c", "import os, sys; sys.stdin.read(); open(os.environ['MARK'], 'w').close()"]
    ended = subprocess.run([sys.executable, GATEWAY, str(policy), "--", *server], input="no message\n", text=True, timeout=60)
    assert ended.returncode == 0 and mark.exists(), "the server was told, and given time"
