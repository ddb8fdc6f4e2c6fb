"""Which hosts somebody has set up, so that they are among the endpoints where none is named."""

from __future__ import annotations

from ipfs_accel._config.config import Config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._plugins.names import is_set_up
from ipfs_accel._plugins.registry import HOSTS, Registry
from ipfs_accel.errors import ConfigError

__all__ = ["hosts_set_up"]


def hosts_set_up(registry: Registry, config: Config, key_file: KeyFile) -> list[str]:
    """Return the names of the hosts that may load and that somebody has set up; reads no row."""
    usable = [record.name for record in registry.records(HOSTS) if record.is_usable]
    try:
        stored = key_file.names() if usable else []
    except ConfigError:  # which is told when a key is wanted
        stored = []
    return [name for name in usable if is_set_up(name, config.environ, stored)]
