"""Parts of messages with fields that only OpenAI has."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, Opaque, Part, Text
from ipfs_accel.wire.openai_requests import wire_part

__all__ = ["block"]


def block(part: Part, **fields: Any) -> Opaque:
    """Write a part with further fields: `block(Text(text="…"), prompt_cache_breakpoint={"mode": "explicit"})`.

    Either API takes it; other providers leave it out.

    Raises:
        InvalidRequestError: The part is none of those that a message's content is made of.
    """
    if not isinstance(part, Text | Image | Audio | Document):
        raise InvalidRequestError(f"{type(part).__name__}: it is no part of a message's content")
    return Opaque(backend="openai", data={**wire_part(part), **fields})
