"""Members of JSON objects, read with errors that name them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidResponseError

__all__ = ["field", "id_of", "number", "optional", "rest", "seconds"]

T = TypeVar("T")


def field(value: Any, name: str, kind: type[T]) -> T:
    """Return a member of a JSON object.

    Raises:
        InvalidResponseError: It is missing or of another type; the message names it.
    """
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        what = "missing" if found is None else f"{type(found).__name__} instead of {kind.__name__}"
        raise InvalidResponseError(f"the answer does not have the form of this API: {name!r} is {what}")
    return found


def optional(value: Any, name: str, kind: type[T]) -> T | None:
    """Return a member of a JSON object, or None if it is missing or null.

    Raises:
        InvalidResponseError: It is of another type; the message names it.
    """
    is_absent = isinstance(value, dict) and value.get(name) is None
    return None if is_absent else field(value, name, kind)


def number(value: Any, name: str, place: str, hint: str | None = None) -> float:
    """Return a finite number that is a member of a JSON object.

    Raises:
        InvalidResponseError: It is none, or too large; the message has `place`, which says where the object stands.
    """
    found = value.get(name) if isinstance(value, dict) else None
    try:
        if type(found) in _NUMBERS and math.isfinite(result := float(found)):  # type: ignore[arg-type]
            return result
    except OverflowError:  # an integer beyond what a float holds
        pass
    said = "null or missing" if found is None else short(found)
    raise InvalidResponseError(f"{place}: {name!r} is {said} instead of a finite number", hint=hint)


_NUMBERS = {int, float}


def id_of(value: Any) -> str | None:
    """Return an id as text, or None if there is none; some hosts, such as NVIDIA's, number theirs."""
    return value or None if value is None or isinstance(value, str) else str(value)


def rest(value: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what an object has beside the known members, without what is null."""
    return {name: each for name, each in value.items() if name not in known and each is not None}


def seconds(date: Any) -> float | None:
    """Return an RFC 3339 time as seconds since 1970; None if it is none."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
