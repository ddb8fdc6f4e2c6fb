"""The gateway: every backend of ipfs-accel for the clients that people have, behind one address."""

from __future__ import annotations

from ._app import App
from ._settings import BudgetSettings, KeySettings, Settings, read_settings

__all__ = ["App", "BudgetSettings", "KeySettings", "Settings", "read_settings"]
