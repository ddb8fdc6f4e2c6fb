"""What an answer may leave out, and its times."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from ipfs_accel.wire.openai_errors import field

__all__ = ["given", "seconds"]

T = TypeVar("T")


def given(value: Any, name: str, kind: type[T]) -> T | None:
    """Return a member of a JSON object, or None if it is missing or null.

    Raises:
        InvalidResponseError: It is of another type; the message names it.
    """
    is_absent = isinstance(value, dict) and value.get(name) is None
    return None if is_absent else field(value, name, kind)


def seconds(date: Any) -> float | None:
    """Return an RFC 3339 time as seconds since 1970; None if there is none."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except (TypeError, ValueError):
        return None
