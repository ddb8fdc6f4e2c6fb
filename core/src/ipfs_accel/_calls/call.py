"""One call while it runs: what it sends, what it was answered, how it ends. `execute` has its steps."""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import attrs

from ipfs_accel._endpoints.target import Target
from ipfs_accel._endpoints.urls import check_place
from ipfs_accel._http.timeouts import Timeouts
from ipfs_accel._secret import KeySource, SentHeaders, secrets_in
from ipfs_accel._telemetry import log
from ipfs_accel._telemetry.pricing import cost_of
from ipfs_accel._url import origin_of
from ipfs_accel._values import define
from ipfs_accel._worlds.effects import Outgoing, Steps
from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigError,
    InvalidResponseError,
    PluginError,
    StreamError,
    UnsupportedParameterError,
)
from ipfs_accel.plans import ErrorDetail, HttpRequest, HttpResponse, Job, Pairs
from ipfs_accel.types import Answer, CallInfo, ChatResponse, Timing, Tried

from . import keys
from .journey import Journey
from .overdue import name_limit, other_limit
from .statuses import status_error
from .watching import WatchedBody

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipfs_accel._headers import Headers
    from ipfs_accel._resilience.gate import Priority
    from ipfs_accel._resilience.guard import Hold
    from ipfs_accel._telemetry.records import Listener
    from ipfs_accel._telemetry.usage import Ledger
    from ipfs_accel.types import Timeout, Usage
    from ipfs_accel.types._requests import OnUnsupported

    from .wanted import Wanted
    from .watching import Watch

__all__ = ["Call", "Told", "UnsupportedParameterWarning"]

T = TypeVar("T")


class UnsupportedParameterWarning(UserWarning):
    """An option was left out because the backend cannot honour it."""


class Told:
    """What is known of an answer that nobody has read."""

    __slots__ = ("usage",)

    def __init__(self, usage: Usage | None) -> None:
        self.usage = usage


