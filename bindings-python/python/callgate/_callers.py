"""Rules that need to know who calls, where nobody does: over HTTP without an identity, and sessions where the protocol has none.

In: a policy, and a request with its identity. Out: a warning for each such rule, once. Must not change what is decided.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from callgate._native import Policy

_logger = logging.getLogger("callgate")


class Callers:
    """What one guard knows of its callers."""

    def __init__(self, is_told: bool) -> None:
        # Whether the host tells who calls.
        self._is_told = is_told
        self._seen: set[tuple[str, bool, bool]] = set()
        self._warned: set[str] = set()

    def look(self, policy: Policy, identity: Any, over_http: bool, without_sessions: bool) -> None:
        """Warns of rules of the policy that this request has nothing for."""
        nobody = over_http and identity is None and not self._is_told
        no_session = without_sessions and not (isinstance(identity, Mapping) and identity.get("session") is not None)
        if not (nobody or no_session):
            return
        seen = policy.digest, nobody, no_session
        if seen in self._seen:
            return
        self._seen.add(seen)
        for sentence, need, help in policy._identity_needs():
            if (nobody if need != "session" else nobody or no_session) and sentence not in self._warned:
                self._warned.add(sentence)
                why = "the protocol has no sessions" if need == "session" and no_session else "no identity comes with requests over HTTP"
                _logger.warning("%s, and %s; help: %s", sentence, why, help)
