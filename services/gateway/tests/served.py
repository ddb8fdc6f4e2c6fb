"""Notes who asked which route of a gateway, and which backend answered, for the table of clients."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel_gateway import App

_MODEL = re.compile(r"/models/.*(?=:)")


class Served:
    """Writes a line of JSON for each kind of request that was served in a test which passed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[tuple[str, ...]] = []
        self._known: set[tuple[str, ...]] = set()
        ask: Any = App._ask

        async def watched(app: App, request: Any, reply: Any, dialect: Any, record: Any, *others: Any) -> None:
            await ask(app, request, reply, dialect, record, *others)
            if record.endpoint and record.error is None:
                endpoint = app._client.config.endpoints.get(record.endpoint)
                backend = (endpoint.backend if endpoint else None) or record.endpoint
                route = _MODEL.sub("/models/…", request.path)
                self._pending.append((request.headers.get("user-agent", ""), route, backend, record.lane))

        App._ask = watched  # type: ignore[method-assign]

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test saw, if it passed."""
        if report.when != "call":
            return
        seen, self._pending = set(self._pending), []
        if report.passed:
            with self._path.open("a") as file:
                file.writelines([json.dumps(each) + "\n" for each in sorted(seen - self._known)])
            self._known |= seen
