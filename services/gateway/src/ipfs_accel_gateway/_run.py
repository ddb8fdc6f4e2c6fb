"""A gateway from its configuration to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import attrs
from ipfs_accel import AsyncClient, Config
from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command

from ._differences import differences, is_same
from ._faults import faults_of, keyless
from ._life import Life
from ._observers import Observers, access_log, tracing
from ._server import Server

if TYPE_CHECKING:
    from . import _bills as bills
    from ._app import App
    from ._asking import Asking
    from ._console.site import Console
    from ._console.view import View
    from ._exposition import Family
    from ._ledger import Ledger
    from ._metrics import Metrics
    from ._pages import Pages
    from ._records import AccessLog
    from ._settings import Settings

__all__ = ["GUIDE", "Gateway", "exporting", "names_of"]

_T = TypeVar("_T")
GUIDE = "guide"
_GUIDE_TARGET = "llvm/guide"
_LAST = 1.0
"""Seconds that calls by earlier settings may take to end once they were broken off."""

_FIXED = ("host", "port", "workers", "metrics_host", "metrics_port", "console_port", "spend_file", "budget_zone")
"""Settings of what is opened once."""
_FIXED_NAMES = {"telemetry.otel changed", *[f"gateway.{name} changed" for name in _FIXED]}

_log = logging.getLogger("ipfs_accel_gateway.life")


class Gateway:
    """A gateway in this process; use it in an `async with` block.

    Attributes:
        settings: Its own.
        app: What answers requests, once it is open.
        address: Where it listens: host and port.
        metrics_address: Where it tells what is counted; None if it does not.
        console_address: Where it has a page about itself; None if it has none.
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
        self._life = Life()
        self._ledger: bills.Ledger | None = None
        self._asking: Asking | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.under_way: Callable[[], set[Any]] = set
        self.address: tuple[str, int] = ("", 0)
        self.metrics_address: tuple[str, int] | None = None
        self.console_address: tuple[str, int] | None = None
        self._console: Console | None = None
        self._started = time.time()

    @property
    def is_guide(self) -> bool:
        """Whether the small model is served, as there is nothing else."""
        return GUIDE in self._names_of(self._config)

    def open(self) -> App:
        """Make what answers requests; for the tasks of the running loop."""
        names = self._names_of(self._config)
        self._client = self._client_of(self._config)
        self._observers = Observers.of(self._client, self.settings, names, self._log_of)
        self._ledger = self._ledger_of(self.settings, self._client)
        self.app = self._app_of(names)
        return self.app

    async def open_pages(self) -> None:
        """Listen at the ports beside the one for models.

        Raises:
            ConfigError: One of them is taken.
        """
        settings, metrics = self.settings, self._observers.metrics
        if metrics is None:
            return
        from ._pages import Pages, metrics_page  # noqa: PLC0415 - few gateways have such ports

        if settings.metrics_port is not None:
            pages = Pages("metrics", {("GET", "/metrics"): metrics_page(self.families)}, settings)
            self._pages.append(pages)
            self.metrics_address = await pages.listen(settings.metrics_host, settings.metrics_port)
        if settings.console_port is not None:
            from ._console.site import MAX_BODY, Console  # noqa: PLC0415 - nobody else is to wait for it

            self._console = Console(lambda: self._view(metrics))
            pages = Pages("console", self._console.table, settings, max_body=MAX_BODY)
            self._pages.append(pages)
            self.console_address = await pages.listen("127.0.0.1", settings.console_port)

    def console_link(self) -> str | None:
        """Return an address at which a browser is let into the console, once and for some minutes."""
        if self._console is None or self.console_address is None:
            return None
        host, port = self.console_address
        return f"http://{host}:{port}/#{self._console.ticket()}"

    def _view(self, metrics: Metrics) -> View:
        from ._console.view import View  # noqa: PLC0415 - as above

        return View(
            config=self._config,
            settings=self.settings,
            names=self._names_of(self._config),
            app=self.app,
            states=self._client.states(),
            metrics=metrics,
            ledger=cast("Ledger | None", self._ledger),  # who asks another process has no console
            connections=0 if self._server is None else len(self._server.connections),
            address=self.address,
            port=0 if self.console_address is None else self.console_address[1],
            started=self._started,
        )

    async def families(self) -> Iterable[Family]:
        """Return what is counted."""
        return self.figures()

    def figures(self) -> Iterator[Family]:
        """Return what this process has counted."""
        from ._gauges import gauges  # noqa: PLC0415 - as in `open_pages`
        from ._process import process_families  # noqa: PLC0415 - as above

        if self._observers.metrics is not None:
            yield from self._observers.metrics.families()
        connections = 0 if self._server is None else len(self._server.connections)
        yield from gauges(self._client.states(), self.app.callers.active(), connections)
        yield from process_families()

    async def __aenter__(self) -> Self:
        self._server = Server(self.open())
        self.under_way = self._server.tasks
        try:
            self.address = await self._listen(self._server)
            await self.open_pages()
        except ConfigError:
            await self.close(0.0)
            raise
        return self

    async def _listen(self, server: Server) -> tuple[str, int]:
        return (await self._listening(server.listen))[0]

    async def _listening(self, listen: Callable[[str, int], Awaitable[_T]]) -> _T:
        try:
            return await listen(self.settings.host, self.settings.port)
        except OSError as error:
            raise ConfigError(
                f"gateway: cannot listen at {self.settings.host} port {self.settings.port}: {error.strerror}",
                hint="another port is named by --port, or by gateway.port in the configuration",
            ) from None

    async def __aexit__(self, *_: object) -> None:
        await self.close(0.0)

    async def check(self) -> None:
        """Refuse to serve what cannot be used, and tell of keys that are missing; asks no server.

        Raises:
            ConfigError: Something of endpoints, aliases or routes is wrong.
        """
        await _checked(self._client)

    async def change(self, config: Config, settings: Settings, *, anew: bool = False) -> list[str]:
        """Serve by another configuration from the next request on; what is under way ends by the old one.

        Args:
            config: What is served.
            settings: Of the gateway; host and port stay as they are until it is started anew.
            anew: Whether connections and states of endpoints begin anew, even if nothing else is said of them.

        Returns:
            The names of the settings that are others now.

        Raises:
            ConfigError: It cannot be served; nothing has changed.
        """
        told = [
            f"{each} (not before the next start)" if each in _FIXED_NAMES else each
            for each in differences((self._config, self.settings), (config, settings))
        ]
        settings = attrs.evolve(settings, **{name: getattr(self.settings, name) for name in _FIXED})
        is_kept = not anew and is_same(self._config, config)
        client = self._client if is_kept else self._client_of(config)
        try:
            await _checked(client)
            names = self._names_of(config)
            ledger = self._ledger or self._ledger_of(settings, client)
            observers = self._observers.following(client, settings, names)
        except BaseException:
            if not is_kept:
                await client.close()
            raise
        old = (None if is_kept else self._client, self._observers)
        self._config, self.settings, self._client, self._observers = config, settings, client, observers
        if ledger is not None:
            ledger.follow(settings, client)
        self._ledger = ledger
        self.app = self._app_of(names, self.app)
        under_way = self.under_way().union(*[each.tasks() for each in self._pages])
        leaving = asyncio.ensure_future(_close_after(under_way, *old))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        if self._server is not None:
            self._server.serve_by(self.app)
        return told

    async def close(self, seconds: float | None = None) -> None:
        """Take no more requests; let those that are answered end, for so many seconds at most, and break off the rest.

        None is what the settings say.
        """
        self._life.is_draining = True
        if self._server is not None:
            await self._server.drain(self.settings.drain_timeout if seconds is None else seconds)
            self._life.is_over = True
            await self._server.close()
        for pages in self._pages:
            await pages.close()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_LAST)
        await self._client.close()
        if self._ledger is not None:
            await self._ledger.close()
        self._observers.close()

    def _ledger_of(self, settings: Settings, client: AsyncClient) -> bills.Ledger | None:
        if settings.spend_file is None and not settings.has_budgets:
            return None
        from ._ledger import Ledger  # noqa: PLC0415 - it loads a database

        return Ledger.opened(settings, client)

    def _log_of(self, settings: Settings) -> AccessLog | None:
        return access_log(settings)

    def _client_of(self, config: Config) -> AsyncClient:
        return AsyncClient(config, plugins=self._plugins, middleware=self._middleware)

    def _names_of(self, config: Config) -> dict[str, str]:
        return {} if self._plugins else names_of(config)

    def _app_of(self, names: dict[str, str], before: App | None = None) -> App:
        options: dict[str, Any] = {"names": names, "before": before, "life": self._life}
        options |= {"ledger": self._ledger, "asking": self._asking}
        return self._observers.app(self._client, self.settings, **options)


async def _checked(client: AsyncClient) -> None:
    faults = await faults_of(client)
    if faults:
        raise ConfigError("; ".join([each.message for each in faults]), hint=faults[0].hint)
    for each in keyless(client):
        _log.warning("%s", each.message)


async def _close_after(tasks: set[Any], client: AsyncClient | None, observers: Observers) -> None:
    """Close what calls use once these are over."""
    if tasks:
        await asyncio.wait(tasks)
    if client is not None:
        await client.close()
    observers.close()


@contextlib.contextmanager
def exporting(config: Config) -> Iterator[None]:
    """Send what OpenTelemetry is told, where it is told of anything."""
    if config.telemetry is None or not config.telemetry.otel:
        yield
        return
    end = tracing().exporting()
    try:
        yield
    finally:
        end()


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
