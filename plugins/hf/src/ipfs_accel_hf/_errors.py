"""Errors of Hugging Face's servers and services: what their bodies and events say, and which class that is.

TGI and TEI say `{"error": text, "error_type": kind}`, TEI's OpenAI route `{"message", "code", "type"}`, TGI's OpenAI
streams `{"error": {"message", "http_status_code": 422}}` whatever the error is. The web framework of both answers in
plain text, the hosted services put a string, an object or a list under `error`, and proxies send HTML.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from ipfs_accel.errors import (
    APIStatusError,
    ContextLengthExceededError,
    InvalidResponseError,
    ModelNotFoundError,
    NotSupportedByServerError,
    QuotaExceededError,
    class_for_status,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire import openai_errors
from ipfs_accel.wire.words import kind_of

__all__ = ["exact", "read_error"]

# The statuses that the kinds of errors have where they do not come with status 200, from TGI's and TEI's sources.
_STATUS = {
    "validation": 422,
    "tokenizer": 422,
    "template_error": 422,
    "missing_template_variable": 422,
    "tool_error": 422,
    "batch size exceeded": 422,
    "suffix not supported": 422,
    "empty": 400,
    "generation": 424,
    "backend": 424,
    "overloaded": 429,
    "incomplete_generation": 500,
    "incomplete_generation_stream": 500,
    "stream_serialization_error": 500,
    "healthcheck": 503,
    "unhealthy": 503,
}
# Events of TGI's OpenAI routes have no kind; how the sentence begins tells it.
_BEGINNINGS = {
    "Input validation error": "validation",
    "Request failed during generation": "generation",
    "Model is overloaded": "overloaded",
    "Incomplete generation stream": "incomplete_generation_stream",
    "Incomplete generation": "incomplete_generation",
    "Template error": "template_error",
    "Missing template va": "missing_template_variable",  # the server misspells the word
    "Tool error": "tool_error",
    "Stream event serialization error": "stream_serialization_error",
}
_WRONG_MODEL = re.compile(r"[Mm]odel is not |is not available for ", re.ASCII)
_SPARSE = (
    'the model makes sparse vectors: call("…", "embed_sparse", inputs=…) gives them; extra={"normalize": False} gives '
    "them in full, as long as the vocabulary"
)
_NO_MONEY = re.compile(r"exceeded your monthly included credits|NOT_ENOUGH_BALANCE")
_UNKNOWN_MODEL = re.compile(r"is not supported by any provider|not supported by provider")
# What a server of this kind may lack, by how it was started or by its model, in the words of its refusal.
_LACKS = {
    "template not found": "the model has no chat template: use complete, or give the server a --tokenizer-config-path",
    "grammar is not supported": "the server was started with --disable-grammar-support: it has no schemas and no tools",
}
_PROPERTIES = "TGI wants `properties` at the top of a schema: put a list, or what anyOf chooses among, into one of them"
_SCALING = (
    "a dedicated endpoint that is scaled to zero starts within minutes; the header X-Scale-Up-Timeout, which is "
    "scale_up_timeout in the options of the backend hf, makes it hold a request until then"
)
# What the Hub's own API says of its limit: what remains, and the seconds until it is whole again.
_LIMIT = re.compile(r"r=0;t=(\d+)", re.ASCII)
_HINTS = {
    401: "a server that was started with --api-key, or an endpoint that is not public, wants its key",
    413: "send less at once, or raise the server's --payload-limit",
    502: _SCALING,
    503: _SCALING,
    504: "stream it: long answers end in this time-out",
}


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer of TGI, TEI, the router or what stands before a dedicated endpoint."""
    detail = openai_errors.read_error(response)
    try:
        body = response.json()
    except InvalidResponseError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("error"), list):
        detail = attrs.evolve(detail, message="; ".join([str(each) for each in body["error"]]))
    kind = _kind(body)
    if kind in _STATUS:
        return _detail(kind, detail.message)
    return _hosted(attrs.evolve(detail, code=detail.code or kind), body, response)


def _kind(body: Any) -> str | None:
    """Return the kind that a body names; servers differ in its case."""
    if not isinstance(body, dict):
        return None
    kind = body.get("error_type") or (body.get("type") if "message" in body else None)
    return kind.lower() if isinstance(kind, str) else None


def _detail(kind: str, message: str) -> ErrorDetail:
    """Say what a kind of TGI's or TEI's means; the status alone does not, and both have changed theirs."""
    usual = class_for_status(_STATUS[kind])
    if kind_of(message) is ContextLengthExceededError:
        return ErrorDetail(message=message, code=kind, kind=ContextLengthExceededError)
    if kind == "backend" and _WRONG_MODEL.search(message):
        hint = _SPARSE if "`normalize` is not available for SPLADE" in message else None
        return ErrorDetail(message=message, code=kind, kind=NotSupportedByServerError, hint=hint)
    lacked = next((hint for words, hint in _LACKS.items() if words in message), None)
    if lacked is not None:
        return ErrorDetail(message=message, code=kind, kind=NotSupportedByServerError, hint=lacked)
    if kind == "tool_error":  # the model's own slip, which another try may not make, unless the limit cut it
        is_cut = "EOF while parsing" in message
        is_slip = "Failed to parse" in message and not is_cut
        hint = "the limit cut the call in its middle: give it more max_tokens" if is_cut else None
        return ErrorDetail(message=message, code=kind, kind=usual, retryable=is_slip, hint=hint)
    hint = _PROPERTIES if "'properties' field" in message else None
    is_passing = kind in {"generation", "backend"} or None
    return ErrorDetail(message=message, code=kind, kind=usual, retryable=is_passing, hint=hint)


def _hosted(detail: ErrorDetail, body: Any, response: HttpResponse) -> ErrorDetail:
    """Add what the hosted services, their proxies and the servers' web framework mean."""
    if _NO_MONEY.search(detail.message):
        return attrs.evolve(detail, kind=QuotaExceededError)
    if detail.code == "model_not_supported" or _UNKNOWN_MODEL.search(detail.message):
        return attrs.evolve(detail, kind=ModelNotFoundError)
    seconds = body.get("estimated_time") if isinstance(body, dict) else None
    if isinstance(seconds, int | float) and seconds > 0:
        return attrs.evolve(detail, retry_after=float(seconds))
    limit = _LIMIT.search(response.headers.get("ratelimit") or "")
    return attrs.evolve(
        detail,
        hint=detail.hint or _HINTS.get(response.status),
        retry_after=float(limit[1]) + 1 if limit else detail.retry_after,
    )


def exact(error: APIStatusError) -> APIStatusError:
    """Return what the dialect read as the error of a stream's event as the exact one that this server's words tell."""
    body = error.body if isinstance(error.body, dict) else {}
    said = body.get("error")
    message = str(said.get("message") or said) if isinstance(said, dict) else str(said)
    kind = _kind(body) or next((name for words, name in _BEGINNINGS.items() if message.startswith(words)), None)
    if kind not in _STATUS:
        return error
    detail = _detail(kind, message)
    usual = detail.kind or class_for_status(_STATUS[kind])
    found = usual(message, code=kind, body=body, status=_STATUS[kind], hint=detail.hint)
    if detail.retryable is not None:
        found.retryable = detail.retryable
    return found
