"""Servers of each SDK in this process, as an author writes them, and the SDKs' own clients of them.

In: functions that are tools. Out: what a connected client of the same SDK gets from a guarded server. Nothing here stands in for an SDK.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio
import callgate
import callgate.mcp
from callgate._guarded import low_level
from clients import SDK, Answer

# Those that have the handler in sight; `streams` is that of a connection, with a server of the official SDK behind it.
GUARDS = ["mcp1"] if SDK == 1 else ["mcp2", "fastmcp"]
EVERY_GUARD = [*GUARDS, "streams"]
MODERN = "2026-07-28"
HANDSHAKE = "handshake"
# Each guard with each era of the protocol that its SDK speaks.
EVERY = [(guard, era) for guard in EVERY_GUARD for era in ([HANDSHAKE] if SDK == 1 else [HANDSHAKE, MODERN])]
PAIRS = [(guard, era) for guard, era in EVERY if guard != "streams"]

Asked = Callable[[str], Awaitable[Any]]
"""Answers a question of the server: the form's content, or `None` to decline."""


def server(guard: str, *tools: Callable[..., Any]) -> Any:
    """A server with these tools, not guarded yet."""
    if guard == "mcp1" or (guard == "streams" and SDK == 1):
        made: Any = import_module("mcp.server.fastmcp").FastMCP("inside")
    elif guard in ("mcp2", "streams"):
        made = import_module("mcp.server.mcpserver").MCPServer("inside")
    else:
        made = import_module("fastmcp").FastMCP("inside")
    for tool in tools:
        made.tool()(tool) if guard != "fastmcp" else made.tool(tool)
    return made


def guarded(guard: str, engine: Any, *tools: Callable[..., Any], **options: Any) -> Any:
    made = server(guard, *tools)
    if guard == "streams":
        return Connected(made, engine, options)
    if guard == "fastmcp":
        made.add_middleware(import_module("callgate.fastmcp").Guard(engine, **options))
    else:
        callgate.mcp.guard(made, engine, **options)
    return made


class Connected:
    """A server whose connections are guarded."""

    def __init__(self, made: Any, engine: Any, options: dict[str, Any]) -> None:
        self._made, self._server = made, low_level(made)
        self._engine, self._options = engine, options
        # Options are looked at before there is a connection.
        callgate.mcp.guard_streams(None, None, engine, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """The client's streams."""
        memory: Any = import_module("mcp.shared.memory")
        async with memory.create_client_server_memory_streams() as (client_streams, (read, write)):
            async with anyio.create_task_group() as tasks:
                async with callgate.mcp.guard_streams(read, write, self._engine, **self._options) as streams:
                    tasks.start_soon(self._server.run, *streams, self._server.create_initialization_options())
                    yield client_streams
                    tasks.cancel_scope.cancel()


class Inside:
    """A connected client."""

    def __init__(self, session: Any, heard: list[Any]) -> None:
        self.session = session
        self.heard = heard
        """Notifications that came."""

    async def tools(self) -> list[str]:
        found = await self.session.list_tools()
        return sorted(tool.name for tool in getattr(found, "tools", found))

    async def call(self, tool: str, progress: Any = None, **arguments: Any) -> Answer:
        name = "progress_handler" if hasattr(self.session, "call_tool_mcp") else "progress_callback"
        options: dict[str, Any] = {} if progress is None else {name: progress}
        if hasattr(self.session, "call_tool_mcp"):
            options["raise_on_error"] = False
        try:
            result = await self.session.call_tool(tool, arguments, **options)
        except Exception as error:
            data = getattr(error, "error", None)
            if data is None:
                raise
            return Answer(data.message, True, {}, data.code)
        failed = next(getattr(result, name) for name in ("is_error", "isError") if hasattr(result, name))
        text = result.content[0].text if result.content else ""
        return Answer(text, bool(failed), dict(getattr(result, "meta", None) or {}))


@asynccontextmanager
async def client(guard: str, made: Any, era: str = HANDSHAKE, asked: Asked | None = None) -> AsyncIterator[Inside]:
    """A client of the server, which may answer questions."""
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")

    async def answer(_context: Any, params: Any) -> Any:
        assert asked is not None
        content = await asked(params.message)
        return types.ElicitResult(action="decline" if content is None else "accept", content=content)

    callback = None if asked is None else answer
    if guard == "streams" and SDK == 1:
        session_of: Any = import_module("mcp").ClientSession
        async with made.connect() as streams, session_of(
            *streams, elicitation_callback=callback, message_handler=hear
        ) as session:
            await session.initialize()
            yield Inside(session, heard)
        return
    if guard == "streams":
        made = made.connect()
    if guard == "mcp1":
        connect = import_module("mcp.shared.memory").create_connected_server_and_client_session
        async with connect(made._mcp_server, elicitation_callback=callback, message_handler=hear) as session:
            yield Inside(session, heard)
        return
    mode = "legacy" if era == HANDSHAKE else era
    if guard in ("mcp2", "streams"):
        async with import_module("mcp").Client(
            made, mode=mode, elicitation_callback=callback, message_handler=hear, cache=None
        ) as session:
            yield Inside(session, heard)
        return

    async def handler(message: str, _type: Any, _params: Any, _context: Any) -> Any:
        return await answer(None, _params)

    async with import_module("fastmcp").Client(
        made, mode=mode, elicitation_handler=None if asked is None else handler, message_handler=hear
    ) as session:
        yield Inside(session, heard)
