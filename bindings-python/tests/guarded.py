"""A guarded server in this process, by the name that `spec/guards` gives the guard, and raw clients of it.

In: the tools of a scenario. Out: connections on which a test sends and reads JSON-RPC messages. The servers are the SDKs' own;
only the tools' handlers are the test's.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import anyio
import anyio.abc
import callgate
import callgate.mcp
from clients import SDK
from line import Raw, dumped, parsed
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage

GUARDS = ["python-mcp1", "python-streams"] if SDK == 1 else ["python-mcp2", "python-fastmcp", "python-streams"]
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")


class Tools:
    """What the handlers did, and what they wait for."""

    def __init__(self, tools: dict[str, Raw], happened: Callable[[], None]) -> None:
        self.tools = tools
        self.ran = dict.fromkeys(tools, 0)
        self.finish = anyio.Event()
        self._happened = happened

    async def run(self, name: str, arguments: Raw) -> Any:
        """The handler of every tool: a result of the SDK, or what the SDK makes an error of."""
        self.ran[name] += 1
        self._happened()
        does = self.tools[name].get("does", "answer")
        if does == "raise":
            raise RuntimeError("the handler raised")
        if does == "protocol_error":
            raise protocol_error()
        if does == "wait":
            await self.finish.wait()
        if does == "invalid_result":
            return None
        content = [{"type": "text", "text": json.dumps(arguments, separators=(",", ":"))}]
        return types.CallToolResult.model_validate({"content": content, "isError": does == "tool_error"})

    def listed(self) -> list[Raw]:
        default = {"type": "object"}
        return [{"name": name, "inputSchema": tool.get("input", default)} for name, tool in self.tools.items()]


def protocol_error() -> Exception:
    exceptions: Any = import_module("mcp.shared.exceptions")
    if SDK == 1:
        refused: Exception = exceptions.McpError(types.ErrorData(code=-32603, message="the handler refused"))
    else:
        refused = exceptions.MCPError(code=-32603, message="the handler refused")
    return refused


def official(tools: Tools) -> Any:
    """The low-level server of the official SDK."""

    async def list_tools(*_: Any) -> Any:
        found = types.ListToolsResult.model_validate({"tools": tools.listed()})
        return types.ServerResult(found) if SDK == 1 else found

    async def call_tool(*given: Any) -> Any:
        params = given[0].params if SDK == 1 else given[1]
        found = await tools.run(params.name, params.arguments or {})
        if found is None:
            return {"content": 5}
        return types.ServerResult(found) if SDK == 1 else found

    if SDK > 1:
        options: dict[str, Any] = {"on_list_tools": list_tools, "on_call_tool": call_tool}
        return Server("guarded", **options)
    server: Any = Server("guarded")
    server.request_handlers.update({types.ListToolsRequest: list_tools, types.CallToolRequest: call_tool})
    return server


def fastmcp(tools: Tools, guard: Any) -> Any:
    """A server of the `fastmcp` package."""
    from fastmcp import FastMCP
    from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
    from fastmcp.tools.base import Tool, ToolResult

    class Scenario(Tool):
        async def run(self, arguments: Raw) -> ToolResult:
            found = await tools.run(self.name, arguments)
            return ToolResult(content=found.content, is_error=found.is_error)

    class Upstream(Middleware):
        """Stands behind the guard for tools that fail as none of this package's can: it makes error results of all that."""

        async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
            call = context.message
            if tools.tools[call.name].get("does") in ("protocol_error", "invalid_result"):
                return await tools.run(call.name, call.arguments or {})
            return await call_next(context)

    server: Any = FastMCP("guarded")
    for tool in tools.listed():
        server.add_tool(Scenario(name=tool["name"], parameters=tool["inputSchema"]))
    server.add_middleware(guard)
    server.add_middleware(Upstream())
    return server


class Guarded:
    """A server behind a guard, which clients connect to one after the other."""

    def __init__(self, guard: str, tools: Tools, engine: callgate.Engine, options: dict[str, Any]) -> None:
        self._streams: Callable[[Any, Any], Any] | None = None
        self._owner: Any = None
        if guard == "python-fastmcp":
            adapter: Any = import_module("callgate.fastmcp")
            self._owner = fastmcp(tools, adapter.Guard(engine, **options))
            self.server = self._owner._mcp_server
        else:
            self.server = official(tools)
            if guard == "python-streams":
                self._streams = lambda read, write: callgate.mcp.guard_streams(read, write, engine, **options)
            else:
                callgate.mcp.guard(self.server, engine, **options)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        if self._owner is None:
            yield
        else:
            async with self._owner._lifespan_manager():
                yield

    async def serve(self, read: Any, write: Any) -> None:
        """One connection, until its client closes it."""
        async with AsyncExitStack() as stack:
            if self._streams is not None:
                read, write = await stack.enter_async_context(self._streams(read, write))
            await self.server.run(read, write, self.server.create_initialization_options())

    def app(self) -> Any:
        """The same over HTTP, with sessions."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from starlette.applications import Starlette
        from starlette.routing import Mount

        if self._owner is not None:
            return self._owner.http_app()
        manager = StreamableHTTPSessionManager(self.server)
        return Starlette(routes=[Mount("/", manager.handle_request)], lifespan=lambda app: manager.run())


class Connection:
    """A raw client: what it sends, and the answers that it got, by id."""

    def __init__(self, happened: Callable[[], None]) -> None:
        self.answers: dict[int, Raw] = {}
        self.asked = 0
        self._happened = happened
        self._send, self._to_server = anyio.create_memory_object_stream[Any](100)
        self._from_server, self._receive = anyio.create_memory_object_stream[Any](100)
        self._served = anyio.Event()

    async def open(self, guarded: Guarded, tasks: anyio.abc.TaskGroup) -> None:
        async def serve() -> None:
            try:
                await guarded.serve(self._to_server, self._from_server)
            finally:
                self._served.set()

        tasks.start_soon(serve)
        tasks.start_soon(self._read)
        version = "2025-11-25"
        info = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        await self.answer_to(await self.request("initialize", info))
        await self.notify("notifications/initialized", {})

    async def request(self, method: str, params: Raw) -> int:
        self.asked += 1
        await self._write({"id": self.asked, "method": method, "params": params})
        return self.asked

    async def notify(self, method: str, params: Raw) -> None:
        await self._write({"method": method, "params": params})

    async def answer_to(self, number: int) -> Raw:
        while number not in self.answers:
            await anyio.sleep(0)
        return self.answers[number]

    async def close(self) -> None:
        """Returns when the server's side has ended, or hangs at something that does not end."""
        self._send.close()
        with anyio.move_on_after(1):
            await self._served.wait()

    async def _write(self, message: Raw) -> None:
        await self._send.send(SessionMessage(parsed({"jsonrpc": "2.0", **message})))

    async def _read(self) -> None:
        async for item in self._receive:
            message = dumped(item)
            if "method" not in message:
                assert message["id"] not in self.answers, "two answers to one request"
                self.answers[message["id"]] = message
                self._happened()
