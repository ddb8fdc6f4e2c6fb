"""What a failure says: of the row, of the server at this moment, or of all that the run asks."""

from __future__ import annotations

from typing import Literal

from ipfs_accel import errors as e

__all__ = ["Pace", "Verdict", "verdict"]

Verdict = Literal["end", "unclear", "busy", "broken", "again", "own"]
"""The run is at fault; the run or the row; the server has no time; it cannot be reached; try again; the row is."""

_OF_THE_RUN = (
    e.ConfigError,
    e.PluginError,
    e.UnsupportedOperationError,
    e.AuthenticationError,
    e.QuotaExceededError,
    e.ClientClosedError,
)
_BUSY = (e.RateLimitError, e.OverloadedError, e.CircuitOpenError, e.QueueFullError, e.PoolTimeoutError)
_PAYMENT_REQUIRED = 402


def verdict(error: e.AccelError) -> Verdict:
    """Return what a failure says."""
    if isinstance(error, _OF_THE_RUN) or getattr(error, "status", None) == _PAYMENT_REQUIRED:
        return "end"
    if isinstance(error, e.PermissionDeniedError | e.NotFoundError):
        return "unclear"
    if isinstance(error, _BUSY):
        return "busy"
    if isinstance(error, e.APIConnectionError) and not isinstance(error, e.APITimeoutError):
        return "broken"
    return "again" if getattr(error, "retryable", False) else "own"


class Pace:
    """When rows may be asked for: what one row is told of waiting holds for all.

    Args:
        now: The time.
        patience: Seconds without an answer after which a server that has no time, or cannot be reached, ends the run.
    """

    FIRST, LONGEST, UNMET = 1.0, 60.0, 30.0
    """Seconds of the first pause and of the longest, and those for a server that was never reached."""

    def __init__(self, now: float, patience: float) -> None:
        self._patience = patience
        self._answered_at = now
        self._is_met = False
        self._until = now
        self._delay = self.FIRST

    def answered(self, now: float) -> None:
        """Take note of an answer."""
        self._answered_at = now
        self._is_met = True
        self._delay = self.FIRST

    def failed(self, now: float, retry_after: float | None, *, is_met: bool) -> bool:
        """Take note that the server has no time, or is not there (`is_met` is False); return whether to go on."""
        self._is_met = self._is_met or is_met
        if retry_after is not None:
            self._until = max(self._until, now + retry_after)
        elif now >= self._until:  # of those that failed together the first counts
            self._until = now + self._delay
            self._delay = min(self.LONGEST, 2 * self._delay)
        patience = self._patience if self._is_met else min(self._patience, self.UNMET)
        return now - self._answered_at < patience

    def pause(self, now: float) -> float:
        """Return the seconds for which no row may be asked for."""
        return max(0.0, self._until - now)
