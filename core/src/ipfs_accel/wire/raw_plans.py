"""What `raw` plans: a caller's request as it is sent, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel import types
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.hookspecs import BackendInfo, KeyHeader
from ipfs_accel.plans import Endpoint, HttpRequest, HttpResponse, HttpStream, Pairs, below_base, json_bytes

from .collector import Collector, RawDecoder
from .multipart import Multipart, content_of
from .ndjson import NDJSONDecoder
from .sse import ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers
    from ipfs_accel.plans import Body, FrameDecoder
    from ipfs_accel.types import RawRequest, RawResponse, Transfer

__all__ = ["read", "streamed", "written"]

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Bytes that an event or line may have: pictures come as one."""
_SECRET = frozenset({"authorization", "proxy-authorization"})
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def written(info: BackendInfo, endpoint: Endpoint, request: RawRequest) -> HttpRequest:
    """Return a caller's request as it is sent, but for what a backend adds.

    Raises:
        InvalidRequestError: Its path leads elsewhere, or its headers say who asks.
    """
    key = info.key_header if isinstance(info.key_header, KeyHeader) else info.key_header(endpoint.options)
    for name, _ in request.headers:
        if name.lower() in {*_SECRET, key.name.lower()}:
            raise InvalidRequestError(
                f"headers[{name!r}]: the endpoint sends its key by itself", hint="another one is given as key=…"
            )
    path, query = below_base(request.path)
    kind, content = _content(request)
    usual: Pairs = (("accept", "*/*"), *((("content-type", kind),) if kind else ()))
    given = {name.lower() for name, _ in request.headers}
    return HttpRequest(
        method=request.method,
        path=path,
        query=(*query, *request.query),
        headers=(*request.headers, *[pair for pair in usual if pair[0] not in given]),
        content=content,
    )


def _content(request: RawRequest) -> tuple[str | None, bytes | Body | None]:
    """Return what a body is, and the body."""
    if request.fields or request.files:
        form = Multipart(request.fields, request.files)
        return form.content_type, form
    if request.data is not None:
        return request.data.media_type or "application/octet-stream", content_of(request.data)
    return (None, None) if request.json is None else ("application/json", json_bytes(request.json))


def read(response: HttpResponse) -> RawResponse:
    """Return an answer as it is: what of it is a failure, only the caller knows."""
    return types.RawResponse(status=response.status, headers=response.headers, body=response.body)


def streamed(send: HttpRequest, *, as_bytes: bool) -> HttpStream[Transfer]:
    """Plan an answer that is read by what its head says it is."""

    def fitting(_status: int, headers: Headers) -> HttpStream[Transfer]:
        return _stream(send, headers, as_bytes=as_bytes)

    return attrs.evolve(_stream(send, {}, as_bytes=True), fitting=fitting)


def _stream(send: HttpRequest, headers: Any, *, as_bytes: bool) -> HttpStream[Transfer]:
    """Plan how a body is read whose head is known."""
    kind = "" if as_bytes else headers.get("content-type", "").partition(";")[0].strip().lower()
    frames: Callable[[], FrameDecoder[Any]] = RawDecoder
    decode: Callable[[Any, Collector[Any]], None] = _piece
    if kind == "text/event-stream":
        frames, decode = partial(SSEDecoder, max_event_bytes=MAX_EVENT_BYTES), _event
    elif kind in _LINES:
        frames, decode = partial(NDJSONDecoder, max_event_bytes=MAX_EVENT_BYTES), _line
    known = dict(headers.items())
    return HttpStream(
        send=send,
        frames=frames,
        decoder=lambda: decode,
        assembler=lambda: Collector(lambda out: types.Transfer(size=out.size, headers=known), eof_is_end=True),
        any_type=True,
    )


def _event(event: ServerSentEvent, out: Collector[Any]) -> None:
    out.size += len(event.data.encode())
    out.emit(types.ServerEvent(event.data, event.event, event.id))


def _line(line: str, out: Collector[Any]) -> None:
    out.size += len(line.encode())
    out.emit(types.ServerEvent(line))


def _piece(chunk: bytes, out: Collector[Any]) -> None:
    out.size += len(chunk)
    out.emit(types.DataDelta(chunk))
