"""What a fork needs. SQLite files are closed for it, and opened again on both sides. Watchers are threads, which do not
survive it.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from callgate._native import _after_fork_in_child, _after_fork_in_parent, _before_fork

if TYPE_CHECKING:
    from callgate._native import Engine

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def watched(engine: Engine) -> None:
    """Remembers an engine whose policy file is watched."""
    _engines.add(engine)


def _after_fork() -> None:
    _after_fork_in_child()
    for engine in list(_engines):
        engine._after_fork()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork,
    )
