"""Connections of the synchronous world: sockets, and TLS over them."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
from collections.abc import Callable
from math import ceil
from typing import Any

from .network import BrokenError, ConnectError, ConnectTimeoutError, ReadTimeoutError, SendError, WriteTimeoutError

__all__ = ["Stream", "watch"]

_RECORD = 16 * 1024


class Stream:
    """A connection without TLS. Its socket never waits: that is done here, where a limit costs no system call."""

    tls: ssl.SSLObject | ssl.SSLSocket | None = None

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._has_news = watch(sock)

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        """Return how many bytes came, 0 at the end."""
        try:
            while self._has_news(seconds):
                with contextlib.suppress(BlockingIOError):  # the system may say so and be wrong
                    return self._sock.recv_into(buffer)
        except OSError as error:
            raise BrokenError from error
        raise ReadTimeoutError

    def send(self, data: bytes, seconds: float | None) -> None:
        """Send all of it; the limit is one on progress."""
        rest: bytes | memoryview = data
        try:
            while (sent := self._sent(rest, seconds)) < len(rest):
                rest = memoryview(rest)[sent:]
        except OSError as error:
            raise SendError from error

    def _sent(self, data: bytes | memoryview, seconds: float | None) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            if watch(self._sock, to_write=True)(seconds):
                return 0
        raise WriteTimeoutError

    def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float | None) -> Stream:
        """Return the connection with TLS over it."""
        try:
            self._sock.settimeout(seconds)
            return _Secure(context.wrap_socket(self._sock, server_hostname=hostname))
        except TimeoutError as error:
            raise ConnectTimeoutError from error
        except OSError as error:
            raise ConnectError from error

    def is_readable(self) -> bool:
        """Whether something is here that was not read."""
        return self._has_news(0)

    def shut_down(self) -> None:
        """End the conversation, which also wakes a thread that is reading; closing alone would not."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # that of TLS sockets would go on without TLS

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def detach(self) -> None:
        """Close it in this process alone: neither FIN nor TLS alert."""
        with contextlib.suppress(OSError):
            os.close(self._sock.detach())

    def getsockopt(self, level: int, option: int) -> int:
        """Return an option of the socket."""
        return self._sock.getsockopt(level, option)


class _Secure(Stream):
    """A connection with TLS, which waits by itself: it may have to read in order to write."""

    _sock: ssl.SSLSocket

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = self.tls = sock
        self._timeout = sock.gettimeout()
        self._has_news = watch(sock)

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        try:
            self._limit(seconds)
            return self._sock.recv_into(buffer)
        except TimeoutError as error:
            raise (BrokenError if error.errno else ReadTimeoutError) from error
        except OSError as error:
            raise BrokenError from error

    def _sent(self, data: bytes | memoryview, seconds: float | None) -> int:
        try:
            self._limit(seconds)
            return self._sock.send(data)
        except TimeoutError as error:
            raise (SendError if error.errno else WriteTimeoutError) from error

    def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float | None) -> Stream:
        return _Tunnel(self, context, hostname, seconds)

    def is_readable(self) -> bool:
        return self._sock.pending() > 0 or super().is_readable()

    def _limit(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds


class _Tunnel(Stream):
    """TLS within TLS, which `ssl` does not do with sockets."""

    def __init__(self, outer: Stream, context: ssl.SSLContext, hostname: str, seconds: float | None) -> None:
        self._outer = outer
        self._sock, self._has_news = outer._sock, outer._has_news  # noqa: SLF001 - it is of the same class
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._record = memoryview(bytearray(_RECORD))
        self.tls = self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        try:
            self._perform(self._inner.do_handshake, seconds)
        except (ReadTimeoutError, WriteTimeoutError) as error:
            raise ConnectTimeoutError from error
        except (OSError, BrokenError) as error:
            raise ConnectError from error

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        try:
            found: int = self._perform(lambda: self._inner.read(len(buffer), buffer), seconds)
        except ssl.SSLEOFError:
            return 0
        except OSError as error:
            raise BrokenError from error
        return found

    def send(self, data: bytes, seconds: float | None) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._perform(lambda view=view: self._inner.write(view), seconds) :]  # type: ignore[misc]
        except OSError as error:
            raise SendError from error

    def is_readable(self) -> bool:
        return self._incoming.pending > 0 or super().is_readable()

    def _perform(self, step: Callable[[], Any], seconds: float | None) -> Any:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush(seconds)
                size = self._outer.receive_into(self._record, seconds)
                if size:
                    self._incoming.write(self._record[:size])
                else:
                    self._incoming.write_eof()
            else:
                self._flush(seconds)
                return result

    def _flush(self, seconds: float | None) -> None:
        if self._outgoing.pending:
            self._outer.send(self._outgoing.read(), seconds)


def watch(sock: Any, *, to_write: bool = False) -> Callable[[float | None], bool]:
    """Return what waits some seconds, or for ever, until reading from a socket, or writing, would not wait."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLOUT if to_write else select.POLLIN)
        return lambda seconds: bool(poll.poll(None if seconds is None else ceil(seconds * 1000)))
    to_read, writable = ([], [sock]) if to_write else ([sock], [])
    return lambda seconds: any(select.select(to_read, writable, [], seconds))
