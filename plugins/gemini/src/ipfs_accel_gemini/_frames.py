"""From bytes to the JSON objects of a stream: server-sent events, a JSON array, or an object that ends the events.

The API sends events if it is asked to, and one array if a proxy drops that wish. An error that comes late is written
as plain lines of JSON after the events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.wire.ndjson import FramingError
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder

__all__ = ["MAX_EVENT_BYTES", "ObjectDecoder"]

# A picture comes in one event.
MAX_EVENT_BYTES = 64 * 1024 * 1024

# JSON that begins a line; a line of an event begins with the name of a field.
_BARE_JSON = re.compile(rb"(?:\A|[\r\n])[ \t]*(?=[\[{])")
_BARE_JSON_INSIDE = re.compile(rb"[\r\n][ \t]*(?=[\[{])")
_TOKENS = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)
_OPEN = (b"{", b"[")


class ObjectDecoder:
    """Cuts bytes into the JSON objects that they carry, in whichever of the three forms."""

    def __init__(self) -> None:
        self._events = SSEDecoder(max_event_bytes=MAX_EVENT_BYTES)
        self._bare: _Objects | None = None
        self._at_line_start = True
        self._has_begun = False

    def feed(self, chunk: bytes) -> list[Any]:
        """Take bytes and return the objects that they complete."""
        if self._bare is not None:
            return self._bare.feed(chunk)
        if not self._has_begun:
            self._begin(chunk)
        pattern = _BARE_JSON if self._at_line_start else _BARE_JSON_INSIDE
        found = pattern.search(chunk)
        if found is None:
            if chunk:
                self._at_line_start = chunk[-1] in b"\r\n"
            return self._read(chunk)
        self._bare = _Objects()
        return [*self._read(chunk[: found.end()]), *self._rest(), *self._bare.feed(chunk[found.end() :])]

    def flush(self) -> list[Any]:
        """Return what the end of the stream leaves complete."""
        return [] if self._bare is not None else self._rest()

    def _begin(self, chunk: bytes) -> None:
        start = chunk.lstrip()
        self._has_begun = bool(start)
        if start.startswith(b"<"):
            raise InvalidResponseError(
                "the answer is an HTML page, not a stream",
                body=chunk[:512].decode("utf-8", "replace"),
                hint="it looks like a page of a proxy, a captive portal or a login: check the base URL and the proxy",
            )

    def _read(self, chunk: bytes) -> list[Any]:
        try:
            return _parsed(self._events.feed(chunk))
        except FramingError as error:
            error.before = _parsed(error.before)
            raise

    def _rest(self) -> list[Any]:
        return _parsed(self._events.flush())


def _parsed(events: Iterable[ServerSentEvent]) -> list[Any]:
    return [strict_json.loads(event.data) for event in events if event.data]


class _Objects:
    """Cuts a JSON array into its objects while it comes; an object outside of an array counts too."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0
        self._depth = 0
        self._base = 0
        self._in_string = False
        self._escape = b""

    def feed(self, chunk: bytes) -> list[Any]:
        """Take bytes and return the objects that they complete."""
        chunk = self._escape + chunk
        self._escape = b""
        if (len(chunk) - len(chunk.rstrip(b"\\"))) % 2:
            # The byte that the backslash is about comes with the next chunk.
            chunk, self._escape = chunk[:-1], b"\\"
        found: list[Any] = []
        start = 0 if self._pieces else -1
        for match in _TOKENS.finditer(chunk):
            token = match.group()
            if token == b'"':
                self._in_string = not self._in_string
            elif self._in_string or len(token) > 1:
                continue
            elif token in _OPEN:
                if start < 0 and token == b"{":
                    start, self._base = match.start(), self._depth
                self._depth += 1
            else:
                self._depth -= 1
                if start >= 0 and self._depth == self._base:
                    found.append(self._whole(chunk[start : match.end()]))
                    start = -1
        if start >= 0:
            self._hold(chunk[start:])
        return found

    def _whole(self, last: bytes) -> Any:
        text = b"".join([*self._pieces, last])
        self._pieces, self._held = [], 0
        return strict_json.loads(text)

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > MAX_EVENT_BYTES:
            raise FramingError(f"an object is longer than the limit of {MAX_EVENT_BYTES} bytes", 0)
