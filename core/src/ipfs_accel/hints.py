"""What a server's headers say of waiting: how long, and how much is left until then."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

__all__ = ["duration", "rate_limits", "retry_after"]

# Patterns are texts where most processes never need them.
# x-ratelimit-remaining-tokens, anthropic-ratelimit-input-tokens-remaining; without a name it is requests that count
_LIMIT = (
    r"(?a)x-ratelimit-(?P<kind>limit|remaining|reset)(?:-(?P<what>[\w-]+))?"
    r"|anthropic-(?:priority-)?ratelimit-(?P<what2>[\w-]+)-(?P<kind2>limit|remaining|reset)"
)
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST = 400 * 86_400.0
"""Seconds; no limit is counted over a longer time than a year."""
_MILLISECONDS = 1e11
"""A number from this on is no time in seconds since 1970: it would be in the year 5138."""
# Durations as Go writes them: 6m0s, 59.993s, 12ms
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
# The three forms of HTTP's dates (RFC 9110, 5.6.7), and offsets in place of GMT. The library has a parser for mails,
# which is much to load for that, and failures are no time to load anything.
_DATE = (
    r"(?ai)(?:[a-z]+,?\s+)?(?:(?P<day>\d{1,2})[\s-](?P<month>[a-z]{3})[\s-](?P<year>\d{4}|\d\d)\s+(?P<time>[\d:]+)"
    r"|(?P<month2>[a-z]{3})\s+(?P<day2>\d{1,2})\s+(?P<time2>[\d:]+)\s+(?P<year2>\d{4}))"
    r"(?:\s*(?:GMT|UTC?|Z|(?P<zone>[+-]\d{4})))?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after(headers: Headers, now: float | None = None) -> float | None:
    """Return the seconds that a response asks to wait, or None if it has no usable hint.

    Milliseconds headers come first, then `Retry-After` in seconds, then as a date (RFC 9110, 10.2.3), which is measured
    against the response's own `Date` so that clocks that differ do not matter. What is negative, zero or garbage is no
    hint.

    Args:
        headers: Of the response.
        now: Seconds since 1970 by the own clock, for a response that has no date.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value:
        until = _moment(value)
        sent = _sent(headers, now)
        seconds = until - sent if until is not None and sent is not None and until > sent else None
    return seconds


def _number(text: str | None) -> float | None:
    return _amount(text or "") or None


def _sent(headers: Headers, now: float | None) -> float | None:
    """Return when a response was sent, in seconds since 1970, by its own clock if it tells."""
    date = headers.get("date")
    sent = None if date is None else _moment(date)
    return now if sent is None else sent


def _moment(text: str) -> float | None:
    """Return the seconds since 1970 of a date of HTTP (RFC 9110, 5.6.7) or ISO 8601; UTC if it names no zone."""
    match = re.fullmatch(_DATE, text.strip())
    try:
        found = datetime.fromisoformat(_as_iso(match) if match else text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _as_iso(match: re.Match[str]) -> str:
    """Write a date of HTTP as ISO 8601 has it; a year of two digits means 1969 to 2068, as in mails."""
    day, month, year, time = (match[name] or match[f"{name}2"] for name in ("day", "month", "year", "time"))
    if len(year) < len("2000"):
        year = ("19" if year > "68" else "20") + year
    return f"{year}-{_MONTHS.index(month.lower()) + 1:02}-{int(day):02}T{time}{match['zone'] or ''}"


def rate_limits(
    headers: Headers, now: float | None = None
) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Return by name, such as requests or tokens: the limit, what remains of it, and the seconds until it is whole.

    What a server does not tell, or tells as nonsense, is None. `now` is as for `retry_after`.
    """
    found: dict[str, list[float | None]] = {}
    limit_of = re.compile(_LIMIT).fullmatch
    for name, value in headers.items():
        match = limit_of(name)
        if match is None:
            continue
        kind = match["kind"] or match["kind2"]
        entry = found.setdefault(match["what"] or match["what2"], [None, None, None])
        if kind == "reset":
            entry[2] = _reset(value, _sent(headers, now))
        else:
            entry[0 if kind == "limit" else 1] = _amount(value)
    return {name: (limit, left, reset) for name, (limit, left, reset) in found.items()}


def _amount(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.inf
    return value if math.isfinite(value) else None


def _reset(text: str, sent: float | None) -> float | None:
    """Read seconds as a number, as a duration, or as a time, which is measured by when the response was sent."""
    number, span = _amount(text), duration(text)
    seconds = number if number is not None else span
    if seconds is not None and seconds < _LONGEST:
        return seconds
    # So large a number is no wait but a time since 1970, in seconds or in milliseconds.
    moment = _moment(text) if number is None else number / 1000 if number >= _MILLISECONDS else number
    return None if moment is None or sent is None or moment - sent >= _LONGEST else max(0.0, moment - sent)


def duration(text: str) -> float | None:
    """Return the seconds of a duration as Go writes it, such as 2m59.56s, or None."""
    spans = _SPAN.findall(text)
    if not spans or "".join([number + unit for number, unit in spans]) != text:
        return None
    return sum([float(number) * _SECONDS[unit] for number, unit in spans])
