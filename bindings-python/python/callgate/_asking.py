"""Asking for the approval of a call, while its caller waits.

In: a decision that asks for approval, and the host's callback. Out: an approval, a question for the calling client, or that there is none.
Must not ask for more calls of one caller at a time than the host allows, and must not wait for an answer that nobody hears any more.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from callgate._audit import Audit
from callgate._calls import ApprovalRequest, NotApproved, OnApproval, ToolCall
from callgate._client import QUESTION, Asking, Client, Elicitation, Question, elicitation
from callgate._native import Engine
from callgate._rounds import Round, Rounds
from callgate._values import Approval
from callgate._waiting import Caller

_logger = logging.getLogger("callgate")

# Begins the guard's own `requestState`: what begins so never reaches the server.
_OURS = "callgate.ask."
# Seconds between two signs of progress.
_PROGRESS = 0.9


@dataclass(frozen=True)
class _Asked:
    """A call whose client was asked, and what it answered before."""

    caller: str | None
    key: str
    """The approval key: an answer is for no other."""
    answers: tuple[Elicitation, ...] = ()


@dataclass(frozen=True)
class Answered:
    """What a client answered before, to the questions about one approval."""

    key: str
    answers: tuple[Elicitation, ...]


@dataclass(frozen=True)
class Ask:
    """The client is to be asked, by a round of the call."""

    question: Question
    state: str


class Approvals:
    """How one guard asks for approvals."""

    def __init__(self, on_approval: OnApproval | None, max_waiting: int, audit: Audit | None = None) -> None:
        if on_approval is not None and not callable(on_approval):
            raise TypeError(f"on_approval must be callable, not {type(on_approval).__name__}")
        if isinstance(max_waiting, bool) or not isinstance(max_waiting, int):
            raise TypeError(f"max_waiting must be an int, not {type(max_waiting).__name__}")
        if max_waiting < 1:
            raise ValueError("max_waiting must be at least 1")
        self._on_approval = on_approval
        self._most = max_waiting
        self._audit = audit
        self._waiting: Counter[str | None] = Counter()
        self._asked: Rounds[_Asked] = Rounds()

    def answered(self, round: Round, call: bytes | None) -> Answered | None:
        """What this call's client answered in earlier rounds, if it brings the state that it was given for this very call."""
        self._forget()
        if round.state is None or not is_ours(round.state) or call is None:
            return None
        asked = self._asked.take(round.state, call)
        if asked is None:
            return None
        self._release(asked.caller)
        responses = round.responses if isinstance(round.responses, Mapping) else {}
        return Answered(asked.key, (*asked.answers, elicitation(responses.get(QUESTION))))

    async def ask(
        self,
        call: ToolCall,
        key: bytes | None,
        caller: Caller,
        client: Client | None,
        answered: Answered | None,
        about: Mapping[str, Any],
    ) -> Approval | NotApproved | Ask | None:
        """The approval of a call that waits for one; `None` where there is none, or nobody can be asked."""
        if self._on_approval is None or (needed := call.decision.approval) is None:
            return None
        name = _name(call.identity)
        if self._waiting[name] >= self._most:
            _logger.warning("%d calls of one caller wait for approval already: nobody is asked about %r", self._most, call.tool)
            return None
        answers = answered.answers if answered is not None and answered.key == needed.key else ()
        request = ApprovalRequest(
            call.decision, call.tool, call.args, call.identity, **about, _asking=Asking(client, answers)
        )
        with self._counted(name):
            answer = await caller.wait_for(partial(self._called, request), partial(_progress, client, call.tool))
        if isinstance(answer, Question):
            put = self._put(answer, key, _Asked(name, needed.key, answers))
            self._note(needed.key, "asked" if put is not None and not answers else None)
            return put
        given = _approval(answer, needed.key, request.engine)
        if not answers:
            self._note(needed.key, "asked")
        if isinstance(given, Approval):
            self._note(needed.key, "approved")
        elif given is None or given.is_denied:
            self._note(needed.key, "denied")
        return given

    def _note(self, key: str, outcome: str | None) -> None:
        if self._audit is not None and outcome is not None:
            self._audit.approval(key, outcome)

    async def _called(self, request: ApprovalRequest) -> Any:
        if self._on_approval is None:
            return None
        try:
            answer = self._on_approval(request)
            return await answer if isinstance(answer, Awaitable) else answer
        except Question as question:
            return question

    def _put(self, question: Question, call: bytes | None, asked: _Asked) -> Ask | None:
        """A question goes out. Until the client comes back, the call waits."""
        state = _OURS + secrets.token_urlsafe(24)
        if call is None or not self._asked.keep(state, call, asked):
            return None
        self._waiting[asked.caller] += 1
        return Ask(question, state)

    def _forget(self) -> None:
        for asked in self._asked.overdue():
            self._release(asked.caller)

    @contextmanager
    def _counted(self, name: str | None) -> Iterator[None]:
        self._waiting[name] += 1
        try:
            yield
        finally:
            self._release(name)

    def _release(self, name: str | None) -> None:
        self._waiting[name] -= 1
        if self._waiting[name] <= 0:
            del self._waiting[name]


def is_ours(state: Any) -> bool:
    """Whether a `requestState` is one of a guard's, which no server gave."""
    return isinstance(state, str) and state.startswith(_OURS)


def without_ours(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request's params as its server may see them: without the guard's own round."""
    if not is_ours(params.get("requestState")):
        return params
    return {name: value for name, value in params.items() if name not in ("requestState", "inputResponses")}


def _approval(answer: Any, key: str, engine: Engine | None) -> Approval | NotApproved | None:
    if isinstance(answer, NotApproved):
        return answer
    if isinstance(answer, Approval):
        return answer if answer.key == key else None
    given = str(uuid.uuid4()) if answer is True else answer
    if not isinstance(given, str) or not given:
        return None
    return Approval(key, given, None if engine is None else engine._now())


def _name(identity: Any) -> str | None:
    """Whose calls are counted together: those of an id, else all of nobody known."""
    if isinstance(identity, Mapping):
        identity = identity.get("id")
    return identity if isinstance(identity, str) else None


async def _progress(client: Client | None, tool: str) -> None:
    """Tells a client that asked for it, each second, that its call waits: one that counts silence then goes on waiting."""
    if client is None:
        return
    elapsed = 0
    while True:
        await anyio.sleep(_PROGRESS)
        elapsed += 1
        try:
            if not await client.progress(elapsed, f"{tool} waits for approval"):
                return
        except Exception:
            _logger.debug("progress of a call that waits could not be told", exc_info=True)
            return

