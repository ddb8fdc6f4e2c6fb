"""One call: from a plan to a typed answer or a typed error. Knows neither world; see `_perform`."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs

from . import _log
from ._endpoints import Target, origin_of
from ._hints import retry_after
from ._local import way_out
from ._perform import Gather, Open, Outgoing, ReadAll, Run, Send, Steps, Whole
from ._pricing import cost_of
from .errors import (
    AccelError,
    APIError,
    APIStatusError,
    ConfigError,
    InternalServerError,
    InvalidResponseError,
    PlanError,
    PluginError,
    UnsupportedParameterError,
    class_for_status,
)
from .plans import (
    Body,
    ErrorDetail,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Job,
    Local,
    LocalStream,
    Ready,
    StreamFlow,
)
from .types import Answer, CallInfo, Timeout, Timing

if TYPE_CHECKING:
    from ._headers import Headers
    from ._http import Timeouts
    from ._secret import Secret
    from ._usage import Ledger
    from .types._requests import OnUnsupported

__all__ = ["Call", "UnsupportedParameterWarning", "complete", "open_stream"]

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
SHORTEST_SECRET = 8
"""Shorter keys are placeholders for servers that want none; hiding those would hide words."""


class UnsupportedParameterWarning(UserWarning):
    """An option was left out because the backend cannot honour it."""


@attrs.define(eq=False)
class Call:
    """What is known of a call while it runs."""

    operation: str
    target: Target
    model: str
    timeout: Timeout
    on_unsupported: OnUnsupported
    timeouts_of: Callable[..., Timeouts]
    user_agent: str
    ledger: Ledger
    started: float = attrs.field(factory=time.perf_counter)
    request: Any = None
    on_upload: Callable[[int, int], None] | None = None
    head_at: float | None = None
    headers: Headers | None = attrs.field(default=None, repr=False)
    request_id: str | None = None
    sent_key: str = attrs.field(default="", repr=False)

    def outgoing(self, send: HttpRequest, read_limit: float | None) -> Outgoing:
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
            url += "?" + urlencode(send.query)
        origin = self.target.origin if send.base_url is None else origin_of(base_url)
        headers = [
            *send.headers,
            *self.target.headers,
            *(key_headers := self.target.key_headers(origin)),
        ]
        if not any(name.lower() == "user-agent" for name, _ in self.target.headers):
            headers.insert(0, ("user-agent", self.user_agent))
        if key_headers:
            self.sent_key = key_headers[0][1].removeprefix(self.target.key_header.prefix)
        content = send.content
        if content is not None and not isinstance(content, bytes):
            headers.append(("content-length", str(content.size)))
            if self.on_upload is not None:
                content = _Watched(content, self.on_upload)
        left = None if self.timeout.total is None else max(0.0, self.started + self.timeout.total - time.perf_counter())
        limits = self.timeouts_of(connect=self.timeout.connect, read=read_limit, write=read_limit, total=left)
        return Outgoing(send.method, url, headers, content, limits)

    def job(self) -> Job:
        """Return what a blocking function may know of this call."""
        until = None if self.timeout.total is None else self.started + self.timeout.total
        return Job(key=self._key, until=until, on_progress=self.on_upload)

    def _key(self) -> Secret | None:
        secret = self.target.secret()
        self.sent_key = "" if secret is None else secret.reveal()
        return secret

    def check(self, unsupported: tuple[str, ...]) -> None:
        """Raise or warn if the backend left out options that the caller gave."""
        if not unsupported:
            return
        names = ", ".join(unsupported)
        message = f"the backend {self.target.backend.name!r} cannot honour: {names}"
        if self.on_unsupported == "raise":
            raise UnsupportedParameterError(
                message, hint="leave it out, or pass on_unsupported='warn' to go on without it"
            )
        warnings.warn(message, UnsupportedParameterWarning, stacklevel=2)

    def received(self, headers: Any, head_at: float) -> None:
        """Note a response's head."""
        self.head_at = head_at
        self.headers = headers
        for name in self.target.backend.info.request_id_headers:
            value = headers.get(name)
            if value is not None:
                self.request_id = value
                break

    def describe(self, error: AccelError) -> None:
        """Fill in what the place that raised did not know."""
        endpoint = self.target.endpoint
        error.about(endpoint=endpoint.name, backend=endpoint.backend, model=self.model or None)
        error.about(hint=way_out(error, self.operation, self.target))
        if isinstance(error, APIError):
            error.about(request_id=self.request_id)

    def info(self, answer: Any = None) -> CallInfo:
        """Return how the answer came about."""
        endpoint = self.target.endpoint
        first = None if self.head_at is None else self.head_at - self.started
        timing = Timing(first_event=first, total=time.perf_counter() - self.started)
        return CallInfo(
            endpoint=endpoint.name,
            backend=endpoint.backend,
            request_id=self.request_id,
            cost=cost_of(self.target, self.model, self.request, answer) if self.request is not None else None,
            headers=self.headers,
            timing=timing,
        )

    def finish(self, answer: T) -> T:
        """Put the call's own data on an answer."""
        info = self.info(answer)
        if self.request is not None:
            usage = getattr(answer, "usage", None)
            self.ledger.answered(self.operation, info.endpoint, self.model, usage, info.cost)
        _log.finished(self, info, answer)
        return attrs.evolve(answer, call=info) if isinstance(answer, Answer) else answer

    def fail(self, error: AccelError) -> None:
        """Complete and log an error."""
        self.describe(error)
        if self.request is not None:
            self.ledger.failed(self.target.endpoint.name, self.model)
        # A key may have several parts, of which a server may repeat any but the id at its beginning.
        for secret in (self.sent_key, *self.sent_key.split(":")[1:]):
            if len(secret) >= SHORTEST_SECRET:
                error.conceal(secret)
        _log.failed(self, error)

    def status_error(self, response: HttpResponse) -> APIError:
        """Read a response that is not a success."""
        status = response.status
        if 300 <= status < 400:  # noqa: PLR2004
            host = urlsplit(response.headers.get("location", "")).netloc or "the same host"
            return APIStatusError(
                f"the server answered with a redirect ({status}) to {host}, which is not followed",
                status=status,
                hint="set the base URL to where the API really is",
            )
        detail = self.error_detail(response)
        kind = detail.kind or class_for_status(status)
        error = kind(
            detail.message,
            status=status,
            code=detail.code,
            body=_body(response),
            hint=detail.hint,
            retry_after=detail.retry_after or retry_after(response.headers),
        )
        if detail.retryable is not None:
            error.retryable = detail.retryable
        elif status == 408:  # noqa: PLR2004
            error.retryable = True
        return error

    def error_detail(self, response: HttpResponse) -> ErrorDetail:
        """Let the plugin read an error body; where it cannot, the status and the text are what is known."""
        read = self.target.backend.info.read_error
        if read is not None:
            try:
                return read(response)
            except Exception:  # noqa: BLE001, S110 - an error body can be anything; the status still counts
                pass
        text = response.text().strip()[:512]
        return ErrorDetail(message=text or f"the server answered with status {response.status} and no body")

    def unreadable(self, error: Exception, response: HttpResponse) -> InvalidResponseError:
        """Turn whatever a plugin's parser raised into one kind of error."""
        backend = self.target.backend.name
        return InvalidResponseError(
            f"the answer does not have the form that the backend {backend!r} expects ({type(error).__name__}: {error})",
            status=response.status,
            body=response.text()[:512],
        )


