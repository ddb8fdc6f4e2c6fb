"""Batches: many chats, or many texts to embed, that are worked off within a day for half the price."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIError, InvalidRequestError, StreamIncomplete
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpResponse,
    HttpStream,
    LocalStream,
    Plan,
    StreamFlow,
    StreamPlan,
    json_bytes,
)
from ipfs_accel.types import (
    Answer,
    Batch,
    BatchItem,
    BatchRequest,
    BatchResult,
    BatchStatus,
    BatchSummary,
    ChatRequest,
    EmbedRequest,
    EmbedResponse,
    FileInfo,
    Upload,
    UploadRequest,
    Usage,
)
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.fields import field, optional, seconds
from ipfs_accel.wire.lists import check_over
from ipfs_accel.wire.ndjson import NDJSONDecoder
from ipfs_accel.wire.returned import kept_back_of_batch

from . import _embed, _files
from . import _requests as requests
from ._answers import read_answer
from ._errors import error_of
from ._fields import Json, number
from ._routes import ask, checked, listed, model_name, model_path, nothing, path_of, post
from ._rules import rules_of

__all__ = ["cancel", "create", "delete", "every", "one", "results"]

MAX_PAGE = 100
# What may be written into the request itself; more goes as a file.
MAX_INLINE_BYTES = 20 * 1024**2
# All results of such a batch come in one answer, and pictures are large.
MAX_ANSWER_BYTES = 1024**3
MAX_LINE_BYTES = 64 * 1024**2

_WINDOW = "24h"
_STATES: dict[str, BatchStatus] = {
    "PENDING": "validating",
    "QUEUED": "validating",
    "RUNNING": "in_progress",
    "SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}


def create(endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
    """Plan POST /models/{id}:batchGenerateContent or :asyncBatchEmbedContent, after the upload of a large one."""
    model = _model(endpoint, request)
    is_chat = isinstance(request.items[0].request, ChatRequest)
    path = model_path(endpoint, model, "batchGenerateContent" if is_chat else "asyncBatchEmbedContent")
    entries, unsupported = _entries(endpoint, request)
    back = kept_back_of_batch(request, requests.kept_back)

    def plan(source: Json) -> Http[Batch]:
        body = {"batch": {"displayName": "ipfs-accel", "inputConfig": source, **request.extra}}
        return Http(send=post(endpoint, path, body), parse=_read, unsupported=unsupported, kept_back=back)

    lines = [json_bytes(entry) for entry in entries]
    if sum([len(line) for line in lines]) <= MAX_INLINE_BYTES:
        return plan({"requests": {"requests": entries}})

    def steps() -> Generator[Plan[Any], Any, Plan[Batch]]:
        keyed = [json_bytes({"key": each["metadata"]["key"], "request": each["request"]}) for each in entries]
        upload = Upload.of(b"\n".join(keyed), name="batch.jsonl")
        info: FileInfo = yield _files.upload(endpoint, UploadRequest(file=upload))
        return plan({"fileName": info.id})

    return Flow(steps=steps)


def _model(endpoint: Endpoint, request: BatchRequest) -> str:
    models = {model_name(endpoint, item.request.model) for item in request.items}
    if len(models) > 1:
        raise InvalidRequestError(f"items: a batch of Gemini has one model, these have {', '.join(sorted(models))}")
    return models.pop()


def _entries(endpoint: Endpoint, request: BatchRequest) -> tuple[list[Json], tuple[str, ...]]:
    entries: list[Json] = []
    unsupported: dict[str, None] = {}
    for item in request.items:
        try:
            body, refused = _body(endpoint, item)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"items[{item.id!r}]: {error.message}", hint=error.hint) from None
        entries.append({"request": body, "metadata": {"key": item.id}})
        unsupported.update(dict.fromkeys(refused))
    if request.metadata is not None:
        unsupported["metadata"] = None
    if request.completion_window not in {None, _WINDOW}:
        unsupported["completion_window"] = None
    return entries, tuple(unsupported)


def _body(endpoint: Endpoint, item: BatchItem) -> tuple[Json, tuple[str, ...]]:
    request = item.request
    if isinstance(request, ChatRequest):
        rules = rules_of(request.model)
        body = {"model": model_name(endpoint, request.model), **requests.body(request, rules)}
        return body, requests.unsupported(request, rules)
    if not isinstance(request, EmbedRequest):
        raise InvalidRequestError("Gemini takes batches of chats and of texts to embed")
    if len(request.inputs) > 1:
        raise InvalidRequestError("inputs: Gemini takes one text for each item of a batch")
    body = {"content": _embed.contents_of(request)[0], **_embed.settings(request)}
    return body, () if request.user is None else ("user",)


def every(endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:
    """Plan GET /batches, page by page."""
    return listed(endpoint, path_of(endpoint, "batches"), "operations", _batch, limit=limit, most=MAX_PAGE)


def one(endpoint: Endpoint, batch: str) -> Http[Batch]:
    """Plan GET /batches/{id}."""
    return Http(send=ask(endpoint, path_of(endpoint, _name(batch))), parse=_read, max_bytes=MAX_ANSWER_BYTES)


def cancel(endpoint: Endpoint, batch: str) -> Plan[Batch]:
    """Plan POST /batches/{id}:cancel, whose answer says nothing, and a look at what became of it."""

    def steps() -> Generator[Plan[Any], Any, Plan[Batch]]:
        yield Http(send=post(endpoint, path_of(endpoint, _name(batch), "cancel"), {}), parse=nothing)
        return one(endpoint, batch)

    return Flow(steps=steps)


def delete(endpoint: Endpoint, batch: str) -> Plan[None]:
    """Plan DELETE /batches/{id}."""
    return Http(send=ask(endpoint, path_of(endpoint, _name(batch)), method="DELETE"), parse=nothing)


def results(endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:
    """Plan its results, which stand in the batch itself or, if it was handed in as a file, in a file."""

    def steps() -> Generator[Plan[Any], Any, StreamPlan[BatchSummary]]:
        state: Batch = yield one(endpoint, batch)
        check_over(state)
        output = _output(state.raw)

        def assembler() -> Collector[BatchSummary]:
            return Collector(lambda out: _summary(out, state.total), eof_is_end=True)

        file = optional(output, "responsesFile", str)
        if file is None:
            entries = _inline(output)
            if not entries and state.total:
                raise StreamIncomplete(f"the batch has none of the results of its {state.total} requests")
            return LocalStream(run=lambda out, _job: _told(entries, out), assembler=assembler)
        send = ask(endpoint, path_of(endpoint, file, "download"), query=(("alt", "media"),), accept="*/*")
        return HttpStream(
            send=send,
            frames=lambda: NDJSONDecoder(max_event_bytes=MAX_LINE_BYTES),
            decoder=lambda: lambda line, out: _result(strict_json.loads(line), out),
            assembler=assembler,
            any_type=True,
        )

    return StreamFlow(steps=steps)


def _name(batch: str) -> str:
    return f"batches/{batch.removeprefix('batches/')}"


def _output(operation: Json) -> Json:
    about = optional(operation, "metadata", dict) or {}
    return optional(about, "output", dict) or optional(operation, "response", dict) or {}


def _inline(output: Json) -> list[Json]:
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        found = optional(output, name, dict)
        if found is not None:
            return optional(found, "inlinedResponses", list) or []
    return []


def _told(entries: list[Json], out: Collector[BatchSummary]) -> Iterator[None]:
    """Tell of results that are there already."""
    for entry in entries:
        _result(entry, out)
        yield


def _result(entry: Json, out: Collector[BatchSummary]) -> None:
    name = entry.get("key") or (entry.get("metadata") or {}).get("key")
    if not isinstance(name, str):
        name = str(out.size)  # results come in the order of their requests, which need no keys if others hand them in
    out.size += 1
    response = optional(entry, "response", dict)
    if response is None:
        out.kept.append(name)
        out.emit(BatchResult(id=name, error=error_of(entry)))
        return
    try:
        out.emit(BatchResult(id=name, response=_answer(response)))
    except APIError as error:
        out.kept.append(name)
        out.emit(BatchResult(id=name, error=error))


def _answer(response: Json) -> Answer:
    found = optional(response, "embedding", dict)
    if found is None:
        return read_answer(response)
    usage = optional(response, "usageMetadata", dict) or {}
    tokens = Usage(input_tokens=number(usage, "promptTokenCount"))
    return EmbedResponse(vectors=(_embed.vector(found),), usage=tokens, raw=response)


def _summary(out: Collector[BatchSummary], total: int | None) -> BatchSummary:
    if total is not None and out.size < total and out.size:
        raise StreamIncomplete(f"the results ended after {out.size} of {total}")
    return BatchSummary(succeeded=out.size - len(out.kept), failed=len(out.kept))


def _read(response: HttpResponse) -> Batch:
    return _batch(_operation(response))


def _operation(response: HttpResponse) -> Json:
    """Return the JSON of a batch; one that failed has an error, which is its own and not that of the request."""
    body = response.json()
    return body if isinstance(body, dict) and "metadata" in body else checked(response)


def _batch(item: Any) -> Batch:
    about = optional(item, "metadata", dict) or {}
    stats = optional(about, "batchStats", dict) or {}
    state = (optional(about, "state", str) or "").removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    total, failed = number(stats, "requestCount"), number(stats, "failedRequestCount")
    succeeded = number(stats, "successfulRequestCount")
    error = optional(item, "error", dict)
    return Batch(
        id=field(item, "name", str),
        status=_STATES.get(state, "in_progress"),
        created=seconds(about.get("createTime")),
        ended=seconds(about.get("endTime")),
        total=total,
        succeeded=succeeded,
        failed=failed,
        errors=(str(error.get("message")),) if error else (),
        raw=item,
    )
