"""What a script says, told to an assembler as a provider's decoder would: in pieces, part for part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

from ipfs_accel.errors import AccelError
from ipfs_accel.types import Audio, Image, Opaque, Reasoning, Refusal, Text, ToolCall
from ipfs_accel.wire._playing import play_parts
from ipfs_accel.wire.assembler import Assembler

__all__ = ["PIECE", "SAID", "play_pieces"]

SAID = (Text, Reasoning, Refusal, ToolCall, Audio, Image, Opaque)
"""The parts that a model's answer may have."""

PIECE = 4
"""Characters of a piece, about as many as a token has."""


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
            yield from play_parts((piece,), out, 0, number, size=PIECE)
    out.finish("tool_calls" if any(isinstance(piece, ToolCall) for piece in pieces) else "stop")
    out.done()
    yield
