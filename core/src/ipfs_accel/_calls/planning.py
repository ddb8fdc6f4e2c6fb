"""What plans a call at a backend; says clearly what the backend does not have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel._endpoints.target import Target
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import AccelError, InvalidRequestError, PluginError, UnsupportedOperationError
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.plans._http import CIRCULAR, TOO_DEEP, UNWRITABLE

if TYPE_CHECKING:
    from ipfs_accel.types import Request

__all__ = ["operation_plan", "own_plan", "plan", "tell_field"]


def plan(target: Target, operation: str, **arguments: Any) -> Any:
    """Let the backend plan; says clearly if it does not have the operation."""
    backend = target.backend
    if operation not in backend.operations:
        have = ", ".join([name for name in OPERATIONS if name in backend.operations])
        own = f"; client.call({target.endpoint.name!r}, {operation!r}, …) is its own call of that name"
        raise UnsupportedOperationError(
            f"the backend {backend.name!r} does not implement {operation!r}",
            hint=f"it has: {have}{own if operation in backend.calls else ''}",
        )
    reason = target.lacks.get(operation)
    if reason is not None:
        raise UnsupportedOperationError(f"the endpoint {target.endpoint.name!r} has no {operation!r}: {reason}")
    try:
        return backend.plan(operation, endpoint=target.endpoint, **arguments)
    except AccelError as error:
        tell_field(error, arguments.get("request"))
        raise


def tell_field(error: AccelError, request: Request | None) -> None:
    """Raise an error that names the field, if one says that a request cannot be written.

    It is looked for only then, so that it costs no other call.
    """
    cause = error.__cause__
    is_unwritable = UNWRITABLE in error.message or isinstance(cause, RecursionError | UnicodeEncodeError)
    if request is None or not is_unwritable or not isinstance(error, InvalidRequestError | PluginError):
        return
    from ipfs_accel._convert.unfit import unfit  # noqa: PLC0415 - needed for what goes wrong alone

    said = TOO_DEEP if isinstance(cause, RecursionError) else error.message
    found = unfit(request, next((each for each in (TOO_DEEP, CIRCULAR) if said.endswith(each)), None))
    if found is not None:
        raise InvalidRequestError(found, backend=error.backend) from None


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
