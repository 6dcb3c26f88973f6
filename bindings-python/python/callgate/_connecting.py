"""Clients of a guarded server in this process, for the tests of its author.

In: a server of an SDK, guarded as it will be. Out: what an agent gets that calls its tools, by the SDK's own client. Must not decide or guard
anything: that is what is tested.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from callgate._guarded import low_level

Answers = Callable[[str], Any]
"""Answers a question of the server, at once or when awaited: the fields of its form, true to accept it as it is, anything else to decline."""


@dataclass(frozen=True)
class Answer:
    """What a call got."""

    text: str
    """Of the first content, or of the JSON-RPC error."""
    is_error: bool
    code: str | None
    """Why the guard did not let it through (spec 10.2); `None` of a call that ran, and where nothing was decided."""
    meta: Mapping[str, Any]
    """The `_meta` of the result, or the `data` of the error."""
    result: Any
    """The SDK's own result; `None` where an error came."""

    @property
    def retry_after(self) -> int | None:
        """Seconds after which it may pass."""
        return self.meta.get("callgate/retry_after")

    @property
    def approval_key(self) -> str | None:
        """What an approval of it has to name."""
        return self.meta.get("callgate/approval_key")


class Client:
    """A connected client."""

    def __init__(self, session: Any) -> None:
        self.session = session
        """The SDK's own."""

    async def tools(self) -> list[str]:
        """The names of the tools that it sees, sorted."""
        found = await self.session.list_tools()
        return sorted(str(tool.name) for tool in getattr(found, "tools", found))

    async def call(self, tool: str, /, **arguments: Any) -> Answer:
        """Calls a tool. An error of the call is an answer, too."""
        options: dict[str, Any] = {"raise_on_error": False} if hasattr(self.session, "call_tool_mcp") else {}
        try:
            result = await self.session.call_tool(tool, arguments, **options)
        except Exception as error:
            if (data := getattr(error, "error", None)) is None:
                raise
            return _answer(str(data.message), True, data.data, None)
        failed = next((getattr(result, name) for name in ("is_error", "isError") if hasattr(result, name)), False)
        text = str(getattr(result.content[0], "text", "")) if result.content else ""
        return _answer(text, bool(failed), getattr(result, "meta", None), result)


def _answer(text: str, is_error: bool, meta: Any, result: Any) -> Answer:
    known = meta if isinstance(meta, Mapping) else {}
    return Answer(text, is_error, known.get("callgate/code"), known, result)


@asynccontextmanager
async def connect(
    server: Any,
    *,
    caller: str | Mapping[str, Any] | None = None,
    answers: Answers | None = None,
    protocol: str | None = None,
) -> AsyncIterator[Client]:
    """Connects the SDK's own client to a server in memory::

        async with testing.connect(server, caller="ann") as client:
            assert (await client.call("pay", amount=101)).code == "condition_failed"

    `server` is any that the guards are for, guarded. `caller` is whom a verified token stands for: its subject, or its claims with an `id`;
    without it there is none. `answers` answers questions of the server (elicitation); without it the client cannot be asked. `protocol` is a
    revision such as `"2026-07-28"`; without it, the one of sessions.
    """
    with _token(caller):
        async with _session(server, answers, protocol) as session:
            yield Client(session)


def _session(server: Any, answers: Answers | None, protocol: str | None) -> Any:
    callback = None if answers is None else _Elicitation(answers)
    if type(low_level(server)).__module__.startswith("fastmcp."):
        options: dict[str, Any] = {} if callback is None else {"elicitation_handler": callback.of_fastmcp}
        made = import_module("fastmcp").Client
        if "mode" in inspect.signature(made.__init__).parameters:
            options["mode"] = protocol or "legacy"
        return made(server, **options)
    called = None if callback is None else callback.of_sdk
    if hasattr(low_level(server), "request_handlers"):
        connected: Any = import_module("mcp.shared.memory").create_connected_server_and_client_session
        return connected(low_level(server), elicitation_callback=called)
    return import_module("mcp").Client(server, mode=protocol or "legacy", elicitation_callback=called, cache=None)


class _Elicitation:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def of_sdk(self, _context: Any, params: Any) -> Any:
        return await self._answer(import_module("mcp.types").ElicitResult, params.message)

    async def of_fastmcp(self, message: str, _type: Any, _params: Any, _context: Any) -> Any:
        return await self._answer(import_module("fastmcp.client.elicitation").ElicitResult, message)

    async def _answer(self, result: Any, message: str) -> Any:
        answer = self._answers(message)
        content = await answer if inspect.isawaitable(answer) else answer
        if content is True:
            content = {}
        return result(action="accept", content=content) if isinstance(content, dict) else result(action="decline")


class _token:
    """A verified token for whatever is started here: what the SDKs' own servers keep it in."""

    def __init__(self, caller: str | Mapping[str, Any] | None) -> None:
        self._caller = caller

    def __enter__(self) -> None:
        context: Any = import_module("mcp.server.auth.middleware.auth_context").auth_context_var
        self._reset = context, context.set(None if self._caller is None else _user(self._caller))

    def __exit__(self, *_exception: object) -> None:
        context, token = self._reset
        context.reset(token)


def _user(caller: str | Mapping[str, Any]) -> Any:
    claims = {"id": caller} if isinstance(caller, str) else dict(caller)
    name = claims.pop("id", None)
    bearer: Any = import_module("mcp.server.auth.middleware.bearer_auth")
    provider: Any = import_module("mcp.server.auth.provider")

    # 1.x has neither.
    token: Any = import_module("pydantic").create_model(
        "Token", __base__=provider.AccessToken, subject=(str | None, None), claims=(dict[str, Any] | None, None)
    )
    scopes = [str(scope) for scope in claims.pop("scopes", ())]
    client = str(claims.pop("client_id", name))
    return bearer.AuthenticatedUser(token(token="test", client_id=client, scopes=scopes, subject=name, claims=claims))
