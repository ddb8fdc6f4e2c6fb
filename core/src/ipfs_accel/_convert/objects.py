"""As `texts`, for objects in stores; their addresses are `endpoint/bucket/key`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import attrs

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    CopyObjectRequest,
    DeleteObjectRequest,
    DeleteObjectsRequest,
    DownloadObjectRequest,
    GetObjectRequest,
    ListObjectsRequest,
    PresignObjectRequest,
    PutObjectRequest,
    Request,
    Upload,
)

from .files import upload
from .texts import check, checked, strings

__all__ = [
    "copy_object_request",
    "delete_object_request",
    "delete_objects_request",
    "download_object_request",
    "get_object_request",
    "list_objects_request",
    "presign_object_request",
    "put_object_request",
]

R = TypeVar("R", bound=Request)

PIECE = 1024 * 1024
_METHODS = ("get", "head", "put", "post", "delete")
_NUMBER = (int, float)
_TYPES: dict[str, tuple[type[Any], ...]] = {
    "offset": (int,),
    "length": (int,),
    "limit": (int,),
    "max_size": (int,),
    "expires_in": (int,),
    "resume": (bool,),
    "metadata": (Mapping,),
    "tags": (Mapping,),
    "if_modified_since": _NUMBER,
    "if_unmodified_since": _NUMBER,
}
_TEXTS = {
    *("version", "source_version", "content_type", "checksum", "prefix", "delimiter", "start_after"),
    *("if_match", "if_none_match", "if_source_matches"),
}
_AT_LEAST_ONE = {"length", "limit", "expires_in"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def put_object_request(address: str, source: Any, options: dict[str, Any]) -> PutObjectRequest:
    """Make the request of `put_object`."""
    bucket, key = _object(address)
    body = _pieces(source)
    if isinstance(body, Upload) and body.url is not None:
        raise InvalidRequestError("source: it is a URL; give a path, bytes or pieces of bytes")
    return PutObjectRequest(bucket=bucket, key=key, source=body, **_checked(PutObjectRequest, options))


def get_object_request(address: str, _value: Any, options: dict[str, Any]) -> GetObjectRequest:
    """Make the request of `get_object` and `head_object`."""
    bucket, key = _object(address)
    return GetObjectRequest(bucket=bucket, key=key, **_checked(GetObjectRequest, options))


def download_object_request(address: str, to: Any, options: dict[str, Any]) -> DownloadObjectRequest:
    """Make the request of `download_object`."""
    bucket, key = _object(address)
    check("to", to, (str, Path))
    if Path(to).is_dir():
        raise InvalidRequestError(f"to: {to} is a folder; name the file")
    return DownloadObjectRequest(bucket=bucket, key=key, to=Path(to), **_checked(DownloadObjectRequest, options))


def list_objects_request(address: str, _value: Any, options: dict[str, Any]) -> ListObjectsRequest:
    """Make the request of `list_objects`."""
    bucket, _slash, prefix = address.partition("/")
    return ListObjectsRequest(bucket=bucket, prefix=prefix, **_checked(ListObjectsRequest, options))


def copy_object_request(address: str, source: Any, options: dict[str, Any]) -> CopyObjectRequest:
    """Make the request of `copy_object` from the address of the copy and that of the original."""
    bucket, key = _object(address)
    source_bucket, source_key = _object(source, "source")
    values = _checked(CopyObjectRequest, options)
    return CopyObjectRequest(bucket=bucket, key=key, source_bucket=source_bucket, source_key=source_key, **values)


def delete_object_request(address: str, _value: Any, options: dict[str, Any]) -> DeleteObjectRequest:
    """Make the request of `delete_object`."""
    bucket, key = _object(address)
    return DeleteObjectRequest(bucket=bucket, key=key, **_checked(DeleteObjectRequest, options))


def delete_objects_request(address: str, keys: Any, options: dict[str, Any]) -> DeleteObjectsRequest:
    """Make the request of `delete_objects`."""
    bucket = address.rstrip("/")
    if not bucket or "/" in bucket:
        raise InvalidRequestError(f"bucket: expected endpoint/bucket, got {address!r} behind the endpoint")
    if isinstance(keys, str):
        raise InvalidRequestError("keys: expected several keys, got a string; delete_object takes one")
    return DeleteObjectsRequest(bucket=bucket, keys=strings(keys, "keys"), **_checked(DeleteObjectsRequest, options))


def presign_object_request(address: str, _value: Any, options: dict[str, Any]) -> PresignObjectRequest:
    """Make the request of `presign_object`."""
    bucket, key = _object(address)
    values = _checked(PresignObjectRequest, options)
    if values.get("method", "get") not in _METHODS:
        raise InvalidRequestError(f"method: expected one of {', '.join(_METHODS)}, got {values['method']!r}")
    return PresignObjectRequest(bucket=bucket, key=key, **values)


def _object(address: str, field: str = "address") -> tuple[str, str]:
    """Split `bucket/key` at its first slash; nothing else of a key is touched."""
    bucket, _slash, key = address.partition("/")
    if not bucket or not key:
        raise InvalidRequestError(f"{field}: expected endpoint/bucket/key, got {address!r} behind the endpoint")
    return bucket, key


def _checked(kind: type[R], options: dict[str, Any]) -> dict[str, Any]:
    values = checked(kind, options)
    for name, value in values.items():
        if name in _TYPES:
            check(name, value, _TYPES[name])
        elif name in _TEXTS:
            check(name, value, (str,))
            if _CONTROLS.search(value):
                raise InvalidRequestError(f"{name}: it has control characters")
        if name in _AT_LEAST_ONE and value < 1:
            raise InvalidRequestError(f"{name}: has to be at least 1, got {value}")
    if values.get("offset", 0) < 0 and "length" in values:
        raise InvalidRequestError("length: an offset from the end reads all that follows; leave length out")
    return values


def _pieces(source: Any) -> Any:
    """Return what a request holds as its source: an `Upload`, or pieces of bytes."""
    read = getattr(source, "read", None)
    if callable(read):
        return _chunks(cast("IO[bytes]", source))
    is_upload = isinstance(source, str | Path | bytes | bytearray | memoryview) or attrs.has(type(source))
    if is_upload or not isinstance(source, Iterable):
        return upload(source, "source")
    return cast("Iterable[bytes]", source)


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    while piece := file.read(PIECE):
        if not isinstance(piece, bytes):
            raise InvalidRequestError("source: the file gives text; open it in binary mode")
        yield piece
