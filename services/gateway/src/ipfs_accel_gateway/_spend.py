"""The file of what was spent: SQLite, one writer, one gateway.

`counts` has what budgets hold for spent, which is never less than what was: it is raised before a request is sent.
`spend` has what was used by day, key and model, in whole numbers, some moments late.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from ipfs_accel.errors import ConfigError

from ._budgets import Place, Unit

__all__ = ["Row", "Store", "read"]

_VERSION = 1
_PATIENCE = 5.0
"""Seconds for which somebody may read while something is to be written."""
_TABLES = """
CREATE TABLE IF NOT EXISTS counts (
    scope TEXT, period TEXT, unit TEXT, amount INTEGER NOT NULL, PRIMARY KEY (scope, period, unit)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spend (
    day TEXT, key TEXT, endpoint TEXT, model TEXT, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, cost INTEGER NOT NULL, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL,
    PRIMARY KEY (day, key, endpoint, model)
) WITHOUT ROWID;
"""
_ADD = """
INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens, cost = cost + excluded.cost,
    unpriced = unpriced + excluded.unpriced, estimated = estimated + excluded.estimated
"""
_OPEN: Place = ("", "open", "tokens")
"""Where 1 stands while a gateway has the file open."""
_SET = "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount"


class Row(NamedTuple):
    """What was used of one model with one key on one day.

    Attributes:
        day: ISO date.
        key: Name of the key; empty where none is wanted.
        endpoint: Which served; empty for what was under way, or held in advance, when a gateway was killed.
        model: As that one calls it; as the client did, where nobody had answered.
        requests: How many.
        input_tokens: Sum.
        output_tokens: Sum.
        cost: In billionths of a dollar.
        unpriced: Requests without a price.
        estimated: Requests that were settled by an estimate.
    """

    day: str
    key: str
    endpoint: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost: int
    unpriced: int
    estimated: int


class Store:
    """The open file; only one at a time, in whichever process. `write` may be called in another thread than the rest.

    Attributes:
        was_killed: Whether the last gateway that had it open did not close it.

    Raises:
        ConfigError: Another gateway has it open, or it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closing = contextlib.ExitStack()
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._closing.close()
            raise ConfigError(f"gateway.spend_file: cannot open {path}: {error}") from None
        except ConfigError:
            self._closing.close()
            raise

    def _open(self) -> None:
        path = self.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A transaction that never ends is a lock on every system, and ends with the process, however that ends.
        lock = self._connected(Path(f"{path}.lock"), 0.0)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise ConfigError(
                f"gateway.spend_file: another gateway has {path} open",
                hint="each gateway needs a file of its own: gateway.spend_file names it",
            ) from None
        self._db = self._connected(path)
        self._look = self._connected(path)  # a connection belongs to one thread at a time
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ConfigError(f"gateway.spend_file: {path} was written by a newer ipfs-accel-gateway")
        self._db.executescript(f"{_TABLES}; PRAGMA user_version = {_VERSION}")
        self.was_killed = bool(self.counted(_OPEN))
        self.write([(_OPEN, 1)])

    def _connected(self, path: Path, timeout: float = _PATIENCE) -> sqlite3.Connection:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # nobody else's to read
        found = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        self._closing.callback(found.close)
        return found

    def counted(self, place: Place) -> int | None:
        """Return what is held for spent at a place; None if nothing was ever noted there."""
        found = self._look.execute("SELECT amount FROM counts WHERE scope = ? AND period = ? AND unit = ?", place)
        row = found.fetchone()
        return None if row is None else cast("int", row[0])

    def used(self, keys: Sequence[str], period: str, unit: str) -> int:
        """Return what keys have used in a day or month, as the table by model has it."""
        what = "cost" if unit == "dollars" else "input_tokens + output_tokens"
        marks = ", ".join("?" * len(keys))
        statement = f"SELECT COALESCE(SUM({what}), 0) FROM spend WHERE day BETWEEN ? AND ? AND key IN ({marks})"  # noqa: S608 - of words of ours
        return cast("int", self._look.execute(statement, (*_days(period), *keys)).fetchone()[0])

    def held(self, scope: str) -> list[tuple[str, Unit, int]]:
        """Return period, unit and amount of all counts of a scope, those of days first."""
        found = self._look.execute("SELECT period, unit, amount FROM counts WHERE scope = ?", (scope,))
        return sorted(found.fetchall(), key=lambda each: -len(each[0]))

    def write(self, counts: Iterable[tuple[Place, int]], rows: Iterable[Row] = ()) -> None:
        """Set counts and add rows, all of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_SET, [(*place, amount) for place, amount in counts])
            self._db.executemany(_ADD, rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self, *, is_settled: bool = True) -> None:
        """Close it, and let others have it; where not all is settled, the next one is to see to that."""
        try:
            if is_settled:
                self.write([(_OPEN, 0)])
        finally:
            self._closing.close()


def _days(period: str) -> tuple[str, str]:
    """Return the first and the last of what may be the days of a period."""
    return period, f"{period}~"


def read(path: Path, period: str) -> tuple[list[Row], dict[Place, int]]:
    """Return what a file says of a day or month, whoever has it open: rows, and what budgets hold for spent.

    Where there is no file yet, nothing was spent.

    Raises:
        ConfigError: It is no such file.
    """
    if not path.exists():
        return [], {}
    try:
        with _reading(path) as db:
            rows = db.execute(
                "SELECT * FROM spend WHERE day BETWEEN ? AND ? ORDER BY day, key, endpoint, model",
                _days(period),
            )
            found = [Row(*row) for row in rows]
            counts = db.execute("SELECT * FROM counts WHERE period = ? ORDER BY scope, unit", (period,))
            return found, {(scope, of, unit): amount for scope, of, unit, amount in counts}
    except sqlite3.Error as error:
        raise ConfigError(f"gateway.spend_file: cannot read {path}: {error}") from None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        db.execute("PRAGMA query_only = 1")
        yield db
    finally:
        db.close()
