"""The usage of a stream that somebody else asked for: asked of the server for them, and taken out of what they get."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipfs_accel.types import RelayRequest

__all__ = ["UsageEvents", "asking", "may_ask"]

_OPTION = b'{"stream_options":{"include_usage":true},'
_USAGE = (b'"usage":{', b'"usage": {')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_ENDS = (b"\n\n", b"\r\n\r\n")
_MOST = 1024 * 1024
"""Bytes of one event that are waited for: what is longer is no usage."""


def may_ask(request: RelayRequest) -> bool:
    """Whether the usage of a stream is wanted by who passes it on, and its reader said nothing of it."""
    return request.wants_usage and request.is_stream and "stream_options" not in request.members


def asking(content: bytes) -> bytes:
    """Return a body that asks for the usage, with nothing else changed."""
    return _OPTION + content[content.index(b"{") + 1 :]


class UsageEvents:
    """Takes the event with the usage out of a stream: the one that has no choices. All others stay as they are.

    Events are not read: only what has the letters of a usage is looked at. What came of an event that is not over waits
    for the rest of it, of which nobody could make anything before.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what of a piece, and of what waits, may go on."""
        if self._held:
            piece, self._held = self._held + piece, b""
        if not piece.endswith(_ENDS):
            end = max([at + len(mark) for mark in _ENDS if (at := piece.rfind(mark)) >= 0], default=0)
            if len(piece) - end <= _MOST:
                piece, self._held = piece[:end], piece[end:]
        if _USAGE[0] in piece or _USAGE[1] in piece:
            return _without(piece)
        return piece

    def flush(self) -> bytes:
        """Return what waits."""
        held, self._held = self._held, b""
        return _without(held)


def _without(piece: bytes) -> bytes:
    """Return events without those that only tell the usage."""
    kept, start = [], 0
    while start < len(piece):
        ends = [at + len(mark) for mark in _ENDS if (at := piece.find(mark, start)) >= 0]
        end = min(ends, default=len(piece))
        event = piece[start:end]
        if not (any(mark in event for mark in _USAGE) and _NO_CHOICES.search(event)):
            kept.append(event)
        start = end
    return b"".join(kept)
