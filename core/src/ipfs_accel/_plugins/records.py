"""What is known of a plugin without loading it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ipfs_accel._values import frozen

__all__ = ["PluginRecord", "State"]

State: TypeAlias = Literal["available", "loaded", "broken", "blocked", "duplicate", "incompatible"]


@frozen(kw_only=True)
class PluginRecord:
    """A plugin, or a host, as it was found, and what became of it.

    Attributes:
        name: Of the backend, the host or the middleware.
        state: available (not loaded yet), loaded, broken, blocked, duplicate or incompatible.
        reason: Why, for the last four.
        distribution: Which installed distribution registers it; empty for one that was given as an object.
        version: Of that distribution.
        entry_point: What it names, as `module:attribute`.
    """

    name: str
    state: State
    reason: str | None = None
    distribution: str = ""
    version: str = ""
    entry_point: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it is loaded or may be."""
        return self.state in {"available", "loaded"}
