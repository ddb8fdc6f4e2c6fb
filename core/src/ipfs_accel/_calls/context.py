"""What every call of a client begins from: configuration, plugins, endpoints. Knows neither world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from ipfs_accel._config.config import Config, EndpointConfig, load_config, with_code
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._config.seconds import Ceiling
from ipfs_accel._endpoints.presets import hosts_set_up
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._endpoints.target import Target
from ipfs_accel._plugins.middleware_loading import check_options
from ipfs_accel._plugins.registry import HOSTS, PluginRecord, Registry
from ipfs_accel._resilience.clock import Clock, Hurried
from ipfs_accel._resilience.places import Places
from ipfs_accel._secret import KeySource
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._telemetry.usage import Ledger
from ipfs_accel._worlds.effects import Run, Steps
from ipfs_accel.errors import AccelError, ClientClosedError, InvalidRequestError, PluginError
from ipfs_accel.types import Timeout

from .call import Call
from .journey import Journey

if TYPE_CHECKING:
    from ipfs_accel._resilience.gate import Priority
    from ipfs_accel._telemetry.otel import Telemetry
    from ipfs_accel._telemetry.records import Listener
    from ipfs_accel._worlds.recording import Recording
    from ipfs_accel.types import Request

    from .wanted import Wanted

__all__ = ["Context"]

_UNLIMITED = {"pull_model", "push_model", "create_model"}
"""What may take hours: only silence ends these, unless a limit is set."""


class Context:
    """One client's configuration, plugins and endpoints.

    Attributes:
        clock: Time and chance for all that it does; see `_resilience.clock`.
        recording: What records exchanges with servers, or replays them.
        turns: Route to whose turn it is, for those that take turns.
        places: Who is on the way where, for those that go to the least busy.
    """

    def __init__(
        self,
        config: Config | str | Path | None,
        endpoints: Mapping[str, EndpointConfig | Mapping[str, Any]] | None,
        plugins: Iterable[Any],
        timeout: float | Timeout | None,
        middleware: Iterable[Any] = (),
        *,
        recording: Recording | None = None,
    ) -> None:
        loaded = config if isinstance(config, Config) else load_config(config)
        self.config = with_code(loaded, endpoints or {}, timeout)
        self.key_file = KeyFile.default()
        self.ledger = Ledger(self.config.usage_log)
        self.recording = recording
        self.clock = Hurried() if self.is_replay else Clock()
        self.is_closed = False
        self._plugins = tuple(plugins)
        self._middleware = tuple(middleware)
        self._registry: Registry | None = None
        self.stores: dict[str, Any] = {}
        self._targets: dict[str, Target] = {}
        self._telemetry: Telemetry | None = None
        self.turns: dict[str, Iterator[int]] = {}
        self.places = Places()
        check_options(self.config.plugins)

    @property
    def is_replay(self) -> bool:
        """Whether a recording answers in the place of servers."""
        return self.recording is not None and self.recording.replays

    # names

    @property
    def registry(self) -> Registry:
        """The plugins; looked up in the installed distributions when first needed."""
        if self._registry is None:
            self._registry = Registry(self.config.plugins, self._plugins, self._middleware)
        return self._registry

    def endpoint_names(self) -> list[str]:
        """Return the configured endpoints, one for each backend that may load, and one for each host that is set up."""
        usable = {record.name for record in self.registry.records() if record.is_usable}
        return sorted(usable.union(self.config.endpoints, hosts_set_up(self.registry, self.config, self.key_file)))

    def is_set_up(self, name: str) -> bool:
        """Whether somebody has configured a used endpoint, or means it by an alias, a route or the default."""
        config, target, record = self.config, self._targets.get(name), self.registry.record(name)
        is_given = record is None or not record.distribution  # as an object
        if name in config.endpoints or target is None or is_given:
            return True
        meant = [config.default_model or "", *config.aliases.values()]
        meant += [each for route in config.routes.values() for each in route.targets]
        return not target.is_untouched or any(each.partition("/")[0] == name for each in meant)

    def plugin_records(self) -> list[PluginRecord]:
        """Return every plugin with its state."""
        return self.registry.records()

    def host_records(self) -> list[PluginRecord]:
        """Return every host with its state."""
        return self.registry.records(HOSTS)

    def split(self, model: str | None) -> tuple[str, str]:
        """Split `endpoint/model` at its first slash; aliases and the default model are looked up first."""
        name = model if model is not None else self.config.default_model
        if name is None:
            raise InvalidRequestError("model: none is named and no default_model is configured")
        if not isinstance(name, str):
            raise InvalidRequestError(f"model: expected a string, got {type(name).__name__}")
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

    def known_target(self, name: str) -> Target | None:
        """Return what an endpoint needs, if it was used before."""
        return self._targets.get(name)

    def target(self, name: str, limit: float | None = None) -> Steps[Target]:
        """Load what an endpoint needs, once."""
        if not isinstance(name, str):
            raise InvalidRequestError(f"endpoint: expected a string, got {type(name).__name__}")
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
            target = resolve(name, backend, self.config, self.key_file, self.clock, is_replay=self.is_replay)
            if self.recording is not None:
                self.recording.key_goes_into(target.key_header.name)
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
        hearer: Listener | None = None,
        wanted: Wanted | None = None,
    ) -> Call:
        """Begin a call: its limits and what else it needs to know."""
        self.refuse_if_closed()
        limits = _limits(operation, target, timeout, request)
        if journey is None:
            journey = Journey(self.clock.now(), None)
        if journey.deadline is None and limits.total is not None:
            journey.deadline, journey.limit = journey.started + limits.total, limits.total
        return Call(
            operation=operation,
            target=target,
            model=model,
            timeout=limits,
            on_unsupported=policy or self.config.on_unsupported,  # type: ignore[arg-type]
            ledger=self.ledger,
            journey=journey,
            listeners=self.listeners(target, hearer),
            has_way_out=has_way_out,
            request=request,
            on_upload=on_upload,
            key=key,
            priority=priority,
            is_check=is_check,
            wanted=wanted,
        )

    def listeners(self, target: Target, hearer: Listener | None = None) -> tuple[Listener, ...]:
        """Return who is told of calls to an endpoint; `hearer` is from where the call began, if not here."""
        found = target.backend.listeners
        heard = hearer or self.hearer()
        return found if heard is None else (*found, heard)

    def hearer(self) -> Listener | None:
        """Return who tells OpenTelemetry of a call that begins here; None if nobody does."""
        if self.config.telemetry is None or not self.config.telemetry.otel:
            return None
        if self._telemetry is None:
            from ipfs_accel._telemetry import otel  # noqa: PLC0415 - off unless it is asked for

            self._telemetry = otel.Telemetry(self.config.environ)
        return self._telemetry.here()

    def under_way(self, endpoint: str) -> AbstractSet[int]:
        """Return the ids of the calls to an endpoint that are under way."""
        target = self._targets.get(endpoint)
        return frozenset() if target is None else target.guard.under_way

    def refuse_if_closed(self) -> None:
        """Raise `ClientClosedError` after `close`."""
        if self.is_closed:
            raise ClientClosedError("this client is closed")

    def close(self) -> None:
        """Take no more calls."""
        self.is_closed = True


def _limits(operation: str, target: Target, timeout: Any, request: Request | None) -> Timeout:
    """Return the limits of a call: its own, or the endpoint's."""
    if isinstance(timeout, Ceiling):
        limits = _limits(operation, target, None, request)
        return attrs.evolve(limits, total=timeout if limits.total is None else min(timeout, limits.total))
    if operation in _UNLIMITED:
        if isinstance(timeout, Timeout):
            return timeout
        if timeout is None and "timeout" in target.sources:
            return target.timeout
        return attrs.evolve(target.timeout, total=None if timeout is None else float(timeout))
    # Who asks a model that thinks, or one on a machine of their own, gains nothing by asking anew.
    may_be_silent = request is not None and (target.is_own or getattr(request, "reasoning_effort", None) is not None)
    if timeout is None:
        return target.patience if may_be_silent else target.timeout
    limits = timeout if isinstance(timeout, Timeout) else attrs.evolve(target.timeout, total=float(timeout))
    return target.patient(limits) if may_be_silent else limits
