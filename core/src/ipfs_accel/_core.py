"""What both clients share: names, endpoints, and each operation as the steps of a call. Knows neither world."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs

from ._call import Call, Journey
from ._config import Config, EndpointConfig, KeySource, load_config
from ._convert import split_call_options
from ._endpoints import Target, resolve
from ._execute import complete, open_stream
from ._keys import KeyFile
from ._operations import Operation
from ._perform import Run, Steps
from ._pricing import merge_override
from ._registry import PluginRecord, Registry
from ._resilience.clock import Clock
from ._suggest import did_you_mean
from ._usage import Ledger
from .errors import (
    AccelError,
    ClientClosedError,
    InvalidRequestError,
    PluginError,
    UnsupportedOperationError,
)
from .hookspecs import OPERATIONS
from .types import Health, ModelInfo, Request, Timeout

if TYPE_CHECKING:
    from ._resilience.gate import Priority
    from ._streams import Opening

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
    """

    def __init__(
        self,
        config: Config | str | Path | None,
        endpoints: Mapping[str, EndpointConfig] | None,
        plugins: Iterable[Any],
        timeout: float | Timeout | None,
    ) -> None:
        loaded = config if isinstance(config, Config) else load_config(config)
        self.config = _with_code(loaded, endpoints or {}, timeout)
        self.key_file = KeyFile.default()
        self.ledger = Ledger(self.config.usage_log)
        self.clock = Clock()
        self.is_closed = False
        self._plugins = tuple(plugins)
        self._registry: Registry | None = None
        self.stores: dict[str, Any] = {}
        self._targets: dict[str, Target] = {}
        self._timeouts: Any = None
        self._user_agent = ""

    # names

    @property
    def registry(self) -> Registry:
        """The plugins; looked up in the installed distributions when first needed."""
        if self._registry is None:
            self._registry = Registry(self.config.plugins, self._plugins)
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
            if backend is None:
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
        is_check: bool = False,
    ) -> Call:
        """Begin a call: its limits and what else it needs to know."""
        if self.is_closed:
            raise ClientClosedError("this client is closed")
        if self._timeouts is None:
            from ._http import Timeouts  # noqa: PLC0415 - the HTTP library is loaded when it is first needed

            self._timeouts = Timeouts
            self._user_agent = f"ipfs-accel/{metadata.version('ipfs-accel')}"
        limits = target.timeout
        if operation in _UNLIMITED and "timeout" not in target.sources:
            limits = attrs.evolve(limits, total=None)
        if timeout is not None:
            limits = timeout if isinstance(timeout, Timeout) else attrs.evolve(limits, total=float(timeout))
        started = self.clock.now()
        return Call(
            operation=operation,
            target=target,
            model=model,
            timeout=limits,
            on_unsupported=policy or self.config.on_unsupported,  # type: ignore[arg-type]
            timeouts_of=self._timeouts,
            user_agent=self._user_agent,
            ledger=self.ledger,
            journey=Journey(started, None if limits.total is None else started + limits.total),
            request=request,
            on_upload=on_upload,
            key=key,
            priority=priority,
            is_check=is_check,
        )

    # operations

    def whole(self, operation: Operation[A], model: str | None, value: Any, options: dict[str, Any]) -> Steps[A]:
        """Check the arguments and return the steps of an operation that has one whole answer."""
        endpoint, request, settings = self._prepare(operation, model, value, options)
        return self._whole(operation.name, endpoint, request, settings)

    def opening(self, operation: Operation[Any], model: str | None, value: Any, options: dict[str, Any]) -> Opening:
        """Check the arguments and return the steps that open a stream."""
        endpoint, request, settings = self._prepare(operation, model, value, options)
        return self._opening(operation.name, endpoint, request, settings)

    def _prepare(
        self, operation: Operation[Any], model: str | None, value: Any, options: dict[str, Any]
    ) -> tuple[str, Request, dict[str, Any]]:
        endpoint, model_id = self.split(model)
        try:
            settings = split_call_options(options)
            return endpoint, operation.build(model_id, value, options), settings
        except AccelError as error:
            error.about(endpoint=endpoint, model=model_id or None)
            raise

    def _whole(self, operation: str, endpoint: str, request: Request, settings: dict[str, Any]) -> Steps[Any]:
        target = self._targets.get(endpoint) or (yield from self.target(endpoint))
        call = self.call(operation, target, request.model, request=request, **settings)
        return (yield from complete(lambda: _plan(target, operation, request=request), call))

    def _opening(self, operation: str, endpoint: str, request: Request, settings: dict[str, Any]) -> Opening:
        target = self._targets.get(endpoint) or (yield from self.target(endpoint))
        call = self.call(operation, target, request.model, request=request, **settings)
        return (yield from open_stream(lambda: _plan(target, operation, request=request), call))

    def list_models(
        self, endpoint: str, limit: float | None = None, timeout: Any = None
    ) -> Steps[tuple[ModelInfo, ...]]:
        """List an endpoint's models, the user's word on them included."""
        target = yield from self.target(endpoint, limit)
        call = self.call("list_models", target, timeout=timeout)
        models = yield from complete(lambda: _plan(target, "list_models"), call)
        return tuple([merge_override(model, target.models.get(model.id)) for model in models])

    def show_model(self, endpoint: str, model: str) -> Steps[ModelInfo]:
        """Tell all about one model, the user's word on it included."""
        target = yield from self.target(endpoint)
        call = self.call("show_model", target, model)
        info = yield from complete(lambda: _plan(target, "show_model", model=model), call)
        return merge_override(info, target.models.get(model))

    def check(self, endpoint: str, limit: float | None) -> Steps[Health]:
        """Perform a backend's own health check."""
        target = yield from self.target(endpoint, limit)
        call = self.call("healthcheck", target, timeout=CHECK_SECONDS, is_check=True)
        health: Health = yield from complete(lambda: _plan(target, "healthcheck"), call)
        return health

    def named(self, operation: str, endpoint: str, **arguments: Any) -> Steps[Any]:
        """Perform an operation that is about something that the provider keeps, such as a file."""
        target = yield from self.target(endpoint)
        call = self.call(operation, target)
        return (yield from complete(lambda: _plan(target, operation, **arguments), call))

    def named_opening(self, operation: str, endpoint: str, **arguments: Any) -> Opening:
        """Likewise for a stream."""
        target = yield from self.target(endpoint)
        call = self.call(operation, target)
        return (yield from open_stream(lambda: _plan(target, operation, **arguments), call))

    def own_call(self, endpoint: str, name: str, arguments: dict[str, Any]) -> Steps[Any]:
        """Perform one of the backend's own calls."""
        target = yield from self.target(endpoint)
        plan = _own_plan(target, endpoint, name, arguments)
        return (yield from complete(plan, self.call(name, target, str(arguments.get("model", "")))))

    def own_opening(self, endpoint: str, name: str, arguments: dict[str, Any]) -> Opening:
        """Open one of the backend's own calls that come as a stream."""
        target = yield from self.target(endpoint)
        plan = _own_plan(target, endpoint, name, arguments)
        return (yield from open_stream(plan, self.call(name, target, str(arguments.get("model", "")))))