class _Watched:
    """A body that tells how far it has been sent."""

    def __init__(self, body: Body, tell: Callable[[int, int], None]) -> None:
        self._body = body
        self._tell = tell
        self.size = body.size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        self._tell(sent, self.size)
        for piece in self._body:
            yield piece
            sent += len(piece)
            self._tell(sent, self.size)


def _body(response: HttpResponse) -> Any:
    try:
        return response.json()
    except InvalidResponseError:
        return response.text()[:512] or None


def complete(plan: Callable[[], Any], call: Call) -> Steps[Any]:
    """Plan and perform a call that has one whole answer."""
    try:
        answer = yield from _perform_plan(plan(), call)
    except AccelError as error:
        call.fail(error)
        raise
    return call.finish(answer)


def _perform_plan(plan: Any, call: Call) -> Steps[Any]:
    if isinstance(plan, Flow):
        plan = yield from _steps(plan.steps(), call)
        return (yield from _perform_plan(plan, call))
    if isinstance(plan, Http):
        call.check(plan.unsupported)
        whole = yield Send(call.outgoing(plan.send, None), plan.max_bytes or MAX_BODY_BYTES)
        return _parse(plan, whole, call)
    if isinstance(plan, Local):
        call.check(plan.unsupported)
        return (yield from _run(plan, call))
    if isinstance(plan, Ready):
        return plan.value
    if isinstance(plan, list):
        return (yield from _side_by_side(plan, call))
    raise _wrong_plan(call, plan, "a whole answer")


