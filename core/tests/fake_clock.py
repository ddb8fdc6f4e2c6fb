"""A clock that a test turns by hand: whoever sleeps moves it on, and it notes for how long."""

from __future__ import annotations

from typing import Any

from ipfs_accel._resilience.clock import Clock


class FakeClock(Clock):
    """Stands still until somebody sleeps.

    Attributes:
        at: The time.
        chance: What `random` gives.
        slept: Seconds of each sleep.
    """

    def __init__(self, chance: float = 0.5) -> None:
        self.at = 1000.0
        self.chance = chance
        self.slept: list[float] = []

    def now(self) -> float:  # type: ignore[override]
        return self.at

    def time(self) -> float:  # type: ignore[override]
        return self.at

    def random(self) -> float:
        return self.chance

    def sleep(self, seconds: float | None, woken: Any = None) -> None:
        if woken is not None and woken.is_set():
            return
        assert seconds is not None, "nobody would wake this sleeper"
        self.slept.append(seconds)
        self.at += seconds

    async def sleep_async(self, seconds: float | None, woken: Any = None) -> None:
        self.sleep(seconds, woken)


class TickingClock(FakeClock):
    """Goes on by a second whenever somebody asks for the time, once `ticks` is True."""

    ticks = True

    def now(self) -> float:  # type: ignore[override]
        self.at += self.ticks
        return self.at
