"""`callgate proxy` and `guard_streams` pass all of the protocol on, both ways, and decide tool calls alone."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
from clients import ERAS, SDK, Agent, connected
from conftest import timeless
from everything_client import Callbacks, types

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


@pytest.fixture(params=["proxy", "streams"])
def front(request: pytest.FixtureRequest) -> Any:
    """What stands before the server."""
    return request.param


def run(test: Callable[[Any, Callbacks], Awaitable[None]], tmp_path: Path, era: str, front: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)

    async def main() -> None:
        callbacks = Callbacks()
        options = ["-p", str(policy), "--store", "memory", "--audit", str(tmp_path / "audit.jsonl")]
        proxy = ["-m", "callgate", "proxy", *options, "--", sys.executable]
        arguments = ["-P", SERVER, str(policy)] if front == "streams" else [*proxy, SERVER]
        with anyio.fail_after(60):
            async with connected(arguments, era, options=callbacks.options) as agent:
                await test(agent, callbacks)

    anyio.run(main)


@every_era
def test_requests_of_the_server_and_its_notifications(tmp_path: Path, era: str, front: str) -> None:
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
        # At 2026-07-28 the client comes back with its input, which is the same call.
        assert not (await agent.call("ask")).is_error
        assert timeless((await agent.call("ask")).text) == refused

    run(test, tmp_path, era, front)


@every_era
def test_what_the_server_says_of_itself(tmp_path: Path, era: str, front: str) -> None:
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

    run(test, tmp_path, era, front)


@every_era
def test_pages_of_tools(tmp_path: Path, era: str, front: str) -> None:
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

    run(test, tmp_path, era, front)


def test_subscriptions(tmp_path: Path, front: str) -> None:
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

    run(test, tmp_path, "handshake", front)


@pytest.mark.skipif(SDK == 1, reason="1.x does not speak 2026-07-28")
def test_subscriptions_at_2026_07_28(tmp_path: Path, front: str) -> None:
    async def test(agent: Agent, callbacks: Callbacks) -> None:
        async with agent.session.listen(resource_subscriptions=[URI], tools_list_changed=True) as events:
            await agent.call("touch")
            event = await anext(events)
            assert (type(event).__name__, event.uri) == ("ResourceUpdated", URI)
            await agent.call("grow")
            assert type(await anext(events)).__name__ == "ToolsListChanged"

    run(test, tmp_path, "2026-07-28", front)


@every_era
def test_cancellation(tmp_path: Path, era: str, front: str) -> None:
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

    run(test, tmp_path, era, front)
