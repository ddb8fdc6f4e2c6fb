"""What an answer may leave out, numbers that may be text, and times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from ipfs_accel.wire.openai_errors import field

__all__ = ["Json", "count", "given", "number", "rest", "seconds"]

T = TypeVar("T")
Json = dict[str, Any]


def given(value: Any, name: str, kind: type[T]) -> T | None:
    """Return a member of a JSON object, or None if it is missing or null.

    Raises:
        InvalidResponseError: It is of another type; the message names it.
    """
    is_absent = isinstance(value, dict) and value.get(name) is None
    return None if is_absent else field(value, name, kind)


def number(value: Any, name: str) -> int | None:
    """Return a whole number, which may be text because it has 64 bits; None if it is missing.

    Raises:
        InvalidResponseError: It is no whole number.
    """
    found = value.get(name)
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    return given(value, name, int)


def count(value: Any, name: str) -> int:
    """Return a number that is left out if it is 0."""
    return number(value, name) or 0


def rest(value: Mapping[str, Any], known: Collection[str]) -> Json:
    """Return what is there beside the known fields."""
    return {name: each for name, each in value.items() if name not in known and each is not None}


def seconds(date: Any) -> float | None:
    """Return an RFC 3339 time as seconds since 1970; None if there is none."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except (TypeError, ValueError):
        return None
