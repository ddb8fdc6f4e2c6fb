"""A gateway, as the console sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ipfs_accel import Config, EndpointState

    from ipfs_accel_gateway._app import App
    from ipfs_accel_gateway._callers import Caller
    from ipfs_accel_gateway._ledger import Ledger
    from ipfs_accel_gateway._metrics import Metrics
    from ipfs_accel_gateway._settings import Settings

__all__ = ["View"]


@attrs.frozen(kw_only=True)
class View:
    """What the console looks at.

    Attributes:
        config: What is served.
        settings: Of the gateway.
        names: Names that are served beside those of the configuration, and what is asked for under them.
        app: What answers requests.
        states: Of the endpoints that were asked.
        metrics: What is counted.
        ledger: What is spent; None where nobody counts it.
        connections: Those of clients that are open.
        address: Where models are served.
        port: Of the console.
        started: When the gateway began, in seconds since 1970.
    """

    config: Config
    settings: Settings
    names: Mapping[str, str]
    app: App
    states: Mapping[str, EndpointState]
    metrics: Metrics
    ledger: Ledger | None
    connections: int
    address: tuple[str, int]
    port: int
    started: float

    @property
    def player(self) -> Caller | None:
        """Under whose key the playground asks; None where it is off."""
        return self.app.callers.by_name().get(self.settings.console_key or "")
