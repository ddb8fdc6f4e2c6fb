"""What is sent to a server and how its answer is read; what plans know of the endpoint and of the call."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from ipfs_accel._values import define, frozen
from ipfs_accel.errors import APIStatusError, APITimeoutError

from ._http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers
    from ipfs_accel._secret import Secret

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
        retry_at: Seconds since 1970, where it tells a moment instead.
        hint: What to do about it.
    """

    message: str
    code: str | None = None
    kind: type[APIStatusError] | None = None
    retryable: bool | None = None
    retry_after: float | None = None
    retry_at: float | None = None
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
        kept_back: Names of what models said before beside text and calls, and the server does not take, such as
            `messages[1].reasoning`.
        max_bytes: The longest answer that is read; None means 64 MiB.
        is_work: Whether a status of 500 tells of what was asked rather than of the server, as where the request runs
            somebody's program: it is not repeated.
        after: Is given the answer, and returns the steps of a flow that go on with it, or None if there are none.
        instead: Is given the error that the server answered with, and returns what to ask in place of this, at once and
            as another attempt of the same call; None if there is nothing.
    """

    send: HttpRequest
    parse: Callable[[HttpResponse], T]
    unsupported: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()
    max_bytes: int | None = None
    is_work: bool = False
    after: Callable[[T], Generator[Any, Any, Any] | None] | None = None
    instead: Callable[[APIStatusError], Http[T] | None] | None = None


@frozen(kw_only=True)
class HttpStream(Generic[T]):
    """Send one request and decode its answer while it comes.

    Attributes:
        send: The request.
        frames: Makes the decoder that cuts bytes into frames.
        decoder: Makes the function that tells the assembler what one frame means.
        assembler: Makes the object that turns this into events and, at the end, into the answer.
        unsupported: As for `Http`.
        kept_back: Likewise.
        any_type: Whether the answer may be JSON or HTML, as that of a download; such a one is otherwise an error.
        going_on: Asked at the end of a body, and given the decoder: the request whose body goes on with the same
            answer, or None if it is whole.
        fitting: Asked when the head of the answer is there, and given its status and headers: the plan by which the
            body is read, where that depends on what the server sends.
        after: Is given the whole answer at its end, as for `Http`; its events have come, so that it changes nothing.
    """

    send: HttpRequest
    frames: Callable[[], FrameDecoder[Any]]
    decoder: Callable[[], Callable[[Any, Any], None]]
    assembler: Callable[[], Collecting[T]]
    unsupported: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()
    any_type: bool = False
    going_on: Callable[[Any], HttpRequest | None] | None = None
    fitting: Callable[[int, Headers], HttpStream[T]] | None = None
    after: Callable[[T], Generator[Any, Any, Any] | None] | None = None


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
