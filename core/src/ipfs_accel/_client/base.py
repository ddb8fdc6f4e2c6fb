"""The ground of both clients: configuration, life and death, and how a call is run in each world."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ipfs_accel._calls.core import Core
from ipfs_accel._config.config import Config, EndpointConfig
from ipfs_accel._fork import OwnLock
from ipfs_accel._worlds.perform import aperform, perform
from ipfs_accel._worlds.worlds import AsyncWorld, World

if TYPE_CHECKING:
    from ipfs_accel._http import AsyncTransport, Transport, TransportOptions
    from ipfs_accel._plugins.registry import PluginRecord
    from ipfs_accel._telemetry.states import EndpointState
    from ipfs_accel._telemetry.usage import UsageTotal
    from ipfs_accel._worlds.effects import Steps
    from ipfs_accel._worlds.recording import Recording
    from ipfs_accel.types import Timeout

__all__ = ["AsyncBase", "SyncBase"]

T = TypeVar("T")


class _Base:
    """What both clients have that waits for nothing."""

    def __init__(
        self,
        config: Config | str | Path | None = None,
        *,
        endpoints: Mapping[str, EndpointConfig | Mapping[str, Any]] | None = None,
        plugins: Iterable[Any] = (),
        timeout: float | Timeout | None = None,
        middleware: Iterable[Any] = (),
        recording: Recording | None = None,
    ) -> None:
        """Read the configuration; no plugin is imported and nothing is sent.

        Args:
            config: A `Config` or the path of a file; None means the user's file and the environment.
            endpoints: Name to `EndpointConfig`, or to a mapping with its settings; wins over file and environment.
            plugins: Plugin objects to use besides the installed ones.
            timeout: Seconds for a whole call, or a `Timeout`; for endpoints that have none of their own.
            middleware: Middleware objects around every call, outermost first; those that the configuration names are
                within them.
            recording: What records all exchanges with servers, or replays them, such as
                `ipfs_accel.testing.Recorded`.
        """
        self._core = Core(config, endpoints, plugins, timeout, middleware, recording=recording)
        self._making = OwnLock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self._core.endpoint_names()) or 'no endpoints'}>"

    @property
    def config(self) -> Config:
        """The configuration that holds."""
        return self._core.config

    def endpoints(self) -> list[str]:
        """Return the names of all endpoints: the configured ones, and one for each installed backend.

        Of the hosts, those that somebody has set up are among them; the others can be named all the same.
        """
        return self._core.endpoint_names()

    def plugins(self) -> list[PluginRecord]:
        """Return all backend plugins that were found, with their states; imports none."""
        return self._core.plugin_records()

    def hosts(self) -> list[PluginRecord]:
        """Return all hosts that were found, with their states: endpoints that are preset; reads none."""
        return self._core.host_records()

    def middleware(self) -> list[PluginRecord]:
        """Return the middleware around calls, outermost first, then what is installed and not used; imports none."""
        return self._core.registry.middleware_records()

    def usage(self) -> tuple[UsageTotal, ...]:
        """Return what this client's calls have used so far, by endpoint and model; `states` has it with the rest."""
        return self._core.ledger.totals()

    def states(self) -> dict[str, EndpointState]:
        """Return what this client knows of the endpoints that it used, in one place.

        How they are now (breakers, keys, queues, the retry budget), and what their calls came to. All of it belongs to
        this client and ends with it.
        """
        from ipfs_accel._telemetry.states import states  # noqa: PLC0415 - few programs ask

        return states(self._core.targets(), self._core.ledger.totals(), self._core.is_set_up)

    def _transport_options(self) -> TransportOptions:
        from ipfs_accel._http import TransportOptions  # noqa: PLC0415 - as in `_connect`

        config = self._core.config
        return TransportOptions(verify=config.ca_file or True, proxy=config.proxy)


class SyncBase(_Base):
    """A client that waits."""

    _open_world: World | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; later calls raise `ClientClosedError`."""
        self._core.close()
        transport = self._world.end()
        if transport is not None:
            transport.close()

    @property
    def _world(self) -> World:
        if self._open_world is None:
            with self._making.lock:
                if self._open_world is None:
                    self._open_world = World(self._connect, self._core.clock)
        return self._open_world

    def _connect(self) -> Transport:
        from ipfs_accel._http import Transport  # noqa: PLC0415 - the HTTP library is loaded when it is first needed

        transport, recording = Transport(self._transport_options()), self._core.recording
        return transport if recording is None else recording.around(transport)

    def _run(self, steps: Steps[T]) -> T:
        self._core.refuse_if_closed()
        return perform(steps, self._world)


class AsyncBase(_Base):
    """A client that is awaited."""

    _open_world: AsyncWorld | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; later calls raise `ClientClosedError`."""
        self._core.close()
        transport = self._world.end()
        if transport is not None:
            await transport.close()

    @property
    def _world(self) -> AsyncWorld:
        if self._open_world is None:
            with self._making.lock:
                if self._open_world is None:
                    self._open_world = AsyncWorld(self._connect, self._core.clock)
        return self._open_world

    def _connect(self) -> AsyncTransport:
        from ipfs_accel._http import AsyncTransport  # noqa: PLC0415 - the HTTP library is loaded when it is first needed

        transport, recording = AsyncTransport(self._transport_options()), self._core.recording
        return transport if recording is None else recording.around_async(transport)

    def _run(self, steps: Steps[T]) -> Coroutine[Any, Any, T]:
        self._core.refuse_if_closed()
        return aperform(steps, self._world)
