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
    RunResult,
    StreamEvent,
    Text,
    TextDelta,
    Timing,
    ToolCall,
    Usage,
)

from .command import State
from .output import clean, is_terminal, money, styled, write, write_line
from .values import plain

__all__ = ["Printer", "show_usage", "usage_line"]

_LEAST_WRITING = 0.1
"""Seconds below which an answer came at once: how fast it was written they do not tell."""


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


def usage_line(answer: Answer, usage: Usage, run: RunResult[Any] | None = None) -> str:
    """Return who answered, tokens, times and ids of a call as one line.

    Args:
        answer: Of the call, or the last one of a run.
        usage: Its tokens, or those of the whole run.
        run: The run, if it is one; the times of its last call say nothing of it.
    """
    parts = []
    if answer.cached is not None:
        parts.append("from the cache" if answer.cached == "exact" else "from the cache, for a question like it")
    if usage.input_tokens is not None:
        cached = f" ({usage.cached_input_tokens} cached)" if usage.cached_input_tokens else ""
        parts.append(f"{usage.input_tokens} tokens in{cached}")
    if usage.output_tokens is not None:
        thought = f" ({usage.reasoning_tokens} reasoning)" if usage.reasoning_tokens else ""
        parts.append(f"{usage.output_tokens} tokens out{thought}")
    if run is None and answer.timing is not None:
        parts += _times(answer.timing, usage.output_tokens)
    cost = answer.cost if run is None else run.cost
    if cost is not None:
        parts.append(money(cost))
    if answer.call is not None:  # of a route, it is the target that served
        model = f"/{answer.call.model}" if answer.call.model else ""
        parts.append(f"by {answer.call.endpoint}{model}")
    if answer.request_id:
        parts.append(f"request {answer.request_id}")
    return "usage: " + (", ".join(parts) or "the provider tells nothing")


def _times(timing: Timing, tokens: int | None) -> list[str]:
    said = []
    if timing.first_event is not None:
        said.append(f"first event after {timing.first_event:.2f} s")
    said.append(f"{timing.total:.2f} s in all")
    writing = timing.total - (timing.first_event or 0.0)
    if tokens and timing.first_event is not None and writing >= _LEAST_WRITING:
        said.append(f"{tokens / writing:.1f} tokens/s")
    return said


def show_usage(answer: Any, run: RunResult[Any] | None = None) -> None:
    """Write the usage line to stderr; of a run its sum, and `answer` is its last."""
    write(usage_line(answer, answer.usage if run is None else run.usage, run) + "\n", err=True)
