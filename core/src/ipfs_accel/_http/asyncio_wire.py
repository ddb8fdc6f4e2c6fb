"""The network of the asynchronous world on asyncio.

What is received goes to the parser at once, from the buffer into which the event loop read it. Closing awaits nothing.
It reads while it writes: a server that refuses an upload early and resets the connection has its answer heard, which a
transport that does not read at that moment loses.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from .base import SOCKET_OPTIONS
from .http1 import Reader
from .names import numeric
from .network import (
    BrokenError,
    ConnectError,
    ConnectTimeoutError,
    NetworkError,
    ReadTimeoutError,
    SendError,
    WriteTimeoutError,
)
from .sockets import watch

if TYPE_CHECKING:
    import ssl

__all__ = ["AsyncioWire", "opener"]

_HEAD_START = 0.25  # seconds of an address before the next is tried too, as RFC 8305 has it
_BUFFER = 64 * 1024
_MAX_UNREAD = 256 * 1024
_MAX_UNSENT = 64 * 1024


class AsyncioWire(asyncio.BufferedProtocol):
    """One connection, as asyncio tells of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sink: Reader, buffer: memoryview) -> None:
        self.has_ended = False
        self.socket: Any = None
        self._loop = loop
        self._sink = sink
        self._transport: Any = None
        self._buffer = buffer
        self._error: Exception | None = None
        self._has_news: Callable[[float | None], bool]
        self._is_lost = False
        self._is_secure = False
        self._is_paused = False
        self._may_write = True
        self._waiter: asyncio.Future[bool] | None = None
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = transport.get_extra_info("socket")  # one with TLS within TLS cannot tell when it is closed
        self._has_news = watch(self.socket)
        self._attach(transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio gives it
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        sink = self._sink
        sink.feed(self._buffer[:nbytes])
        if sink.unread > _MAX_UNREAD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.has_ended = True
        self._wake()
        return not self._is_secure  # open for writing, which TLS cannot be

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = self._is_lost = True
        self._error = exc
        if exc is not None and not self._is_secure and isinstance(self._loop, asyncio.SelectorEventLoop):
            self._salvage()
        self._wake()
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    # What a line calls.

    async def fill(self, seconds: float | None) -> bool:
        """Wait until more was received; False if there will be no more."""
        if self.has_ended:
            if self._error is not None:
                raise BrokenError from self._error
            return False
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        if not await self._news(None if seconds is None else self._loop.time() + seconds):
            raise ReadTimeoutError
        return True

    async def send(self, data: bytes, seconds: float | None) -> None:
        """Send all of it; the limit is one on progress."""
        transport = self._transport
        if not transport.is_closing():
            transport.write(data)
            del data  # it may hold a key, and what follows may be interrupted
            until = None if seconds is None or self._may_write else self._loop.time() + seconds
            while not (self._may_write or self._is_lost):
                if not await self._news(until):
                    raise WriteTimeoutError
        if transport.is_closing():
            raise SendError from self._error

    async def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float | None) -> None:
        """Go on over TLS."""
        is_inner = self._is_secure
        self._is_secure = True
        try:
            async with asyncio.timeout(seconds):
                self._attach(
                    await self._loop.start_tls(self._transport, self, context, server_hostname=hostname)  # type: ignore[arg-type]
                )
        except OSError as error:
            raise _cannot_connect(error) from error
        except TypeError as error:
            if is_inner:  # Python before 3.11.8 and 3.12.2 fails to fail when there is TLS within TLS
                raise ConnectError from error
            raise

    def is_readable(self) -> bool:
        """Whether something is here that was not read."""
        return self.has_ended or self._has_news(0)

    def abort(self) -> None:
        """Close it; the loop does so in its next turn."""
        self._transport.abort()

    async def aclose(self) -> None:
        """Close it, in the first step."""
        self.abort()
        await asyncio.sleep(0)  # the socket itself is closed in the loop's next turn

    def _attach(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(_MAX_UNSENT)

    def _salvage(self) -> None:
        # A failed write ends the transport although an answer may have come before the reset. The socket still has it,
        # and is still open: asyncio's own loops close it after this call (others may have done so before).
        with suppress(OSError):
            while self._sink.unread < _MAX_UNREAD and (data := os.read(self.socket.fileno(), _BUFFER)):
                self._sink.feed(data)

    def _news(self, until: float | None) -> asyncio.Future[bool]:
        """Return what comes true with the next news, and false when it is later than that."""
        self._waiter = waiter = self._loop.create_future()
        self._until = until
        # A timer that is too early is moved when it fires: most of them never have to, and one lasts for many answers.
        if until is not None and (self._timer is None or until < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(until, self._on_time)
        return waiter

    def _on_time(self) -> None:
        self._timer = None
        if self._until is None:
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._on_time)
        else:
            self._wake(news=False)

    def _wake(self, *, news: bool = True) -> None:
        waiter, self._waiter, self._until = self._waiter, None, None
        if waiter is not None and not waiter.done():
            waiter.set_result(news)


def opener() -> Callable[[str, int, float | None, Reader], Awaitable[AsyncioWire]]:
    """Return what connects to hosts, for one event loop."""
    # One buffer for all: asyncio reads into it and tells of it in one step, and nothing is left there. With one for
    # each connection, hundreds of them would take turns in the processor's cache.
    return partial(_open_wire, memoryview(bytearray(_BUFFER)))


async def _open_wire(buffer: memoryview, host: str, port: int, seconds: float | None, sink: Reader) -> AsyncioWire:
    """Connect to a host; what comes from there is fed to the sink."""
    loop = asyncio.get_running_loop()
    wire = AsyncioWire(loop, sink, buffer)
    try:
        async with asyncio.timeout(seconds):
            sock = await _race(loop, await _resolve(loop, host, port))
            try:
                for option in SOCKET_OPTIONS:
                    sock.setsockopt(*option)
                await loop.create_connection(lambda: wire, sock=sock)
            except BaseException:
                sock.close()
                raise
    except OSError as error:
        raise _cannot_connect(error) from error
    return wire


def _cannot_connect(error: OSError) -> NetworkError:
    # asyncio.timeout() raises one without a number, the operating system one with.
    return ConnectTimeoutError() if isinstance(error, TimeoutError) and error.errno is None else ConnectError()


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Any]:
    """Return the addresses of a host, in alternating families."""
    try:
        return numeric(host, port)
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
