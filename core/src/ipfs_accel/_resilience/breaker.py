"""A circuit breaker: a target that mostly fails is passed over for a while, then probed by one call at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

from .settings import BreakerConfig

__all__ = ["Breaker", "Outcome", "State"]

State: TypeAlias = Literal["closed", "open", "half_open", "isolated"]
Outcome: TypeAlias = Literal["success", "failure", "ignored"]
"""ignored: says nothing of the target, such as a cancellation, a refusal of the request or a rate limit."""

JITTER = 0.2
_FLOAT_SLACK = 1e-9


class Breaker:
    """The state of one target; may be shared by threads.

    A call asks `enter`, and tells `leave` how it went, in any case: a probe that nobody reports would block the target.
    Who the one probe is, is known by the id of its hold, so that it can be told from any other.

    Args:
        config: The numbers.
        random: Gives numbers from 0 to 1, so that many clients do not probe at the same moment.
    """

    def __init__(self, config: BreakerConfig, random: Callable[[], float]) -> None:
        self._config = config
        self._random = random
        self._lock = threading.Lock()
        self._buckets: deque[list[float]] = deque()  # second, calls, failures, slow calls
        self._is_open = False
        self._isolated = False
        self._probe: int | None = None
        self._successes = 0
        self._opened = 0
        self._retry_at = 0.0

    def state(self, now: float) -> State:
        """Return what a call would meet."""
        if self._isolated:
            return "isolated"
        if not self._is_open:
            return "closed"
        return "half_open" if now >= self._retry_at else "open"

    @property
    def is_closed(self) -> bool:
        """Whether calls may go on as usual; read without the lock: so it is nearly always."""
        return not (self._is_open or self._isolated)

    def enter(self, now: float, who: int) -> bool | None:
        """Return None if a call may go on as usual, True if it may go on as the one probe, False if it may not."""
        if self.is_closed:
            return None
        with self._lock:
            state = self.state(now)
            if state == "closed":
                return None
            if state == "half_open" and self._probe is None:
                self._probe = who
                return True
            return False

    def leave(self, outcome: Outcome, seconds: float, now: float, who: int) -> None:
        """Note how a call went that lasted some seconds."""
        probe = self._probe == who
        if outcome == "ignored" and not probe:
            return
        is_slow = seconds >= self._config.slow
        with self._lock:
            if probe:
                self._judge_probe(outcome, now, is_slow=is_slow)
            elif not self._is_open:
                self._count(outcome, now, is_slow=is_slow)

    def abandon(self, who: int) -> None:
        """Note that a call is gone, which may be the probe; for finalizers, which must not take a lock."""
        if self._probe == who:
            self._probe = None

    def isolate(self) -> None:
        """Let no call through until `restore`."""
        self._isolated = True

    def restore(self) -> None:
        """Close, whatever was known."""
        with self._lock:
            self._isolated = False
            self._close()

    def retry_after(self, now: float) -> float | None:
        """Return the seconds until a probe may go; None if that is not known."""
        if self._isolated or not self._is_open:
            return None
        return max(0.0, self._retry_at - now)

    def rates(self, now: float) -> tuple[int, float, float]:
        """Return how many calls the window has, and their shares of failed and slow ones."""
        with self._lock:
            return self._rates(now)

    def _rates(self, now: float) -> tuple[int, float, float]:
        buckets = self._buckets
        while buckets and buckets[0][0] <= now - self._config.window:
            buckets.popleft()
        calls = sum(bucket[1] for bucket in buckets)
        if not calls:
            return 0, 0.0, 0.0
        return int(calls), sum(bucket[2] for bucket in buckets) / calls, sum(bucket[3] for bucket in buckets) / calls

    def _count(self, outcome: Outcome, now: float, *, is_slow: bool) -> None:
        second = float(int(now))
        buckets = self._buckets
        if not buckets or buckets[-1][0] != second:
            buckets.append([second, 0, 0, 0])
            while buckets[0][0] <= now - self._config.window:
                buckets.popleft()
        bucket = buckets[-1]
        bucket[1] += 1
        if outcome == "success" and not is_slow:
            return
        bucket[2] += outcome == "failure"
        bucket[3] += is_slow
        calls, failed, slow = self._rates(now)
        config = self._config
        if calls >= config.min_calls and (
            failed >= config.failure_rate - _FLOAT_SLACK or slow >= config.slow_rate - _FLOAT_SLACK
        ):
            self._open(now)

    def _judge_probe(self, outcome: Outcome, now: float, *, is_slow: bool) -> None:
        self._probe = None
        if not self._is_open or outcome == "ignored":
            return
        if outcome == "failure" or is_slow:
            self._open(now)
            return
        self._successes += 1
        if self._successes >= self._config.successes:
            self._close()

    def _open(self, now: float) -> None:
        # Bounded before the power, which overflows otherwise after a long outage.
        config = self._config
        length = min(config.max_open_for, config.open_for * 2.0 ** min(self._opened, 30))
        self._opened += 1
        self._is_open = True
        self._successes = 0
        self._retry_at = now + length * (1 - JITTER * self._random())
        self._buckets.clear()

    def _close(self) -> None:
        self._is_open = False
        self._successes = self._opened = 0
        self._buckets.clear()
