"""Showing an answer while it comes, and what it cost afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ipfs_accel.types import (
    Answer,
    BlockEnd,
    BlockStart,
    Message,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    StreamEvent,
    Text,
    TextDelta,
    ToolCall,
    Usage,
)

from .command import State
from .output import clean, is_terminal, styled, write, write_line
from .values import plain

__all__ = ["Printer", "show_usage", "usage_line"]


class Printer:
    """Writes the first choice of an answer to stdout: text as it comes, tool calls as lines of JSON.

    Attributes:
        state: What the shared options say.
    """

    def __init__(self, state: State, *, reasoning: bool = False) -> None:
        self.state = state
        self._reasoning = reasoning
        self._ends_line = True
        self._thinks = False

    def show(self, events: Iterable[StreamEvent]) -> None:
        """Write what the events bring, at once; ends the line even if they break off."""
        try:
            for event in events:
                if getattr(event, "choice", 0) == 0:
                    self._event(event)
        finally:
            self._end_reasoning()
            self.end_line()

    def message(self, message: Message) -> None:
        """Write a message that is complete."""
        self.reasoning(message.reasoning or "")
        for part in message.content:
            if isinstance(part, Text | Refusal):
                self.text(part.text)
            elif isinstance(part, ToolCall):
                self.tool_call(part)
        self._end_reasoning()
        self.end_line()

    def text(self, text: str) -> None:
        """Write a piece of the answer."""
        if not text:
            return
        self._end_reasoning()
        write(clean(text) if is_terminal() else text)
        self._ends_line = text.endswith("\n")

    def reasoning(self, text: str) -> None:
        """Write a piece of visible reasoning to stderr, if it is wanted."""
        if self._reasoning and text:
            write(styled(self.state, clean(text), dim=True), err=True)
            self._thinks = True

    def tool_call(self, call: ToolCall) -> None:
        """Write a tool call as a line of JSON."""
        self._end_reasoning()
        self.end_line()
        write_line(json.dumps({"tool_call": plain(call)}, ensure_ascii=False))

    def end_line(self) -> None:
        """Let what follows begin a line."""
        if not self._ends_line:
            write("\n")
            self._ends_line = True

    def _event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta | RefusalDelta):
            self.text(event.text)
        elif isinstance(event, ReasoningDelta):
            self.reasoning(event.text)
        elif isinstance(event, BlockEnd) and isinstance(event.part, ToolCall):
            self.tool_call(event.part)
        elif isinstance(event, BlockStart) and event.type != "reasoning":
            self._end_reasoning()

    def _end_reasoning(self) -> None:
        if self._thinks:
            write("\n", err=True)
            self._thinks = False


def usage_line(answer: Answer, usage: Usage) -> str:
    """Return tokens, times and ids of a call as one line."""
    parts = []
    if usage.input_tokens is not None:
        cached = f" ({usage.cached_input_tokens} cached)" if usage.cached_input_tokens else ""
        parts.append(f"{usage.input_tokens} tokens in{cached}")
    if usage.output_tokens is not None:
        thought = f" ({usage.reasoning_tokens} reasoning)" if usage.reasoning_tokens else ""
        parts.append(f"{usage.output_tokens} tokens out{thought}")
    timing = answer.timing
    if timing is not None:
        if timing.first_event is not None:
            parts.append(f"first event after {timing.first_event:.2f} s")
        parts.append(f"{timing.total:.2f} s in all")
        writing = timing.total - (timing.first_event or 0.0)
        if usage.output_tokens and writing > 0:
            parts.append(f"{usage.output_tokens / writing:.1f} tokens/s")
    if answer.cost is not None:
        parts.append(f"${answer.cost:.6f}")
    if answer.request_id:
        parts.append(f"request {answer.request_id}")
    return "usage: " + (", ".join(parts) or "the provider tells nothing")


def show_usage(answer: Any) -> None:
    """Write the usage line to stderr."""
    write(usage_line(answer, answer.usage) + "\n", err=True)
