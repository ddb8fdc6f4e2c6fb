"""What plans a call at a backend; says clearly what the backend does not have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel._endpoints.target import Target
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import AccelError, InvalidRequestError, UnsupportedOperationError
from ipfs_accel.hookspecs import OPERATIONS

__all__ = ["operation_plan", "own_plan", "plan"]


def plan(target: Target, operation: str, **arguments: Any) -> Any:
    """Let the backend plan; says clearly if it does not have the operation."""
    backend = target.backend
    if operation not in backend.operations:
        have = ", ".join([name for name in OPERATIONS if name in backend.operations])
        raise UnsupportedOperationError(
            f"the backend {backend.name!r} does not implement {operation!r}", hint=f"it has: {have}"
        )
    reason = target.lacks.get(operation)
    if reason is not None:
        raise UnsupportedOperationError(f"the endpoint {target.endpoint.name!r} has no {operation!r}: {reason}")
    return backend.plan(operation, endpoint=target.endpoint, **arguments)


def operation_plan(target: Target, operation: str, arguments: Mapping[str, Any]) -> Callable[[], Any]:
    """Return what plans an operation that has arguments in place of a request."""
    return lambda: plan(target, operation, **arguments)


def own_plan(target: Target, name: str, arguments: Mapping[str, Any]) -> Callable[[], Any]:
    """Return what plans one of the backend's own calls; says clearly if there is none or the arguments do not fit."""
    endpoint, backend = target.endpoint.name, target.backend.name
    function = target.backend.calls.get(name)
    if function is None:
        raise UnsupportedOperationError(
            f"the backend {backend!r} has no call {name!r}",
            endpoint=endpoint,
            backend=backend,
            hint=did_you_mean(name, target.backend.calls),
        )
    try:
        inspect.signature(function).bind(target.endpoint, **arguments)
    except TypeError as error:
        raise InvalidRequestError(f"{name}: {error}", endpoint=endpoint, backend=backend) from None

    def planned() -> Any:
        try:
            return function(target.endpoint, **arguments)
        except AccelError:
            raise
        except Exception as error:
            raise target.backend.failure(f"while planning {name!r}", error) from error

    return planned
