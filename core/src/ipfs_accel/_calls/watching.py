"""The caller's function that is told of a transfer's progress, and what it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ipfs_accel.plans import Body

__all__ = ["RaisedByCaller", "Watch", "WatchedBody", "guarded"]

Watch: TypeAlias = Callable[[int, int], None]
"""Is given the bytes that are done, and their total."""


class RaisedByCaller(BaseException):
    """What a caller's function raised, on its way through libraries that would take it for a failure of their own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def guarded(watch: Watch) -> Watch:
    """Return the same function, whose errors nobody on the way to the caller can mistake for others."""

    def told(done: int, total: int) -> None:
        try:
            watch(done, total)
        except Exception as error:
            raise RaisedByCaller(error) from error

    return told


class WatchedBody:
    """A body that tells how far it has been sent."""

    def __init__(self, body: Body, tell: Watch) -> None:
        self._body = body
        self._tell = tell
        self.size = body.size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        self._tell(sent, self.size)
        for piece in self._body:
            yield piece
            sent += len(piece)
            self._tell(sent, self.size)
