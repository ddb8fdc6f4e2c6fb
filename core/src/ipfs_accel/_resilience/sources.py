"""Where keys come from: what is configured is a key, or a function that gives it for each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._secret import Secret
from ipfs_accel.errors import ConfigError

__all__ = ["KeySource", "as_secret", "reveal"]

KeySource: TypeAlias = Secret | Callable[[], str]


def as_secret(value: str, where: str) -> Secret:
    """Make a key of text.

    Raises:
        ConfigError: It cannot be one; says where it is from, and nothing of it.
    """
    try:
        return Secret(value)
    except InvalidValueError as error:
        raise ConfigError(f"{where}: {error}", hint=error.hint) from None


def reveal(source: KeySource) -> str:
    """Return the key that a source stands for.

    Raises:
        ConfigError: It gives none.
    """
    secret = source if isinstance(source, Secret) else as_secret(source(), "the function that gives the key")
    try:
        return secret.reveal()
    except InvalidValueError as error:
        raise ConfigError(str(error), hint=error.hint) from None
