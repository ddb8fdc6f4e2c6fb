"""Models on the server's disk and in its memory: pull, push, create, copy, delete, load, unload, and blobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterable
from typing import Any

import attrs
from ipfs_accel.errors import NotFoundError, NotSupportedByServerError
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Local,
    Plan,
    Ready,
    StreamFlow,
    post_json,
    segment,
)
from ipfs_accel.types import CreateModelRequest, ModelResult, Progress, Request, Upload
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.fields import optional
from ipfs_accel.wire.multipart import content_of

from ._answers import lines
from ._errors import checked, read_line
from ._requests import finished, wire_messages

__all__ = ["blob_steps", "copy", "create", "delete", "load", "nothing", "transfer", "unload"]

Json = dict[str, Any]

# "pulling 6a0746a1ec1a": the layer that it is about, by the beginning of its digest
_LAYER = re.compile(r"(?P<status>.+) (?P<item>[0-9a-f]{12})", re.ASCII)


def nothing(_response: HttpResponse) -> None:
    """Read an answer whose status says it all."""


def transfer(path: str, request: Request) -> HttpStream[ModelResult]:
    """Plan POST /api/pull or /api/push."""
    return _task(path, request.model, {"model": request.model, "stream": True, **request.extra})


def _task(path: str, model: str, body: Json) -> HttpStream[ModelResult]:
    """Plan a request that is answered with lines of progress; the last one says success."""

    def decode(line: str, out: Collector[ModelResult]) -> None:
        event = read_line(line)
        status = optional(event, "status", str) or ""  # its specification requires no member of a line
        out.emit(_progress(event, status))
        if status == "success":
            out.done()

    return HttpStream(
        send=post_json(path, body),
        frames=lines,
        decoder=lambda: decode,
        assembler=lambda: Collector(lambda _: ModelResult(model=model, status="success")),
    )


def _progress(event: Json, status: str) -> Progress:
    total = event.get("total")
    completed = event.get("completed", None if total is None else 0)
    match = _LAYER.fullmatch(status)
    if match is None:
        return Progress(status=status, completed=completed, total=total)
    return Progress(status=match["status"], item=match["item"], completed=completed, total=total)


def create(request: CreateModelRequest) -> StreamFlow[ModelResult]:
    """Plan POST /api/create, after the files that the server does not have yet."""

    def steps() -> Generator[Any, Any, HttpStream[ModelResult]]:
        body: Json = {"model": request.model, "stream": True}
        for name, uploads in (("files", request.files), ("adapters", request.adapters)):
            sent: dict[str, str] = {}
            for upload in uploads:
                sent[upload.name] = yield from blob_steps(upload)
            if sent:
                body[name] = sent
        named = {
            "from": request.base,
            "template": request.template,
            "system": request.system,
            "quantize": request.quantize,
            "parameters": dict(request.parameters),
            "license": list(request.license),
            "messages": wire_messages(request.messages),
        }
        body |= {name: value for name, value in named.items() if value}
        return _task("/api/create", request.model, {**body, **request.extra})

    return StreamFlow(steps=steps)


def blob_steps(upload: Upload) -> Generator[Any, Any, str]:
    """Send a file unless the server has it; returns its digest."""
    content = content_of(upload)
    digest: str = yield Local(run=lambda _job: _digest(content))
    path = f"/api/blobs/{segment(digest)}"
    try:
        yield Http(send=HttpRequest(method="HEAD", path=path), parse=nothing)
    except NotFoundError:
        headers = (("content-type", "application/octet-stream"),)
        yield Http(send=HttpRequest(method="POST", path=path, headers=headers, content=content), parse=nothing)
    return digest


def _digest(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return f"sha256:{found.hexdigest()}"


def copy(source: str, destination: str) -> Plan[None]:
    """Plan POST /api/copy."""
    return Http(send=post_json("/api/copy", {"source": source, "destination": destination}), parse=nothing)


def delete(model: str) -> Plan[None]:
    """Plan DELETE /api/delete, whose body says what."""
    return Http(send=attrs.evolve(post_json("/api/delete", {"model": model}), method="DELETE"), parse=nothing)


def load(endpoint: Endpoint, request: Request) -> Plan[None]:
    """Plan a generation without a prompt, which only loads; models that do not generate embed nothing instead."""

    def steps() -> Generator[Any, Any, Ready[None]]:
        body = {"model": request.model, "stream": False}
        try:
            yield Http(send=post_json("/api/generate", finished(endpoint, request, dict(body), {})), parse=_is_json)
        except NotSupportedByServerError:
            empty = {"model": request.model, "input": []}
            yield Http(send=post_json("/api/embed", finished(endpoint, request, empty, {})), parse=_is_json)
        return Ready(value=None)

    return Flow(steps=steps)


def unload(endpoint: Endpoint, request: Request) -> Plan[None]:
    """Plan a generation without a prompt that keeps the model for no time."""
    body = finished(endpoint, request, {"model": request.model, "stream": False}, {})
    return Http(send=post_json("/api/generate", {**body, "keep_alive": 0}), parse=_is_json)


def _is_json(response: HttpResponse) -> None:
    checked(response.json())
