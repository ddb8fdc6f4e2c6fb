"""What stands before one endpoint, made once for each: retry budget, limits, keys, breakers, and what they counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel._fork import renewed_after_fork
from ipfs_accel.errors import (
    APIConnectionError,
    InternalServerError,
    InvalidResponseError,
    PoolTimeoutError,
    StreamError,
)

from .breaker import Breaker, Outcome
from .budget import RetryBudget
from .clock import Clock
from .settings import BreakerConfig, RetryConfig

if TYPE_CHECKING:
    from .batching import Batcher
    from .gate import Gate, Ticket
    from .keypool import KeyPolicy, KeyPool, PooledKey
    from .optional import BatchingConfig, LimitsConfig
    from .places import Place

__all__ = ["Guard", "GuardSettings", "Hold"]

MAX_BREAKERS = 1024
"""Models that are watched at once; those in order make room for further ones."""


class GuardSettings:
    """What an endpoint's configuration says of all this; None means that there is no such thing."""

    __slots__ = ("batching", "breaker", "key_policy", "limits", "retry")

    def __init__(
        self,
        *,
        retry: RetryConfig | None = None,
        breaker: BreakerConfig | None = None,
        limits: LimitsConfig | None = None,
        batching: BatchingConfig | None = None,
        key_policy: KeyPolicy = "round_robin",
    ) -> None:
        self.retry = RetryConfig() if retry is None else retry
        self.breaker = BreakerConfig() if breaker is None else breaker
        self.limits = limits
        self.batching = batching
        self.key_policy: KeyPolicy = key_policy


class Guard:
    """The state of one endpoint; may be shared by threads.

    Attributes:
        retry: How failures are tried again.
        budget: What is left for that.
        gate: The limits; None if none are configured.
        pool: The keys, if there are several; otherwise None.
        batcher: Joins small embeddings; None if that is not configured.
        under_way: The ids of attempts under way; its methods need no lock.
        is_isolated: Whether no call may go there at all.
        generation: Grows when it starts anew; what was taken before is then nobody's.
    """

    def __init__(self, settings: GuardSettings, keys: Sequence[Any], clock: Clock) -> None:
        self.clock = clock
        self.retry = settings.retry
        self.is_isolated = False
        self.generation = 0
        self._settings = settings
        self._keys = keys
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Forget all calls: in a forked child they are the parent's, and so are locks that somebody held."""
        settings, clock = self._settings, self.clock
        self.generation += 1
        self.budget = RetryBudget(settings.retry)
        self.gate: Gate | None = None
        self.pool: KeyPool | None = None
        self.batcher: Batcher | None = None
        self.under_way: set[int] = set()
        self._breakers: dict[str, Breaker] = {}
        if settings.limits is not None:
            from .gate import Gate  # noqa: PLC0415 - few endpoints have limits

            self.gate = Gate(settings.limits, clock.now)
        if settings.batching is not None:
            from .batching import Batcher  # noqa: PLC0415 - few endpoints have it

            self.batcher = Batcher(settings.batching, clock.now)
        if len(self._keys) > 1:
            from .keypool import KeyPool  # noqa: PLC0415 - few endpoints have several keys

            self.pool = KeyPool(self._keys, settings.key_policy, clock.now)

    @property
    def guards_last(self) -> bool:
        """Whether a call is refused while its only target counts as down."""
        return self._settings.breaker.even_last

    def breaker(self, model: str) -> Breaker | None:
        """Return the breaker of a model; None if outcomes are not watched."""
        found = self._breakers.get(model)
        if found is None and self._settings.breaker.enabled:
            if len(self._breakers) >= MAX_BREAKERS:
                now = self.clock.now()
                for name, each in list(self._breakers.items()):
                    if each.state(now) == "closed":
                        self._breakers.pop(name, None)
            found = self._breakers.setdefault(model, Breaker(self._settings.breaker, self.clock.random))
        return found

    def breakers(self) -> dict[str, Breaker]:
        """Return the breakers of the models that were called so far."""
        return dict(self._breakers)


class Hold:
    """What one attempt has taken and gives back: by `settle`, or when it is dropped.

    Interrupts may come between any two steps. Whatever is taken is therefore known, here or by the id of this object,
    before it counts; each part may be given back twice; and what an interrupted `settle` has left, `__del__` does.
    """

    __slots__ = (
        "_generation",
        "_guard",
        "_is_settled",
        "_place",
        "breaker",
        "first_at",
        "key",
        "spent",
        "started",
        "ticket",
    )

    def __init__(self, guard: Guard, breaker: Breaker | None, place: Place | None = None) -> None:
        self._guard = guard
        self._place = place
        self._generation = guard.generation
        self.started = guard.clock.now()
        self.first_at: float | None = None
        self.breaker = breaker
        self.key: PooledKey | None = None
        self.ticket: Ticket | None = None
        self.spent = 0
        self._is_settled = False
        guard.under_way.add(self._id)
        if place is not None:
            place.leave()

    @property
    def _id(self) -> int:
        # That of the call's place on its way here, if it had one: it is never counted twice.
        return id(self if self._place is None else self._place)

    def settle(self, error: BaseException | None, usage: Any = None) -> None:
        """Give back everything, and note how it went. Harmless the second time.

        Args:
            error: None for an answer; a cancellation says nothing of the target.
            usage: The tokens of the answer, where they are known.
        """
        guard = self._guard
        if self._is_settled or self._generation != guard.generation:
            return
        guard.under_way.discard(self._id)
        if self.ticket is not None and guard.gate is not None:
            if not self.ticket.admitted or not getattr(error, "sent", True):
                guard.gate.cancel(self.ticket)
            else:
                guard.gate.release(self.ticket, _tokens(error, usage))
        if self.key is not None and guard.pool is not None:
            guard.pool.give_back(self.key, self, error, usage)
        if self.breaker is not None:
            now = guard.clock.now()
            seconds = (self.first_at or now) - self.started
            self.breaker.leave(_outcome(error), seconds, now, id(self))
        self._is_settled = True
        if error is None:
            guard.budget.give_back(self.spent)

    def __del__(self) -> None:
        try:
            self._abandon()
        except BaseException:
            self._abandon()  # an interrupt, which goes no further from here
            raise

    def _abandon(self) -> None:
        # May run anywhere, even while this thread holds one of the locks: so nothing here takes one.
        if getattr(self, "_is_settled", True) or self._generation != self._guard.generation:
            return
        self._guard.under_way.discard(self._id)
        if self.breaker is not None:
            self.breaker.abandon(id(self))
        if self.key is not None and self._guard.pool is not None:
            self._guard.pool.abandon(self.key, self)
        if self.ticket is not None and self._guard.gate is not None:
            self._guard.gate.abandon(self.ticket)
        self._is_settled = True


def _tokens(error: BaseException | None, usage: Any) -> float | None:
    """Return the tokens that an attempt used; None if nobody knows, so that the estimate stands."""
    total: int | None = getattr(usage, "total_tokens", None)
    if total is None and usage is not None:
        total = usage.input_tokens  # embeddings have no output
    if total is None and getattr(error, "status", None) is not None:
        return 0.0  # a refusal costs none
    return total


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return "success"
    if isinstance(error, PoolTimeoutError) or not _is_servers(error):
        return "ignored"
    return "failure"


def _is_servers(error: BaseException) -> bool:
    if isinstance(error, APIConnectionError):
        return error.phase != "queue"
    return isinstance(error, InternalServerError | InvalidResponseError | StreamError)
