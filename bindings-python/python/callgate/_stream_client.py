"""The client of a guarded connection, as the guard itself asks it.

In: what the client said of itself, and its answers. Out: questions and progress, as messages that name the request which they belong to.
Must not let an answer to the guard reach the server, or take another's for one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio

from callgate._client import Elicitation, elicitation
from callgate._rounds import Round
from callgate._wire import member

# From this generation on, a question is a round of the call.
_ROUNDS = "2026"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"

Send = Callable[[str, Any], Awaitable[None]]
"""Gives the client a message, as text, that belongs to a request."""


class Questions:
    """What the guard asks the client of one connection."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.capabilities: Any = None
        """Of the client, as `initialize` says them."""
        # Nobody else's ids begin so.
        self._ids = f"callgate-ask-{secrets.token_hex(8)}-"
        self._asked = 0
        self._answers: dict[str, Any] = {}
        self._events: dict[str, anyio.Event] = {}

    def takes(self, message: Any) -> bool:
        """Whether a message of the client is an answer to the guard, and nobody else's. One that comes too late is dropped."""
        number = member(message, "id")
        if not isinstance(number, str) or not number.startswith(self._ids) or member(message, "method") is not None:
            return False
        if (event := self._events.get(number)) is not None:
            self._answers[number] = member(message, "result")
            event.set()
        return True

    async def ask(self, params: Mapping[str, Any], request: Any) -> Any:
        """The client's result; `None` where it answers with an error."""
        self._asked += 1
        # Callers may share a connection: nobody guesses the id of a question to another.
        number = f"{self._ids}{self._asked}-{secrets.token_hex(16)}"
        event = self._events[number] = anyio.Event()
        try:
            await self.send(_message(id=number, method="elicitation/create", params=params), request)
            await event.wait()
            return self._answers.get(number)
        except anyio.get_cancelled_exc_class():
            # Nobody waits for the answer. A client that reads nothing must not hold anything up.
            with anyio.move_on_after(0.1, shield=True), suppress(Exception):
                await self.send(_message(method="notifications/cancelled", params={"requestId": number}), request)
            raise
        finally:
            self._events.pop(number, None)
            self._answers.pop(number, None)


class StreamClient:
    """The client that makes one call."""

    def __init__(self, questions: Questions, request: Any, protocol: str | None) -> None:
        self._questions = questions
        self.request = request.id
        self.protocol = protocol
        params = request.params or {}
        self.round = Round.of(params)
        """What the client brought back."""
        meta = params.get("_meta")
        self._meta = meta if isinstance(meta, Mapping) else {}
        self.by_rounds = protocol is not None and protocol >= _ROUNDS

    @property
    def can_elicit(self) -> bool:
        capabilities = self._meta.get(_CAPABILITIES) if self.by_rounds else self._questions.capabilities
        found = capabilities.get("elicitation") if isinstance(capabilities, Mapping) else None
        # Without either mode it is a form, which is older than URLs.
        return isinstance(found, Mapping) and ("form" in found or "url" not in found)

    async def elicit(self, message: str, schema: Mapping[str, Any]) -> Elicitation:
        params = {"mode": "form", "message": message, "requestedSchema": dict(schema)}
        return elicitation(await self._questions.ask(params, self.request) or {})

    async def progress(self, elapsed: float, message: str) -> bool:
        token = self._meta.get("progressToken")
        if not isinstance(token, str | int):
            return False
        params = {"progressToken": token, "progress": elapsed, "message": message}
        await self._questions.send(_message(method="notifications/progress", params=params), self.request)
        return True


def _message(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **members})
