"""The recipes of `docs/guide/servers-in-python.md`: its own blocks, run with servers of `fastmcp`."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp_types", reason="`callgate.fastmcp` is for fastmcp 4")

import anyio
import callgate
import callgate.fastmcp
from callgate import testing
from conftest import PROJECT
from fastmcp import FastMCP
from fastmcp.server.middleware.caching import ResponseCachingMiddleware

PAGE = (PROJECT / "docs" / "guide" / "servers-in-python.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
CONFIG, PROXY, SERVERS, ORDER, DEFAULTS, ORDERS = (text for _, text in BLOCKS)
QUOTES = """
version: "1"
default: deny
tools: {quote: {rules: [{rate_limit: 2/hour}]}}
"""


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(60):
            await test()

    anyio.run(limited)


def executed(block: str) -> Any:
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(block, names)
    return names["server"]


def test_several_servers_stand_behind_one_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The interpreter of the tests, and files that a child finds.
    config = CONFIG.replace('"python"', f'"{sys.executable}"')
    for name, tools in {"notes": ("read", "delete"), "bank": ("pay", "delete")}.items():
        path = tmp_path / f"{name}.py"
        lines = ["from fastmcp import FastMCP", f"server = FastMCP({name!r})"]
        lines += [f"@server.tool\ndef {tool}(amount: int = 0) -> str:\n    return '{tool} of {name}'" for tool in tools]
        path.write_text("\n".join([*lines, "server.run(show_banner=False)"]), "utf-8")
        config = config.replace(f'"{path.name}"', f'"{path}"')
    (tmp_path / "servers.json").write_text(config, "utf-8")
    (tmp_path / "servers.yaml").write_text(SERVERS, "utf-8")

    async def test() -> None:
        async with testing.connect(executed(PROXY)) as client:
            assert await client.tools() == ["bank_pay", "notes_read"]
            assert (await client.call("notes_read")).text == "read of notes"
            assert (await client.call("notes_delete")).code == "hidden"
            assert (await client.call("bank_pay", amount=101)).code == "condition_failed"
            assert (await client.call("bank_pay", amount=100)).text == "pay of bank"
            assert (await client.call("bank_pay", amount=100)).code == "limit_exceeded"

    run(test)


def test_a_cache_inside_of_the_guard_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quotes.yaml").write_text(QUOTES, "utf-8")

    async def calls(server: Any) -> tuple[list[str | None], int]:
        ran: list[int] = []

        @server.tool  # type: ignore[untyped-decorator]
        def quote() -> int:
            ran.append(1)
            return len(ran)

        async with testing.connect(server) as client:
            return [(await client.call("quote")).code for _ in range(3)], len(ran)

    async def test() -> None:
        # The cache answers the second call, which was decided; the third is refused.
        assert await calls(executed(ORDER)) == ([None, None, "limit_exceeded"], 1)
        # In the wrong order, no call after the first is decided: what the page warns of.
        wrong: Any = FastMCP("quotes")
        wrong.add_middleware(ResponseCachingMiddleware())
        wrong.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_str(QUOTES)))
        assert await calls(wrong) == ([None, None, None], 1)

    run(test)


def test_what_a_schema_library_does_is_not_seen() -> None:
    async def test() -> None:
        server = executed(DEFAULTS)
        server.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_str(ORDERS)))
        async with testing.connect(server) as client:
            # The default is filled in behind the guard.
            assert (await client.call("order", item="tin")).text == "10 x tin"
            assert (await client.call("order", item="tin", count=11)).code == "condition_failed"
            # What is converted is denied where a rule reads it.
            assert (await client.call("order", item="tin", count="5")).code == "invalid_args"
            # What is transformed is judged as it was sent.
            assert (await client.call("order", item=" TIN ")).code == "condition_failed"
        without_optional = ORDERS.replace(", optional: true", "")
        server = executed(DEFAULTS)
        server.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_str(without_optional)))
        async with testing.connect(server) as client:
            assert (await client.call("order", item="tin")).code == "condition_failed"
        # A rule of what is denied does not see it.
        denying = '{version: "1", default: allow, tools: {order: {deny_if: [{path: args.item, op: eq, value: gold}]}}}'
        server = executed(DEFAULTS)
        server.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_str(denying)))
        async with testing.connect(server) as client:
            assert (await client.call("order", item="gold")).code == "denied"
            assert (await client.call("order", item="GOLD")).text == "10 x gold"

    run(test)
