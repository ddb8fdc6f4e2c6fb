"""Bodies that tell how far they have been sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ipfs_accel.plans import Body

__all__ = ["Watched"]


class Watched:
    """A body that tells how far it has been sent."""

    def __init__(self, body: Body, tell: Callable[[int, int], None]) -> None:
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
