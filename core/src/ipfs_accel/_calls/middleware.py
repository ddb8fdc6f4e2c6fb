"""Middleware around a call: what each makes of the request on the way in, and of the answer on the way out.

Knows neither world: all of it is steps. Loading is the business of `_plugins.middleware_loading`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ipfs_accel._values import frozen
from ipfs_accel._worlds.effects import Shut, Steps
from ipfs_accel.errors import AccelError, PluginError
from ipfs_accel.middleware import Ask, CallContext
from ipfs_accel.types import Request

from . import operations
from .reader import Reader

if TYPE_CHECKING:
    from ipfs_accel._plugins.middleware_loading import Middleware

    Asking: TypeAlias = Callable[..., Steps[Any]]

__all__ = ["around"]


def around(
    middleware: Sequence[Middleware],
    whole: Asking,
    call: tuple[str, tuple[str, ...]],
    request: Any,
    serve: Callable[[Any], Steps[Any]],
    *,
    passed: int = 0,
) -> Steps[Any]:
    """Perform a call within the middleware.

    Args:
        middleware: All of the client's, outermost first.
        whole: Performs an operation that has one whole answer, as the client's own do.
        call: The operation, and what it may go to.
        request: What the caller asks.
        serve: Performs the call with a request; its result is an answer, or the reader of a stream.
        passed: How many of the middleware this call is inside of already.
    """
    operation, targets = call
    layers = [
        _Layer(whole, each, depth, CallContext(operation=operation, targets=targets, request=request))
        for depth, each in enumerate(middleware)
        if depth >= passed
    ]
    for layer in layers:
        request = yield from layer.request(request)
    served = yield from serve(request)
    outward = [layer for layer in reversed(layers) if layer.looks_at_answers]
    if isinstance(served, Reader):
        return (yield from _begun(served, outward)) if outward else served
    for layer in outward:
        served = yield from layer.answer(served)
    return served


@frozen(eq=False)
class _Layer:
    """One middleware in one call."""

    whole: Asking
    middleware: Middleware
    depth: int
    context: CallContext

    @property
    def looks_at_answers(self) -> bool:
        return not self.middleware.hooks.isdisjoint({"rewrite_answer", "rewrite_event", "end_stream"})

    def request(self, request: Any) -> Steps[Any]:
        found = yield from self._call("rewrite_request", request=request)
        if found is not None and found is not request:
            self._check(found, request, "rewrite_request")
            if isinstance(request, Request) and found.model != request.model:
                raise self._error(
                    f"rewrite_request changed the model to {found.model!r}, which routes and callers choose"
                )
            request = found
        self.context.request = request
        return request

    def answer(self, answer: Any) -> Steps[Any]:
        if answer is None:
            return None
        found = yield from self._call("rewrite_answer", answer=answer)
        if found is None or found is answer:
            return answer
        self._check(found, answer, "rewrite_answer")
        return found

    def events(self, events: Iterable[Any], *, is_end: bool) -> Steps[list[Any]]:
        handed = [*events]
        if "rewrite_event" in self.middleware.hooks:
            handed = []
            for event in events:
                found = yield from self._call("rewrite_event", event=event)
                handed += [event] if found is None else self._listed("rewrite_event", found)
        if is_end:
            found = yield from self._call("end_stream")
            handed += self._listed("end_stream", () if found is None else found)
        return handed

    def _listed(self, hook: str, found: Any) -> Iterable[Any]:
        if not isinstance(found, list | tuple):
            raise self._error(f"{hook} returned {type(found).__name__}, not a list of events")
        return found

    def _check(self, found: Any, given: Any, hook: str) -> None:
        if not isinstance(found, Mapping if isinstance(given, Mapping) else type(given)):
            raise self._error(f"{hook} returned {type(found).__name__} instead of {type(given).__name__}")

    def _call(self, hook: str, **arguments: Any) -> Steps[Any]:
        if hook not in self.middleware.hooks:
            return None
        try:
            found = getattr(self.middleware.caller, hook)(call=self.context, **arguments)
            if isinstance(found, Generator):
                found = yield from self._asked(hook, found)
        except AccelError as error:
            endpoint, _, model = self.context.targets[0].partition("/")
            error.about(endpoint=endpoint, model=model or None)
            raise
        except Exception as error:
            raise self._error(f"{hook} failed: {type(error).__name__}: {error}") from error
        return found

    def _asked(self, hook: str, steps: Generator[Any, Any, Any]) -> Steps[Any]:
        """Run a hook that is a generator: perform each call that it yields, and send back the answer or the error."""
        try:
            ask = next(steps)
            while True:
                try:
                    answer = yield from self._ask(hook, ask)
                except AccelError as error:
                    ask = steps.throw(error)
                else:
                    ask = steps.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            steps.close()

    def _ask(self, hook: str, ask: Any) -> Steps[Any]:
        if not isinstance(ask, Ask):
            raise self._error(f"{hook} yielded {type(ask).__name__}; what it yields are Asks, what it returns counts")
        operation = getattr(operations, ask.operation.upper(), None)
        if not isinstance(operation, operations.Operation):
            raise self._error(f"{hook} asks for {ask.operation!r}, which is no operation that takes a model")
        return self.whole(operation, ask.model, ask.value, dict(ask.options), passed=self.depth + 1)

    def _error(self, message: str) -> PluginError:
        return PluginError(
            f"the middleware {self.middleware.name!r}: {message}",
            hint="this is a defect of the middleware; please report it to its authors",
        )


def _begun(reader: Reader[Any], outward: Sequence[_Layer]) -> Steps[Reader[Any]]:
    """Let a stream's events pass through the middleware from now on, beginning with those that came already."""
    reader.rewriting = lambda events: _rewritten(reader, outward, events)
    try:
        reader.events = yield from reader.rewriting(reader.events)
    except GeneratorExit:
        raise  # whoever drops these steps cannot wait for anything; the exchange closes itself
    except Exception as error:  # noqa: BLE001 - whatever it is, the stream ends here
        failure = reader.fail(error)
    except BaseException:
        reader.abandon()
        yield Shut(reader.exchange, reader.pieces)
        raise
    else:
        return reader
    yield Shut(reader.exchange, reader.pieces)
    raise failure


def _rewritten(reader: Reader[Any], outward: Sequence[_Layer], events: list[Any]) -> Steps[list[Any]]:
    # Nobody is to have the answer before everybody has seen it.
    answer, reader.answer = reader.answer, None
    is_end = answer is not None
    for layer in outward if is_end else ():
        answer = yield from layer.answer(answer)
    for layer in outward:
        events = yield from layer.events(events, is_end=is_end)
    reader.answer = answer
    return events
