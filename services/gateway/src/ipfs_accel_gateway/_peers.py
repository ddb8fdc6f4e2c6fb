"""One worker, as the owner sees it: a process, what it is told, and what it says."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import ConfigError

from ._holdings import Holdings, Owning
from ._link import Link

if TYPE_CHECKING:
    from asyncio.subprocess import Process

__all__ = ["Peer"]

_PATIENCE = 5.0
"""Seconds in which a process ends that has hung up."""
_RELOADING = 30.0
"""Seconds for which a worker is waited for that reads the configuration."""
_FIGURES = 2.0
"""Seconds in which a worker tells its figures; else those of the last time stand."""


class Peer:
    """A worker, from its start to its end.

    Args:
        owner: Of limits and budgets.
        write: Writes lines of the access log.

    Attributes:
        figures: What it has counted, as it last told.
        is_serving: Whether it has begun to, and is there yet.
    """

    def __init__(self, owner: Owning, write: Callable[[bytes], object]) -> None:
        loop = asyncio.get_running_loop()
        self.figures: Sequence[Any] = ()
        self.is_serving = False
        self._ready: asyncio.Future[tuple[str, str | None] | None] = loop.create_future()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {"reloaded": [], "figures": []}
        heard: Mapping[str, Callable[..., object]] = {
            "ready": lambda: self._began(None),
            "failed": lambda *why: self._began(why),
            "lines": lambda text: write(text.encode()),
            "figures": self._told,
            "reloaded": lambda: self._answered("reloaded"),
        }
        self._link = Link({}, self._lost)
        self._holdings = Holdings(owner, self._link.say)
        self._link.heard = {**heard, **self._holdings.heard}
        self._process: Process | None = None

    async def start(self, sockets: Iterable[socket.socket], start: Mapping[str, Any]) -> None:
        """Start it; returns once it serves.

        Args:
            sockets: From which it accepts connections.
            start: What it has to know.

        Raises:
            ConfigError: It cannot.
        """
        ours, theirs = socket.socketpair()
        numbers = [each.fileno() for each in sockets]
        # In a group of its own: what a terminal sends all processes of a group is for the owner, who tells the workers.
        command = (sys.executable, "-P", "-m", "ipfs_accel_gateway._worker", str(theirs.fileno()))
        environ = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command, pass_fds=(theirs.fileno(), *numbers), env=environ, process_group=0
                )
            except OSError as error:
                ours.close()
                raise ConfigError(f"gateway.workers: a worker cannot be started: {error.strerror}") from None
        await self._link.open(ours)
        self._link.say("start", {**start, "sockets": numbers})
        why = await self._ready
        if why is not None:
            await self.over()
            raise ConfigError(why[0], hint=why[1])

    async def reload(self, *, anew: bool) -> None:
        """Have it read the configuration anew; returns once it serves by it, or is gone."""
        await asyncio.wait([asyncio.ensure_future(self._ask("reloaded", "reload", anew))], timeout=_RELOADING)

    async def ask_figures(self) -> None:
        """Have it tell what it has counted."""
        await asyncio.wait([asyncio.ensure_future(self._ask("figures", "tell"))], timeout=_FIGURES)

    def end(self, seconds: float) -> None:
        """Let it end what it is answering, for so many seconds at most."""
        self._link.say("end", seconds)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def over(self) -> int:
        """Wait until it is gone, and return its exit code, or the number of its signal below 0."""
        if self._process is None:
            return 0
        if self._link.is_open:
            await self._link.lost()
        try:
            return await asyncio.wait_for(self._process.wait(), _PATIENCE)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    async def _ask(self, answer: str, kind: str, *rest: Any) -> None:
        if not self._link.gone.done():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[answer].append(waiting)
            self._link.say(kind, *rest)
            await waiting

    def _told(self, figures: Sequence[Any]) -> None:
        self.figures = figures
        self._answered("figures")

    def _answered(self, answer: str) -> None:
        if self._waiting[answer]:
            waiting = self._waiting[answer].pop(0)
            if not waiting.done():
                waiting.set_result(None)

    def _began(self, why: tuple[str, str | None] | None) -> None:
        if not self._ready.done():
            self._ready.set_result(why)
            self.is_serving = why is None

    def _lost(self) -> None:
        self._began(("gateway.workers: a worker ended before it served", "its own words stand above"))
        self.is_serving = False
        self._holdings.release()
        for answer, waiting in self._waiting.items():
            while waiting:
                self._answered(answer)
