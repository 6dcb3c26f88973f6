"""A guarded server in this process, by the name that `spec/guards` gives the guard, and raw clients of it.

In: the tools of a scenario. Out: connections on which a test sends and reads JSON-RPC messages. The servers are the SDKs' own;
only the tools' handlers are the test's.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any
from uuid import uuid4

import anyio
import anyio.abc
import callgate
import callgate.mcp
from clients import SDK
from line import Raw, dumped, parsed
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.shared.message import SessionMessage

GUARDS = ["python-mcp1", "python-streams"] if SDK == 1 else ["python-mcp2", "python-fastmcp", "python-streams"]
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")


INFO = {"name": "raw", "version": "1"}
CAPABILITIES: Raw = {"sampling": {}, "elicitation": {"form": {}}}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "clientInfo": INFO}


@dataclass(frozen=True)
class Inside:
    """What a handler can do besides answering, in the way that its SDK has for it."""

    state: str | None
    """The `requestState` that came with the call."""
    session: Any
    dispatch: Callable[[str, Raw], Awaitable[Any]]


class Tools:
    """What the handlers did, and what they wait for."""

    def __init__(self, scenario: Raw, happened: Callable[[], None]) -> None:
        self.tools: dict[str, Raw] = dict(scenario["tools"])
        # Set by a server that has definitions of its own.
        self.changed: Callable[[], None] | None = None
        self.resources: list[str] = scenario.get("resources", [])
        self.prompts: list[str] = scenario.get("prompts", [])
        self.page: int | None = scenario.get("pages")
        self.cache: Raw = scenario.get("cache", {})
        self.ran = dict.fromkeys([*self.tools, *self.resources, *self.prompts], 0)
        # States that were given, with the number of each.
        self._states: dict[str | None, int] = {}
        # The call that is being sent: what begins to wait now is its.
        self.calling: str | None = None
        self.finish: dict[str | None, anyio.Event] = {}
        self._happened = happened

    async def run(self, name: str, arguments: Raw, inside: Inside) -> Any:
        """The handler of every tool: a result of the SDK, or what the SDK makes an error of."""
        self.ran[name] += 1
        self._happened()
        does = self.tools[name].get("does", "answer")
        if isinstance(does, dict) and (number := self._states.get(inside.state, 0)) < does["ask"]:
            return self._asks(number + 1)
        if does == "dispatch":
            return await inside.dispatch(arguments["name"], arguments.get("arguments") or {})
        if does == "sample":
            return answer(await sampled(inside.session))
        if does == "settle":
            package: Any = callgate
            package.current_reservation().settle(arguments["cost"])
        if does == "raise":
            raise RuntimeError("the handler raised")
        if does == "protocol_error":
            raise protocol_error()
        if does == "wait":
            await self.finish.setdefault(self.calling, anyio.Event()).wait()
        if does == "invalid_result":
            return None
        structured = {"structuredContent": arguments} if "output" in self.tools[name] else {}
        text = json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
        return answer(text, isError=does == "tool_error", **structured)

    def _asks(self, number: int) -> Any:
        state = f"state {len(self._states)}"
        self._states[state] = number
        schema = {"type": "object", "properties": {"which": {"type": "string"}}}
        question = {"method": "elicitation/create", "params": {"message": "Which?", "requestedSchema": schema}}
        return types.InputRequiredResult.model_validate({"inputRequests": {"which": question}, "requestState": state})

    def got(self, name: str) -> str:
        """The text of a resource or a prompt."""
        self.ran[name] += 1
        self._happened()
        return name

    def change(self, changes: dict[str, Raw]) -> None:
        """From here on the server has other definitions."""
        for name, change in changes.items():
            tool = self.tools.pop(name)
            self.tools[change.get("name", name)] = {**tool, **({"input": change["input"]} if "input" in change else {})}
        if self.changed is not None:
            self.changed()

    def listed(self) -> list[Raw]:
        default = {"type": "object"}
        outputs = {name: {"outputSchema": tool["output"]} for name, tool in self.tools.items() if "output" in tool}
        return [{"name": name, "inputSchema": tool.get("input", default), **outputs.get(name, {})} for name, tool in self.tools.items()]

    def paged(self, member: str, items: list[Raw], cursor: str | None) -> Raw:
        """A page of a list. A cursor is the number of its first item."""
        first = int(cursor or 0)
        last = len(items) if self.page is None else first + self.page
        return {member: items[first:last], **({"nextCursor": str(last)} if last < len(items) else {}), **self.cache}


def answer(text: str, **members: Any) -> Any:
    return types.CallToolResult.model_validate({"content": [{"type": "text", "text": text}], **members})


async def sampled(session: Any) -> str:
    """What the client is told to sample, or why not."""
    message = types.SamplingMessage.model_validate({"role": "user", "content": {"type": "text", "text": "Say something"}})
    try:
        return str((await session.create_message([message], max_tokens=10)).content.text)
    except Exception as error:
        if type(error).__name__ not in ("McpError", "MCPError"):
            raise
        return str(error)


def protocol_error() -> Exception:
    exceptions: Any = import_module("mcp.shared.exceptions")
    if SDK == 1:
        refused: Exception = exceptions.McpError(types.ErrorData(code=-32603, message="the handler refused"))
    else:
        refused = exceptions.MCPError(code=-32603, message="the handler refused")
    return refused


def official(tools: Tools) -> Any:
    """The low-level server of the official SDK."""
    server: Any

    async def inner(name: str, arguments: Raw) -> Any:
        return await tools.run(name, arguments, Inside(None, None, inner))

    def params_of(given: Any) -> Any:
        return given[0].params if SDK == 1 else given[1]

    def result(model: Any, members: Raw) -> Any:
        found = model.model_validate(members)
        return types.ServerResult(found) if SDK == 1 else found

    def listing(model: Any, member: str, items: Callable[[], list[Raw]]) -> Callable[..., Awaitable[Any]]:
        async def list_items(*given: Any) -> Any:
            return result(model, tools.paged(member, items(), getattr(params_of(given), "cursor", None)))

        return list_items

    async def call_tool(*given: Any) -> Any:
        params = params_of(given)
        session = (server.request_context if SDK == 1 else given[0]).session
        inside = Inside(getattr(params, "request_state", None), session, inner)
        found = await tools.run(params.name, params.arguments or {}, inside)
        if found is None:
            return {"content": 5}
        return types.ServerResult(found) if SDK == 1 else found

    async def read_resource(*given: Any) -> Any:
        uri = str(params_of(given).uri)
        return result(types.ReadResourceResult, {"contents": [{"uri": uri, "text": tools.got(uri)}]})

    async def get_prompt(*given: Any) -> Any:
        content = {"type": "text", "text": tools.got(params_of(given).name)}
        return result(types.GetPromptResult, {"messages": [{"role": "user", "content": content}]})

    handlers: dict[str, Any] = {
        "on_list_tools": listing(types.ListToolsResult, "tools", tools.listed),
        "on_call_tool": call_tool,
        "on_list_resources": listing(
            types.ListResourcesResult, "resources", lambda: [{"uri": uri, "name": uri} for uri in tools.resources]
        ),
        "on_read_resource": read_resource,
        "on_list_prompts": listing(types.ListPromptsResult, "prompts", lambda: [{"name": name} for name in tools.prompts]),
        "on_get_prompt": get_prompt,
    }
    if SDK > 1:
        server = Server("guarded", **handlers)
        return server
    server = Server("guarded")
    requests = {
        "on_list_tools": types.ListToolsRequest,
        "on_call_tool": types.CallToolRequest,
        "on_list_resources": types.ListResourcesRequest,
        "on_read_resource": types.ReadResourceRequest,
        "on_list_prompts": types.ListPromptsRequest,
        "on_get_prompt": types.GetPromptRequest,
    }
    server.request_handlers.update({requests[name]: handler for name, handler in handlers.items()})
    return server


class Guarded:
    """A server behind a guard, or behind none, which clients connect to one after the other."""

    def __init__(self, guard: str, tools: Tools, engine: callgate.Engine, options: dict[str, Any]) -> None:
        self._streams: Callable[[Any, Any], Any] | None = None
        self._owner: Any = None
        if guard == "python-fastmcp":
            from guarded_fastmcp import fastmcp

            self._owner = fastmcp(tools, engine, options)
            self.server = self._owner._mcp_server
        else:
            self.server = official(tools)
            # It can tell of changes, on every transport.
            beginning = partial(self.server.create_initialization_options, NotificationOptions(tools_changed=True))
            self.server.create_initialization_options = beginning
            if guard == "python-streams":
                self._streams = lambda read, write: callgate.mcp.guard_streams(read, write, engine, **options)
            elif guard != "none":
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
        if self._streams is not None:
            sessions = Sessions(self.serve)
            return Starlette(routes=[Mount("/", sessions.handle)], lifespan=sessions.lifespan)
        manager = StreamableHTTPSessionManager(self.server)
        return Starlette(routes=[Mount("/", manager.handle_request)], lifespan=lambda app: manager.run())


class Sessions:
    """Sessions of streamable HTTP, each a pair of streams, as a gateway has them: the SDK's manager wants a server instead."""

    def __init__(self, serve: Callable[[Any, Any], Any]) -> None:
        self._serve = serve
        self._transports: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(self, _app: Any) -> AsyncIterator[None]:
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        session = dict(scope["headers"]).get(b"mcp-session-id", b"").decode()
        if session not in self._transports:
            session = uuid4().hex
            self._transports[session] = StreamableHTTPServerTransport(mcp_session_id=session)
            await self._tasks.start(self._connection, self._transports[session])
        await self._transports[session].handle_request(scope, receive, send)

    async def _connection(self, transport: Any, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with transport.connect() as (read, write):
            task_status.started()
            await self._serve(read, write)


class Client:
    """What a raw client does on any transport: what it sends, and what it got, by id."""

    def __init__(self, happened: Callable[[], None], era: str | None = None) -> None:
        self.answers: dict[int, Raw] = {}
        self.asked = 0
        # Requests and notifications of the server.
        self.seen: list[Raw] = []
        # Requests of the server that a person answers.
        self.questions: list[Raw] = []
        self.happened = happened
        self._era = era

    def params(self, params: Raw) -> Raw:
        """The params of a request, as the client's revision has them."""
        if self._era is None:
            return params
        prefix = "io.modelcontextprotocol/"
        meta = {f"{prefix}protocolVersion": self._era, f"{prefix}clientInfo": INFO, f"{prefix}clientCapabilities": CAPABILITIES}
        return {**params, "_meta": {**params.get("_meta", {}), **meta}}

    def got(self, message: Raw) -> Raw | None:
        """Takes a message in. Gives the answer, if it gets one at once."""
        if "method" not in message:
            assert message["id"] not in self.answers, "two answers to one request"
            self.answers[message["id"]] = message
            self.happened()
            return None
        self.seen.append(message)
        if message["method"] == "sampling/createMessage":
            sample = {"role": "assistant", "content": {"type": "text", "text": "sampled"}, "model": "none"}
            return {"id": message["id"], "result": sample}
        if message["method"] == "elicitation/create":
            self.questions.append(message)
            self.happened()
        return None


class Connection(Client):
    """A raw client on a pair of streams."""

    def __init__(self, happened: Callable[[], None], era: str | None = None) -> None:
        super().__init__(happened, era)
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
        if self._era is None:
            await self.answer_to(await self.request("initialize", HANDSHAKE))
            await self.notify("notifications/initialized", {})

    async def request(self, method: str, params: Raw) -> int:
        self.asked += 1
        await self.write({"id": self.asked, "method": method, "params": self.params(params)})
        return self.asked

    async def notify(self, method: str, params: Raw) -> None:
        await self.write({"method": method, "params": self.params(params)})

    async def answer_to(self, number: int) -> Raw:
        while number not in self.answers:
            await anyio.sleep(0)
        return self.answers[number]

    async def close(self) -> None:
        """Returns when the server's side has ended, or hangs at something that does not end."""
        self._send.close()
        with anyio.move_on_after(1):
            await self._served.wait()

    async def write(self, message: Raw) -> None:
        await self._send.send(SessionMessage(parsed({"jsonrpc": "2.0", **message})))

    async def _read(self) -> None:
        async for item in self._receive:
            if (reply := self.got(dumped(item))) is not None:
                await self.write(reply)
