"""Requests of HTTP/1.1, without any I/O: what their heads say, and the bodies in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ipfs_accel.errors import ConfigError, InvalidRequestError

from .base import Proxy, Target

__all__ = ["LAST_CHUNK", "Body", "Heads", "Request", "build_request"]

LAST_CHUNK = b"0\r\n\r\n"

_PIECE = 256 * 1024
_MAX_CACHED_NAMES = 256
_MAX_CACHED_HEADS = 64
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset({"host", "content-length", "transfer-encoding"})

_names: dict[str, str] = {}


class Request:
    """A request, ready to be sent; it shows none of its headers.

    Attributes:
        fields: Its headers, the key among them.
        body: In pieces; a list of them if they are at hand.
        is_chunked: Whether the body's length is not known before its end.
        replayable: Whether it can be sent twice.
    """

    __slots__ = ("_start", "body", "fields", "is_chunked", "method", "replayable", "target")

    def __init__(self, method: str, target: Target, fields: list[tuple[str, str]], start: bytes | None = None) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        self._start = start
        self.body: list[bytes] | Body = []
        self.is_chunked = False
        self.replayable = True

    def __repr__(self) -> str:
        return f"Request({self.method} {self.target.name})"

    def head(self, proxy: Proxy | None = None) -> bytes:
        """Return what is sent before the body; a proxy without a tunnel is told the whole URL."""
        if self._start is not None and proxy is None:
            length = len(self.body[0]) if self.body else 0  # type: ignore[index]
            return b"%bcontent-length: %d\r\n\r\n" % (self._start, length)
        target = self.target
        url = target.path
        lines = [f"{name}: {value}\r\n" for name, value in self.fields]
        if proxy is not None and not target.is_secure:
            url = f"http://{target.host}{url}"
            if proxy.authorization is not None:
                lines.append(f"Proxy-Authorization: {proxy.authorization}\r\n")
        return f"{self.method} {url} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")

    def framed(self, piece: bytes) -> bytes:
        """Return a piece of the body as it is sent: nothing for an empty one, which as a chunk would end the body."""
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self.is_chunked and piece else piece


class _Head:
    """What is sent before the length of the body, and the same as pairs; it shows none of it."""

    __slots__ = ("fields", "start")

    def __init__(self, fields: tuple[tuple[str, str], ...], start: bytes) -> None:
        self.fields = fields
        self.start = start


class Heads:
    """The heads of a transport's last requests, checked and written: a program sends few, over and over."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Any, _Head] = {}

    def find(self, method: str, target: Target, headers: Iterable[tuple[str, str]]) -> _Head | None:
        """Return what was kept for a request with these headers."""
        return self._known.get((method, target, *headers))

    def keep(self, request: Request, headers: Iterable[tuple[str, str]]) -> None:
        """Keep the head of a request whose body is bytes of which nobody has declared the length."""
        if len(self._known) >= _MAX_CACHED_HEADS:
            self._known.clear()
        fields = tuple(request.fields[:-1])
        lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
        start = f"{request.method} {request.target.path} HTTP/1.1\r\n{lines}".encode("latin-1")
        self._known[request.method, request.target, *headers] = _Head(fields, start)


def build_request(
    method: str, target: Target, headers: Iterable[tuple[str, str]], body: Any, heads: Heads | None = None
) -> Request:
    """Return a request.

    Raises:
        ConfigError: A header cannot be sent as it is; its value is not shown.
    """
    may_be_known = heads is not None and type(body) is bytes and 0 < len(body) <= _PIECE
    if may_be_known and (known := heads.find(method, target, headers)) is not None:  # type: ignore[union-attr]
        request = Request(method, target, [*known.fields, ("content-length", str(len(body)))], known.start)
        request.body = [body]
        return request
    if method not in _METHODS and not _TOKEN.fullmatch(method):
        raise InvalidRequestError(f"{method!r} is no HTTP method")
    request = Request(method, target, [("host", target.host)])
    declared: int | None = None
    has_encoding = False
    for name, value in headers:
        lower = _names.get(name) or _checked(name)
        if not (value.isascii() and value.isprintable()) and _BAD_VALUE.search(value):
            raise _refused(name)
        if lower in _OURS:
            declared = _check_ours(lower, value.strip(" \t"), target, declared)
            continue
        if lower == "accept-encoding":
            has_encoding = True
        request.fields.append((name, value.strip(" \t")))
    if not has_encoding:
        request.fields.append(("accept-encoding", "identity"))
    _frame(request, body, declared)
    if may_be_known and declared is None:
        heads.keep(request, headers)  # type: ignore[union-attr]
    return request


