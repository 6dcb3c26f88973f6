"""The `callgate` logger: DEBUG for allowed calls, INFO for others and for reloads, WARNING where the store failed and for
the warnings of a policy, ERROR for callbacks and policies that fail. Records carry no argument values; `record.callgate`
is the decision, or the diagnostic that warns.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callgate._native import _forget_levels

if TYPE_CHECKING:
    from callgate._native import Decision, Diagnostic, Policy

logger = logging.getLogger("callgate")
# A library must not write to stderr unless the application says so.
logger.addHandler(logging.NullHandler())


class _Levels(dict[int, bool]):
    """Where the logger remembers its answers to `isEnabledFor`. `logging` clears it whenever a level changes, and the
    native half, which asks for no decision what it knows the answer to, hears of that.
    """

    def clear(self) -> None:
        super().clear()
        # Last: what was asked before must not be kept as if it had been asked behind the change.
        _forget_levels()


_levels = _Levels()
# A logger of another kind may have none: then each decision asks.
if type(getattr(logger, "_cache", None)) is dict:
    logger._cache = _levels  # type: ignore[attr-defined]  # private, and the same since Python 3.7


def log_decision(level: int, decision: Decision) -> bool:
    """Logs a decision, or returns whether the logger drops all of this level until it clears its levels. The name of the
    tool or method comes from the agent, so it is quoted: it may hold line breaks.
    """
    if not logger.isEnabledFor(level):
        # `logger.disabled` says no as well, but is not remembered.
        return _levels.get(level) is False
    rule = decision.rule
    where = "" if rule is None else f" by {rule.pointer}"
    extra = {"callgate": decision}
    called = decision.method if decision.tool is None else decision.tool
    logger.log(level, "%s %r: %s%s", decision.effect, called, decision.code, where, extra=extra)
    return False


def log_callback(name: str, error: BaseException) -> None:
    """Logs what a callback of the host raised. The decision stands."""
    logger.error("%s raised", name, exc_info=error)


def log_warnings(path: str | None, warnings: tuple[Diagnostic, ...]) -> None:
    """Logs what may be wrong with a policy that loads, each with its place and help."""
    where = "<string>" if path is None else path
    for warning in warnings:
        logger.warning("%s:%s", where, warning, extra={"callgate": warning})


def log_reload(path: str, policy: Policy) -> None:
    """Logs that a new version of the policy file is in force."""
    logger.info("policy reloaded from %s: %s", path, policy.digest)


def log_no_reload(path: str, error: BaseException) -> None:
    """Logs why a new version of the policy file is not in force: every error, with help."""
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    logger.error("policy not reloaded, the old one stays in force: %s", text)
