"""Looking at plugins and endpoints: loaded side by side, each with a short limit, so that none delays the others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import attrs

from ipfs_accel._config.config import Config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._endpoints.presets import hosts_set_up
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._endpoints.target import Target
from ipfs_accel._plugins.middleware_loading import load_all, records_of
from ipfs_accel._plugins.names import reserved
from ipfs_accel._plugins.registry import HOSTS, PluginRecord, Registry
from ipfs_accel._values import frozen
from ipfs_accel.errors import AccelError

from .command import State

__all__ = ["Inspection", "Loaded", "backend_of", "is_amiss"]

LOAD_SECONDS = 2.0
MOST_THREADS = 64


@frozen(kw_only=True)
class Loaded:
    """What became of one plugin.

    Attributes:
        error: Why it did not load.
        seconds: How long that took.
    """

    error: AccelError | None
    seconds: float


class Inspection:
    """What is installed and configured, after every plugin had its chance to load.

    Attributes:
        endpoints: The names of all endpoints.
        set_up: The names of the hosts that somebody has set up.
        middleware: What stands around calls, outermost first, then what is installed and not used.
    """

    def __init__(self, config: Config, state: State) -> None:
        self.config = config
        # Middleware is looked at for itself: what is wrong with it is no backend's fault.
        loadings = load_all(config.plugins, ())
        self.middleware = records_of(config.plugins, (), loadings)
        self._registry = Registry(attrs.evolve(config.plugins, middleware=(), options={}), state.plugins)
        self.set_up = hosts_set_up(self._registry, config, KeyFile.default())
        usable = [record.name for record in self._registry.records() if record.is_usable]
        self.endpoints = sorted({*usable, *self.set_up, *config.endpoints})
        with ThreadPoolExecutor(min(len(usable), MOST_THREADS) or 1) as pool:
            self._loaded = dict(zip(usable, pool.map(self._load, usable), strict=True))

    def _load(self, name: str) -> Loaded:
        started = time.perf_counter()
        error = None
        try:
            self._registry.load(name, limit=LOAD_SECONDS)
        except AccelError as found:
            error = found
        return Loaded(error=error, seconds=time.perf_counter() - started)

    def plugins(self) -> list[tuple[PluginRecord, Loaded | None]]:
        """Return all plugins as they are now, with what became of those that may load."""
        records = self._registry.records()
        return [(record, None if record.state == "blocked" else self._loaded.get(record.name)) for record in records]

    def hosts(self) -> list[PluginRecord]:
        """Return all hosts as they are now."""
        return self._registry.records(HOSTS)

    def trouble(self, endpoint: str) -> AccelError | None:
        """Return why an endpoint's plugin did not load."""
        name = backend_of(self.config, endpoint)
        if name in self._loaded:
            return self._loaded[name].error
        try:
            self._registry.load(name)  # one that is absent or refused, which says so at once
        except AccelError as error:
            return error
        return None

    def target(self, endpoint: str) -> Target | AccelError:
        """Return what holds for an endpoint, or why that cannot be said."""
        error = self.trouble(endpoint)
        backend = self._registry.loaded(backend_of(self.config, endpoint))
        if error is not None or backend is None:
            return error or AccelError(f"the plugin of {endpoint!r} is not loaded")
        try:
            return resolve(endpoint, backend, self.config, KeyFile.default())
        except AccelError as wrong:
            return wrong


def is_amiss(record: PluginRecord) -> bool:
    """Whether something is wrong with a plugin or a host; what the configuration leaves out has its own reason."""
    return not record.is_usable and (record.state != "blocked" or record.reason == reserved(record.name))


def backend_of(config: Config, endpoint: str) -> str:
    """Return the name of the plugin that an endpoint uses."""
    configured = config.endpoints.get(endpoint)
    return (configured.backend if configured else None) or endpoint
