"""The Responses API, inward: its answers and its streams as those of a chat."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    Image,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TokenCount,
    ToolCall,
)

from ._settled import settle_finish_reason
from .assembler import Assembler, build_chat
from .fields import field, id_of
from .halves import mended
from .openai_answers import read_usage, token_logprobs, usage_of
from .openai_errors import checked, error_in_body, event_object
from .sse import ServerSentEvent

if TYPE_CHECKING:
    from ipfs_accel.types import Part, TokenLogprob, Usage

__all__ = ["ResponseDecoder", "assembler", "read_count", "read_response", "response_of"]

Json = dict[str, Any]

_REASONS = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_KEPT = ("service_tier", "status", "conversation", "metadata", "background", "moderation")
# What has a place of its own in the parts that an item becomes; the rest is kept beside them, to be sent back.
_SAID = {
    "message": {"type", "id", "role", "status", "content"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status"},
    "custom_tool_call": {"type", "id", "call_id", "name", "input", "status"},
}


def read_response(response: HttpResponse, backend: str = "openai", limit: int | None = None) -> ChatResponse:
    """Read the answer of POST /responses; `backend` is who understands its opaque parts, `limit` as `response_of`."""
    return response_of(response.json(), backend, limit)


def response_of(body: Any, backend: str = "openai", limit: int | None = None) -> ChatResponse:
    """Read the JSON object of a response.

    Args:
        body: The object.
        backend: Who understands its opaque parts.
        limit: Most tokens that were asked for, of a server that may call an answer completed which they ended.
    """
    if isinstance(body, dict) and body.get("status") == "failed":
        raise _failure(body)
    return _answer(checked(body), backend, body, limit)


def _failure(body: Json) -> Exception:
    error = body.get("error")
    return error_in_body({"error": error if isinstance(error, dict) else {"message": "the response failed"}})


def _answer(body: Json, backend: str, raw: Any = None, limit: int | None = None) -> ChatResponse:
    parts: list[Part] = []
    logprobs: list[TokenLogprob] = []
    last: Json = {}
    for item in field(body, "output", list):
        if _runs_on(last, item):
            parts.append(_border(backend))
        parts += _parts(item, logprobs, backend)
        last = item
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    extra = {name: body[name] for name in _KEPT if body.get(name) not in (None, {}, False)}
    usage, beside = usage_of(body.get("usage"))
    if beside:
        extra["usage"] = beside
    if ran := sorted({str(item.get("type")) for item in body["output"]} - {"reasoning", *_SAID}):
        extra["server_tools"] = ran  # they cost what no token tells
    reason = settle_finish_reason(_reason(body, usage, limit), has_tool_calls=has_calls)
    message = Message(role="assistant", content=tuple(parts))
    return ChatResponse(
        id=body.get("id"),
        model=body.get("model"),
        choices=(Choice(message=message, finish_reason=reason, logprobs=tuple(logprobs) or None),),
        usage=usage,
        extra=extra,
        raw=raw,
    )


def _reason(body: Json, usage: Usage, limit: int | None) -> str | None:
    status = body.get("status")
    if status == "completed":
        # llama.cpp says so of an answer that is as long as it may be, too.
        return "length" if limit is not None and (usage.output_tokens or 0) >= limit else "stop"
    if status == "incomplete":
        why = (body.get("incomplete_details") or {}).get("reason")
        return _REASONS.get(str(why), why) or status
    return status  # queued or in progress, for answers that are made in the background


def _parts(item: Any, logprobs: list[TokenLogprob], backend: str) -> Iterator[Part]:
    kind = item.get("type")
    if kind == "message":
        for content in item.get("content") or ():
            if content.get("type") == "refusal":
                yield Refusal(text=mended(content.get("refusal") or ""))
            elif content.get("text"):
                yield Text(text=mended(content["text"]), annotations=tuple(content.get("annotations") or ()))
            logprobs += token_logprobs(content.get("logprobs"))
        yield from _remark(item, backend)
    elif kind in _CALLS:
        arguments = mended(item.get(_CALLS[kind]) or "")
        yield ToolCall(
            id=id_of(item.get("call_id")) or field(item, "call_id", str),
            name=item.get("name") or "",
            arguments=arguments,
        )
        yield from _remark(item, backend)
    else:
        if kind == "reasoning":
            text = _thought(item)
            if text:
                yield Reasoning(text=text)
        elif (picture := _picture(item)) is not None:
            yield picture
        yield Opaque(backend=backend, data=item)


def _remark(item: Json, backend: str) -> Iterator[Opaque]:
    """Keep what an item says beside its parts, such as whether a message is a comment or the answer."""
    rest = _beside(item)
    if rest:
        yield Opaque(backend=backend, data={"type": item["type"], **rest})


def _beside(item: Json) -> Json:
    return {name: value for name, value in item.items() if name not in _SAID[item["type"]] and value is not None}


def _runs_on(last: Json, item: Json) -> bool:
    """Whether a message follows another one that ends without a remark, so that nothing else would part the two."""
    return last.get("type") == item.get("type") == "message" and not _beside(last)


def _border(backend: str) -> Opaque:
    """Return the remark of a message that says nothing beside its parts, where it has to be told from the next one."""
    return Opaque(backend=backend, data={"type": "message"})


def _picture(item: Json) -> Image | None:
    """Return what the server's own tool for pictures made; it goes back as the opaque item beside it."""
    data = item.get("result") if item.get("type") == "image_generation_call" else None
    return Image(data=base64.b64decode(data)) if isinstance(data, str) and data else None


