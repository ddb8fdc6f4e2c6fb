"""Questions about what endpoints and models can do, answered over everything that is configured."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, TypedDict

import attrs

from ipfs_accel._calls.abilities import operations_of
from ipfs_accel._calls.offline import known_model, known_models, no_catalogue
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._telemetry.pricing import merge_override
from ipfs_accel._values import frozen
from ipfs_accel._worlds.effects import Steps
from ipfs_accel._worlds.gather import Gather
from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    AuthenticationError,
    ConfigError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    PluginError,
    UnsupportedOperationError,
)
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.types import Capabilities, Found, Health, Match, ModelInfo

if TYPE_CHECKING:
    from ipfs_accel._calls.core import Core

__all__ = ["Query", "QueryOptions", "capabilities", "find", "healthcheck", "healthcheck_all", "query"]

LOAD_SECONDS = 5.0
"""How long a question over all endpoints waits for the import of a plugin."""
SURVEY_SECONDS = 10.0
"""How long it waits for the answer of an endpoint."""


_ABSENCES = (ConfigError, UnsupportedOperationError, APIConnectionError)
"""What an endpoint fails with that nobody has set up: no key, no address, or no server there."""


class QueryOptions(TypedDict, total=False):
    """What a model has to have.

    Keys:
        operation: An operation that it has to serve.
        features: Features such as tools or vision.
        min_context: Tokens that its context window has to hold.
        max_input_price: Most US dollars per million input tokens.
        max_output_price: Most US dollars per million output tokens.
        healthy: Whether its endpoint has to serve now; each is checked for that.
    """

    operation: str | None
    features: Iterable[str]
    min_context: int | None
    max_input_price: float | None
    max_output_price: float | None
    healthy: bool


@frozen(kw_only=True)
class Query:
    """The same, checked; None and empty mean that it does not matter."""

    operation: str | None = None
    features: frozenset[str] = frozenset()
    min_context: int | None = None
    max_input_price: float | None = None
    max_output_price: float | None = None
    healthy: bool = False


def query(options: QueryOptions) -> Query:
    """Check what a caller asks for."""
    known = [field.name for field in attrs.fields(Query)]
    for name in options:
        if name not in known:
            raise InvalidRequestError(f"{name}: unknown criterion", hint=did_you_mean(name, known))
    operation = options.get("operation")
    if operation is not None and operation not in OPERATIONS:
        hint = did_you_mean(operation, OPERATIONS)
        raise InvalidRequestError(f"operation: {operation!r} is not one of {', '.join(OPERATIONS)}", hint=hint)
    values: dict[str, Any] = {**options, "features": frozenset(options.get("features", ()))}
    return Query(**values)


def capabilities(core: Core, name: str, *, offline: bool = False) -> Steps[Capabilities]:
    """Tell what an endpoint, or a model behind it, can do; asks the server only for a model, and offline never."""
    endpoint, model_id = core.split(name)
    target = yield from core.target(endpoint)
    backend = target.backend
    model = None
    if model_id and offline:
        model = known_model(target, model_id) or ModelInfo(id=model_id)
    elif model_id:
        model = yield from _model(core, endpoint, model_id)
        model = merge_override(model, target.models.get(model_id))
    return Capabilities(
        endpoint=endpoint,
        backend=backend.name,
        model=model,
        operations=operations_of(target),
        calls=tuple(sorted(backend.calls)),
    )


def _model(core: Core, endpoint: str, model_id: str) -> Steps[ModelInfo]:
    target = yield from core.target(endpoint)
    if "show_model" in target.backend.operations:
        return (yield from core.show_model(endpoint, model_id))
    models = yield from core.list_models(endpoint)
    return next((model for model in models if model.id == model_id), ModelInfo(id=model_id))


def find(core: Core, wanted: Query, endpoints: Iterable[str] | None = None, *, offline: bool = False) -> Steps[Found]:
    """Ask every endpoint for its models, side by side, or offline its catalogue, and rank those that fit."""
    if offline and wanted.healthy:
        raise InvalidRequestError("healthy and offline exclude each other: only its server tells whether it serves")
    names = list(endpoints) if endpoints is not None else core.endpoint_names()
    answers = yield Gather([_matches(core, name, wanted, offline=offline) for name in names])
    matches: list[Match] = []
    skipped: dict[str, str] = {}
    unset: list[str] = []
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, AccelError):
            skipped[name] = answer.message
            if isinstance(answer, _ABSENCES) and not core.is_set_up(name):
                unset.append(name)
        else:
            matches += answer
    return Found(matches=tuple(sorted(matches, key=_rank)), skipped=skipped, unset=tuple(unset))


def _matches(core: Core, endpoint: str, wanted: Query, *, offline: bool) -> Steps[list[Match]]:
    target = yield from core.target(endpoint, LOAD_SECONDS)
    operations = target.backend.operations
    if wanted.operation is not None and wanted.operation not in operations:
        raise UnsupportedOperationError(f"the backend {target.backend.name!r} does not implement {wanted.operation!r}")
    if wanted.operation in target.lacks:
        raise UnsupportedOperationError(f"the endpoint {endpoint!r} has no {wanted.operation!r}")
    unchecked: list[str] = []
    if offline:
        models = known_models(target)
        if not models:
            raise no_catalogue(target)
    else:
        if "list_models" not in operations:
            raise UnsupportedOperationError(f"the backend {target.backend.name!r} cannot list its models")
        unchecked = (yield from _unchecked(core, endpoint)) if wanted.healthy else []
        models = yield from core.list_models(endpoint, LOAD_SECONDS, SURVEY_SECONDS)
    found = []
    for model in models:
        unknown = _unknown_criteria(model, wanted)
        if unknown is not None:
            found.append(Match(endpoint=endpoint, model=model, unknown=(*unknown, *unchecked)))
    return found


def _unchecked(core: Core, endpoint: str) -> Steps[list[str]]:
    """Return the criterion that stays open where a backend has no check; an endpoint that does not serve is refused."""
    try:
        health = yield from healthcheck(core, endpoint, LOAD_SECONDS)
    except UnsupportedOperationError:
        return ["healthy"]
    if not health.ok:
        raise APIConnectionError(f"it is {health.status}" + (f": {health.detail}" if health.detail else ""))
    return []


def _unknown_criteria(model: ModelInfo, wanted: Query) -> list[str] | None:
    """Return what cannot be confirmed, or None if the model is known not to fit."""
    unknown: list[str] = []
    names = wanted.features | {wanted.operation} if wanted.operation else wanted.features
    for name in sorted(names):
        support = model.features.get(name)
        if support is not None and support.value == "no":
            return None
        if support is None or support.value == "unknown":
            unknown.append(name)
    limits: Collection[tuple[str, float | None, float | None, int]] = (
        ("min_context", wanted.min_context, model.context_window, 1),
        ("max_input_price", wanted.max_input_price, model.input_price, -1),
        ("max_output_price", wanted.max_output_price, model.output_price, -1),
    )
    for name, limit, actual, sign in limits:
        if limit is None:
            continue
        if actual is None:
            unknown.append(name)
        elif (actual - limit) * sign < 0:
            return None
    return unknown


def _rank(match: Match) -> tuple[Any, ...]:
    price = match.model.input_price
    return (
        len(match.unknown),
        price is None,
        price or 0.0,
        -(match.model.context_window or 0),
        match.endpoint,
        match.model.id,
    )


def healthcheck(core: Core, endpoint: str, limit: float | None = None) -> Steps[Health]:
    """Check one endpoint; what is wrong with it is the answer, not an error."""
    started = time.perf_counter()
    try:
        health: Health = yield from core.check(endpoint, limit)
    except UnsupportedOperationError:
        raise
    except (ConfigError, PluginError, AuthenticationError, PermissionDeniedError) as error:
        health = Health(status="misconfigured", detail=_sentence(error))
    except OverloadedError as error:
        health = Health(status="loading", detail=_sentence(error))
    except APIConnectionError as error:
        health = Health(status="unreachable", detail=_sentence(error))
    except AccelError as error:
        health = Health(status="unhealthy", detail=_sentence(error))
    return attrs.evolve(health, latency=time.perf_counter() - started)


def _sentence(error: AccelError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def healthcheck_all(core: Core, endpoints: Iterable[str] | None = None) -> Steps[dict[str, Health]]:
    """Check endpoints side by side."""
    names = list(endpoints) if endpoints is not None else core.endpoint_names()
    answers = yield Gather([healthcheck(core, name, LOAD_SECONDS) for name in names])
    return {
        name: Health(status="misconfigured", detail=_sentence(answer)) if isinstance(answer, AccelError) else answer
        for name, answer in zip(names, answers, strict=True)
    }
