"""The library that httpx or httpx2 is made of, where it speaks HTTP in place of this package; nothing else imports it.

It does so for SOCKS proxies, and for everything where `IPFS_ACCEL_HTTP` names it. Only its connections are used, and
they go over the lines of this package, so that limits, pool and closing are the same.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio

from .async_line import AsyncLine
from .base import SOCKET_OPTIONS, Proxy, Target
from .chosen import CHOSEN
from .http1 import Reader
from .lines import LineState
from .network import (
    BrokenError,
    ConnectError,
    ConnectTimeoutError,
    MalformedError,
    NetworkError,
    ProxyRefusedError,
    ReadTimeoutError,
    SendError,
    UnaskedError,
    UnsendableError,
    WriteTimeoutError,
)
from .requests import Body, Request
from .sync_line import SyncLine

if not TYPE_CHECKING and CHOSEN == "httpx2":
    import httpcore2 as http  # noqa: TID251 - as below
else:
    import httpcore as http  # noqa: TID251 - this module is the one that may

__all__ = ["AsyncLibraryLine", "SyncLibraryLine"]

# Its log of every step shows headers as they come, in which a server may repeat a key: who wants it has to ask for it.
_log = logging.getLogger(http.__name__)
if _log.level == logging.NOTSET:
    _log.setLevel(logging.WARNING)

_SYNC = SimpleNamespace(direct=http.HTTPConnection, proxy=http.HTTPProxy, socks=http.SOCKSProxy)
_ASYNC = SimpleNamespace(direct=http.AsyncHTTPConnection, proxy=http.AsyncHTTPProxy, socks=http.AsyncSOCKSProxy)
_FOR_THE_LIBRARY = (
    (ConnectTimeoutError, http.ConnectTimeout),
    (ReadTimeoutError, http.ReadTimeout),
    (WriteTimeoutError, http.WriteTimeout),
    (ConnectError, http.ConnectError),
    (SendError, http.WriteError),
    (BrokenError, http.ReadError),
)
_ITS_OWN = (
    http.TimeoutException,
    http.NetworkError,
    http.ProtocolError,
    http.ProxyError,
    http.UnsupportedProtocol,
    http.ConnectionNotAvailable,
)


@contextmanager
def _for_the_library() -> Iterator[None]:
    """Raise what the library expects of a network."""
    try:
        yield
    except NetworkError as error:
        for ours, its in _FOR_THE_LIBRARY:
            if isinstance(error, ours):
                raise its from error
        raise


@contextmanager
def _from_the_library() -> Iterator[None]:
    """Raise what a line raises."""
    try:
        yield
    except _ITS_OWN as error:
        found = error
    else:
        return
    original = found.__cause__ or found.__context__  # its pool raises everything anew, from nothing
    if isinstance(original, NetworkError):
        raise original
    if isinstance(found, http.ProxyError):
        status = str(found)[:3]
        raise ProxyRefusedError(int(status) if status.isdigit() else None)
    raise MalformedError if isinstance(found, http.RemoteProtocolError) else UnsendableError


class _Raw(Reader):
    """Keeps what was received until the library reads it."""

    __slots__ = ()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        if not self.received:
            self._beginning = bytes(data[:5])
        self.pieces.append(bytes(data))
        self.unread += len(data)

    def end(self) -> None:
        pass

    def read(self, most: int) -> bytes:
        """Return up to so many bytes."""
        data = self.take()
        if len(data) > most:
            self.feed(data[most:])
            data = data[:most]
        self.received += len(data)
        return data


def _connection(kinds: Any, line: LineState, network: Any) -> Any:
    """Return one connection of the library, of the sync or the async kind."""
    target, proxy = line.target, line.proxy
    common: dict[str, Any] = {"ssl_context": line.context, "keepalive_expiry": None, "network_backend": network}
    origin = http.Origin(_scheme(target).encode(), target.hostname.encode(), target.port)
    if proxy is None:
        return kinds.direct(origin, socket_options=SOCKET_OPTIONS, **common)
    common |= {"proxy_auth": proxy.user, "max_connections": 1}
    url = http.URL(scheme=proxy.scheme, host=proxy.hostname, port=proxy.port, target="/")
    if proxy.is_socks:
        return kinds.socks(url, **common)
    if proxy.is_secure:
        common["proxy_ssl_context"] = line.context
    return kinds.proxy(url, socket_options=SOCKET_OPTIONS, **common)


def _is_idle(connection: Any) -> bool:
    """Whether the library has come to the end of an exchange: an interrupt may have stopped it in the middle."""
    # To proxies it speaks by a pool, of one connection here.
    return all(each.is_idle() for each in getattr(connection, "connections", (connection,)))


def _scheme(target: Target) -> str:
    return "https" if target.is_secure else "http"


def _request(request: Request, line: LineState) -> Any:
    target, timeouts = request.target, line.timeouts
    limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.write}
    port = target.port if target.host == target.name else None
    # Never bare bytes: the library would wrap them in an asynchronous generator, and one that a cancellation leaves
    # half-way makes the event loop complain.
    body = Body(request.body, None) if isinstance(request.body, list) else request.body
    return http.Request(
        request.method,
        http.URL(scheme=_scheme(target), host=target.hostname, port=port, target=target.path),
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.fields],
        content=body,
        extensions={"timeout": limits},
    )


class _Spoken(LineState):
    """What the library's lines of both worlds have in common."""

    _connection: Any
    _is_with_proxy = False

    def begin_tls(self) -> None:
        """Note with whom it is: a proxy that is reached over it, or the server in the tunnel."""
        self.sent, self.sink.received = False, 0  # what was said to a proxy is not part of the exchange
        if self.proxy is not None and self.proxy.is_secure and not self._is_with_proxy:
            self._is_with_proxy = True
        else:
            self.asks_proxy = False

    @property
    def is_over(self) -> bool:
        return False  # the library says it when it is asked for more

    @property
    def keeps(self) -> bool:
        return self.is_open and _is_idle(self._connection)


