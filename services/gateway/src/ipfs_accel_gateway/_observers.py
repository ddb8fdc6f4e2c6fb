"""Whoever is told of requests: the log, metrics, OpenTelemetry. Made once; what they know of names follows changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command

from ._app import App
from ._metrics import Metrics, Names
from ._records import AccessLog, Record

if TYPE_CHECKING:
    from types import ModuleType

    from ipfs_accel import AsyncClient, Config

    from ._settings import Settings
    from ._tracing import Tracing

__all__ = ["Observers", "tracing"]


def tracing() -> ModuleType:
    """Return the module that speaks to OpenTelemetry.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from . import _tracing as found  # noqa: PLC0415 - needs an optional library
    except ImportError:
        raise ConfigError(
            "telemetry.otel is on, but OpenTelemetry is not installed",
            hint=f"run: {install_command('ipfs-accel-gateway[otel]', 'opentelemetry-exporter-otlp-proto-http')}",
        ) from None
    return found


class Observers:
    """Those that the configuration asks for.

    Attributes:
        metrics: What is counted; None where nobody asked for it.
    """

    def __init__(self, log: AccessLog | None, metrics: Metrics | None, tracing: Tracing | None) -> None:
        self.metrics = metrics
        self._log = log
        self._tracing = tracing
        told = (log, metrics, tracing)
        self.noting: tuple[Callable[[Record], object], ...] = tuple([each.add for each in told if each is not None])

    @classmethod
    def of(cls, config: Config, settings: Settings, names: Mapping[str, str]) -> Observers:
        """Return those that a configuration asks for.

        Raises:
            ConfigError: The log cannot be written, or OpenTelemetry is not installed.
        """
        known = Names(config, settings.models, names)
        is_traced = config.telemetry is not None and config.telemetry.otel
        metrics = None if settings.metrics_port is None else Metrics(known)
        return cls(_log_of(settings), metrics, tracing().Tracing(known) if is_traced else None)

    def following(self, config: Config, settings: Settings, names: Mapping[str, str]) -> Observers:
        """Return those for another configuration: a log of its own, and what was counted goes on.

        Raises:
            ConfigError: The log cannot be written.
        """
        found = Observers(_log_of(settings), self.metrics, self._tracing)
        known = Names(config, settings.models, names)
        for each in (self.metrics, self._tracing):
            if each is not None:
                each.names = known
        return found

    def app(self, client: AsyncClient, settings: Settings, **options: Any) -> App:
        """Return what answers requests, and tells of them."""
        if self._tracing is None:
            return App(client, settings, noting=self.noting, **options)
        found: App = tracing().TracedApp(self._tracing, client, settings, noting=self.noting, **options)
        return found

    def close(self) -> None:
        """Write what waits."""
        if self._log is not None:
            self._log.close()


def _log_of(settings: Settings) -> AccessLog | None:
    path = settings.access_log
    return None if path is None else AccessLog(path, asyncio.get_running_loop())
