"""Answers and stream events of POST /v1/messages to typed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InternalServerError, InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, Choice, Message, Opaque, Part, Reasoning, Text, ToolCall, Usage
from ipfs_accel.wire.assembler import Assembler, chat_assembler, settle_finish_reason
from ipfs_accel.wire.fields import field, id_of, optional, rest
from ipfs_accel.wire.halves import mended, written
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder

from ._errors import error_of, is_error

__all__ = ["StreamDecoder", "read_chat", "read_message", "read_streamed", "read_usage"]

Json = dict[str, Any]

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# What has a place of its own in our types; everything else of an answer and of its usage goes into `extra`.
_TEXT = {"type", "text", "citations"}
_KNOWN = {"id", "type", "role", "model", "content", "usage"}
_TOKENS = {
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens_details",
}


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read a whole answer."""
    return read_message(response.json())


def read_streamed(response: HttpResponse) -> ChatResponse:
    """Read an answer that was streamed and came as a whole."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        return read_chat(response)
    frames, decode, out = SSEDecoder(), StreamDecoder(), chat_assembler(eof_after_finish=False)
    for event in frames.feed(response.body):
        decode(event, out)
    return out.conclude()


def read_message(body: Any) -> ChatResponse:
    """Read an answer's JSON."""
    if is_error(body):
        raise error_of(body)
    parts = tuple([part for block in field(body, "content", list) for part in _parts(block)])
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    reason = settle_finish_reason(_finish(body), has_tool_calls=has_calls)
    usage = optional(body, "usage", dict) or {}
    return ChatResponse(
        id=id_of(body.get("id")),
        model=optional(body, "model", str),
        choices=(Choice(message=Message(role="assistant", content=parts), finish_reason=reason),),
        usage=read_usage(usage),
        extra=rest(body, _KNOWN) | rest(usage, _TOKENS),
        raw=body,
    )


def _parts(block: Json) -> Iterator[Part]:
    kind = field(block, "type", str)
    if kind == "text":
        text, citations = field(block, "text", str), optional(block, "citations", list)
        if text or citations:
            yield Text(text=mended(text), annotations=tuple(citations or ()), extra=rest(block, _TEXT))
    elif kind == "thinking":
        text, signature = optional(block, "thinking", str) or "", optional(block, "signature", str) or None
        yield Reasoning(text=mended(text), signature=signature)
    elif kind == "tool_use":
        yield ToolCall(id=_id(block), name=field(block, "name", str), arguments=_arguments(block))
        yield from _about_call(block)
    else:
        yield Opaque(backend="claude", data=block)


def _id(block: Json) -> str:
    return id_of(block.get("id")) or field(block, "id", str)


def _about_call(block: Json) -> Iterator[Opaque]:
    """Keep what a call says beside name and input, such as who else than the model made it; it has to be sent back."""
    beside = rest(block, {"type", "id", "name", "input"})
    if beside.get("caller") == {"type": "direct"}:
        del beside["caller"]
    if beside:
        yield Opaque(backend="claude", data={"type": "tool_use", "id": _id(block), **beside})


def _arguments(block: Json) -> str:
    """Write a tool's input, which Claude gives as an object, as the JSON text that all backends have."""
    value = optional(block, "input", dict)
    return written(value) if value else ""