class SyncLibraryLine(_Spoken, SyncLine):
    """A connection over which the library speaks."""

    def __init__(self, target: Target, generation: int, proxy: Proxy | None = None, context: Any = None) -> None:
        super().__init__(target, generation, proxy, context)
        self.sink: _Raw = _Raw()
        self._connection = _connection(_SYNC, self, _SyncNetwork(self))

    def ask(self, request: Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        with _from_the_library():
            response = self._connection.handle_request(_request(request, self))
        if not self.received:  # the bytes of this head were there before the request: they cannot be its answer
            raise UnaskedError
        self.hear(response.status)
        self._stream = response.stream
        self._body: Iterator[bytes] = iter(response.stream)
        return response.status, response.headers

    def more(self) -> bytes | None:
        with _from_the_library():
            for data in self._body:
                return data
            self._stream.close()
        return None

    def is_readable(self) -> bool:
        return self.sink.unread > 0 or super().is_readable()


class _SyncNetwork(http.NetworkBackend):
    """Makes the network connection of a line."""

    def __init__(self, line: SyncLibraryLine) -> None:
        self._line: Any = weakref.proxy(line)  # whoever drops the line is to end it at once

    def connect_tcp(self, *_: Any, **__: Any) -> http.NetworkStream:
        line = self._line
        with _for_the_library():
            line.connect_tcp(*line.start_connecting())
        return _SyncTap(line)


class _SyncTap(http.NetworkStream):
    """The network connection of a line; the line knows newer limits than those that the library passes."""

    def __init__(self, line: Any) -> None:
        self._line: SyncLibraryLine = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        line = self._line
        with _for_the_library():
            if line.held:
                line.write(b"")
            while not (line.sink.unread or line.eof):
                line.fill()
        return line.sink.read(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        line = self._line
        if not line.sent and not line.held:
            line.held = buffer  # one packet is to carry the head and the body
            return
        if not buffer:  # it ends every body so, and even that would take a reset from the socket, before it is read
            return
        with _for_the_library():
            line.write(buffer)

    def close(self) -> None:
        with suppress(ReferenceError):  # a line that is gone was closed
            self._line.close()

    def start_tls(
        self,
        ssl_context: Any,  # noqa: ARG002 - it is the line's
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> http.NetworkStream:
        line = self._line
        with _for_the_library():
            line.begin_tls()
            line.start_tls(server_hostname or line.target.hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._line.tls
        return self._line.is_readable() if info == "is_readable" else None


class AsyncLibraryLine(_Spoken, AsyncLine):
    """A connection over which the library speaks."""

    def __init__(self, target: Target, generation: int, proxy: Proxy | None = None, context: Any = None) -> None:
        super().__init__(target, generation, proxy, context)
        self.sink: _Raw = _Raw()
        self._connection = _connection(_ASYNC, self, _AsyncNetwork(self))
        self._body: AsyncIterator[bytes] | None = None

    async def ask(self, request: Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        with _from_the_library():
            response = await self._connection.handle_async_request(_request(request, self))
        if not self.received:  # as above
            raise UnaskedError
        self.hear(response.status)
        self._stream = response.stream
        self._body = aiter(response.stream)
        return response.status, response.headers

    async def more(self) -> bytes | None:
        with _from_the_library():
            if self._body is not None:
                async for data in self._body:
                    return data
                self._body = None
                await self._stream.aclose()
        return None

    def is_readable(self) -> bool:
        return self.sink.unread > 0 or super().is_readable()

    async def drop(self) -> None:
        self.hang_up()
        with anyio.CancelScope(shield=True):
            try:
                await self._finish_body()
            finally:
                await super().drop()

    async def _finish_body(self) -> None:
        # A generator that is left half-way would be finished by the event loop some time later, with a warning by trio.
        # Without time left the line reads nothing more, so this runs into a timeout in a few steps.
        body, self._body = self._body, None
        self.deadline = 0.0
        with suppress(Exception):
            while body is not None:
                await anext(body)


class _AsyncNetwork(http.AsyncNetworkBackend):
    """Makes the network connection of a line."""

    def __init__(self, line: AsyncLibraryLine) -> None:
        self._line: Any = weakref.proxy(line)  # whoever drops the line is to end it at once

    async def connect_tcp(self, *_: Any, **__: Any) -> http.AsyncNetworkStream:
        line = self._line
        with _for_the_library():
            await line.connect_tcp(*line.start_connecting())
        return _AsyncTap(line)


class _AsyncTap(http.AsyncNetworkStream):
    """The network connection of a line; the line knows newer limits than those that the library passes."""

    def __init__(self, line: Any) -> None:
        self._line: AsyncLibraryLine = line

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        line = self._line
        with _for_the_library():
            if line.held:
                await line.write(b"")
            while not (line.sink.unread or line.eof):
                await line.fill()
        return line.sink.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        line = self._line
        if not line.sent and not line.held:
            line.held = buffer  # one packet is to carry the head and the body
            return
        if not buffer:  # as above
            return
        with _for_the_library():
            await line.write(buffer)

    async def aclose(self) -> None:
        with suppress(ReferenceError):  # as above
            await self._line.close()

    async def start_tls(
        self,
        ssl_context: Any,  # noqa: ARG002 - it is the line's
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
    ) -> http.AsyncNetworkStream:
        line = self._line
        with _for_the_library():
            line.begin_tls()
            await line.start_tls(server_hostname or line.target.hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._line.is_readable() if info == "is_readable" else None
