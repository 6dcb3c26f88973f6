"""What a forked process needs: watchers are threads, and threads do not survive a fork."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callgate._native import Engine

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def watched(engine: Engine) -> None:
    """Remembers an engine whose policy file is watched."""
    _engines.add(engine)


def _after_fork() -> None:
    for engine in list(_engines):
        engine._after_fork()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
