"""A gateway as a process: from the configuration to the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from ipfs_accel import AsyncClient, Config
from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command

from ._gauges import gauges
from ._ledger import Ledger
from ._observers import Observers
from ._pages import Pages, metrics_page
from ._process import process_families
from ._server import Server

if TYPE_CHECKING:
    from ._app import App
    from ._exposition import Family
    from ._metrics import Metrics
    from ._settings import Settings

__all__ = ["Gateway", "names_of", "serve"]

GUIDE = "guide"
_GUIDE_TARGET = "llvm/guide"
DRAIN_SECONDS = 30.0
"""For how long what is being answered may go on after the end was asked for."""


class Gateway:
    """A gateway in this process; use it in an `async with` block.

    Attributes:
        settings: Its own.
        app: What answers requests, once it is open.
        address: Where it listens: host and port.
        metrics_address: Where it tells what is counted; None if it does not.
    """

    def __init__(
        self, config: Config, settings: Settings, plugins: Iterable[Any] = (), middleware: Iterable[Any] = ()
    ) -> None:
        """Say what to serve; `plugins` and `middleware` are objects to use besides what is installed and configured."""
        self._config = config
        self.settings = settings
        self._plugins, self._middleware = tuple(plugins), tuple(middleware)
        self.app: App
        self._server: Server | None = None
        self._pages: list[Pages] = []
        self.address: tuple[str, int] = ("", 0)
        self.metrics_address: tuple[str, int] | None = None

    def open(self) -> App:
        """Make what answers requests; for the tasks of the running loop."""
        names = {} if self._plugins else names_of(self._config)
        self._client = AsyncClient(self._config, plugins=self._plugins, middleware=self._middleware)
        self._observers = Observers(self._config, self.settings, names)
        self._ledger = Ledger.opened(self.settings, self._client)
        self.app = self._observers.app(self._client, self.settings, names=names, ledger=self._ledger)
        return self.app

    async def open_pages(self) -> None:
        """Listen at the ports beside the one for models.

        Raises:
            ConfigError: One of them is taken.
        """
        settings, metrics = self.settings, self._observers.metrics
        if settings.metrics_port is not None and metrics is not None:
            page = metrics_page(lambda: self._families(metrics))
            pages = Pages("metrics", {("GET", "/metrics"): page}, settings)
            self._pages.append(pages)
            self.metrics_address = await pages.listen(settings.metrics_host, settings.metrics_port)

    def _families(self, metrics: Metrics) -> Iterator[Family]:
        yield from metrics.families()
        connections = 0 if self._server is None else len(self._server.connections)
        yield from gauges(self._client.states(), self.app.callers.active(), connections)
        yield from process_families()

    async def __aenter__(self) -> Self:
        app = self.open()
        self._server = Server(app.handle, self.settings, refusal=app.refusal, admits=app.admits)
        try:
            self.address = await self._listen(self._server)
            await self.open_pages()
        except ConfigError:
            await self.close(0.0)
            raise
        return self

    async def _listen(self, server: Server) -> tuple[str, int]:
        try:
            return (await server.listen(self.settings.host, self.settings.port))[0]
        except OSError as error:
            await self.close(0.0)
            raise ConfigError(
                f"gateway: cannot listen at {self.settings.host} port {self.settings.port}: {error.strerror}",
                hint="another port is named by --port, or by gateway.port in the configuration",
            ) from None

    async def __aexit__(self, *_: object) -> None:
        await self.close(0.0)

    async def close(self, seconds: float = DRAIN_SECONDS) -> None:
        """Take no more requests; let those that are answered end, for so many seconds at most."""
        if self._server is not None:
            await self._server.close(seconds)
        for pages in self._pages:
            await pages.close()
        await self._client.close()
        if self._ledger is not None:
            await self._ledger.close()
        self._observers.close()


def names_of(config: Config) -> dict[str, str]:
    """Return what is served although nobody has configured it: the guide, where there is nothing else.

    Raises:
        ConfigError: There is nothing at all.
    """
    if config.endpoints or config.aliases or config.routes:
        return {}
    if find_spec("ipfs_accel_llvm") is not None and find_spec("xllamacpp") is not None:
        return {GUIDE: _GUIDE_TARGET}
    raise ConfigError(
        "gateway: there is nothing to serve: no endpoint, alias or route is configured, and no model is built in",
        hint=f"configure an endpoint, or install the engine: {install_command('ipfs-accel-llvm[embedded]')}",
    )


async def serve(config: Config, settings: Settings, ready: Callable[[Gateway], None]) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends at once what is still being answered."""
    loop = asyncio.get_running_loop()
    ends = asyncio.Event(), asyncio.Event()

    def end() -> None:
        ends[ends[0].is_set()].set()

    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C raises KeyboardInterrupt
            loop.add_signal_handler(name, end)
    gateway = Gateway(config, settings)
    async with gateway:
        ready(gateway)
        await ends[0].wait()
        closing = loop.create_task(gateway.close())
        await asyncio.wait([closing, loop.create_task(ends[1].wait())], return_when=asyncio.FIRST_COMPLETED)
