"""Blocks and choices of a stream while they grow: what an assembler keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipfs_accel.types import Audio, Image, Opaque, Reasoning, Refusal, Text, ToolCall

from ._settled import sound
from .halves import Growing

if TYPE_CHECKING:
    from ipfs_accel.types import Part, TokenLogprob
    from ipfs_accel.types._events import BlockType

__all__ = ["Block", "ChoiceState"]

_ORDER: dict[type[Any], int] = {Reasoning: 0, Text: 1, Image: 2, Audio: 3, Refusal: 4, ToolCall: 5, Opaque: 6}


class Block(Growing):
    """A block while it grows.

    Attributes:
        extra: What else the provider said of a text or a tool call.
        field: Where reasoning was said.
        has_id: Whether the id is the provider's own.
        whole_part: The part, where it came whole.
    """

    __slots__ = (
        "annotations",
        "extra",
        "field",
        "has_id",
        "id",
        "is_open",
        "name",
        "number",
        "pieces",
        "signature",
        "sound",
        "type",
        "whole_part",
    )

    def __init__(self, number: int, kind: BlockType) -> None:
        super().__init__()
        self.number = number
        self.type = kind
        self.pieces: list[str] = []
        self.id: str | None = None
        self.has_id = False
        self.name: str | None = None
        self.signature: str | None = None
        self.annotations: list[Any] = []
        self.extra: dict[str, Any] = {}
        self.field: str | None = None
        self.whole_part: Opaque | Image | None = None
        self.sound: list[bytes] = []
        self.is_open = True

    def part(self) -> Part:
        if self.whole_part is not None:
            return self.whole_part
        text = "".join(self.pieces)
        if self.type == "text":
            return Text(text=text, annotations=tuple(self.annotations), extra=self.extra)
        if self.type == "reasoning":
            return Reasoning(text=text, signature=self.signature or None, field=self.field)
        if self.type == "refusal":
            return Refusal(text=text)
        if self.type == "audio":
            return sound(b"".join(self.sound), self.id, text or None)
        return ToolCall(id=self.id or "", name=self.name or "", arguments=text, extra=self.extra)


class ChoiceState:
    """One answer while it grows.

    Attributes:
        beside: What else the provider said in the message.
        extra: What else it said of the choice.
        held: A tool call whose beginning is not told yet, since its name or its id may still come.
    """

    __slots__ = ("beside", "blocks", "current", "extra", "finish_reason", "held", "index", "logprobs", "tools")

    def __init__(self, index: int) -> None:
        self.index = index
        self.beside: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}
        self.blocks: list[Block] = []
        self.current: Block | None = None
        self.held: Block | None = None
        self.tools: dict[int | str, Block] = {}
        self.finish_reason: str | None = None
        self.logprobs: list[TokenLogprob] = []

    def parts(self, *, merge: bool) -> tuple[Part, ...]:
        """Return the finished parts; merged means one of each kind, in the order of a whole answer."""
        parts = [block.part() for block in self.blocks]
        if not merge or len(parts) <= 1:
            return tuple(parts)
        texts: dict[type[Any], list[str]] = {}
        for part in parts:
            if isinstance(part, Text | Reasoning | Refusal):
                texts.setdefault(type(part), []).append(part.text)
        merged: list[Part] = []
        if Refusal in texts:
            merged.append(Refusal(text="".join(texts[Refusal])))
        if Reasoning in texts:
            thoughts = [part for part in parts if isinstance(part, Reasoning)]
            signature = next((part.signature for part in reversed(thoughts) if part.signature), None)
            merged.append(Reasoning(text="".join(texts[Reasoning]), signature=signature, field=thoughts[0].field))
        if Text in texts:
            notes = [note for part in parts if isinstance(part, Text) for note in part.annotations]
            merged.append(Text(text="".join(texts[Text]), annotations=tuple(notes)))
        merged += [part for part in parts if isinstance(part, ToolCall | Opaque | Audio | Image)]
        return tuple(sorted(merged, key=lambda part: _ORDER[type(part)]))
