"""`callgate.mcp` for 1.x of the SDK: the low-level server's table of request handlers, watched over.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

import inspect
from collections import UserDict
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from callgate._asks import decide_asks
from callgate._client import SessionClient
from callgate._ending import run
from callgate._enforcement import Enforcement
from callgate._lists import LISTS, Lister, kept_by_client, listed_definitions, listed_names, listed_schema
from callgate._refused import Refused
from callgate._wrapper import Refuses, refusing, refusing_by_schema

Handler = Callable[[Any], Awaitable[Any]]


def guard(server: Any, enforcement: Enforcement, owner: Any) -> None:
    """Wraps the handlers that the server has, and those that it will be given. `owner` is what was built around it, or the server itself."""
    guarded = _Handlers(server, enforcement, owner)
    guarded.update(server.request_handlers)
    server.request_handlers = guarded


class _Handlers(UserDict[Any, Handler]):
    """The table `request_handlers`: a handler that is put in is wrapped, before or after the guard.

    No `dict`, whose `update` and `setdefault` would pass `__setitem__` by.
    """

    def __init__(self, server: Any, enforcement: Enforcement, owner: Any) -> None:
        self._types: Any = import_module("mcp.types")
        self._raises: Any = import_module("mcp.shared.exceptions").McpError
        self._owner = owner
        self._server = server
        self._enforcement = enforcement
        self._lists: Handler | None = None
        super().__init__()

    def __setitem__(self, request: Any, handler: Handler) -> None:
        if request is self._types.ListToolsRequest:
            self._lists = handler
            handler = self._listing(handler)
        elif request is self._types.CallToolRequest:
            handler = self._calling(handler)
        else:
            handler = self._requesting(handler)
        super().__setitem__(request, handler)

    def _listing(self, handler: Handler) -> Handler:
        async def list_tools(request: Any) -> Any:
            answer = await handler(request)
            listed = getattr(answer, "root", None)
            if not isinstance(listed, self._types.ListToolsResult):
                return answer
            context = self._server.request_context
            visible, for_one = await self._enforcement.visible(
                listed.tools,
                context,
                lambda tool: str(tool.name),
                names=self._names,
                lister=_lister(context.session),
                definition=_wire,
            )
            update: dict[str, Any] = {"tools": visible}
            if for_one:
                update.update(kept_by_client(listed.model_extra or {}))
            return self._types.ServerResult(listed.model_copy(update=update))

        return list_tools

    def _requesting(self, handler: Handler) -> Handler:
        async def request(asked: Any) -> Any:
            context, method = self._server.request_context, str(getattr(asked, "method", ""))
            params = getattr(asked, "params", None)
            given = {} if params is None else params.model_dump(by_alias=True, mode="json", exclude_none=True)
            answer = await self._enforcement.request(method, given, context, SessionClient(context, by_rounds=False))
            if isinstance(answer, Refused):
                if (raised := self._enforcement.denied(answer, self._raises)) is not None:
                    raise raised
                return self._types.ErrorData(**answer.error)
            if answer is not None:
                self._decide_asks(context)
                return await run(answer, lambda: handler(asked), False, self._types.ErrorData)
            result = await handler(asked)
            return await self._seen(method, result, context) if method in LISTS else result

        return request

    def _decide_asks(self, context: Any) -> None:
        """The session is that of the connection: the request that asks is found when it does."""
        error = self._types.ErrorData
        decide_asks(
            self._enforcement, context.session, lambda: self._server.request_context, lambda told: self._raises(error(**told))
        )

    async def _seen(self, method: str, result: Any, context: Any) -> Any:
        """A list of resources, templates or prompts, without those that the caller can never get."""
        member = LISTS[method][0]
        listed = getattr(result, "root", None)
        items = getattr(listed, member, None)
        if listed is None or items is None:
            return result
        seen = await self._enforcement.seen(method, items, context)
        if len(seen) == len(items):
            return result
        return self._types.ServerResult(listed.model_copy(update={member: seen, **kept_by_client(listed.model_extra or {})}))

    async def _schema(self, tool: str) -> Any:
        """The tool's input schema, from the handler of `tools/list`, as the SDK itself takes it."""
        return None if self._lists is None else await listed_schema(tool, self._page)

    async def _names(self) -> list[str]:
        return await listed_names(self._page)

    async def _page(self, cursor: str | None) -> Any:
        """A page of the server's own list."""
        if self._lists is None:
            return {}
        params = None if cursor is None else self._types.PaginatedRequestParams(cursor=cursor)
        answer = await self._lists(self._types.ListToolsRequest(method="tools/list", params=params))
        return _wire(answer.root)

    def _calling(self, handler: Handler) -> Handler:
        async def call_tool(request: Any) -> Any:
            context = self._server.request_context
            call = request.params
            client = SessionClient(context, by_rounds=False)
            answer = await self._enforcement.admit(
                call.name,
                call.arguments,
                context,
                lambda: self._schema(call.name),
                client,
                names=self._names,
                definitions=lambda: listed_definitions(call.name, self._page),
            )
            if isinstance(answer, Refused):
                if (raised := self._enforcement.denied(answer, self._raises)) is not None:
                    raise raised
                if call.task is not None:
                    return self._types.ErrorData(**answer.error)
                return self._types.ServerResult(self._types.CallToolResult.model_validate(answer.result))
            self._decide_asks(context)
            refuses = await self._refuses(handler, call.name, call.arguments)
            return await run(
                answer, lambda: handler(request), call.task is not None, self._types.ErrorData, refuses=refuses
            )

        return call_tool

    async def _refuses(self, handler: Handler, name: str, arguments: Any) -> Refuses | None:
        """What tells whether the arguments are refused before the tool's function: by the model of `FastMCP`, or else by the schema."""
        manager = getattr(self._owner, "_tool_manager", None)
        if (tool := await found(manager, self._owner, name)) is not None and (refuses := refusing(tool, arguments)) is not None:
            return refuses
        # What the SDK knows of the tool, as it looks itself.
        known = getattr(self._server, "_tool_cache", {})
        return refusing_by_schema(handler, lambda: known[name].inputSchema, arguments)


def _wire(model: Any) -> Any:
    """As it goes to the client."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def _lister(session: Any) -> Lister | None:
    """The client of the session, where the server said that it tells of other lists."""
    tools = getattr(getattr(getattr(session, "_init_options", None), "capabilities", None), "tools", None)
    return Lister(session, session.send_tool_list_changed) if getattr(tools, "listChanged", None) is True else None


async def found(manager: Any, owner: Any, name: str) -> Any:
    """The tool as the server that was built around the low-level one has it; `None` where there is none, or it does not say."""
    try:
        tool = (manager or owner).get_tool(name)
        return await tool if inspect.isawaitable(tool) else tool
    except Exception:
        return None
