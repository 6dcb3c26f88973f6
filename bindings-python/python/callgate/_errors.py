"""Exceptions: one class for each way in which the core says no to its host.

In: what the native half found. Out: exceptions that read like Python's own. A decision is never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callgate._native import Diagnostic


class CallgateError(Exception):
    """Base class of all exceptions of this package."""


class PolicyError(CallgateError, ValueError):
    """A policy that does not load.

    The message names the first error's file, line and column; every further one, and what to do about each, is a note
    (PEP 678) of the exception.
    """

    diagnostics: tuple[Diagnostic, ...]
    """Errors and warnings, in document order; at least one error (spec 12)."""
    path: str | None
    """The file, where the policy came from one."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], path: str | None = None) -> None:
        self.diagnostics = diagnostics
        self.path = path
        errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
        where = "" if path is None else f"{path}:"
        first, *others = errors
        super().__init__(f"{where}{first.line}:{first.column}: {first.message} [{first.code}]")
        # What `add_note` does, which Python 3.10 lacks.
        self.__notes__ = [] if first.help is None else [f"help: {first.help}"]
        self.__notes__ += [f"{where}{other}" for other in others]

    @property
    def _first(self) -> Diagnostic:
        return next(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")

    @property
    def code(self) -> str:
        """The first error's stable code, such as `unknown_field`."""
        return self._first.code

    @property
    def line(self) -> int:
        """The first error's line, from 1."""
        return self._first.line

    @property
    def column(self) -> int:
        """The first error's column in code points, from 1."""
        return self._first.column

    @property
    def span(self) -> tuple[int, int]:
        """The first error's range of bytes in the UTF-8 text."""
        return self._first.span


class StoreURLError(CallgateError, ValueError):
    """A store URL of no known form. The message does not repeat it: it may hold a password."""

    code = "store_url"


class StoreError(CallgateError):
    """A store that could not be reached: while it was opened, or a reservation was finished or settled, or counters were listed.

    Whether it was is then not known; it must not be tried again.
    """

    code = "store_unavailable"
    transient: bool
    """Whether a later call may succeed by itself."""

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class SettleError(CallgateError, ValueError):
    """A reservation that could not be settled. The charges stand."""

    code: str
    """`larger`: than what was charged; `nothing_to_settle`: no charge came from `increment_from`; `ambiguous`: several did,
    and no counter was named; `unknown_counter`: none is of that name.
    """

    def __init__(self, message: str, code: str = "nothing_to_settle") -> None:
        super().__init__(message)
        self.code = code


class ReservationError(CallgateError):
    """A reservation that was finished or settled before."""

    code = "finished"

    def __init__(self) -> None:
        super().__init__("this reservation was finished or settled before")


# Tracebacks name what users import.
for _class in (CallgateError, PolicyError, StoreURLError, StoreError, SettleError, ReservationError):
    _class.__module__ = "callgate"
