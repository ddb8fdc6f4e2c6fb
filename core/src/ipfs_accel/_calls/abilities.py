"""What a target can do, as far as that is known without asking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ipfs_accel._telemetry.pricing import known_model
from ipfs_accel._worlds.effects import Steps
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import AccelError
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.types import Capabilities

from .routes import Route, balanced

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target

    from .context import Context

__all__ = ["Suits", "known", "operations_of", "suitable"]

Suits: TypeAlias = Callable[[Capabilities], str | None]
"""Given what is known of a target beforehand, says why it cannot do what is asked; None if it can."""


def operations_of(target: Target) -> Mapping[str, Support]:
    """Return which operations the backend has for this endpoint."""
    has = target.backend.operations.difference(target.lacks)
    return {name: Support("yes" if name in has else "no", "hook") for name in OPERATIONS}


def known(target: Target, model: str) -> Capabilities:
    """Return what the hooks, the plugin's catalogue and the user say of a model; it is found out once."""
    found = target.abilities.get(model)
    if found is None:
        backend = target.backend
        found = target.abilities[model] = Capabilities(
            endpoint=target.endpoint.name,
            backend=backend.name,
            model=known_model(target, model),
            operations=operations_of(target),
            calls=tuple(sorted(backend.calls)),
        )
    return found


def suitable(core: Context, route: Route, suits: Suits, begin: Callable[[Route], Steps[Any]]) -> Steps[Any]:
    """Perform a call at those of a route's targets that can do what is asked; at all of them, if none is left.

    `route` has all targets: how many are asked at most counts those that can.
    """
    left = []
    for endpoint, model in route.targets:
        try:
            target = yield from core.target(endpoint)
        except AccelError:  # what is wrong with it is told where it is asked
            left.append((endpoint, model))
            continue
        if suits(known(target, model)) is None:
            left.append((endpoint, model))
    if left and len(left) < len(route.targets):
        route = attrs.evolve(route, targets=left)
    return (yield from (balanced(core, route, begin) if route.is_balanced else begin(route.cut())))
