"""Numbers that may be text."""

from __future__ import annotations

from typing import Any

from ipfs_accel.wire.fields import optional

__all__ = ["Json", "count", "number"]

Json = dict[str, Any]


def number(value: Any, name: str) -> int | None:
    """Return a whole number, which may be text because it has 64 bits; None if it is missing.

    Raises:
        InvalidResponseError: It is no whole number.
    """
    found = value.get(name)
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    return optional(value, name, int)


def count(value: Any, name: str) -> int:
    """Return a number that is left out if it is 0."""
    return number(value, name) or 0
