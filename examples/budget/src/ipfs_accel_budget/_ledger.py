"""Where a budget keeps what was spent: in memory, or in a file that processes share."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import attrs

__all__ = ["FileLedger", "Ledger", "Spent"]


@attrs.frozen
class Spent:
    """What was counted.

    Attributes:
        usd: US dollars.
        tokens: Input and output together.
        unpriced: How often something went out whose cost nobody knows.
        uncounted: Likewise, whose tokens nobody knows.
    """

    usd: float = 0.0
    tokens: int = 0
    unpriced: int = 0
    uncounted: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*[mine + theirs for mine, theirs in zip(attrs.astuple(self), attrs.astuple(other), strict=True)])


_CREATE = """
CREATE TABLE IF NOT EXISTS spent (
    period TEXT PRIMARY KEY, usd REAL, tokens INTEGER, unpriced INTEGER, uncounted INTEGER
)
"""
_SELECT = "SELECT usd, tokens, unpriced, uncounted FROM spent WHERE period = ?"
_ADD = """
INSERT INTO spent VALUES (?, ?, ?, ?, ?) ON CONFLICT (period) DO UPDATE SET
    usd = usd + excluded.usd,
    tokens = tokens + excluded.tokens,
    unpriced = unpriced + excluded.unpriced,
    uncounted = uncounted + excluded.uncounted
"""


class Ledger:
    """In memory; may be shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, Spent] = {}

    def get(self, period: str) -> Spent:
        """Return what was spent in a period."""
        return self._spent.get(period, Spent())

    def add(self, period: str, more: Spent) -> None:
        """Count something."""
        with self._lock:
            self._spent[period] = self.get(period) + more


class FileLedger(Ledger):
    """In an SQLite file; may be shared by processes too."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path).expanduser()

    def get(self, period: str) -> Spent:
        """Return what was spent in a period.

        Raises:
            sqlite3.Error: The file cannot be read.
        """
        with closing(self._open()) as table:
            row = table.execute(_SELECT, (period,)).fetchone()
        return Spent() if row is None else Spent(*row)

    def add(self, period: str, more: Spent) -> None:
        """Count something.

        Raises:
            sqlite3.Error: The file cannot be written.
        """
        with closing(self._open()) as table, table:
            table.execute(_ADD, (period, *attrs.astuple(more)))

    def _open(self) -> sqlite3.Connection:
        table = sqlite3.connect(self._path, timeout=5)
        table.execute(_CREATE)
        return table
