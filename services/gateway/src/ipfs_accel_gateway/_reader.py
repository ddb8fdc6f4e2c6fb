"""Reads requests of HTTP/1.1, without any I/O: what llhttp makes of the bytes, and what it leaves to its user.

The rules are those of the client's transport: whatever two might read in two ways is refused, since of two opinions on
where a message ends the sender chooses. A request that is refused is the last of its connection.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from httptools import (  # noqa: TID251 - this module is the one of the gateway that may
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from ._incoming import Incoming
from ._seen import Seen, seen

__all__ = ["MAX_HEAD", "ONCE", "Bad", "Reader"]

MAX_HEAD = 32 * 1024
"""Bytes of a head, the trailers included."""

_MAX_SILENT = 16 * 1024
"""Bytes within a body that are not of it, at a stretch: extensions of chunks, which the parser does not tell."""

_VERSIONS = frozenset({"1.0", "1.1"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LEAST = 1024
"""Bytes that a request takes besides its body."""
_FRAMED = frozenset({"content-length", "transfer-encoding"})
_OFFER = frozenset({"upgrade", "connection", "http2-settings"})
_BETWEEN = len(b":\r\n")
_BLANKS = " \t"


class Bad(Exception):  # noqa: N818 - it is a request, and the answer to it
    """A request that is refused.

    Attributes:
        status: HTTP status of the answer.
        reason: What is wrong with it.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


ONCE = frozenset({"host", "authorization", "x-api-key", "x-goog-api-key", "content-type", "content-encoding"})
"""With two of these a request would mean two things."""


