"""A plan carried out: as the steps of a call. Knows neither world; see `perform`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from ipfs_accel import plans as kinds
from ipfs_accel._worlds.effects import Next, Open, Outgoing, ReadAll, Run, Send, Shut, Start, Steps, Whole
from ipfs_accel._worlds.gather import Gather
from ipfs_accel.errors import (
    AccelError,
    APIError,
    APIStatusError,
    APITimeoutError,
    InternalServerError,
    InvalidResponseError,
    PlanError,
    class_for_status,
)
from ipfs_accel.plans import Http, HttpRequest, HttpResponse, HttpStream, Pairs

from . import keys
from .attempts import attempted, may_repeat
from .call import Call
from .planning import tell_field
from .reader import Reader, on_silence
from .watching import RaisedByCaller

if TYPE_CHECKING:
    from ipfs_accel.plans import Local, LocalStream

__all__ = ["complete", "flowed", "go_on", "is_document", "look_afterwards", "no_stream", "open_stream"]

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024 * 1024

DRAIN_SECONDS = 0.1
"""How long to wait after the terminal signal for the end of the body, so that the connection can be used again."""


def complete(plan: Callable[[], Any], call: Call) -> Steps[Any]:
    """Plan and perform a call that has one whole answer."""
    try:
        answer = yield from _perform_plan(plan(), call)
    except AccelError as error:
        call.fail(error)
        raise
    except GeneratorExit:
        raise  # dropped by the garbage collector, which may run anywhere: nobody is told
    except RaisedByCaller as raised:
        call.drop()
        raise raised.error from raised.error.__cause__
    except BaseException:
        call.drop()
        raise
    return call.finish(answer)


def _perform_plan(plan: Any, call: Call) -> Steps[Any]:
    if isinstance(plan, Http):  # first, as most are, and the others are not even loaded then
        call.check(plan.unsupported, plan.kept_back)
        answer = yield from _exchange(plan, call)
        further = None if plan.after is None else plan.after(answer)
        return answer if further is None else (yield from _perform_plan(kinds.Flow(steps=lambda: further), call))
    if isinstance(plan, kinds.Flow):
        plan = yield from flowed(plan, call)
        return (yield from _perform_plan(plan, call))
    if isinstance(plan, kinds.Local):
        call.check(plan.unsupported)
        return (yield from _whole(call, lambda: _run(plan, call)))
    if isinstance(plan, kinds.Ready):
        return plan.value
    if isinstance(plan, list):
        return (yield from _side_by_side(plan, call))
    if isinstance(plan, kinds.Held):
        from .schemas import hold  # noqa: PLC0415 - few calls ask for a schema

        check = hold(plan, call)
        answer = yield from _perform_plan(plan.plan, call)
        if check is not None:
            check(answer)
        return answer
    raise _wrong_plan(call, plan, "a whole answer")


def _side_by_side(plans: list[Any], call: Call) -> Steps[list[Any]]:
    branches = [call.branch() for _ in plans]
    answers: list[Any] = yield Gather([_perform_plan(plan, own) for plan, own in zip(plans, branches, strict=True)])
    for own in branches:
        call.join(own)
    for answer in answers:
        if isinstance(answer, AccelError):
            raise answer
    return answers


def _wrong_plan(call: Call, plan: Any, wanted: str) -> PlanError:
    is_stream = isinstance(plan, HttpStream | kinds.LocalStream | kinds.StreamFlow)
    error = PlanError(f"{call.operation!r} was planned as {type(plan).__name__}, which is no plan for {wanted}")
    error.is_stream = is_stream
    if is_stream or isinstance(plan, Http | kinds.Local | kinds.Ready | kinds.Flow):
        error.hint = "use stream_call" if is_stream else "use call"
    return error


def _exchange(plan: Http[T], call: Call) -> Steps[T]:
    has_key, further = _idempotency_key(plan.send, call)

    def once() -> Steps[T]:
        request = yield from call.outgoing(plan.send, None, further)
        whole = yield Send(request, plan.max_bytes or MAX_BODY_BYTES)
        return _parse(plan, whole, call)

    def is_other(error: AccelError) -> bool:
        nonlocal plan, further
        other = plan.instead(error) if plan.instead is not None and isinstance(error, APIStatusError) else None
        if other is None:
            return False
        plan, further = other, _idempotency_key(other.send, call)[1]
        return True

    repeatable = may_repeat(call, plan.send.method, has_idempotency_key=has_key)
    return (yield from _whole(call, once, repeatable=repeatable, instead=None if plan.instead is None else is_other))


def _whole(
    call: Call,
    once: Callable[[], Steps[T]],
    *,
    repeatable: bool = True,
    instead: Callable[[AccelError], bool] | None = None,
) -> Steps[T]:
    answer = yield from attempted(call, once, repeatable=repeatable, instead=instead)
    if call.hold is not None:
        call.hold.settle(None, getattr(answer, "usage", None))
    return answer


def _idempotency_key(send: HttpRequest, call: Call) -> tuple[bool, Pairs]:
    """Return whether the server knows that two attempts are one request, and the header to add for that."""
    name = call.target.backend.info.idempotency_header
    if name is None or send.method != "POST":
        return False, ()
    if any(each.lower() == name.lower() for each, _ in send.headers):  # the caller's own
        return True, ()
    import uuid  # noqa: PLC0415 - few providers have it

    return True, ((name, str(uuid.uuid4())),)


def _run(plan: Local[T], call: Call) -> Steps[T]:
    job = call.job()
    yield from keys.give(call.chosen_key(), job)
    try:
        return (yield Run(lambda: plan.run(job), job))  # type: ignore[no-any-return]
    except AccelError:
        raise
    except Exception as error:
        raise call.target.backend.failure(f"in {call.operation!r}", error) from error
    finally:
        call.request_id = job.request_id or call.request_id


def _parse(plan: Http[T], whole: Whole, call: Call) -> T:
    response = HttpResponse(status=whole.status, headers=whole.headers, body=whole.body)
    call.received(whole.headers, whole.head_at, whole.connect)
    if not 200 <= whole.status < 300:  # noqa: PLR2004
        error = call.status_error(response)
        if plan.is_work and type(error) is InternalServerError and error.status == 500:  # noqa: PLR2004
            error.retryable = False
        raise error
    try:
        return plan.parse(response)
    except InvalidResponseError as error:
        error.about(status=response.status, body=response.text()[:512])
        raise
    except AccelError:
        raise
    except Exception as error:
        raise call.unreadable(error, response) from error


def flowed(flow: kinds.Flow[Any] | kinds.StreamFlow[Any] | kinds.RelayFlow, call: Call) -> Steps[Any]:
    """Perform the steps of a flow, and return the plan at their end."""
    return _steps(flow.steps(), call)


def _steps(steps: Generator[Any, Any, Any], call: Call) -> Steps[Any]:
    """Run a flow: perform each plan that it yields and send back the answer or the error."""
    try:
        step = _next_step(call, lambda: next(steps))
        while True:
            try:
                answer = yield from _perform_plan(step, call)
            except AccelError as error:
                step = _next_step(call, functools.partial(steps.throw, error))
            else:
                step = _next_step(call, functools.partial(steps.send, answer))
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def _next_step(call: Call, advance: Callable[[], Any]) -> Any:
    """Let a flow go on; what it raises of itself is a defect of its plugin."""
    try:
        return advance()
    except StopIteration:
        raise
    except AccelError as error:
        tell_field(error, call.request)
        raise
    except Exception as error:
        failure = call.target.backend.failure(f"in {call.operation!r}", error)
        failure.__cause__ = error
        tell_field(failure, call.request)
        raise failure from error


def open_stream(plan: Callable[[], Any], call: Call) -> Steps[Reader[Any]]:
    """Plan a stream, open it, and read up to its first event, which is where no failure can be undone any more."""
    try:
        stream, check = plan(), None
        while not isinstance(stream, HttpStream) and isinstance(stream, kinds.StreamFlow | kinds.Held):
            if isinstance(stream, kinds.StreamFlow):
                stream = yield from flowed(stream, call)
                continue
            from .schemas import hold  # noqa: PLC0415 - few calls ask for a schema

            stream, check = stream.plan, hold(stream, call, check)
        if isinstance(stream, HttpStream):
            call.check(stream.unsupported, stream.kept_back)
            return (yield from _opened(stream, call, check))
        if isinstance(stream, kinds.LocalStream):
            call.check(stream.unsupported)
            return (yield from attempted(call, lambda: _begin(Reader(call, stream, None, check), stream)))
        raise _wrong_plan(call, stream, "a stream")
    except AccelError as error:
        call.fail(error)
        raise
    except GeneratorExit:
        raise  # as above
    except RaisedByCaller as raised:
        call.drop()
        raise raised.error from raised.error.__cause__
    except BaseException:
        call.drop()
        raise


def _opened(stream: HttpStream[T], call: Call, check: Callable[[T], None] | None) -> Steps[Reader[T]]:
    has_key, further = _idempotency_key(stream.send, call)

    def once() -> Steps[Reader[T]]:
        request = yield from call.outgoing(stream.send, call.timeout.first_event, further)
        exchange = yield from _streaming(stream, request, call)
        fits = stream if stream.fitting is None else stream.fitting(exchange.status, exchange.headers)
        return (yield from _begin(Reader(call, fits, exchange, check)))

    repeatable = may_repeat(call, stream.send.method, has_idempotency_key=has_key)
    return (yield from attempted(call, once, repeatable=repeatable))


def _streaming(stream: HttpStream[T], request: Outgoing, call: Call) -> Steps[Any]:
    """Return the exchange whose body is a stream, or raise what the answer is instead."""
    try:
        exchange = yield Open(request)
    except APITimeoutError as error:
        error.about(hint=on_silence(error, call))
        raise
    call.received(exchange.headers, call.now(), exchange.connect_seconds)
    is_stream = stream.any_type or not is_document(exchange.headers.get("content-type", ""))
    if 200 <= exchange.status < 300 and is_stream:  # noqa: PLR2004
        return exchange
    raise no_stream(call, (yield ReadAll(exchange)))


def is_document(media_type: str) -> bool:
    """Whether an answer with this type is one whole thing."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind in {"application/json", "text/html"} or kind.endswith("+json")


