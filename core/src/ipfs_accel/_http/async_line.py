"""A connection of the asynchronous world, on asyncio or trio."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio

from .http1 import Reader
from .lines import LineState, not_ours
from .network import ConnectTimeoutError, MalformedError, ReadTimeoutError, SendError, WriteTimeoutError
from .requests import Request

__all__ = ["AsyncLine", "OpenWire"]

OpenWire: TypeAlias = Callable[[str, int, float | None, Reader], Awaitable[Any]]
"""Makes the connections of an event loop."""


class AsyncLine(LineState):
    """One connection, from before it is made until after it is closed."""

    wire: Any
    open_wire: OpenWire
    _is_read = False

    async def ask(self, request: Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Send a request, over a connection that is made if there is none; return the status and the headers."""
        if not self.is_open:
            await self._connect(request)
        self._start_asking(request)
        body = request.body
        try:
            if isinstance(body, list) and len(body) == 1:
                await self.write(body[0])
            else:
                await self._send(request)
        except SendError:
            self._is_cut = True  # it may have answered instead of reading on
        sink = self.sink
        while not sink.has_head:
            await self.fill()
        self.hear(sink.status)
        return sink.status, sink.headers

    async def more(self) -> bytes | None:
        """Return what comes next of the body, None at its end.

        Raises:
            RuntimeError: Another task is reading.
        """
        sink = self.sink
        if self._is_read:
            raise RuntimeError("another task is reading")
        self._is_read = True
        try:
            while not sink.pieces:
                if sink.is_over:
                    return None
                await self.fill()
            return sink.take()
        finally:
            self._is_read = False

    async def fill(self) -> None:
        """Wait for more, or for the end."""
        if self.sink.is_malformed:
            raise MalformedError
        limit = self.proxys_time() if self.asks_proxy else self.left(self.read_timeout, ReadTimeoutError)
        if not await self.wire.fill(limit):
            self._has_ended()

    def is_readable(self) -> bool:
        return not self.is_open or self.sink.has_more or bool(self.wire.is_readable())

    async def drop(self) -> None:
        """Close it, whatever it is doing, and whatever is done to the task that closes it."""
        if not self.is_open:
            return
        self.hang_up()
        with anyio.CancelScope(shield=True):
            # The first step of this closes the socket, so that a second cancellation comes too late to prevent it.
            await self.close()

    async def close(self) -> None:
        """Close the network connection."""
        self.sink.forget()
        with contextlib.suppress(Exception):
            await self.wire.aclose()
        self.is_open = False

    def hang_up(self) -> None:
        """End the conversation at once, without awaiting anything and from any thread."""
        sock = self.wire.socket if self.is_open else None
        if sock is not None:
            with contextlib.suppress(OSError, TypeError):  # TypeError: uvloop's sockets cannot; closing does it there
                sock.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of it in a forked child, without a word to the server: the parent goes on using it."""
        self.is_open = False
        _forgotten.append(self)

        async def refuse() -> bytes | None:
            raise not_ours(self)

        self.more = refuse  # type: ignore[method-assign]

    async def connect_tcp(self, host: str, port: int, limit: float | None) -> None:
        """Connect to a host within a limit in seconds."""
        self.wire = await self.open_wire(host, port, limit, self.sink)
        self.is_open = True
        self._has_connected()

    async def start_tls(self, hostname: str) -> None:
        """Go on over TLS."""
        await self.wire.start_tls(self.context, hostname, self.left(self.timeouts.connect, ConnectTimeoutError))
        self._has_connected()

    async def _connect(self, request: Request) -> None:
        self.sink.expect(request.method)  # one that is too busy may answer before it has heard anything
        await self.connect_tcp(*self.start_connecting())
        if self.proxy is not None and self.proxy.is_secure:
            await self.start_tls(self.proxy.hostname)
        if self._tunnels:
            await self.wire.send(self.call_proxy(), self.proxys_time())
            while not self.sink.has_head:
                await self.fill()
            self.hear_proxy()
            self.sink.expect(request.method)
        if self.target.is_secure:
            await self.start_tls(self.target.hostname)

    async def _send(self, request: Request) -> None:
        body = request.body
        if isinstance(body, list):
            for piece in body:
                await self.write(piece)
        else:
            async for piece in body:
                if framed := request.framed(piece):
                    await self.write(framed)
        rest = self._rest(request)
        if rest is not None:
            await self.write(rest)

    async def write(self, data: bytes) -> None:
        limit = self.left(self.timeouts.write, WriteTimeoutError)
        try:
            await self.wire.send(self._outgoing(data), limit)
        except WriteTimeoutError:
            if self.received or self.is_readable():
                raise SendError from None  # it answered instead of reading on
            raise


_forgotten: list[AsyncLine] = []
