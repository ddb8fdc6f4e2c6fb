"""Answers in Anthropic's words: the blocks that parts of ours become, and why an answer ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipfs_accel.types import (
    Audio,
    ChatResponse,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
)
from ipfs_accel.types import Refusal as Refused
from ipfs_accel.wire import keepsakes

from ipfs_accel_gateway._errors import Refusal

__all__ = ["beside_call", "beside_message", "blocks", "citations", "end", "opaque", "signature", "unwritable"]

Block = dict[str, Any]

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_OWN = {*_STOPS.values(), "stop_sequence", "pause_turn", "model_context_window_exceeded"}


def blocks(answer: ChatResponse) -> Iterator[Block]:
    """Return the content of a whole answer.

    Raises:
        Refusal: It has something for which the API has no place.
    """
    message, call = answer.message, None
    for part in message.content:
        if isinstance(part, Opaque):
            yield from opaque(part, call)
            continue
        call = part.id if isinstance(part, ToolCall) else None
        if isinstance(part, Text | Refused):
            if part.text:
                yield _text(part)
        elif isinstance(part, Reasoning):
            yield {"type": "thinking", "thinking": part.text, "signature": signature(part)}
        elif isinstance(part, ToolCall):
            yield {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part)}
            yield from beside_call(part)
        elif isinstance(part, Audio) and part.transcript:
            yield {"type": "text", "text": part.transcript}
        else:
            raise unwritable(part)
    yield from beside_message(message.extra)


def _text(part: Text | Refused) -> Block:
    found = citations(part)
    return {"type": "text", "text": part.text, **({"citations": found} if found else {})}


def citations(part: Part) -> list[Mapping[str, Any]]:
    """Return those of a text that are in Anthropic's own form."""
    notes: Iterable[Mapping[str, Any]] = part.annotations if isinstance(part, Text) else ()
    return [each for each in notes if str(each.get("type")).endswith("_location")]


def signature(part: Reasoning) -> str:
    """Return the signature of a thought; clients send back no thought without one."""
    return part.signature or keepsakes.written({"field": part.field})


def opaque(part: Opaque, call: str | None) -> Iterator[Block]:
    """Return what only its provider understands: a block of Claude's, or one that clients keep unread.

    `call` is the id of the call that it stands behind and may speak of; clients put calls elsewhere.
    """
    if part.backend != "claude":
        yield _kept({"backend": part.backend, "data": part.data, **({} if call is None else {"call": call})})
    elif part.data.get("type") != "tool_use":  # what it says of a call is of those who may make one beside the model
        yield dict(part.data)


def beside_call(part: ToolCall) -> Iterator[Block]:
    """Return what else a provider said of a call."""
    if part.extra:
        yield _kept({"call": part.id, "extra": part.extra})


def beside_message(extra: Mapping[str, Any]) -> Iterator[Block]:
    """Return what else a provider said in a message."""
    if extra:
        yield _kept({"message": extra})


def _kept(value: Block) -> Block:
    return {"type": "redacted_thinking", "data": keepsakes.written(value)}


def _input(call: ToolCall) -> dict[str, Any]:
    try:
        return call.parse_arguments()
    except ValueError as error:
        raise Refusal(502, "server", f"the model called a tool as this API cannot say it: {error}") from None


def unwritable(part: Part) -> Refusal:
    """Return the error for a part that has no place in an answer."""
    what = f"{type(part).__name__.lower()}, for which this API has no place"
    return Refusal(502, "server", f"the model answered with {what}: ask it by another route")


def end(answer: ChatResponse, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return why an answer ended, as `stop_reason` with what belongs to it."""
    choice, own = answer.choices[0], answer.extra
    reason = own.get("stop_reason")
    if reason in _OWN:  # Claude's own words
        return {
            "stop_reason": reason,
            "stop_sequence": own.get("stop_sequence"),
            "stop_details": own.get("stop_details"),
        }
    reason, found = choice.finish_reason, choice.extra.get("stop_reason")
    if any(isinstance(part, Refused) for part in choice.message.content):
        reason = "content_filter"
    elif (
        reason == "stop" and isinstance(found, str) and found in (members.get("stop_sequences") or ())
    ):  # vLLM tells it
        return {"stop_reason": "stop_sequence", "stop_sequence": found, "stop_details": None}
    said = _STOPS.get(reason or "stop", reason)
    return {"stop_reason": said if said in _OWN else "end_turn", "stop_sequence": None, "stop_details": None}
