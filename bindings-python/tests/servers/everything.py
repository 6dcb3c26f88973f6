"""A server that uses all of the protocol, by 1.x or 2.x of the official SDK: what a gateway has to pass on. With the path of a policy, its
streams are guarded.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.metadata import version
from typing import Any

import anyio
import callgate
import callgate.mcp
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server

SDK = int(version("mcp").split(".")[0])
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
URI = "memo://today"
PAGES = [
    ["count", "think"],
    ["secret_one", "ask"],
    ["secret_two", "secret_three"],
    ["where", "log", "touch", "grow", "wait", "waited"],
]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
QUESTION = {"role": "user", "content": {"type": "text", "text": "2 + 2?"}}
cancelled = anyio.Event()


def text(value: object) -> Any:
    return types.CallToolResult.model_validate({"content": [{"type": "text", "text": str(value)}]})


async def list_tools(context: Any, params: Any) -> Any:
    page = int(params.cursor or 0) if params else 0
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in PAGES[page]]
    following = str(page + 1) if page + 1 < len(PAGES) else None
    return types.ListToolsResult.model_validate({"tools": tools, "nextCursor": following})


async def count(context: Any) -> Any:
    for step in (1, 2, 3):
        if SDK == 1:
            await context.session.send_progress_notification(context.meta.progressToken, step, 3, f"step {step}")
        else:
            await context.session.report_progress(step, 3, f"step {step}")
    return text("counted")


async def think(context: Any) -> Any:
    answer = await context.session.create_message([types.SamplingMessage.model_validate(QUESTION)], max_tokens=9)
    return text(answer.content.text)


async def ask(context: Any) -> Any:
    answer = await context.session.elicit_form("Who?", SCHEMA)
    return text(f"{answer.action} {answer.content['name']}")


async def where(context: Any) -> Any:
    return text([str(root.uri) for root in (await context.session.list_roots()).roots])


async def log(context: Any) -> Any:
    await context.session.send_log_message(level="warning", data={"a": [1, "b"]}, logger="notes")
    return text("logged")


async def touch(context: Any) -> Any:
    await publish("ResourceUpdated", URI) if is_modern(context) else await context.session.send_resource_updated(URI)
    return text("touched")


async def grow(context: Any) -> Any:
    await publish("ToolsListChanged") if is_modern(context) else await context.session.send_tool_list_changed()
    return text("grown")


async def wait(context: Any) -> Any:
    try:
        await count(context)
        await anyio.sleep_forever()
    finally:
        cancelled.set()


async def waited(context: Any) -> Any:
    await cancelled.wait()
    return text("it was cancelled")


def is_modern(context: Any) -> bool:
    return SDK > 1 and context.session.protocol_version >= "2026"


async def call_tool(context: Any, params: Any) -> Any:
    if is_modern(context) and params.name in ("think", "ask", "where"):
        return answer_or_ask_for_input(params)
    return await globals()[params.name](context)


def answer_or_ask_for_input(params: Any) -> Any:
    """2026-07-28 has no requests from servers: a call is answered with what is needed, and made again."""
    if params.input_responses is None:
        needed = {
            "think": {"method": "sampling/createMessage", "params": {"messages": [QUESTION], "maxTokens": 9}},
            "ask": {"method": "elicitation/create", "params": {"mode": "form", "message": "Who?", "requestedSchema": SCHEMA}},
            "where": {"method": "roots/list"},
        }
        return types.InputRequiredResult.model_validate({"inputRequests": {"it": needed[params.name]}, "requestState": "s"})
    given = params.input_responses["it"]
    if params.name == "think":
        return text(given.content.text)
    return text(f"{given.action} {given.content['name']}" if params.name == "ask" else [str(r.uri) for r in given.roots])


async def list_resources(context: Any, params: Any) -> Any:
    return types.ListResourcesResult.model_validate({"resources": [{"uri": URI, "name": "memo"}]})


async def subscribe(context: Any, params: Any) -> Any:
    assert str(params.uri) == URI
    return types.EmptyResult()


async def set_level(context: Any, params: Any) -> Any:
    return types.EmptyResult()


async def complete(context: Any, params: Any) -> Any:
    values = [f"{params.ref.name}/{params.argument.name}/{params.argument.value}{n}" for n in (1, 2)]
    return types.CompleteResult.model_validate({"completion": {"values": values, "total": 2, "hasMore": False}})


async def list_prompts(context: Any, params: Any) -> Any:
    return types.ListPromptsResult.model_validate({"prompts": [{"name": "greet"}]})


HANDLERS: dict[str, tuple[str, Any]] = {
    "tools/list": ("ListTools", list_tools),
    "tools/call": ("CallTool", call_tool),
    "resources/list": ("ListResources", list_resources),
    "resources/subscribe": ("Subscribe", subscribe),
    "logging/setLevel": ("SetLevel", set_level),
    "completion/complete": ("Complete", complete),
    "prompts/list": ("ListPrompts", list_prompts),
}
server: Any = Server("everything", instructions="Read this.")


def register(method: str, name: str, handler: Any) -> None:
    if SDK == 1:

        async def handle(request: Any) -> Any:
            return types.ServerResult(await handler(server.request_context, request.params))

        server.request_handlers[getattr(types, f"{name}Request")] = handle
    else:
        params = "Paginated" if name.startswith("List") else name
        server.add_request_handler(method, getattr(types, f"{params}RequestParams"), handler)


for method, (name, handler) in HANDLERS.items():
    register(method, name, handler)

if SDK > 1:
    subscriptions: Any = import_module("mcp.server.subscriptions")
    bus = subscriptions.InMemorySubscriptionBus()
    listening = subscriptions.ListenHandler(bus)
    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, listening)


async def publish(event: str, *values: str) -> None:
    await bus.publish(getattr(subscriptions, event)(*values))


async def main() -> None:
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    async with AsyncExitStack() as stack:
        read, write = await stack.enter_async_context(stdio_server())
        if len(sys.argv) > 1:
            engine = callgate.Engine.from_file(sys.argv[1])
            read, write = await stack.enter_async_context(callgate.mcp.guard_streams(read, write, engine))
        await server.run(read, write, options)


anyio.run(main)
