"""Connections of the synchronous world: sockets, and TLS over them."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any

from .network import BrokenError, ReadTimeoutError, SendError, WriteTimeoutError

if TYPE_CHECKING:
    import ssl

__all__ = ["Stream", "watch"]


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

    def release(self, seconds: float | None) -> socket.socket:
        """Return the socket, which waits by itself from now on, for as long as that at the most."""
        self._sock.settimeout(seconds)
        return self._sock

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


def watch(sock: Any, *, to_write: bool = False) -> Callable[[float | None], bool]:
    """Return what waits some seconds, or for ever, until reading from a socket, or writing, would not wait."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLOUT if to_write else select.POLLIN)
        return lambda seconds: bool(poll.poll(None if seconds is None else ceil(seconds * 1000)))
    to_read, writable = ([], [sock]) if to_write else ([sock], [])
    return lambda seconds: any(select.select(to_read, writable, [], seconds))
