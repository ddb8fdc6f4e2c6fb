"""Results of rows on their way from the threads that asked to whoever reads them."""

from __future__ import annotations

import threading
from collections import deque

from ipfs_accel.types import BatchResult

__all__ = ["Results"]


class Results:
    """Results on their way from threads to whoever reads them; few, so that who reads slowly is not outrun.

    Args:
        room: How many may wait.
        givers: How many give some.
        is_read: Whether anybody reads.
    """

    def __init__(self, room: int, givers: int, *, is_read: bool) -> None:
        self._room = room
        self._givers = givers
        self._is_read = is_read
        self._found: deque[BatchResult] = deque()
        self._changed = threading.Condition()

    def put(self, result: BatchResult) -> None:
        """Give one."""
        with self._changed:
            while self._is_read and len(self._found) >= self._room:
                self._changed.wait()
            if self._is_read:
                self._found.append(result)
                self._changed.notify_all()

    def leave(self) -> None:
        """Give no more."""
        with self._changed:
            self._givers -= 1
            self._changed.notify_all()

    def get(self) -> BatchResult | None:
        """Take one; None if there are no more."""
        with self._changed:
            while not self._found and self._givers:
                self._changed.wait()
            self._changed.notify_all()
            return self._found.popleft() if self._found else None

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._is_read = False
            self._found.clear()
            self._changed.notify_all()
