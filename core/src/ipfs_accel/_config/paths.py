"""Where this user's files are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

from ipfs_accel.errors import InvalidRequestError

__all__ = ["cache_dir", "config_dir", "data_dir", "is_there", "safe_join"]

_APP = "ipfs-accel"


def config_dir() -> Path:
    """Return the folder of config.toml and keys.json; it need not exist."""
    return _xdg("XDG_CONFIG_HOME", ".config") or Path(_platformdirs().user_config_dir(_APP, appauthor=False))


def data_dir() -> Path:
    """Return the folder of models and other data; it need not exist."""
    return _xdg("XDG_DATA_HOME", ".local/share") or Path(_platformdirs().user_data_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    """Return the folder of what may be thrown away; it need not exist."""
    return _xdg("XDG_CACHE_HOME", ".cache") or Path(_platformdirs().user_cache_dir(_APP, appauthor=False))


def _xdg(variable: str, usual: str) -> Path | None:
    """Return the folder where Linux has it, if the environment says so plainly: every client asks."""
    if sys.platform != "linux" or hasattr(sys, "getandroidapilevel") or "ANDROID_ROOT" in os.environ:
        return None
    given, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if given.startswith("/"):
        return Path(given, _APP)
    return Path(home, usual, _APP) if not given and home.startswith("/") else None


def _platformdirs() -> ModuleType:
    import platformdirs  # noqa: PLC0415 - it loads ways to compress and to draw lots, for what is not asked here

    return platformdirs


def is_there(path: Path) -> bool:
    """Whether there is such a file; none is in a home that is no folder, or that this user may not look into."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def safe_join(folder: Path, name: str) -> Path:
    """Return the path below a folder that a name from elsewhere, such as the key of an object, stands for.

    Raises:
        InvalidRequestError: The name is absolute, has empty segments, `.`, `..`, a backslash, a colon or control
            characters, or leads out of the folder through a symbolic link.
    """
    parts = name.split("/")
    if any(part in {"", ".", ".."} or not part.isprintable() or set(part) & {"\\", ":"} for part in parts):
        raise InvalidRequestError(
            f"{name!r} cannot be the name of a file below {folder}", hint="fetch it alone, under a name of your own"
        )
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidRequestError(f"{name!r} leads out of {folder} through a symbolic link")
    return path
