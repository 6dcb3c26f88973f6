"""`callgate.mcp` for 2.x of the SDK: a middleware of the low-level server, which sees every request as it came.

Written against `Any`: the types of the installed SDK are those of one major version.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from callgate._calls import ServerError
from callgate._enforcement import Enforcement, Permitted, Refused, listed_schema, run

CallNext = Callable[[Any], Awaitable[Any]]


def guard(server: Any, enforcement: Enforcement) -> None:
    """Appends the middleware: the last one is next to the handlers."""
    server.middleware.append(_Guard(server, enforcement))


class _Guard:
    def __init__(self, server: Any, enforcement: Enforcement) -> None:
        self._server = server
        self._enforcement = enforcement
        self._modern = import_module("mcp_types.version").MODERN_PROTOCOL_VERSIONS
        self._server_info_key = import_module("mcp_types").SERVER_INFO_META_KEY
        self._model = import_module("pydantic").BaseModel

    async def __call__(self, context: Any, call_next: CallNext) -> Any:
        if context.method == "tools/list":
            return await self._visible(await call_next(context), context)
        if context.method == "tools/call":
            return await self._call(context, call_next)
        return await call_next(context)

    async def _visible(self, result: Any, context: Any) -> Any:
        """The list without what the caller may not see."""
        listed = self._wire(result)
        tools = listed.get("tools")
        if not isinstance(tools, list):
            return result
        # What has no name to be judged by cannot be called either.
        named = [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
        visible, by_caller = await self._enforcement.visible(named, context)
        # Nobody else may be given what was filtered for one caller.
        scope = {"cacheScope": "private"} if by_caller and {"ttlMs", "cacheScope"} & listed.keys() else {}
        return {**listed, "tools": visible, **scope}

    async def _call(self, context: Any, call_next: CallNext) -> Any:
        params = context.params or {}
        name = params.get("name")
        if not isinstance(name, str):
            # No call at all: the SDK refuses it before any handler.
            return await call_next(context)
        answer = await self._enforcement.admit(
            name, params.get("arguments"), context, lambda: self._schema(name, context)
        )
        if isinstance(answer, Refused):
            if "task" in params:
                raise import_module("mcp.shared.exceptions").MCPError(**answer.error)
            return self._envelope(answer.result, context.protocol_version)
        return await self._run(answer, context, call_next)

    async def _schema(self, tool: str, context: Any) -> Any:
        """The tool's input schema, from where the SDK itself takes it: by name, or else from the handler of `tools/list`."""
        if (by_name := getattr(self._server, "get_tool_input_schema", None)) is not None:
            return by_name(tool)
        entry = self._server.get_request_handler("tools/list")
        if entry is None:
            return None
        asking = replace(context, method="tools/list", params=None)

        async def page(cursor: str | None) -> dict[str, Any]:
            params = entry.params_type.model_validate({} if cursor is None else {"cursor": cursor})
            return self._wire(await entry.handler(asking, params))

        return await listed_schema(tool, page)

    async def _run(self, answer: Permitted, context: Any, call_next: CallNext) -> Any:
        result = await run(answer, lambda: call_next(context))
        if isinstance(result, import_module("mcp_types").ErrorData):
            await answer.failed(ServerError.answered(result))
        return result

    def _envelope(self, result: dict[str, Any], version: str) -> dict[str, Any]:
        """What the SDK adds to every result of a handler; a middleware's own it leaves alone."""
        if version not in self._modern:
            return result
        meta = {**result.get("_meta", {}), self._server_info_key: self._server.server_info_stamp}
        return {**result, "resultType": "complete", "_meta": meta}

    def _wire(self, result: Any) -> dict[str, Any]:
        if isinstance(result, self._model):
            dumped: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
            return dumped
        return result if isinstance(result, dict) else {}
