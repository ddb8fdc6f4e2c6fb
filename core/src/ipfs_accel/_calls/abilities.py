"""What a target can do, as far as that is known without asking it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ipfs_accel._telemetry.pricing import known_model
from ipfs_accel.capabilities import Support
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.types import Capabilities

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target

__all__ = ["known", "operations_of"]


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
