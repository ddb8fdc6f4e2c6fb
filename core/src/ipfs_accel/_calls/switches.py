"""What a caller sets by hand at an endpoint: whether calls get through, and keys that count again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipfs_accel._worlds.effects import Steps

    from .core import Core

__all__ = ["isolate", "reload_keys", "restore"]


def isolate(core: Core, name: str) -> Steps[None]:
    """Let no call through to an endpoint, or to one model of it, until `restore`."""
    endpoint, model = core.split(name)
    guard = (yield from core.target(endpoint)).guard
    if not model:
        guard.is_isolated = True
        return
    breaker = guard.breaker(model)
    if breaker is not None:
        breaker.isolate()


def restore(core: Core, name: str) -> Steps[None]:
    """Let calls through again, whatever was known against it."""
    endpoint, model = core.split(name)
    guard = (yield from core.target(endpoint)).guard
    if not model:
        guard.is_isolated = False
    for each, breaker in guard.breakers().items():
        if model in {"", each}:
            breaker.restore()


def reload_keys(core: Core, endpoint: str) -> Steps[None]:
    """Take in again the keys of an endpoint that were refused or are at their limit."""
    guard = (yield from core.target(endpoint)).guard
    if guard.pool is not None:
        guard.pool.reload()
