"""Values of the host language that the native half makes or takes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Approval(NamedTuple):
    """An approval that the host holds for a call (spec 7.2)."""

    key: str
    """The key of the `approval` of the decision that asked for it."""
    id: str
    """The approval's own id, 1 to 256 bytes, never used for another approval: it lets as many calls through as the rules say, else one."""
    given_at: float | None = None
    """When it was given, in seconds since 1970-01-01 UTC, by the engine's clock. Needed where the decision's `approval` has a `valid_for`."""


def instant(millis: int) -> datetime:
    """The point in time, exact: milliseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=millis)
