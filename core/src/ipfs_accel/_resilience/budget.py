"""How many retries an endpoint can afford, after the retry quota of AWS's SDKs."""

from __future__ import annotations

import threading

from .settings import RetryConfig

__all__ = ["RetryBudget"]


class RetryBudget:
    """Tokens for retries: each costs some, successes bring them back; may be shared by threads."""

    def __init__(self, config: RetryConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self.tokens = config.budget

    def spend(self, *, throttled: bool) -> int | None:
        """Take what one retry costs; return it, or None if too little is left."""
        cost = self._config.throttle_cost if throttled else self._config.cost
        with self._lock:
            if self.tokens < cost:
                return None
            self.tokens -= cost
        return cost

    def refund(self, spent: int) -> None:
        """Take back the cost of a retry that was not made."""
        with self._lock:
            self.tokens = min(self._config.budget, self.tokens + spent)

    def give_back(self, spent: int) -> None:
        """Note a success: the cost of the last retry comes back, one token if there was none."""
        # Read without the lock: nearly always the budget is full.
        if self.tokens < self._config.budget:
            with self._lock:
                self.tokens = min(self._config.budget, self.tokens + (spent or 1))