def _finish(message: Json) -> str | None:
    reason = optional(message, "stop_reason", str)
    return _FINISH.get(reason, reason) if reason else None


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read token counts; `input_tokens` on the wire is only the part that no cache had a hand in."""
    fresh = optional(usage, "input_tokens", int)
    read, written = optional(usage, "cache_read_input_tokens", int), optional(usage, "cache_creation_input_tokens", int)
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=optional(usage, "output_tokens", int),
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        reasoning_tokens=optional(optional(usage, "output_tokens_details", dict) or {}, "thinking_tokens", int),
    )


class StreamDecoder:
    """Tells an assembler what the events of a stream mean; dispatches on the JSON's own type."""

    def __init__(self) -> None:
        self._usage: Json = {}
        self._blocks: dict[int, Json] = {}
        self._inputs: dict[int, list[str]] = {}

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event; unknown ones are skipped, as the provider asks."""
        if not event.data:
            return
        body = _read(event)
        kind = body.get("type")
        if kind == "content_block_delta":
            self._delta(body.get("index"), field(body, "delta", dict), out)
        elif kind == "content_block_start":
            self._start(field(body, "index", int), field(body, "content_block", dict), out)
        elif kind == "content_block_stop":
            self._stop(body.get("index"), out)
        elif kind == "message_start":
            message = field(body, "message", dict)
            out.start(id_of(message.get("id")), optional(message, "model", str))
            out.extra |= rest(message, _KNOWN)
            self._count(message, out)
        elif kind == "message_delta":
            self._finish(body, out)
        elif kind == "message_stop":
            if body.get("usage"):  # of other hosts
                self._count(body, out)
            out.done()
        elif event.event == "error" or is_error(body):
            raise error_of(body)

    def _start(self, index: int, block: Json, out: Assembler[ChatResponse]) -> None:
        kind = field(block, "type", str)
        self._blocks[index] = block
        if kind == "text":
            out.end_block()
            out.text(optional(block, "text", str) or "")
            for citation in optional(block, "citations", list) or ():
                out.annotation(citation)
        elif kind == "thinking":
            out.end_block()
            out.reasoning(optional(block, "thinking", str) or "", signature=optional(block, "signature", str) or "")
        elif kind == "tool_use":
            out.tool_call(index, id=_id(block), name=field(block, "name", str), arguments=_arguments(block))

    def _delta(self, index: Any, delta: Json, out: Assembler[ChatResponse]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise InvalidResponseError(f"the stream adds to a block {index!r} that it has not begun")
        kind, of = delta.get("type"), block["type"]
        if kind == "text_delta" and of == "text":
            out.text(field(delta, "text", str))
            if len(delta) > 2:  # noqa: PLR2004 - type and text
                out.about_text(rest(delta, _TEXT))
        elif kind == "input_json_delta" and of == "tool_use":
            out.tool_call(index, arguments=field(delta, "partial_json", str))
        elif kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(field(delta, "partial_json", str))
        elif kind == "thinking_delta" and of == "thinking":
            out.reasoning(field(delta, "thinking", str))
        elif kind == "signature_delta" and of == "thinking":
            out.reasoning("", signature=field(delta, "signature", str))
        elif kind == "citations_delta" and of == "text":
            out.annotation(field(delta, "citation", dict))
        elif kind == "compaction_delta":
            self._blocks[index] = block | rest(delta, {"type"})

    def _stop(self, index: Any, out: Assembler[ChatResponse]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block["type"] == "tool_use":
            out.end_block(key=index)
            for about in _about_call(block):
                out.opaque(about.backend, about.data)
        elif block["type"] in {"text", "thinking"}:
            if block["type"] == "text" and block.keys() - _TEXT:
                out.about_text(rest(block, _TEXT))
            out.end_block()
        else:
            out.opaque("claude", self._whole(index, block))

    def _whole(self, index: int, block: Json) -> Json:
        """Return a block that only Claude understands, with the input that came in pieces."""
        text = mended("".join(self._inputs.pop(index, ())))
        if not text:
            return block
        try:
            return {**block, "input": strict_json.loads(text)}
        except ValueError:
            return {**block, "input": text}  # the limit of tokens cut it; what there is of it is kept as it is

    def _finish(self, body: Json, out: Assembler[ChatResponse]) -> None:
        for index in list(self._blocks):
            self._stop(index, out)
        delta = optional(body, "delta", dict) or {}
        out.extra |= rest(body, {"type", "delta", "usage"}) | rest(delta, {"usage"})
        self._count(body if body.get("usage") else delta, out)
        reason = _finish(delta)
        if reason is not None:
            out.finish(reason)

    def _count(self, message: Json, out: Assembler[ChatResponse]) -> None:
        # Later counts are totals, and what they leave out, or have as 0, keeps its earlier value.
        said = rest(optional(message, "usage", dict) or {}, set())
        self._usage |= {name: value for name, value in said.items() if value or name not in self._usage}
        out.usage = read_usage(self._usage)
        out.extra |= rest(self._usage, _TOKENS)


def _read(event: ServerSentEvent) -> Json:
    """Return an event's JSON object; an error may also be plain text."""
    try:
        body = strict_json.loads(event.data)
    except ValueError:
        if event.event == "error":
            raise InternalServerError(event.data[:512]) from None
        raise
    if isinstance(body, list) and is_error(body):
        raise error_of(body)
    return body if isinstance(body, dict) else {}
