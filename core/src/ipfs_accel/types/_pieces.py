"""What streams yield that are no chats: pieces, without blocks; the answer is complete when they end."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._events import StreamEvent
from ._jobs import BatchResult
from ._media import Segment
from ._objects import ObjectInfo, ObjectPrefix
from ._predict import PredictResponse
from ._raw import ServerEvent


@frozen
class DataDelta:
    """A piece of sound, or of a file, in the form that was asked for.

    Attributes:
        data: The bytes.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")


@frozen(kw_only=True)
class PartialImage:
    """An unfinished version of a picture.

    Attributes:
        index: Counts the versions from 0.
        data: The bytes.
        media_type: Such as image/png.
    """

    index: int
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    media_type: str | None = None


@frozen(kw_only=True)
class Progress:
    """How far a transfer or another long task has come.

    Attributes:
        status: In the provider's words.
        item: What it is about, such as a file or a layer.
        completed: How much is done, in bytes where it is a transfer.
        total: Of how much; None if unknown.
    """

    status: str
    item: str | None = None
    completed: int | None = None
    total: int | None = None


StreamedEvent: TypeAlias = (
    StreamEvent
    | DataDelta
    | PartialImage
    | Segment
    | Progress
    | BatchResult
    | PredictResponse
    | ObjectInfo
    | ObjectPrefix
    | ServerEvent
)
"""What any stream may yield."""
