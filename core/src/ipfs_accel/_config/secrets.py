"""Keys from what is configured: a text, or what a function gives."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._secret import KeySource, Secret
from ipfs_accel.errors import ConfigError

__all__ = ["as_secret", "key_of", "reveal"]


def as_secret(value: str, where: str) -> Secret:
    """Make a key of text.

    Raises:
        ConfigError: It cannot be one; says where it is from, and nothing of it.
    """
    try:
        return Secret(value)
    except InvalidValueError as error:
        raise ConfigError(f"{where}: {error}", hint=error.hint) from None


def reveal(source: KeySource, endpoint: str) -> str:
    """Return the key that it stands for.

    Raises:
        ConfigError: It went through a pickle, or is a function that gives no key, or an async one, which only an
            asynchronous client can await.
    """
    if not isinstance(source, Secret):
        return key_of(source(), endpoint)
    try:
        return source.reveal()
    except InvalidValueError as error:
        raise ConfigError(f"endpoint {endpoint!r}: key: {error}", endpoint=endpoint, hint=error.hint) from None


def key_of(given: object, endpoint: str) -> str:
    """Check and return what a function gave as a key; nothing of it is ever shown."""
    what, hint = "gave None" if given is None else f"gave {type(given).__name__}", "it has to return a string"
    try:
        if isinstance(given, str | Secret):
            return (given if isinstance(given, Secret) else Secret(given)).reveal()
    except InvalidValueError as error:
        what, hint = f"gave something else: {error}", error.hint or hint
    if isinstance(given, Awaitable):
        what, hint = "is async, which only AsyncClient can await", "use AsyncClient, or a function that is not async"
    if isinstance(given, Coroutine):
        given.close()
    given = None  # reports show the variables of frames
    raise ConfigError(f"endpoint {endpoint!r}: key: the function {what}", endpoint=endpoint, hint=hint)
