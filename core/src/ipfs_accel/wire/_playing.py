"""An answer told to an assembler as a provider's decoder would tell it, part for part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ipfs_accel.types import Audio, ChatResponse, CompletionResponse, Image, Reasoning, Refusal, Text, ToolCall, Usage

if TYPE_CHECKING:
    from .assembler import Assembler

__all__ = ["play_answer", "play_parts"]


def play_answer(
    answer: ChatResponse | CompletionResponse, out: Assembler[Any], size: int | None = None
) -> Iterator[None]:
    """Tell a whole answer, so that the one at the end of the stream is the same.

    Args:
        answer: The answer.
        out: Who is told.
        size: Characters of a piece; None tells each text at once.
    """
    out.start(answer.id, answer.model)
    # What has come of an answer that is left in its middle is known of servers that tell the input first.
    out.usage = Usage(input_tokens=answer.usage.input_tokens)
    for choice in answer.choices:
        out.text("", choice.index)
        if isinstance(answer, ChatResponse):
            out.beside(choice.message.extra, choice.index)  # type: ignore[union-attr]
            yield from play_parts(choice.message.content, out, choice.index, size=size)  # type: ignore[union-attr]
        else:
            yield from play_parts((Text(text=choice.text),), out, choice.index, size=size)  # type: ignore[union-attr]
        out.about(choice.extra, choice.index)
        out.logprobs(choice.logprobs or (), choice.index)
        if choice.finish_reason is not None:
            out.finish(choice.finish_reason, choice.index)
    out.usage = answer.usage
    out.extra.update(answer.extra)
    out.done()
    yield


def play_parts(
    parts: Iterable[Any], out: Assembler[Any], choice: int, first: int = 0, *, size: int | None = None
) -> Iterator[None]:
    """Tell parts of a message, of which the first has that number; `size` as for `play_answer`."""
    for number, part in enumerate(parts, first):
        out.end_block(choice)
        for tell in _steps(part, out, choice, number, size):
            tell()
            yield
        out.end_block(choice, number if isinstance(part, ToolCall) else None)


def _steps(part: Any, out: Assembler[Any], choice: int, number: int, size: int | None) -> Iterator[Callable[[], None]]:
    """Return what to tell of a part, one piece after the other."""
    if isinstance(part, Text):
        yield from [lambda piece=piece: out.text(piece, choice) for piece in _cut(part.text, size)]
        yield from [lambda note=note: out.annotation(note, choice) for note in part.annotations]
        if part.extra:
            yield lambda: out.about_text(part.extra, choice)
    elif isinstance(part, Reasoning):
        pieces = _cut(part.text, size)
        yield from [lambda piece=piece: out.reasoning(piece, choice, field=part.field) for piece in pieces]
        yield lambda: out.reasoning("", choice, part.signature)
    elif isinstance(part, Refusal):
        yield from [lambda piece=piece: out.refusal(piece, choice) for piece in _cut(part.text, size)]
    elif isinstance(part, ToolCall):
        yield lambda: out.tool_call(number, choice, id=part.id, name=part.name, extra=part.extra)
        pieces = _cut(part.arguments, size)
        yield from [lambda piece=piece: out.tool_call(number, choice, arguments=piece) for piece in pieces]
    elif isinstance(part, Audio):
        yield lambda: out.audio(part.data or b"", part.transcript or "", choice, id=part.id)
    elif isinstance(part, Image):
        yield lambda: out.image(part, choice)
    else:
        yield lambda: out.opaque(part.backend, part.data, choice)


def _cut(text: str, size: int | None) -> list[str]:
    if size is None:
        return [text]
    return [text[start : start + size] for start in range(0, len(text), size)]
