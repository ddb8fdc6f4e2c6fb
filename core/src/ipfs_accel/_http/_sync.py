"""The transport of the synchronous world; any number of threads may share one."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from .._headers import Headers
from ..errors import APIConnectionError, ClientClosedError, InvalidResponseError
from ._base import (
    Target,
    Timeouts,
    TransportOptions,
    build_request,
    connect,
    http,
    make_ssl_context,
    parse_proxy,
    parse_url,
)
from ._faults import LineState, pool_timeout, too_long, translate
from ._inflate import inflater_for
from ._pool import New, Pool, PoolStats, Waiter

__all__ = ["Exchange", "Transport"]

_KINDS = SimpleNamespace(direct=http.HTTPConnection, proxy=http.HTTPProxy, socks=http.SOCKSProxy)
_NETWORK = http.SyncBackend()
_MAX_DISCARDED = 256 * 1024


class _Line(LineState, http.NetworkBackend):
    """One connection: it makes the network connection for the library and watches what goes over it."""

    stream: _Tap

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> http.NetworkStream:
        limit = self.left(timeout, http.ConnectTimeout)
        stream = _NETWORK.connect_tcp(host, port, limit, local_address, socket_options)
        self.stream = _Tap(stream, self)
        self.is_open = True
        return self.stream

    def is_readable(self) -> bool:
        return not self.is_open or bool(self.stream.get_extra_info("is_readable"))

    def drop(self) -> None:
        """Close it, whatever it is doing."""
        if self.is_open:
            # Wakes a thread that is reading from it, which closing alone does not.
            with contextlib.suppress(OSError):
                self.stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(Exception):
                self.stream.close()

    def forget(self) -> None:
        """Let go of it in a forked child: neither FIN nor TLS alert, for the parent goes on using it."""
        if self.is_open:
            self.is_open = False
            with contextlib.suppress(OSError):
                os.close(self.stream.get_extra_info("socket").detach())


class _Tap(http.NetworkStream):
    """The network connection of a line, seen by the library."""

    def __init__(self, inner: http.NetworkStream, line: _Line) -> None:
        self._inner = inner
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        line = self._line
        if line.held:
            # As the library does: a server may refuse early and hang up, but its answer can still be read.
            with contextlib.suppress(http.WriteError):
                self.write(b"", line.timeouts.write)
        data = self._inner.read(max_bytes, line.left(line.read_timeout, http.ReadTimeout))
        if data:
            line.received += len(data)
        else:
            line.eof = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        line = self._line
        if not line.sent and not line.held:
            line.held = buffer  # the head waits for the body: one packet instead of two
            return
        if line.held:
            buffer, line.held = b"".join((line.held, buffer)), b""
        if not buffer:
            return
        line.sent = True
        try:
            self._inner.write(buffer, line.left(timeout, http.WriteTimeout))
        except http.WriteTimeout:
            if self._inner.get_extra_info("is_readable"):
                raise http.WriteError from None  # it answered instead of reading on; so the library reads that answer
            raise

    def close(self) -> None:
        self._line.is_open = False
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> http.NetworkStream:
        line = self._line
        self._inner = self._inner.start_tls(ssl_context, server_hostname, line.left(timeout, http.ConnectTimeout))
        line.sent, line.received = False, 0  # what was said to a proxy before is not part of the exchange
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Transport:
    """Sends requests over HTTP/1.1 and keeps connections for the next ones; any number of threads may use it."""

    def __init__(self, options: TransportOptions = TransportOptions()) -> None:  # noqa: B008 - it is a frozen value
        self._options = options
        self._proxy = None if options.proxy is None else parse_proxy(options.proxy)
        self._context: ssl.SSLContext | None = None
        self._pool: Pool[_Line] = Pool(options.max_connections, options.max_idle, options.keepalive_expiry)

    def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | Iterable[bytes] | None,
        timeouts: Timeouts,
    ) -> Exchange:
        """Send a request and return as soon as the head of the answer is there.

        Args:
            method: In capitals.
            url: Absolute and percent-encoded.
            headers: Host, Content-Length and Transfer-Encoding are set here.
            body: Bytes, or pieces of a body, which are sent in chunks unless a header tells their content-length.
            timeouts: The time limits of this exchange.

        Raises:
            APIConnectionError: No connection, or it broke before the head was complete.
            APITimeoutError: A limit was reached; `phase` says which.
            PoolTimeoutError: All connections were in use all the time.
            ConfigError: A header, the URL or the proxy is wrong.
            ClientClosedError: The transport is closed.
        """
        target = parse_url(url)
        request, replayable = build_request(method, target, headers, body, timeouts)
        deadline = None if timeouts.total is None else time.monotonic() + timeouts.total
        line = self._check_out(target, timeouts, deadline)
        while True:
            reused = line.served > 0
            line.begin(timeouts, deadline)
            response = self._attempt(line, request, resendable=reused and replayable)
            if response is not None:
                return Exchange(self._pool, line, response, reused=reused)
            line = self._replace(line)

    def close(self) -> None:
        """Close the idle connections and take no more requests; open exchanges may still be read to their end."""
        self._pool.close()
        self._bury()

    def stats(self) -> PoolStats:
        """Return how many connections are active and idle, and how often one was opened or reused."""
        return self._pool.stats()

    def _check_out(self, target: Target, timeouts: Timeouts, deadline: float | None) -> _Line:
        if self._context is None and (target.is_secure or (self._proxy is not None and self._proxy.is_secure)):
            self._context = make_ssl_context(self._options.verify)
        grant = self._pool.take(target.key)
        if grant is None:
            grant = self._wait(target, timeouts, deadline)
        if self._pool.dead:
            self._bury()
        return self._open(target) if isinstance(grant, New) else grant

    def _wait(self, target: Target, timeouts: Timeouts, deadline: float | None) -> _Line | New:
        event = threading.Event()
        waiter: Waiter[_Line] = Waiter(target.key, event.set)
        limit = timeouts.pool
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            limit = left if limit is None else min(limit, left)
        grant: _Line | New | None = None
        try:
            grant = self._pool.take(target.key, waiter)
            if grant is None:
                event.wait(limit)
                grant = self._pool.give_up(waiter)
        except BaseException:
            late = grant or self._pool.give_up(waiter)
            if late is not None and not self._pool.release(late, reusable=True) and not isinstance(late, New):
                late.drop()
            raise
        if grant is None:
            if self._pool.closed:
                raise ClientClosedError("this client was closed while a call waited for a connection")
            raise pool_timeout(self._options.max_connections, self._pool.stats().active, limit)
        return grant

    def _open(self, target: Target) -> _Line:
        line = _Line(target, self._pool.generation)
        line.connection = connect(_KINDS, target, line, self._context, self._proxy)
        return line

    def _replace(self, line: _Line) -> _Line:
        self._pool.replace(line)
        line.drop()
        return self._open(line.target)

    def _attempt(self, line: _Line, request: Any, *, resendable: bool) -> Any:
        """Return the response, or None if the connection was stale and the request should go out on a fresh one."""
        try:
            response = line.connection.handle_request(request)
        except BaseException as error:
            if resendable and line.may_resend(error):
                return None
            give_back(self._pool, line, reusable=False)
            fault = translate(error, line)
            if fault is None:
                raise
        else:
            if line.received:
                line.has_head = True
                return response
            # The bytes of this head were there before the request: they cannot be its answer.
            give_back(self._pool, line, reusable=False)
            fault = unasked(line)
        raise fault

    def _bury(self) -> None:
        while self._pool.dead:
            with contextlib.suppress(IndexError):  # another thread may be as quick
                self._pool.dead.popleft().drop()


def give_back(pool: Pool[_Line], line: _Line, *, reusable: bool) -> None:
    """End the use of a line and close it unless the pool keeps it."""
    line.served += 1
    if not pool.release(line, reusable=reusable and line.is_open):
        if line.generation == pool.generation:
            line.drop()
        else:
            line.forget()


class Exchange:
    """The answer to a request: its head, and its body to be read. To be closed in any case, best by `with`.

    Attributes:
        status: The status code, whatever it is; redirects are not followed.
        headers: Of the answer.
        reused: Whether the connection had served a request before.
    """

    __slots__ = ("_body", "_inflater", "_line", "_pool", "_stream", "headers", "reused", "status")

    def __init__(self, pool: Pool[_Line], line: _Line, response: Any, *, reused: bool) -> None:
        self.status: int = response.status
        self.headers = Headers(response.headers)
        self.reused = reused
        self._pool = pool
        self._line: _Line | None = line
        self._stream = response.stream
        self._body: Iterator[bytes] = iter(response.stream)
        self._inflater: Inflater | None = None

    def read(self, limit: int) -> bytes:
        """Return the whole body.

        Args:
            limit: In bytes, after decompression.

        Raises:
            InvalidResponseError: The body is longer, or encoded in a way that was not asked for.
            APIConnectionError: It is cut or malformed.
        """
        pieces: list[bytes] = []
        size = 0
        for piece in self.chunks():
            size += len(piece)
            if size > limit:
                self._give_up()
                raise too_long(self._name, limit, self.status)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, decompressed, never an empty piece."""
        ...
