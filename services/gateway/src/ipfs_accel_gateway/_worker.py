"""A process that serves requests beside others, and asks their owner where limits and budgets are concerned."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from ipfs_accel import AccelError

from ._asking import AskedLedger, Asking, SentLog
from ._link import Link
from ._reload import Reloader
from ._run import Gateway, exporting
from ._source import Source
from ._sums import as_said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipfs_accel import AsyncClient, Config

    from ._bills import Ledger
    from ._records import AccessLog
    from ._server import Server
    from ._settings import Settings

__all__ = ["Worker"]

_log = logging.getLogger("ipfs_accel_gateway")


class Worker(Gateway):
    """A gateway that accepts from sockets which others share, and owns nothing."""

    def __init__(self, config: Config, settings: Settings, asking: Asking, sockets: Sequence[int]) -> None:
        super().__init__(config, settings)
        self._asking = self._owner = asking
        self._sockets = sockets

    async def open_pages(self) -> None:
        """Listen nowhere else: the owner does."""

    async def _listen(self, server: Server) -> tuple[str, int]:
        await server.listen_at(self._sockets)
        return self.settings.host, self.settings.port

    def _ledger_of(self, settings: Settings, client: AsyncClient) -> Ledger | None:
        if settings.spend_file is None and not settings.has_budgets:
            return None
        return AskedLedger(settings, client, self._owner)

    def _log_of(self, settings: Settings) -> AccessLog | None:
        if settings.access_log is None:
            return None
        return SentLog(asyncio.get_running_loop(), self._owner.link)


class _Work:
    """What the owner asks of this process.

    Attributes:
        ends: Seconds for which answers under way may go on, of the end that was asked for, and of the next one.
        is_alone: Whether the owner is gone.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.start: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        self.ends: tuple[asyncio.Future[float | None], asyncio.Future[float | None]] = (
            loop.create_future(),
            loop.create_future(),
        )
        self.is_alone = False
        self._asking = Asking()
        self._tasks = set[asyncio.Task[None]]()
        heard: Mapping[str, Callable[..., object]] = {
            "start": self.start.set_result,
            "reload": self._reload,
            "tell": self._tell,
            "end": self._end,
        }
        self.link = self._asking.link = Link({**heard, **self._asking.heard}, self._lost)

    async def run(self) -> None:
        """Serve until the end is asked for, or nobody is there to ask for it."""
        start = await self.start
        source = Source(_loading(start["config"]), start["over"])
        try:
            config, settings = source.read()
            with exporting(config):
                self._gateway = Worker(config, settings, self._asking, start["sockets"])
                async with self._gateway:
                    await self._gateway.check()
                    self._reloader = Reloader(self._gateway.change, source)
                    self.link.say("ready")
                    await self._until_ended()
        except AccelError as error:
            self.link.say("failed", error.message, error.hint)
        self._end(0.0)
        await self.link.close()

    async def _until_ended(self) -> None:
        seconds = await self.ends[0]
        closing: asyncio.Future[Any] = asyncio.ensure_future(self._gateway.close(seconds))
        ends: list[asyncio.Future[Any]] = [closing, self.ends[1]]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()

    def _end(self, seconds: float | None) -> None:
        end = self.ends[self.ends[0].done()]
        if not end.done():
            end.set_result(seconds)

    def _lost(self) -> None:
        self._asking.lost()
        if not self.start.done():
            self.start.cancel()
        if not self.ends[0].done():
            self.is_alone = True
            _log.error("the process that holds limits and budgets is gone: a worker ends what it answers, and itself")
            self._end(None)

    def _reload(self, anew: bool) -> None:
        async def reload() -> None:
            await self._reloader.reload(anew=anew)
            self.link.say("reloaded")

        task = asyncio.ensure_future(reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self) -> None:
        self.link.say("figures", as_said(self._gateway.figures()))


def _loading(path: str | None) -> Any:
    from ipfs_accel.commands import State  # noqa: PLC0415 - it loads what commands need

    state = State()
    state.config = path
    return state.load_config


async def _main(number: int) -> bool:
    work = _Work()
    await work.link.open(socket.socket(fileno=number))
    with contextlib.suppress(asyncio.CancelledError):
        await work.run()
    return work.is_alone


if __name__ == "__main__":
    # Who ends a service may send this to each of its processes; the owner says what is to be done.
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("ipfs_accel_gateway.life").setLevel(logging.ERROR)  # the owner has said the rest
    sys.exit(asyncio.run(_main(int(sys.argv[1]))))
