"""Reads answers of HTTP/1.1, without any I/O: what llhttp makes of the bytes, and what it leaves to its user.

The parser knows neither what was asked nor that the server hung up. So it is decided here where the body of an answer
ends to HEAD or CONNECT, or without a length, how long anything may be, and whether the connection may serve again.
Of two opinions on where a message ends the attacker chooses, so that whatever could have two is refused.
"""

from __future__ import annotations

from typing import Any

from httptools import (  # noqa: TID251 - this module is the one that may
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

__all__ = ["Reader"]

_MAX_HEAD = 100_000
"""Bytes of the heads of an answer, the informational ones and the trailers included."""

_MAX_SILENT = 16 * 1024
"""Bytes within a body that are not of it, at a stretch: extensions of chunks, which the parser does not tell."""

_BLANKS = frozenset({b" ", b"\t"})
_LENGTH_OF_ENCODING = len(b"transfer-encoding")
_LENGTH_OF_LENGTH = len(b"content-length")
_LENGTH_BETWEEN = len(b":\r\n")
_BEGINNING = b"HTTP/"  # the parser takes two more protocols
_LENGTH_OF_BEGINNING = len(_BEGINNING)
_END = b"\r\n\r\n"
_VERSIONS = frozenset({"1.0", "1.1"})
_BODILESS = frozenset({204, 304})
_SWITCHING = 101
_FINAL = 200
_FIRST = 100


class _RefusalError(Exception):
    """Leaves the parser, which would go on."""


class Reader:
    """Reads the answers that come over one connection, whatever brings their bytes.

    Attributes:
        received: Bytes of this answer so far.
        unread: Bytes of its body that wait here.
        pieces: The body as far as it came, to be had by `take`.
        has_head: Whether `status` and `headers` are there.
        is_over: Whether the answer is complete; also before the first request.
        is_malformed: Whether nothing more can be made of what comes.
        has_more: Whether something came that no request had asked for.
    """

    __slots__ = (
        "_beginning",
        "_has_length",
        "_is_between",
        "_is_chunked",
        "_keeps",
        "_method",
        "_parser",
        "_silent",
        "_spent",
        "has_head",
        "has_more",
        "headers",
        "is_malformed",
        "is_over",
        "pieces",
        "received",
        "status",
        "unread",
    )

    def __init__(self) -> None:
        self._parser: Any = None
        self._is_between = False
        self.has_more = False
        self.expect("")
        self.is_over = True

    def expect(self, method: str) -> None:
        """Read the answer to a request with this method."""
        if not self._is_between:  # the parser may be inside of a message that we know to be over
            self._parser = HttpResponseParser(self)
        self._method = method
        self._beginning = b""
        self._has_length = self._is_chunked = self._keeps = False
        self._silent = self._spent = 0
        self.received = self.unread = self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.has_head = self.is_over = self.is_malformed = False

    @property
    def begins_like_tls(self) -> bool:
        """Whether it is an alert of TLS that came, as it does when plain HTTP is spoken to a port that wants TLS."""
        return self._beginning[:2] == b"\x15\x03"

    @property
    def keeps(self) -> bool:
        """Whether the connection may serve another request."""
        return self.is_over and self._keeps and not self.has_more

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take what was received."""
        if self.is_over:
            self.has_more = True
            self.unread += len(data)
        if self.is_over or self.is_malformed:
            return
        size = len(data)
        self.received += size
        self._silent += size
        try:
            if len(self._beginning) < _LENGTH_OF_BEGINNING:
                self._begin(data)
            self._parser.feed_data(data)
            if self._silent > (_MAX_SILENT if self.has_head else _MAX_HEAD):
                self._fail()
            elif self._is_chunked:
                self._look_behind(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            cause = error.__context__
            if isinstance(error, HttpParserCallbackError) and not isinstance(cause, _RefusalError) and cause:
                raise cause from None  # such as an interrupt from the keyboard
            self._fail()
        except _RefusalError:
            self._fail()

    def end(self) -> None:
        """Note that the server hung up, with which an answer without a length is complete."""
        if self.has_head and not self._has_length and not self.is_malformed:
            self.is_over = True
        elif not self.is_over:
            self.is_malformed = True

    def take(self) -> bytes:
        """Return what came of the body since the last time."""
        pieces, self.pieces = self.pieces, []
        self.unread = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def forget(self) -> None:
        """Let go of what nobody will read: the parser refers to this object, and both stay until they are collected."""
        self.pieces = []
        self.headers = []

    def _begin(self, data: bytes | bytearray | memoryview) -> None:
        self._beginning += data[: _LENGTH_OF_BEGINNING - len(self._beginning)]
        if not _BEGINNING.startswith(self._beginning):
            raise _RefusalError

    def _look_behind(self, data: bytes | bytearray | memoryview) -> None:
        # Of an answer without a body the parser waits for a chunk, and says nothing of the digits of a size.
        if self.is_over and not self._is_between and not _END.endswith(bytes(data[-len(_END) :])):
            self.has_more = True

    def _fail(self) -> None:
        # What cannot be read may be behind the answer, in the same packet.
        if self.is_over:
            self.has_more = True
        else:
            self.is_malformed = True

    def _finish(self) -> None:
        # Only inside of a callback does the parser know.
        self._keeps = self._parser.get_http_version() == "1.1" and self._parser.should_keep_alive()
        self.is_over = True

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._is_between = False
        if self.is_over:
            self.has_more = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_over:
            return
        self._silent = 0
        self._spent += len(name) + len(value) + _LENGTH_BETWEEN
        if self._spent > _MAX_HEAD:
            raise _RefusalError
        if self.has_head:
            return  # a trailer
        if value[-1:] in _BLANKS:
            value = value.rstrip(b" \t")
        self.headers.append((name, value))
        size = len(name)
        if size == _LENGTH_OF_ENCODING and name.lower() == b"transfer-encoding":
            if self._has_length or value.lower() != b"chunked":
                raise _RefusalError
            self._has_length = self._is_chunked = True
        elif size == _LENGTH_OF_LENGTH and name.lower() == b"content-length":
            self._has_length = True

    def on_headers_complete(self) -> None:
        if self.is_over:
            return
        status = self._parser.get_status_code()
        if status < _FIRST or status == _SWITCHING or self._parser.get_http_version() not in _VERSIONS:
            raise _RefusalError
        self._silent = 0
        if status < _FINAL:
            self._spent += len("HTTP/1.1 100\r\n\r\n")  # else there could be any number of them
            if self._spent > _MAX_HEAD:
                raise _RefusalError
            return
        self.status = status
        self.has_head = True
        if self._method == "HEAD" or status in _BODILESS or (self._method == "CONNECT" and status < 300):  # noqa: PLR2004
            self._finish()

    def on_body(self, data: bytes) -> None:
        self._silent = 0
        if self.is_over:
            self.has_more = True
        else:
            self.pieces.append(data)
            self.unread += len(data)

    def on_message_complete(self) -> None:
        self._is_between = True
        self._silent = 0
        if self.has_head:
            if not self.is_over:
                self._finish()
            elif self._is_chunked and self.status not in _BODILESS:
                self.has_more = True  # the end of a body that an answer like this has not
        else:  # it was an informational one
            self.headers.clear()
            self._has_length = self._is_chunked = False
