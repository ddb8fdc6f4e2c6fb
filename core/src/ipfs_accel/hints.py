"""What a server's headers say of waiting: how long, and how much is left until then."""

from __future__ import annotations

import math
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

__all__ = ["duration", "rate_limits", "retry_after"]

# x-ratelimit-remaining-tokens, anthropic-ratelimit-input-tokens-remaining
_LIMIT = re.compile(
    r"x-ratelimit-(?P<kind>limit|remaining|reset)-(?P<what>[\w-]+)"
    r"|anthropic-(?:priority-)?ratelimit-(?P<what2>[\w-]+)-(?P<kind2>limit|remaining|reset)",
    re.ASCII,
)
# Durations as Go writes them: 6m0s, 59.993s, 12ms
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


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


def rate_limits(headers: Headers) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Return by name, such as requests or tokens: the limit, what remains of it, and the seconds until it is whole.

    What a server does not tell, or tells as nonsense, is None.
    """
    found: dict[str, list[float | None]] = {}
    for name, value in headers.items():
        match = _LIMIT.fullmatch(name)
        if match is None:
            continue
        kind = match["kind"] or match["kind2"]
        entry = found.setdefault(match["what"] or match["what2"], [None, None, None])
        if kind == "reset":
            entry[2] = _reset(value, headers.get("date"))
        else:
            entry[0 if kind == "limit" else 1] = _amount(value)
    return {name: (limit, left, reset) for name, (limit, left, reset) in found.items()}


def _amount(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _reset(text: str, now: str | None) -> float | None:
    """Read seconds as a number, as a duration, or as a time, which is measured by the response's own `Date`."""
    seconds = _amount(text)
    if seconds is not None:
        return seconds
    seconds = duration(text)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, (datetime.fromisoformat(text) - parsedate_to_datetime(now or "")).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def duration(text: str) -> float | None:
    """Return the seconds of a duration as Go writes it, such as 2m59.56s, or None."""
    spans = _SPAN.findall(text)
    if not spans or "".join([number + unit for number, unit in spans]) != text:
        return None
    return sum([float(number) * _SECONDS[unit] for number, unit in spans])
