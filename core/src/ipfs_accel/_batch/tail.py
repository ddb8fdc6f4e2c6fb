"""An output whose lines come in the order of the answers."""

from __future__ import annotations

import os

from .folder import Folder
from .journal import Journal
from .logs import written
from .plan import Shard

__all__ = ["Tail"]


class Tail:
    """The output while it grows.

    What stands in it up to the last finished shard is known; what came after it is written anew when a run goes on, out
    of the journals, so that each row has one line whatever was cut short.
    """

    def __init__(self, folder: Folder, journals: dict[Shard, Journal]) -> None:
        self._path = folder.output
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._end, emitted = folder.checkpoint
        os.ftruncate(self._fd, self._end)
        os.lseek(self._fd, self._end, os.SEEK_SET)
        for shard, journal in journals.items():
            journal.emitted = emitted.get(shard.number, 0)
            for line in journal.after(journal.emitted):
                self.add(journal, line)

    def add(self, journal: Journal, line: bytes) -> None:
        """Add the line of the row that a journal has got last."""
        try:
            written(self._fd, line, self._path)
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end += len(line)
        journal.emitted = journal.log.end

    def mark(self) -> int:
        """Return where it ends."""
        return self._end

    def sync(self) -> None:
        """Have it on the disk."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
