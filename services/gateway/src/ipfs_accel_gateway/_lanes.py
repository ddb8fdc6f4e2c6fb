"""A call through the gateway: into a target in the words in which it came, or read and written anew; and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipfs_accel import AccelError
from ipfs_accel.types import Usage

from ._abilities import suits
from ._errors import Refusal, refusal_of
from ._reply import JSON, LeftError
from .dialects._base import NDJSON, GivenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipfs_accel import AsyncClient
    from ipfs_accel.types import RelayRequest

    from ._records import Record
    from ._reply import Reply
    from .dialects._base import Dialect

__all__ = ["Call", "perform", "tell_failure"]

_BUFFERING = ("x-accel-buffering", "no")
"""Tells nginx, where it stands before the gateway, to hold no stream back."""


class Call:
    """What is asked.

    Attributes:
        dialect: In which.
        request: As it came.
        model: As the client named it.
        target: What the client of ours is asked for.
        record: What is noted of it.
        failure: Says in a stream that it failed: the dialect's, or that of what writes the stream, where it has one.
        is_whole: Whether the answer is none that comes while it is made.
        last: What was sent last of a stream that is passed on; it may end within an event.
    """

    __slots__ = ("dialect", "failure", "is_whole", "last", "model", "record", "request", "target")

    def __init__(self, dialect: Dialect, request: RelayRequest, *, model: str, target: str, record: Record) -> None:
        self.dialect = dialect
        self.request = request
        self.model = model
        self.target = target
        self.record = record
        self.failure: Callable[[Refusal, str], bytes] = dialect.failure
        self.is_whole = False
        self.last = b""


async def perform(client: AsyncClient, call: Call, reply: Reply, *, lenient: bool) -> None:
    """Answer a call, or raise before anything is sent.

    Args:
        client: Of the core.
        call: What is asked.
        reply: Where the answer goes.
        lenient: Whether what a target cannot honour is left out.
    """
    dialect, request = call.dialect, call.request
    members = request.members

    def typed() -> tuple[Any, dict[str, Any]]:
        value, options = dialect.read(members, lenient=lenient)
        if lenient:
            options["on_unsupported"] = "warn"
        return value, options

    if request.is_stream and dialect.family.beat:
        head = (("content-type", dialect.stream_type), _BUFFERING, *call.record.headers())
        reply.keep_alive(200, head, dialect.family.beat)
    record = call.record
    began = time.monotonic()
    try:
        answer = await client.relay(call.target, request, typed, suits(request.operation, members))
    except GivenError as given:
        record.usage = Usage(input_tokens=0, output_tokens=0)
        await reply.whole(200, (JSON, *record.headers()), given.body)
        return
    finally:
        record.asked = time.monotonic() - began
    if hasattr(answer, "reads"):
        record.lane = "relay"
        async with answer:
            await _relayed(answer, call, reply)
    elif request.is_stream:
        record.lane = "translate"
        async with answer:
            await _told(answer, call, reply)
    else:
        record.lane = "translate"
        record.answered(answer.call, getattr(answer, "usage", None))  # a count has used nothing
        body = dialect.write(answer, members, call.model)
        type_of = getattr(dialect, "type_of", None)
        kind = JSON if type_of is None else ("content-type", type_of(answer, members))
        await reply.whole(200, (kind, *record.headers()), body)


async def _relayed(answer: Any, call: Call, reply: Reply) -> None:
    record, is_stream = call.record, answer.is_stream
    record.endpoint, record.target_model = answer.call.target.endpoint.name, answer.call.model
    record.queued = answer.call.journey.queued
    kind = ("content-type", answer.headers.get("content-type") or "application/json")
    body = None if is_stream else answer.whole()
    if body is not None:
        record.usage, record.cost = answer.usage, answer.cost
        await reply.whole(answer.status, (kind, *record.headers()), body)
        return
    call.is_whole = not is_stream
    said = None if is_stream else answer.headers.get("content-length")
    size = int(said) if said is not None and said.isdigit() and "content-encoding" not in answer.headers else None
    further = (_BUFFERING,) if is_stream else ()
    await reply.begin(answer.status, (kind, *further, *record.headers()), size)
    async for piece in answer:
        record.began()
        call.last = piece
        await reply.write(piece)
    record.usage, record.cost = answer.usage, answer.cost
    await reply.end()


async def _told(stream: Any, call: Call, reply: Reply) -> None:
    """Write a stream anew."""
    dialect, record = call.dialect, call.record
    writer = dialect.writer(call.request.members, call.model)
    call.failure = getattr(writer, "failure", call.failure)
    info = stream.info
    record.endpoint, record.target_model, record.queued = info.endpoint, info.model, info.timing.queue
    await reply.begin(200, (("content-type", dialect.stream_type), _BUFFERING, *record.headers()))
    if stream.usage is not None and hasattr(writer, "knows"):
        writer.knows(stream.usage)
    begin = writer.begin()
    if begin:
        await reply.write(begin)
    async for event in stream:
        piece = writer.event(event)
        if piece:
            record.began()
            await reply.write(piece)
    answer = stream.response
    record.answered(answer.call, answer.usage)
    await reply.write(writer.end(answer))
    await reply.end()


async def tell_failure(error: AccelError | Refusal, call: Call, reply: Reply) -> None:
    """Say within a stream that it failed, and break it off: its end is then in no form that looks like one.

    A whole answer is broken off alone: within it words of ours would count as its own, and could fill its length up.
    """
    if not call.is_whole:
        told = call.failure(error if isinstance(error, Refusal) else refusal_of(error), call.record.id)
        try:
            await reply.write(_gap(call) + told)
        except LeftError:
            return
    reply.cut()


def _gap(call: Call) -> bytes:
    """Return what ends the event, or the line, within which a stream broke off, so that it takes nothing in."""
    last, kind = call.last, call.dialect.stream_type
    if not last or last.endswith((b"\n\n", b"\r\n\r\n")):
        return b""
    line = b"" if last.endswith(b"\n") else b"\n"
    if kind.startswith("text/event-stream"):
        return line + b"\n"
    return line if kind == NDJSON else b""
