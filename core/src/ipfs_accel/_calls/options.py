"""The options of a call that are about the call itself, not about what is asked."""

from __future__ import annotations

from typing import Any, cast

from ipfs_accel._config.seconds import is_seconds, wrong_limit
from ipfs_accel._config.secrets import as_secret
from ipfs_accel._secret import Secret
from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Timeout

from .watching import Watch, guarded

__all__ = ["split_call_options", "watcher"]

_PRIORITIES = ("high", "normal", "low")


def split_call_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take out of the options what is about the call itself, and return it."""
    timeout = options.pop("timeout", None)
    if timeout is not None:
        _check_timeout(timeout)
    policy = options.pop("on_unsupported", None)
    if policy not in (None, "raise", "warn"):
        raise InvalidRequestError(f"on_unsupported: expected 'raise' or 'warn', got {short(policy)}")
    settings = {"timeout": timeout, "policy": policy, "on_upload": _watch(options.pop("on_upload", None))}
    priority = options.pop("priority", None)
    if priority is not None:
        if priority not in _PRIORITIES:
            raise InvalidRequestError(f"priority: expected one of {', '.join(_PRIORITIES)}, got {short(priority)}")
        settings["priority"] = priority
    cache = options.pop("cache", None)
    if cache is not None:
        if not isinstance(cache, bool):
            raise InvalidRequestError(f"cache: expected True or False, got {short(cache)}")
        settings["cache"] = cache
    key = options.pop("key", None)
    if key is not None:
        if not (callable(key) or isinstance(key, Secret | str)) or not key:
            raise InvalidRequestError(f"key: expected a key or a function that gives one, got {type(key).__name__}")
        settings["key"] = as_secret(key, "key") if isinstance(key, str) else key
    return settings


def _watch(given: Any) -> Watch | None:
    found = watcher(given, "on_upload")
    return None if found is None else guarded(found)


def watcher(given: Any, name: str = "on_progress") -> Watch | None:
    """Refuse what is no function."""
    if given is not None and not callable(given):
        raise InvalidRequestError(f"{name}: expected a function, got {type(given).__name__}")
    return cast("Watch | None", given)


def _check_timeout(timeout: Any) -> None:
    if isinstance(timeout, Timeout):
        wrong = wrong_limit(timeout)
        if wrong is not None:
            raise InvalidRequestError(f"timeout.{wrong}")
    elif not is_seconds(timeout):
        raise InvalidRequestError(f"timeout: expected seconds above 0 or a Timeout, got {short(timeout)}")
