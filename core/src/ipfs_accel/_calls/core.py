"""What both clients share: names, endpoints, and each operation as the steps of a call. Knows neither world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs

from ipfs_accel._client.operations import Operation
from ipfs_accel._config.config import Config, EndpointConfig, load_config, with_code
from ipfs_accel._config.endpoints import Target, resolve
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._plugins.middleware_loading import check_options
from ipfs_accel._plugins.registry import PluginRecord, Registry
from ipfs_accel._resilience.clock import Clock
from ipfs_accel._resilience.settings import CacheConfig
from ipfs_accel._secret import KeySource
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._telemetry.pricing import merge_override
from ipfs_accel._telemetry.usage import Ledger
from ipfs_accel.errors import AccelError, ClientClosedError, InvalidRequestError, PluginError
from ipfs_accel.types import Health, ModelInfo, Request, Timeout

from .attempts import LASTING
from .call import Call, Journey
from .execute import complete, open_stream
from .options import split_call_options
from .perform import Run, Steps
from .planning import operation_plan, own_plan, plan
from .routes import Route, check_routes, route_of, routed

if TYPE_CHECKING:
    from ipfs_accel._convert.texts import Model
    from ipfs_accel._resilience.gate import Priority
    from ipfs_accel._telemetry.records import Listener

    from .cached import AnswerCache
    from .streams import Opening

__all__ = ["Core"]

A = TypeVar("A")


CHECK_SECONDS = 10.0
"""How long a health check may take."""

_UNLIMITED = {"pull_model", "push_model", "create_model"}
"""What may take hours: only silence ends these, unless a limit is set."""


class Core:
    """One client's configuration, plugins and endpoints.

    Attributes:
        clock: Time and chance for all that it does; see `_resilience.clock`.
        turns: Route to whose turn it is, for those that take turns.
    """

    def __init__(
        self,
        config: Config | str | Path | None,
        endpoints: Mapping[str, EndpointConfig | Mapping[str, Any]] | None,
        plugins: Iterable[Any],
        timeout: float | Timeout | None,
        middleware: Iterable[Any] = (),
    ) -> None:
        loaded = config if isinstance(config, Config) else load_config(config)
        self.config = with_code(loaded, endpoints or {}, timeout)
        self.key_file = KeyFile.default()
        self.ledger = Ledger(self.config.usage_log)
        self.clock = Clock()
        self.is_closed = False
        self._plugins = tuple(plugins)
        self._middleware = tuple(middleware)
        self._registry: Registry | None = None
        self.stores: dict[str, Any] = {}
        self._targets: dict[str, Target] = {}
        self._cache: AnswerCache | None = None
        self._telemetry: Listener | None = None
        self.turns: dict[str, Iterator[int]] = {}
        check_routes(self.config)
        check_options(self.config.plugins)

    # names

    @property
    def registry(self) -> Registry:
        """The plugins; looked up in the installed distributions when first needed."""
        if self._registry is None:
            self._registry = Registry(self.config.plugins, self._plugins, self._middleware)
        return self._registry

    def endpoint_names(self) -> list[str]:
        """Return the configured endpoints and one of the same name for each installed backend that may load."""
        usable = {record.name for record in self.registry.records() if record.state in {"available", "loaded"}}
        return sorted(usable.union(self.config.endpoints))

    def plugin_records(self) -> list[PluginRecord]:
        """Return every plugin with its state."""
        return self.registry.records()

    def split(self, model: str | None) -> tuple[str, str]:
        """Split `endpoint/model` at its first slash; aliases and the default model are looked up first."""
        name = model if model is not None else self.config.default_model
        if name is None:
            raise InvalidRequestError("model: none is named and no default_model is configured")
        name = self.config.aliases.get(name, name)
        endpoint, slash, model_id = name.partition("/")
        if not slash and not self._is_endpoint(endpoint):
            known = [*self.config.aliases, *self.endpoint_names()]
            hint = did_you_mean(name, known) or ""
            raise InvalidRequestError(
                f"model: {name!r} is no alias and no endpoint",
                hint=f"models are named endpoint/model; {hint}".rstrip("; "),
            )
        return endpoint, model_id

    def _is_endpoint(self, name: str) -> bool:
        return name in self.config.endpoints or self.registry.record(name) is not None

    # endpoints

    def targets(self) -> dict[str, Target]:
        """Return the endpoints that were used so far."""
        return dict(self._targets)

    def target(self, name: str, limit: float | None = None) -> Steps[Target]:
        """Load what an endpoint needs, once."""
        found = self._targets.get(name)
        if found is not None:
            return found
        configured = self.config.endpoints.get(name)
        backend_name = (configured.backend if configured else None) or name
        if configured is None and not self._is_endpoint(name):
            self._raise_unknown(name)
        try:
            backend = self.registry.loaded(backend_name)
            if backend is None or self.registry.has_middleware:
                backend = yield Run(lambda: self.registry.load(backend_name, limit))
            target = resolve(name, backend, self.config, self.key_file, self.clock)
        except AccelError as error:
            error.about(endpoint=name, backend=backend_name)
            raise
        return self._targets.setdefault(name, target)

    def _raise_unknown(self, name: str) -> NoReturn:
        try:
            self.registry.load(name)
        except PluginError as error:
            hint = error.hint or did_you_mean(name, self.endpoint_names())
            raise PluginError(f"there is no endpoint {name!r}: {error.message}", endpoint=name, hint=hint) from None
        raise AssertionError(name)  # only called for names that the registry does not have

    def call(
        self,
        operation: str,
        target: Target,
        model: str = "",
        *,
        timeout: Any = None,
        policy: str | None = None,
        on_upload: Callable[[int, int], None] | None = None,
        key: KeySource | None = None,
        priority: Priority = "normal",
        request: Request | None = None,
        journey: Journey | None = None,
        has_way_out: bool = False,
        is_check: bool = False,
    ) -> Call:
        """Begin a call: its limits and what else it needs to know."""
        self.refuse_if_closed()
        limits = target.timeout
        if operation in _UNLIMITED and "timeout" not in target.sources:
            limits = attrs.evolve(limits, total=None)
        if isinstance(timeout, Timeout):
            limits = timeout
        else:
            if timeout is not None:
                limits = attrs.evolve(limits, total=float(timeout))
            if getattr(request, "reasoning_effort", None) is not None:
                limits = _patient(limits)
        if journey is None:
            journey = Journey(self.clock.now(), None)
        if journey.deadline is None and limits.total is not None:
            journey.deadline = journey.started + limits.total
        return Call(
            operation=operation,
            target=target,
            model=model,
            timeout=limits,
            on_unsupported=policy or self.config.on_unsupported,  # type: ignore[arg-type]
            ledger=self.ledger,
            journey=journey,
            listeners=self.listeners(target),
            has_way_out=has_way_out,
            request=request,
            on_upload=on_upload,
            key=key,
            priority=priority,
            is_check=is_check,
        )

    def listeners(self, target: Target) -> tuple[Listener, ...]:
        """Return who is told of calls to an endpoint."""
        found = target.backend.listeners
        if self.config.telemetry is None or not self.config.telemetry.otel:
            return found
        if self._telemetry is None:
            from ipfs_accel._telemetry.otel import Telemetry  # noqa: PLC0415 - off unless it is asked for

            self._telemetry = Telemetry(self.config.environ)
        return (*found, self._telemetry)

    @property
    def cache(self) -> AnswerCache:
        """The kept answers; made when first needed."""
        if self._cache is None:
            from .cached import AnswerCache  # noqa: PLC0415 - off unless it is asked for

            self._cache = AnswerCache(self.config.cache or CacheConfig(), self.clock.time)
        return self._cache

    def busy(self, endpoint: str) -> int:
        """Return how many calls to an endpoint are under way."""
        target = self._targets.get(endpoint)
        return 0 if target is None else len(target.guard.under_way)

    def refuse_if_closed(self) -> None:
        """Raise `ClientClosedError` after `close`."""
        if self.is_closed:
            raise ClientClosedError("this client is closed")

    def close(self) -> None:
        """Take no more calls."""
        self.is_closed = True
        if self._cache is not None:
            self._cache.store.close()

    # operations

    def whole(
        self, operation: Operation[A], model: Model, value: Any, options: dict[str, Any], passed: int = 0
    ) -> Steps[A]:
        """Check the arguments and return the steps of an operation that has one whole answer.

        `passed` is how many of the middleware the call is inside of already.
        """
        route, request, settings = self._prepare(operation, model, value, options)
        asked = settings.pop("cache", None)
        name = operation.name

        def serve(request: Any) -> Steps[A]:
            perform = self._routed(complete, name, route, request, settings)
            if asked is None and self.config.cache is None:
                return perform
            if not self.cache.wants(name, request, asked):
                return perform
            from .cached import cached  # noqa: PLC0415 - off unless it is asked for

            return cached(self, self.cache, name, (route.targets[0][0], request, settings), perform)

        return self._within(name, route, request, serve, passed)

    def opening(self, operation: Operation[Any], model: Model, value: Any, options: dict[str, Any]) -> Opening:
        """Check the arguments and return the steps that open a stream."""
        route, request, settings = self._prepare(operation, model, value, options)
        if settings.pop("cache", None):
            raise InvalidRequestError("cache: answers that come as a stream are not kept")
        name = operation.name
        return self._within(name, route, request, lambda it: self._routed(open_stream, name, route, it, settings))

    def _within(
        self, operation: str, route: Route, request: Any, serve: Callable[[Any], Steps[Any]], passed: int = 0
    ) -> Steps[Any]:
        """Perform a call within the middleware, if there is any."""
        if not self.registry.has_middleware:
            return serve(request)
        from .middleware import around  # noqa: PLC0415 - few programs have any

        targets = tuple([f"{endpoint}/{model}" if model else endpoint for endpoint, model in route.targets])
        return around(self, (operation, targets), request, serve, passed)

    def _prepare(
        self, operation: Operation[Any], model: Model, value: Any, options: dict[str, Any]
    ) -> tuple[Route, Request, dict[str, Any]]:
        route = route_of(self, model)
        endpoint, model_id = route.targets[0]
        if len(route.targets) > 1 and operation.name in LASTING:
            raise InvalidRequestError(f"model: {operation.name!r} leaves something behind and takes one target alone")
        try:
            settings = split_call_options(options)
            return route, operation.build(model_id, value, options), settings
        except AccelError as error:
            error.about(endpoint=endpoint, model=model_id or None)
            raise

    def _routed(
        self, perform: Callable[..., Steps[Any]], operation: str, route: Route, request: Any, settings: dict[str, Any]
    ) -> Steps[Any]:
        def serve(target: tuple[str, str], journey: Journey | None, has_way_out: bool) -> Steps[Any]:
            endpoint, model = target
            asked = request if request.model == model else attrs.evolve(request, model=model)
            return self._serve(
                perform, operation, endpoint, asked, {**settings, "journey": journey, "has_way_out": has_way_out}
            )

        if len(route.targets) == 1:
            return serve(route.targets[0], None, False)
        return routed(self, route, serve)

    def _serve(
        self, perform: Callable[..., Steps[Any]], operation: str, endpoint: str, request: Any, settings: dict[str, Any]
    ) -> Steps[Any]:
        target = self._targets.get(endpoint) or (yield from self.target(endpoint))
        call = self.call(operation, target, request.model, request=request, **settings)
        if target.guard.batcher is None or operation != "embed":
            return (yield from perform(lambda: plan(target, operation, request=request), call))
        from .joined import joined  # noqa: PLC0415 - off unless it is configured

        def alone(joint: Request) -> Steps[Any]:
            # From here on the time that company was waited for has passed.
            own = self.call(operation, target, joint.model, request=joint, **{**settings, "journey": call.journey})
            return perform(lambda: plan(target, operation, request=joint), own)

        return (yield from joined(call, target.guard.batcher, request, alone))

    def list_models(
        self, endpoint: str, limit: float | None = None, timeout: Any = None
    ) -> Steps[tuple[ModelInfo, ...]]:
        """List an endpoint's models, the user's word on them included."""
        target = yield from self.target(endpoint, limit)
        call = self.call("list_models", target, timeout=timeout)
        models = yield from complete(lambda: plan(target, "list_models"), call)
        return tuple([merge_override(model, target.models.get(model.id)) for model in models])

    def show_model(self, endpoint: str, model: str) -> Steps[ModelInfo]:
        """Tell all about one model, the user's word on it included."""
        target = yield from self.target(endpoint)
        call = self.call("show_model", target, model)
        info = yield from complete(lambda: plan(target, "show_model", model=model), call)
        return merge_override(info, target.models.get(model))

    def check(self, endpoint: str, limit: float | None) -> Steps[Health]:
        """Perform a backend's own health check."""
        target = yield from self.target(endpoint, limit)
        call = self.call("healthcheck", target, timeout=CHECK_SECONDS, is_check=True)
        health: Health = yield from complete(lambda: plan(target, "healthcheck"), call)
        return health

    def named(self, operation: str, endpoint: str, **arguments: Any) -> Steps[Any]:
        """Perform an operation that is about something that the provider keeps, such as a file."""
        return self._with_arguments(complete, operation_plan, (endpoint, operation, ""), arguments)

    def named_opening(self, operation: str, endpoint: str, **arguments: Any) -> Opening:
        """Likewise for a stream."""
        return self._with_arguments(open_stream, operation_plan, (endpoint, operation, ""), arguments)

    def own_call(self, endpoint: str, name: str, arguments: dict[str, Any]) -> Steps[Any]:
        """Perform one of the backend's own calls."""
        place = (endpoint, name, str(arguments.get("model", "")))
        return self._with_arguments(complete, own_plan, place, arguments)

    def own_opening(self, endpoint: str, name: str, arguments: dict[str, Any]) -> Opening:
        """Open one of the backend's own calls that come as a stream."""
        place = (endpoint, name, str(arguments.get("model", "")))
        return self._with_arguments(open_stream, own_plan, place, arguments)

    def _with_arguments(
        self,
        perform: Callable[..., Steps[Any]],
        planned: Callable[[Target, str, Mapping[str, Any]], Callable[[], Any]],
        place: tuple[str, str, str],
        arguments: dict[str, Any],
    ) -> Steps[Any]:
        """Perform what has arguments in place of a request."""
        endpoint, name, model = place

        def serve(arguments: Mapping[str, Any]) -> Steps[Any]:
            target = yield from self.target(endpoint)
            steps = planned(target, name, arguments)
            return (yield from perform(steps, self.call(name, target, model)))

        return self._within(name, Route(((endpoint, ""),)), arguments, serve)


def _patient(limits: Timeout) -> Timeout:
    """Let a model think without a word for as long as the call may take, unless somebody set limits on silence."""
    usual = Timeout()
    if (limits.first_event, limits.idle) != (usual.first_event, usual.idle):
        return limits
    return attrs.evolve(limits, first_event=limits.total, idle=limits.total)
