"""The thread that waits for the disk, so that nobody who asks models does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from .journal import Journal

__all__ = ["Disk"]

SYNC_ROWS = 64
SYNC_SECONDS = 0.2


class Disk:
    """Does what takes the disk's time, in order: has journals on it after 64 rows or 0.2 s, and finishes shards.

    Attributes:
        error: The first thing that went wrong; after it nothing more is done.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._dirty: set[Journal] = set()
        self._rows = 0
        self._thread = threading.Thread(target=self._work, name="ipfs-accel-disk", daemon=True)
        self._thread.start()

    def noted(self, journal: Journal) -> None:
        """Take note that a journal has one more row."""
        with self._lock:
            self._dirty.add(journal)
            self._rows += 1
            is_due = self._rows == SYNC_ROWS
        if is_due:
            self._jobs.put(self.sync)

    def submit(self, job: Callable[[], None]) -> None:
        """Do this next."""
        self._jobs.put(job)

    def sync(self) -> None:
        """Have all journals on the disk; in the thread of the disk."""
        with self._lock:
            dirty, self._dirty, self._rows = self._dirty, set(), 0
        for journal in dirty:
            journal.sync()

    def close(self) -> None:
        """Wait until all is done."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=SYNC_SECONDS)
            except queue.Empty:
                job = self.sync
            is_last = job is None
            if self.error is None:
                try:
                    (job or self.sync)()
                except Exception as error:  # noqa: BLE001 - who asks for rows is told
                    self.error = error
            if is_last:
                return
