"""Answers, stream events and errors of POST /v1/messages to typed values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ipfs_accel import _json
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    Message,
    ModelInfo,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.openai_errors import field
from ipfs_accel.wire.sse import ServerSentEvent

from ._requests import arguments_text

__all__ = ["StreamDecoder", "read_chat", "read_error", "read_model", "read_page"]

Json = dict[str, Any]

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_ERRORS: dict[str, type[APIStatusError]] = {
    "invalid_request_error": BadRequestError,
    "authentication_error": AuthenticationError,
    "billing_error": PermissionDeniedError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "conflict_error": ConflictError,
    "rate_limit_error": RateLimitError,
    "overloaded_error": OverloadedError,
    "api_error": InternalServerError,
    "timeout_error": InternalServerError,
}
# What stands beside the content in an answer and has no place in our types.
_EXTRA = ("stop_reason", "stop_sequence", "stop_details", "container", "diagnostics")


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read a whole answer."""
    body = response.json()
    content = field(body, "content", list)
    parts = tuple([part for block in content if (part := _part(block)) is not None])
    choice = Choice(message=Message(role="assistant", content=parts), finish_reason=_finish(body.get("stop_reason")))
    return ChatResponse(
        id=body.get("id"),
        model=body.get("model"),
        choices=(choice,),
        usage=read_usage(body.get("usage") or {}),
        extra={name: body[name] for name in _EXTRA if body.get(name) is not None},
        raw=body,
    )


def _part(block: Json) -> Part | None:
    kind = field(block, "type", str)
    if kind == "text":
        return Text(text=block["text"], annotations=tuple(block.get("citations") or ())) if block["text"] else None
    if kind == "thinking":
        return Reasoning(text=block.get("thinking") or "", signature=block.get("signature") or None)
    if kind == "tool_use":
        return ToolCall(id=field(block, "id", str), name=block["name"], arguments=arguments_text(block.get("input")))
    return Opaque(backend="claude", data=block)


def _finish(reason: str | None) -> str | None:
    return _FINISH.get(reason, reason) if reason else None


def read_usage(usage: Json) -> Usage:
    """Read token counts; `input_tokens` on the wire is only the part that no cache had a hand in."""
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    fresh = usage.get("input_tokens")
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=usage.get("output_tokens"),
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        reasoning_tokens=(usage.get("output_tokens_details") or {}).get("thinking_tokens"),
    )


class StreamDecoder:
    """Tells an assembler what the events of a stream mean; dispatches on the JSON's own type."""

    def __init__(self) -> None:
        self._usage: Json = {}
        self._kinds: dict[int, str] = {}

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event; unknown ones are skipped, as the provider asks."""
        body = _json.loads(event.data)
        kind = body.get("type") if isinstance(body, dict) else None
        if kind == "content_block_delta":
            self._delta(body["index"], body["delta"], out)
        elif kind == "content_block_start":
            self._start(body["index"], body["content_block"], out)
        elif kind == "content_block_stop":
            self._stop(body["index"], out)
        elif kind == "message_start":
            message = body["message"]
            out.start(message.get("id"), message.get("model"))
            self._count(message.get("usage"), out)
        elif kind == "message_delta":
            self._finish(body, out)
        elif kind == "message_stop":
            out.done()
        elif kind == "error":
            raise stream_error(body)

    def _start(self, index: int, block: Json, out: Assembler[ChatResponse]) -> None:
        kind = self._kinds[index] = block["type"]
        if kind == "tool_use":
            arguments = arguments_text(block.get("input"))
            out.tool_call(index, id=block.get("id"), name=block.get("name"), arguments=arguments)
        elif kind == "text":
            out.text(block.get("text") or "")
        elif kind == "thinking":
            out.reasoning(block.get("thinking") or "", signature=block.get("signature") or None)
        else:
            out.opaque("claude", block)

    def _delta(self, index: int, delta: Json, out: Assembler[ChatResponse]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            out.text(delta["text"])
        elif kind == "input_json_delta" and self._kinds.get(index) == "tool_use":
            out.tool_call(index, arguments=delta["partial_json"])
        elif kind == "thinking_delta":
            out.reasoning(delta["thinking"])
        elif kind == "signature_delta":
            out.reasoning("", signature=delta["signature"])
        elif kind == "citations_delta":
            out.annotation(delta["citation"])

    def _stop(self, index: int, out: Assembler[ChatResponse]) -> None:
        kind = self._kinds.pop(index, None)
        if kind in {"text", "thinking"}:
            out.end_block()
        elif kind == "tool_use":
            out.end_block(key=index)

    def _finish(self, body: Json, out: Assembler[ChatResponse]) -> None:
        delta = body.get("delta") or {}
        for name in _EXTRA:
            if delta.get(name) is not None:
                out.extra[name] = delta[name]
        self._count(body.get("usage"), out)
        reason = _finish(delta.get("stop_reason"))
        if reason is not None:
            out.finish(reason)

    def _count(self, usage: Json | None, out: Assembler[ChatResponse]) -> None:
        # Later counts are totals, and what they leave out keeps its earlier value.
        self._usage |= {name: value for name, value in (usage or {}).items() if value is not None}
        out.usage = read_usage(self._usage)


def stream_error(body: Json) -> APIStatusError:
    """Return the error that an event of a stream with status 200 says."""
    error = body.get("error")
    detail = _detail(error if isinstance(error, dict) else {})
    kind = detail.kind or _ERRORS.get(detail.code or "", InternalServerError)
    return kind(detail.message, code=detail.code, body=body, request_id=body.get("request_id"))


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer; what is not the API's JSON comes from the edge before it."""
    try:
        body = response.json()
    except InvalidResponseError as wrong:
        return ErrorDetail(message=f"the server answered with status {response.status} and no JSON", hint=wrong.hint)
    error = body.get("error") if isinstance(body, dict) else None
    return _detail(error if isinstance(error, dict) else {"message": str(body)[:512]})


