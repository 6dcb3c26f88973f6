"""What the adapters share: a tool call between a client and a handler.

In: the call, and the SDK's context. Out: permission to run the handler, or the MCP result that says why not.
Must not take anything that the client sets for an identity, and must not run the handler when anything fails.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import anyio

from callgate._asking import Approvals, Ask
from callgate._audit import About, Audit, Sink, mark_span
from callgate._callbacks import synchronous
from callgate._callers import Callers
from callgate._calls import CallResult, IdentityOf, NotApproved, OnApproval, RefundOnError, ToolCall
from callgate._client import Client
from callgate._ending import OnResult, Permitted, heard
from callgate._lists import LISTS, Lister, Lists, NamesOf
from callgate._locks import DefinitionsOf, Locked, LockPath, OnDrift
from callgate._native import ArgsCheck, Decision, Engine, Policy
from callgate._nested import inner_of, taken
from callgate._refused import GONE as GONE
from callgate._refused import UNDECIDED as UNDECIDED
from callgate._refused import Refused as Refused
from callgate._refused import raised
from callgate._rounds import Alarm, Round, Rounds, call_key
from callgate._values import Approval
from callgate._waiting import Caller, Gone

# How often a client may make one call, for what its server asks (clause 8.16).
_ROUNDS = 8
# Members of a request's params that are the protocol's, not the method's.
_PROTOCOLS = ("_meta", "inputResponses", "requestState")
_logger = logging.getLogger("callgate")

_T = TypeVar("_T")

EngineOf = Engine | Callable[[Any], Any]
"""The engine of all callers, or what tells that of one from the SDK's context, at once or when awaited."""

InputSchemaOf = Callable[[], Awaitable[Any]]
"""Gives a tool's input schema from the server's own definitions; `None` if it has none."""


@dataclass(frozen=True)
class Deciding:
    """A request that is to be decided, as its guard knows it."""

    call: Callable[[Decision], ToolCall]
    decide: Callable[[Approval | None], Awaitable[Decision]]
    caller: Caller
    client: Client | None
    round: Round
    """What the client brought back."""
    key: Callable[[], bytes | None]
    """What tells the call from others; `None` where its client does not come back."""
    beside: Mapping[str, Any]
    """What a callback gets beside the call."""
    permit: Callable[[ToolCall], Permitted]
    about: Callable[[], About]


