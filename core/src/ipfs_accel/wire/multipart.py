"""Files as bodies, alone or in forms (RFC 7578), written piece by piece so that a file of any size can be sent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ipfs_accel._values import frozen
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Body, HttpRequest, Pairs

if TYPE_CHECKING:
    from ipfs_accel.types import Upload

__all__ = ["DataBody", "FileBody", "Multipart", "content_of", "post_multipart"]

PIECE = 256 * 1024
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@frozen(kw_only=True)
class FileBody:
    """A file, or a part of one, as the body of a request.

    Attributes:
        path: The file.
        offset: Where to begin, in bytes.
        size: How many bytes to send.
    """

    path: Path
    offset: int = 0
    size: int

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise InvalidRequestError(f"{self.path} became shorter while it was sent")
                left -= len(piece)
                yield piece


@frozen
class DataBody:
    """Bytes in memory as the body of a request, sent in pieces so that progress can be told.

    Attributes:
        data: The bytes.
    """

    data: bytes = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """Their number."""
        return len(self.data)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), PIECE):
            yield self.data[start : start + PIECE]


def content_of(upload: Upload) -> Body:
    """Return a file as a body, or as a part of one, that is read while it is sent.

    Raises:
        InvalidRequestError: It is given as a URL.
    """
    if upload.data is not None:
        return DataBody(upload.data)
    if upload.path is None or upload.size is None:
        raise InvalidRequestError(f"{upload.name}: it is given as a URL, and this backend needs the bytes")
    return FileBody(path=upload.path, offset=upload.offset, size=upload.size)


class Multipart:
    """A form; it can be iterated again, so that a request can be sent again.

    Attributes:
        content_type: With the boundary.
        size: In bytes.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, Upload]]) -> None:
        """Make one from names and values, and names and files; names may repeat."""
        boundary = os.urandom(16).hex()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._parts: list[Body] = []
        for name, value in fields:
            self._parts.append(DataBody(f"{_head(boundary, name)}\r\n\r\n{value}\r\n".encode()))
        for name, upload in files:
            kind = upload.media_type or "application/octet-stream"
            if not kind.isascii() or not kind.isprintable():
                raise InvalidRequestError(f"{name}: its media type has characters that no header may hold")
            head = (
                f'{_head(boundary, name)}; filename="{upload.name.translate(_QUOTED)}"\r\nContent-Type: {kind}\r\n\r\n'
            )
            self._parts += [DataBody(head.encode()), content_of(upload), DataBody(b"\r\n")]
        self._parts.append(DataBody(f"--{boundary}--\r\n".encode()))
        self.size = sum(part.size for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            yield from part


def _head(boundary: str, name: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name.translate(_QUOTED)}"'


def post_multipart(
    path: str,
    fields: Sequence[tuple[str, str]],
    files: Sequence[tuple[str, Upload]],
    *,
    headers: Pairs = (),
    base_url: str | None = None,
) -> HttpRequest:
    """Make a POST request that sends a form with files."""
    form = Multipart(fields, files)
    return HttpRequest(
        method="POST",
        path=path,
        headers=(("content-type", form.content_type), ("accept", "application/json"), *headers),
        content=form,
        base_url=base_url,
    )
