"""The rules that the events of a stream keep, whichever backend it is from; see `ipfs_accel.types` for the events."""

from __future__ import annotations

from typing import Any

import attrs

from ipfs_accel.types import (
    Answer,
    BlockEnd,
    BlockStart,
    ChatResponse,
    CompletionResponse,
    FinishEvent,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    UsageEvent,
)

__all__ = ["check", "check_characters", "without_call"]

_DELTAS: dict[str, type[Any]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "refusal": RefusalDelta,
    "tool_call": ToolCallDelta,
}


def without_call(answer: Any) -> Any:
    """Return an answer without what differs from call to call."""
    return attrs.evolve(answer, call=None) if isinstance(answer, Answer) else answer


def check(events: list[Any], answer: Any) -> None:
    """Raise AssertionError for the first rule that the events of one stream break."""
    if not isinstance(answer, ChatResponse | CompletionResponse):
        return  # other streams have no blocks
    *body, usage, finish = events
    assert isinstance(usage, UsageEvent), "the last event but one is the usage"
    assert isinstance(finish, FinishEvent), "the last event is the finish"
    assert usage.usage == answer.usage
    assert finish.finish_reasons == tuple([choice.finish_reason for choice in answer.choices])
    open_blocks: dict[tuple[int, int], Any] = {}
    pieces: dict[tuple[int, int], list[str]] = {}
    seen: dict[int, int] = {}
    for event in body:
        at = (event.choice, event.block)
        if isinstance(event, BlockStart):
            assert event.block == seen.get(event.choice, 0), "blocks are numbered from 0 within their choice"
            seen[event.choice] = event.block + 1
            open_blocks[at] = event.type
            pieces[at] = []
        elif isinstance(event, BlockEnd):
            kind = open_blocks.pop(at)
            if kind in _DELTAS:
                assert "".join(pieces[at]) == _text_of(event.part), "the deltas are the part"
        else:
            assert at in open_blocks, "a delta belongs to a block that has begun and has not ended"
            kind = open_blocks[at]
            if kind in _DELTAS:
                assert isinstance(event, _DELTAS[kind]), f"{event} in a block of {kind}"
                pieces[at].append(event.arguments if isinstance(event, ToolCallDelta) else event.text)
    assert not open_blocks, "every block has ended"


def check_characters(events: list[Any]) -> None:
    """Raise AssertionError if a text that the events of streams hold has half a character in it."""
    for event in events:
        part = getattr(event, "part", event)
        texts = [getattr(part, name, None) or "" for name in ("text", "arguments", "transcript")]
        assert all(text.encode("utf-8", "ignore").decode() == text for text in texts), ascii(event)


def _text_of(part: Any) -> str:
    if isinstance(part, ToolCall):
        return part.arguments
    assert isinstance(part, Text | Reasoning | Refusal)
    return part.text
