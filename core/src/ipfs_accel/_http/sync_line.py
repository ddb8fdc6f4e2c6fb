"""A connection of the synchronous world."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .base import Proxy, Target
from .lines import LineState, not_ours
from .names import connect_to_any
from .network import ConnectTimeoutError, MalformedError, ReadTimeoutError, SendError, WriteTimeoutError
from .requests import Request
from .sockets import Stream

if TYPE_CHECKING:
    import ssl

__all__ = ["SyncLine"]

_MOST = 64 * 1024


class SyncLine(LineState):
    """One connection, from before it is made until after it is closed."""

    stream: Stream

    def __init__(
        self, target: Target, generation: int, proxy: Proxy | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(target, generation, proxy, context)
        self._view: memoryview | None = None
        self._reading = threading.Lock()

    def ask(self, request: Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Send a request, over a connection that is made if there is none; return the status and the headers."""
        if not self.is_open:
            self._connect(request)
        self._start_asking(request)
        body = request.body
        try:
            if isinstance(body, list) and len(body) == 1:
                self.write(body[0])
            else:
                self._send(request)
        except SendError:
            self._is_cut = True  # it may have answered instead of reading on
        sink = self.sink
        while not sink.has_head:
            self.fill()
        self.hear(sink.status)
        return sink.status, sink.headers

    def more(self) -> bytes | None:
        """Return what comes next of the body, None at its end.

        Raises:
            ValueError: Another thread is reading.
        """
        sink = self.sink
        if not self._reading.acquire(blocking=False):
            raise ValueError("another thread is reading")
        try:
            while not sink.pieces:
                if sink.is_over:
                    return None
                self.fill()
            return sink.take()
        finally:
            self._reading.release()

    def fill(self) -> None:
        """Wait for more, or for the end."""
        sink = self.sink
        if sink.is_malformed:
            raise MalformedError
        if self._view is None:
            self._view = memoryview(bytearray(_MOST))
        limit = self.proxys_time() if self.asks_proxy else self.left(self.read_timeout, ReadTimeoutError)
        size = self.stream.receive_into(self._view, limit)
        if size:
            sink.feed(self._view[:size])
        else:
            self._has_ended()

    @property
    def tls(self) -> ssl.SSLObject | ssl.SSLSocket | None:
        """The TLS connection."""
        return self.stream.tls

    def is_readable(self) -> bool:
        return not self.is_open or self.sink.has_more or self.stream.is_readable()

    def drop(self) -> None:
        """Close it, whatever it is doing."""
        if self.is_open:
            self.hang_up()
            self.close()

    def close(self) -> None:
        """Close the network connection."""
        self.stream.close()
        self.is_open = False
        self.sink.forget()

    def hang_up(self) -> None:
        """End the conversation, which also wakes a thread that is reading."""
        if self.is_open:
            self.stream.shut_down()

    def forget(self) -> None:
        """Let go of it in a forked child, for the parent goes on using it."""
        if self.is_open:
            self.is_open = False
            self.stream.detach()

        def refuse() -> bytes | None:
            raise not_ours(self)

        self.more = refuse  # type: ignore[method-assign]

    def connect_tcp(self, host: str, port: int, limit: float | None) -> None:
        """Connect to a host within a limit in seconds."""
        self.stream = Stream(connect_to_any(host, port, limit))
        self.is_open = True
        self._has_connected()

    def start_tls(self, hostname: str) -> None:
        """Go on over TLS."""
        limit = self.left(self.timeouts.connect, ConnectTimeoutError)
        from .tls import secured  # noqa: PLC0415 - loaded with the settings; few processes speak without TLS to all

        self.stream = secured(self.stream, self.context, hostname, limit)
        self._has_connected()

    def _connect(self, request: Request) -> None:
        self.sink.expect(request.method)  # one that is too busy may answer before it has heard anything
        self.connect_tcp(*self.start_connecting())
        if self.proxy is not None and self.proxy.is_secure:
            self.start_tls(self.proxy.hostname)
        if self._tunnels:
            self.stream.send(self.call_proxy(), self.proxys_time())
            while not self.sink.has_head:
                self.fill()
            self.hear_proxy()
            self.sink.expect(request.method)
        if self.target.is_secure:
            self.start_tls(self.target.hostname)

    def _send(self, request: Request) -> None:
        for piece in request.body:
            if framed := request.framed(piece):
                self.write(framed)
        rest = self._rest(request)
        if rest is not None:
            self.write(rest)

    def write(self, data: bytes) -> None:
        limit = self.left(self.timeouts.write, WriteTimeoutError)
        try:
            self.stream.send(self._outgoing(data), limit)
        except WriteTimeoutError:
            if self.stream.is_readable():
                raise SendError from None  # it answered instead of reading on
            raise
