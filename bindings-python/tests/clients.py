"""The official SDK's clients over stdio, 1.x and 2.x alike: what a test asks of a server."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import anyio
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

SDK = int(version("mcp").split(".")[0])
ERAS = ["handshake"] if SDK == 1 else ["handshake", "2026-07-28"]


@dataclass(frozen=True)
class Answer:
    """A tool result, or a JSON-RPC error."""

    text: str
    is_error: bool
    meta: dict[str, Any]
    code: int | None = None


class Agent:
    """A connected client."""

    def __init__(self, session: Any) -> None:
        self.session = session

    async def tools(self) -> set[str]:
        return {tool.name for tool in (await self.session.list_tools()).tools}

    async def call(self, tool: str, **arguments: Any) -> Answer:
        try:
            result = await self.session.call_tool(tool, arguments)
        except Exception as error:
            data = getattr(error, "error", None)
            if data is None:
                raise
            return Answer(data.message, True, {}, data.code)
        is_error = result.isError if SDK == 1 else result.is_error
        return Answer(result.content[0].text, bool(is_error), dict(result.meta or {}))

    async def runs(self) -> list[str]:
        """Which handlers ran on a test server."""
        found: list[str] = json.loads((await self.call("runs")).text)
        return found


@asynccontextmanager
async def connected(
    arguments: list[str], era: str, options: dict[str, Any] | None = None, **env: str
) -> AsyncIterator[Agent]:
    """Starts `python ARGUMENTS` and connects to it by one of the protocol's eras. The options are the client's."""
    from mcp.client.stdio import get_default_environment

    parameters = StdioServerParameters(
        command=sys.executable, args=arguments, env={**get_default_environment(), **env}
    )
    if SDK > 1:
        from mcp import Client

        mode = "legacy" if era == "handshake" else era
        async with Client(parameters, mode=mode, **options or {}) as client:
            yield Agent(client)
        return
    async with stdio_client(parameters) as (read, write), ClientSession(read, write, **options or {}) as session:
        await session.initialize()
        yield Agent(session)


def run(test: Callable[[Agent], Awaitable[None]], arguments: list[str], era: str, **env: str) -> None:
    """Runs a test against a server; a server that hangs fails it."""

    async def main() -> None:
        with anyio.fail_after(60):
            async with connected(arguments, era, None, **env) as agent:
                await test(agent)

    anyio.run(main)
