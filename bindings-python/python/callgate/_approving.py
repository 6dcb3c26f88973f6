"""Ready-made ways to ask for an approval: the calling client, or whoever answers in the engine's store.

In: a call that waits for its approval. Out: callbacks for a guard's `on_approval`. Must not show a person less than the whole call, and must not
take a silence for a yes.
"""

from __future__ import annotations

import json
import logging
import unicodedata
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Literal

import anyio

from callgate._calls import ApprovalRequest, NotApproved
from callgate._errors import CannotAsk, StoreError
from callgate._native import Engine
from callgate._values import Approval

_logger = logging.getLogger("callgate")

# Characters of arguments that a question shows. A call with more is not asked about: nobody approves what nobody saw.
_SHOWN = 10_000
# To accept it is all that is asked.
_FORM: dict[str, Any] = {"type": "object", "properties": {}}
# Grants that are remembered for their further uses, at most.
_GRANTS = 1_000
# Seconds between two looks into the store.
_LOOK = 1.0

OnApproval = Callable[[ApprovalRequest], Awaitable[Any]]


def approve_by_elicitation(
    message: Callable[[ApprovalRequest], str] | str | None = None, *, valid_for: float | None = None
) -> OnApproval:
    """Asks whoever sits at the calling client, by a form (`elicitation/create`): to accept it is a yes.

    `message` is what the form says above the policy's message, the tool and all of its arguments; a callable says all of it. Where a rule
    lets one approval pass several calls (`uses`), the further ones are not asked about for `valid_for` seconds, by default as long as the
    rule says, else an hour. A client that answers no questions is told that the call needs approval.

    **It proves no person's consent where the agent itself answers**: the client decides who accepts.
    """
    # A grant, and how often it may still be used.
    granted: dict[str, tuple[Approval, int]] = {}

    async def ask(request: ApprovalRequest) -> Any:
        needed, engine = request.decision.approval, request.engine
        if needed is None or engine is None:
            return None
        now, lasts = engine._now(), min((span for span in (valid_for, needed.valid_for) if span is not None), default=3600.0)
        known, left = granted.pop(needed.key, (None, 0))
        if known is not None and known.given_at is not None and 0 <= now - known.given_at < lasts:
            _remember(granted, known, left - 1)
            return known
        question = _question(request, message)
        if question is None:
            _logger.warning("a call of %r is too long to be shown whole: nobody is asked", request.tool)
            return None
        try:
            answer = await request.elicit(question, _FORM)
        except CannotAsk as error:
            _logger.info("a call of %r waits for approval: %s", request.tool, error)
            return None
        if answer.action != "accept":
            return False
        given = Approval(needed.key, str(uuid.uuid4()), engine._now())
        _remember(granted, given, needed.uses - 1)
        return given

    return ask


def approve_by_store(wait: float = 0, *, args: Literal["full", "keys", "none"] = "full") -> OnApproval:
    """Files the call in the engine's store, where a person answers from another process: `callgate approvals`, as for the proxy (spec 7.7).

    The call waits so many seconds for the answer. Then it is denied, and told the id of what was filed; made again once it was approved, it
    passes. `args` is what is kept of the arguments for the person: all of them, their names, or nothing. With a store in memory, only
    this process can answer: by `Engine.answer_approval`.
    """
    if args not in ("full", "keys", "none"):
        raise ValueError("args must be 'full', 'keys' or 'none'")
    if not wait >= 0:
        raise ValueError("wait must be 0 or more seconds")

    async def ask(request: ApprovalRequest) -> Any:
        engine, needed = request.engine, request.decision.approval
        if engine is None or needed is None:
            return None
        file = partial(_file, engine, request, args)
        began = anyio.current_time()
        while True:
            try:
                # The store may be a file that is locked, or far away.
                found = await anyio.to_thread.run_sync(file)
            except StoreError:
                _logger.warning("a call of %r could not be filed", request.tool, exc_info=True)
                return NotApproved("It could not be filed for a person. Try again later.", is_denied=False)
            if found is None:
                return None
            state, name, grant, given_at, _who = found
            if state == "granted" and grant is not None:
                return Approval(needed.key, grant, given_at)
            if state == "full":
                return NotApproved("It was not filed: too many calls wait for a person already.", is_denied=False)
            meta = {"callgate/approval_id": name}
            if state == "denied":
                return NotApproved(f"A person has denied it ({name}). Do not make it again.", meta)
            left = began + wait - anyio.current_time()
            if left <= 0:
                text = f"It waits for a person's approval as {name}. Once it is approved, make the same call again."
                return NotApproved(text, meta, is_denied=False)
            await anyio.sleep(min(_LOOK, left))

    return ask


def _file(engine: Engine, request: ApprovalRequest, args: str) -> tuple[str, str, str | None, float | None, str | None] | None:
    given = request.args or {}
    text = json.dumps(given, ensure_ascii=False) if args == "full" else None
    keys = sorted(map(str, given)) if args == "keys" and isinstance(given, Mapping) else None
    identity = request.identity
    caller = identity.get("id") if isinstance(identity, Mapping) else identity
    return engine._file(request.decision, request.server or "", caller if isinstance(caller, str) else None, text, keys)


def _remember(granted: dict[str, tuple[Approval, int]], approval: Approval, left: int) -> None:
    if left <= 0:
        return
    if len(granted) >= _GRANTS:
        del granted[next(iter(granted))]
    granted[approval.key] = approval, left


def _question(request: ApprovalRequest, message: Callable[[ApprovalRequest], str] | str | None) -> str | None:
    """What the form says; `None` for what is too long to be read."""
    if callable(message):
        return message(request)
    shown = plain(json.dumps(request.args or {}, ensure_ascii=False, indent=2, default=str))
    if len(shown) > _SHOWN:
        return None
    lines = [message] if message is not None else []
    said, tool = (plain(text).replace("\n", " ") for text in (str(request.decision.message), request.tool))
    what = "Method" if request.decision.tool is None else "Tool"
    return "\n".join([*lines, said, f"{what}: {tool}", f"Arguments: {shown}"])


def plain(text: str) -> str:
    """The text as a person may be shown it: nothing in it hides or reorders the rest (spec 7.12)."""
    return "".join(char if char == "\n" or _is_plain(char) else f"\\u{{{ord(char):x}}}" for char in text)


def _is_plain(char: str) -> bool:
    # Control and format characters, lone surrogates, private ones, and separators of lines.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
