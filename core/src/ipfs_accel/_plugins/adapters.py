"""Plugins of older plugin APIs: how each is made to look like one of the next.

When the plugin API changes, `ADAPTERS` gets an entry for the version before: a function that is given a plugin object
and returns one for the next version. A plugin then goes up step by step. As long as there is an unbroken way up, it
works unchanged; otherwise whoever installed it reads what to upgrade.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel.hookspecs import API_VERSION

__all__ = ["ADAPTERS", "IncompatibleError", "adapt"]

ADAPTERS: dict[int, Callable[[Any], Any]] = {}
"""Version to what makes a plugin of it one of the next version; empty as long as there has been one version only."""


class IncompatibleError(Exception):
    """A plugin of a version that this core cannot use; the message says what to upgrade."""


def adapt(plugin: Any, current: int = API_VERSION, adapters: Mapping[int, Callable[[Any], Any]] = ADAPTERS) -> Any:
    """Return the plugin as one of the current plugin API.

    Raises:
        IncompatibleError: It does not say its version, needs a newer core, or is too old.
    """
    stated = getattr(plugin, "api_version", None)
    if not isinstance(stated, int) or isinstance(stated, bool):
        said = "does not say" if stated is None else f"says {stated!r}, which is no number, for"
        raise IncompatibleError(
            f"it {said} which plugin API it was written for; its authors add: api_version = {current}"
        )
    if stated > current:
        raise IncompatibleError(f"it needs plugin API {stated}, this ipfs-accel has {current}: upgrade ipfs-accel")
    for version in range(stated, current):
        if version not in adapters:
            raise IncompatibleError(
                f"it was written for plugin API {stated}, which this ipfs-accel with {current} does not take any more: "
                "upgrade the plugin"
            )
        plugin = adapters[version](plugin)
    return plugin
