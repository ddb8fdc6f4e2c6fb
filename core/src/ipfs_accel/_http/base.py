"""What both worlds share: options, connections, URLs and requests. The HTTP library is imported here and only here."""

from __future__ import annotations

import functools
import logging
import os
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import attrs

from ipfs_accel._url import is_here
from ipfs_accel.errors import ConfigError, InvalidRequestError
from ipfs_accel.installing import install_command

_library = os.environ.get("IPFS_ACCEL_HTTP") or "httpx"
if _library not in {"httpx", "httpx2"}:
    raise ConfigError(f"IPFS_ACCEL_HTTP is {_library!r}; it may be httpx (the default) or httpx2")
if not TYPE_CHECKING and _library == "httpx2":
    import httpcore2 as http  # noqa: TID251 - as below
else:
    import httpcore as http  # noqa: TID251 - this package is the one that may

# Its log of every step shows headers as they come, in which a server may repeat a key: who wants it has to ask for it.
_log = logging.getLogger(http.__name__)
if _log.level == logging.NOTSET:
    _log.setLevel(logging.WARNING)

__all__ = [
    "Body",
    "Proxy",
    "Target",
    "Timeouts",
    "TransportOptions",
    "build_request",
    "connect",
    "find_os_error",
    "http",
    "make_ssl_context",
    "parse_proxy",
    "parse_url",
]

PIECE = 64 * 1024
_MAX_CACHED_URLS = 256
_MAX_WRAPPINGS = 10
_MAX_LABEL = 63
_CA_HINT = "set `verify` to the file or directory of the certificate authority that signed the server's certificate"


@attrs.frozen(kw_only=True)
class Timeouts:
    """Time limits of one exchange in seconds; None is no limit.

    Attributes:
        connect: To connect, and again for the TLS handshake.
        read: Of silence while waiting for the head or for more of the body.
        write: Without progress while sending.
        pool: To wait for a connection when all are in use.
        total: From the call of `send` to the end of the body.
    """

    connect: float | None = 5.0
    read: float | None = 60.0
    write: float | None = 60.0
    pool: float | None = 10.0
    total: float | None = None


@attrs.frozen
class TransportOptions:
    """How a transport connects.

    Attributes:
        max_connections: Open at the same time, to all servers together.
        max_idle: Kept open without a request.
        keepalive_expiry: Seconds after which an idle connection is not used again.
        verify: True for the usual certificate authorities, False for none, a path of a file or directory, or a context.
        proxy: URL of an HTTP or SOCKS5 proxy; no environment variable is ever read for it, and what is on this machine
            is reached without it.
    """

    max_connections: int = 200
    max_idle: int = 50
    keepalive_expiry: float = 30.0
    verify: bool | str | ssl.SSLContext = True
    proxy: str | None = attrs.field(default=None, repr=False)


# Connecting


