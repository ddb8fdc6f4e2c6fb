"""A file of lines, written by a thread of its own: a disk that is slow holds up nobody."""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
from pathlib import Path

from ipfs_accel.errors import ConfigError

__all__ = ["AuditFile"]

_log = logging.getLogger("ipfs_accel_gateway")
_MODE = 0o600
_MOST_WAITING = 64 * 1024 * 1024
"""Bytes that wait for a disk; what comes on top is lost, and told of."""
_PATIENCE = 10.0
"""Seconds for which the end waits for the disk."""


class AuditFile:
    """Adds lines to a file that only its owner may read.

    A file of `most` bytes is moved to the same name with `.1` behind it, in the place of an earlier one; whoever moves
    it away in another manner finds a new one in its place.

    Raises:
        ConfigError: It cannot be opened.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = Path(path).expanduser()
        self._most = most
        try:
            self._descriptor = self._opened()
        except OSError as error:
            raise ConfigError(f"gateway.audit: cannot write {path}: {error.strerror}") from None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = self._written = 0  # each has one thread that counts
        self._lost = 0
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="ipfs-accel-audit", daemon=True)
        self._thread.start()

    def add(self, line: bytes) -> None:
        """Write a line, soon."""
        if self._waiting - self._written > _MOST_WAITING:
            self._lost += 1
            if self._lost == 1:
                _log.error("gateway.audit: the disk does not keep up, so that lines are lost")
            return
        self._waiting += len(line)
        self._lines.put(line)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._lines.put(None)
        self._thread.join(_PATIENCE)
        if self._lost:
            _log.error("gateway.audit: %d lines were lost", self._lost)

    def _run(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                self._write(line)
                self._written += len(line)
        finally:
            os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        try:
            self._look(len(line))
            os.write(self._descriptor, line)
        except OSError as error:
            if not self._has_failed:
                _log.error("gateway.audit: lines are lost: %s", error.strerror)
            self._has_failed = True
        else:
            self._has_failed = False

    def _look(self, further: int) -> None:
        """Begin a new file if this one is full, or is no longer in its place."""
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
            is_ours = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            is_ours = False
        is_full = is_ours and ours.st_size > 0 and ours.st_size + further > self._most
        if is_full:
            self._path.replace(f"{self._path}.1")
        if is_full or not is_ours:
            before, self._descriptor = self._descriptor, self._opened()
            os.close(before)

    def _opened(self) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        try:
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_MODE:
                os.fchmod(descriptor, _MODE)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
