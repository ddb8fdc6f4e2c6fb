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
        per_minute: What a minute may see; None means no limit of our own, only what a server tells.
        now: The time.
    """

    def __init__(self, per_minute: float | None, now: float) -> None:
        self.capacity = math.inf if per_minute is None else max(1.0, per_minute / BURST)
        self._own_rate = math.inf
        if per_minute is not None:
            self._own_rate = (per_minute - self.capacity if self.capacity > 1 else per_minute) / 60
        self._rate = self._own_rate
        self.level = self.capacity
        self._at = now

    def refill(self, now: float) -> None:
        """Let in what has come since the last time."""
        if now > self._at:
            if self.level < self.capacity:
                self.level = min(self.capacity, self.level + (now - self._at) * self._rate)
                if self.level >= self.capacity and self._rate != self._own_rate:
                    self._rate = self._own_rate  # what the server told of is over
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

    def observe(self, limit: float | None, remaining: float, reset: float | None, now: float) -> None:
        """Believe a server that says how much is left, if that is less than we thought.

        Args:
            limit: Its limit, if it told.
            remaining: What it says is left.
            reset: Seconds until it is back at its limit, if it told.
            now: The time.
        """
        self.refill(now)
        if math.isinf(self.capacity):
            if limit is None or limit <= 0:
                return
            self.capacity = self.level = limit
            self._own_rate = self._rate = limit / 60
        if remaining < self.level:
            self.level = remaining
            goal = min(self.capacity, limit if limit is not None else self.capacity)
            if reset is not None and reset > 0 and goal > remaining:
                self._rate = min(self._own_rate, (goal - remaining) / reset)
