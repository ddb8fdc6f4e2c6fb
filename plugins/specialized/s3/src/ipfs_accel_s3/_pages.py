"""Listings, page by page, which go on to their end or fail: one that stops early must not pass for a whole one.

boto3's own pages end without a word where a store says that there is more and not where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ipfs_accel.errors import InvalidResponseError

__all__ = ["bucket_pages", "object_pages", "upload_pages"]

_LISTING = {"IsTruncated", "Name", "KeyCount", "MaxKeys", "Contents", "CommonPrefixes"}
_UPLOADS = {"IsTruncated", "Bucket", "MaxUploads", "Uploads", "KeyMarker"}


def object_pages(client: Any, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers to as many ListObjectsV2 as it takes.

    Raises:
        InvalidResponseError: What comes is no listing, or does not get on.
    """
    tokens: set[str] = set()
    asked = dict(given)
    before: list[str] = []
    while True:
        answer: dict[str, Any] = client.list_objects_v2(**asked)
        _check(answer, _LISTING, "objects")
        names = [each["Key"] for each in answer.get("Contents", ())]
        after = None if "ContinuationToken" in asked else asked.get("StartAfter")
        if names and ((after is not None and min(names) <= after) or names[0] in before[:1]):
            raise _stuck(f"{names[0]!r} comes once more")
        yield answer
        before = names or before
        token = answer.get("NextContinuationToken")
        if not answer.get("IsTruncated", bool(token)):
            return
        if token:
            asked = {**given, "ContinuationToken": _new(tokens, token)}
        elif names and not given.get("Delimiter"):
            # Keys come in the order of their bytes, which is that of their characters: the last one is a place.
            asked = {**given, "StartAfter": max(names)}
        else:
            raise _stuck("the store says that there is more, and not where")


def upload_pages(client: Any, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers to as many ListMultipartUploads as it takes; raises as `object_pages`."""
    marks: set[str] = set()
    at: dict[str, Any] = {}
    while True:
        answer: dict[str, Any] = client.list_multipart_uploads(**{**given, **at})
        _check(answer, _UPLOADS, "uploads")
        yield answer
        if not answer.get("IsTruncated"):
            return
        found = answer.get("Uploads") or [{}]
        key = answer.get("NextKeyMarker") or found[-1].get("Key")
        upload = answer.get("NextUploadIdMarker") or (
            found[-1].get("UploadId") if key == found[-1].get("Key") else None
        )
        if not key:
            raise _stuck("the store says that there is more, and not where")
        _new(marks, f"{key} {upload}")
        at = {"KeyMarker": key, **({"UploadIdMarker": upload} if upload else {})}


def bucket_pages(client: Any, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers to as many ListBuckets as it takes; raises as `object_pages`."""
    tokens: set[str] = set()
    at: dict[str, Any] = {}
    while True:
        answer: dict[str, Any] = client.list_buckets(**{**given, **at})
        yield answer
        token = answer.get("ContinuationToken")
        if not token:
            return
        at = {"ContinuationToken": _new(tokens, token)}


def _check(answer: Mapping[str, Any], known: set[str], what: str) -> None:
    # Of an empty document, or a page of HTML, boto3 makes an answer in which nothing is.
    if known.isdisjoint(answer):
        raise InvalidResponseError(f"the store's answer is no list of {what}")


def _new(seen: set[str], token: str) -> str:
    if token in seen:
        raise _stuck("the store names the same place twice")
    seen.add(token)
    return token


def _stuck(why: str) -> InvalidResponseError:
    return InvalidResponseError(f"the listing does not get on: {why}; what came of it is not all")
