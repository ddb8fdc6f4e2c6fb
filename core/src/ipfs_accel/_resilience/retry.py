"""Which failures are tried again, and when: the one retry layer.

tenacity runs the loop; it is loaded at the first failure that may be retried, so that calls which succeed do not know
of it. It never sleeps here: `Retries` tells the steps of a call how long to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import tenacity

from ipfs_accel.errors import AccelError, APIConnectionError, APIError, APITimeoutError, RateLimitError

from .budget import RetryBudget
from .settings import RetryConfig

__all__ = ["Kind", "Retries", "kind_of"]

Kind: TypeAlias = Literal["free", "transient", "throttle", "ambiguous"]
"""free: nothing was sent; throttle: the server wants less; ambiguous: it may be at work, or have answered, unseen."""

HINT_JITTER = 0.1
_THROTTLES = {429}


def kind_of(error: BaseException) -> Kind | None:
    """Return what kind of failure may be tried again; None for one that may not."""
    if not isinstance(error, APIError) or not error.retryable:
        return None
    if isinstance(error, APIConnectionError):
        if not error.sent:
            return "free"
        is_read_timeout = isinstance(error, APITimeoutError) and error.phase != "write"
        return "ambiguous" if is_read_timeout else "transient"
    if isinstance(error, RateLimitError) or error.status in _THROTTLES:
        return "throttle"
    return "transient"


class Retries:
    """The retries of one target within one call.

    Args:
        config: The numbers.
        budget: What the endpoint can afford.
        random: Gives numbers from 0 to 1.
        remaining: Gives the seconds that the call has left; None is no limit.
        may_repeat: Whether the request may be sent again although the server may have acted on it.
        may_be_at_work: Whether a silent server is likely to be at work still, which another attempt would double.
        waited: Seconds that the call has waited between attempts already.
    """

    def __init__(
        self,
        config: RetryConfig,
        budget: RetryBudget,
        random: Callable[[], float],
        remaining: Callable[[], float | None],
        *,
        may_repeat: bool = True,
        may_be_at_work: bool = False,
        waited: float = 0.0,
    ) -> None:
        self._config = config
        self._budget = budget
        self._random = random
        self._remaining = remaining
        self._may_repeat = may_repeat
        self._may_ask_silent = may_repeat and not may_be_at_work
        self._ambiguous = 0
        self.spent = 0
        self.waited = waited
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_worth_it),
            wait=self._wait,
            stop=self._is_the_last,
            reraise=True,
        )
        self._retrying.begin()
        self._state = tenacity.RetryCallState(self._retrying, None, (), {})

    def next_wait(self, error: AccelError) -> float:
        """Return how many seconds to wait before the next attempt.

        Raises:
            AccelError: The same error: it may not be tried again, or not any more.
        """
        state = self._state
        state.set_exception((type(error), error, error.__traceback__))
        try:
            self._retrying.iter(retry_state=state)
        finally:
            # Otherwise the error and this state hold each other, and with them the frames of the call.
            state.outcome = None
        state.prepare_for_next_attempt()
        self.waited += state.upcoming_sleep
        return state.upcoming_sleep

    def _is_worth_it(self, error: BaseException) -> bool:
        kind = kind_of(error)
        if kind == "ambiguous":
            self._ambiguous += 1
            return self._may_ask_silent and self._ambiguous == 1
        if kind == "transient" and isinstance(error, APIConnectionError):
            return self._may_repeat
        if kind is not None:
            hint = getattr(error, "retry_after", None)
            return hint is None or hint <= self._config.max_hint
        return False

    def _is_the_last(self, state: Any) -> bool:
        # The budget comes last, since it is the one that takes something.
        return (
            state.attempt_number >= self._config.attempts or self._does_not_fit(state) or self._is_too_expensive(state)
        )

    def _wait(self, state: Any) -> float:
        error = state.outcome.exception()
        config = self._config
        hint = error.retry_after
        if hint is not None and 0 < hint <= config.max_hint:
            return float(hint * (1 + HINT_JITTER * self._random()))
        base = config.throttle_base if kind_of(error) == "throttle" else config.base
        longest: float = min(config.max_wait, base * 2.0 ** (state.attempt_number - 1))
        return longest * self._random()

    def _does_not_fit(self, state: Any) -> bool:
        seconds, remaining = state.upcoming_sleep, self._remaining()
        fits = self.waited + seconds <= self._config.total_wait and (remaining is None or seconds < remaining)
        if not fits:
            error = state.outcome.exception()
            if error.retry_after is None:
                error.retry_after = seconds
        return not fits

    def _is_too_expensive(self, state: Any) -> bool:
        kind = kind_of(state.outcome.exception())
        if kind == "free":
            return False
        spent = self._budget.spend(throttled=kind == "throttle")
        self.spent = spent or 0
        return spent is None
