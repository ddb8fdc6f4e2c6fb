"""Streams in Anthropic's words: one block after the other, each with its beginning, its pieces and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    Audio,
    AudioDelta,
    BlockEnd,
    BlockStart,
    ChatResponse,
    FinishEvent,
    Opaque,
    Part,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageEvent,
)

from ipfs_accel_gateway._errors import Refusal

from ._anthropic import ANTHROPIC, event, new_id, usage
from ._anthropic_answers import beside_call, beside_message, citations, end, opaque, signature, unwritable

__all__ = ["Writer"]

_PIECES: dict[type[Any], tuple[bytes, Callable[[Any], str]]] = {
    TextDelta: (b'{"type":"text_delta","text":', lambda event: event.text),
    RefusalDelta: (b'{"type":"text_delta","text":', lambda event: event.text),
    AudioDelta: (b'{"type":"text_delta","text":', lambda event: event.transcript),
    ReasoningDelta: (b'{"type":"thinking_delta","thinking":', lambda event: event.text),
    ToolCallDelta: (b'{"type":"input_json_delta","partial_json":', lambda event: event.arguments),
}
_TOLD_AT_ITS_END = {"opaque", "image"}


class Writer:
    """Writes one stream.

    Several calls of tools may be under way at once with us, and not with Anthropic. So a call ends when the next one
    begins, if what there is of its input is whole; if it is not, the next one waits.
    """

    def __init__(self, members: Mapping[str, Any], model: str) -> None:
        self._members = members
        self._model = model
        self._index = -1
        self._open: int | None = None
        self._is_call = False
        self._call: str | None = None
        self._before = b""
        self._input: list[str] = []
        self._over: set[int] = set()
        self._held: list[Any] = []
        self._late: list[Mapping[str, Any]] = []
        self._used = Usage()

    def knows(self, used: Usage) -> None:
        """Take what is known of the usage before there is anything of the answer."""
        self._used = used

    def begin(self) -> bytes:
        """Return the beginning of the message, with the tokens that it has read if the server has told them by now.

        Those of others are told with the end, which clients take for all: a guess would be taken for a count.
        """
        message: dict[str, Any] = {
            "id": new_id(), "type": "message", "role": "assistant", "model": self._model, "content": [],
            "stop_reason": None, "stop_sequence": None, "stop_details": None, "usage": usage(self._used),
        }  # fmt: skip
        return event("message_start", message=message)

    def event(self, event: Any) -> bytes:
        """Return what one of our events is."""
        kind = type(event)
        if kind is UsageEvent or kind is FinishEvent:
            return b""
        if event.block == self._open:
            return self._tell(event, kind)
        if event.block in self._over:
            return self._tell_late(event, kind)
        if self._open is None and not self._held:
            return self._tell(event, kind)
        if kind is BlockStart and not self._held and self._is_whole():
            return self._stop() + self._tell(event, kind)
        self._held.append(event)
        return b""

    def end(self, answer: ChatResponse) -> bytes:
        """Return the end of the message, with all counts."""
        told = end(answer, self._members)
        return b"".join(
            (
                *[self._block(each) for each in (*self._late, *beside_message(answer.message.extra))],
                event("message_delta", delta=told, usage=usage(answer.usage)),
                event("message_stop"),
            )
        )

    def _tell(self, event: Any, kind: type[Any]) -> bytes:
        if kind is BlockStart:
            self._open, self._is_call = event.block, event.type == "tool_call"
            return b"" if event.type in _TOLD_AT_ITS_END else self._start(_first(event))
        if kind is BlockEnd:
            return self._end(event.part)
        head, text_of = _PIECES[kind]
        text = text_of(event)
        if self._is_call:
            self._input.append(text)
        return b"%b%b%b}}\n\n" % (self._before, head, strict_json.dumps(text)) if text else b""

    def _tell_late(self, event: Any, kind: type[Any]) -> bytes:
        """Take what is said of a call that was whole."""
        if kind is BlockEnd:
            self._late += beside_call(event.part)
        elif event.arguments.strip():
            raise Refusal(502, "server", "the model went on with the input of a tool that was whole")
        return b""

    def _end(self, part: Part) -> bytes:
        if isinstance(part, Opaque):
            self._close()
            told = b"".join([self._block(each) for each in opaque(part, self._call)])
            return told + self._go_on()
        self._call = part.id if isinstance(part, ToolCall) else None
        if isinstance(part, ToolCall):
            told = self._stop() + b"".join([self._block(each) for each in beside_call(part)])
        elif isinstance(part, Reasoning):
            told = self._piece({"type": "signature_delta", "signature": signature(part)}) + self._stop()
        elif self._before and (not isinstance(part, Audio) or part.transcript):
            told = b"".join([self._piece({"type": "citations_delta", "citation": each}) for each in citations(part)])
            told += self._stop()
        else:
            raise unwritable(part)
        return told + self._go_on()

    def _go_on(self) -> bytes:
        """Return what had to wait for the end of a block."""
        held, self._held = self._held, []
        return b"".join([self.event(each) for each in held])

    def _start(self, block: Mapping[str, Any]) -> bytes:
        self._index += 1
        self._before = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":' % self._index
        )
        begun = event("content_block_start", index=self._index, content_block=block)
        return begun if self._index else begun + ANTHROPIC.beat

    def _piece(self, delta: Mapping[str, Any]) -> bytes:
        return b"%b%b}\n\n" % (self._before, strict_json.dumps(delta))

    def _stop(self) -> bytes:
        self._close()
        return event("content_block_stop", index=self._index)

    def _close(self) -> None:
        if self._open is not None:
            self._over.add(self._open)
        self._open, self._before, self._input, self._is_call = None, b"", [], False

    def _block(self, block: Mapping[str, Any]) -> bytes:
        """Write a block that comes whole."""
        begun = self._start(block)
        self._before = b""
        return begun + event("content_block_stop", index=self._index)

    def _is_whole(self) -> bool:
        """Whether the call that is open has all of its input."""
        try:
            return isinstance(strict_json.loads("".join(self._input)), dict)
        except (ValueError, RecursionError):
            return False


def _first(event: BlockStart) -> dict[str, Any]:
    """Return a block as it begins."""
    if event.type == "tool_call":
        return {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
    if event.type == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}
