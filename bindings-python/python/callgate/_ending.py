"""How a call that ran has ended (clause 8.13).

In: a handler, or a server's answer. Out: what the policy gives back for that end, given back once; the host's callbacks hear of it. Must not
take an end for one that did not run, and must not let the call fail because of what it finds.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

import anyio

from callgate._audit import About, Audit
from callgate._calls import CallResult, RefundOnError, ServerError, ToolCall
from callgate._native import Decision, Reservation
from callgate._nested import Inner, around
from callgate._wrapper import Refuses

if TYPE_CHECKING:
    from callgate._native import _Outcome

_logger = logging.getLogger("callgate")

_running: ContextVar[Reservation | None] = ContextVar("callgate_reservation", default=None)

OnResult = Callable[[Decision, CallResult], object]


def current_reservation() -> Reservation | None:
    """The charges of the call whose handler runs here, to settle them or give them back; `None` where nothing was charged, and outside of one.

    Also in a thread that an SDK starts for a handler which is not async. What is not ended there ends with the call.
    """
    return _running.get()


@contextmanager
def running(reservation: Reservation | None) -> Iterator[None]:
    """What runs here runs for that call."""
    token = _running.set(reservation)
    try:
        yield
    finally:
        _running.reset(token)


class Permitted:
    """The handler may run. How the call ended says what is given back of its charges."""

    def __init__(
        self,
        call: ToolCall,
        refund_on_error: RefundOnError | None,
        on_result: OnResult | None = None,
        goes_on: Callable[[Permitted, str], bool] | None = None,
        inner: Inner | None = None,
        audit: tuple[Audit, About] | None = None,
    ) -> None:
        self.call = call
        self.ran: float | None = None
        """When the handler was called."""
        self.inner = inner
        self.rounds = 1
        """How often its client has made it."""
        self._refund_on_error = refund_on_error
        self._on_result = on_result
        self._goes_on = goes_on
        self._audit = audit
        self._is_over = False

    @classmethod
    def with_outer(cls, outer: ToolCall) -> Permitted:
        """Of a call that was decided with its outer one: it ends with that."""
        permitted = cls(outer, None)
        permitted._is_over = True
        return permitted

    async def ended(self, outcome: _Outcome, answer: Any = None, error: ServerError | None = None) -> None:
        """The call ended so. Only the first end counts."""
        if self._is_over:
            return
        self._is_over = True
        decision = self.call.decision
        await heard(self._on_result, decision, CallResult(outcome, answer, error))
        charge = await self._finished(decision, outcome)
        if self._audit is not None:
            audit, about = self._audit
            code = None if error is None else error.code
            audit.call(about, decision, outcome, code=code, charge=charge, ran=self.ran)

    async def _finished(self, decision: Decision, outcome: _Outcome) -> str:
        """Gives back what the policy gives back. What became of the charges, as records have it."""
        reservation = decision.reservation
        if reservation is None:
            return "none"
        if not reservation.open:
            return "settled"
        if not decision._gives_back(outcome):
            return "kept"
        try:
            # Also for a call that was cancelled: the store's own time-out bounds this.
            with anyio.CancelScope(shield=True):
                await reservation.finish_async(outcome)
        except Exception:
            _logger.exception("a reservation could not be finished")
            return "kept"
        return "released" if outcome == "not_run" else "kept"

    async def failed(self, error: ServerError) -> None:
        """The server ended the call with an error. A client can cause one after the tool ran, so the policy says what it gives back,
        and the host alone that it gives all back.
        """
        await self.ended("not_run" if self._refunds(error) else "error", error=error)

    def goes_on(self, result: Any) -> bool:
        """Whether its client is to make it again, with what the server asked for (clause 8.16): then it has not ended."""
        state = state_of(result)
        return state is not None and not self._is_over and self._goes_on is not None and self._goes_on(self, state)

    def _refunds(self, error: ServerError) -> bool:
        if self._refund_on_error is None or self.call.decision.reservation is None:
            # What a candidate charged goes by the candidate's policy: nobody decides about it.
            return False
        try:
            refunds: object = self._refund_on_error(self.call, error)
        except Exception:
            _logger.exception("refund_on_error raised; the charges stand")
            return False
        if not isinstance(refunds, bool):
            _logger.error("refund_on_error answered with neither True nor False; the charges stand")
        return refunds is True


async def heard(on_result: OnResult | None, decision: Decision, result: CallResult) -> None:
    """Tells the host's callback. What it raises is logged; a cancelled caller does not keep it from hearing."""
    if on_result is None:
        return
    try:
        with anyio.CancelScope(shield=True):
            said = on_result(decision, result)
            if inspect.isawaitable(said):
                await said
    except Exception:
        _logger.exception("on_result raised")


def outcome_of(result: Any, asked_for_task: bool) -> Literal["done", "tool_error"] | None:
    """How a result says that the call ended; `None` for a task that was accepted, which goes on.

    `result` is a result of an SDK, or its members.
    """
    # 1.x of the SDK wraps results in a model.
    result = getattr(result, "root", result)
    if _member(result, "resultType", "result_type") == "task":
        return None
    if asked_for_task and not isinstance(_member(result, "task"), str | int | float | list | None):
        return None
    return "tool_error" if _member(result, "isError", "is_error") is True else "done"


def state_of(result: Any) -> str | None:
    """The `requestState` of an answer that asks for input; `None` of any other."""
    # The package `fastmcp` wraps it.
    result = getattr(result, "input_required", result)
    if _member(result, "resultType", "result_type") != "input_required":
        return None
    state = _member(result, "requestState", "request_state")
    return state if isinstance(state, str) else None


def _member(result: Any, *names: str) -> Any:
    for name in names:
        value = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
        if value is not None:
            return value
    return None


async def run(
    permitted: Permitted,
    handler: Callable[[], Awaitable[Any]],
    asked_for_task: bool,
    error_data: type[Any] | tuple[()] = (),
    answered: type[Exception] | tuple[()] = (),
    refuses: Refuses | None = None,
    judge: Callable[[Any], Awaitable[Exception | None]] | None = None,
) -> Any:
    """Runs the handler, whose answer may be an `ErrorData` of the SDK, and which may raise what the server `answered` by an error
    result. A cancellation is not an error of the server, so `refund_on_error` is not asked. It is the client's, or
    that of a connection which ended, which gives back the same. `refuses` tells by what a call fails with whether the SDK refused its
    arguments before the handler. `judge` tells what the client gets in place of an answer that it must not see.
    """
    permitted.ran = permitted.ran or time.perf_counter()
    if permitted.rounds > 1:
        # An earlier round reached the handler.
        refuses = None
    try:
        with running(permitted.call.decision.reservation), around(permitted.inner):
            result = await handler()
    except answered as error:
        unreached = refuses is not None and refuses(error)
        await permitted.ended("not_run" if unreached else "tool_error", error=ServerError.raised(error))
        raise
    except Exception as error:
        await permitted.failed(ServerError.raised(error))
        raise
    except anyio.get_cancelled_exc_class():
        await permitted.ended("cancelled")
        raise
    if judge is not None and (instead := await judge(result)) is not None:
        # The server had begun with it.
        await permitted.ended("done", error=ServerError.raised(instead))
        raise instead
    if isinstance(result, error_data):
        await permitted.failed(ServerError.answered(result))
    elif permitted.goes_on(result):
        pass
    elif (outcome := outcome_of(result, asked_for_task)) is not None:
        unreached = outcome == "tool_error" and refuses is not None and refuses(result)
        await permitted.ended("not_run" if unreached else outcome, result)
    return result
