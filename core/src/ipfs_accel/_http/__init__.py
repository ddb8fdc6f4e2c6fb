"""The seam to the network: the only package that speaks HTTP.

A `Transport` (or `AsyncTransport`) sends one request and gives an `Exchange`: status, headers and a body that is read
whole or in chunks. It follows no redirect and reads no environment variable for proxies. It starts no task but those
that race to the addresses of a host, and no thread but one for the look-up of a name, which nothing else can end in
time.

`requests` writes heads and bodies, `http1` reads answers with the parser llhttp, both without any I/O and once for all
worlds. A line (`sync_line`, `async_line`) is one connection and does the steps of an exchange over sockets, asyncio's
protocols or trio's streams; `pool` knows which line is free, so that the cost of that does not grow with their number
and that a broken or cancelled exchange can never stay there. `library` has httpcore speak in place of all that to SOCKS
proxies, or where `IPFS_ACCEL_HTTP` names `httpx` or `httpx2`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel._lazy import lazy

if TYPE_CHECKING:
    from .async_transport import AsyncExchange, AsyncTransport
    from .base import TransportOptions
    from .pool import PoolStats
    from .sync_transport import Exchange, Transport
    from .timeouts import Timeouts

__all__ = ["AsyncExchange", "AsyncTransport", "Exchange", "PoolStats", "Timeouts", "Transport", "TransportOptions"]

# A call that is planned and sends nothing pays for none of it, a synchronous program not for the other world.
__getattr__ = lazy(
    __name__,
    {
        ".async_transport": ("AsyncExchange", "AsyncTransport"),
        ".base": ("TransportOptions",),
        ".pool": ("PoolStats",),
        ".sync_transport": ("Exchange", "Transport"),
        ".timeouts": ("Timeouts",),
    },
)
