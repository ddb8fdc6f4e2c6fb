"""Several targets for one call: which comes first, and for which failures the next one is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ipfs_accel._resilience.places import Place
from ipfs_accel._resilience.settings import USUAL_FALLBACKS, FailureClass
from ipfs_accel._values import frozen
from ipfs_accel._worlds.effects import Steps
from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    CircuitOpenError,
    ConfigError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    InternalServerError,
    InvalidRequestError,
    InvalidResponseError,
    MissingKeyError,
    NotFoundError,
    NotSupportedByServerError,
    PermissionDeniedError,
    PoolTimeoutError,
    QueueFullError,
    QuotaExceededError,
    RateLimitError,
    StreamError,
    UnsupportedOperationError,
    UnsupportedParameterError,
)
from ipfs_accel.types import Tried

from .journey import Journey

if TYPE_CHECKING:
    from ipfs_accel._config.config import Config
    from ipfs_accel._resilience.optional import RouteConfig

    from .context import Context

__all__ = ["Route", "balanced", "check_routes", "failure_class", "route_of", "routed", "targets_of"]

T = TypeVar("T")

_PAYMENT_REQUIRED = 402
_REQUEST_TIMEOUT = 408
# The first line that fits counts.
_CLASSES: tuple[tuple[type[AccelError] | tuple[type[AccelError], ...], FailureClass | None], ...] = (
    ((DeadlineExceededError, PoolTimeoutError), None),
    (APITimeoutError, "timeout"),
    (APIConnectionError, "connection"),
    (QuotaExceededError, "quota"),
    (RateLimitError, "rate_limit"),
    (CircuitOpenError, "circuit_open"),
    (QueueFullError, "queue_full"),
    (ContentFilterError, "content_filter"),
    (ContextLengthExceededError, "context_length"),
    ((MissingKeyError, AuthenticationError, PermissionDeniedError), "authentication"),
    (NotFoundError, "not_found"),
    ((InternalServerError, NotSupportedByServerError), "server"),
    ((InvalidResponseError, StreamError), "invalid_response"),
    ((APIStatusError, UnsupportedOperationError, UnsupportedParameterError), "bad_request"),
)


def failure_class(error: AccelError) -> FailureClass | None:
    """Return why a target failed; None if another one could not do better."""
    status = getattr(error, "status", None)
    if status == _PAYMENT_REQUIRED:
        return "quota"
    found: FailureClass | None = next((name for kinds, name in _CLASSES if isinstance(error, kinds)), None)
    if found == "bad_request" and getattr(error, "retryable", False):
        # What may succeed later was not the request's fault: 408, 425, or what the server says so of.
        return "timeout" if status == _REQUEST_TIMEOUT else "server"
    return found


@frozen
class Route:
    """What a call may go to, best first: endpoints and models; and why it goes on to the next.

    Attributes:
        hops: How many targets after the first are asked at most.
        is_balanced: Whether the first one is chosen when the call begins, by how busy they are.
        place: The call's at the one that was chosen.
    """

    targets: Sequence[tuple[str, str]]
    fallback_on: Sequence[FailureClass] = ()
    hops: int = 0
    is_balanced: bool = False
    place: Place | None = None

    def beginning(self, first: int, place: Place | None = None) -> Route:
        """Return the same with another target to begin with, and as many as may be asked."""
        targets = [*self.targets[first:], *self.targets[:first]]
        return attrs.evolve(self, targets=targets[: self.hops + 1], is_balanced=False, place=place)

    def cut(self) -> Route:
        """Return as many of the targets as may be asked."""
        if len(self.targets) <= self.hops + 1:
            return self
        return attrs.evolve(self, targets=self.targets[: self.hops + 1])


def check_routes(config: Config) -> None:
    """Refuse routes that could not be used as they are meant."""
    for name, route in config.routes.items():
        if "/" in name or name in config.aliases or name in config.endpoints:
            what = "has a slash" if "/" in name else "is the name of an alias or an endpoint too"
            raise ConfigError(f"routes.{name}: the name {what}")
        nested = [target for target in route.targets if target in config.routes]
        if nested:
            raise ConfigError(f"routes.{name}: targets: {nested[0]!r} is itself a route")


def route_of(core: Context, model: str | Sequence[str] | None, *, every: bool = False) -> Route:
    """Return the targets that a name, or a list of names, stands for, in the order of a call that begins now.

    With `every`, those beyond what may be asked as well: who chooses among them cuts the rest.
    """
    found = _config_of(core, model)
    if found is None:
        return Route((core.split(model),))  # type: ignore[arg-type]
    route = _ordered(core, *found)
    return route if every or route.is_balanced else route.cut()


def targets_of(core: Context, model: str | Sequence[str] | None) -> Sequence[tuple[str, str]]:
    """Return all that calls to a name, or a list of names, may go to; no call begins, so that no turn is taken."""
    found = _config_of(core, model)
    if found is None:
        return (core.split(model),)  # type: ignore[arg-type]
    return [core.split(target) for target in found[1].targets]


def _config_of(core: Context, model: str | Sequence[str] | None) -> tuple[str, RouteConfig] | None:
    """Return the name and the settings of a route; None where one model is named."""
    if model is not None and not isinstance(model, str):
        from ipfs_accel._resilience.optional import RouteConfig  # noqa: PLC0415 - few calls name several targets

        try:
            return "", RouteConfig(targets=_names(model))
        except ConfigError as error:
            error.args = (error.message.replace("targets:", "model:", 1),)
            raise
    if core.config.routes:
        name = model or core.config.default_model or ""
        name = core.config.aliases.get(name, name)
        if name in core.config.routes:
            return name, core.config.routes[name]
    return None


def _names(model: Any) -> tuple[str, ...]:
    if isinstance(model, bytes) or not isinstance(model, Sequence):
        raise InvalidRequestError(f"model: expected a string or a list of them, got {type(model).__name__}")
    return tuple(model)


def _ordered(core: Context, name: str, config: RouteConfig) -> Route:
    targets = [core.split(target) for target in config.targets]
    reasons = USUAL_FALLBACKS if config.fallback_on is None else config.fallback_on
    route = Route(targets, reasons, config.max_hops, is_balanced=config.policy == "least_busy")
    if route.is_balanced:
        return route
    first = 0
    if config.policy == "round_robin":
        first = next(core.turns.setdefault(name, itertools.count())) % len(targets)
    elif config.policy == "random":
        first = min(int(core.clock.random() * len(targets)), len(targets) - 1)
    return attrs.evolve(route, targets=[*targets[first:], *targets[:first]]) if first else route


def balanced(core: Context, route: Route, begin: Callable[[Route], Steps[T]]) -> Steps[T]:
    """Perform a call at the least busy of its targets, chosen now: those that wait to begin would all choose the same.

    Its place there is given back when the call itself counts there, and in any case at the end.
    """
    place = Place()
    try:
        first = core.places.choose(place, [endpoint for endpoint, _ in route.targets], core.under_way)
        return (yield from begin(route.beginning(first, place)))
    finally:
        place.leave()


def routed(core: Context, route: Route, serve: Callable[[tuple[str, str], Journey, bool], Steps[T]]) -> Steps[T]:
    """Ask one target after the other until one serves.

    Args:
        core: The client's.
        route: The targets.
        serve: Asks one, given what all of them share and whether another one is left.
    """
    journey = Journey(core.clock.now(), None, route.place)
    last = route.targets[-1]
    for target in route.targets:
        journey.may_leave = target is not last and "connection" in route.fallback_on
        try:
            return (yield from serve(target, journey, target is not last))
        except AccelError as error:
            if target is last or failure_class(error) not in route.fallback_on:
                raise
            _note(journey, target, error)
    raise AssertionError(route)  # the last target has answered or raised


def _note(journey: Journey, target: tuple[str, str], error: AccelError) -> None:
    if journey.place is not None:  # the call goes elsewhere and has never counted there
        journey.place.leave()
        journey.place = None
    if isinstance(error, APIError) and error.tried:
        journey.tried = list(error.tried)
    else:
        endpoint, model = target
        journey.tried.append(Tried(endpoint=endpoint, model=model, error=type(error).__name__, seconds=0.0))