def _checked(name: str) -> str:
    """Return the name of a header in lower case; a program uses few of them, over and over."""
    if not _TOKEN.fullmatch(name):
        raise _refused(name)
    if len(_names) >= _MAX_CACHED_NAMES:
        _names.clear()
    return _names.setdefault(name, name.lower())


def _refused(name: str) -> ConfigError:
    return ConfigError(f"the header {name!r} holds characters that HTTP does not allow, such as line breaks")


def _check_ours(name: str, value: str, target: Target, declared: int | None) -> int | None:
    # These three decide where a request goes and where it ends. A second opinion on that is how requests are smuggled.
    if name == "host" and value.lower() == target.host.lower():
        return declared
    if name == "content-length" and declared is None and value.isascii() and value.isdigit():
        return int(value)
    raise ConfigError(f"the header {name!r} is set from the URL and the body; the one given says something else")


def _frame(request: Request, body: Any, declared: int | None) -> None:
    """Give the request its body, and the header that says where it ends."""
    if body is None or isinstance(body, (bytes, bytearray, memoryview)):
        content = b"" if body is None else bytes(body)
        if declared is not None and declared != len(content):
            raise InvalidRequestError(f"content-length says {declared}, but the body has {len(content)} bytes")
        if content or body is not None or request.method in _WITH_BODY:
            request.fields.append(("content-length", str(len(content))))
        request.body = _pieces(content)
        return
    if declared is None:
        request.is_chunked = True
        request.fields.append(("transfer-encoding", "chunked"))
    else:
        request.fields.append(("content-length", str(declared)))
    request.body = Body(body, declared)
    # What is its own iterator can be read once only.
    request.replayable = not hasattr(body, "__next__") and not hasattr(body, "__anext__")


def _pieces(content: bytes) -> list[bytes]:
    """Cut a large body, so that the write limit is one on progress and not on the whole of it."""
    if len(content) <= _PIECE:
        return [content] if content else []
    view = memoryview(content)
    return [view[start : start + _PIECE] for start in range(0, len(content), _PIECE)]  # type: ignore[misc]


class Body:
    """A body in pieces, for both worlds; it may be iterated anew only if what it is made of can."""

    def __init__(self, source: Any, declared: int | None) -> None:
        self._source = source
        self._declared = declared

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for piece in self._source:
            length = self.count(piece, length)
            yield piece
        self.finish(length)

    def __aiter__(self) -> _AsyncPieces:
        return _AsyncPieces(self, self._source)

    def count(self, piece: bytes, so_far: int) -> int:
        """Return the length including the next piece."""
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise InvalidRequestError(f"a body has to be made of bytes, not {type(piece).__name__}")
        so_far += len(piece)
        if self._declared is not None and so_far > self._declared:
            raise InvalidRequestError(f"content-length says {self._declared}, but the body is longer")
        return so_far

    def finish(self, length: int) -> None:
        """Check that the body was as long as declared."""
        if self._declared is not None and length < self._declared:
            raise InvalidRequestError(f"content-length says {self._declared}, but the body has {length} bytes")


class _AsyncPieces:
    """A class rather than a generator: one of those that is left half-way has to be closed by somebody."""

    def __init__(self, body: Body, source: Any) -> None:
        self._body = body
        self._is_async = hasattr(source, "__aiter__")
        self._pieces: Any = aiter(source) if self._is_async else iter(source)
        # Lists are at hand; anything else may wait for a disk.
        self._is_blocking = not self._is_async and not isinstance(source, list)
        self._length = 0

    def __aiter__(self) -> _AsyncPieces:
        return self

    async def __anext__(self) -> bytes:
        if self._is_async:
            piece = await anext(self._pieces, None)
        elif self._is_blocking:
            from anyio import to_thread  # noqa: PLC0415 - only who sends files in the asynchronous world needs it

            piece = await to_thread.run_sync(next, self._pieces, None)
        else:
            piece = next(self._pieces, None)
        if piece is None:
            self._body.finish(self._length)
            raise StopAsyncIteration
        self._length = self._body.count(piece, self._length)
        return piece  # type: ignore[no-any-return]