class Reader:
    """Reads the requests that come over one connection, whatever brings their bytes.

    Attributes:
        requests: Those that are complete, oldest first.
        is_between: Whether nothing of a further request has come.
        has_head: Whether the head of the request that is read has come.
        expects: Whether its sender waits for permission to send the body.
        bad: What is wrong with what came after `requests`; nothing more is read then.
    """

    def __init__(self, max_body: int) -> None:
        self.requests: deque[Incoming] = deque()
        self.bad: Bad | None = None
        self._max_body = max_body
        self._parser: Any = HttpRequestParser(self)
        self._silent = 0
        self._again = b""
        self._last: Seen | None = None
        self._whole: Incoming | None = None
        self._left = 0
        self.is_between = True
        self._begin()

    def feed(self, data: bytes | memoryview) -> None:
        """Take what was received."""
        if self.bad is not None:
            return
        if self.is_between:
            self._feed_between(bytes(data))
        elif self._left:
            self._feed_body(bytes(data))
        else:
            self._parse(data)

    def _feed_between(self, data: bytes) -> None:
        """Read what begins with a request: the parser is spared a head that is the last one again."""
        last = self._last
        found = None if last is None else last.find(data, self._max_body)
        if found is None or last is None:
            count = len(self.requests)
            self._parse(data)
            if len(self.requests) == count + 1 and self.is_between and self.bad is None:
                self._last = seen(data, self.requests[-1])
            return
        at, self._left = found
        self._begin(last)
        self._whole = last.request
        self.is_between = False
        self.has_head = True
        self._feed_body(data[at:])

    def _feed_body(self, data: bytes) -> None:
        """Take what belongs to the body of a request whose head was seen before; what follows it is the next one."""
        left, whole = self._left, self._whole
        if len(data) < left or whole is None:
            self._left -= len(data)
            self._pieces.append(data)
            return
        self._pieces.append(data if len(data) == left else data[:left])
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self.requests.append(whole.again(body))
        self._left, self._whole = 0, None
        self._begin()
        if len(data) > left:
            self.feed(data[left:])

    def _parse(self, data: bytes | memoryview) -> None:
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
            if self._silent > (_MAX_SILENT if self.has_head else MAX_HEAD):
                what = "what describes the chunks of the body" if self.has_head else "the head"
                self.bad = Bad(400 if self.has_head else 431, f"{what} is too long")
        except HttpParserUpgrade as upgrade:
            again, self._again = self._again, b""
            if again:  # as if no other protocol had been offered; else what follows would be of that
                self._parser = HttpRequestParser(self)
                self.feed(again + bytes(data[upgrade.args[0] :]))
        except HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, Bad):
                raise cause or error from None
            self.bad = cause
        except HttpParserError as error:
            self.bad = Bad(400, f"this is no request of HTTP/1.1: {error}")

    @property
    def waiting(self) -> int:
        """Bytes of the complete requests that nobody has taken yet, without those of heads."""
        return sum([len(request.body) + _LEAST for request in self.requests])

    @property
    def begun(self) -> Incoming:
        """What came of the head of a request that is not complete, whatever its method."""
        return Incoming("POST", b"".join(self._url).decode("ascii", "replace"), self._headers, keeps=False)

    def forget(self) -> None:
        """Let go of what nobody will answer: the parser refers to this object, and both would stay for a while."""
        self.requests.clear()
        self._begin()
        self._parser = self._last = self._whole = None

    def _begin(self, same: Seen | None = None) -> None:
        self._url: list[bytes] = [] if same is None else same.url
        self._headers: dict[str, str] = {} if same is None else same.request.headers
        self._pieces: list[bytes] = []
        self._size = self._spent = 0
        self.is_between = True
        self.has_head = self.expects = False

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._begin()
        self.is_between = False

    def on_url(self, url: bytes) -> None:
        self._url.append(url)
        self._spend(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._spend(len(name) + len(value) + _BETWEEN)
        if self.has_head:
            return  # a trailer
        key = name.decode("ascii").lower()
        text = value.decode("latin-1")
        if text[-1:] in _BLANKS:
            text = text.rstrip(_BLANKS)
        known = self._headers.get(key)
        if known is not None:
            if key in ONCE:
                raise Bad(400, f"the header {key!r} is there twice")
            text = f"{known}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        headers = self._headers
        if self._parser.get_http_version() not in _VERSIONS:
            raise Bad(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        coding = headers.get("transfer-encoding")
        if coding is not None and self._parser.get_http_version() == "1.0":
            raise Bad(400, "HTTP/1.0 knows no transfer-encoding, so that two could differ on where the body ends")
        if coding is not None and coding.lower() != "chunked":
            raise Bad(501, "the only transfer coding that is known here is chunked")
        length = headers.get("content-length")
        if length is not None and not length.isdecimal():
            raise Bad(400, "content-length: expected one number")
        if length is not None and int(length) > self._max_body:
            raise self._too_large()
        self._silent = 0
        self.has_head = True
        self.expects = headers.get("expect", "").lower() == "100-continue" and (
            length not in {None, "0"} or "transfer-encoding" in headers
        )

    def on_body(self, data: bytes) -> None:
        self._silent = 0
        self._size += len(data)
        if self._size > self._max_body:
            raise self._too_large()
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        parser, pieces = self._parser, self._pieces
        method = parser.get_method().decode("ascii")
        try:
            url = b"".join(self._url).decode("ascii")
        except UnicodeDecodeError:
            raise Bad(400, "the target of the request has characters that must be percent-encoded") from None
        is_old = parser.get_http_version() == "1.0"
        if not is_old and "host" not in self._headers:
            raise Bad(400, "the header 'host' is missing")
        if method not in _METHODS:
            raise Bad(501, f"the method {method} is not known here")
        if parser.should_upgrade() and self._headers.keys() & _FRAMED:
            self._again = self._without_offer(method, url)
            return
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        keeps = parser.should_keep_alive() and not parser.should_upgrade()
        self._headers.pop("content-length", None)  # it is the body's, and the others may be of several requests
        self.requests.append(Incoming(method, url, self._headers, body, keeps=keeps, is_old=is_old))
        self._silent = 0
        self._begin()

    def _without_offer(self, method: str, url: str) -> bytes:
        """Return the head without the offer to speak another protocol, for which the parser has skipped the body.

        Java's client makes that offer with each request over plain HTTP.
        """
        kept = [f"{name}: {value}\r\n" for name, value in self._headers.items() if name not in _OFFER]
        return f"{method} {url} HTTP/1.1\r\n{''.join(kept)}\r\n".encode("latin-1")

    def _spend(self, size: int) -> None:
        self._silent = 0
        self._spent += size
        if self._spent > MAX_HEAD:
            raise Bad(431, f"the head has more than {MAX_HEAD} bytes")

    def _too_large(self) -> Bad:
        return Bad(413, f"the body has more than {self._max_body} bytes")
