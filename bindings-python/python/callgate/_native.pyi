# Types of the native half. Checked against it by stubtest; what is public is re-exported by `callgate`.

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from os import PathLike
from typing import Any, Literal, TypeVar, final

_T = TypeVar("_T")
_Effect = Literal["allow", "deny", "require_approval"]
_Code = Literal[
    "allowed",
    "approval_required",
    "approval_spent",
    "condition_failed",
    "denied",
    "hidden",
    "identity_required",
    "invalid_amount",
    "invalid_args",
    "invalid_identity",
    "invalid_method",
    "invalid_tool",
    "limit_exceeded",
    "not_listed",
    "store_unavailable",
]
# How a call ended (spec 8.13).
_Outcome = Literal["not_run", "done", "tool_error", "error", "cancelled", "timed_out", "lost"]
_Amount = int | float | str | Decimal
# Seconds since 1970-01-01 UTC.
_Clock = ManualClock | Callable[[], float]
# An `Approval`, or its parts: key, id, and when it was given in seconds.
_Approved = tuple[str, str] | tuple[str, str, float | None]
# What `args` may be; anything else denies (`invalid_args`).
_Args = object
# A string is `{"id": ...}`; a mapping has `id`, `grant`, `session`, `roles` and any claims; anything else denies.
_Identity = object

__version__: str

MCP_DENIED: int
"""The code of the JSON-RPC error that answers what the policy denies where there is no tool result to say it in (spec 10.6)."""

__all__ = [
    "_after_fork_in_child",
    "_after_fork_in_parent",
    "_before_fork",
    "_canonical",
    "_changed",
    "_classify_tools",
    "_definition_digests",
    "_forget_levels",
    "_stop_handing_over",
    "ApprovalNeeded",
    "ArgsCheck",
    "AuditRecord",
    "Check",
    "CounterUse",
    "Decision",
    "Diagnostic",
    "Engine",
    "Explanation",
    "Finishing",
    "LiveCounter",
    "ManualClock",
    "PendingCall",
    "Pins",
    "Policy",
    "Reservation",
    "Rule",
    "Store",
    "Stream",
    "StreamAsk",
    "Subscription",
    "lint",
]

