"""Bounded decompression of answers that come compressed although nobody asked for it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from ipfs_accel._headers import Headers
from ipfs_accel.errors import InvalidResponseError

__all__ = ["Decoder", "Inflater", "decoder_for"]

_NAME = b"content-encoding"
_LENGTH_OF_NAME = len(_NAME)
_STEP = 64 * 1024
_HEAD = 2
_GZIP = 31
_ZLIB = 15
_RAW = -15


class Inflater:
    """Takes compressed bytes and gives plain ones in pieces of at most 64 KiB, so that no bomb can fill the memory."""

    def __init__(self, encoding: str) -> None:
        self._is_deflate = encoding == "deflate"
        self._engine: Any = None
        self._head = b""
        self._padding = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what more of the body decompresses to."""
        if self._engine is None:
            data = self._head + data
            if len(data) < _HEAD:
                self._head = data
                return
            self._head = b""
            self._engine = zlib.decompressobj(self._format(data))
        while data:
            if self._engine.eof:
                # gzip allows several members, with zeros behind each that fill a block; anything else is corrupt.
                data = self._without_padding(data)
                if not data:
                    return
                self._engine = zlib.decompressobj(_GZIP)
            piece = self._step(data)
            data = self._engine.unconsumed_tail or self._engine.unused_data
            if piece:
                yield piece
            while len(piece) == _STEP and not data:  # a full piece may have left more inside of the engine
                piece = self._step(b"")
                if piece:
                    yield piece

    def finish(self) -> None:
        """Check that nothing is missing."""
        if self._head or (self._engine is not None and not self._engine.eof):
            raise InvalidResponseError("the compressed body of the answer is cut")

    def _without_padding(self, data: bytes) -> bytes:
        rest = data.lstrip(b"\0")
        self._padding += len(data) - len(rest)
        if self._padding > _STEP or (rest and self._is_deflate):
            raise InvalidResponseError("the compressed body of the answer is corrupt")
        return rest

    def _format(self, data: bytes) -> int:
        if not self._is_deflate:
            return _GZIP
        # "deflate" means zlib's format, but some servers send the bare one. A zlib header can be told by its checksum.
        return _ZLIB if data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:_HEAD], "big") % 31 == 0 else _RAW

    def _step(self, data: bytes) -> bytes:
        try:
            piece: bytes = self._engine.decompress(data, _STEP)
        except zlib.error:
            raise InvalidResponseError("the compressed body of the answer is corrupt") from None
        return piece


class Decoder:
    """Stands between the raw body of a response and its reader: `push` raw bytes, then `pull` until None."""

    __slots__ = ("_encoding", "_inflater", "_pieces", "_status")

    def __init__(self, encoding: str, status: int) -> None:
        self._encoding = encoding
        self._status = status
        self._inflater: Inflater | None = None
        self._pieces: Iterator[bytes] = iter(())

    def push(self, data: bytes) -> None:
        """Take raw bytes.

        Raises:
            InvalidResponseError: The encoding is neither gzip nor deflate, or there are several.
        """
        if self._inflater is None:
            # Not before there is a body: an answer without one may name any encoding.
            if self._encoding not in {"gzip", "x-gzip", "deflate"}:
                shown = self._encoding[:40]
                raise InvalidResponseError(
                    f"the answer is encoded as {shown!r}, which was not asked for", status=self._status
                )
            self._inflater = Inflater(self._encoding)
        self._pieces = self._inflater.feed(data)

    def pull(self) -> bytes | None:
        """Return the next piece, or None if more has to be pushed."""
        try:
            return next(self._pieces, None)
        except InvalidResponseError as error:
            error.about(status=self._status)
            raise

    def finish(self) -> None:
        """Check at the end of the body that nothing is missing."""
        if self._inflater is not None:
            try:
                self._inflater.finish()
            except InvalidResponseError as error:
                error.about(status=self._status)
                raise


def decoder_for(headers: list[tuple[bytes, bytes]], status: int) -> Decoder | None:
    """Return what decompresses a response, or None if it is plain."""
    for name, _ in headers:
        if len(name) == _LENGTH_OF_NAME and name.lower() == _NAME:
            break
    else:
        return None
    said = Headers(headers).get("content-encoding", "")
    encodings = [encoding for each in said.split(",") if (encoding := each.strip().lower()) not in {"", "identity"}]
    return Decoder(", ".join(encodings), status) if encodings else None
