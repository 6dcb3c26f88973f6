"""Exceptions: one class for each way in which the core says no to its host.

In: what the native half found. Out: exceptions that read like Python's own. A decision is never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callgate._native import Decision, Diagnostic


class CallgateError(Exception):
    """Base class of all exceptions of this package."""


class LockError(CallgateError, ValueError):
    """A `callgate.lock` that cannot be used: the message names the file and the line. Such a lock approves nothing."""


class PolicyError(CallgateError, ValueError):
    """A policy that does not load.

    The message names the first error's file, line and column; every further one, and what to do about each, is a note
    (PEP 678) of the exception.
    """

    diagnostics: tuple[Diagnostic, ...]
    """Errors and warnings, in document order; at least one error (spec 12). Empty for a `StackError`."""
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


class StackError(PolicyError):
    """Policies that load, but do not go together as a stack (spec 6.10). It has no diagnostics: it is about a whole policy."""

    def __init__(self, message: str, code: str, path: str | None = None) -> None:
        self.diagnostics = ()
        self.path = path
        self._code = code
        ValueError.__init__(self, message if path is None else f"{path}: {message}")
        self.__notes__ = []

    @property
    def code(self) -> str:
        """`unnamed_layer`, `duplicate_layer`, `conflicting_dispatchers`, `layer_count` or `too_many_entries`."""
        return self._code

    @property
    def line(self) -> int:
        """1: it is about the whole file."""
        return 1

    @property
    def column(self) -> int:
        """1: it is about the whole file."""
        return 1

    @property
    def span(self) -> tuple[int, int]:
        """Nothing of the text."""
        return (0, 0)


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
    """`nothing_to_settle`: no charge can be settled; `ambiguous`: several can, and no counter or budget was named;
    `unknown_counter`: none is of that name.
    """

    def __init__(self, message: str, code: str = "nothing_to_settle") -> None:
        super().__init__(message)
        self.code = code


class ReservationError(CallgateError):
    """A reservation that was finished or settled before."""

    code = "finished"

    def __init__(self) -> None:
        super().__init__("this reservation was finished or settled before")


class CannotAsk(CallgateError):
    """The client that makes a call cannot be asked: it does not answer questions."""

    code = "cannot_ask"


class Denied(CallgateError):
    """A call that a guard does not let through, where it was told to raise (`denied="raise"`). In the SDKs it is their own error, too."""

    decision: Decision


# Tracebacks name what users import.
for _class in (CallgateError, CannotAsk, Denied, PolicyError, StackError, StoreURLError, StoreError, SettleError, ReservationError):
    _class.__module__ = "callgate"
