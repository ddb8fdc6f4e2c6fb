"""Heads that come again: a client sends the same one with each request of a connection, but for the body's length.

What it says was read and checked when it came first, and is true of the same bytes again. Only heads are taken of
which that is plain: a POST of HTTP/1.1 with one length, that neither offers nor expects anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._incoming import Incoming

__all__ = ["Seen", "seen"]

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)(?=\r\n)", re.IGNORECASE)
_MOST_DIGITS = 12
_FURTHER = frozenset({"transfer-encoding", "expect", "upgrade", "trailer", "te"})
_MAX_HEAD = 4096
"""Bytes of a head that is kept, for as long as its connection lasts."""


class Seen:
    """A head that was read before.

    Attributes:
        request: What it asks for; the body is of the first time.
        url: Its target, as it came.
    """

    __slots__ = ("_after", "_before", "request", "url")

    def __init__(self, request: Incoming, before: bytes, after: bytes) -> None:
        self.request = request.again(b"")
        self.url = [before.split(b" ", 2)[1]]
        self._before, self._after = before, after

    def find(self, data: bytes, limit: int) -> tuple[int, int] | None:
        """Return where the body begins, and its bytes, if this head stands first; None too for what is no such body."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + _MOST_DIGITS)
        if end < 0 or not data.startswith(after, end):
            return None
        digits = data[start:end]
        if not digits.isdigit():
            return None
        size = int(digits)
        return (end + len(after), size) if 0 < size <= limit else None


def seen(data: bytes, request: Incoming) -> Seen | None:
    """Return the head of the request that `data` is, as a whole; None if it may mean more than it says.

    The request was read from these bytes, so that each of its headers is known to be sound.
    """
    end = data.find(_END, 0, _MAX_HEAD)
    if end < 0 or request.method != "POST" or request.is_old or not request.keeps:
        return None
    if not _FURTHER.isdisjoint(request.headers):
        return None
    head = data[: end + len(_END)]
    lengths = [*_LENGTH.finditer(head)]
    if len(lengths) != 1 or head.lower().count(b"content-length") != 1 or not head.startswith(b"POST "):
        return None
    start, stop = lengths[0].span(1)
    if len(data) - len(head) != int(lengths[0][1]):
        return None
    return Seen(request, head[:start], head[stop:])
