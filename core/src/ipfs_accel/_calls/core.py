"""What both clients are faces of: each operation as the steps of a call. Knows neither world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from ipfs_accel._config.config import Config, EndpointConfig
from ipfs_accel._endpoints.target import Target
from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._telemetry.pricing import merge_override
from ipfs_accel._worlds.effects import Steps
from ipfs_accel.errors import AccelError, InvalidRequestError
from ipfs_accel.types import JsonSchema

from .attempts import ALONE
from .context import Context
from .execute import complete, open_stream
from .journey import Journey
from .operations import COUNT_TOKENS, Operation
from .options import split_call_options, watcher
from .planning import operation_plan, own_plan, plan
from .routes import Route, balanced, check_routes, route_of, routed

if TYPE_CHECKING:
    from ipfs_accel._telemetry.records import Listener
    from ipfs_accel._worlds.recording import Recording
    from ipfs_accel.types import (
        ChatRequest,
        EmbedRequest,
        EmbedResponse,
        Estimate,
        Health,
        Message,
        Model,
        ModelInfo,
        Request,
        Timeout,
        TokenCount,
    )

    from .abilities import Suits
    from .cached import AnswerCache, Lookup
    from .call import Call
    from .parts import Told
    from .streams import Opening
    from .wanted import Wanted

__all__ = ["Core"]

A = TypeVar("A")
T = TypeVar("T")

_CONVERSATIONS = {"chat", "stream", "count_tokens", "create_batch"}

CHECK_SECONDS = 10.0
"""How long a health check may take."""


def _is_at_home(operation: str, request: Any, target: Target) -> bool:
    """Whether all that models said in a request may go to a target as it is."""
    if operation == "create_batch":
        return all(_is_at_home("chat", item.request, target) for item in request.items)
    messages: Iterable[Message] = getattr(request, "messages", ())  # a batch may be of something else
    for message in messages:  # a loop, as every chat goes through it
        if message.origin is not None and not target.is_origin(message.origin, request.model):
            return False
    return True


class Core(Context):
    """One client's context, and what can be asked within it."""

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
        super().__init__(config, endpoints, plugins, timeout, middleware, recording=recording)
        self._cache: AnswerCache | None = None
        check_routes(self.config)

    @property
    def cache(self) -> AnswerCache:
        """The kept answers; made when first needed."""
        if self._cache is None:
            from ipfs_accel._resilience.optional import CacheConfig  # noqa: PLC0415 - off unless it is asked for

            from .cached import AnswerCache  # noqa: PLC0415 - as above

            self._cache = AnswerCache(self.config.cache or CacheConfig(), self.clock.time, self.whole)
        return self._cache

    def close(self) -> None:
        """Take no more calls."""
        super().close()
        if self._cache is not None:
            self._cache.store.close()

    def whole(
        self,
        operation: Operation[A],
        model: Model,
        value: Any,
        options: dict[str, Any],
        passed: int = 0,
        *,
        suits: Suits | None = None,
    ) -> Steps[A]:
        """Check the arguments and return the steps of an operation that has one whole answer.

        `passed` is how many of the middleware the call is inside of already; `suits` chooses among several targets.
        """
        route, request, settings = self._prepare(operation, model, value, options, every=suits is not None)
        wanted = settings.get("wanted")
        name = operation.name

        def begin(route: Route) -> Steps[A]:
            def serve(request: Any) -> Steps[A]:
                return self._routed(complete, name, route, request, settings)

            return self._within(name, route, request, serve, passed=passed)

        steps = self._begun(route, begin, suits)
        if wanted is None or name != "chat":
            return steps
        from .typed import parsed  # noqa: PLC0415 - few calls ask for a type

        return cast("Steps[A]", parsed(wanted, cast("Any", steps)))

    def opening(
        self,
        operation: Operation[Any],
        model: Model,
        value: Any,
        options: dict[str, Any],
        hearer: Listener | None = None,
        *,
        suits: Suits | None = None,
    ) -> Opening:
        """Check the arguments and return the steps that open a stream; it is read later, perhaps elsewhere.

        `hearer` is who is told of it, if that is not to be found out here; `suits` chooses among several targets.
        """
        route, request, settings = self._prepare(operation, model, value, options, every=suits is not None)
        settings["hearer"] = hearer or self.hearer()
        name = operation.name

        def begin(route: Route) -> Opening:
            return self._within(name, route, request, lambda it: self._routed(open_stream, name, route, it, settings))

        return self._begun(route, begin, suits)

    def _begun(self, route: Route, begin: Callable[[Route], Steps[T]], suits: Suits | None) -> Steps[T]:
        if suits is not None and len(route.targets) > 1:
            from .abilities import suitable  # noqa: PLC0415 - gateways alone choose so

            return suitable(self, route, suits, begin)
        return balanced(self, route, begin) if route.is_balanced else begin(route)

    def _lookup(self, operation: str, request: Any, asked: bool | None) -> Lookup | None:
        """Return what looks a call up in the cache; None if it is not to be."""
        if (asked is None and self.config.cache is None) or not self.cache.wants(operation, request, asked):
            return None
        from .cached import Lookup  # noqa: PLC0415 - off unless it is asked for

        return Lookup(self, self.cache, operation)

    def _within(
        self, operation: str, route: Route, request: Any, serve: Callable[[Any], Steps[Any]], passed: int = 0
    ) -> Steps[Any]:
        """Perform a call within the middleware, if there is any."""
        if not self.registry.has_middleware:
            return serve(request)
        from .middleware import around  # noqa: PLC0415 - few programs have any

        targets = tuple([f"{endpoint}/{model}" if model else endpoint for endpoint, model in route.targets])
        return around(self.registry.middleware(), self.whole, (operation, targets), request, serve, passed=passed)

    def _prepare(
        self, operation: Operation[Any], model: Model, value: Any, options: dict[str, Any], *, every: bool = False
    ) -> tuple[Route, Request, dict[str, Any]]:
        route = route_of(self, model, every=every)
        endpoint, model_id = route.targets[0]
        if len(route.targets[: route.hops + 1]) > 1 and operation.name in ALONE:
            raise InvalidRequestError(f"model: {operation.name!r} is for one endpoint, and takes one target alone")
        try:
            return route, *self.typed(operation, model_id, value, options)
        except AccelError as error:
            error.about(endpoint=endpoint, model=model_id or None)
            raise

    def typed(
        self, operation: Operation[Any], model_id: str, value: Any, options: dict[str, Any]
    ) -> tuple[Request, dict[str, Any]]:
        """Return the request of an operation, and what of the options is about the call itself."""
        settings = split_call_options(options)
        if operation.name == "embed" and "on_progress" in options:
            settings["on_progress"] = watcher(options.pop("on_progress"))
        wanted = options.get("response_format")
        try:
            if (wanted is not None and not isinstance(wanted, str | Mapping | JsonSchema)) or "repair" in options:
                settings["wanted"] = self._wanted(operation.name, options)
            return operation.build(model_id, value, options), settings
        except InvalidValueError as error:
            raise InvalidRequestError(str(error), hint=error.hint) from None

    def _wanted(self, operation: str, options: dict[str, Any]) -> Wanted | None:
        """Take the type that a chat's answer has to fit out of the options."""
        from .typed import take  # noqa: PLC0415 - few calls ask for a type

        wanted = take(operation, options)
        return attrs.evolve(wanted, tells=False) if wanted is not None and self.registry.has_middleware else wanted

    def _routed(
        self, perform: Callable[..., Steps[Any]], operation: str, route: Route, request: Any, settings: dict[str, Any]
    ) -> Steps[Any]:
        lookup = self._lookup(operation, request, settings.pop("cache", None))

        def serve(target: tuple[str, str], journey: Journey | None, has_way_out: bool) -> Steps[Any]:
            endpoint, model = target
            asked = request if request.model == model else attrs.evolve(request, model=model)
            own = {**settings, "journey": journey, "has_way_out": has_way_out}
            steps = self.serve(perform, operation, endpoint, asked, own)
            return steps if lookup is None else lookup.around(endpoint, asked, own, steps)

        if len(route.targets) == 1 and route.place is None:
            return serve(route.targets[0], None, False)
        return routed(self, route, serve)

    def serve(
        self, perform: Callable[..., Steps[Any]], operation: str, endpoint: str, request: Any, settings: dict[str, Any]
    ) -> Steps[Any]:
        """Let one endpoint perform an operation."""
        target = self._targets.get(endpoint) or (yield from self.target(endpoint))
        lost: tuple[str, ...] = ()
        if operation in _CONVERSATIONS and not _is_at_home(operation, request, target):
            from .origins import without_foreign  # noqa: PLC0415 - few conversations change their model

            request, lost = without_foreign(request, target.as_origin)
        if operation == "embed":
            told = settings.pop("on_progress", None)
            if told is not None or len(request.inputs) > target.max_inputs:
                return (yield from self._in_parts(perform, target, request, settings, told))
        call = self.call(operation, target, request.model, request=request, **settings)
        if lost:
            call.check((), lost)
        if operation == "chat" and call.wanted is not None:
            from .typed import fitted  # noqa: PLC0415 - few calls ask for a type

            def ask(call: Call, request: Any) -> Steps[Any]:
                return perform(lambda: plan(target, operation, request=request), call)

            return (yield from fitted(self, call, request, settings, ask))
        if target.guard.batcher is None or operation != "embed":
            return (yield from perform(lambda: plan(target, operation, request=request), call))
        from .joined import joined  # noqa: PLC0415 - off unless it is configured

        def alone(joint: EmbedRequest) -> Steps[Any]:
            # From here on the time that company was waited for has passed.
            own = {**settings, "journey": call.journey}
            if len(joint.inputs) > target.max_inputs:
                return self._in_parts(perform, target, joint, own, None)
            begun = self.call(operation, target, joint.model, request=joint, **own)
            return perform(lambda: plan(target, operation, request=joint), begun)

        return (yield from joined(call, target.guard.batcher, request, alone))

    def _in_parts(
        self,
        perform: Callable[..., Steps[Any]],
        target: Target,
        request: EmbedRequest,
        settings: dict[str, Any],
        told: Told | None,
    ) -> Steps[EmbedResponse]:
        """Perform an embedding in parts that the backend takes."""
        from .parts import in_parts  # noqa: PLC0415 - few calls have so many inputs

        settings = {**settings, "hearer": settings.get("hearer") or self.hearer()}  # parts may begin in other threads

        def ask(part: EmbedRequest, journey: Journey) -> Steps[Any]:
            own = self.call("embed", target, part.model, request=part, **{**settings, "journey": journey})
            return perform(lambda: plan(target, "embed", request=part), own)

        return in_parts(self.call("embed", target, request.model, request=request, **settings), request, ask, told)

    def counted_offline(self, model: Model, value: Any, options: dict[str, Any]) -> Steps[TokenCount]:
        """Count the input of a chat without a server."""
        from .estimates import counted  # noqa: PLC0415 - few programs ask beforehand

        route, request, _ = self._prepare(COUNT_TOKENS, model, value, options)
        return counted(self, route.targets, cast("ChatRequest", request))

    def estimated(self, model: Model, value: Any, options: dict[str, Any]) -> Steps[Estimate]:
        """Tell what a chat takes and costs."""
        from .estimates import estimated  # noqa: PLC0415 - as above

        route, request, _ = self._prepare(COUNT_TOKENS, model, value, options)
        return estimated(self, route.targets, cast("ChatRequest", request))

    def list_models(
        self, endpoint: str, limit: float | None = None, timeout: Any = None
    ) -> Steps[tuple[ModelInfo, ...]]:
        """List an endpoint's models, the user's word on them included."""
        target = yield from self.target(endpoint, limit)
        call = self.call("list_models", target, timeout=timeout)
        models = yield from complete(lambda: plan(target, "list_models"), call)
        return tuple([merge_override(model, target.models.get(model.id)) for model in models])

    def show_model(self, endpoint: str, model: str, *, offline: bool = False) -> Steps[ModelInfo]:
        """Tell all about one model, the user's word on it included; offline what is known without its server."""
        target = yield from self.target(endpoint)
        if offline:
            from .offline import known_model, refuse_unknown  # noqa: PLC0415 - few programs ask

            return known_model(target, model) or refuse_unknown(target, model)
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
        hearer = self.hearer() if perform is open_stream else None

        def serve(arguments: Mapping[str, Any]) -> Steps[Any]:
            target = yield from self.target(endpoint)
            steps = planned(target, name, arguments)
            return (yield from perform(steps, self.call(name, target, model, hearer=hearer)))

        return self._within(name, Route(((endpoint, ""),)), arguments, serve)