def _detail(error: Json) -> ErrorDetail:
    message = str(error.get("message") or error.get("type") or "an error without a message")
    kind_name = error.get("type")
    code = (error.get("details") or {}).get("error_code") or kind_name
    kind: type[APIStatusError] | None = None
    if str(code).endswith("spend_limit_reached") or "credit balance is too low" in message:
        kind = QuotaExceededError
    elif kind_name == "invalid_request_error" and ("prompt is too long" in message or "context" in message):
        kind = ContextLengthExceededError if "token" in message else None
    elif kind_name == "exceed_context_size_error":
        kind = ContextLengthExceededError
    elif kind_name == "not_found_error" and message.startswith("model:"):
        kind = ModelNotFoundError
    return ErrorDetail(message=message, code=None if code is None else str(code), kind=kind)


def read_page(response: HttpResponse) -> tuple[list[ModelInfo], str | None]:
    """Read one page of the models, and the id after which the next one begins."""
    body = response.json()
    models = [_model(item) for item in field(body, "data", list)]
    return models, body.get("last_id") if body.get("has_more") else None


def read_model(response: HttpResponse) -> ModelInfo:
    """Read one model."""
    return _model(response.json())


_FEATURES = {
    "vision": "image_input",
    "documents": "pdf_input",
    "json_schema": "structured_outputs",
    "reasoning": "thinking",
    "citations": "citations",
    "batch": "batch",
    "code_execution": "code_execution",
}


def _model(item: Any) -> ModelInfo:
    told = item.get("capabilities") or {}
    features = {
        ours: Support("yes" if told[theirs].get("supported") else "no", "server")
        for ours, theirs in _FEATURES.items()
        if isinstance(told.get(theirs), dict)
    }
    inputs = (
        {"text"}
        | ({"image"} if _yes(told, "image_input") else set())
        | ({"document"} if _yes(told, "pdf_input") else set())
    )
    return ModelInfo(
        id=field(item, "id", str),
        description=item.get("display_name"),
        owned_by="anthropic",
        created=_seconds(item.get("created_at")),
        context_window=item.get("max_input_tokens"),
        max_output_tokens=item.get("max_tokens"),
        input_modalities=frozenset(inputs) if told else None,
        output_modalities=frozenset({"text"}) if told else None,
        features=features,
        retired=(item.get("retires_at") or "")[:10] or None,
        raw=item,
    )


def _yes(told: Json, name: str) -> bool:
    return bool((told.get(name) or {}).get("supported"))


def _seconds(date: str | None) -> int | None:
    try:
        return int(datetime.fromisoformat(date or "").timestamp())
    except ValueError:
        return None
