from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig

from .gateways import Running, Start
from .served import Served


def pytest_configure(config: pytest.Config) -> None:
    """Note who is served, where the table of clients is to be made."""
    path = os.environ.get("IPFS_ACCEL_SERVED")
    if path:
        config.pluginmanager.register(Served(Path(path)))


def _running() -> Iterator[Start]:
    """Start gateways: `running(plugins, endpoints={...}, settings={...}, aliases=...)`."""
    started: list[Running] = []

    def start(*plugins: Any, settings: dict[str, Any] | None = None, **config: Any) -> Running:
        endpoints = {
            name: each if isinstance(each, EndpointConfig) else EndpointConfig(**each)
            for name, each in config.pop("endpoints", {}).items()
        }
        for plugin in plugins:
            endpoints.setdefault(plugin.name, EndpointConfig())
        found = Running(Config(endpoints=endpoints, environ={}, **config), settings or {}, plugins)
        started.append(found)
        return found

    yield start
    for each in started:
        each.close()


running = pytest.fixture(name="running")(_running)
running_once = pytest.fixture(scope="module", name="running_once")(_running)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20, trust_env=False) as client:
        yield client
