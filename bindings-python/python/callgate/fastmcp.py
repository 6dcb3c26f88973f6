"""Enforcement on servers of the `fastmcp` package (4.x), in one line::

    server.add_middleware(callgate.fastmcp.Guard(engine))

In: a `fastmcp` server. Out: the same, with hidden tools left out of `tools/list`, and every call decided before its tool
runs. Add it last, so that nothing changes a call after it was decided; but for a cache, which must not answer what was not decided.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeVar

try:
    import mcp_types
    from fastmcp import FastMCP
    from fastmcp.exceptions import FastMCPError
    from fastmcp.prompts.base import InputRequiredPromptResult, Prompt, PromptResult
    from fastmcp.resources.base import InputRequiredResourceResult, Resource, ResourceResult
    from fastmcp.resources.template import ResourceTemplate
    from fastmcp.server.dependencies import fastmcp_request_ctx, get_access_token
    from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
    from fastmcp.server.providers.addressing import parse_hashed_backend_name
    from fastmcp.server.transforms.catalog import CatalogTransform
    from fastmcp.tools.base import InputRequiredToolResult, Tool, ToolResult
    from mcp.shared.exceptions import MCPError
except ImportError as _error:
    try:
        _found = f"fastmcp {version('fastmcp')} is installed"
    except PackageNotFoundError:
        _found = "it is not installed"
    raise ImportError(
        f"callgate.fastmcp needs fastmcp 4 (4.1.2 or later), and {_found}; "
        "callgate.mcp.guard(server, engine) guards servers of fastmcp 2 and 3"
    ) from _error

from callgate._asking import is_ours, without_ours
from callgate._asks import decide_asks, judging
from callgate._audit import Sink
from callgate._calls import ApprovalRequest, CallResult, IdentityOf, OnApproval, RefundOnError, ServerError, ToolCall
from callgate._client import SessionClient, modern
from callgate._ending import OnResult, run
from callgate._enforcement import Enforcement, EngineOf
from callgate._guarded import GUARDED, is_guarded
from callgate._identities import identity_of_token
from callgate._lists import LISTS, TTL, Lister, NamesOf
from callgate._locks import LockPath, OnDrift
from callgate._refused import Refused
from callgate._rounds import Round
from callgate._wrapper import refusing

_T = TypeVar("_T")

# Methods that have a hook of their own.
_HOOKS = {"initialize", "server/discover", "tools/call", "tools/list", "resources/read", "prompts/get", *LISTS}
# What the client brought back, for the call in which another one asks its client.
_round: ContextVar[Round | None] = ContextVar("callgate_round", default=None)

__all__ = ["ApprovalRequest", "CallResult", "Guard", "ServerError", "ToolCall"]


class Guard(Middleware):
    """Middleware that enforces a policy.

    `identity` tells who calls from the `MiddlewareContext`, at once or when awaited; without it, the verified access
    token does (`get_access_token`). It must not read what the client sets: arguments, `_meta`, client info, or a session
    id, which a client can drop. `on_approval` asks for approval with an `ApprovalRequest`, as that of
    `callgate.mcp.guard`, and for at most `max_waiting` calls of one caller at a time.

    A call that was passed on stays charged, whatever its result (clause 8.10), but for what the policy gives back (clause 8.13): calls
    in flight, and charges with `refund`. `refund_on_error` gives all back where it returns `True` for the JSON-RPC error that ended
    the call. Exceptions of `fastmcp` are none: they become error results.

    Arguments are checked first, where rules read them: against the tool's own input schema, and for members that fold, as
    `callgate.mcp.guard` does. `check_args=False` switches that off.

    `server_name` is the name of the server, which policies read as `server` (clause 9.5). Under `list: callable`, `identity` is asked
    for lists of tools, too. Once something was left out of a list, no such list may be told to others by a cache, nor be kept for more
    than a minute.

    `lock` is a file of definitions that were approved: a tool that is not as it was is not listed (`on_drift`), and no call of it runs, as
    `callgate.mcp.guard` does.

    A refused call that asked for a task by `params.task` gets a tool's result, too: `fastmcp` does not read it, and answers such calls
    as others.
    """

    def __init__(
        self,
        engine: EngineOf,
        *,
        identity: IdentityOf | None = None,
        on_approval: OnApproval | None = None,
        max_waiting: int = 100,
        refund_on_error: RefundOnError | None = None,
        on_result: OnResult | None = None,
        check_args: bool = True,
        unmatched: Literal["warn", "refuse"] = "warn",
        server_name: str | None = None,
        audit: Sink | None = None,
        denied: Literal["answer", "raise"] = "answer",
        lock: LockPath | None = None,
        on_drift: OnDrift = "hide",
    ) -> None:
        self._enforcement = Enforcement(
            engine,
            identity,
            on_approval,
            refund_on_error,
            _request,
            check_args,
            server_name,
            max_waiting=max_waiting,
            on_result=on_result,
            unmatched=unmatched,
            audit=audit,
            denied=denied,
            lock=lock,
            on_drift=on_drift,
            verified=_verified,
        )

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """Drops what the caller may not see (spec 10.9)."""
        self._check_alone(context)
        tools = await call_next(context)
        server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
        visible, for_one = await self._enforcement.visible(
            tools, context, lambda tool: tool.name, names=_names(server), lister=_lister(context), definition=_wire
        )
        if server is not None and for_one:
            _keep_shortly(server, "tools/list")
        return visible

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Decides the call, and runs the tool if it is allowed."""
        self._check_alone(context)
        call = context.message
        name, tool = await _listed(context, call.name)

        async def schema() -> Any:
            return None if tool is None else tool.parameters

        async def definitions() -> list[Any]:
            return [] if tool is None else [_wire(tool)]

        client, round = _client(context)
        server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
        answer = await self._enforcement.admit(
            name, call.arguments, context, schema, client, round, _names(server), definitions=definitions
        )
        if isinstance(answer, Refused):
            if answer.is_question:
                return InputRequiredToolResult(mcp_types.InputRequiredResult.model_validate(answer.result))
            if (raised := self._enforcement.denied(answer, MCPError)) is not None:
                raise raised
            content = [mcp_types.TextContent(type="text", text=answer.text)]
            return ToolResult(content=content, is_error=True, meta=answer.meta)
        with _without_ours(context, round) as context:
            refuses = refusing(tool, call.arguments, _is_strict(context))
            # The server makes an error result of its own exceptions.
            result: ToolResult = await run(
                answer, lambda: call_next(context), False, answered=FastMCPError, refuses=refuses, judge=self._judging(context)
            )
        return result

    async def on_read_resource(
        self,
        context: MiddlewareContext[mcp_types.ReadResourceRequestParams],
        call_next: CallNext[mcp_types.ReadResourceRequestParams, ResourceResult],
    ) -> ResourceResult:
        """Decides the request, where the policy has `requests`."""
        params = {"uri": str(context.message.uri)}
        result: ResourceResult = await self._request("resources/read", params, context, call_next, InputRequiredResourceResult)
        return result

    async def on_get_prompt(
        self,
        context: MiddlewareContext[mcp_types.GetPromptRequestParams],
        call_next: CallNext[mcp_types.GetPromptRequestParams, PromptResult],
    ) -> PromptResult:
        """Decides the request, where the policy has `requests`."""
        arguments = context.message.arguments
        params = {"name": context.message.name, **({} if arguments is None else {"arguments": dict(arguments)})}
        result: PromptResult = await self._request("prompts/get", params, context, call_next, InputRequiredPromptResult)
        return result

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Decides requests that have no hook of their own."""
        method = context.method or ""
        if method in _HOOKS:
            return await call_next(context)
        request = getattr(context.fastmcp_context, "request_context", None)
        params = {} if request is None else dict(request._srctx.params or {})
        return await self._request(method, params, context, call_next, lambda asked: asked)

    async def on_list_resources(
        self,
        context: MiddlewareContext[mcp_types.ListResourcesRequest],
        call_next: CallNext[mcp_types.ListResourcesRequest, Sequence[Resource]],
    ) -> Sequence[Resource]:
        """Drops what the caller can never read."""
        return await self._seen("resources/list", await call_next(context), context)

    async def on_list_resource_templates(
        self,
        context: MiddlewareContext[mcp_types.ListResourceTemplatesRequest],
        call_next: CallNext[mcp_types.ListResourceTemplatesRequest, Sequence[ResourceTemplate]],
    ) -> Sequence[ResourceTemplate]:
        """Drops what the caller can never read."""
        return await self._seen("resources/templates/list", await call_next(context), context)

    async def on_list_prompts(
        self,
        context: MiddlewareContext[mcp_types.ListPromptsRequest],
        call_next: CallNext[mcp_types.ListPromptsRequest, Sequence[Prompt]],
    ) -> Sequence[Prompt]:
        """Drops what the caller can never get."""
        return await self._seen("prompts/list", await call_next(context), context)

    async def _seen(self, method: str, items: Sequence[_T], context: MiddlewareContext[Any]) -> Sequence[_T]:
        seen = await self._enforcement.seen(method, items, context)
        if context.fastmcp_context is not None and len(seen) < len(items):
            _keep_shortly(context.fastmcp_context.fastmcp, method)
        return seen

    async def _request(
        self,
        method: str,
        params: dict[str, Any],
        context: MiddlewareContext[Any],
        call_next: CallNext[Any, Any],
        asking: Callable[[mcp_types.InputRequiredResult], Any],
    ) -> Any:
        client, round = _client(context)
        answer = await self._enforcement.request(method, params, context, client, round)
        if answer is None:
            return await call_next(context)
        if isinstance(answer, Refused):
            if answer.is_question:
                return asking(mcp_types.InputRequiredResult.model_validate(answer.result))
            raise self._enforcement.denied(answer, MCPError) or MCPError(**answer.error)
        with _without_ours(context, round) as context:
            return await run(answer, lambda: call_next(context), False, judge=self._judging(context))

    def _judging(self, context: MiddlewareContext[Any]) -> Callable[[Any], Awaitable[Exception | None]]:
        """What the server asks its client from here on is decided: by a request of its own, or in its answer."""
        request = getattr(context.fastmcp_context, "request_context", None)
        if request is not None:
            decide_asks(self._enforcement, request.session, lambda: context, _told)
        return judging(self._enforcement, context, _told)

    def _check_alone(self, context: MiddlewareContext[Any]) -> None:
        """Two guards would charge each call twice. `add_middleware` does not tell a middleware that it was added."""
        if context.fastmcp_context is None:
            return
        server = context.fastmcp_context.fastmcp
        if sum(isinstance(middleware, Guard) for middleware in server.middleware) > 1 or is_guarded(server):
            raise ValueError(GUARDED)


def _request(context: Any) -> Any:
    # `get_http_request` gives one that cannot be asked whether its client is still there.
    request_context = getattr(context.fastmcp_context, "request_context", None)
    return getattr(request_context, "request", None)


def _verified(_context: Any) -> Any:
    return identity_of_token(get_access_token())


def _told(told: dict[str, Any]) -> MCPError:
    return MCPError(**told)


def _wire(tool: Tool) -> Any:
    """A definition as it goes to the client."""
    return tool.to_mcp_tool(name=tool.name).model_dump(by_alias=True, mode="json", exclude_none=True)


def _names(server: Any) -> NamesOf | None:
    """What tells all tools of the server, whoever asks and whatever its middleware leaves out."""
    if server is None:
        return None

    async def names() -> list[str]:
        # `FastMCP.list_tools` leaves out what this caller or session may not see, and a search what it can find.
        tools = [*await super(FastMCP, server).list_tools(), *server._injected_tools()]
        if any(isinstance(transform, CatalogTransform) for transform in server.transforms):
            tools += await server._list_tools()
        return [tool.name for tool in tools]

    return names


def _lister(context: MiddlewareContext[Any]) -> Lister | None:
    """How the client hears that its list changed: where it has a session, which servers of `fastmcp` tell of that."""
    request = getattr(context.fastmcp_context, "request_context", None)
    if request is None or modern(request.protocol_version) or request._srctx.method != "tools/list":
        # None, or a tool that looks for others.
        return None
    return Lister(request.session._connection, request.session.send_tool_list_changed)


def _keep_shortly(server: Any, method: str) -> None:
    """From now on no such list is for others, nor kept for long: what the server says of all of them is said behind its middleware."""
    hints = server._mcp_server.cache_hints
    hint = hints.get(method)
    if hint is not None and (hint.scope != "private" or hint.ttl_ms > TTL):
        hints[method] = replace(hint, ttl_ms=min(hint.ttl_ms, TTL), scope="private")


def _is_strict(context: MiddlewareContext[Any]) -> bool:
    server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
    return bool(getattr(server, "strict_input_validation", False))


def _client(context: MiddlewareContext[Any]) -> tuple[SessionClient | None, Round]:
    """The calling client, and what it brought back."""
    request = getattr(context.fastmcp_context, "request_context", None)
    if request is None:
        return None, Round()
    is_modern = modern(request.protocol_version)
    round = _round.get() or (Round.of(request._srctx.params or {}) if is_modern else Round())
    return SessionClient(request, by_rounds=is_modern), round


@contextmanager
def _without_ours(context: MiddlewareContext[Any], round: Round) -> Iterator[MiddlewareContext[Any]]:
    """What is called sees nothing of the guard's own round, but for the guard itself, where it is called once more."""
    request = fastmcp_request_ctx.get()
    if request is None or not is_ours(round.state):
        yield context
        return
    params = without_ours(request._srctx.params or {})
    bare = replace(request, _srctx=replace(request._srctx, params=params))
    tokens = fastmcp_request_ctx.set(bare), _round.set(round)
    try:
        bare_message = {"input_responses": None, "request_state": None}
        yield context.copy(message=context.message.model_copy(update=bare_message))
    finally:
        fastmcp_request_ctx.reset(tokens[0])
        _round.reset(tokens[1])


async def _listed(context: MiddlewareContext[Any], name: str) -> tuple[str, Tool | None]:
    """The tool that is called, as the server has it, and the name under which it is listed: an app's back-end tool can also be
    called by a hashed address."""
    server = None if context.fastmcp_context is None else context.fastmcp_context.fastmcp
    if server is None:
        return name, None
    address = parse_hashed_backend_name(name)
    tool = await server.get_tool(name)
    if address is None or tool is not None:
        return name, tool
    tool = await server.get_tool_by_hash(*address)
    return (name, None) if tool is None else (tool.name, tool)
