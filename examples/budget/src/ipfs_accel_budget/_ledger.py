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
        unknown: Calls whose cost nobody knows, and for which the settings name none.
    """

    usd: float = 0.0
    tokens: int = 0
    unknown: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.usd + other.usd, self.tokens + other.tokens, self.unknown + other.unknown)

    def with_unknown(self, field: str, times: int, each: float | None) -> Spent:
        """Return it with what is assumed for what nobody knows; without an assumption that is counted as unknown."""
        if each is None:
            return attrs.evolve(self, unknown=max(self.unknown, times))
        return attrs.evolve(self, **{field: getattr(self, field) + times * each})


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
            row = table.execute("SELECT usd, tokens, unknown FROM spent WHERE period = ?", (period,)).fetchone()
        return Spent() if row is None else Spent(*row)

    def add(self, period: str, more: Spent) -> None:
        """Count something.

        Raises:
            sqlite3.Error: The file cannot be written.
        """
        with closing(self._open()) as table, table:
            table.execute(
                "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (period) DO UPDATE SET"
                " usd = usd + excluded.usd, tokens = tokens + excluded.tokens, unknown = unknown + excluded.unknown",
                (period, *attrs.astuple(more)),
            )

    def _open(self) -> sqlite3.Connection:
        table = sqlite3.connect(self._path, timeout=5)
        table.execute(
            "CREATE TABLE IF NOT EXISTS spent (period TEXT PRIMARY KEY, usd REAL, tokens INTEGER, unknown INTEGER)"
        )
        return table
