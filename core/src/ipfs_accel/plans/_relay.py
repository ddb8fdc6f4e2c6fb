"""A plan for what is passed on as it is, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ipfs_accel._values import frozen
from ipfs_accel.errors import APIError
from ipfs_accel.types import Usage

from ._http import HttpRequest


class RelayFormat(Protocol):
    """What has to be known of answers that nobody reads. Pure, and cheap: it looks at their two ends."""

    def usage(self, head: bytes, tail: bytes) -> Usage | None:
        """Return what an answer used, given its first and its last bytes, which may overlap."""
        ...

    def is_whole(self, tail: bytes) -> bool:
        """Whether a stream that ended with these bytes came to its end."""
        ...

    def failure(self, first: bytes) -> APIError | None:
        """Return the error that an answer with the status of a success begins with; None if it is an answer."""
        ...


class Trim(Protocol):
    """Takes out of a stream what its reader has not asked for. Pure, and cheap: most pieces cost one look."""

    def feed(self, piece: bytes) -> bytes:
        """Return what of a piece, and of what waits, may go on."""
        ...

    def flush(self) -> bytes:
        """Return what waits when the stream is over."""
        ...


@frozen(kw_only=True)
class Relay:
    """Somebody else's request, and an answer that goes back to them as bytes.

    Attributes:
        send: What to send.
        reads: What has to be known of the answer.
        any_type: Whether a stream may have the media type of one whole document.
        at_once: Whether a whole answer goes on while it comes, as sound does that is made while it is heard. Others are
            waited for, up to a bound, so that one which breaks off can be asked for again.
        trims: Makes what takes out of a stream what was asked for beside the request; None if nothing was.
    """

    send: HttpRequest
    reads: RelayFormat
    any_type: bool = False
    at_once: bool = False
    trims: Callable[[], Trim] | None = None
