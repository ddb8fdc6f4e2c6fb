"""When a server says how long to wait."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._headers import Headers

__all__ = ["retry_after"]


def retry_after(headers: Headers) -> float | None:
    """Return the seconds that a response asks to wait, or None if it has no usable hint.

    Milliseconds headers come first, then `Retry-After` in seconds, then as a date, which is measured against the
    response's own `Date` so that clocks that differ do not matter. What is negative, zero or garbage is no hint.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value:
        seconds = _until(value, headers.get("date"))
    return seconds


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _until(date: str, now: str | None) -> float | None:
    try:
        seconds = (parsedate_to_datetime(date) - parsedate_to_datetime(now or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None
