"""The network of the asynchronous world on trio, made of trio's own streams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from .base import SOCKET_OPTIONS
from .http1 import Reader
from .network import BrokenError, ConnectError, ConnectTimeoutError, ReadTimeoutError, SendError, WriteTimeoutError

if TYPE_CHECKING:
    import ssl

__all__ = ["TrioWire", "open_wire"]

_MOST = 64 * 1024
_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


class TrioWire:
    """One connection."""

    def __init__(self, stream: trio.SocketStream, sink: Reader) -> None:
        self._sink = sink
        self._stream: trio.abc.Stream = stream
        self.socket = stream.socket

    async def fill(self, seconds: float | None) -> bool:
        """Wait until more was received; False if there will be no more."""
        try:
            with trio.fail_after(_limit(seconds)):
                data = await self._stream.receive_some(_MOST)
        except trio.TooSlowError:
            raise ReadTimeoutError from None
        except _LOST as error:
            raise BrokenError from error
        if not data:
            return False
        self._sink.feed(data)
        return True

    async def send(self, data: bytes, seconds: float | None) -> None:
        """Send all of it; the limit is one on the whole, which is cut into pieces before."""
        try:
            with trio.fail_after(_limit(seconds)):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            raise WriteTimeoutError from None
        except _LOST as error:
            raise SendError from error

    async def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float | None) -> None:
        """Go on over TLS."""
        stream = trio.SSLStream(self._stream, context, server_hostname=hostname, https_compatible=True)
        try:
            with trio.fail_after(_limit(seconds)):
                await stream.do_handshake()
        except trio.TooSlowError:
            raise ConnectTimeoutError from None
        except _LOST as error:
            raise ConnectError from error
        self._stream = stream

    def is_readable(self) -> bool:
        """Whether something is here that was not read."""
        return bool(self.socket.is_readable())

    def abort(self) -> None:
        """Close it without a word."""
        self.socket.close()

    async def aclose(self) -> None:
        """Close it, in the first step."""
        await self._stream.aclose()


async def open_wire(host: str, port: int, seconds: float | None, sink: Reader) -> TrioWire:
    """Connect to a host; what comes from there is fed to the sink."""
    try:
        with trio.fail_after(_limit(seconds)):
            stream: Any = await trio.open_tcp_stream(host, port)
    except trio.TooSlowError:
        raise ConnectTimeoutError from None
    except OSError as error:
        raise ConnectError from error
    for option in SOCKET_OPTIONS:
        stream.setsockopt(*option)
    return TrioWire(stream, sink)


def _limit(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds
