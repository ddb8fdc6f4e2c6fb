"""Where this user's files are."""

from __future__ import annotations

from pathlib import Path

import platformdirs

__all__ = ["config_dir", "data_dir"]

_APP = "ipfs-accel"


def config_dir() -> Path:
    """Return the folder of config.toml and keys.json; it need not exist."""
    return Path(platformdirs.user_config_dir(_APP, appauthor=False))


def data_dir() -> Path:
    """Return the folder of models and other data; it need not exist."""
    return Path(platformdirs.user_data_dir(_APP, appauthor=False))
