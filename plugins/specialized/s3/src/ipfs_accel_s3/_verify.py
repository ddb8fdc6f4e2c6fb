"""Whether content that was read is what was stored.

First by the SHA-256 that uploads keep as metadata, then by a checksum of the store over the whole object. That of an
object made of parts may be one of the parts' checksums, which says nothing of the whole: some stores mark it
(`ChecksumType`, or the number of parts behind the value), some do not, and then the ETag tells that there are parts.

Metadata can be older than the content: there are stores that keep it when an object is overwritten. Where the store's
own word for the content (a checksum of the whole, or an ETag that is its MD5) agrees with what came, the metadata is
what is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import ObjectInfo

__all__ = [
    "MD5",
    "PIECE",
    "SHA256",
    "Digest",
    "etag_as_md5",
    "kept_so",
    "new_md5",
    "prove_file",
    "spoilt",
    "whole_checksums",
]

PIECE = 1024 * 1024
SHA256 = "sha256"
"""Name of the metadata that holds an upload's own hash."""
MD5 = "md5"
"""What `verified` says where the ETag was the proof."""

_HEX = re.compile(r'"?([0-9a-f]{32})"?', re.IGNORECASE)


class Digest(Protocol):
    """What all hashes have."""

    def update(self, data: bytes, /) -> object:
        """Take more bytes."""
        ...

    def digest(self) -> bytes:
        """Return the hash of all of them."""
        ...


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


_ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "sha256": hashlib.sha256,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "crc32": _Crc32,
}


def new_md5() -> Any | None:
    """Return a new MD5, or None where this Python has none, as under FIPS."""
    try:
        return hashlib.md5(usedforsecurity=False)
    except ValueError:
        return None


def etag_as_md5(answer: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> str | None:
    """Return the MD5 that the ETag of an answer is, or None if it cannot be one.

    By the S3 API reference it is for what was stored with one request, unless a key of KMS or of the customer's
    encrypts it, or the bucket is a directory bucket.
    """
    about = {**(given or {}), **answer}
    found = _HEX.fullmatch(str(answer.get("ETag") or ""))
    is_opaque = (
        "kms" in str(about.get("ServerSideEncryption") or "")
        or about.get("SSECustomerAlgorithm")
        or about.get("SSEKMSKeyId")
        or str(about.get("Bucket", "")).endswith("--x-s3")
    )
    return None if found is None or is_opaque else found[1].lower()


def whole_checksums(info: ObjectInfo) -> dict[str, str]:
    """Return those of the store's checksums that are over all of the object."""
    kind = info.raw.get("ChecksumType")
    if kind == "COMPOSITE" or (kind != "FULL_OBJECT" and "-" in (info.etag or "")):
        return {}
    return {name: value for name, value in info.checksums.items() if "-" not in value}


def prove_file(info: ObjectInfo, path: Path, check: Callable[[], None]) -> str | None:
    """Say by what the content of a file is proven; None if there is nothing to prove it by.

    Raises:
        InvalidResponseError: It is not what was stored.
    """
    own = info.metadata.get(SHA256)
    wrong: InvalidResponseError | None = None
    if own is not None:
        found = _digest(path, hashlib.sha256(), check).hex()
        if own.lower() == found:
            return SHA256
        wrong = spoilt(info, SHA256, own, found)
    for name, told in whole_checksums(info).items():
        if name in _ALGORITHMS:
            found = base64.b64encode(_digest(path, _ALGORITHMS[name](), check)).decode("ascii")
            if told == found:
                return name
            wrong = wrong or spoilt(info, name, told, found)
    if wrong is not None:
        md5, etag = new_md5(), etag_as_md5(info.raw)
        if md5 is None or etag is None or _digest(path, md5, check).hex() != etag:
            raise wrong
        return MD5
    return None


def _digest(path: Path, digest: Digest, check: Callable[[], None]) -> bytes:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            check()
            digest.update(piece)
    return digest.digest()


def spoilt(info: ObjectInfo, algorithm: str, expected: str, found: str) -> InvalidResponseError:
    """Return the error for content that is not what was stored; another attempt may get the right one."""
    by = (
        f"but {expected} was stored"
        if algorithm == SHA256
        else f"which is not what the store's checksum says: {expected}"
    )
    wrong = InvalidResponseError(
        f"the content of {info.bucket}/{info.key} has the {algorithm} {found}, {by}",
        hint="it was spoilt on the way or in the store; it was not kept",
    )
    wrong.retryable = True
    return wrong


def kept_so(wrong: InvalidResponseError) -> InvalidResponseError:
    """Return the same error once two readings have agreed: the store has it so, and no repetition helps."""
    wrong.retryable = False
    wrong.hint = "the store keeps it so, as a second reading shows; the option verify = false reads it all the same"
    return wrong
