"""The seam to the HTTP library: the only package that imports it.

A `Transport` (or `AsyncTransport`) sends one request and gives an `Exchange`: status, headers and a body that is read
whole or in chunks. It follows no redirect and reads no environment variable for proxies. It starts no task, and no
thread but one for the look-up of a name, which nothing else can end in time.

The library beneath is httpcore, which httpx is made of; `IPFS_ACCEL_HTTP=httpx2` in the environment takes httpcore2,
which httpx2 is made of. Only their connections are used: the pool is ours, so that its cost does not grow with the
number of connections and that a broken or cancelled exchange can never stay in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Timeouts, TransportOptions
from .pool import PoolStats
from .sync_transport import Exchange, Transport

if TYPE_CHECKING:
    from .async_transport import AsyncExchange, AsyncTransport

__all__ = ["AsyncExchange", "AsyncTransport", "Exchange", "PoolStats", "Timeouts", "Transport", "TransportOptions"]


def __getattr__(name: str) -> Any:
    if name in {"AsyncExchange", "AsyncTransport"}:
        from . import async_transport  # noqa: PLC0415 - synchronous programs do not pay for it

        return getattr(async_transport, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
