"""Requests of others that go to a target in their own words, and answers that go back as the bytes that they are.

A call like any other: routes, limits, keys, breakers, retries and records hold. Only nobody reads what is said. Where a
target does not speak the dialect, the request is made a typed one and goes the usual way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import attrs

from ipfs_accel._worlds.effects import Next, Open, ReadAll, Shut, Steps
from ipfs_accel.errors import AccelError, APIConnectionError, InvalidResponseError, StreamIncomplete, StreamInterrupted
from ipfs_accel.plans import Relay, RelayFlow, RelayFormat, Trim

from . import operations
from .abilities import suitable
from .attempts import attempted, may_repeat
from .call import Call
from .execute import MAX_BODY_BYTES, complete, flowed, is_document, no_stream, open_stream
from .routes import Route, balanced, route_of, routed

if TYPE_CHECKING:
    from ipfs_accel.types import Model, RelayRequest, Request, Usage

    from .abilities import Suits
    from .core import Core
    from .journey import Journey

__all__ = ["Relayed", "relaying"]

OPERATIONS: Mapping[str, operations.Operation[Any]] = {
    each.name: each
    for each in (
        operations.CHAT,
        operations.STREAM,
        operations.COMPLETE,
        operations.STREAM_COMPLETE,
        operations.EMBED,
        operations.COUNT_TOKENS,
        operations.RERANK,
        operations.MODERATE,
        operations.GENERATE_IMAGE,
        operations.STREAM_IMAGE,
        operations.EDIT_IMAGE,
        operations.STREAM_IMAGE_EDIT,
        operations.VARY_IMAGE,
        operations.SPEAK,
        operations.STREAM_SPEAK,
        operations.TRANSCRIBE,
        operations.TRANSLATE,
    )
}
"""Those that a request in a dialect may ask for."""
_HELD = 1024 * 1024
"""Bytes of a whole answer that are waited for, so that one which breaks off can be asked for again."""
_BINARY = ("audio/", "image/", "video/", "application/octet-stream")
_END = 4096
"""Bytes of an answer's beginning and end that are looked at."""


class Relayed:
    """An answer on its way to somebody else. Iterate over its bytes; use it in an `async with` block.

    Attributes:
        status: HTTP status, a success.
        headers: Of the answer, case-insensitive.
        is_stream: Whether it comes while it is made.
        exchange: Over which it comes.
        reads: What is known of such answers.
        is_read: Whether all of it has come.
        usage: What it used, once it is over; None if that is not told.
        cost: US dollars, likewise.
    """

    def __init__(
        self, call: Call, exchange: Any, reads: RelayFormat, *, is_stream: bool, at_once: bool = False
    ) -> None:
        self.call = call
        self.status: int = exchange.status
        self.headers = exchange.headers
        self.is_stream = is_stream
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.exchange = exchange
        self.reads = reads
        self._waiting: list[bytes] = []
        self._head = self._tail = b""
        self._size = 0
        self._held = 0 if is_stream or at_once else _HELD
        self.is_read = False

    def take(self, piece: bytes) -> bool:
        """Keep what has come, nothing at its end, before it is handed over; returns whether to wait for more."""
        if piece:
            self._waiting.append(piece)
            self._look(piece)
            if not self.exchange.has_ended:
                return self._size < self._held
        self._end()
        self.is_read = True
        return False

    def whole(self) -> bytes | None:
        """Return all of the body if it is here, None if there is more to come."""
        if not self.is_read:
            return None
        pieces, self._waiting = self._waiting, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._waiting:
            return self._waiting.pop(0)
        if self.is_read:
            raise StopAsyncIteration
        try:
            piece: bytes = await anext(self.exchange, b"")
            if piece:
                self._look(piece)
                return piece
        except AccelError as error:
            await self.exchange.close()
            raise self._failed(error) from None
        self.is_read = True
        try:
            self._end()
        except AccelError as error:
            raise self._failed(error) from None
        raise StopAsyncIteration

    async def close(self) -> None:
        """Let go of it: an answer that was not read to its end is broken off."""
        self._waiting = []
        if not self.call.is_over:
            self.call.drop(self.usage)
        if not self.is_read:
            self.is_read = True
            await self.exchange.close()

    def _look(self, piece: bytes) -> None:
        if not self._head:
            self._head = piece[:_END]
        size = len(piece)
        self._size += size
        if self._size > MAX_BODY_BYTES:
            raise InvalidResponseError(f"the answer is longer than {MAX_BODY_BYTES} bytes")
        self._tail = piece[-_END:] if size >= _END else (self._tail + piece)[-_END:]

    def _end(self) -> None:
        """End the call, if the answer is one."""
        if self.is_stream and not self.reads.is_whole(self._tail):
            raise StreamIncomplete("the stream ended without the event that ends it")
        self.usage = self.reads.usage(self._head, self._tail)
        self.cost = self.call.passed_on(self.usage)

    def _failed(self, error: AccelError) -> AccelError:
        self.is_read = True
        if isinstance(error, APIConnectionError):
            error = StreamInterrupted(f"the answer broke off: {error.message}", phase=error.phase)
        self.call.fail(error)
        return error


class _Trimmed(Relayed):
    """A stream out of which something is taken that its reader has not asked for."""

    def __init__(self, call: Call, exchange: Any, reads: RelayFormat, trim: Trim) -> None:
        super().__init__(call, exchange, reads, is_stream=True)
        self._trim = trim

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = self._trim.feed(await super().__anext__())
            except StopAsyncIteration:
                piece = self._trim.flush()
                if not piece:
                    raise
            if piece:
                return piece


