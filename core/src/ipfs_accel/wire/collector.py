"""Streams that are no chats: sound, pictures, transcripts, transfers, results of batches.

A provider's decoder tells a `Collector` which events a frame means and when the stream is complete; the answer is
built at the end. Chats and completions have blocks, which `ipfs_accel.wire.assembler` keeps in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ipfs_accel import types
from ipfs_accel.errors import InvalidResponseError, StreamIncomplete
from ipfs_accel.plans import HttpRequest, HttpStream

from ._outbox import Outbox

if TYPE_CHECKING:
    from ipfs_accel.types import SpeakResponse, StreamedEvent, Transfer

__all__ = ["Collector", "RawDecoder", "download", "speech"]

T = TypeVar("T")


class Collector(Outbox["StreamedEvent"], Generic[T]):
    """Collects one stream; made anew for each attempt.

    Attributes:
        kept: Where the decoder keeps what the answer is built from.
        size: Likewise, for what is only counted.
    """

    def __init__(self, build: Callable[[Collector[T]], T], *, eof_is_end: bool = False) -> None:
        """Make an empty one.

        Args:
            build: Makes the answer when the stream is complete.
            eof_is_end: Whether the end of the body completes the stream; otherwise only `done` does.
        """
        super().__init__()
        self._build = build
        self._eof_is_end = eof_is_end
        self.kept: list[Any] = []
        self.size = 0

    def emit(self, event: StreamedEvent) -> None:
        """Hand an event to the caller."""
        self._events.append(event)

    def conclude(self) -> T:
        """End the stream and return the answer.

        Raises:
            StreamIncomplete: The terminal signal is missing.
        """
        if not self.is_done and not self._eof_is_end:
            raise StreamIncomplete("the stream ended without its terminal signal, so the answer may be cut")
        return self._build(self)

    def partial(self) -> T | None:
        """Return nothing: half of these answers is no answer; the events have been handed out."""
        return None


class RawDecoder:
    """Hands bytes on as they come."""

    def feed(self, chunk: bytes) -> Sequence[bytes]:
        """Return the bytes as the one frame that they are."""
        return (chunk,)

    def flush(self) -> Sequence[bytes]:
        """Return nothing: nothing is held back."""
        return ()


def _keep(chunk: bytes, out: Collector[Any]) -> None:
    out.kept.append(chunk)
    out.emit(types.DataDelta(chunk))


def _count(chunk: bytes, out: Collector[Any]) -> None:
    out.size += len(chunk)
    out.emit(types.DataDelta(chunk))


def speech(send: HttpRequest, media_type: str | None, unsupported: tuple[str, ...] = ()) -> HttpStream[SpeakResponse]:
    """Plan a stream of sound that comes as it is."""

    def build(out: Collector[SpeakResponse]) -> SpeakResponse:
        if not out.kept:
            raise InvalidResponseError("the answer has no sound in it")
        return types.SpeakResponse(data=b"".join(out.kept), media_type=media_type)

    return HttpStream(
        send=send,
        frames=RawDecoder,
        decoder=lambda: _keep,
        assembler=lambda: Collector(build, eof_is_end=True),
        unsupported=unsupported,
    )


def download(send: HttpRequest) -> HttpStream[Transfer]:
    """Plan the download of a file of any type and size; its bytes are handed out and not kept."""
    return HttpStream(
        send=send,
        frames=RawDecoder,
        decoder=lambda: _count,
        assembler=lambda: Collector(lambda out: types.Transfer(size=out.size), eof_is_end=True),
        any_type=True,
    )
