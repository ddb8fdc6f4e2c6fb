"""Whether an answer is about the object, the version and the bytes that were asked for.

A store, or a proxy before it, that does not know a header of a request answers as if it were not there: with all of an
object instead of a range, or with another object than the one that a condition names. Statuses, `Content-Range`, ETags
and versions tell; they are compared in every answer, which costs no request (RFC 9110, sections 13 and 14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ipfs_accel.errors import InvalidResponseError, PreconditionFailedError

__all__ = ["Span", "asked_of", "check_object", "same_etag", "size_of", "span_of"]

_ASKED = re.compile(r"bytes=(\d*)-(\d*)")
# A store has been seen to say 0--1/0 of an empty object.
_SENT = re.compile(r"\s*bytes\s+(\d+)-(-?\d+)/(\d+|\*)\s*", re.IGNORECASE)
_PARTIAL = 206


class Span(NamedTuple):
    """Bytes of an object: from `start` up to and without `stop`; `total` is the object's size, None if nobody said."""

    start: int
    stop: int
    total: int | None


def same_etag(one: str, other: str) -> bool:
    """Whether two ETags name the same content; a proxy that compresses marks them as weak."""
    return _bare(one) == _bare(other)


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


def check_object(given: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Make sure that an answer holds to the conditions and the version of its request.

    Raises:
        InvalidResponseError: It is of another version than the one asked for.
        PreconditionFailedError: A condition is not met, and the store answered regardless.
    """
    etag = answer.get("ETag")
    wanted, unwanted = given.get("IfMatch"), given.get("IfNoneMatch")
    if wanted and wanted.strip() != "*" and etag and not _is_one_of(etag, wanted):
        raise _unmet(f"its ETag is {etag} and not {wanted}", 412)
    if unwanted and etag and _is_one_of(etag, unwanted):
        raise _unmet(f"its ETag is {etag}, as before", 304)
    since, modified = given.get("IfUnmodifiedSince"), answer.get("LastModified")
    # What an answer tells has no fractions of a second.
    if since is not None and modified is not None and modified.timestamp() >= _seconds(since) + 1:
        raise _unmet(f"it was changed at {modified:%Y-%m-%dT%H:%M:%SZ}", 412)
    version, told = given.get("VersionId"), answer.get("VersionId")
    if version and version not in {"null", told}:
        raise InvalidResponseError(
            f"version: asked for {version!r}, the store answered with {f'version {told!r}' if told else 'no version'}",
            hint="it may keep no versions: leave version out",
        )


def _is_one_of(etag: str, several: str) -> bool:
    return any(same_etag(etag, each) for each in several.split(",")) or same_etag(etag, several)


def _seconds(moment: Any) -> float:
    return moment.timestamp() if hasattr(moment, "timestamp") else float(moment)


def _unmet(why: str, status: int) -> PreconditionFailedError:
    return PreconditionFailedError(
        f"the object does not meet the condition: {why}; the store answered regardless",
        status=status,
        code="PreconditionFailed" if status == 412 else "304",  # noqa: PLR2004 - as a store says it
    )


def size_of(answer: Mapping[str, Any]) -> int | None:
    """Return the size of the whole object, also by an answer to a range of it."""
    sent = _SENT.fullmatch(str(answer.get("ContentRange", "")))
    if sent is not None:
        return int(sent[3]) if sent[3] != "*" else None
    return answer.get("ContentLength")


def span_of(answer: Mapping[str, Any]) -> Span | None:
    """Return which bytes an answer holds; None if it holds all of them.

    Raises:
        InvalidResponseError: It has a part and does not tell which.
    """
    told = answer.get("ContentRange")
    if told is None:
        if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == _PARTIAL:
            raise InvalidResponseError("the store sent a part of the object and does not tell which part")
        return None
    sent = _SENT.fullmatch(str(told))
    if sent is None:
        raise InvalidResponseError(f"the store sent a part of the object with the range {told!r}, which is none")
    return Span(int(sent[1]), max(int(sent[2]) + 1, int(sent[1])), int(sent[3]) if sent[3] != "*" else None)


def asked_of(given: Mapping[str, Any], answer: Mapping[str, Any], size: int | None) -> int | None:
    """Make sure that an answer to a GetObject holds the bytes that were asked for, and return how many these are.

    Args:
        given: The request.
        answer: Its answer.
        size: Of the whole object; None if nobody knows, and then the number may be None too.

    Raises:
        InvalidResponseError: They are others, more, or less.
    """
    span, said = span_of(answer), given.get("Range")
    if "PartNumber" in given:
        return _part(given["PartNumber"], answer, span, size)
    if said is None:
        if span is not None and span != (0, span.total, span.total):
            raise InvalidResponseError(f"the store sent {answer['ContentRange']} where all of the object was asked for")
        return size
    asked = _ASKED.fullmatch(said)
    if asked is None:  # several ranges, by the caller's own word
        return answer.get("ContentLength")
    if span is None:
        if size is None or _wanted(asked, size) != (0, size):
            raise _others("all of the object", said)
        return size
    if not _fits(asked, span, size):
        raise _others(answer["ContentRange"], said)
    return _length(answer, span)


def _others(sent: str, asked: str) -> InvalidResponseError:
    return InvalidResponseError(
        f"the store sent {sent} where {asked} was asked for",
        hint="the store, or a proxy before it, does not honour ranges: leave out offset and length",
    )


def _part(number: int, answer: Mapping[str, Any], span: Span | None, size: int | None) -> int | None:
    if span is not None:
        return _length(answer, span)
    parts = _bare(answer.get("ETag") or "").rpartition("-")
    if number != 1 or (parts[1] and parts[2] != "1"):
        raise InvalidResponseError(f"the store sent all of the object where part {number} was asked for")
    return size


def _wanted(asked: re.Match[str], size: int) -> tuple[int, int]:
    """Return the first byte that a range wants, and the one behind the last."""
    first, last = asked[1], asked[2]
    if first == "":
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def _fits(asked: re.Match[str], span: Span, size: int | None) -> bool:
    if size is not None:
        return (span.start, span.stop) == _wanted(asked, size)
    # Nobody knows where the object ends: good is what can be nothing else.
    return bool(asked[1] and asked[2]) and (span.start, span.stop) == (int(asked[1]), int(asked[2]) + 1)


def _length(answer: Mapping[str, Any], span: Span) -> int:
    length = span.stop - span.start
    if answer.get("ContentLength", length) != length:
        raise InvalidResponseError(f"the store sent {answer['ContentLength']} bytes as {answer['ContentRange']}")
    return length
