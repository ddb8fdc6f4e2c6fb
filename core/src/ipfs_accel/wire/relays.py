"""What is known of an answer that is passed on unread: what it used, and whether it is an error or came to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIError, InvalidResponseError
from ipfs_accel.types import Usage

from .ndjson import FramingError
from .sse import ServerSentEvent, SSEDecoder

__all__ = ["Ends"]

_decode = json.JSONDecoder().raw_decode
_OBJECT = re.compile(rb"\s*:\s*(?=\{)")
_FLAT = re.compile(rb"\{(?:[^{}]|\{[^{}]*\})*\}")
"""An object that holds at most plain ones, as usage does; not a whole one, if a text in it has a brace."""
_MAX_LOOKS = 8


class Ends:
    """A `RelayFormat` of JSON and streams of events, where an object tells the usage.

    Args:
        member: Name of the member that holds that object.
        read: Reads the object.
        marks: What the last bytes of a whole stream have in them, one of them.
        error: Returns the error that an event says, if it is one; raises it, or returns None.
        document: The same for the JSON value of a whole answer.
        in_both: Whether a stream tells one part at its beginning and the other at its end: the first object and the
            last are then read as one, in which the last has its say but for what it leaves out or has as 0.
    """

    def __init__(
        self,
        member: str,
        read: Callable[[Mapping[str, Any]], Usage],
        marks: Collection[bytes],
        *,
        error: Callable[[ServerSentEvent], APIError | None],
        document: Callable[[Any], APIError | None],
        in_both: bool = False,
    ) -> None:
        self._member = b'"%b"' % member.encode()
        self._read = read
        self._marks = tuple(marks)
        self._error = error
        self._document = document
        self._in_both = in_both

    def usage(self, head: bytes, tail: bytes) -> Usage | None:
        """Return what an answer used: it is told at its end, or by some servers at its beginning."""
        found = self._object(tail)
        if self._in_both and head[:1] != b"{":  # a whole answer has it at its end, and before it what tools are given
            first = self._object(head, at_end=False) or {}
            found = {**first, **{name: value for name, value in (found or {}).items() if value or name not in first}}
        elif found is None:
            found = self._object(head)
        return self._read(found) if found else None

    def is_whole(self, tail: bytes) -> bool:
        """Whether one of the marks is there."""
        return any(mark in tail for mark in self._marks)

    def failure(self, first: bytes) -> APIError | None:
        """Return the error in the first event, or the one that the document is; most answers cost one look."""
        if b"error" not in first[:_LOOKED_AT] and b"base_resp" not in first[:_LOOKED_AT]:
            return None
        if first[:1] == b"{" or first[:1] == b"[":
            try:
                value = json.loads(first)
            except (ValueError, RecursionError):
                return None  # the beginning of a long one
            return self._document(value)
        return self._first_event(first)

    def _first_event(self, first: bytes) -> APIError | None:
        try:
            events = SSEDecoder().feed(first)
            return self._error(events[0]) if events else None
        except APIError as error:
            return error
        except (FramingError, ValueError, InvalidResponseError):
            return None  # whoever reads the stream will see

    def _object(self, text: bytes, *, at_end: bool = True) -> dict[str, Any] | None:
        """Return the last or the first object of that name; in a text of JSON the quoted name stands nowhere else."""
        at = len(text) if at_end else -1
        for _ in range(_MAX_LOOKS):
            at = text.rfind(self._member, 0, at) if at_end else text.find(self._member, at + 1)
            if at < 0:
                return None
            colon = _OBJECT.match(text, at + len(self._member))
            if colon is not None:
                flat = _FLAT.match(text, colon.end())
                try:
                    if flat is not None:
                        return strict_json.loads(flat[0])  # type: ignore[no-any-return]
                except ValueError:
                    pass
                try:
                    return _decode(text[colon.end() :].decode("utf-8", "replace"))[0]  # type: ignore[no-any-return]
                except (ValueError, RecursionError):
                    return None
        return None


_LOOKED_AT = 512
"""Bytes of an answer's beginning in which an error would show."""
