"""Whether content that was read is what was stored.

First by the SHA-256 that uploads keep as metadata, then by a checksum of the store over the whole object. That of an
object made of parts may be one of the parts' checksums (its value ends with their number), which says nothing here;
neither does an ETag, which is no hash of the content.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import ObjectInfo

from ._upload import SHA256

__all__ = ["verified", "verify_file"]

PIECE = 1024 * 1024


class _Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 in the form of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return the checksum of all of them, big-endian as S3 has it."""
        return self._value.to_bytes(4, "big")


_ALGORITHMS: dict[str, Callable[[], _Digest]] = {
    "sha256": hashlib.sha256,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "crc32": _Crc32,
}


def verified(info: ObjectInfo, digest: Any, body: Any) -> str | None:
    """Say by what content that came as a stream is proven, given its SHA-256 (or None) and boto3's body.

    Raises:
        InvalidResponseError: It is not what was stored.
    """
    if digest is not None:
        _compare(info, SHA256, info.metadata[SHA256].lower(), digest.hexdigest())
        return SHA256
    checksum = getattr(body, "checksum", None)  # boto3 has verified it while it was read
    return None if checksum is None else type(checksum).__name__.removeprefix("Crt").removesuffix("Checksum").lower()


def verify_file(info: ObjectInfo, path: Path, check: Callable[[], None]) -> str | None:
    """Say by what the content of a file is proven; None if there is nothing to prove it by.

    Raises:
        InvalidResponseError: It is not what was stored.
    """
    own = info.metadata.get(SHA256)
    if own is not None:
        _compare(info, SHA256, own.lower(), _digest(path, hashlib.sha256(), check).hex())
        return SHA256
    for name, make in _ALGORITHMS.items():
        told = info.checksums.get(name)
        if told is not None and "-" not in told:
            _compare(info, name, told, base64.b64encode(_digest(path, make(), check)).decode("ascii"))
            return name
    return None


def _digest(path: Path, digest: _Digest, check: Callable[[], None]) -> bytes:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            check()
            digest.update(piece)
    return digest.digest()


def _compare(info: ObjectInfo, algorithm: str, expected: str, found: str) -> None:
    if expected != found:
        wrong = InvalidResponseError(
            f"the content of {info.bucket}/{info.key} has the {algorithm} {found}, but {expected} was stored",
            hint="it was spoilt on the way or in the store; it was not kept",
        )
        wrong.retryable = True
        raise wrong
