"""Lists of tools that went out: who hears that a reload changes theirs, and which names of a policy no tool has.

In: lists as the server has them, and who saw what of them. Out: `notifications/tools/list_changed`, and warnings. Must not tell of a reload
that changes nothing for its client, and must not judge by a list that is not whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal
from weakref import WeakKeyDictionary, ref

from callgate._native import Engine, Policy, Subscription

_logger = logging.getLogger("callgate")

# Milliseconds for which a client may keep a list at most: a reload is to be seen.
TTL = 60_000
# Clients without a connection that are remembered.
_CLIENTS = 1_000

# Lists beside that of tools: by their method, the member that holds the items, and how one is got (10.9).
LISTS: dict[str, tuple[str, str, Callable[[Any], dict[str, Any]]]] = {
    "resources/list": ("resources", "resources/read", lambda item: {"uri": _member(item, "uri")}),
    # Which resource it is for is open.
    "resources/templates/list": ("resourceTemplates", "resources/read", lambda item: {}),
    "prompts/list": ("prompts", "prompts/get", lambda item: {"name": _member(item, "name")}),
}

# Pages of a server's own list of tools that are read for one call.
_PAGES = 1_000

NamesOf = Callable[[], Awaitable[Sequence[str]]]
"""All tools that the server has, hidden ones and all pages included."""


@dataclass(frozen=True)
class Lister:
    """A client that asked for a list, and how it hears that it changed."""

    key: Any
    """Its connection, or what stands for it where there are none."""
    send: Callable[[], Awaitable[None]]


@dataclass
class _View:
    """What a client saw."""

    names: set[str]
    visible: set[str]
    identity: Any
    engine: ref[Engine]
    send: Callable[[], Awaitable[None]]
    loop: asyncio.AbstractEventLoop


class Lists:
    """The lists of one server."""

    def __init__(self, server: str | None, unmatched: Literal["warn", "refuse"]) -> None:
        if unmatched not in ("warn", "refuse"):
            raise ValueError("unmatched must be 'warn' or 'refuse'")
        self._server = server
        self._refuses = unmatched == "refuse"
        self._lock = Lock()
        self._by_connection: WeakKeyDictionary[Any, _View] = WeakKeyDictionary()
        self._by_key: dict[Any, _View] = {}
        self._subscriptions: WeakKeyDictionary[Engine, Subscription] = WeakKeyDictionary()
        # The policies that were compared with a whole list, and had no name too many.
        self._compared: set[str] = set()
        self._warned: set[str] = set()
        self._sending: set[asyncio.Task[None]] = set()

    async def compare(self, policy: Policy, names: NamesOf) -> bool:
        """Compares a policy with the server's tools, once, and warns; whether a call may pass (`unmatched`)."""
        if policy.digest in self._compared:
            return True
        try:
            unmatched = policy._unmatched(list(await names()))
        except Exception:
            _logger.warning("the names of a policy could not be compared with the server's tools", exc_info=True)
            return not self._refuses
        for name in unmatched:
            if name not in self._warned:
                _logger.warning("policy %s: %s", policy.digest[:19], name)
        self._warned.update(unmatched)
        if not unmatched or not self._refuses:
            self._compared.add(policy.digest)
        return not unmatched or not self._refuses

    @property
    def refuses(self) -> bool:
        """Whether calls are refused as long as a policy has names that no tool has."""
        return self._refuses

    def went_out(
        self, lister: Lister, engine: Engine, policy: Policy, identity: Any, names: Iterable[str], visible: Iterable[str]
    ) -> None:
        """A page of a list went out."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Another event loop than asyncio's cannot be told from a thread.
            return
        view = _View(set(names), set(visible), identity, ref(engine), lister.send, loop)
        with self._lock:
            views = self._views(lister.key)
            if (known := views.pop(lister.key, None)) is not None and known.identity == identity:
                view.names |= known.names
                view.visible |= known.visible & (known.names - set(names))
            if views is self._by_key and len(views) >= _CLIENTS:
                del views[next(iter(views))]
            views[lister.key] = view
            if engine not in self._subscriptions:
                # The guard may go before the engine.
                self._subscriptions[engine] = engine._subscribe(_Reload(self, engine))
        if engine.policy.digest != policy.digest:
            self.reloaded(engine)

    def _views(self, key: Any) -> Any:
        try:
            ref(key)
        except TypeError:
            return self._by_key
        return self._by_connection

    def reloaded(self, engine: Engine) -> None:
        """Another policy is in force: tells each client whose list it changes. On any thread."""
        policy = engine.policy
        with self._lock:
            views = [*self._by_connection.values(), *self._by_key.values()]
        for view in views:
            if view.engine() is not engine:
                continue
            visible = set(policy.filter_tools(sorted(view.names), view.identity, self._server))
            if visible != view.visible:
                view.visible = visible
                if not view.loop.is_closed():
                    view.loop.call_soon_threadsafe(self._send, view)

    def _send(self, view: _View) -> None:
        task = view.loop.create_task(_sent(view.send))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


class _Reload:
    """Hears of an engine's reloads, and holds neither the engine nor the guard."""

    def __init__(self, lists: Lists, engine: Engine) -> None:
        self._lists, self._engine = ref(lists), ref(engine)

    def __call__(self) -> None:
        lists, engine = self._lists(), self._engine()
        if lists is not None and engine is not None:
            try:
                lists.reloaded(engine)
            except Exception:
                _logger.exception("a reload could not be told to clients")


async def _sent(send: Callable[[], Awaitable[None]]) -> None:
    try:
        await send()
    except Exception:
        _logger.debug("a client could not be told that its list of tools changed", exc_info=True)


def _member(item: Any, name: str) -> str:
    return str(item.get(name) if isinstance(item, Mapping) else getattr(item, name))


def kept_by_client(listed: Any) -> dict[str, Any]:
    """What a list says of caches, as it may say it: of one's own, and not for long. Nothing where it says nothing."""
    said = {"ttlMs", "cacheScope"} & listed.keys()
    if not said:
        return {}
    lasts = listed.get("ttlMs")
    is_short = isinstance(lasts, int | float) and lasts <= TTL
    return {"cacheScope": "private", **({} if "ttlMs" not in said or is_short else {"ttlMs": TTL})}


async def listed_schema(tool: str, page: Callable[[str | None], Awaitable[Any]]) -> Any:
    """The input schema of a tool in a list that is read page by page, as plain JSON."""
    async for definition in _definitions(page):
        if definition.get("name") == tool:
            return definition.get("inputSchema")
    return None


async def listed_definitions(tool: str, page: Callable[[str | None], Awaitable[Any]]) -> list[Any]:
    """The definitions of this name in such a list: more than one, where it has a name twice."""
    return [definition async for definition in _definitions(page) if definition.get("name") == tool]


async def listed_names(page: Callable[[str | None], Awaitable[Any]]) -> list[str]:
    """The names of all tools in such a list."""
    return [str(definition.get("name")) async for definition in _definitions(page)]


async def _definitions(page: Callable[[str | None], Awaitable[Any]]) -> AsyncIterator[Any]:
    cursor = None
    for _ in range(_PAGES):
        listed = await page(cursor)
        for definition in listed.get("tools") or ():
            yield definition
        cursor = listed.get("nextCursor")
        if cursor is None:
            return
    raise RuntimeError(f"a list of tools has more than {_PAGES} pages")
