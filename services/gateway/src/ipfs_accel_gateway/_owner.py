"""The process that owns what several workers share: limits, budgets, the access log, metrics, and their lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from ipfs_accel.errors import ConfigError

from ._ledger import Ledger
from ._peers import Peer
from ._process import process_families
from ._run import Gateway
from ._server import bound
from ._sums import as_said, lasting, summed

if TYPE_CHECKING:
    import socket

    from ipfs_accel import Config

    from ._callers import Caller
    from ._exposition import Family
    from ._settings import Settings

__all__ = ["Owner"]

_log = logging.getLogger("ipfs_accel_gateway.life")
_GRACE = 5.0
"""Seconds beyond those for answers under way in which workers end."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 10.0
"""Seconds until a worker is started anew: doubled each time that it did not serve for the longer of them."""
_MOST = 5
"""Starts that may fail while nobody serves."""


class Owner(Gateway):
    """A gateway whose requests are served by other processes; use it in an `async with` block.

    All of them accept from one socket, which it has open: a worker that dies takes nothing with it but what it had
    accepted, and one that has much to do takes fewer. Where each had a socket of its own at the port, the system would
    go by addresses alone, and drop what waits for a worker that dies.
    """

    def __init__(self, config: Config, settings: Settings, start: Mapping[str, Any]) -> None:
        """Say what to serve; `start` is what workers need to read the same configuration."""
        super().__init__(config, settings)
        self._start = start
        self._sockets: list[socket.socket] = []
        self._peers: list[Peer] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._counted: list[Family] = []
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self.open()
        try:
            self._sockets = await self._listening(bound)
            self.address = self._sockets[0].getsockname()[:2]
            await self.open_pages()
        except ConfigError:
            await self.close(0.0)
            raise
        return self

    async def check(self) -> None:
        """Refuse to serve what cannot be used, and start the workers.

        Raises:
            ConfigError: Something is wrong with the configuration, or a worker cannot be started.
        """
        await super().check()
        self._peers = [self._peer() for _ in range(self.settings.workers)]
        await asyncio.gather(*[each.start(self._sockets, self._start) for each in self._peers])
        self._keeping = [asyncio.ensure_future(self._keep(at)) for at in range(len(self._peers))]

    async def change(self, config: Config, settings: Settings, *, anew: bool = False) -> list[str]:
        """Serve by another configuration; returns once all workers do.

        Raises:
            ConfigError: It cannot be served; nothing has changed.
        """
        told = await super().change(config, settings, anew=anew)
        await asyncio.gather(*[each.reload(anew=anew) for each in self._peers if each.is_serving])
        return told

    async def close(self, seconds: float | None = None) -> None:
        """Take no more requests; let those that are answered end, for so many seconds at most."""
        self._life.is_draining = True
        for each in self._sockets:
            each.close()
        patience = self.settings.drain_timeout if seconds is None else seconds
        for task in self._keeping:
            task.cancel()
        for peer in self._peers:
            if peer.is_serving:
                peer.end(patience)
            else:
                peer.kill()
        ending = [asyncio.ensure_future(peer.over()) for peer in self._peers]
        if ending:
            await asyncio.wait(ending, timeout=patience + _GRACE)
        for peer in self._peers:
            peer.kill()
        await asyncio.gather(*ending)
        await super().close(0.0)

    def caller(self, name: str) -> Caller | None:
        """Return the owner of a key, with its limits."""
        return self.app.callers.by_name().get(name)

    @property
    def ledger(self) -> Ledger | None:
        """Where is counted what is spent."""
        return self._ledger if isinstance(self._ledger, Ledger) else None

    async def families(self) -> Iterable[Family]:
        """Return what all workers have counted, and those that are gone."""
        await asyncio.gather(*[each.ask_figures() for each in self._peers if each.is_serving])
        own = as_said(process_families())
        return summed([own, as_said(self._counted), *[each.figures for each in self._peers]])

    def _peer(self) -> Peer:
        return Peer(self, self._write)

    def _write(self, lines: bytes) -> None:
        self._observers.write(lines)

    async def _keep(self, at: int) -> None:
        """Start a worker anew whenever it has ended."""
        loop, wait = asyncio.get_running_loop(), _FIRST_WAIT
        while True:
            begun = loop.time()
            code = await self._peers[at].over()
            self._counted = summed([as_said(self._counted), lasting(self._peers[at].figures)])
            _log.error("worker %d has ended (%s); it is started anew", at + 1, _how(code))
            wait = _FIRST_WAIT if loop.time() - begun >= _LONGEST_WAIT else min(wait * 2, _LONGEST_WAIT)
            await self._begin_anew(at, wait)

    async def _begin_anew(self, at: int, wait: float) -> None:
        """Start a worker, as often as it takes."""
        failures = 0
        while True:
            self._peers[at] = self._peer()
            await asyncio.sleep(wait)
            try:
                await self._peers[at].start(self._sockets, self._start)
            except ConfigError as error:
                _log.error("worker %d cannot be started: %s", at + 1, error)
            else:
                return
            wait = min(wait * 2, _LONGEST_WAIT)
            failures += 1
            if failures >= _MOST and not any(each.is_serving for each in self._peers) and not self.failed.done():
                self.failed.set_result(f"gateway.workers: none of {len(self._peers)} workers can be started any more")


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
