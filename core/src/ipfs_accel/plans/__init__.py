"""Plans: what a hook returns instead of doing I/O itself.

A hook turns a typed request into a plan, a plain value that says what to send and how to read the answer. The core
performs it, in the synchronous or the asynchronous world, and adds everything that is not the provider's business:
the key, connections, time limits, cancellation, errors, logs. A plan therefore never holds a key.

- `Http`: one request, one whole answer.
- `HttpStream`: one request, an answer that comes as frames.
- `Local`, `LocalStream`: a blocking function, for libraries that do their own I/O; runs in a bounded thread pool.
- `Ready`: an answer that needs no I/O.
- `Flow`, `StreamFlow`: a generator that yields plans, also several at once, and is sent their answers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import attrs

from ipfs_accel._values import define, frozen
from ipfs_accel.errors import AccelError, APIStatusError, APITimeoutError

from ._http import Body, HttpRequest, HttpResponse, Pairs, get, json_bytes, post_json, segment

if TYPE_CHECKING:
    from ipfs_accel._secret import Secret

__all__ = [
    "Body",
    "Collecting",
    "Endpoint",
    "ErrorDetail",
    "Flow",
    "FrameDecoder",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "HttpStream",
    "Job",
    "Local",
    "LocalStream",
    "Pairs",
    "Plan",
    "Ready",
    "StreamFlow",
    "StreamPlan",
    "get",
    "json_bytes",
    "post_json",
    "segment",
    "side_by_side",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True, eq=False)
class Endpoint:
    """A configured use of a backend, as its hooks see it.

    Attributes:
        name: As the user calls it.
        backend: Name of the plugin.
        base_url: Without a trailing slash; empty for backends without one.
        at_default_url: Whether the base URL is the backend's usual one because nobody named another.
        options: The backend's own settings, an instance of `BackendInfo.options`, or None.
        has_key: Whether a key is configured; the key itself is the core's business.
        memo: Where a plugin may remember what it learnt of this endpoint; lives as long as the client.
    """

    name: str
    backend: str
    base_url: str = ""
    at_default_url: bool = False
    options: Any = None
    has_key: bool = False
    memo: dict[Any, Any] = attrs.field(factory=dict, repr=False)


@frozen(kw_only=True)
class ErrorDetail:
    """What a provider's error body says, read by `BackendInfo.read_error`.

    Attributes:
        message: The provider's sentence.
        code: Its error code or type.
        kind: A more exact class than the HTTP status tells.
        retryable: Overrides the class's own answer.
        retry_after: Seconds, where the body tells.
        hint: What to do about it.
    """

    message: str
    code: str | None = None
    kind: type[APIStatusError] | None = None
    retryable: bool | None = None
    retry_after: float | None = None
    hint: str | None = None


class Collecting(Protocol[T_co]):
    """Turns what a decoder tells it into events and, at the end, the answer; see `wire.assembler`, `wire.collector`."""

    is_done: bool

    def take(self) -> list[Any]:
        """Return the events since the last call."""
        ...

    def conclude(self) -> T_co:
        """Return the answer, or raise `StreamIncomplete`."""
        ...

    def partial(self) -> T_co | None:
        """Return what has come so far, for errors."""
        ...


class FrameDecoder(Protocol[T_co]):
    """Turns bytes, as they come, into frames; see `wire.sse` and `wire.ndjson`."""

    def feed(self, chunk: bytes, /) -> Iterable[T_co]:
        """Take bytes and return the frames that they complete."""
        ...

    def flush(self) -> Iterable[T_co]:
        """Return what is left at the end of the stream."""
        ...


@frozen(kw_only=True)
class Http(Generic[T]):
    """Send one request and parse its whole answer.

    Attributes:
        send: The request.
        parse: Reads an answer whose status is a success. Whatever it raises becomes an `InvalidResponseError`.
        unsupported: Names of the caller's options that this backend cannot honour and `send` leaves out.
        max_bytes: The longest answer that is read; None means 64 MiB.
    """

    send: HttpRequest
    parse: Callable[[HttpResponse], T]
    unsupported: tuple[str, ...] = ()
    max_bytes: int | None = None


@frozen(kw_only=True)
class HttpStream(Generic[T]):
    """Send one request and decode its answer while it comes.

    Attributes:
        send: The request.
        frames: Makes the decoder that cuts bytes into frames.
        decoder: Makes the function that tells the assembler what one frame means.
        assembler: Makes the object that turns this into events and, at the end, into the answer.
        unsupported: As for `Http`.
        any_type: Whether the answer may be JSON or HTML, as that of a download; such a one is otherwise an error.
        going_on: Asked at the end of a body, and given the decoder: the request whose body goes on with the same
            answer, or None if it is whole.
    """

    send: HttpRequest
    frames: Callable[[], FrameDecoder[Any]]
    decoder: Callable[[], Callable[[Any, Any], None]]
    assembler: Callable[[], Collecting[T]]
    unsupported: tuple[str, ...] = ()
    any_type: bool = False
    going_on: Callable[[Any], HttpRequest | None] | None = None


@define(kw_only=True, eq=False)
class Job:
    """What a blocking function knows of the call that it works for.

    Attributes:
        key: Gives the endpoint's key, or None if it has none; raises `MissingKeyError`.
        until: When the call's time is over (`time.perf_counter`); None means never.
        on_progress: What the caller gave to be told of progress: bytes that are done, and their total.
        proxy: URL of the proxy that requests have to go through; None for none, whatever the environment says.
        ca_file: PEM file of certificate authorities to trust instead of the usual ones.
        is_abandoned: Whether nobody waits any more, so that what is still under way has to stop.
        request_id: The provider's id of the request, noted by the function.
    """

    key: Callable[[], Secret | None] = attrs.field(default=lambda: None, repr=False)
    until: float | None = None
    on_progress: Callable[[int, int], None] | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_file: str | None = None
    is_abandoned: bool = False
    request_id: str | None = None

    def check(self) -> None:
        """Raise if nobody waits any more or the time is over; long functions have to ask now and then."""
        if self.is_abandoned:
            raise APITimeoutError("nobody waits for this call any more", phase="abandoned")
        if self.until is not None and time.perf_counter() > self.until:
            raise APITimeoutError("the call was not over within its time", phase="total")

    def report(self, done: int, total: int) -> None:
        """Tell the caller how far it is, and do what `check` does."""
        self.check()
        if self.on_progress is not None:
            self.on_progress(done, total)


@frozen(kw_only=True)
class Local(Generic[T]):
    """Run a blocking function: in the caller's thread, or in the thread pool of an async client.

    Attributes:
        run: Is given the `Job`, and returns the answer.
        unsupported: Options of the request that the backend cannot honour.
    """

    run: Callable[[Job], T]
    unsupported: tuple[str, ...] = ()


@frozen(kw_only=True)
class LocalStream(Generic[T]):
    """Run a blocking generator that tells the assembler what happens and yields after each step.

    Attributes:
        run: Is given the assembler and the `Job`.
        assembler: Makes the assembler.
        unsupported: Options of the request that the backend cannot honour.
    """

    run: Callable[[Any, Job], Iterator[None]]
    assembler: Callable[[], Collecting[T]]
    unsupported: tuple[str, ...] = ()


@frozen(kw_only=True)
class Ready(Generic[T]):
    """An answer that is known already."""

    value: T


@frozen(kw_only=True)
class Flow(Generic[T]):
    """Several steps: a generator that yields plans, is sent their answers (or errors), and returns the last plan.

    The last plan's answer is the flow's; `Ready(value=...)` is one that the generator made. A list of plans is
    performed side by side, at most 16 at once; sent are its answers in order, or the error of the first that failed.
    """

    steps: Callable[[], Generator[Plan[Any] | list[Plan[Any]], Any, Plan[T]]]


@frozen(kw_only=True)
class StreamFlow(Generic[T]):
    """Several steps before a stream: as `Flow`, but the last plan is a stream."""

    steps: Callable[[], Generator[Plan[Any] | list[Plan[Any]], Any, StreamPlan[T]]]


Plan: TypeAlias = Http[T] | Local[T] | Ready[T] | Flow[T]
StreamPlan: TypeAlias = HttpStream[T] | LocalStream[T] | StreamFlow[T]


def side_by_side(plans: Iterable[Plan[T]], limit: int) -> Generator[list[Plan[Any]], Any, list[T]]:
    """Perform any number of plans with at most `limit` under way, and return their answers in order.

    For flows: `answers = yield from side_by_side(plans, 8)`. After a failure no further plan is begun.
    """
    waiting = deque(enumerate(plans))
    answers: list[Any] = [None] * len(waiting)

    def lane() -> Generator[Plan[Any], Any, Plan[None]]:
        while True:
            try:
                index, plan = waiting.popleft()
            except IndexError:
                return Ready(value=None)
            try:
                answers[index] = yield plan
            except AccelError:
                waiting.clear()
                raise

    yield [Flow(steps=lane) for _ in range(min(limit, len(waiting)))]
    return answers
