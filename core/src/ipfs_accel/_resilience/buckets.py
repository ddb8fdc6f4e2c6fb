"""A token bucket that reserves by estimate and settles by what was really used."""

from __future__ import annotations

import math

__all__ = ["Bucket"]

BURST = 6


class Bucket:
    """An amount per minute, refilled steadily; not safe to share, its owner locks.

    It holds a sixth of the amount, so that a burst goes at once, and refills a little slower than the amount, so that
    no minute sees more than it.

    Args:
        per_minute: What a minute may see; None means no limit.
        now: The time.
    """

    def __init__(self, per_minute: float | None, now: float) -> None:
        self.capacity = math.inf if per_minute is None else max(1.0, per_minute / BURST)
        self._rate = math.inf
        if per_minute is not None:
            self._rate = (per_minute - self.capacity if self.capacity > 1 else per_minute) / 60
        self.level = self.capacity
        self._at = now

    def refill(self, now: float) -> None:
        """Let in what has come since the last time."""
        if now > self._at:
            if self.level < self.capacity:
                self.level = min(self.capacity, self.level + (now - self._at) * self._rate)
            self._at = now

    def wait_for(self, amount: float) -> float:
        """Return the seconds until an amount is there, as of the last refill; 0 if it is.

        An amount above the capacity waits for a full bucket and then leaves it in debt: it could never go otherwise.
        """
        missing = min(amount, self.capacity) - self.level
        return 0.0 if missing <= 0 else missing / self._rate

    def take(self, amount: float) -> None:
        """Take an amount; below zero it is a debt that the refill pays first."""
        self.level -= amount

    def settle(self, reserved: float, used: float) -> None:
        """Replace an estimate by what was used."""
        self.level = min(self.capacity, self.level + reserved - used)
