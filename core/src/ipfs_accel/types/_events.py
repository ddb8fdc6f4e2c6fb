"""What a stream yields.

A chat or completion is a sequence of blocks (text, reasoning, refusal, tool call). Each begins with one `BlockStart`,
goes on with deltas of its type and closes with one `BlockEnd` that holds the finished part. After the last block come
exactly one `UsageEvent` and one `FinishEvent`. Blocks are numbered from 0 within their choice.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._messages import Part
from ._usage import Usage

BlockType: TypeAlias = Literal["text", "reasoning", "refusal", "tool_call", "audio", "image", "opaque"]


@frozen(kw_only=True)
class BlockStart:
    """A block begins.

    Attributes:
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
        type: text, reasoning, refusal, tool_call, audio, image or opaque (which have no deltas).
        id: Of a tool call.
        name: Of the tool that is called.
    """

    choice: int = 0
    block: int = 0
    type: BlockType
    id: str | None = None
    name: str | None = None


@frozen
class TextDelta:
    """A piece of the answer's text.

    Attributes:
        text: The piece.
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
    """

    text: str
    choice: int = 0
    block: int = 0


@frozen
class ReasoningDelta:
    """A piece of visible reasoning.

    Attributes:
        text: The piece.
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
    """

    text: str
    choice: int = 0
    block: int = 0


@frozen
class RefusalDelta:
    """A piece of a refusal.

    Attributes:
        text: The piece.
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
    """

    text: str
    choice: int = 0
    block: int = 0


@frozen
class ToolCallDelta:
    """A piece of a tool call's arguments, a fragment of JSON text.

    Attributes:
        arguments: A piece of JSON.
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
    """

    arguments: str
    choice: int = 0
    block: int = 0


@frozen
class AudioDelta:
    """A piece of spoken answer: sound, or what is said in it.

    Attributes:
        data: A piece of the sound.
        transcript: A piece of its text.
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    transcript: str = ""
    choice: int = 0
    block: int = 0


@frozen(kw_only=True)
class BlockEnd:
    """A block is complete; `part` is what it adds to the message.

    Attributes:
        choice: Number of the answer, from 0.
        block: Number of the block within it, from 0.
        part: The finished part.
    """

    choice: int = 0
    block: int = 0
    part: Part


@frozen(kw_only=True)
class UsageEvent:
    """The tokens that the call used; comes once, before the finish.

    Attributes:
        usage: Tokens of the whole answer.
    """

    usage: Usage


@frozen(kw_only=True)
class FinishEvent:
    """The answer is complete; comes once, last.

    Attributes:
        finish_reason: Why the first choice ended.
        finish_reasons: The same for every choice.
    """

    finish_reason: str | None
    finish_reasons: tuple[str | None, ...]


StreamEvent: TypeAlias = (
    BlockStart
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | AudioDelta
    | BlockEnd
    | UsageEvent
    | FinishEvent
)
"""What `stream` and `stream_complete` yield."""