@define(eq=False)
class Call:
    """What is known of a call to one target while it runs."""

    operation: str
    target: Target
    model: str
    timeout: Timeout
    on_unsupported: OnUnsupported
    ledger: Ledger
    journey: Journey
    request: Any = None
    on_upload: Watch | None = None
    key: KeySource | None = attrs.field(default=None, repr=False)
    priority: Priority = "normal"
    listeners: tuple[Listener, ...] = ()
    is_check: bool = False
    has_way_out: bool = False
    wanted: Wanted | None = None
    hold: Hold | None = None
    connect: float | None = None
    first_at: float | None = None
    headers: Headers | None = attrs.field(default=None, repr=False)
    request_id: str | None = None
    key_id: str | None = None
    sent_keys: list[str] = attrs.field(factory=list, repr=False)
    is_over: bool = False
    blame: Callable[[APIError], None] | None = None

    def branch(self) -> Call:
        """Return a call of its own for one of several plans that are performed side by side."""
        return copy(self)

    def join(self, branch: Call) -> None:
        """Take over what one of several plans learnt of its answer."""
        if branch.first_at is not None:
            self.first_at, self.connect = branch.first_at, branch.connect
        self.headers = branch.headers or self.headers
        self.request_id = branch.request_id or self.request_id
        self.key_id = branch.key_id or self.key_id

    def now(self) -> float:
        """Return the time by the client's clock."""
        return self.target.guard.clock.now()

    def remaining(self) -> float | None:
        """Return the seconds that the call has left; None is no limit."""
        deadline = self.journey.deadline
        return None if deadline is None else max(0.0, deadline - self.now())

    def outgoing(self, send: HttpRequest, read_limit: float | None, further: Pairs = ()) -> Steps[Outgoing]:
        """Return a planned request with everything that is the core's to add, the key included."""
        endpoint = self.target.endpoint
        base_url = send.base_url if send.base_url is not None else endpoint.base_url
        if not base_url:
            names = self.target.backend.info.base_url_env
            raise ConfigError(
                f"endpoint {endpoint.name!r} has no base URL to send a request to",
                hint=f"set base_url in the configuration{f', or the variable {names[0]}' if names else ''}",
            )
        if not send.path.startswith("/"):
            raise PluginError(f"the plugin {endpoint.backend!r} planned a request to {send.path!r}, which is no path")
        url = base_url + send.path
        if send.query:
            url += ("&" if "?" in send.path else "?") + urlencode(send.query)
        origin = self.target.origin if send.base_url is None else origin_of(base_url)
        headers = SentHeaders([*send.headers, *self.target.headers_beside(self.operation, send.headers), *further])
        if self.target.propagates:
            from ipfs_accel._telemetry import otel  # noqa: PLC0415 - off unless it is asked for

            headers.pairs += otel.trace_headers(send.headers)
        if origin == self.target.origin:
            headers.pairs += self.target.key_headers(origin, (yield from self.chosen_key()))
        else:  # a plugin's own place, which may be from its options
            check_place(base_url, f"endpoint {endpoint.name!r}: where this request goes")
        content = send.content
        if content is not None and not isinstance(content, bytes):
            headers.add("content-length", str(content.size))
            if self.on_upload is not None:
                content = WatchedBody(content, self.on_upload)
        limits = Timeouts(
            connect=self.timeout.connect,
            read=read_limit,
            write=read_limit,
            total=self.remaining(),
            call=self.journey.limit,
        )
        return Outgoing(send.method, url, headers, content, limits)

    def job(self) -> Job:
        """Return what a blocking function may know of this call, but for the key; see `keys.give`."""
        target = self.target
        return Job(
            until=self.journey.deadline,
            on_progress=self.on_upload,
            proxy=target.proxy,
            ca_file=target.ca_file,
        )

    def chosen_key(self) -> Steps[str | None]:
        """Return the key to send, and note its id and, for what errors may repeat, itself.

        Raises:
            ConfigError: A function gives what is no key, or cannot be awaited here.
            MissingKeyError: The provider needs one and none is set.
        """
        pool, hold = self.target.guard.pool, self.hold
        source: KeySource | None
        if self.key is not None:
            source, key_id = self.key, "call"
        elif pool is not None and hold is not None:
            if hold.key is None:
                pool.take(hold)
            source, key_id = hold.key.source, hold.key.id  # type: ignore[union-attr]
        else:
            source, key_id = self.target.single_source(), "key-1"
        if source is None:
            return None
        self.key_id = key_id
        key = yield from keys.own(source, self.target.endpoint.name, self.remaining)
        if key not in self.sent_keys:
            self.sent_keys.append(key)
        return key

    def check(self, unsupported: tuple[str, ...], kept_back: tuple[str, ...] = ()) -> None:
        """Raise or warn if the backend left out options that the caller gave.

        What a model said before and cannot go there is no option, and nothing that the caller could leave out: it is
        told by a warning alone.
        """
        if kept_back:
            where, names = f"the endpoint {self.target.endpoint.name!r}", ", ".join(kept_back)
            message = f"{where} is not told what a model said beside text and calls: {names}"
            warnings.warn(message, UnsupportedParameterWarning, stacklevel=2)
        if not unsupported:
            return
        message = f"the backend {self.target.backend.name!r} cannot honour: {', '.join(unsupported)}"
        if self.on_unsupported == "raise":
            hint = "leave it out, or pass on_unsupported='warn' to go on without it"
            raise UnsupportedParameterError(message, hint=hint)
        warnings.warn(message, UnsupportedParameterWarning, stacklevel=2)

    def received(self, headers: Any, head_at: float, connect: float) -> None:
        """Note a response's head, when it came, and how long the connection had taken."""
        self.first_at, self.connect, self.headers = head_at, connect, headers
        gate = self.target.guard.gate
        if gate is not None and self.hold is not None and self.hold.ticket is not None:
            gate.read(headers, self.hold.ticket, self.target.guard.clock.time())
        for name in self.target.backend.info.request_id_headers:
            value = headers.get(name)
            if value is not None:
                for secret in self._secrets():
                    value = value.replace(secret, "***")
                self.request_id = value
                break

    def describe(self, error: AccelError) -> None:
        """Fill in what the place that raised did not know."""
        endpoint = self.target.endpoint
        error.about(endpoint=endpoint.name, backend=endpoint.backend, model=self.model or None)
        self.name_limit(error)
        error.about(hint=self.target.way_out(error, self.operation))
        error.about(hint=None if self.is_check else other_limit(error, endpoint.name))
        if isinstance(error, APIError):
            error.about(request_id=self.request_id)
            if error.retry_at is not None:
                error.about(retry_after=max(0.0, error.retry_at - self.target.guard.clock.time()))
            if not error.tried:
                error.tried = (*self.journey.tried, self.attempt(error))
                error.attempts = len(error.tried)
            error.maybe_billed = any(each.maybe_billed for each in error.tried)
            self.mark(getattr(error, "partial", None))

    def name_limit(self, error: AccelError, *, has_begun: bool = False) -> None:
        """Say in a time-out which of the limits it was; `has_begun` if a stream has had its first event."""
        if isinstance(error, APITimeoutError):
            limits = attrs.evolve(self.timeout, total=self.journey.limit)
            name_limit(error, self.target, limits, has_begun=has_begun, is_check=self.is_check)

    def attempt(self, error: AccelError, waited: float = 0.0) -> Tried:
        """Return the record of an attempt that failed."""
        return Tried(
            endpoint=self.target.endpoint.name,
            model=self.model,
            error=type(error).__name__,
            status=getattr(error, "status", None),
            code=getattr(error, "code", None),
            request_id=self.request_id,
            key=self.key_id,
            seconds=self.now() - self.hold.started if self.hold is not None else 0.0,
            waited=waited,
            maybe_billed=_maybe_billed(error),
        )

    def begin(self, hold: Hold) -> None:
        """Begin an attempt: what is known of the last one is not true of this one."""
        self.hold = hold
        self.connect = self.first_at = self.headers = self.request_id = self.key_id = None

    def info(self, answer: Any = None) -> CallInfo:
        """Return how the answer came about."""
        endpoint, journey = self.target.endpoint, self.journey
        first = None if self.first_at is None else self.first_at - journey.started
        total = self.now() - journey.started
        timing = Timing(queue=journey.queued, connect=self.connect, first_event=first, total=total)
        return CallInfo(
            endpoint=endpoint.name,
            backend=endpoint.backend,
            model=self.model,
            key=self.key_id,
            attempts=len(journey.tried) + 1,
            tried=tuple(journey.tried),
            request_id=self.request_id,
            cost=cost_of(self.target, self.model, self.request, answer) if self.request is not None else None,
            headers=self.headers,
            timing=timing,
        )

    def finish(self, answer: T) -> T:
        """Put the call's own data on an answer."""
        self.is_over = True
        info = self.info(answer)
        usage = getattr(answer, "usage", None)
        if self.hold is not None:
            self.hold.settle(None, usage)
        if self.request is not None:
            self.ledger.answered(self.operation, info.endpoint, self.model, usage, info.cost)
        log.finished(self.operation, info, answer)
        if self.listeners:
            self._tell(info, answer, None)
        if not isinstance(answer, Answer):
            return answer
        self.mark(answer)
        if answer.call is not None:  # a plan may give the same answer to several calls
            return attrs.evolve(answer, call=info)
        object.__setattr__(answer, "call", info)  # nobody else has seen it, and a copy would be the dearer
        return answer

    def passed_on(self, usage: Usage | None) -> float | None:
        """End a call whose answer nobody read, and return what it cost; `info` is made only for who listens."""
        self.is_over = True
        told = Told(usage)
        if self.hold is not None:
            self.hold.settle(None, usage)
        cost = cost_of(self.target, self.model, self.request, told)
        self.ledger.answered(self.operation, self.target.endpoint.name, self.model, usage, cost)
        if self.listeners or log.is_heard():
            info = self.info(told)
            log.finished(self.operation, info, told)
            self._tell(info, told, None)
        return cost

    def mark(self, answer: Any, model: str | None = None) -> None:
        """Say of a model's messages whose words they are; nobody else has seen them yet."""
        if isinstance(answer, ChatResponse):
            origin = self.target.as_origin(self.model if model is None else model)
            for choice in answer.choices:
                object.__setattr__(choice.message, "origin", origin)

    def drop(self, usage: Usage | None = None) -> None:
        """End a call whose answer nobody waits for any more; harmless after its end."""
        if self.hold is not None:
            self.hold.settle(GeneratorExit())
        if not self.is_over and self.listeners:
            self._tell(self.info(), None, None, is_abandoned=True, usage=usage)
        self.is_over = True

    def fail(self, error: AccelError) -> None:
        """Complete and log an error."""
        self.is_over = True
        self.describe(error)
        if self.hold is not None:
            self.hold.settle(error)
        if self.request is not None:
            self.ledger.failed(self.target.endpoint.name, self.model)
        self.conceal(error)
        log.failed(self.operation, self.model, error)
        if self.listeners:
            self._tell(self.info(), None, error)

    def _tell(self, info: CallInfo, answer: Any, error: AccelError | None, **known: Any) -> None:
        from ipfs_accel._telemetry.records import record_of, tell  # noqa: PLC0415 - few programs listen

        record = record_of(self.operation, self.target, info, self.request, answer=answer, error=error)
        tell(self.listeners, attrs.evolve(record, **known) if known else record)

    def conceal(self, error: AccelError) -> None:
        """Take the keys, and other secrets of the headers, out of what a server may have repeated."""
        for secret in self._secrets():
            error.conceal(secret)

    def _secrets(self) -> list[str]:
        return [*secrets_in(self.sent_keys, getattr(self.request, "headers", ())), *self.target.header_secrets]

    def status_error(self, response: HttpResponse) -> APIError:
        """Read a response that is not a success."""
        error = status_error(response, self.error_detail, self.target.guard.clock.time())
        if response.status == 500 and self.blame is not None:  # noqa: PLR2004
            self.blame(error)
        return error

    def error_detail(self, response: HttpResponse) -> ErrorDetail:
        """Let the plugin read an error body; where it cannot, the status and the text are what is known."""
        read = self.target.backend.info.read_error
        if read is not None:
            try:
                return read(response)
            except Exception:  # noqa: BLE001, S110 - an error body can be anything; the status still counts
                pass
        said = response.text().strip()[:512] or f"the server answered with status {response.status} and no body"
        return ErrorDetail(message=said)

    def unreadable(self, error: Exception, response: HttpResponse) -> InvalidResponseError:
        """Turn whatever a plugin's parser raised into one kind of error."""
        backend = self.target.backend.name
        return InvalidResponseError(
            f"the answer does not have the form that the backend {backend!r} expects ({type(error).__name__}: {error})",
            status=response.status,
            body=response.text()[:512],
        )


def _maybe_billed(error: AccelError) -> bool:
    """Whether the server may have done the work although no answer came."""
    if isinstance(error, APIConnectionError):
        return error.sent and error.phase != "write"
    return isinstance(error, InvalidResponseError | StreamError)