def _side_by_side(plans: list[Any], call: Call) -> Steps[list[Any]]:
    answers: list[Any] = yield Gather([_perform_plan(plan, call) for plan in plans])
    for answer in answers:
        if isinstance(answer, AccelError):
            raise answer
    return answers


def _wrong_plan(call: Call, plan: Any, wanted: str) -> PlanError:
    is_stream = isinstance(plan, HttpStream | LocalStream | StreamFlow)
    error = PlanError(f"{call.operation!r} was planned as {type(plan).__name__}, which is no plan for {wanted}")
    error.is_stream = is_stream
    if is_stream or isinstance(plan, Http | Local | Ready | Flow):
        error.hint = "use stream_call" if is_stream else "use call"
    return error


def _run(plan: Local[T], call: Call) -> Steps[T]:
    job = call.job()
    try:
        return (yield Run(lambda: plan.run(job), job))  # type: ignore[no-any-return]
    except AccelError:
        raise
    except Exception as error:
        backend = call.target.backend.name
        message = f"the backend {backend!r} failed in {call.operation!r}: {type(error).__name__}: {error}"
        raise PluginError(message) from error
    finally:
        call.request_id = job.request_id or call.request_id


def _parse(plan: Http[T], whole: Whole, call: Call) -> T:
    response = HttpResponse(status=whole.status, headers=whole.headers, body=whole.body)
    call.received(whole.headers, whole.head_at)
    if not 200 <= whole.status < 300:  # noqa: PLR2004
        raise call.status_error(response)
    try:
        return plan.parse(response)
    except InvalidResponseError as error:
        error.about(status=response.status, body=response.text()[:512])
        raise
    except AccelError:
        raise
    except Exception as error:
        raise call.unreadable(error, response) from error


def _steps(steps: Generator[Any, Any, Any], call: Call) -> Steps[Any]:
    """Run a flow: perform each plan that it yields and send back the answer or the error."""
    try:
        step = next(steps)
        while True:
            try:
                answer = yield from _perform_plan(step, call)
            except AccelError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def open_stream(plan: Callable[[], Any], call: Call) -> Steps[tuple[Call, Any, Any]]:
    """Plan a stream and open it; returns the call, the plan and the exchange (None for a `LocalStream`)."""
    try:
        stream = plan()
        while isinstance(stream, StreamFlow):
            stream = yield from _steps(stream.steps(), call)
        if not isinstance(stream, HttpStream | LocalStream):
            raise _wrong_plan(call, stream, "a stream")
        call.check(stream.unsupported)
        if isinstance(stream, LocalStream):
            return call, stream, None
        exchange = yield Open(call.outgoing(stream.send, call.timeout.first_event))
        call.received(exchange.headers, time.perf_counter())
        kind = exchange.headers.get("content-type", "")
        is_stream = stream.any_type or not kind.startswith(("application/json", "text/html"))
        if 200 <= exchange.status < 300 and is_stream:  # noqa: PLR2004
            return call, stream, exchange
        body = yield ReadAll(exchange, MAX_ERROR_BYTES)
        raise _no_stream(call, HttpResponse(status=exchange.status, headers=exchange.headers, body=body))
    except AccelError as error:
        call.fail(error)
        raise


def _no_stream(call: Call, response: HttpResponse) -> APIError:
    """Explain a response to a streaming request that is an error or a whole document."""
    if not 200 <= response.status < 300:  # noqa: PLR2004
        return call.status_error(response)
    try:
        value = response.json()
    except InvalidResponseError as error:
        return error
    if isinstance(value, dict) and (value.get("error") or value.get("object") == "error"):
        detail = call.error_detail(response)
        code = detail.code or ""
        status = int(code) if re.fullmatch(r"[45]\d\d", code, re.ASCII) else None
        kind = detail.kind or (InternalServerError if status is None else class_for_status(status))
        return kind(detail.message, status=status or response.status, code=code or None, body=value, hint=detail.hint)
    return InvalidResponseError(
        "the server answered a streaming request with one whole JSON document", status=response.status, body=value
    )
