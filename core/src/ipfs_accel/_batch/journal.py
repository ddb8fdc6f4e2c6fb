"""What became of the rows of one shard so far, in the order in which that was known."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from .logs import Log
from .totals import OK, Outcome, Totals

__all__ = ["Journal"]

_FIELDS = 7


class Journal:
    """The journal of a shard.

    Each line has a checksum, the row's place in the shard, what became of it, and its line of the output.

    Attributes:
        log: The file.
        totals: Of the rows that have an end.
        waiting: How many have none.
        emitted: In a run whose lines are in the order of the answers: up to which byte they are in the output.
    """

    __slots__ = ("_begins", "_sizes", "emitted", "log", "totals", "waiting")

    def __init__(self, path: Path, rows: int, *, retry_failed: bool = False, reads_only: bool = False) -> None:
        """Open it, and read what is there.

        Args:
            path: Where it is, or will be.
            rows: How many the shard has.
            retry_failed: Whether rows that failed have no end.
            reads_only: Whether it stays as it is.
        """
        self.log = Log(path, reads_only=reads_only)
        self.totals = Totals()
        self.waiting = rows
        self.emitted = 0
        self._begins = array("Q", bytes(8 * rows))
        self._sizes = array("Q", bytes(8 * rows))
        last: dict[int, Outcome] = {}
        for begins, payload in self.log.entries():
            place, *fields, line = payload.split(b" ", _FIELDS)
            row = int(place)
            last[row] = Outcome.read(fields)
            self._begins[row], self._sizes[row] = begins + len(payload) - len(line), len(line)
        for row, outcome in last.items():
            if retry_failed and outcome.kind != OK:
                self._sizes[row] = 0
            else:
                self.totals.add(outcome)
                self.waiting -= 1

    def has(self, row: int) -> bool:
        """Whether a row has an end."""
        return self._sizes[row] > 0

    def add(self, row: int, outcome: Outcome, line: bytes) -> None:
        """Note what became of a row: it stands there if the process ends, and on the disk after the next `sync`."""
        head = b"%d %s " % (row, outcome.written())
        self._begins[row] = self.log.append(head + line) + len(head)
        self._sizes[row] = len(line)
        self.totals.add(outcome)
        self.waiting -= 1

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the rows that have an end, in the order of the input."""
        with self.log.path.open("rb") as file:
            for begins, size in zip(self._begins, self._sizes, strict=True):
                if size:
                    file.seek(begins)
                    yield file.read(size) + b"\n"

    def after(self, offset: int) -> Iterator[bytes]:
        """Yield the lines that stand behind a byte of the file, in the order of the answers."""
        found = sorted((begins, size) for begins, size in zip(self._begins, self._sizes, strict=True) if size)
        with self.log.path.open("rb") as file:
            for begins, size in found:
                if begins >= offset:
                    file.seek(begins)
                    yield file.read(size) + b"\n"

    def sync(self) -> None:
        """Have it on the disk, unless its shard is finished."""
        if self.log.is_open:
            self.log.sync()

    def close(self) -> None:
        """Close the file."""
        self.log.close()
