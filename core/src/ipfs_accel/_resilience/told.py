"""What a server's rate-limit headers say is left, for the calls of one key to one model; forgotten when it is whole.

Servers count by key and by model, so that what one of them has left says nothing of the others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from ipfs_accel.hints import rate_limits

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

__all__ = ["Told", "Whose", "told_by"]

Whose: TypeAlias = tuple[object, str]
"""What tells a key from others, without being one, and the model."""

A_MINUTE = 60.0
"""How long a limit is believed that does not say when it is whole again."""

LONGEST = 25 * 3600.0
"""Seconds. Limits are counted over a day at most; who says more means something else, and will refuse calls if not."""


class Told:
    """What is left of one limit. It comes back steadily until the moment at which the limit is whole.

    Args:
        limit: The whole; None if that was not told.
        remaining: What was left.
        reset: Seconds until it is whole.
        now: The time.

    Attributes:
        level: What is left now.
        until: When the limit is whole.
        number: Of the call whose answer told of it; later ones are not counted in it.
    """

    __slots__ = ("_at", "_most", "_rate", "level", "number", "until")

    def __init__(self, limit: float | None, remaining: float, reset: float, now: float) -> None:
        self._most = math.inf if limit is None else max(limit, remaining)
        self._rate = 0.0 if limit is None else (self._most - remaining) / reset
        self._at = now
        self.level = remaining
        self.number = 0
        self.until = now + reset

    def wait_for(self, amount: float, now: float) -> float:
        """Return the seconds until an amount is there; 0 if it is, or if nothing is known any more."""
        if now >= self.until:
            return 0.0
        self.level = min(self._most, self.level + max(0.0, now - self._at) * self._rate)
        self._at = max(now, self._at)
        missing = min(amount, self._most) - self.level  # what is more than the whole waits for the whole
        if missing <= 0:
            return 0.0
        return min(missing / self._rate if self._rate else math.inf, self.until - now)


def told_by(headers: Headers, sent_at: float, now: float) -> dict[str, Told | None]:
    """Return what an answer says is left of requests and tokens; None for a limit that is whole.

    Args:
        headers: Of the answer.
        sent_at: Seconds since 1970 by the own clock, for an answer that has no date.
        now: The time by the clock that measures spans.
    """
    found: dict[str, Told | None] = {}
    for what, (limit, remaining, reset) in rate_limits(headers, sent_at).items():
        if what not in {"requests", "tokens"} or remaining is None:
            continue
        seconds = reset if reset is not None or not limit else A_MINUTE
        if seconds is not None and seconds <= LONGEST:
            found[what] = Told(limit, remaining, seconds, now) if seconds > 0 else None
    return found