def _thought(item: Json) -> str:
    pieces = item.get("summary") or item.get("content") or ()
    return mended("\n\n".join([piece.get("text") or "" for piece in pieces]))


def read_count(response: HttpResponse) -> TokenCount:
    """Read the answer of POST /responses/input_tokens."""
    body = checked(response.json())
    return TokenCount(input_tokens=field(body, "input_tokens", int), exact=True, method="server", raw=body)


def assembler(backend: str = "openai", limit: int | None = None) -> Assembler[ChatResponse]:
    """Make an assembler for streams that end with the whole answer; what came before counts only if they do not."""

    def build(out: Assembler[ChatResponse]) -> ChatResponse:
        return build_chat(out) if out.final is None else _answer(out.final, backend, limit=limit)

    return Assembler(build, eof_after_finish=False)


class ResponseDecoder:
    """Tells an assembler what the events of a response mean; made anew for each stream."""

    def __init__(self, backend: str = "openai", limit: int | None = None) -> None:
        self._backend = backend
        self._limit = limit
        self._last: Json = {}
        self._items: dict[int, Json] = {}

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event; those without a handler say nothing that the last one does not say again."""
        data = event_object(event)
        kind = str(data.get("type"))
        if kind == "response.output_item.done":
            self._last = data.get("item") or {}
            index = data.get("output_index")
            self._items[len(self._items) if index is None else index] = self._last
            _item_ends(data, out, self._backend)
        elif kind == "response.output_item.added":
            item = data.get("item") or {}
            if _runs_on(self._last, item):
                border = _border(self._backend)
                out.opaque(border.backend, border.data)
            self._last = {}
            _item_begins(data, item, out)
        elif kind in _ENDS:
            _response_ends(data, out, self._items, self._limit)
        elif kind in _HANDLERS:
            _HANDLERS[kind](data, out)


def _created(data: Json, out: Assembler[ChatResponse]) -> None:
    made = data.get("response") or {}
    out.start(made.get("id"), made.get("model"))


def _text(data: Json, out: Assembler[ChatResponse]) -> None:
    out.text(field(data, "delta", str))


def _refusal(data: Json, out: Assembler[ChatResponse]) -> None:
    out.refusal(field(data, "delta", str))


def _thinking(data: Json, out: Assembler[ChatResponse]) -> None:
    out.reasoning(field(data, "delta", str))


def _next_thought(data: Json, out: Assembler[ChatResponse]) -> None:
    if data.get("summary_index"):
        out.reasoning("\n\n")


def _arguments(data: Json, out: Assembler[ChatResponse]) -> None:
    out.tool_call(data.get("output_index") or 0, arguments=field(data, "delta", str))


def _annotation(data: Json, out: Assembler[ChatResponse]) -> None:
    out.annotation(data.get("annotation"))


def _part_ends(_data: Json, out: Assembler[ChatResponse]) -> None:
    out.end_block()


def _item_begins(data: Json, item: Json, out: Assembler[ChatResponse]) -> None:
    if item.get("type") in _CALLS:
        out.tool_call(data.get("output_index") or 0, id=item.get("call_id"), name=item.get("name"))


def _item_ends(data: Json, out: Assembler[ChatResponse], backend: str) -> None:
    item = data.get("item") or {}
    if item.get("type") in _CALLS:
        out.end_block(key=data.get("output_index") or 0)
    elif item.get("type") == "message":
        out.end_block()
    if item.get("type") in _SAID:
        for remark in _remark(item, backend):
            out.opaque(remark.backend, remark.data)
    elif item:
        if (picture := _picture(item)) is not None:
            out.image(picture)
        out.opaque(backend, item)


def _response_ends(data: Json, out: Assembler[ChatResponse], items: dict[int, Json], limit: int | None) -> None:
    """Take the answer that the last event has; gateways leave its items out, which came one by one before."""
    response = field(data, "response", dict)
    if response.get("status") == "failed":
        raise _failure(response)
    output = response.get("output") or [items[index] for index in sorted(items)]
    if output or not out.choices:
        if not output and response.get("output") is None:
            raise InvalidResponseError("the last event of the stream has no answer in it")
        out.final = {**response, "output": output}
    out.usage = read_usage(response.get("usage"))
    out.finish(_reason(response, out.usage, limit) or "stop")
    out.done()


_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_HANDLERS: dict[str, Callable[[Json, Assembler[ChatResponse]], None]] = {
    "response.created": _created,
    "response.output_text.delta": _text,
    "response.refusal.delta": _refusal,
    "response.reasoning_summary_text.delta": _thinking,
    "response.reasoning_text.delta": _thinking,
    "response.reasoning_summary_part.added": _next_thought,
    "response.function_call_arguments.delta": _arguments,
    "response.custom_tool_call_input.delta": _arguments,
    "response.output_text.annotation.added": _annotation,
    "response.content_part.added": _part_ends,
    "response.content_part.done": _part_ends,
}
