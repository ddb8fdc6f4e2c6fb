"""What a script says, told to an assembler as a provider's decoder would: in pieces, part for part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import Any

from ipfs_accel.errors import AccelError
from ipfs_accel.types import (
    Audio,
    ChatResponse,
    CompletionResponse,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler

__all__ = ["SAID", "play_answer", "play_pieces"]

SAID = (Text, Reasoning, Refusal, ToolCall, Audio, Image, Opaque)
"""The parts that a model's answer may have."""

_PIECE = 4
"""Characters of a piece, about as many as a token has."""


def play_answer(answer: ChatResponse | CompletionResponse, out: Assembler[Any]) -> Iterator[None]:
    """Tell a whole answer in pieces, so that the one at the end of the stream is the same."""
    out.start(answer.id, answer.model)
    # What has come of an answer that is left in its middle is known of servers that tell the input first.
    out.usage = Usage(input_tokens=answer.usage.input_tokens)
    for choice in answer.choices:
        out.text("", choice.index)
        if isinstance(answer, ChatResponse):
            out.beside(choice.message.extra, choice.index)  # type: ignore[union-attr]
            yield from _play_parts(choice.message.content, out, choice.index)  # type: ignore[union-attr]
        else:
            yield from _play_parts((Text(text=choice.text),), out, choice.index)  # type: ignore[union-attr]
        out.about(choice.extra, choice.index)
        out.logprobs(choice.logprobs or (), choice.index)
        if choice.finish_reason is not None:
            out.finish(choice.finish_reason, choice.index)
    out.usage = answer.usage
    out.extra.update(answer.extra)
    out.done()
    yield


def play_pieces(pieces: Sequence[Any], out: Assembler[Any]) -> Iterator[None]:
    """Tell what a list has: texts as they are cut there, parts, and an error at which the answer breaks off."""
    out.text("")
    for number, piece in enumerate(pieces):
        if isinstance(piece, AccelError):
            raise copy(piece)
        if isinstance(piece, str):
            out.text(piece)
            yield
        else:
            yield from _play_parts((piece,), out, 0, number)
    out.finish("tool_calls" if any(isinstance(piece, ToolCall) for piece in pieces) else "stop")
    out.done()
    yield


def _play_parts(parts: Iterable[Any], out: Assembler[Any], choice: int, first: int = 0) -> Iterator[None]:
    for number, part in enumerate(parts, first):
        out.end_block(choice)
        for tell in _steps(part, out, choice, number):
            tell()
            yield
        out.end_block(choice, number if isinstance(part, ToolCall) else None)


def _steps(part: Any, out: Assembler[Any], choice: int, number: int) -> Iterator[Callable[[], None]]:
    """Return what to tell of a part, one piece after the other."""
    if isinstance(part, Text):
        yield from [lambda piece=piece: out.text(piece, choice) for piece in _cut(part.text)]
        yield from [lambda note=note: out.annotation(note, choice) for note in part.annotations]
    elif isinstance(part, Reasoning):
        yield from [lambda piece=piece: out.reasoning(piece, choice, field=part.field) for piece in _cut(part.text)]
        yield lambda: out.reasoning("", choice, part.signature)
    elif isinstance(part, Refusal):
        yield from [lambda piece=piece: out.refusal(piece, choice) for piece in _cut(part.text)]
    elif isinstance(part, ToolCall):
        yield lambda: out.tool_call(number, choice, id=part.id, name=part.name, extra=part.extra)
        yield from [
            lambda piece=piece: out.tool_call(number, choice, arguments=piece) for piece in _cut(part.arguments)
        ]
    elif isinstance(part, Audio):
        yield lambda: out.audio(part.data or b"", part.transcript or "", choice, id=part.id)
    elif isinstance(part, Image):
        yield lambda: out.image(part, choice)
    else:
        yield lambda: out.opaque(part.backend, part.data, choice)


def _cut(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
