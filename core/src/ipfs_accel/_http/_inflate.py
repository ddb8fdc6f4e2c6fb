"""Bounded decompression of answers that come compressed although nobody asked for it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .._headers import Headers
from ..errors import InvalidResponseError

__all__ = ["Inflater", "inflater_for"]

_STEP = 64 * 1024
_GZIP = 31
_ZLIB = 15
_RAW = -15


class Inflater:
    """Takes compressed bytes and gives plain ones in pieces of at most 64 KiB, so that no bomb can fill the memory."""

    def __init__(self, encoding: str) -> None:
        self._is_deflate = encoding == "deflate"
        self._engine = zlib.decompressobj(_ZLIB if self._is_deflate else _GZIP)
        self._is_fresh = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return what more of the body decompresses to."""
        while data:
            if self._engine.eof:
                raise InvalidResponseError("the answer goes on after the end of its compressed body")
            piece = self._step(data)
            data = self._engine.unconsumed_tail or self._engine.unused_data
            while piece:
                yield piece
                # A full piece may have left more inside the engine than the unconsumed input tells.
                piece = b"" if len(piece) < _STEP or data else self._step(b"")

    def _step(self, data: bytes) -> bytes:
        try:
            try:
                piece = self._engine.decompress(data, _STEP)
            except zlib.error:
                if not (self._is_deflate and self._is_fresh):
                    raise
                # "deflate" should mean zlib's format, but some servers send the bare one.
                self._engine = zlib.decompressobj(_RAW)
                piece = self._engine.decompress(data, _STEP)
        except zlib.error:
            raise InvalidResponseError("the compressed body of the answer is corrupt") from None
        self._is_fresh = False
        return piece

    def finish(self) -> None:
        """Check that nothing is missing."""
        if not self._is_fresh and not self._engine.eof:
            raise InvalidResponseError("the compressed body of the answer is cut")


def inflater_for(headers: Headers) -> Inflater | None:
    """Return what decompresses a response, or None if it is plain.

    Raises:
        InvalidResponseError: Any other encoding, or several on top of each other.
    """
    encoding = (headers.get("content-encoding") or "").strip().lower()
    if not encoding or encoding == "identity":
        return None
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise InvalidResponseError(f"the answer is encoded as {encoding[:40]!r}, which was not asked for")
    return Inflater(encoding)
