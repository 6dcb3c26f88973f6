"""The client that makes a call, as a guard reaches it while the call waits.

In: the SDK's session and request, or nothing where there is none. Out: its answer to a question, and progress that it asked for. Must not reach
another client than the calling one: what goes out names the request that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol

from callgate._errors import CannotAsk

# Names the guard's question among those of a round.
QUESTION = "callgate"


_own: ContextVar[bool] = ContextVar("callgate_own", default=False)


def is_own() -> bool:
    """Whether the guard itself asks."""
    return _own.get()


@contextmanager
def own() -> Iterator[None]:
    """What is asked here the guard asks."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


@dataclass(frozen=True)
class Elicitation:
    """What the calling client answered to a question."""

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, Any]
    """The fields of the form, where it was accepted; else empty."""


class Question(BaseException):
    """A question that goes out as the answer to the call, which the client then makes again (2026-07-28).

    No `Exception`: a callback that catches those would answer in the person's stead.
    """

    def __init__(self, message: str, schema: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.message = message
        self.schema = schema

    def requests(self) -> dict[str, Any]:
        """The `inputRequests` of the answer."""
        params = {"mode": "form", "message": self.message, "requestedSchema": dict(self.schema)}
        return {QUESTION: {"method": "elicitation/create", "params": params}}


class Client(Protocol):
    """How a guard reaches the calling client."""

    @property
    def protocol(self) -> str | None:
        """The revision of the protocol, where it is known."""

    @property
    def request(self) -> str | int | None:
        """The id of the request."""

    @property
    def by_rounds(self) -> bool:
        """Whether a question is a round of the call, for want of a way to ask meanwhile (2026-07-28)."""

    @property
    def can_elicit(self) -> bool:
        """Whether the client says that it answers questions by a form."""

    async def elicit(self, message: str, schema: Mapping[str, Any]) -> Elicitation:
        """Asks and waits, where a question is no round."""

    async def progress(self, elapsed: float, message: str) -> bool:
        """Says that the call goes on; false where the client did not ask to hear of it."""


class SessionClient:
    """The client of a session of the SDK, 1.x or 2.x."""

    def __init__(self, context: Any, by_rounds: bool) -> None:
        self._session = context.session
        self._request = context.request_id
        # 1.x does not tell which one it speaks.
        self.protocol: str | None = getattr(context, "protocol_version", None)
        # Of 1.x.
        self._token = getattr(context.meta, "progressToken", None)
        self.by_rounds = by_rounds

    @property
    def request(self) -> str | int | None:
        return self._request if isinstance(self._request, str | int) else None

    @property
    def can_elicit(self) -> bool:
        capabilities = getattr(self._session, "client_capabilities", None)
        if capabilities is None:
            capabilities = getattr(getattr(self._session, "client_params", None), "capabilities", None)
        elicitation = getattr(capabilities, "elicitation", None)
        if elicitation is None:
            return False
        # Without either mode it is a form, which is older than URLs.
        return getattr(elicitation, "form", None) is not None or getattr(elicitation, "url", None) is None

    async def elicit(self, message: str, schema: Mapping[str, Any]) -> Elicitation:
        # Not a request of the server, which the policy would decide.
        with own():
            answer = await self._session.elicit_form(message, dict(schema), self._request)
        return elicitation(answer)

    async def progress(self, elapsed: float, message: str) -> bool:
        if hasattr(self._session, "report_progress"):
            # 2.x: it knows whether the client asked to hear of it, also where there are no messages.
            await self._session.report_progress(elapsed, None, message)
            return True
        if self._token is None:
            return False
        # 1.x wants a text, and compares it with that of a number.
        await self._session.send_progress_notification(self._token, elapsed, None, message, str(self._request))
        return True


def elicitation(answer: Any) -> Elicitation:
    """Of the client's `ElicitResult`, or its members. What is none is a refusal."""
    members = answer if isinstance(answer, Mapping) else {name: getattr(answer, name, None) for name in ("action", "content")}
    action, content = members.get("action"), members.get("content")
    if action not in ("accept", "decline", "cancel"):
        return Elicitation("cancel", {})
    return Elicitation(action, content if action == "accept" and isinstance(content, Mapping) else {})


class Asking:
    """One call that waits for its approval: asks its client, or finds what the client answered in earlier rounds."""

    def __init__(self, client: Client | None, answers: Sequence[Elicitation]) -> None:
        self.client = client
        self.answers = answers
        self._asked = 0

    async def elicit(self, message: str, schema: Mapping[str, Any]) -> Elicitation:
        if self.client is None or not self.client.can_elicit:
            raise CannotAsk("the calling client does not answer questions (elicitation)")
        if not self.client.by_rounds:
            return await self.client.elicit(message, schema)
        # The callback runs anew in each round, and asks the same questions in the same order.
        self._asked += 1
        if self._asked <= len(self.answers):
            return self.answers[self._asked - 1]
        raise Question(message, schema)


def modern(version: str) -> bool:
    """Whether a revision of the protocol asks by rounds."""
    versions: Any = import_module("mcp_types.version").MODERN_PROTOCOL_VERSIONS
    return version in versions
