"""Tools that are not as they were approved (G13).

In: a `callgate.lock`, and definitions as `tools/list` gives them. Out: whether a tool may be listed and called. Must not take a tool for approved whose
definition cannot be read, or that a list has twice.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeVar

from callgate._native import Pins, _definition_digests

_logger = logging.getLogger("callgate")

_T = TypeVar("_T")

LockPath = str | PathLike[str]
"""The file that `callgate scan --lock FILE --update` writes. It is read once, when the guard is made."""

OnDrift = Literal["hide"] | Literal["deny"]
"""Whether a tool that is not as it was approved is hidden, too. A call of it is refused either way."""

DefinitionsOf = Callable[[], Awaitable[Sequence[Any]]]
"""Gives the definitions of one name in the server's own list, as plain JSON."""


def definition_digests(definition: Mapping[str, Any] | str) -> dict[str, str] | None:
    """The digest of a tool's definition, as `tools/list` gives it, and those of its fields, as a `callgate.lock` has them: `digest` for the whole,
    and `annotations`, `description`, `inputSchema`, `other`, `outputSchema`, `title`, as far as they are there. Takes plain values or JSON
    text. `None` for what is no definition, or could be read in two ways.
    """
    found = _definition_digests(definition if isinstance(definition, str) else json.dumps(definition, allow_nan=False))
    return None if found is None else dict(found)


class Locked:
    """The approved definitions of one server."""

    def __init__(self, path: LockPath, server: str | None, on_drift: OnDrift) -> None:
        if on_drift not in ("hide", "deny"):
            raise ValueError("on_drift must be 'hide' or 'deny'")
        self.pins = Pins.load(path, server)
        self.on_drift = on_drift
        self._told: set[str] = set()

    async def admits(self, tool: str, definitions: DefinitionsOf) -> bool:
        """Whether the server has one tool of this name now, as it was approved."""
        try:
            found = await definitions()
        except Exception as error:
            raise RuntimeError("the server did not tell the tool's definition") from error
        is_approved = len(found) == 1 and self._is_approved(found[0])
        if not is_approved:
            self.warn([tool])
        return is_approved

    def listed(self, tools: list[_T], definition: Callable[[_T], Any], name: Callable[[_T], str]) -> list[_T]:
        """Those that may be listed."""
        if self.on_drift == "deny":
            return tools
        count = Counter(map(name, tools))
        return [tool for tool in tools if count[name(tool)] == 1 and self._is_approved(definition(tool))]

    def warn(self, tools: Iterable[str]) -> None:
        """Says of each such tool once that it does not run."""
        for tool in tools:
            if tool not in self._told and len(self._told) < 10_000:
                self._told.add(tool)
                _logger.warning("tool %r is not as it was approved: no call of it runs", tool)

    def _is_approved(self, definition: Any) -> bool:
        return self.pins.admits(json.dumps(definition, allow_nan=False))
