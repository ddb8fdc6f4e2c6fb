"""Where a gateway's configuration comes from, so that it can be read again, and seen to have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ipfs_accel.errors import ConfigError

from ._settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ipfs_accel import Config

    from ._settings import Settings

__all__ = ["Reading", "Source", "Watch"]

_Signature: TypeAlias = tuple[int, int, int, int] | None


class Reading(NamedTuple):
    """A configuration that was read and is well-formed."""

    config: Config
    settings: Settings


class Source:
    """Reads a configuration, as often as it is asked.

    Attributes:
        files: From which it was last read, or was to be read.
        over: As below.

    Args:
        load: Reads all but the gateway's table.
        over: Settings of the gateway that the command line has.
    """

    def __init__(self, load: Callable[[], Config], over: Mapping[str, Any] | None = None) -> None:
        self._load = load
        self.over = dict(over or {})
        self._path: Path | None = None
        self.files: tuple[Path, ...] = ()

    def read(self) -> Reading:
        """Read it.

        Raises:
            ConfigError: It cannot be read, or something in it is wrong; the message says what and where.
        """
        config = self._load()
        if config.path is None and self._path is not None:
            raise ConfigError(f"the configuration file {self._path} is gone")
        self._path = config.path
        folder = None if config.path is None else config.path.parent
        named = config.gateway.get("keys_file")
        files = (config.path, (folder / named if folder else None) if isinstance(named, str) else None)
        self.files = tuple([each for each in files if each is not None])
        return Reading(config, settings_of(config, self.over))


class Watch:
    """Tells that files have changed, once they stay as they are.

    An editor may write in place, and half a file may be well-formed, so that a change counts when two looks, one after
    the other, see the same. A file that is not there is about to be exchanged, or gone, and no news either way.
    Symbolic links are followed, so that a folder which is exchanged by one is seen, too.
    """

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._read: dict[Path, _Signature] = {}
        self._last: dict[Path, _Signature] = {}
        self.follow(files)

    def follow(self, files: tuple[Path, ...]) -> None:
        """Look at these from now on; what was written while they were read is seen yet."""
        self._read = {each: self._read[each] if each in self._read else _signature(each) for each in files}

    def has_changed(self) -> bool:
        """Look at the files; true once for each change."""
        now = {each: _signature(each) for each in self._read}
        is_settled, self._last = now == self._last, now
        if now == self._read or not is_settled or None in now.values():
            return False
        self._read = now
        return True


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
