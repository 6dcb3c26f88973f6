"""The `callgate` logger: DEBUG for allowed calls, INFO for others, WARNING where the store failed, ERROR for callbacks
and policies that fail. Records carry no argument values; `record.callgate` is the decision.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callgate._native import Decision, Policy

logger = logging.getLogger("callgate")
# A library must not write to stderr unless the application says so.
logger.addHandler(logging.NullHandler())
is_enabled = logger.isEnabledFor
# Where the logger remembers its answers to `isEnabledFor`, and forgets them whenever a level changes: a look-up here
# saves a Python call for each decision. Without it, each decision asks.
levels: dict[int, bool] = getattr(logger, "_cache", {})


def log_decision(level: int, decision: Decision) -> None:
    """Logs a decision. The tool's name comes from the agent, so it is quoted: it may hold line breaks."""
    rule = decision.rule
    where = "" if rule is None else f" by {rule.pointer}"
    extra = {"callgate": decision}
    logger.log(level, "%s %r: %s%s", decision.effect, decision.tool, decision.code, where, extra=extra)


def log_callback(name: str, error: BaseException) -> None:
    """Logs what a callback of the host raised. The decision stands."""
    logger.error("%s raised", name, exc_info=error)


def log_reload(path: str, policy: Policy) -> None:
    """Logs that a new version of the policy file is in force."""
    logger.info("policy reloaded from %s: %s", path, policy.digest)


def log_no_reload(path: str, error: BaseException) -> None:
    """Logs why a new version of the policy file is not."""
    logger.error("policy not reloaded, the old one stays in force: %s", error)
