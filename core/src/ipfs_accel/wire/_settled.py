"""What a chat's answer needs in either form, whole or assembled from a stream."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import Audio
from ipfs_accel.types._messages import sniff_media_type

__all__ = ["choice_index", "settle_finish_reason", "sound", "tool_call_id"]


def choice_index(value: Any) -> Any:
    """Refuse the one number that is none, which JSON has a form for: what is as large as 1e400."""
    if isinstance(value, float) and not value.is_integer():
        raise InvalidResponseError(f"the index of a choice is {value}")
    return value


def tool_call_id(given: Any, index: int, taken: Container[str] = ()) -> str:
    """Return the provider's id of a tool call, as text, or one made from its position where a server gives none.

    One that another call of the answer has already is told apart, so that a result names the call that it answers.
    """
    found = f"call_{index}" if given is None or given == "" else str(given)
    while found in taken:
        found = f"{found}_{index}"
    return found


def sound(data: bytes, id: str | None, transcript: str | None) -> Audio:  # noqa: A002 - the field's own name
    """Make the part for sound that a model made; raw samples have no mark, so they are what cannot be told."""
    kind = sniff_media_type(data) or ""
    return Audio(data=data, media_type=kind if kind.startswith("audio/") else "audio/pcm", id=id, transcript=transcript)


def settle_finish_reason(reason: str | None, *, has_tool_calls: bool) -> str | None:
    """Return `tool_calls` if there are any: servers say `stop` after a forced call, so the reason alone misleads."""
    return "tool_calls" if has_tool_calls and reason in {"stop", "function_call", None} else reason
