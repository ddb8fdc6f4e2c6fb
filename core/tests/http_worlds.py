"""Runs one test of the transport in three worlds: threads, asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio import to_thread
from ipfs_accel._http import AsyncTransport, Exchange, PoolStats, Timeouts, Transport, TransportOptions

__all__ = ["PATIENT", "Tasks", "Threads", "World", "hung_up", "settle"]

DEFAULT = TransportOptions()
PATIENT = Timeouts(connect=60, read=60, write=60, pool=60)
"""Limits that no test is to meet, on however busy a machine."""


class World:
    """The transport with one face for all worlds: everything is awaited."""

    is_async = True
    transport: Any

    async def send(
        self, url: str, body: Any = None, *, method: str = "POST", headers: Any = (), timeouts: Timeouts = PATIENT
    ) -> Any:
        return await self.transport.send(method, url, headers, body, timeouts)

    async def fetch(self, url: str, body: Any = None, *, limit: int = 1 << 20, **options: Any) -> bytes:
        """Send and read everything."""
        exchange = await self.send(url, body, **options)
        try:
            data: bytes = await exchange.read(limit)
        finally:
            await exchange.close()
        return data

    async def close(self) -> None:
        await self.transport.close()

    @property
    def stats(self) -> PoolStats:
        stats: PoolStats = self.transport.stats()
        return stats


class Tasks(World):
    def __init__(self, options: TransportOptions = DEFAULT) -> None:
        self.transport = AsyncTransport(options)


class _ThreadExchange:
    def __init__(self, exchange: Exchange) -> None:
        self.__dict__["exchange"] = exchange

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.exchange, name, value)

    async def read(self, limit: int) -> bytes:
        return await to_thread.run_sync(self.exchange.read, limit)

    async def close(self, wait: float = 0.0) -> None:
        await to_thread.run_sync(self.exchange.close, wait)

    async def chunks(self) -> AsyncIterator[bytes]:
        while (piece := await to_thread.run_sync(next, self.exchange.chunks(), None)) is not None:
            yield piece


class Threads(World):
    is_async = False

    def __init__(self, options: TransportOptions = DEFAULT) -> None:
        self.transport = Transport(options)

    async def send(
        self, url: str, body: Any = None, *, method: str = "POST", headers: Any = (), timeouts: Timeouts = PATIENT
    ) -> Any:
        exchange = await to_thread.run_sync(self.transport.send, method, url, headers, body, timeouts)
        return _ThreadExchange(exchange)

    async def close(self) -> None:
        await to_thread.run_sync(self.transport.close)


async def settle(condition: Any, seconds: float = 60.0) -> None:
    """Wait until something is so, which the server's threads may need a moment for."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - threads have no event to wait for
            await anyio.sleep(0.005)


def hung_up(world: World) -> bool:
    """Whether the server has closed, or written to, a connection that lies idle."""
    return any(line.is_readable() for line in list(world.transport._pool._by_age))
