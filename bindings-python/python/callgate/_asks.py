"""Requests of a server to its client, such as `sampling/createMessage`, which a policy decides, too (clause 3.10).

In: the session of a request, or an answer that asks for input. Out: the same session, whose requests are decided before the client sees them; or
the error that the client gets in place of the answer. Must not decide what the guard itself asks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from callgate._client import is_own
from callgate._ending import Permitted, run
from callgate._refused import UNDECIDED, Refused

if TYPE_CHECKING:
    from callgate._enforcement import Enforcement

_logger = logging.getLogger("callgate")

def decide_asks(enforcement: Enforcement, session: Any, context: Callable[[], Any], error: Any) -> None:
    """Has each request of this session decided from here on. `context` gives the SDK's context of the request that runs."""
    send = session.send_request
    if getattr(send, "_decides", False):
        return

    async def send_request(request: Any, *args: Any, **options: Any) -> Any:
        asked = getattr(request, "root", request)
        if is_own():
            return await send(request, *args, **options)
        dumped = asked.model_dump(by_alias=True, mode="json", exclude_none=True)
        answer = await enforcement.request(dumped["method"], dumped.get("params") or {}, context())
        if isinstance(answer, Refused):
            raise error(answer.error)
        if answer is None:
            return await send(request, *args, **options)
        return await run(answer, lambda: send(request, *args, **options), False)

    send_request._decides = True  # type: ignore[attr-defined]  # a mark on the function itself: types know no attributes of functions
    session.send_request = send_request


def judging(enforcement: Enforcement, context: Any, error: Any) -> Callable[[Any], Awaitable[Exception | None]]:
    """What judges an answer that asks for input: it passes if all is allowed that it asks for."""

    async def judge(result: Any) -> Exception | None:
        answer = getattr(result, "input_required", result)
        if hasattr(answer, "model_dump"):
            answer = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        if not isinstance(answer, Mapping) or answer.get("resultType") != "input_required":
            return None
        asked = answer.get("inputRequests") or {}
        allowed: list[Permitted] = []
        try:
            for request in asked.values():
                decided = await enforcement.request(str(request["method"]), request.get("params") or {}, context)
                if isinstance(decided, Refused):
                    for permitted in allowed:
                        await permitted.ended("not_run")
                    refused: Exception = error(decided.error)
                    return refused
                if decided is not None:
                    allowed.append(decided)
        except Exception:
            _logger.exception("what a server asks for could not be read")
            for permitted in allowed:
                await permitted.ended("not_run")
            unread: Exception = error(Refused.undecided(UNDECIDED).error)
            return unread
        for permitted in allowed:
            await permitted.ended("done")
        return None

    return judge