@final
class Engine:
    """Decides calls: evaluates the policy and charges the counters (spec 6, 8).

    Safe to share between threads. The policy can be replaced while calls are being decided; each call is decided by one
    policy, whole.

    `store` is `"memory"`, which is the default, or a URL: `sqlite:///path`, `redis://host:port`; or a `Store`, which engines share.
    For a URL, `store_namespace` (`"callgate"`) keeps the counters of servers that share a store apart, and `store_timeout` (1.0) is in
    seconds; a `Store` was opened with its own. Where the store fails, a call is denied, unless `on_store_error` is
    `"allow"`; a call that a rule asks to approve is denied even then. `clock` is a `ManualClock`, or a callable that returns
    seconds since 1970 as `time.time` does.

    `on_decision` is called with an `AuditRecord` after each decision, on the thread that decided. `args_hash` asks for a digest of
    the arguments in each record: `"sha256"`, or the bytes of a key for HMAC-SHA-256. What `clock` and `on_decision` raise,
    `evaluate` raises, and the charges of the call stand (spec 10.10). `on_warning` is called with each warning of a policy that
    comes into force, and the file that it was read from; without it they are logged. What it raises is logged. No callback may be
    async, since nobody awaits it.

    Raises `StoreURLError` for a URL of no known form, and `StoreError` for a store that cannot be opened. With `"allow"`, one
    that cannot be reached yet is not an error: each call tries it.

    As a context manager, an engine is closed at the end.
    """

    def __new__(
        cls,
        policy: Policy,
        *,
        store: Store | str | None = None,
        store_namespace: str | None = None,
        store_timeout: float | None = None,
        on_store_error: Literal["deny", "allow"] = "deny",
        clock: _Clock | None = None,
        on_decision: Callable[[AuditRecord], object] | None = None,
        args_hash: Literal["none", "sha256"] | bytes | None = None,
        on_warning: Callable[[Diagnostic, str | None], object] | None = None,
    ) -> Engine: ...
    @staticmethod
    def from_str(
        text: str,
        *,
        store: Store | str | None = None,
        store_namespace: str | None = None,
        store_timeout: float | None = None,
        on_store_error: Literal["deny", "allow"] = "deny",
        clock: _Clock | None = None,
        on_decision: Callable[[AuditRecord], object] | None = None,
        args_hash: Literal["none", "sha256"] | bytes | None = None,
        on_warning: Callable[[Diagnostic, str | None], object] | None = None,
    ) -> Engine:
        """An engine for a policy written in YAML or JSON. Raises `PolicyError` with everything that is wrong."""

    @staticmethod
    def from_file(
        path: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        watch: bool | float | None = None,
        on_reload: Callable[[Policy], object] | None = None,
        on_reload_error: Callable[[Exception], object] | None = None,
        store: Store | str | None = None,
        store_namespace: str | None = None,
        store_timeout: float | None = None,
        on_store_error: Literal["deny", "allow"] = "deny",
        clock: _Clock | None = None,
        on_decision: Callable[[AuditRecord], object] | None = None,
        args_hash: Literal["none", "sha256"] | bytes | None = None,
        on_warning: Callable[[Diagnostic, str | None], object] | None = None,
    ) -> Engine:
        """An engine for a policy file. Raises `PolicyError`, or `OSError` where the file cannot be read.

        Several files, a list or tuple of paths, are one stack in their order (spec 6.10). Those that do not go together raise
        `StackError`. With `watch`, each of them is watched, and one that does not load leaves the whole stack in force.

        With `watch` (true, or the interval in seconds), every later version of the file comes into force by itself,
        until `close`. One that does not load, or looks like half a file (spec 1.8), leaves the old one in force. A file
        that replaced another is read at the next look, four times a second; one written in place a second after its
        last change. One thread watches for all engines of a process. On a thread of this engine's own, `on_reload` is called
        with each new policy in force, and `on_reload_error` with the exception that keeps the old one. One that hangs holds up
        no other engine, and no reload; it misses the oldest of more than 16. What they raise is logged.
        """

    def evaluate(
        self,
        tool: str,
        args: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Decision:
        """Decides a call and charges what it costs (spec 6).

        `args` is read in place: `dict`, `list`, `tuple`, `str`, `int` of any size, `float`, `bool`, `None`, and other
        mappings and sequences; any other object is a wrong type. `None` is absent. `identity` must be what the
        host has verified. `approved` is an `Approval`: the key of the decision that asked for it, and its own id.
        `check` is what is looked at in the arguments before any rule. `server` is the name of the server that the call goes to, as the
        host knows it (spec 9.5).
        """

    def evaluate_async(
        self,
        tool: str,
        args: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Decision]:
        """`evaluate` without blocking the event loop: in-memory counters decide at once, Redis is asked without
        blocking, and a SQLite file by a thread of the package's own."""

    def evaluate_json(
        self,
        tool: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Decision:
        """Decides a call whose arguments are raw JSON text, which is checked whole before any rule acts (spec 3.5)."""

    def evaluate_json_async(
        self,
        tool: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Decision]:
        """`evaluate_json` without blocking the event loop."""

    def evaluate_request(
        self,
        method: str,
        params: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Decision:
        """Decides a request of another method than `tools/call`, such as `resources/read` (spec 3.10).

        `params` are those of the request without `_meta`, `inputResponses` and `requestState`. A policy says nothing of such
        requests, so they are allowed; a method that begins with `tools/` is denied (`invalid_method`): use `evaluate`.
        """

    def evaluate_request_async(
        self,
        method: str,
        params: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Decision]:
        """`evaluate_request` without blocking the event loop."""

    def evaluate_request_json(
        self,
        method: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Decision:
        """`evaluate_request` for params that are raw JSON text, which is checked whole (spec 3.5)."""

    def evaluate_request_json_async(
        self,
        method: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Decision]:
        """`evaluate_request_json` without blocking the event loop."""

    def explain(
        self,
        tool: str,
        args: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Explanation:
        """What the engine would decide now, with every check that leads to it. Charges nothing."""

    def explain_json(
        self,
        tool: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Explanation:
        """`explain` for arguments that are raw JSON text."""

    def explain_async(
        self,
        tool: str,
        args: _Args = None,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Explanation]:
        """`explain` without blocking the event loop: on a thread where the store is waited for."""

    def explain_json_async(
        self,
        tool: str,
        text: str,
        identity: _Identity = None,
        approved: _Approved | None = None,
        check: ArgsCheck | None = None,
        server: str | None = None,
    ) -> Coroutine[Any, Any, Explanation]:
        """`explain_json` without blocking the event loop, likewise."""

    def visible(self, tool: str, identity: _Identity = None, server: str | None = None) -> bool:
        """Whether the caller may see the tool in `tools/list`: `hide` hides, and under `list: callable` so does what this caller can
        never call (spec 10.9). `server` is the name of the server that has the tool, as the host knows it.

        Nothing raises for an identity that is not valid: under `list: callable` it sees no tool.
        """

    def filter_tools(
        self,
        tools: Iterable[_T],
        identity: _Identity = None,
        server: str | None = None,
        *,
        name: Callable[[_T], str] | None = None,
    ) -> list[_T]:
        """Drops what the caller may not see from a list of tools; all by one policy (spec 10.9).

        A string is its own name, a mapping has a `"name"`, anything else a `name`, unless `name` tells it.
        """

    def replace(self, policy: Policy) -> None:
        """Puts another policy in force, for every call from here on. Counters go on (spec 8.6)."""

    def observe(self, candidate: Policy | None, *, store: Store | None = None) -> None:
        """Lets a candidate decide each call beside the policy in force, from here on; `None` ends it (spec 10.11).

        It changes no decision, and no call waits for it. It has counters of its own: in memory, or in `store`, which must not have
        those of this engine: take another namespace. `ValueError` if it has. The table of `observations` begins anew.
        """

    def observations(self) -> dict[str, Any] | None:
        """What came of all calls since the candidate began: `policy`, `calls`, `failed`, `omitted` and `rows`, each with `tool`,
        `method`, `enforced`, `candidate`, `flip`, `count`, `first` and `last` (spec 10.11). `None` without a candidate.
        """

    def purge(self) -> int:
        """Forgets what no call can see any more, and gives its memory back; returns how many counters were dropped (spec 8.12).

        For in-memory counters and a SQLite file, after a rush or now and then: counters in Redis expire by themselves, and 0
        is returned. Waits for the store: on an event loop, use `asyncio.to_thread`. Raises `StoreError` where it cannot be
        reached.
        """

    def counters(self) -> list[LiveCounter]:
        """Every counter of its store that holds something, in no particular order (spec 8.12).

        For operators: a store may have millions. Waits for the store: on an event loop, use `asyncio.to_thread`. Raises `StoreError`
        where the counters cannot be reached.
        """

    def reset_counter(self, counter: LiveCounter | str) -> bool:
        """Makes a counter that `counters` listed hold nothing, and returns whether it held something (spec 8.12).

        A charge made before is not given back after it. A counter is named by its `key`, too. Raises `StoreError` where it is unknown
        whether the counter was reset, and `ValueError` for a text that is no key.
        """

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store
        (`memory_store`: a counter that never resets, and used approvals, where counters are in memory; spec 8.18).
        """

    def answer_approval(
        self, id: str, granted: bool, *, by: str, valid_for: float = 3600.0
    ) -> Literal["granted", "denied", "used", "unknown"]:
        """Answers a call that `approve_by_store` filed, by its id, for so many seconds, in the name of somebody for whom the host vouches
        (spec 7.8). Waits for the store: on an event loop, use `asyncio.to_thread`.

        Returns how the call stands: `"used"` if it has passed, `"unknown"` if none of this id waits. Raises `StoreError` where it is
        unknown whether the answer holds.
        """

    def _subscribe(self, heard: Callable[[], object]) -> Subscription: ...
    def _file(
        self, decision: Decision, server: str, caller: str | None, text: str | None, keys: Sequence[str] | None
    ) -> tuple[str, str, str | None, float | None, str | None] | None: ...
    def _now(self) -> float: ...
    @property
    def policy(self) -> Policy:
        """The policy in force."""

    def close(self) -> None:
        """Stops watching the policy file, and closes the store that the engine opened: calls that counters decide are then as if it
        could not be reached. A `Store` that it was given stays open, for the others that use it, and the engine's own counters in
        memory go on.
        """

    def __enter__(self) -> Engine: ...
    def __exit__(self, *_exception: object) -> None: ...
    @property
    def _in_memory(self) -> bool: ...

    def _after_fork(self) -> None: ...
    def _begin(
        self,
        form: str,
        name: str,
        args: _Args,
        identity: _Identity,
        approved: _Approved | None,
        check: ArgsCheck | None,
        server: str | None,
    ) -> Decision | PendingCall: ...

@final
class Store:
    """Counters that engines share (spec 8.15): a store that was opened once, in one of its namespaces.

    `url` is `"memory"`, `sqlite:///path` or `redis://host:port`; `timeout` is how many seconds a call waits. `namespaced` gives the
    counters of another namespace, which share the open file or the connections: one `Store` serves any number of servers and tenants.
    Safe to share between threads. In a forked process it goes on, with a file or connections of its own.

    Raises `StoreURLError` for a URL of no known form, and `StoreError` for a store that cannot be opened.

    As a context manager, it is closed at the end.
    """

    def __new__(cls, url: str, *, timeout: float = 1.0, namespace: str = "callgate") -> Store: ...
    def namespaced(self, name: str) -> Store:
        """The counters of another namespace of this store; the same ones where the name is the same. Opens nothing.

        Raises `StoreError` where the store admits no such name, or is closed.
        """

    @property
    def namespace(self) -> str:
        """The name of the namespace."""

    def counters(self) -> list[LiveCounter]:
        """Every counter that holds something, in no particular order (spec 8.12).

        For operators: a store may have millions. Waits for the store: on an event loop, use `asyncio.to_thread`. Raises `StoreError`
        where the counters cannot be reached.
        """

    def reset_counter(self, counter: LiveCounter | str) -> bool:
        """Makes a counter that `counters` listed hold nothing, and returns whether it held something: as `Engine.reset_counter`."""

    def close(self) -> None:
        """Closes it. What engines ask afterwards certainly was not done (`store_unavailable`); calls that wait for the store get their
        answers.

        The store that was opened is closed with all of its namespaces; one that `namespaced` gave is closed alone.
        """

    def __enter__(self) -> Store: ...
    def __exit__(self, *_exception: object) -> None: ...

@final
class LiveCounter:
    """A counter that holds something (spec 8.12), for one scope value."""

    @property
    def key(self) -> str:
        """Names it for `reset_counter`, in every process that shares the store."""

    @property
    def entry(self) -> str | None:
        """The key of the entry in `tools`; `None` for `all_tools`."""

    @property
    def counter(self) -> str: ...
    @property
    def scope(self) -> str:
        """What it counts by."""

    @property
    def scope_value(self) -> str:
        """For whom it counts, as `callgate counters list` shows it."""

    @property
    def window(self) -> str:
        """As a policy may write it: `day`, `3600s`."""

    @property
    def algorithm(self) -> Literal["fixed", "sliding"]: ...
    @property
    def used(self) -> Decimal:
        """What it holds."""

    @property
    def resets_at(self) -> datetime | None:
        """When it holds nothing any more if nothing else happens; in UTC."""

@final
class ArgsCheck:
    """What is checked in the arguments of a call before any rule, where the rules read them (spec 3.7, 3.8).

    A server may read arguments otherwise than the rules do: it converts `"42"` to a number, parses text that is JSON, or takes
    `Amount` for `amount`. With the tool's input `schema`, a value of a type that it does not admit denies; with `folding`, so does a
    member that folds to one that is read. Made once for a tool. Raises `TypeError` where the schema is not a mapping.
    """

    def __new__(cls, schema: Mapping[str, object] | None = None, *, folding: bool = True) -> ArgsCheck: ...

# What is asked of a request: for whom it is, or whether it may go on. Both have its call and its tag.
_StreamAsked = tuple[Literal["identify"], int, int, bool] | tuple[Literal["decide"], int, int, StreamAsk]
_StreamStep = (
    tuple[Literal["client", "server"], int, int | None, str]
    | _StreamAsked
    | tuple[Literal["finish"], int, _Outcome]
    | tuple[Literal["accepted", "given_up", "wake"], int]
    | tuple[Literal["note"], str, object]
)

@final
class Pins:
    @staticmethod
    def load(path: str | PathLike[str], server: str | None = None) -> Pins: ...
    def admits(self, definition: str) -> bool: ...

@final
class Stream:
    def __new__(
        cls,
        engine: Engine | None,
        *,
        server: str | None = None,
        check_args: bool = True,
        lock: Pins | None = None,
        on_drift: str = "hide",
    ) -> Stream: ...
    def from_client(self, text: str, tag: int, now: int) -> list[_StreamStep]: ...
    def from_server(self, text: str, tag: int, now: int) -> list[_StreamStep]: ...
    def identified(self, engine: Engine, call: int, identity: str | None, now: int) -> list[_StreamStep]: ...
    def decided(self, call: int, decision: Decision, now: int) -> list[_StreamStep]: ...
    def deny(self, call: int, result: str, message: str, data: str | None, now: int) -> list[_StreamStep]: ...
    def refuse(self, call: int, text: str, now: int) -> list[_StreamStep]: ...
    def answer(self, call: int, result: str, now: int) -> list[_StreamStep]: ...
    def unsent(self, call: int) -> list[_StreamStep]: ...
    def wake(self, now: int) -> list[_StreamStep]: ...
    def client_closed(self) -> list[_StreamStep]: ...
    def reloaded(self) -> list[_StreamStep]: ...
    @property
    def deciding_bytes(self) -> int: ...

@final
class StreamAsk:
    @property
    def method(self) -> str: ...
    @property
    def tool(self) -> str | None: ...
    @property
    def args(self) -> str | None: ...
    @property
    def check(self) -> ArgsCheck: ...
    @property
    def request(self) -> str: ...
    @property
    def protocol(self) -> str | None: ...
    @property
    def from_client(self) -> bool: ...
    @property
    def task(self) -> bool: ...

@final
class Policy:
    """A compiled policy: immutable, safe to share between threads and engines."""

    @staticmethod
    def from_str(text: str, *, format: Literal["detect", "yaml", "json"] = "detect") -> Policy:
        """Compiles a policy. Raises `PolicyError` with everything that is wrong."""

    @staticmethod
    def from_file(path: str | PathLike[str] | Sequence[str | PathLike[str]]) -> Policy:
        """Reads and compiles a policy file, or several as a stack. Raises `PolicyError`, or `OSError` where one cannot be read."""

    @staticmethod
    def stack(policies: Sequence[Policy]) -> Policy:
        """Several policies as one, in this order: what one of them stops is stopped, whatever the others say (spec 6.10).

        A stack of one is that policy. Raises `StackError` where they do not go together: in a stack of more than one, each has a
        `name` of its own.
        """

    @property
    def layers(self) -> tuple[str | None, ...]:
        """The names of the policies that it was made of, in order; `None` for one without a name."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What may not mean what its author thinks (spec 12). Logged at WARNING when the policy was loaded."""

    @property
    def digest(self) -> str:
        """`sha256:` and the SHA-256 of the policy's text in hexadecimal; of a stack, that of its policies' digests."""

    def _reads_args(self, tool: str) -> bool: ...
    @property
    def _lists_by_caller(self) -> bool: ...
    def _decides(self, method: str) -> bool: ...
    def _shows_request(
        self, method: str, params: object, identity: _Identity = None, server: str | None = None
    ) -> bool: ...
    def _unmatched(self, tools: Sequence[str]) -> list[str]: ...
    def _identity_needs(self) -> list[tuple[str, str, str]]: ...
    def _inner_call(self, tool: str, args: str) -> tuple[str, str] | None: ...
    def visible(self, tool: str, identity: _Identity = None, server: str | None = None) -> bool:
        """Whether the caller may see the tool in `tools/list`, as `Engine.visible` (spec 10.9)."""

    def filter_tools(
        self,
        tools: Iterable[_T],
        identity: _Identity = None,
        server: str | None = None,
        *,
        name: Callable[[_T], str] | None = None,
    ) -> list[_T]:
        """Drops what the caller may not see from a list of tools (spec 10.9)."""

@final
class Diagnostic:
    """One finding in a policy document (spec 12). `str()` shows it with its place and help."""

    @property
    def severity(self) -> Literal["error", "warning"]: ...
    @property
    def code(self) -> str:
        """The stable code, such as `unknown_field`."""

    @property
    def message(self) -> str:
        """What is wrong: one sentence."""

    @property
    def help(self) -> str | None:
        """What to do about it, where there is something to say."""

    @property
    def pointer(self) -> str:
        """JSON Pointer to the place in the document; empty for the whole document."""

    @property
    def line(self) -> int:
        """From 1."""

    @property
    def column(self) -> int:
        """From 1, in code points."""

    @property
    def span(self) -> tuple[int, int]:
        """The range of bytes in the UTF-8 text."""

    @property
    def text(self) -> str:
        """All checks as one text."""

@final
class Decision:
    """A decision about one call (spec 10). True if the call may run. Holds no arguments.

    Equal decisions of an engine may be one object, where nothing of the call but the tool's name is in them.
    """

    @property
    def effect(self) -> _Effect: ...
    @property
    def allowed(self) -> bool:
        """Whether the call may run now."""

    @property
    def code(self) -> _Code:
        """Why: stable over versions (spec 10.2)."""

    @property
    def tool(self) -> str | None:
        """The tool that was called; `None` for another method than `tools/call`."""

    @property
    def method(self) -> str:
        """The method that was called: `tools/call`, or what was given to `evaluate_request` (spec 3.10)."""

    @property
    def message(self) -> str | None:
        """What to tell the agent; `None` when the call is allowed (spec 10.5)."""

    @property
    def rule(self) -> Rule | None:
        """The rule or item that decided, if one did."""

    @property
    def counters(self) -> tuple[CounterUse, ...]:
        """Every counter that the decision asked the store about (spec 10.4)."""

    @property
    def retry_after(self) -> int | None:
        """Whole seconds after which the call may pass if nothing else happens; `None` if waiting does not help."""

    @property
    def approval(self) -> ApprovalNeeded | None:
        """What an approval of this call must name, and which rules ask; `None` unless the effect is `require_approval` (spec 7.1)."""

    @property
    def policy(self) -> str:
        """Digest of the policy that decided."""

    @property
    def reservation(self) -> Reservation | None:
        """The charges of an allowed call; `None` if nothing was charged."""

    def observed(self) -> dict[str, Any] | None:
        """What a candidate says of the call: `effect`, `code`, `rule` and `flip`, which is `"none"`, `"looser"` or `"tighter"`
        (spec 10.11). `None` without a candidate, where it failed, and as long as its store has not answered.
        """

    def _gives_back(self, outcome: _Outcome) -> bool: ...
    @property
    def _inner(self) -> str | None: ...
    def to_json(self) -> str:
        """The decision as JSON, the same in every language (spec 10.3)."""

    def to_dict(self) -> dict[str, Any]:
        """The same as Python values; amounts are strings."""

    def to_mcp_result(self) -> dict[str, Any] | None:
        """The MCP tool result that tells the agent; `None` when the call is allowed (spec 10.6).

        Its text is the message, with the approval key on a line of its own where the call waits for approval; its `_meta` is what
        `to_mcp_meta` gives.
        """

    def to_mcp_meta(self) -> dict[str, Any] | None:
        """Why the call may not run, for programs; `None` when it is allowed (spec 10.6).

        `callgate/code`, and `callgate/retry_after` (whole seconds) or `callgate/approval_key` where there is one. It is the `data` of a
        JSON-RPC error with the code `MCP_DENIED` and the message, which answers a call that asked for a task.
        """

    def __bool__(self) -> bool: ...

@final
class ApprovalNeeded:
    """What a call needs to be approved (spec 7.1)."""

    @property
    def key(self) -> str:
        """What an `Approval` of this very call must name."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that asks or may ask, in the order of the policy: what the person who approves has to know."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """The paths of arguments and claims that an approval does not cover."""

    @property
    def valid_for(self) -> int | None:
        """For how many seconds after it was given an approval lets calls through, where the rules say so. Then an `Approval` needs a
        `given_at`."""

    @property
    def uses(self) -> int:
        """How many calls one approval lets through."""

@final
class Rule:
    """The rule or item that a decision reports."""

    @property
    def layer(self) -> str | None:
        """The name of the policy layer that has it; `None` where that has no name."""

    @property
    def name(self) -> str | None: ...
    @property
    def pointer(self) -> str:
        """JSON Pointer into the policy, such as `/tools/create_charge/rules/0`."""

    @property
    def line(self) -> int:
        """Line in the policy's text, from 1."""

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who may approve, for the host to check: of a rule that asks, as it names them; empty for anybody, and of any other rule."""

@final
class CounterUse:
    """A counter of a decision (spec 10.4). Amounts are exact."""

    @property
    def entry(self) -> str | None:
        """The key of the entry in `tools`; `None` for `all_tools` and for a budget."""

    @property
    def counter(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def window(self) -> str:
        """As the policy writes it."""

    @property
    def charged(self) -> Decimal | None:
        """What was charged; `None` if it was only read, or the call was refused."""

    @property
    def used(self) -> Decimal:
        """What it holds: with the charge if it was taken, else as it stands."""

    @property
    def max(self) -> Decimal | None:
        """The maximum that held for the call."""

    @property
    def resets_at(self) -> datetime | None:
        """When it holds nothing any more if nothing else happens; in UTC. `None` for one that never resets."""

    @property
    def budget(self) -> str | None:
        """Its name where it is a budget."""

@final
class Reservation:
    """The charges of an allowed call, to be finished at most once (spec 8.10). Unfinished, they stand."""

    def finish(self, outcome: _Outcome) -> None:
        """Says how the call ended (spec 8.13). `"not_run"` takes all charges back: it provably never reached its tool. Any other
        outcome takes back what the policy says: calls in flight, and charges with `refund`.

        Raises `ReservationError` if it was finished before, `StoreError` where the store could not be reached.
        """

    def gives_back(self, outcome: _Outcome) -> bool:
        """Whether finishing it so would give something back. Where it would not, nobody needs to: the charges stand, and can still be
        settled.
        """

    def settle(self, actual: _Amount | Mapping[str, _Amount]) -> None:
        """Makes charges what the call really cost, less or more (spec 8.14): those of items with `increment_from` or `settle`. One amount
        where the call has one such charge, else amounts by the names of their counters and budgets. No bound refuses more: the counter
        may be above its maximum then.

        Raises `SettleError` for nothing to settle, or a counter that is not named or not known; `ValueError` for
        no amount. Both leave it open. Raises as `finish` does, too.
        """

    def finish_async(self, outcome: _Outcome) -> Coroutine[Any, Any, None]:
        """`finish`, without blocking the event loop: as `Engine.evaluate_async` does. Finished once it is awaited."""

    def settle_async(self, actual: _Amount | Mapping[str, _Amount]) -> Coroutine[Any, Any, None]:
        """`settle`, without blocking the event loop: as `Engine.evaluate_async` does. Finished once it is awaited."""

    def _end(self, outcome: str | None, actual: object) -> Finishing: ...

    @property
    def open(self) -> bool:
        """Whether it can still be finished."""

@final
class AuditRecord:
    """What to log of a call (spec 10.8). Never holds argument values."""

    @property
    def decision(self) -> Decision: ...
    @property
    def identity(self) -> str | None:
        """The identity's id, if it has one."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the arguments, sorted."""

    @property
    def hash(self) -> str | None:
        """The digest of the arguments, if the engine was told to make it."""

    def to_json(self) -> str:
        """The record as JSON, the same in every language."""

@final
class Explanation:
    """What the engine would decide, and why. `str()` shows the checks as a tree."""

    @property
    def decision(self) -> Decision:
        """Nothing was charged."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """In the order in which they were made; those after a settling one were not made."""

@final
class Check:
    """One check of an evaluation. Carries no argument values."""

    @property
    def pointer(self) -> str:
        """JSON Pointer to its place in the policy."""

    @property
    def what(self) -> str:
        """What was checked, for people: not stable."""

    @property
    def outcome(self) -> str: ...
    @property
    def why(self) -> str | None: ...
    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that it consisted of."""

@final
class ManualClock:
    """A clock that stands still until it is told to move, in seconds since 1970-01-01 UTC: for tests."""

    def __new__(cls, now: float | None = None) -> ManualClock: ...
    def set(self, now: float) -> None:
        """Shows `now` from here on; may go backwards."""

    def advance(self, seconds: float) -> None:
        """Moves forward by so many seconds; backwards if negative."""

    def now(self) -> float: ...

@final
class Finishing:
    """Charges on their way back. Not public."""

    def start(self, wake: Callable[[], object]) -> bool: ...
    def finish(self) -> None: ...

@final
class Subscription:
    """Ends when it is dropped. Not public."""

@final
class PendingCall:
    """A call that waits for its counters. Not public."""

    def start(self, wake: Callable[[], object]) -> bool: ...
    def decide(self) -> Decision: ...

def lint(
    text: str, tools: object, *, format: Literal["detect", "yaml", "json"] = "detect"
) -> tuple[Diagnostic, ...]:
    """Warns of names in a policy that match none of a server's tools, and of paths and scopes that its tools' input schemas cannot
    have (spec 12.2). `tools` is the result of `tools/list`, or its list of tools. Raises `PolicyError` where the policy does not load.
    """

def _canonical(text: str) -> str | None: ...
def _changed(tool: str) -> tuple[str, str]: ...
def _definition_digests(definition: str) -> list[tuple[str, str]] | None: ...
def _classify_tools(
    tools: str, server: str, trusted: bool, overrides: Sequence[tuple[str | None, str, str, str]]
) -> str: ...
def _after_fork_in_child() -> None: ...
def _after_fork_in_parent() -> None: ...
def _before_fork() -> None: ...
def _forget_levels() -> None: ...
def _stop_handing_over() -> None: ...
