"""Answers in a file: SQLite, so that processes can share it; JSON with a checksum, so that nothing in it can act.

Whatever is wrong with the file or an entry is a miss, told once in the log, and never a failed call.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ipfs_accel._fork import renewed_after_fork

__all__ = ["AnswerStore"]

BUSY_SECONDS = 1.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers_v1 (
    key TEXT PRIMARY KEY, operation TEXT NOT NULL, made REAL NOT NULL, expires REAL NOT NULL,
    size INTEGER NOT NULL, body TEXT NOT NULL, checksum TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_v1_made ON answers_v1 (made);
CREATE TABLE IF NOT EXISTS total_v1 (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total_v1 VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS answers_v1_in AFTER INSERT ON answers_v1
    BEGIN UPDATE total_v1 SET bytes = bytes + NEW.size; END;
CREATE TRIGGER IF NOT EXISTS answers_v1_out AFTER DELETE ON answers_v1
    BEGIN UPDATE total_v1 SET bytes = bytes - OLD.size; DELETE FROM questions_v1 WHERE key = OLD.key; END;
CREATE TABLE IF NOT EXISTS questions_v1 (key TEXT PRIMARY KEY, part TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS questions_v1_part ON questions_v1 (part);
"""
_OVERHEAD = 200


class AnswerStore:
    """The file; blocks, so that callers run it where blocking is allowed. May be shared by threads.

    Args:
        path: The file; it and its folder are made readable by their owner alone.
        ttl: Seconds that an answer is good for.
        max_bytes: Most bytes of answers.
        now: Gives the seconds since 1970.
        complain: Told once, in one sentence, if the file cannot be used.
    """

    def __init__(
        self, path: Path, ttl: float, max_bytes: int, now: Callable[[], float], complain: Callable[[str], None]
    ) -> None:
        self._path = path
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._now = now
        self._complain = complain
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._has_complained = False
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Have a lock that nobody holds; the connection is told to be the parent's by its process."""
        self._lock = threading.Lock()

    def get(self, key: str) -> str | None:
        """Return what is kept under a key, None if nothing that is whole and good is."""
        found: str | None = None
        with self._open() as connection:
            query = "SELECT body, checksum, expires FROM answers_v1 WHERE key = ?"
            row = None if connection is None else connection.execute(query, (key,)).fetchone()
            if row is not None and _is_whole(key, row[0], row[1]) and row[2] > self._now():
                found = str(row[0])
            elif connection is not None and row is not None:
                connection.execute("DELETE FROM answers_v1 WHERE key = ?", (key,))
        return found

    def put(self, key: str, operation: str, body: str) -> bool:
        """Keep an answer, and drop the oldest ones that there is no room for; return whether it is kept."""
        size = len(body.encode()) + _OVERHEAD
        if size > self._max_bytes:
            return False
        now = self._now()
        is_kept = False
        with self._open() as connection:
            if connection is not None:
                connection.execute("BEGIN IMMEDIATE")
                # Not REPLACE, which would pass by the trigger that keeps the total.
                connection.execute("DELETE FROM answers_v1 WHERE key = ?", (key,))
                values = (key, operation, now, now + self._ttl, size, body, _checksum(key, body))
                connection.execute("INSERT INTO answers_v1 VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                self._make_room(connection, now)
                connection.execute("COMMIT")
                is_kept = True
        return is_kept

    def _make_room(self, connection: sqlite3.Connection, now: float) -> None:
        total = connection.execute("SELECT bytes FROM total_v1").fetchone()[0]
        if total <= self._max_bytes:
            return
        connection.execute("DELETE FROM answers_v1 WHERE expires <= ?", (now,))
        total = connection.execute("SELECT bytes FROM total_v1").fetchone()[0]
        for key, size in connection.execute("SELECT key, size FROM answers_v1 ORDER BY made, key").fetchall():
            if total <= self._max_bytes:
                return
            connection.execute("DELETE FROM answers_v1 WHERE key = ?", (key,))
            total -= size

    def put_question(self, part: str, key: str, vector: array[float]) -> None:
        """Keep the vector of the question that an answer under the same key is for."""
        with self._open() as connection:
            if connection is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO questions_v1 VALUES (?, ?, ?)", (key, part, vector.tobytes())
                )

    def questions(self, part: str, limit: int) -> list[tuple[str, array[float]]]:
        """Return key and vector of the newest questions of a part whose answers are good."""
        rows: list[tuple[str, object]] = []
        with self._open() as connection:
            if connection is not None:
                rows = connection.execute(
                    "SELECT q.key, q.vector FROM questions_v1 q JOIN answers_v1 a ON a.key = q.key "
                    "WHERE q.part = ? AND a.expires > ? ORDER BY a.made DESC LIMIT ?",
                    (part, self._now(), limit),
                ).fetchall()
        return [(key, array("f", blob)) for key, blob in rows if isinstance(blob, bytes) and len(blob) % 4 == 0]

    def clear(self) -> None:
        """Drop every answer."""
        with self._open() as connection:
            if connection is not None:
                connection.execute("DELETE FROM answers_v1")

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._process == os.getpid():
                connection.close()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """Give the connection, or None if there is none to be had; an error inside ends the block quietly."""
        with self._lock:
            try:
                if self._connection is None or self._process != os.getpid():
                    self._connection = self._connect()
                    self._process = os.getpid()
                connection: sqlite3.Connection | None = self._connection
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                connection = None
            try:
                yield connection
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                if connection is not None and connection.in_transaction:
                    connection.rollback()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _failed(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"the cache {self._path} cannot be used: {type(error).__name__}: {error}")


def _checksum(key: str, body: str) -> str:
    return hashlib.sha256(f"{key}\n{body}".encode()).hexdigest()


def _is_whole(key: str, body: object, checksum: object) -> bool:
    return isinstance(body, str) and checksum == _checksum(key, body)
