"""Limits of time, as calls and settings have them."""

from __future__ import annotations

from typing import Any

import attrs

from ipfs_accel._suggest import short
from ipfs_accel.types import Timeout

__all__ = ["Ceiling", "is_seconds", "wrong_limit"]


class Ceiling(float):
    """Seconds that a call may last at most, and less where its endpoint allows less."""


def is_seconds(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def wrong_limit(limits: Timeout) -> str | None:
    """Return what is wrong with the first wrong limit of several, by its name; None if all are right."""
    for field in attrs.fields(Timeout):
        value = getattr(limits, field.name)
        if value is not None and not is_seconds(value):
            return f"{field.name}: expected seconds above 0 or None, got {short(value)}"
    return None
