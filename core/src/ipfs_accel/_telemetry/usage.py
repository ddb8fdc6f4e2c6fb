"""What the calls of a process used, and the log of it that a user may switch on."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel._fork import renewed_after_fork
from ipfs_accel._values import define, frozen
from ipfs_accel.errors import ConfigError

__all__ = ["Ledger", "UsageTotal", "read_log", "totals"]


@define(kw_only=True)
class UsageTotal:
    """What was used of one model.

    Attributes:
        endpoint: Which endpoint served.
        model: Model id as the callers gave it.
        calls: That were answered.
        failed: That were not.
        cached: That were answered from the cache, beside the calls.
        input_tokens: Sum of those that are known; cached ones included.
        cached_input_tokens: Of those.
        output_tokens: Sum of those that are known.
        cost: US dollars, the sum of those that are known.
        unpriced: Answered calls whose cost is unknown.
    """

    endpoint: str
    model: str
    calls: int = 0
    failed: int = 0
    cached: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0

    def add(self, usage: Any, cost: float | None) -> None:
        """Count a call that was answered."""
        self.calls += 1
        if usage is not None:
            self.input_tokens += usage.input_tokens or 0
            self.cached_input_tokens += usage.cached_input_tokens or 0
            self.output_tokens += usage.output_tokens or 0
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost


class Ledger:
    """Counts the calls of one client; writes a line for each to a file if there is one."""

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = None if path is None else Path(path).expanduser()
        self._totals: dict[tuple[str, str], UsageTotal] = {}
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()

    def answered(self, operation: str, endpoint: str, model: str, usage: Any, cost: float | None) -> None:
        """Count a call that was answered."""
        with self._lock:
            self._total(endpoint, model).add(usage, cost)
        if self._path is not None:
            self._write(operation, endpoint, model, usage, cost)

    def failed(self, endpoint: str, model: str) -> None:
        """Count a call that was not."""
        with self._lock:
            self._total(endpoint, model).failed += 1

    def from_cache(self, endpoint: str, model: str) -> None:
        """Count an answer from the cache."""
        with self._lock:
            self._total(endpoint, model).cached += 1

    def totals(self) -> tuple[UsageTotal, ...]:
        """Return what was counted so far, by endpoint and model."""
        with self._lock:
            return tuple([attrs.evolve(self._totals[name]) for name in sorted(self._totals)])

    def _total(self, endpoint: str, model: str) -> UsageTotal:
        found = self._totals.get((endpoint, model))
        if found is None:
            found = self._totals[endpoint, model] = UsageTotal(endpoint=endpoint, model=model)
        return found

    def _write(self, operation: str, endpoint: str, model: str, usage: Any, cost: float | None) -> None:
        line = {
            "time": round(time.time(), 3),
            "operation": operation,
            "endpoint": endpoint,
            "model": model,
            "input_tokens": getattr(usage, "input_tokens", None),
            "cached_input_tokens": getattr(usage, "cached_input_tokens", None),
            "output_tokens": getattr(usage, "output_tokens", None),
            "cost": cost,
        }
        # One write to a file that is opened for appending: lines of several processes do not mix.
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)  # type: ignore[arg-type]
            try:
                os.write(file, strict_json.dumps(line) + b"\n")
            finally:
                os.close(file)
        except OSError as error:
            path, self._path = self._path, None
            # Not an error: an answer that is paid for must not be lost with it.
            warnings.warn(f"usage_log: cannot write {path}: {error.strerror}; it is left alone", stacklevel=2)


@frozen(kw_only=True)
class _Line:
    """The tokens of a line of the log, in the form that a total takes."""

    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None


def read_log(path: str | Path, since: float = 0.0) -> Iterator[dict[str, Any]]:
    """Return the lines of a log that are not older than `since` (seconds since 1970); broken ones are left out."""
    try:
        with Path(path).expanduser().open("rb") as file:
            for line in file:
                try:
                    value = strict_json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict) and float(value.get("time") or 0.0) >= since:
                    yield value
    except OSError as error:
        raise ConfigError(f"cannot read the usage log {path}: {error.strerror}") from None


def totals(lines: Iterable[dict[str, Any]]) -> tuple[UsageTotal, ...]:
    """Add up lines of a log, by endpoint and model."""
    found: dict[tuple[str, str], UsageTotal] = {}
    for line in lines:
        endpoint, model = str(line.get("endpoint")), str(line.get("model"))
        total = found.setdefault((endpoint, model), UsageTotal(endpoint=endpoint, model=model))
        names = ("input_tokens", "cached_input_tokens", "output_tokens")
        total.add(_Line(**{name: line.get(name) for name in names}), line.get("cost"))
    return tuple([found[name] for name in sorted(found)])