def _own_plan(target: Target, endpoint: str, name: str, arguments: dict[str, Any]) -> Callable[[], Any]:
    """Return what plans one of the backend's own calls; says clearly if there is none or the arguments do not fit."""
    backend = target.backend.name
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
    return lambda: function(target.endpoint, **arguments)


def _plan(target: Target, operation: str, **arguments: Any) -> Any:
    """Let the backend plan; says clearly if it does not have the operation."""
    backend = target.backend
    if operation not in backend.operations:
        have = ", ".join([name for name in OPERATIONS if name in backend.operations])
        raise UnsupportedOperationError(
            f"the backend {backend.name!r} does not implement {operation!r}", hint=f"it has: {have}"
        )
    return backend.plan(operation, endpoint=target.endpoint, **arguments)


def _with_code(config: Config, endpoints: Mapping[str, EndpointConfig], timeout: float | Timeout | None) -> Config:
    """Put what code says over what file and environment say."""
    if not endpoints and timeout is None:
        return config
    merged = dict(config.endpoints)
    sources = dict(config.sources)
    for name, given in endpoints.items():
        below = merged.get(name, EndpointConfig())
        changes = {
            field.name: getattr(given, field.name)
            for field in attrs.fields(EndpointConfig)
            if getattr(given, field.name) not in (None, {})
        }
        merged[name] = attrs.evolve(below, **changes)
        for field in changes:
            for setting in [key for key in sources if key.startswith(f"endpoints.{name}.{field}")]:
                del sources[setting]
    if timeout is not None:
        sources.pop("timeout", None)
    return attrs.evolve(
        config, endpoints=merged, sources=sources, timeout=timeout if timeout is not None else config.timeout
    )