class Enforcement:
    """A policy in force on one server."""

    def __init__(
        self,
        engine: EngineOf,
        identity: IdentityOf | None,
        on_approval: OnApproval | None,
        refund_on_error: RefundOnError | None,
        request: Callable[[Any], Any],
        check_args: bool,
        server: str | None = None,
        *,
        max_waiting: int = 100,
        on_result: OnResult | None = None,
        unmatched: Literal["warn", "refuse"] = "warn",
        audit: Sink | None = None,
        denied: Literal["answer", "raise"] = "answer",
        lock: LockPath | None = None,
        on_drift: OnDrift = "hide",
        verified: IdentityOf = lambda context: None,
    ) -> None:
        if not isinstance(engine, Engine) and (isinstance(engine, type) or not callable(engine)):
            raise TypeError(f"engine must be a callgate.Engine, or tell one by call, not {type(engine).__name__}")
        if on_result is not None and not callable(on_result):
            raise TypeError(f"on_result must be callable, not {type(on_result).__name__}")
        if identity is not None and not callable(identity):
            raise TypeError(f"identity must be callable, not {type(identity).__name__}")
        if server is not None and not isinstance(server, str):
            raise TypeError(f"server must be a str, not {type(server).__name__}")
        self._engine = engine
        self._server = server
        self._locked = None if lock is None else Locked(lock, server, on_drift)
        self._on_result = on_result
        # Calls whose client is to make them again.
        self._rounds: Rounds[Permitted] = Rounds()
        self._alarm = Alarm(self._forget)
        self._identity = verified if identity is None else identity
        if isinstance(engine, Engine) and not engine.policy._decides("resources/read"):
            _logger.info("resources, prompts and other requests are not decided: the policy has no `requests`")
        self._callers = Callers(identity is not None)
        self._lists = Lists(server, unmatched)
        # The HTTP request of an SDK's context.
        self._request = request
        self._check_args = check_args
        if denied not in ("answer", "raise"):
            raise ValueError("denied must be 'answer' or 'raise'")
        self._raises = denied == "raise"
        self._audit = None if audit is None else Audit(audit, server)
        self._approvals = Approvals(on_approval, max_waiting, self._audit)
        self._refund_on_error = synchronous("refund_on_error", refund_on_error)

    async def admit(
        self,
        tool: str,
        args: Any,
        context: Any,
        schema: InputSchemaOf,
        client: Client | None = None,
        round: Round = Round(),
        names: NamesOf | None = None,
        *,
        method: str | None = None,
        definitions: DefinitionsOf | None = None,
    ) -> Permitted | Refused:
        """Decides a call. Raises the caller's cancellation, and never an `Exception`: what fails refuses.

        `schema` gives the tool's input schema as its server defines it. `client` is the calling one, and `round` what it brought back.
        `names` tells all of the server's tools, and `definitions` those that have this name now. With a `method`, it is a request of that method (3.10): then `tool` is its name,
        and `args` are its params.
        """
        identity, over_http = None, self._request(context) is not None
        began = time.perf_counter()

        def about() -> About:
            sent = (None, None) if client is None else (client.protocol, client.request)
            return About(None if method else tool, method or "tools/call", args, identity, over_http, *sent, began)

        try:
            await self._forget()
            caller = Caller(self._request(context))
            identity = await _awaited(self._identity(context))
            engine = await self.engine_of(context)
            policy = engine.policy
            self._callers.look(policy, identity, over_http, client is not None and client.by_rounds)
            if names is not None and self._lists.refuses and not await self._lists.compare(policy, names):
                _logger.error("a call of %r was refused: the policy has names that no tool of the server has", tool)
                return Refused.undecided(UNDECIDED)
            if method is None and self._locked is not None and not await self._locked.admits(tool, definitions or _nothing):
                await caller.check()
                if self._audit is not None:
                    self._audit.call(about(), None, refusal="definition_changed")
                return Refused.changed(tool)
            if method is None and (outer := taken(engine, tool, args, identity)) is not None:
                await caller.check()
                return Permitted.with_outer(outer)
            # Only a client that comes back has to be told from others.
            key = call_key(method, tool, args or {}, identity, id(engine)) if client is not None and client.by_rounds else None
            if (going := await self._going(round, key, engine)) is not None:
                await self._checked(caller, going, "cancelled")
                return going

            def permit(call: ToolCall) -> Permitted:
                inner = inner_of(engine, engine.policy, call) if method is None else None
                return Permitted(call, self._refund_on_error, self._on_result, partial(self._goes_on, key), inner, self._record(about))

            return await self.judge(
                Deciding(
                    call=lambda decision: ToolCall(decision, tool, args, identity),
                    decide=partial(self._decide, engine, method, tool, args, identity, schema),
                    caller=caller,
                    client=client,
                    round=round,
                    key=lambda: key,
                    beside={"context": context, "server": self._server, "engine": engine},
                    permit=permit,
                    about=about,
                )
            )
        except Exception as error:
            return self.failed(tool, error, about())

    async def judge(self, asked: Deciding) -> Permitted | Refused:
        """Decides a request, and asks for approval where a rule wants that. Raises what the host's code does, and `Gone`."""
        why: NotApproved | None = None
        decision = await asked.decide(None)
        asks = decision.effect == "require_approval"
        if asks or asked.round.state is not None:
            key = asked.key()
            answered = self._approvals.answered(asked.round, key)
        if asks:
            given = await self._approvals.ask(asked.call(decision), key, asked.caller, asked.client, answered, asked.beside)
            if isinstance(given, Ask):
                return Refused.asking(given)
            if isinstance(given, Approval):
                # Decided again: the policy, a counter or the arguments may have changed meanwhile.
                decision = await asked.decide(given)
                if decision.allowed and self._audit is not None:
                    self._audit.approval(given.key, "used")
            else:
                why = given
        mark_span(decision)
        if decision.allowed:
            permitted = asked.permit(asked.call(decision))
            await self._checked(asked.caller, permitted, "not_run")
            return permitted
        await asked.caller.check()
        refused = Refused.decided(decision, decision.to_mcp_result() or {}, why)
        await heard(self._on_result, decision, CallResult("not_run", refused.result))
        if self._audit is not None:
            self._audit.call(asked.about(), decision)
        return refused

    def failed(self, name: str, error: Exception, about: About) -> Refused:
        """The answer to a request that was not decided."""
        is_gone = isinstance(error, Gone)
        if not is_gone:
            _logger.error("a call of %r could not be decided", name, exc_info=error)
        if self._audit is not None:
            self._audit.call(about, None, refusal="withdrawn" if is_gone else "undecided")
        return Refused.undecided(GONE if is_gone else UNDECIDED)

    def _record(self, about: Callable[[], About]) -> tuple[Audit, About] | None:
        return None if self._audit is None else (self._audit, about())

    def denied(self, refused: Refused, error: type[Exception]) -> Exception | None:
        """What is raised instead of the answer, where the host wants that (`denied="raise"`)."""
        return raised(refused, error) if self._raises else None

    async def engine_of(self, context: Any) -> Engine:
        """The engine that decides for this caller."""
        if isinstance(self._engine, Engine):
            return self._engine
        engine = await _awaited(self._engine(context))
        if not isinstance(engine, Engine):
            raise TypeError(f"engine told no callgate.Engine, but {type(engine).__name__}")
        return engine

    async def _checked(self, caller: Caller, permitted: Permitted, gone: Literal["not_run", "cancelled"]) -> None:
        """Raises where nobody waits for the call any more: then it has ended."""
        try:
            await caller.check()
        except BaseException:
            await permitted.ended(gone)
            raise

    def _goes_on(self, key: bytes | None, permitted: Permitted, state: str) -> bool:
        goes_on = key is not None and permitted.rounds < _ROUNDS and self._rounds.keep(state, key, permitted)
        self._wait_for_overdue()
        return goes_on

    def _wait_for_overdue(self) -> None:
        if (seconds := self._rounds.next_overdue()) is not None:
            self._alarm.set(seconds)

    async def _going(self, round: Round, key: bytes | None, engine: Engine) -> Permitted | None:
        """The call that goes on with this round: it has its decision, its charges and its approval."""
        if round.state is None or key is None:
            return None
        while (permitted := self._rounds.take(round.state, key)) is not None:
            if permitted.call.decision.policy == engine.policy.digest:
                permitted.rounds += 1
                return permitted
            # What another policy allowed does not go on. Another call with this state may.
            await permitted.ended("done")
        return None

    async def _forget(self) -> None:
        """Ends calls with which nobody came back."""
        for permitted in self._rounds.overdue():
            await permitted.ended("timed_out")
        self._wait_for_overdue()

    async def _decide(
        self,
        engine: Engine,
        method: str | None,
        tool: str,
        args: Any,
        identity: Any,
        schema: InputSchemaOf,
        approved: Approval | None,
    ) -> Decision:
        """Never interrupted, so that what was charged is known. The store's own time-out bounds it."""
        if method is not None:
            with anyio.CancelScope(shield=True):
                return await engine.evaluate_request_async(method, args, identity, approved, None, self._server)
        while True:
            policy = engine.policy
            check = await self._check(policy, tool, schema)
            with anyio.CancelScope(shield=True):
                decision = await engine.evaluate_async(tool, args, identity, approved, check, self._server)
            checked = check is not None or not self._check_args or decision.policy == policy.digest
            if checked or not decision.allowed:
                return decision
            # Another policy came into force meanwhile, and may read the arguments.
            await Permitted(ToolCall(decision, tool, args, identity), None).ended("not_run")

    async def visible(
        self,
        tools: Iterable[_T],
        context: Any,
        name: Callable[[_T], str] | None = None,
        *,
        known: bool = True,
        names: NamesOf | None = None,
        lister: Lister | None = None,
        definition: Callable[[_T], Any],
    ) -> tuple[list[_T], bool]:
        """The tools that the caller may see (spec 10.9), and whether another caller may see others. `known` says that the context is
        the caller's. `names` tells all of the server's tools, and `lister` hears when a reload changes what it sees.
        `definition` gives that of a tool, as plain JSON.
        """
        tools = list(tools)
        count = len(tools)
        with _untold("tools/list"):
            if self._locked is not None:
                tools = self._locked.listed(tools, definition, name or _name_of)
            engine = await self.engine_of(context)
            policy = engine.policy
            by_caller = policy._lists_by_caller
            identity = await _awaited(self._identity(context)) if by_caller and known else None
            shown = policy.filter_tools(tools, identity, self._server, name=name)
        if names is not None:
            await self._lists.compare(policy, names)
        if self._audit is not None:
            self._audit.filtered("tools/list", count - len(shown))
        if lister is not None:
            named = name or _name_of
            self._lists.went_out(lister, engine, policy, identity, map(named, tools), map(named, shown))
        # What was left out may be shown to another caller, of another engine or after a reload.
        return shown, by_caller or len(shown) < count or not isinstance(self._engine, Engine)

    async def request(
        self, method: str, params: Any, context: Any, client: Client | None = None, round: Round = Round()
    ) -> Permitted | Refused | None:
        """Decides a request of another method (3.10). `None` where the policy says nothing of such."""
        try:
            if not (await self.engine_of(context)).policy._decides(method):
                return None
        except Exception:
            _logger.exception("a request of %r could not be decided", method)
            return Refused.undecided(UNDECIDED)
        given = {name: value for name, value in params.items() if name not in _PROTOCOLS}
        return await self.admit(method, given, context, _no_schema, client, round, method=method)

    async def seen(self, listing: str, items: Iterable[_T], context: Any) -> list[_T]:
        """Those of a list that the caller may get by the request for one (10.9). `listing` is the method of the list."""
        _member, method, params = LISTS[listing]
        items = list(items)
        with _untold(listing):
            policy = (await self.engine_of(context)).policy
            if not policy._decides(method):
                return items
            identity = await _awaited(self._identity(context))
            seen = [item for item in items if policy._shows_request(method, params(item), identity, self._server)]
        if self._audit is not None:
            self._audit.filtered(listing, len(items) - len(seen))
        return seen

    async def _check(self, policy: Policy, tool: str, schema: InputSchemaOf) -> ArgsCheck | None:
        """What is checked before any rule, if the policy reads the arguments of the tool at all. Compiled for each such call: a
        server may change a definition in place.
        """
        if not self._check_args or not policy._reads_args(tool):
            return None
        try:
            definition = await schema()
        except Exception as error:
            raise RuntimeError("the server did not tell the tool's input schema") from error
        return ArgsCheck(definition if isinstance(definition, Mapping) else None)


@contextmanager
def _untold(listing: str) -> Iterator[None]:
    """Tells the client nothing of why a list cannot be judged: the SDKs answer with the text of what is raised (G1.4)."""
    try:
        yield
    except Exception as error:
        _logger.exception("a list (%s) could not be judged", listing)
        raise RuntimeError(UNDECIDED) from error


async def _no_schema() -> None:
    return None


async def _nothing() -> tuple[()]:
    return ()


def _name_of(tool: Any) -> str:
    return str(tool["name"] if isinstance(tool, Mapping) else tool.name)


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
