"""Connections: what each is doing, and the network beneath the library's side of it, for both worlds.

A line gives the library its network connection and stays in between (a "tap"). So it knows what was sent and received,
bounds each step by the time that is left, and can close the connection whatever state the library is in.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio

from .base import Target, Timeouts, find_os_error, http
from .names import connect_to_any

__all__ = ["AsyncLine", "LineState", "SyncLine"]


class LineState:
    """What is known about a connection in the course of a request.

    Attributes:
        served: Requests that were answered on it before.
        sent: Whether a byte of this request may have left.
        received: Bytes of this answer so far.
        eof: Whether the server has hung up.
        has_head: Whether the head of this answer is complete.
        is_open: Whether there is a network connection.
        connect_seconds: What it took to make it, if it was made for this exchange.
        read_timeout: Limit of silence; may be changed between two reads.
        deadline: When this exchange has to be over (`time.monotonic`).
        is_overdue: Whether a time-out means that this moment came, and not the limit of the step.
    """

    def __init__(self, target: Target, generation: int) -> None:
        self.target = target
        self.key = target.key
        self.generation = generation
        self.idle_since = 0.0
        self.served = 0
        self.is_open = False
        self.connection: Any = None
        self._connecting_since = 0.0
        self.begin(Timeouts(), None)

    def begin(self, timeouts: Timeouts, deadline: float | None) -> None:
        """Forget the last exchange."""
        self.sent = False
        self.received = 0
        self.eof = False
        self.has_head = False
        self.held = b""
        self.is_overdue = False
        self.connect_seconds = 0.0
        self.timeouts = timeouts
        self.read_timeout = timeouts.read
        self.deadline = deadline

    def has_connected(self) -> None:
        """Note that the connection stands, as far as anybody knows: TLS may follow, after a word to a proxy."""
        self.connect_seconds = time.monotonic() - self._connecting_since

    def outgoing(self, buffer: bytes) -> bytes:
        """Return what has to be sent now: the head waits for the body, so that one packet carries both."""
        if not self.sent and not self.held:
            self.held = buffer
            return b""
        if self.held:
            buffer, self.held = b"".join((self.held, buffer)), b""
        if buffer:
            self.sent = True
        return buffer

    def left(self, limit: float | None, error: type[Exception]) -> float | None:
        """Return how long the next step may take.

        Raises:
            Exception: The given one, if the exchange has no time left.
        """
        if self.deadline is None:
            return limit
        left = self.deadline - time.monotonic()
        self.is_overdue = limit is None or left <= limit
        if left <= 0:
            raise error
        return min(left, limit) if limit is not None else left

    def may_resend(self, error: BaseException) -> bool:
        """Whether the request came too late: the server had closed the idle connection and never saw it."""
        if not self.served or self.received:
            return False
        if isinstance(error, http.RemoteProtocolError):
            return self.eof
        if not isinstance(error, (http.ReadError, http.WriteError)):
            return False
        cause = find_os_error(error)
        return cause is None or isinstance(cause, ConnectionError)


class SyncLine(LineState, http.NetworkBackend):
    """One connection: it makes the network connection for the library and watches what goes over it."""

    stream: _SyncTap

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - never given
        socket_options: Iterable[Any] | None = None,
    ) -> http.NetworkStream:
        limit = self.left(timeout, http.ConnectTimeout)
        self._connecting_since = time.monotonic()
        stream = connect_to_any(host, port, limit, socket_options)
        self.stream = _SyncTap(stream, self)
        self.is_open = True
        self.has_connected()
        return self.stream

    def is_readable(self) -> bool:
        return not self.is_open or bool(self.stream.get_extra_info("is_readable"))

    def drop(self) -> None:
        """Close it, whatever it is doing."""
        if self.is_open:
            self.hang_up()
            with contextlib.suppress(Exception):
                self.stream.close()

    def hang_up(self) -> None:
        """End the conversation, which also wakes a thread that is reading; closing alone would not."""
        if self.is_open:
            with contextlib.suppress(OSError):
                self.stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of it in a forked child: neither FIN nor TLS alert, for the parent goes on using it."""
        if self.is_open:
            self.is_open = False
            with contextlib.suppress(OSError):
                os.close(self.stream.get_extra_info("socket").detach())