def _socket_options() -> list[tuple[int, int, int]]:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in ((idle, 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


SOCKET_OPTIONS = _socket_options()


# Loading the certificate authorities takes some 30 ms, so all transports of the process share the result.
_usual_context = functools.cache(http.default_ssl_context)


@functools.cache
def _trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_ssl_context(verify: bool | str | ssl.SSLContext) -> ssl.SSLContext:
    """Return the TLS settings that `verify` stands for."""
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, bool):
        return _usual_context() if verify else _trusting_context()
    try:
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else (error.strerror or "cannot be read")
        raise ConfigError(f"the certificate file {verify!r} is of no use: {reason}", hint=_CA_HINT) from None


@attrs.frozen
class Proxy:
    """Where requests go instead of to the server."""

    url: Any
    is_secure: bool
    auth: tuple[bytes, bytes] | None = attrs.field(repr=False)


def parse_proxy(url: str) -> Proxy:
    """Split the URL of a proxy; its errors never show the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("the proxy's URL is malformed") from None
    scheme = parts.scheme
    if scheme not in {"http", "https", "socks5", "socks5h"} or not parts.hostname:
        raise ConfigError("a proxy's URL has to be http://host:port, https://host:port or socks5://host:port")
    if scheme.startswith("socks5") and find_spec("socksio") is None:
        raise ConfigError("a SOCKS proxy needs the package socksio", hint=f"run: {install_command('socksio')}")
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username).encode(), unquote(parts.password or "").encode())
    port = port or {"http": 80, "https": 443}.get(scheme, 1080)
    target = http.URL(scheme=scheme, host=_ascii_host(parts.hostname), port=port, target="/")
    return Proxy(url=target, is_secure=scheme == "https", auth=auth)


def connect(kinds: Any, target: Target, line: Any, context: ssl.SSLContext | None, proxy: Proxy | None) -> Any:
    """Return one connection of the library, of the sync or the async kind, that uses the line as its network."""
    common: dict[str, Any] = {"ssl_context": context, "keepalive_expiry": None, "network_backend": line}
    if proxy is None or target.is_here:
        return kinds.direct(target.origin, socket_options=SOCKET_OPTIONS, **common)
    common |= {"proxy_auth": proxy.auth, "max_connections": 1}
    if proxy.url.scheme.startswith(b"socks5"):
        return kinds.socks(proxy.url, **common)
    if proxy.is_secure:
        common["proxy_ssl_context"] = context
    return kinds.proxy(proxy.url, socket_options=SOCKET_OPTIONS, **common)


# Requests


@attrs.frozen
class Target:
    """A URL, taken apart."""

    key: str
    name: str
    host: bytes
    is_secure: bool
    is_here: bool
    origin: Any
    url: Any = attrs.field(repr=False)


_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

_targets: dict[str, Target] = {}


def parse_url(url: str) -> Target:
    """Take a URL apart, or find it in a small cache: a program uses few of them, over and over."""
    target = _targets.get(url)
    if target is None:
        target = _parse_url(url)
        if len(_targets) >= _MAX_CACHED_URLS:
            _targets.clear()
        _targets[url] = target
    return target


def _parse_url(url: str) -> Target:
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme
    except ValueError:
        raise ConfigError("a URL is malformed: its host or port cannot be read") from None
    if scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise ConfigError("a URL has to be http://host/... or https://host/..., without a user name or password in it")
    default = 443 if scheme == "https" else 80
    raw_path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _UNPRINTABLE.search(url) or not raw_path.isascii():
        raise ConfigError(f"a URL of {host} has spaces, control or non-ASCII characters; they must be percent-encoded")
    raw_host = _ascii_host(host)
    shown = f"[{host}]" if ":" in host else raw_host.decode()
    port = port or default
    return Target(
        key=f"{scheme}://{shown}:{port}",
        name=f"{shown}:{port}",
        host=(shown if port == default else f"{shown}:{port}").encode(),
        is_secure=scheme == "https",
        is_here=is_here(url),
        origin=http.Origin(scheme.encode(), raw_host, port),
        url=http.URL(scheme=scheme, host=raw_host, port=None if port == default else port, target=raw_path),
    )


def _ascii_host(host: str) -> bytes:
    try:
        raw = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError:
        raw = b""
    labels = raw.removesuffix(b".").split(b".")
    if b":" not in raw and not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise ConfigError(f"{host!r} is no valid host name")
    return raw


def build_request(
    method: str, target: Target, headers: Iterable[tuple[str, str]], body: Any, timeouts: Timeouts
) -> tuple[Any, bool]:
    """Return a request of the library, and whether it can be sent twice.

    Raises:
        ConfigError: A header cannot be sent as it is; its value is not shown.
    """
    if not _TOKEN.fullmatch(method):
        raise InvalidRequestError(f"{method!r} is no HTTP method")
    encoded = [(b"host", target.host)]
    declared: int | None = None
    has_encoding = False
    for name, value in headers:
        lower = name.lower()
        if not _TOKEN.fullmatch(lower) or _BAD_VALUE.search(value):
            raise ConfigError(f"the header {name!r} holds characters that HTTP does not allow, such as line breaks")
        if lower in _OURS:
            declared = _check_ours(lower, value.strip(" \t"), target, declared)
            continue
        if lower == "accept-encoding":
            has_encoding = True
        encoded.append((name.encode("ascii"), value.strip(" \t").encode("latin-1")))
    if not has_encoding:
        encoded.append((b"accept-encoding", b"identity"))
    limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.write}
    content, replayable = _frame(method, encoded, body, declared)
    request = http.Request(method, target.url, headers=encoded, content=content, extensions={"timeout": limits})
    return request, replayable


_OURS = frozenset({"host", "content-length", "transfer-encoding"})


def _check_ours(name: str, value: str, target: Target, declared: int | None) -> int | None:
    # These three decide where a request goes and where it ends. A second opinion on that is how requests are smuggled.
    if name == "host" and value.encode("latin-1").lower() == target.host.lower():
        return declared
    if name == "content-length" and declared is None and value.isascii() and value.isdigit():
        return int(value)
    raise ConfigError(f"the header {name!r} is set from the URL and the body; the one given says something else")


def _frame(method: str, headers: list[tuple[bytes, bytes]], body: Any, declared: int | None) -> tuple[Any, bool]:
    """Add the header that says where the body ends; return the body for the library and whether it can be resent."""
    if body is None or isinstance(body, (bytes, bytearray, memoryview)):
        content = b"" if body is None else bytes(body)
        if declared is not None and declared != len(content):
            raise InvalidRequestError(f"content-length says {declared}, but the body has {len(content)} bytes")
        if content or body is not None or method in _WITH_BODY:
            headers.append((b"content-length", b"%d" % len(content)))
        # Never bare bytes: the library would wrap them in an asynchronous generator, and one that a cancellation leaves
        # half-way makes the event loop complain.
        return Body(_pieces(content), len(content)), True
    if declared is None:
        headers.append((b"transfer-encoding", b"chunked"))
    else:
        headers.append((b"content-length", b"%d" % declared))
    # What is its own iterator can be read once only.
    return Body(body, declared), not hasattr(body, "__next__") and not hasattr(body, "__anext__")


def _pieces(content: bytes) -> Iterable[bytes]:
    """Cut a large body, so that the write limit is one on progress and not on the whole of it."""
    if len(content) <= 4 * PIECE:
        return [content] if content else []
    view = memoryview(content)
    return [view[start : start + 4 * PIECE] for start in range(0, len(content), 4 * PIECE)]  # type: ignore[misc]


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


def find_os_error(error: BaseException | None) -> OSError | None:
    """Return what the operating system said, from under the library's wrappings."""
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, ssl.SSLError)):
            return error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]  # one for each address of the host; the first is the preferred one
        elif error is not None:
            error = error.__cause__ or error.__context__
    return None
