"""Records of what a guard decided, in the form of `spec/audit.schema.json`: that of the gateway.

In: calls as they end, approvals, lists and reloads. Out: a line of JSON for each in a file, or a `dict` for the host. Must not hold an argument's
value, and must not let a call fail because of what it finds.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any

from callgate._native import Decision

_logger = logging.getLogger("callgate")

Sink = str | os.PathLike[str] | Callable[[dict[str, Any]], object]

# Names of arguments that are shown, and bytes of a text that a client chose.
_KEYS = 64
_BYTES = 1_024
# Bytes of a file that are read for the number of its last record.
_TAIL = 1 << 20


@dataclass(frozen=True)
class About:
    """What a record tells of a call, beside its decision and its end."""

    name: str | None
    method: str
    args: Any
    identity: Any
    over_http: bool = False
    protocol: str | None = None
    request: Any = None
    began: float = field(default_factory=time.perf_counter)


class Audit:
    """The records of one guard."""

    def __init__(self, sink: Sink, server: str | None) -> None:
        self._seq = 0
        if callable(sink):
            self._write = sink
        elif isinstance(sink, str | os.PathLike):
            file = _File(Path(sink))
            self._write, self._seq = file, _last(file.path)
        else:
            raise TypeError(f"audit must be a path or callable, not {type(sink).__name__}")
        self._server = server or ""
        self._instance = secrets.token_hex(8)
        self._lock = Lock()

    def call(
        self,
        about: About,
        decision: Decision | None,
        outcome: str = "not_run",
        *,
        refusal: str | None = None,
        code: int | None = None,
        charge: str = "none",
        ran: float | None = None,
    ) -> None:
        """A call ended, or was refused. `ran` is when its handler was called."""
        given = about.args if isinstance(about.args, Mapping) else {}
        latency = None if ran is None else int((time.perf_counter() - ran) * 1_000_000)
        upstream = {"outcome": outcome, "code": code, "latency_us": latency, "bytes_out": 0, "bytes_in": 0}
        self._record(
            "call",
            transport="http" if about.over_http else "stdio",
            protocol=about.protocol,
            request=None if about.request is None else json.dumps(about.request),
            session=None,
            trace=_trace(),
            principal=_principal(about.identity),
            method=about.method,
            name=None if about.name is None else _cut(about.name),
            decision=None if decision is None else decision.to_dict(),
            refusal=refusal,
            candidate=None,
            mode="enforce",
            args={"keys": [_cut(name) for name in sorted(map(str, given))[:_KEYS]], "hash": None},
            upstream=upstream,
            charge=charge,
        )

    def approval(self, key: str, outcome: str) -> None:
        """A call waits for a person, or a person decided."""
        self._record("approval", key=key, who=None, outcome=outcome)

    def filtered(self, method: str, hidden: int) -> None:
        """Something was left out of a list."""
        if hidden > 0:
            self._record("list_filtered", method=method, hidden=hidden)

    def reload(self, old: str, new: str) -> None:
        """Another policy came into force."""
        self._record("reload", target="policy", old=old, new=new, error=None)

    def _record(self, kind: str, **fields: Any) -> None:
        try:
            with self._lock:
                self._seq += 1
                now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                head = {"v": 1, "seq": self._seq, "ts": now, "instance": self._instance, "kind": kind, "server": self._server}
                self._write({**head, **fields, "prev": None, "digest": None})
        except Exception:
            _logger.exception("an audit record could not be written")


class _File:
    """Lines of JSON that nobody else may read. Another process with the same file has one of its own, as gateways have."""

    def __init__(self, path: Path) -> None:
        self.path, self._locked = _own(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, record: dict[str, Any]) -> None:
        # One write: a line is whole, or not there.
        os.write(self._file, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n")


def _own(path: Path) -> tuple[Path, int | None]:
    """The file, or the first of `NAME.2`, `NAME.3`, … that no process has; and its lock, which is held."""
    try:
        import fcntl
    except ImportError:
        return path, None
    for number in range(1, 1_000):
        own = path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")
        lock = os.open(own.with_name(own.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return own, lock
    raise OSError(f"{path} and a thousand files beside it are taken")


def _last(path: Path) -> int:
    """The number of the last record in a file; 0 where there is none."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        for line in reversed(file.read().splitlines()):
            try:
                return int(json.loads(line)["seq"])
            except (ValueError, KeyError, TypeError):
                continue
    return 0


def _principal(identity: Any) -> dict[str, str | None]:
    claims = identity if isinstance(identity, Mapping) else {"id": identity}
    found = {name: claims.get(name) for name in ("id", "grant")}
    return {name: _cut(value) if isinstance(value, str) else None for name, value in found.items()}


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_BYTES].decode("utf-8", "ignore")


def current_span() -> Any:
    """The current span of OpenTelemetry, where the host uses that."""
    trace = sys.modules.get("opentelemetry.trace")
    return None if trace is None else trace.get_current_span()


def _trace() -> str | None:
    span = current_span()
    context = None if span is None else span.get_span_context()
    return f"{context.trace_id:032x}" if context is not None and context.is_valid else None


def mark_span(decision: Decision) -> None:
    """Puts the decision on the current span."""
    try:
        if (span := current_span()) is None or not span.is_recording():
            return
        rule = decision.rule
        named = None if rule is None else rule.name or rule.pointer
        for name, value in (("effect", decision.effect), ("code", decision.code), ("tool", decision.tool), ("rule", named)):
            if value is not None:
                span.set_attribute(f"callgate.{name}", value)
    except Exception:
        _logger.debug("a span could not be marked", exc_info=True)