class _SyncTap(http.NetworkStream):
    """The network connection of a line, seen by the library."""

    def __init__(self, inner: http.NetworkStream, line: SyncLine) -> None:
        self._inner = inner
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the line knows a newer one
        line = self._line
        if line.held:
            self.write(b"", line.timeouts.write)
        data = self._inner.read(max_bytes, line.left(line.read_timeout, http.ReadTimeout))
        if data:
            line.received += len(data)
        else:
            line.eof = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        buffer = self._line.outgoing(buffer)
        if not buffer:
            return
        try:
            self._inner.write(buffer, self._line.left(timeout, http.WriteTimeout))
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
        line.has_connected()
        line.sent, line.received = False, 0  # what was said to a proxy before is not part of the exchange
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class AsyncLine(LineState, http.AsyncNetworkBackend):
    """One connection: it makes the network connection for the library and watches what goes over it."""

    stream: _AsyncTap
    network: http.AsyncNetworkBackend
    body: AsyncIterator[bytes] | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> http.AsyncNetworkStream:
        limit = self.left(timeout, http.ConnectTimeout)
        self._connecting_since = time.monotonic()
        stream = await self.network.connect_tcp(host, port, limit, local_address, socket_options)
        self.stream = _AsyncTap(stream, self)
        self.is_open = True
        self.has_connected()
        return self.stream

    def is_readable(self) -> bool:
        return not self.is_open or bool(self.stream.get_extra_info("is_readable"))

    async def drop(self) -> None:
        """Close it, whatever it is doing, and whatever is done to the task that closes it."""
        self.hang_up()
        with anyio.CancelScope(shield=True):
            try:
                await self._finish_body()
            finally:
                # The first step of this closes the socket, so that a second cancellation comes too late to prevent it.
                if self.is_open:
                    with contextlib.suppress(Exception):
                        await self.stream.aclose()

    def hang_up(self) -> None:
        """End the conversation at once, without awaiting anything and from any thread."""
        sock = self.stream.get_extra_info("socket") if self.is_open else None
        if sock is not None:
            with contextlib.suppress(OSError, TypeError):  # TypeError: uvloop's sockets cannot; closing does it there
                sock.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of it in a forked child, without a word to the server: the parent goes on using it."""
        self.is_open = False
        _forgotten.append(self)

    async def _finish_body(self) -> None:
        # A generator that is left half-way would be finished by the event loop some time later, with a warning by trio.
        # Without time left the line reads nothing more, so this runs into a timeout in a few steps.
        body, self.body = self.body, None
        self.deadline = 0.0
        with contextlib.suppress(Exception):
            while body is not None:
                await anext(body)


_forgotten: list[AsyncLine] = []


class _AsyncTap(http.AsyncNetworkStream):
    """The network connection of a line, seen by the library."""

    def __init__(self, inner: http.AsyncNetworkStream, line: AsyncLine) -> None:
        self._inner = inner
        self._line = line

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - as above
        line = self._line
        if line.held:
            await self.write(b"", line.timeouts.write)
        data = await self._inner.read(max_bytes, line.left(line.read_timeout, http.ReadTimeout))
        if data:
            line.received += len(data)
        else:
            line.eof = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        buffer = self._line.outgoing(buffer)
        if not buffer:
            return
        try:
            await self._inner.write(buffer, self._line.left(timeout, http.WriteTimeout))
        except http.WriteTimeout:
            if self._inner.get_extra_info("is_readable"):
                raise http.WriteError from None  # it answered instead of reading on; so the library reads that answer
            raise

    async def aclose(self) -> None:
        self._line.is_open = False
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> http.AsyncNetworkStream:
        line = self._line
        self._inner = await self._inner.start_tls(ssl_context, server_hostname, line.left(timeout, http.ConnectTimeout))
        line.has_connected()
        line.sent, line.received = False, 0  # what was said to a proxy before is not part of the exchange
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
