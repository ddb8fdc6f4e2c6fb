"""The network beneath the asynchronous transport on asyncio.

The library brings one of its own, made of anyio's streams. This one costs a third less per request, closes without
having to await anything, and reads while it writes: a server that refuses an upload early and resets the connection
has its answer heard, which a transport that does not read at that moment loses.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from .base import http

__all__ = ["AsyncioBackend"]

_HEAD_START = 0.25  # seconds of an address before the next is tried too, as RFC 8305 has it
_MAX_UNREAD = 256 * 1024
_MAX_UNSENT = 64 * 1024


class _Wire(asyncio.Protocol):
    """What asyncio tells about a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: Any = None
        self.chunks: deque[bytes] = deque()
        self.unread = 0
        self.has_ended = False
        self.is_lost = False
        self.is_secure = False
        self.error: Exception | None = None
        self._may_write = True
        self._is_paused = False
        self._reader: asyncio.Future[bool] | None = None
        self._writer: asyncio.Future[bool] | None = None

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """Go on over this transport."""
        self.transport = transport
        self.transport.set_write_buffer_limits(_MAX_UNSENT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(transport)

    def data_received(self, data: bytes) -> None:
        self.chunks.append(data)
        self.unread += len(data)
        if self.unread > _MAX_UNREAD and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        self.has_ended = True
        _wake(self._reader)
        return not self.is_secure  # open for writing, which TLS cannot be

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = self.is_lost = True
        self.error = exc
        if exc is not None and not self.is_secure and isinstance(self.loop, asyncio.SelectorEventLoop):
            self._salvage()
        _wake(self._reader)
        _wake(self._writer)

    def _salvage(self) -> None:
        # A failed write ends the transport although an answer may have come before the reset. The socket still has it,
        # and is still open: asyncio's own loops close it after this call (others may have done so before).
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):
            while self.unread < _MAX_UNREAD and (data := os.read(sock.fileno(), _MAX_UNSENT)):
                self.chunks.append(data)
                self.unread += len(data)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        _wake(self._writer)

    def take(self, max_bytes: int) -> bytes:
        """Return what was read, nothing if there is nothing."""
        if not self.chunks:
            return b""
        data = self.chunks.popleft()
        if len(data) > max_bytes:
            self.chunks.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self.unread -= len(data)
        if self._is_paused and self.unread <= _MAX_UNREAD // 2 and not self.is_lost:
            self._is_paused = False
            self.transport.resume_reading()
        return data

    async def readable(self, seconds: float | None) -> bool:
        """Wait for data or the end; False if the time ran out."""
        if self.chunks or self.has_ended:
            return True
        self._reader = self.loop.create_future()
        try:
            return await self._wait(self._reader, seconds)
        finally:
            self._reader = None

    async def drained(self, seconds: float | None) -> bool:
        """Wait until more may be written or the connection is lost; False if the time ran out."""
        if self._may_write or self.is_lost:
            return True
        self._writer = self.loop.create_future()
        try:
            return await self._wait(self._writer, seconds)
        finally:
            self._writer = None

    async def _wait(self, future: asyncio.Future[bool], seconds: float | None) -> bool:
        # A timer on the future costs a fraction of asyncio.timeout(), and nothing else can time out here.
        timer = None if seconds is None else self.loop.call_later(seconds, _wake, future, False)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()


def _wake(future: asyncio.Future[bool] | None, result: bool = True) -> None:
    if future is not None and not future.done():
        future.set_result(result)


class _AsyncioStream(http.AsyncNetworkStream):
    """One connection, as the library wants to see it."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the library's
        wire = self._wire
        if not wire.chunks and not await wire.readable(timeout):
            raise http.ReadTimeout
        data = wire.take(max_bytes)
        if not data and wire.error is not None:
            raise http.ReadError from wire.error
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the library's
        wire = self._wire
        if not wire.transport.is_closing():
            wire.transport.write(buffer)
            if not await wire.drained(timeout):
                raise http.WriteTimeout
        if wire.transport.is_closing():
            raise http.WriteError from wire.error

    async def aclose(self) -> None:
        self._wire.transport.abort()
        await asyncio.sleep(0)  # the socket itself is closed in the loop's next turn

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's
    ) -> http.AsyncNetworkStream:
        wire = self._wire
        wire.is_secure = True
        try:
            async with asyncio.timeout(timeout):
                wire.attach(
                    await wire.loop.start_tls(wire.transport, wire, ssl_context, server_hostname=server_hostname)  # type: ignore[arg-type]
                )
        except OSError as error:
            raise _cannot_connect(error) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        wire = self._wire
        if info == "is_readable":
            return bool(wire.chunks) or wire.has_ended or _is_readable(wire.transport.get_extra_info("socket"))
        return wire.transport.get_extra_info(info)


def _cannot_connect(error: OSError) -> Exception:
    # asyncio.timeout() raises one without a number, the operating system one with.
    return http.ConnectTimeout() if isinstance(error, TimeoutError) and error.errno is None else http.ConnectError()


def _is_readable(sock: Any) -> bool:
    if sock is None or sock.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


class AsyncioBackend(http.AsyncNetworkBackend):
    """Makes connections on asyncio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's
        local_address: str | None = None,  # noqa: ARG002 - never given
        socket_options: Iterable[Any] | None = None,
    ) -> http.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        wire = _Wire(loop)
        try:
            async with asyncio.timeout(timeout):
                sock = await _race(loop, await _resolve(loop, host, port))
                try:
                    for option in socket_options or ():
                        sock.setsockopt(*option)
                    await loop.create_connection(lambda: wire, sock=sock)
                except BaseException:
                    sock.close()
                    raise
        except OSError as error:
            raise _cannot_connect(error) from error
        return _AsyncioStream(wire)


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Any]:
    """Return the addresses of a host, in alternating families."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first = [info for info in found if info[0] == found[0][0]]
    others = [info for info in found if info[0] != found[0][0]]
    mixed = [info for pair in zip(first, others, strict=False) for info in pair]
    return mixed + first[len(others) :] + others[len(first) :]


async def _race(loop: asyncio.AbstractEventLoop, addresses: list[Any]) -> socket.socket:
    """Connect to the first address that answers; each gets a head start before the next is tried as well."""
    if len(addresses) == 1:
        return await _dial(loop, addresses[0])
    running: set[asyncio.Task[socket.socket]] = set()
    failure: OSError | None = None
    waiting = list(reversed(addresses))
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_dial(loop, waiting.pop())))
            seconds = _HEAD_START if waiting else None
            done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    failure = failure or error
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_loser)
    raise failure or OSError("no address")


async def _dial(loop: asyncio.AbstractEventLoop, address: Any) -> socket.socket:
    family, kind, protocol, _, target = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


def _close_loser(task: asyncio.Task[socket.socket]) -> None:
    with suppress(asyncio.CancelledError, OSError):
        task.result().close()
