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
    """The approval's own id, 1 to 256 bytes, never used for another approval: it lets one call through."""


def instant(millis: int) -> datetime:
    """The point in time, exact: milliseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=millis)
