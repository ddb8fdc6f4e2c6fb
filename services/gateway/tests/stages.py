from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipfs_accel import Config, EndpointConfig
from ipfs_accel.testing import Scripted

from .gateways import Running


class Stage:
    """A gateway over a backend that answers by a script, which each test writes anew."""

    def __init__(self, *plugins: Any, settings: dict[str, Any] | None = None, **endpoints: EndpointConfig) -> None:
        self._script: deque[Any] = deque()
        self.scripted = Scripted(lambda _request: self._script.popleft())
        every = {"scripted": EndpointConfig(), **endpoints}
        for plugin in plugins:
            every.setdefault(plugin.name, EndpointConfig())
        config = Config(endpoints=every, environ={})
        self._running = Running(config, settings or {}, (self.scripted, *plugins))
        self.url = self._running.url

    def plays(self, *script: Any) -> None:
        """Write the script."""
        self.scripted.requests.clear()
        self._script.clear()
        self._script.extend(script)

    @property
    def asked(self) -> Any:
        """The last request that came."""
        return self.scripted.requests[-1]

    def close(self) -> None:
        self._running.close()


@contextmanager
def stage(*plugins: Any, settings: dict[str, Any] | None = None, **endpoints: EndpointConfig) -> Iterator[Stage]:
    """Start a gateway over one endpoint `scripted`, and others."""
    found = Stage(*plugins, settings=settings, **endpoints)
    try:
        yield found
    finally:
        found.close()
