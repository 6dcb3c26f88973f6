"""`callgate.mcp` for 2.x of the SDK: a middleware of the low-level server, which sees every request as it came.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any
from weakref import WeakSet

from callgate._asking import without_ours
from callgate._asks import decide_asks, judging
from callgate._client import SessionClient
from callgate._ending import run
from callgate._enforcement import Enforcement
from callgate._lists import LISTS, Lister, kept_by_client, listed_definitions, listed_names, listed_schema
from callgate._refused import Refused
from callgate._rounds import Round
from callgate._wrapper import refusing

CallNext = Callable[[Any], Awaitable[Any]]


def guard(server: Any, enforcement: Enforcement, owner: Any) -> None:
    """Appends the middleware: the last one is next to the handlers. `owner` is what was built around the server, or the server itself."""
    server.middleware.append(_Guard(server, enforcement, owner))


class _Guard:
    def __init__(self, server: Any, enforcement: Enforcement, owner: Any) -> None:
        self._server = server
        self._tools = getattr(owner, "_tool_manager", None)
        # Of `MCPServer`: where its subscribers hear that a list changed.
        self._bus = getattr(owner, "_subscriptions", None)
        # Connections to which the server said that it tells of other lists.
        self._telling: WeakSet[Any] = WeakSet()
        self._enforcement = enforcement
        self._modern = import_module("mcp_types.version").MODERN_PROTOCOL_VERSIONS
        self._server_info_key = import_module("mcp_types").SERVER_INFO_META_KEY
        self._raises: Any = import_module("mcp.shared.exceptions").MCPError
        self._error = import_module("mcp_types").ErrorData
        self._model = import_module("pydantic").BaseModel

    async def __call__(self, context: Any, call_next: CallNext) -> Any:
        if context.method == "initialize":
            result = await call_next(context)
            tools = (self._wire(result).get("capabilities") or {}).get("tools") or {}
            if tools.get("listChanged") is True:
                self._telling.add(context.session._connection)
            return result
        if context.method == "tools/list":
            return await self._visible(await call_next(context), context)
        if context.method == "tools/call":
            return await self._call(context, call_next)
        if context.request_id is None:
            return await call_next(context)
        return await self._request(context, call_next)

    async def _request(self, context: Any, call_next: CallNext) -> Any:
        """A request of another method."""
        params = context.params or {}
        client, round = self._client(context)
        answer = await self._enforcement.request(context.method, params, context, client, round)
        if isinstance(answer, Refused):
            if answer.is_question:
                return self._envelope(answer.result, context.protocol_version)
            raise self._enforcement.denied(answer, self._raises) or self._raises(**answer.error)
        context = replace(context, params=without_ours(params)) if context.params else context
        if answer is not None:
            return await run(answer, lambda: call_next(context), False, self._error, judge=self._judging(context))
        result = await call_next(context)
        return await self._seen(result, context) if context.method in LISTS else result

    async def _seen(self, result: Any, context: Any) -> Any:
        """A list of resources, templates or prompts, without those that the caller can never get."""
        member = LISTS[context.method][0]
        listed = self._wire(result)
        items = listed.get(member)
        if not isinstance(items, list):
            return result
        seen = await self._enforcement.seen(context.method, items, context)
        return result if len(seen) == len(items) else {**listed, member: seen, **kept_by_client(listed)}

    def _client(self, context: Any) -> tuple[SessionClient, Round]:
        """The calling client, and what it brought back."""
        is_modern = context.protocol_version in self._modern
        return SessionClient(context, by_rounds=is_modern), Round.of(context.params or {}) if is_modern else Round()

    async def _visible(self, result: Any, context: Any) -> Any:
        """The list without what the caller may not see."""
        listed = self._wire(result)
        tools = listed.get("tools")
        if not isinstance(tools, list):
            return result
        # What has no name to be judged by cannot be called either.
        named = [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
        visible, for_one = await self._enforcement.visible(
            named, context, names=lambda: self._names(context), lister=self._lister(context), definition=lambda tool: tool
        )
        # Nobody else may be given what was filtered for one caller.
        return {**listed, "tools": visible, **(kept_by_client(listed) if for_one else {})}

    def _lister(self, context: Any) -> Lister | None:
        """How the client hears that its list changed, where the server can tell it."""
        if context.protocol_version not in self._modern:
            connection = context.session._connection
            return Lister(connection, context.session.send_tool_list_changed) if connection in self._telling else None
        if self._bus is None or self._server.get_request_handler("subscriptions/listen") is None:
            return None
        bus, changed = self._bus, import_module("mcp.shared.subscriptions").ToolsListChanged
        # All subscribers hear of it: whose list changed nobody can tell.
        return Lister("subscribers", lambda: bus.publish(changed()))

    async def _call(self, context: Any, call_next: CallNext) -> Any:
        params = context.params or {}
        name = params.get("name")
        if not isinstance(name, str):
            # No call at all: the SDK refuses it before any handler.
            return await call_next(context)
        client, round = self._client(context)
        answer = await self._enforcement.admit(
            name,
            params.get("arguments"),
            context,
            partial(self._schema, name, context),
            client,
            round,
            partial(self._names, context),
            definitions=partial(listed_definitions, name, self._pages(context)),
        )
        context = replace(context, params=without_ours(params))
        if isinstance(answer, Refused):
            if (raised := self._enforcement.denied(answer, self._raises)) is not None:
                raise raised
            if "task" in params:
                raise self._raises(**answer.error)
            return self._envelope(answer.result, context.protocol_version)
        tool = None if self._tools is None else self._tools.get_tool(name)
        refuses = refusing(tool, params.get("arguments"))
        judge = self._judging(context)
        return await run(answer, lambda: call_next(context), "task" in params, self._error, refuses=refuses, judge=judge)

    def _judging(self, context: Any) -> Callable[[Any], Awaitable[Exception | None]]:
        """What the server asks its client from here on is decided: by a request of its own, or in its answer."""

        def error(told: dict[str, Any]) -> Any:
            return self._raises(**told)

        decide_asks(self._enforcement, context.session, lambda: context, error)
        return judging(self._enforcement, context, error)

    async def _schema(self, tool: str, context: Any) -> Any:
        """The tool's input schema, from where the SDK itself takes it: by name, or else from the handler of `tools/list`."""
        if (by_name := getattr(self._server, "get_tool_input_schema", None)) is not None:
            return by_name(tool)
        return await listed_schema(tool, self._pages(context))

    async def _names(self, context: Any) -> list[str]:
        return await listed_names(self._pages(context))

    def _pages(self, context: Any) -> Callable[[str | None], Awaitable[dict[str, Any]]]:
        """The server's own list, page by page."""
        entry = self._server.get_request_handler("tools/list")
        asking = replace(context, method="tools/list", params=None)

        async def page(cursor: str | None) -> dict[str, Any]:
            if entry is None:
                return {}
            params = entry.params_type.model_validate({} if cursor is None else {"cursor": cursor})
            return self._wire(await entry.handler(asking, params))

        return page

    def _envelope(self, result: dict[str, Any], version: str) -> dict[str, Any]:
        """What the SDK adds to every result of a handler; a middleware's own it leaves alone."""
        if version not in self._modern:
            return result
        meta = {**result.get("_meta", {}), self._server_info_key: self._server.server_info_stamp}
        return {"resultType": "complete", **result, "_meta": meta}

    def _wire(self, result: Any) -> dict[str, Any]:
        if isinstance(result, self._model):
            dumped: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
            return dumped
        return result if isinstance(result, dict) else {}
