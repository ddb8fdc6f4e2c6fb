"""Whoever is told of requests: the log, metrics, OpenTelemetry, the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ipfs_accel.errors import ConfigError
from ipfs_accel.installing import install_command

from ._app import App
from ._metrics import Metrics, Names
from ._records import AccessLog, Record

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import ModuleType

    from ipfs_accel import AsyncClient

    from ._audit import Audit
    from ._incoming import Incoming
    from ._reply import Reply
    from ._settings import Settings
    from ._tracing import Tracing

__all__ = ["Observers", "access_log", "tracing"]

Opens: TypeAlias = Callable[["Settings"], AccessLog | None]


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


class Layer(Protocol):
    """What stands around the answer to a request."""

    def around(self, request: Incoming, reply: Reply) -> AbstractContextManager[Reply]:
        """Begin, and end once it is answered; the answer goes to the reply that comes of it."""
        ...


class ObservedApp(App):
    """A gateway with something around the answers of what may ask for models."""

    def __init__(self, layers: Sequence[Layer], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._layers = layers

    async def handle(self, request: Incoming, reply: Reply) -> None:
        """Answer a request."""
        with ExitStack() as stack:
            for layer in self._layers if request.method == "POST" else ():
                reply = stack.enter_context(layer.around(request, reply))
            await super().handle(request, reply)


class Observers:
    """Those that the configuration asks for.

    Attributes:
        metrics: What is counted; None where nobody asked for it.
    """

    def __init__(
        self, opens: Opens, settings: Settings, metrics: Metrics | None, tracing: Tracing | None, audit: Audit | None
    ) -> None:
        self.metrics = metrics
        self._opens = opens
        log = opens(settings)
        self._tracing = tracing
        self._log, self._audit = log, audit
        self._layers: list[Layer] = [each for each in (tracing, audit) if each is not None]
        told = (log, metrics, tracing, audit)
        self.noting: tuple[Callable[[Record], object], ...] = tuple([each.add for each in told if each is not None])

    @classmethod
    def of(cls, client: AsyncClient, settings: Settings, names: Mapping[str, str], opens: Opens) -> Observers:
        """Return those that a configuration asks for.

        Args:
            client: Of the configuration.
            settings: Of the gateway.
            names: What is served beside it.
            opens: Opens the log.

        Raises:
            ConfigError: A file cannot be written, a library is not installed, or what was said would be kept with
                nothing taken out.
        """
        config = client.config
        known = Names(config, settings.models, names)
        is_traced = config.telemetry is not None and config.telemetry.otel
        metrics = Metrics(known) if settings.is_counting else None
        audit = _audit_of(client, settings)
        return cls(opens, settings, metrics, tracing().Tracing(known) if is_traced else None, audit)

    def following(self, client: AsyncClient, settings: Settings, names: Mapping[str, str]) -> Observers:
        """Return those for another configuration: files of their own, and what was counted goes on.

        Raises:
            ConfigError: As above.
        """
        audit = _audit_of(client, settings)
        found = Observers(self._opens, settings, self.metrics, self._tracing, audit)
        known = Names(client.config, settings.models, names)
        for each in (self.metrics, self._tracing):
            if each is not None:
                each.names = known
        return found

    def app(self, client: AsyncClient, settings: Settings, **options: Any) -> App:
        """Return what answers requests, and tells of them."""
        if not self._layers:
            return App(client, settings, noting=self.noting, **options)
        return ObservedApp(self._layers, client, settings, noting=self.noting, **options)

    def write(self, lines: bytes) -> None:
        """Write lines of the log that another process has made."""
        if self._log is not None:
            self._log.write(lines)

    def close(self) -> None:
        """Write what waits."""
        for each in (self._log, self._audit):
            if each is not None:
                each.close()


def access_log(settings: Settings) -> AccessLog | None:
    """Return the log that settings ask for.

    Raises:
        ConfigError: It cannot be written.
    """
    path = settings.access_log
    return None if path is None else AccessLog(path, asyncio.get_running_loop())


def _audit_of(client: AsyncClient, settings: Settings) -> Audit | None:
    if settings.audit is None:
        return None
    from ._audit import Audit  # noqa: PLC0415 - most gateways have none

    return Audit(client, settings, settings.audit)
