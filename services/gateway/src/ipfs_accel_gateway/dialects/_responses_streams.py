"""Streams in the words of the Responses API: items that begin, grow and end, and the whole answer as the last event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    AudioDelta,
    BlockEnd,
    BlockStart,
    ChatResponse,
    Image,
    Opaque,
    Part,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from ipfs_accel.types import Refusal as Refused

from ipfs_accel_gateway._errors import Refusal

from ._responses_answers import (
    Frame,
    Item,
    call,
    content,
    is_shown,
    kept,
    message,
    opaque,
    picture,
    remark_of,
    tell_logprobs,
    thought,
)
from ._responses_tools import FUNCTION, called

__all__ = ["Writer", "event"]

_PIECES: Mapping[type[Any], Callable[[Any], str]] = {
    TextDelta: lambda event: event.text,
    RefusalDelta: lambda event: event.text,
    ReasoningDelta: lambda event: event.text,
    ToolCallDelta: lambda event: event.arguments,
    AudioDelta: lambda event: event.transcript,
}
_CODES = {"rate_limit": "rate_limit_exceeded", "quota": "insufficient_quota", "invalid_request": "invalid_prompt"}


def event(kind: str, number: int, members: bytes) -> bytes:
    """Return an event with its number; its name stands in its JSON again.

    Args:
        kind: Of event.
        number: From 0.
        members: Further ones of its JSON object, without the braces.
    """
    name = kind.encode()
    return b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (name, name, members, number)


class Writer:
    """Writes one stream."""

    def __init__(self, members: Mapping[str, Any], model: str) -> None:
        self._frame = Frame(members, model)
        self._called = called(members)
        self._number = 0
        self._items: list[Item] = []
        self._message: int | None = None
        self._thought: int | None = None
        self._calls: dict[int, int] = {}
        self._before: dict[int, bytes] = {}

    def begin(self) -> bytes:
        """Return the beginning of the answer."""
        response = self._frame.response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def event(self, event: Any) -> bytes:
        """Return what one of our events is."""
        kind = type(event)
        piece_of = _PIECES.get(kind)
        if piece_of is not None:
            before, piece = self._before.get(event.block), piece_of(event)
            if before is None or not piece:
                return b""
            self._number += 1
            return b'%b%b,"sequence_number":%d}\n\n' % (before, strict_json.dumps(piece), self._number - 1)
        if kind is BlockStart:
            return self._start(event)
        return self._end_block(event.block, event.part) if kind is BlockEnd else b""

    def end(self, answer: ChatResponse) -> bytes:
        """Return the whole answer once more."""
        choice = answer.choices[0]
        told = self._close()
        if choice.message.extra:
            told += self._whole(kept(self._id("rs"), {"message": choice.message.extra}))
        if choice.logprobs:
            tell_logprobs(self._items, choice.logprobs)
        status, response = self._frame.ended(answer, self._items)
        return told + self._event(f"response.{status}", response=response)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002 - the id is in a header here
        """Return the events that say that the answer failed, with what there is of it."""
        code = refusal.code or _CODES.get(refusal.kind, "server_error")
        error = {"code": code, "message": refusal.message}
        told = self._event("error", code=_json(code), message=_json(refusal.message), param=_json(refusal.param))
        response = self._frame.response("failed", self._items, error=error)
        return told + self._event("response.failed", response=response)

    # blocks

    def _start(self, start: BlockStart) -> bytes:
        kind = start.type
        if kind == "tool_call":
            return self._close() + self._start_call(start)
        if kind == "reasoning":
            told = self._close()
            self._thought = len(self._items)
            item = thought(self._id("rs"), Reasoning(text=""))
            told += self._added({**item, "encrypted_content": ""})
            place = {"item_id": _json(item["id"]), "output_index": b"%d" % self._thought, "summary_index": b"0"}
            told += self._event("response.reasoning_summary_part.added", **place, part=_json(_summary("")))
            self._before[start.block] = _before("response.reasoning_summary_text.delta", place)
            return told
        if kind in {"opaque", "image"}:
            return b""  # they come whole
        return self._start_content(start.block, is_refusal=kind == "refusal")

    def _start_content(self, block: int, *, is_refusal: bool) -> bytes:
        told = b""
        if self._message is None:
            told = self._close()
            self._message = len(self._items)
            told += self._added(message(self._id("msg")), status="in_progress")
        part = content(Refused(text="") if is_refusal else Text(text=""))
        place = self._place(self._message)
        told += self._event("response.content_part.added", **place, part=_json(part))
        self._items[self._message]["content"].append(part)
        name = "response.refusal.delta" if is_refusal else "response.output_text.delta"
        self._before[block] = _before(name, place if is_refusal else {**place, "logprobs": b"[]"})
        return told

    def _start_call(self, start: BlockStart) -> bytes:
        index = self._calls[start.block] = len(self._items)
        how = self._called.get(start.name or "", FUNCTION)
        part = ToolCall(id=start.id or "", name=start.name or "")
        item = call(self._id("fc"), part, how)
        if how.is_free:  # its text is known once the arguments are whole
            return self._added({**item, "input": ""})
        place = {"item_id": _json(item["id"]), "output_index": b"%d" % index}
        self._before[start.block] = _before("response.function_call_arguments.delta", place)
        return self._added({**item, "arguments": ""}, status="in_progress")

    def _end_block(self, block: int, part: Part) -> bytes:
        self._before.pop(block, None)
        if isinstance(part, ToolCall):
            return self._end_call(self._calls[block], part)
        if isinstance(part, Reasoning):
            return self._end_thought(part)
        if isinstance(part, Opaque):
            return self._end_opaque(part)
        if isinstance(part, Image):
            return self._close() + self._whole(picture(self._id("ig"), part))
        return self._end_content(part)

    def _end_content(self, part: Part) -> bytes:
        index = self._message
        if index is None:  # a part that had no beginning
            raise AssertionError(part)
        place = self._place(index, -1)
        made = self._items[index]["content"][-1] = content(part)
        if isinstance(part, Refused):
            told = self._event("response.refusal.done", **place, refusal=_json(part.text))
        else:
            told = b"".join(
                [
                    self._event(
                        "response.output_text.annotation.added",
                        **place,
                        annotation_index=b"%d" % number,
                        annotation=_json(note),
                    )
                    for number, note in enumerate(made["annotations"])
                ]
            )
            told += self._event("response.output_text.done", **place, text=_json(made["text"]), logprobs=b"[]")
        return told + self._event("response.content_part.done", **place, part=_json(made))

    def _end_call(self, index: int, part: ToolCall) -> bytes:
        how = self._called.get(part.name, FUNCTION)
        item = self._items[index] = call(self._items[index]["id"], part, how)
        place = {"item_id": _json(item["id"]), "output_index": b"%d" % index}
        if how.is_free:
            told = self._event("response.custom_tool_call_input.delta", **place, delta=_json(item["input"]))
            told += self._event("response.custom_tool_call_input.done", **place, input=_json(item["input"]))
        else:
            told = b""
            if not part.arguments:  # clients put them together
                told = self._event("response.function_call_arguments.delta", **place, delta=b'"{}"')
            told += self._event(
                "response.function_call_arguments.done",
                **place,
                name=_json(item["name"]),
                arguments=_json(item["arguments"]),
            )
        told += self._done(index)
        return told + self._whole(kept(self._id("rs"), {"call": part.id, "extra": part.extra})) if part.extra else told

    def _end_thought(self, part: Reasoning) -> bytes:
        """End what can be seen of a thought; the rest of it may follow."""
        index = self._thought
        if index is None:
            raise AssertionError(part)
        item = self._items[index] = thought(self._items[index]["id"], part)
        place = {"item_id": _json(item["id"]), "output_index": b"%d" % index, "summary_index": b"0"}
        return self._event("response.reasoning_summary_text.done", **place, text=_json(part.text)) + self._event(
            "response.reasoning_summary_part.done", **place, part=_json(_summary(part.text))
        )

    def _end_opaque(self, part: Opaque) -> bytes:
        data = remark_of(part)
        if data is not None:
            if self._message is not None and data.get("type") == "message":
                self._items[self._message].update(data)
            return self._close()
        index = self._thought
        if index is not None and is_shown(part, Reasoning):
            self._items[index] = {**part.data, "id": self._items[index]["id"]}
            return self._close()
        told = self._close()
        if self._items and part.backend == "openai" and is_shown(part, Image) and _is_same(self._items[-1], part):
            return told
        return told + b"".join([self._whole(each) for each in opaque(self._id("rs"), part)])

    # items

    def _close(self) -> bytes:
        """End the message or the thought that is open."""
        told = b""
        for index in (self._message, self._thought):
            if index is not None:
                told += self._done(index)
        self._message = self._thought = None
        return told

    def _whole(self, item: Item) -> bytes:
        told = self._added(item)
        return told + self._done(len(self._items) - 1)

    def _added(self, item: Item, **now: Any) -> bytes:
        self._items.append(item)
        index = b"%d" % (len(self._items) - 1)
        return self._event("response.output_item.added", output_index=index, item=_json({**item, **now}))

    def _done(self, index: int) -> bytes:
        return self._event("response.output_item.done", output_index=b"%d" % index, item=_json(self._items[index]))

    def _place(self, index: int, further: int = 0) -> dict[str, bytes]:
        item = self._items[index]
        return {
            "item_id": _json(item["id"]),
            "output_index": b"%d" % index,
            "content_index": b"%d" % (len(item["content"]) + further),
        }

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._frame.token}{len(self._items):x}"

    def _event(self, kind: str, **members: bytes) -> bytes:
        self._number += 1
        written = b",".join([b'"%b":%b' % (name.encode(), value) for name, value in members.items()])
        return event(kind, self._number - 1, written)


_json = strict_json.dumps


def _before(kind: str, place: Mapping[str, bytes]) -> bytes:
    """Return an event as far as it is the same for all pieces of a block."""
    name = kind.encode()
    written = b",".join([b'"%b":%b' % (member.encode(), value) for member, value in place.items()])
    return b'event: %b\ndata: {"type":"%b",%b,"delta":' % (name, name, written)


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}


def _is_same(item: Item, part: Opaque) -> bool:
    return item.get("type") == "image_generation_call" and item.get("result") == part.data.get("result")
