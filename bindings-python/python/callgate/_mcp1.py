"""`callgate.mcp` for 1.x of the SDK: the low-level server's table of request handlers, watched over.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from callgate._calls import ServerError
from callgate._enforcement import Enforcement, Refused, listed_schema, run

Handler = Callable[[Any], Awaitable[Any]]


def guard(server: Any, enforcement: Enforcement) -> None:
    """Wraps the handlers that the server has, and those that it will be given."""
    guarded = _Handlers(server, enforcement)
    guarded.update(server.request_handlers)
    server.request_handlers = guarded


class _Handlers(UserDict[Any, Handler]):
    """The table `request_handlers`: a handler that is put in is wrapped, before or after the guard.

    No `dict`, whose `update` and `setdefault` would pass `__setitem__` by.
    """

    def __init__(self, server: Any, enforcement: Enforcement) -> None:
        self._types: Any = import_module("mcp.types")
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
        super().__setitem__(request, handler)

    def _listing(self, handler: Handler) -> Handler:
        async def list_tools(request: Any) -> Any:
            answer = await handler(request)
            listed = getattr(answer, "root", None)
            if not isinstance(listed, self._types.ListToolsResult):
                return answer
            context = self._server.request_context
            visible, by_caller = await self._enforcement.visible(listed.tools, context, lambda tool: str(tool.name))
            update: dict[str, Any] = {"tools": visible}
            if by_caller and {"ttlMs", "cacheScope"} & (listed.model_extra or {}).keys():
                update["cacheScope"] = "private"
            return self._types.ServerResult(listed.model_copy(update=update))

        return list_tools

    async def _schema(self, tool: str) -> Any:
        """The tool's input schema, from the handler of `tools/list`, as the SDK itself takes it."""
        handler = self._lists
        if handler is None:
            return None

        async def page(cursor: str | None) -> Any:
            params = None if cursor is None else self._types.PaginatedRequestParams(cursor=cursor)
            answer = await handler(self._types.ListToolsRequest(method="tools/list", params=params))
            return answer.root.model_dump(by_alias=True, mode="json", exclude_none=True)

        return await listed_schema(tool, page)

    def _calling(self, handler: Handler) -> Handler:
        async def call_tool(request: Any) -> Any:
            context = self._server.request_context
            call = request.params
            answer = await self._enforcement.admit(
                call.name, call.arguments, context, lambda: self._schema(call.name)
            )
            if isinstance(answer, Refused):
                if call.task is not None:
                    return self._types.ErrorData(**answer.error)
                return self._types.ServerResult(self._types.CallToolResult.model_validate(answer.result))
            result = await run(answer, lambda: handler(request))
            if isinstance(result, self._types.ErrorData):
                await answer.failed(ServerError.answered(result))
            return result

        return call_tool
