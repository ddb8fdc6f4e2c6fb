"""Message batches: many requests that are worked off within a day, for half the price."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIError, InvalidRequestError, StreamIncomplete
from ipfs_accel.plans import Endpoint, Http, HttpResponse, HttpStream, Pairs, Plan, StreamFlow, StreamPlan, segment
from ipfs_accel.types import Batch, BatchItem, BatchRequest, BatchResult, BatchStatus, BatchSummary, ChatRequest
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.fields import field, optional, seconds
from ipfs_accel.wire.lists import check_over
from ipfs_accel.wire.ndjson import NDJSONDecoder
from ipfs_accel.wire.returned import kept_back_of_batch

from . import _limits as limits
from . import _requests as requests
from ._answers import read_message
from ._errors import error_of
from ._pages import ask, listed, nothing, post
from ._rules import is_hosted, rules_of

__all__ = ["cancel", "create", "delete", "every", "one", "results"]

Json = dict[str, Any]

PATH = "/v1/messages/batches"
# One line holds one whole answer, of which the API does not say how long it may be.
MAX_LINE_BYTES = 64 * 1024 * 1024

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WINDOW = "24h"


def create(endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
    """Plan POST /v1/messages/batches."""
    if is_hosted(endpoint):
        limits.check_batch(request)
    items: list[Json] = []
    unsupported: dict[str, None] = {}
    version = requests.NEWEST
    betas: dict[str, None] = {}
    for item in request.items:
        params, refused, headers = _params(endpoint, item)
        items.append({"custom_id": item.id, "params": params})
        unsupported.update(dict.fromkeys(refused))
        # All go with one version of the API, and the older one takes what the newest takes.
        version = min(version, dict(headers)["anthropic-version"])
        betas.update(dict.fromkeys(value for name, value in headers if name == "anthropic-beta"))
    if request.metadata is not None:
        unsupported["metadata"] = None
    if request.completion_window not in {None, _WINDOW}:
        unsupported["completion_window"] = None
    own = dict(request.extra)
    betas.update(dict.fromkeys(value for _, value in requests.beta({"betas": own.pop("betas", None)})))
    headers = (("anthropic-version", version), *[("anthropic-beta", value) for value in betas])
    back = kept_back_of_batch(request, lambda chat: requests.kept_back(chat, rules_of(endpoint, chat.model)))
    send = limits.checked(endpoint, post(endpoint, PATH, {"requests": items, **own}, headers), limits.BATCH)
    return Http(send=send, parse=_read, unsupported=tuple(unsupported), kept_back=back)


def _params(endpoint: Endpoint, item: BatchItem) -> tuple[Json, tuple[str, ...], Pairs]:
    where = f"items[{item.id!r}]"
    if not _ID.fullmatch(item.id):
        raise InvalidRequestError(f"{where}: Claude takes ids of 1 to 64 letters, digits, '_' and '-'")
    request = item.request
    if not isinstance(request, ChatRequest):
        raise InvalidRequestError(f"{where}: Claude takes batches of chats, not of {type(request).__name__}")
    rules = rules_of(endpoint, request.model)
    try:
        body = requests.body(request, rules, max_tokens=endpoint.options.max_tokens)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{where}: {error.message}", hint=error.hint) from None
    return body, requests.unsupported(request, rules), requests.headers(body, rules, request.extra)


def every(endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:
    """Plan GET /v1/messages/batches, page by page."""
    return listed(endpoint, PATH, _batch, limit)


def one(endpoint: Endpoint, batch: str) -> Http[Batch]:
    """Plan GET /v1/messages/batches/{id}."""
    return Http(send=ask(endpoint, f"{PATH}/{segment(batch)}"), parse=_read)


def cancel(endpoint: Endpoint, batch: str) -> Plan[Batch]:
    """Plan POST /v1/messages/batches/{id}/cancel."""
    return Http(send=ask(endpoint, f"{PATH}/{segment(batch)}/cancel", method="POST"), parse=_read)


def delete(endpoint: Endpoint, batch: str) -> Plan[None]:
    """Plan DELETE /v1/messages/batches/{id}."""
    return Http(send=ask(endpoint, f"{PATH}/{segment(batch)}", method="DELETE"), parse=nothing)


def results(endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:
    """Plan GET /v1/messages/batches/{id}/results, after a look at the batch: it tells how many there have to be."""
    path = f"{PATH}/{segment(batch)}/results"

    def steps() -> Generator[Plan[Any], Any, StreamPlan[BatchSummary]]:
        state: Batch = yield one(endpoint, batch)
        check_over(state)
        return HttpStream(
            send=ask(endpoint, path, accept="application/x-jsonl"),
            frames=lambda: NDJSONDecoder(max_event_bytes=MAX_LINE_BYTES),
            decoder=lambda: _result,
            assembler=lambda: Collector(lambda out: _summary(out, state.total), eof_is_end=True),
            any_type=True,
        )

    return StreamFlow(steps=steps)


def _result(line: str, out: Collector[BatchSummary]) -> None:
    item = strict_json.loads(line)
    result = field(item, "result", dict)
    name, kind = field(item, "custom_id", str), field(result, "type", str)
    out.size += 1
    if kind == "succeeded":
        out.emit(BatchResult(id=name, response=read_message(field(result, "message", dict))))
        return
    out.kept.append(name)
    if kind == "errored":
        error: APIError = error_of(field(result, "error", dict))
    else:
        error = APIError(f"the request {name!r} was not answered: {kind}", code=kind, retryable=True)
    out.emit(BatchResult(id=name, error=error))


def _summary(out: Collector[BatchSummary], total: int | None) -> BatchSummary:
    if total is not None and out.size < total:
        raise StreamIncomplete(f"the results ended after {out.size} of {total}")
    return BatchSummary(succeeded=out.size - len(out.kept), failed=len(out.kept))


def _read(response: HttpResponse) -> Batch:
    return _batch(response.json())


_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
"""The states of a batch's requests, each of which is in one; other members of the counts are no states."""


def _batch(item: Any) -> Batch:
    name, status = field(item, "id", str), field(item, "processing_status", str)
    counts = optional(item, "request_counts", dict) or {}
    number = {kind: field(counts, kind, int) for kind in _COUNTS if kind in counts}
    total = sum(number.values()) if number else None
    succeeded = number.get("succeeded")
    is_over = status == "ended"
    return Batch(
        id=name,
        status=_status(item, number, total) if is_over else "cancelling" if status == "canceling" else "in_progress",
        created=seconds(item.get("created_at")),
        ended=seconds(item.get("ended_at")),
        expires=None if is_over else seconds(item.get("expires_at")),
        total=total,
        succeeded=succeeded,
        failed=None if total is None else total - (succeeded or 0) - number.get("processing", 0),
        raw=item,
    )


def _status(item: Json, number: dict[str, int], total: int | None) -> BatchStatus:
    """Return what became of a batch that is over."""
    if item.get("cancel_initiated_at") is not None:
        return "cancelled"
    return "expired" if total and number.get("expired") == total else "completed"
