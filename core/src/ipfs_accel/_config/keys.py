"""The key file: one JSON object, readable by its owner alone, each key bound to the origin that it is for."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from ipfs_accel._secret import Secret
from ipfs_accel.errors import ConfigError

from .paths import config_dir, is_there
from .secrets import as_secret

__all__ = ["KeyFile", "StoredKey"]


class StoredKey:
    """A key and the origin, such as `https://api.openai.com`, that it may be sent to."""

    __slots__ = ("key", "origin")

    def __init__(self, *, key: Secret, origin: str) -> None:
        self.key = key
        self.origin = origin


class KeyFile:
    """The keys that `ipfs-accel keys set` stored."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls) -> KeyFile:
        """Return the user's key file, beside the configuration; it need not exist."""
        return cls(config_dir() / "keys.json")

    def names(self) -> list[str]:
        """Return the endpoints that have a key here."""
        return sorted(self._read())

    def get(self, endpoint: str) -> StoredKey | None:
        """Return the key of an endpoint.

        Raises:
            ConfigError: The file is readable by others, or not what this class writes.
        """
        entry = self._read().get(endpoint)
        if entry is None:
            return None
        try:
            key = as_secret(entry["key"], f"{self.path}: the entry {endpoint!r}")
            return StoredKey(key=key, origin=entry["origin"])
        except (KeyError, TypeError, AttributeError):
            raise ConfigError(
                f"{self.path}: the entry {endpoint!r} has no key and origin",
                hint=f"run: ipfs-accel keys set {endpoint}",
            ) from None

    def set(self, endpoint: str, key: Secret, origin: str) -> None:
        """Store a key, replacing one of the same endpoint."""
        self._write({**self._read(), endpoint: {"key": key.reveal(), "origin": origin}})

    def remove(self, endpoint: str) -> bool:
        """Forget a key; return whether there was one."""
        entries = self._read()
        found = entries.pop(endpoint, None) is not None
        if found:
            self._write(entries)
        return found

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise ConfigError(
                        f"{self.path}: other users may read this key file, so it is not used",
                        hint=f"run: chmod 600 {self.path}",
                    )
                entries = json.load(file)
        except (OSError, ValueError) as error:
            if not is_there(self.path):
                return {}
            raise ConfigError(f"{self.path}: cannot read the key file: {type(error).__name__}") from None
        if not isinstance(entries, dict):
            raise ConfigError(f"{self.path}: the key file has to hold one JSON object")
        return entries

    def _write(self, entries: dict[str, Any]) -> None:
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot write the key file: {error.strerror}",
                hint="XDG_CONFIG_HOME names another folder for it; a key may also stand in an environment variable",
            ) from None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(entries, file, indent=1, sort_keys=True)
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
