"""What is noted of each request: how it went, never what was said. One line of JSON each, if that is wanted."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from ipfs_accel import strict_json
from ipfs_accel.errors import ConfigError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Mapping

    from ipfs_accel.types import CallInfo, Usage

__all__ = ["AccessLog", "Record"]

_log = logging.getLogger("ipfs_accel_gateway")
_SECONDS = 0.2
_PLAIN = "".join(map(chr, range(0x21, 0x7F)))
_salt = os.urandom(6).hex()


class Billed(Protocol):
    """What a request costs its key."""

    def told(self) -> Mapping[str, Any]:
        """Return what a line has of it."""
        ...


class Record:
    """A request on its way.

    Attributes:
        bill: What it costs its key, where that is counted.
        id: By which a caller may ask about it.
        caller: Id of the key that was used.
        dialect: In which it was asked.
        model: As the client named it.
        endpoint: Which one served it.
        target_model: As that one calls the model.
        lane: relay, where the words were passed on, or translate.
        status: Of the answer; None as long as there is none, 499 where whoever asked left.
        error: What went wrong, as a word.
        usage: Tokens, where they are told.
        cors: Headers that let a page read the answer.
        cost: US dollars, where that is known.
        operation: What is asked for, as the client's operations are called.
        is_stream: Whether it is asked for as a stream.
        asked: Seconds that the client of ours took until it had an answer, or the first event of a stream.
        queued: Of these, seconds before the limits of endpoints.
        fault: Which endpoint failed, where none served it.
        started: By the clock of the process.
        first: Seconds to the first bytes of a stream's body.
    """

    __slots__ = (
        "asked", "bill", "caller", "cors", "cost", "dialect", "endpoint", "error", "fault", "first", "id", "is_stream",
        "lane", "model", "operation", "queued", "started", "status", "target_model", "usage",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.id = f"req_{_salt}{number:08x}"
        self.caller = self.dialect = self.model = self.endpoint = self.target_model = self.lane = ""
        self.operation = self.fault = ""
        self.is_stream = False
        self.asked: float | None = None
        self.queued = 0.0
        self.status: int | None = None
        self.error: str | None = None
        self.usage: Usage | None = None
        self.cors: tuple[tuple[str, str], ...] = ()
        self.bill: Billed | None = None
        self.cost: float | None = None
        self.started = time.monotonic()
        self.first: float | None = None

    def began(self) -> None:
        """Note that the first bytes of a body go out."""
        if self.first is None:
            self.first = time.monotonic() - self.started

    def answered(self, info: CallInfo | None, usage: Usage | None) -> None:
        """Note what is known of an answer that was read."""
        self.usage = usage
        if info is not None:
            self.endpoint, self.target_model, self.cost = info.endpoint, info.model, info.cost
            self.queued = info.timing.queue

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return what an answer tells of it; its id in both headers in which providers' clients look for one."""
        if not self.endpoint:
            return (("x-request-id", self.id), ("request-id", self.id), *self.cors)
        return (
            *self.cors,
            ("x-request-id", self.id),
            ("request-id", self.id),
            ("x-ipfs-accel-target", _of_header(f"{self.endpoint}/{self.target_model}")),
            ("x-ipfs-accel-lane", self.lane),
        )

    def line(self) -> bytes:
        """Return it as a line of JSON."""
        usage = self.usage
        counts = (None,) * 3 if usage is None else (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
        return (
            strict_json.dumps_finite(
                {
                    "time": round(time.time(), 3),
                    "id": self.id,
                    "caller": self.caller,
                    "dialect": self.dialect,
                    "model": self.model,
                    "endpoint": self.endpoint or self.fault,
                    "target_model": self.target_model,
                    "lane": self.lane,
                    "status": self.status,
                    "error": self.error,
                    "input_tokens": counts[0],
                    "cached_input_tokens": counts[1],
                    "output_tokens": counts[2],
                    "cost": self.cost,
                    "bill": self.bill and self.bill.told(),
                    "first": self.first and round(self.first, 6),
                    "seconds": round(time.monotonic() - self.started, 6),
                }
            )
            + b"\n"
        )


def _of_header(text: str) -> str:
    """Return a text as a header can have it; of the name of a model callers choose every letter, line breaks too."""
    if text.isascii() and text.isprintable():
        return text
    return quote(text, safe=_PLAIN, errors="replace")


class AccessLog:
    """Writes lines to a file, those of some moments at once: a write for each would cost more than the line.

    Args:
        path: Of the file; `-` is stderr.
        loop: In which the server runs.
    """

    def __init__(self, path: str, loop: AbstractEventLoop) -> None:
        self._file: IO[bytes] | None = None
        if path != "-":
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            except OSError as error:
                raise ConfigError(f"gateway.access_log: cannot write {path}: {error.strerror}") from None
            self._file = os.fdopen(descriptor, "ab", buffering=0)
        self._loop = loop
        self._lines: list[bytes] = []
        self._timer: TimerHandle | None = None
        self._has_failed = False

    def add(self, record: Record) -> None:
        """Write a record, soon."""
        if not self._lines:
            self._timer = self._loop.call_later(_SECONDS, self.flush)
        self._lines.append(record.line())

    def flush(self) -> None:
        """Write what waits; soon after the first line of it came."""
        text, self._lines = b"".join(self._lines), []
        if text:
            self.write(text)

    def write(self, text: bytes) -> None:
        """Write whole lines."""
        try:
            if self._file is not None:
                self._file.write(text)
            else:
                sys.stderr.write(text.decode("utf-8", "replace"))
                sys.stderr.flush()
        except OSError as error:  # a full disk is no reason to serve nobody, and is told of once
            if not self._has_failed:
                _log.warning("gateway.access_log: lines are lost: %s", error.strerror)
            self._has_failed = True
        else:
            self._has_failed = False

    def close(self) -> None:
        """Write what waits, and close the file."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if self._file is not None:
            self._file.close()
            self._file = None