def relaying(
    core: Core,
    model: Model,
    request: RelayRequest,
    typed: Callable[[], tuple[Any, dict[str, Any]]],
    suits: Suits | None = None,
) -> Steps[Any]:
    """Ask a target in the words of a request, or else in its own.

    Args:
        core: The client's.
        model: As for any other call.
        request: What is asked.
        typed: Reads the request: returns the main argument and the options of its operation; asked once, if at all.
        suits: Given what is known of a target beforehand, says why it cannot do what is asked, None if it can; of
            several targets only those are asked of which nothing is said.

    Returns:
        A `Relayed`, or what `core.opening` or `core.whole` return.
    """
    operation = OPERATIONS[request.operation]
    if core.registry.has_middleware or core.config.cache is not None:  # both have to see what is said
        begin = core.opening if request.is_stream else core.whole
        return begin(operation, model, *typed(), suits=suits)
    made: list[tuple[Request, dict[str, Any]]] = []

    def typed_for(model: str) -> tuple[Request, dict[str, Any]]:
        if not made:
            value, options = typed()
            made.append(core.typed(operation, model, value, options))
        asked, settings = made[0]
        return (asked if asked.model == model else attrs.evolve(asked, model=model)), settings

    def serve(target: tuple[str, str], journey: Journey | None, has_way_out: bool) -> Steps[Any]:
        endpoint, model = target
        return _served(core, endpoint, request.at(model), typed_for, journey, has_way_out=has_way_out)

    def begun(route: Route) -> Steps[Any]:
        return routed(core, route, serve)

    route = route_of(core, model, every=suits is not None)
    if len(route.targets) == 1 and not route.is_balanced:
        return serve(route.targets[0], None, False)
    if suits is not None and len(route.targets) > 1:
        return suitable(core, route, suits, begun)
    return balanced(core, route, begun) if route.is_balanced else begun(route)


def _served(
    core: Core,
    endpoint: str,
    request: RelayRequest,
    typed: Callable[[str], tuple[Request, dict[str, Any]]],
    journey: Journey | None,
    *,
    has_way_out: bool,
) -> Steps[Any]:
    """Ask one target."""
    target = core.known_target(endpoint) or (yield from core.target(endpoint))
    operation, model = request.operation, request.model
    settings: dict[str, Any] = {"journey": journey, "has_way_out": has_way_out}
    planned = target.backend.relay(target.endpoint, request)
    if planned is not None:
        call = core.call(operation, target, model, request=cast("Request", request), **settings)
        try:
            if isinstance(planned, RelayFlow):
                planned = yield from flowed(planned, call)
            if planned is not None:
                return (yield from _opened(planned, call, is_stream=request.is_stream))
        except AccelError as error:
            call.fail(error)
            raise
        except GeneratorExit:
            raise  # dropped by the garbage collector: nobody is told
        except BaseException:
            call.drop()
            raise
    perform = open_stream if request.is_stream else complete
    asked, own = typed(model)
    return (yield from core.serve(perform, operation, endpoint, asked, {**own, **settings}))


def _opened(plan: Relay, call: Call, *, is_stream: bool) -> Steps[Relayed]:
    """Send the request, and again where that helps, until an answer has begun that is one."""
    limit = call.timeout.first_event if is_stream else None

    def once() -> Steps[Relayed]:
        exchange = yield Open((yield from call.outgoing(plan.send, limit)))
        call.received(exchange.headers, call.now(), exchange.connect_seconds)
        if not 200 <= exchange.status < 300:  # noqa: PLR2004
            raise call.status_error((yield ReadAll(exchange)))
        if is_stream and not plan.any_type and is_document(exchange.headers.get("content-type", "")):
            raise no_stream(call, (yield ReadAll(exchange)))
        if plan.trims is None:
            answer = Relayed(call, exchange, plan.reads, is_stream=is_stream, at_once=plan.at_once)
        else:
            answer = _Trimmed(call, exchange, plan.reads, plan.trims())
        return (yield from _begun(answer))

    return (yield from attempted(call, once, repeatable=may_repeat(call, plan.send.method, has_idempotency_key=False)))


def _begun(answer: Relayed) -> Steps[Relayed]:
    """Wait for the beginning of an answer; a short one is then there as a whole."""
    pieces = answer.exchange
    try:
        piece = yield Next(pieces)
        if not piece:
            raise InvalidResponseError(f"the answer (status {answer.status}) has no body", status=answer.status)
        if _is_page(answer, piece):
            raise InvalidResponseError("the server answered with HTML or XML", status=answer.status)
        failure = answer.reads.failure(piece)
        if failure is not None:
            raise failure
        while answer.take(piece):
            piece = yield Next(pieces)
    except GeneratorExit:
        raise  # as above; the exchange closes itself
    except BaseException as error:
        if isinstance(error, StreamIncomplete):
            error.retryable = True  # nothing of it was handed over
        yield Shut(pieces, None)
        raise
    if answer.is_stream:
        pieces.read_timeout = answer.call.timeout.idle
    return answer


def _is_page(answer: Relayed, first: bytes) -> bool:
    """Whether a page stands where no dialect has one, whatever its media type says; sound may begin like anything."""
    if first.lstrip()[:1] != b"<":
        return False
    return not answer.headers.get("content-type", "").startswith(_BINARY)