def go_on(reader: Reader[T], send: HttpRequest) -> Steps[None]:
    """Send the request with which a stream's answer goes on; once, since what has come cannot be taken back."""
    call = reader.call
    began = call.first_at, call.connect
    yield Shut(reader.exchange, reader.pieces, DRAIN_SECONDS)
    request = yield from call.outgoing(send, call.timeout.idle)
    reader.go_on((yield from _streaming(reader.stream, request, call)))
    call.first_at, call.connect = began
    reader.pieces = yield Start(reader.exchange, None, reader.job)


def look_afterwards(reader: Reader[Any]) -> Steps[None]:
    """Perform what looks at a stream's whole answer, and keep it; the call is over and is not told of it."""
    reader.is_due = False
    steps, reader.afterwards = reader.afterwards, None
    if steps is not None:
        yield from _perform_plan(kinds.Flow(steps=lambda: steps), reader.call.branch())
    if reader.keep is not None:
        yield from reader.keep(reader.answer)


def _begin(reader: Reader[T], local: LocalStream[T] | None = None) -> Steps[Reader[T]]:
    """Read up to the first event."""
    try:
        if local is not None:
            yield from keys.give(reader.call.chosen_key(), reader.job)
        steps = None if local is None else local.run(reader.out, reader.job)
        reader.pieces = yield Start(reader.exchange, steps, reader.job)
        while not reader.events and not reader.is_over:
            reader.events = reader.take(reader.now(), (yield Next(reader.pieces)))
            if reader.further is not None and not reader.events:
                yield from go_on(reader, reader.further)
        if reader.is_due:
            yield from look_afterwards(reader)
    except GeneratorExit:
        raise  # whoever drops these steps cannot wait for anything; the exchange closes itself
    except Exception as error:  # noqa: BLE001 - decoders meet anything that a server can send
        failure = reader.translate(error)
    except BaseException:
        yield Shut(reader.exchange, reader.pieces)
        raise
    else:
        return reader
    yield Shut(reader.exchange, reader.pieces)
    raise failure


def no_stream(call: Call, response: HttpResponse) -> APIError:
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
