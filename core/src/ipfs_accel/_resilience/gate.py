"""What an endpoint lets through: concurrency, requests and tokens per minute, and the queue before them.

Nothing waits here. A call asks `Gate.request` for a ticket and waits, as long as the ticket is not admitted, for its
wake-up or for the seconds that `Gate.delay` says.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from ipfs_accel.errors import QueueFullError
from ipfs_accel.hints import rate_limits

from .buckets import Bucket
from .settings import LimitsConfig

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

__all__ = ["Gate", "Priority", "QueueState", "Ticket"]

SHORTEST_WAIT = 0.001

Priority: TypeAlias = Literal["high", "normal", "low"]
What: TypeAlias = Literal["requests", "tokens"]
_RANKS: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}


@attrs.define(eq=False, kw_only=True)
class Ticket:
    """One call's place; to be given back by `Gate.release` or `Gate.cancel` in any case.

    Attributes:
        tokens: Reserved, by estimate.
        asked_at: When it was asked for.
        order: Lower ones go first.
        admitted: Whether the call may go.
        wake: Called, by whichever thread, when something has changed for it.
    """

    tokens: float
    asked_at: float
    order: float
    priority: Priority
    admitted: bool = False
    gone: bool = False
    wake: Callable[[], None] | None = None


@attrs.frozen(kw_only=True)
class QueueState:
    """What goes on at a gate.

    Attributes:
        active: Calls under way.
        waiting: Calls that wait, by priority.
        rejected: Calls that found the queue full, so far.
        admitted: Calls that were let through, so far.
        longest_wait: Seconds that a call had to wait at most, so far.
        requests_left: Level of the bucket of requests; None if there is none.
        tokens_left: Level of the bucket of tokens; None if there is none.
    """

    active: int
    waiting: dict[Priority, int]
    rejected: int
    admitted: int
    longest_wait: float
    requests_left: float | None
    tokens_left: float | None


class Gate:
    """The limits of one endpoint; may be shared by threads."""

    def __init__(self, config: LimitsConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, Ticket]] = []
        self._number = 0
        self._lost: deque[Ticket] = deque()
        self._requests = Bucket(config.requests_per_minute, now())
        self._tokens = Bucket(config.tokens_per_minute, now())
        self._active = 0
        self._queued: dict[Priority, int] = {"high": 0, "normal": 0, "low": 0}
        self._rejected = self._admitted = 0
        self._longest = 0.0

    @property
    def counts_tokens(self) -> bool:
        """Whether an estimate of the tokens is of use."""
        return self._config.tokens_per_minute is not None or self._config.from_headers

    def read(self, headers: Headers, now: float | None = None) -> None:
        """Take in what an answer's headers say of the server's own limits.

        Args:
            headers: Of the answer.
            now: Seconds since 1970 by the own clock, for an answer that has no date.
        """
        if not self._config.from_headers:
            return
        found = rate_limits(headers, now)
        whats: tuple[What, ...] = ("requests", "tokens")
        for what in whats:
            limit, remaining, reset = found.get(what, (None, None, None))
            if remaining is not None:
                self.observe(what, limit, remaining, reset)

    def request(self, tokens: float, priority: Priority) -> Ticket:
        """Queue a call; its ticket may be admitted already.

        Raises:
            QueueFullError: As many calls wait as may.
        """
        now = self._now()
        # A constant head start for each priority: whoever waits long enough comes before all who come later.
        order = now + _RANKS[priority] * self._config.age
        ticket = Ticket(tokens=tokens, asked_at=now, order=order, priority=priority)
        with self._lock:
            self._number += 1
            heapq.heappush(self._heap, (order, self._number, ticket))
            self._queued[priority] += 1
            self._admit(now)
            waiting = sum(self._queued.values())
            if ticket.admitted or waiting <= self._config.max_queue:
                return ticket
            self._forget(ticket)
            self._rejected += 1
        raise QueueFullError(
            f"{waiting - 1} calls wait for this endpoint already, more may not",
            hint="send fewer at once, or raise limits.max_queue",
        )

    def delay(self, ticket: Ticket) -> float | None:
        """Return the seconds after which a waiting call should look again; None if it will be woken."""
        with self._lock:
            now = self._now()
            self._admit(now)
            head = self._head()
            if head is not ticket or self._is_full():
                return None
            # Not less than a clock can tell: a wait that ends in the same moment would be asked for again and again.
            return max(SHORTEST_WAIT, self._requests.wait_for(1), self._tokens.wait_for(ticket.tokens))

    def release(self, ticket: Ticket, used: float | None = None) -> None:
        """End an admitted call; `used` are its real tokens, None if they are unknown. Harmless the second time."""
        with self._lock:
            if not ticket.admitted or ticket.gone:
                return
            ticket.gone = True
            self._active -= 1
            if used is not None:
                self._tokens.settle(ticket.tokens, used)
            self._admit(self._now())

    def cancel(self, ticket: Ticket) -> None:
        """Give up a ticket, admitted or not; what it had reserved comes back."""
        with self._lock:
            if ticket.gone:
                return
            if ticket.admitted:
                ticket.gone = True
                self._active -= 1
                self._tokens.settle(ticket.tokens, 0)
                self._requests.settle(1, 0)
            else:
                self._forget(ticket)
            self._admit(self._now())

    def abandon(self, ticket: Ticket) -> None:
        """Note that whoever held a ticket is gone; for finalizers, which must not take a lock."""
        self._lost.append(ticket)

    def observe(self, what: What, limit: float | None, remaining: float, reset: float | None) -> None:
        """Take in what a rate-limit header said; see `Bucket.observe`."""
        with self._lock:
            bucket = self._requests if what == "requests" else self._tokens
            bucket.observe(limit, remaining, reset, self._now())

    def state(self) -> QueueState:
        """Return what goes on."""
        with self._lock:
            self._admit(self._now())
            return QueueState(
                active=self._active,
                waiting=dict(self._queued),
                rejected=self._rejected,
                admitted=self._admitted,
                longest_wait=self._longest,
                requests_left=_finite(self._requests.level),
                tokens_left=_finite(self._tokens.level),
            )

    def _is_full(self) -> bool:
        return self._config.max_concurrent is not None and self._active >= self._config.max_concurrent

    def _head(self) -> Ticket | None:
        while self._heap and self._heap[0][2].gone:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def _admit(self, now: float) -> None:
        """Let through as many as may go, and wake them and the next in line."""
        while self._lost:
            lost = self._lost.popleft()
            if not lost.gone and lost.admitted:
                lost.gone = True
                self._active -= 1
            elif not lost.gone:
                self._forget(lost)
        self._requests.refill(now)
        self._tokens.refill(now)
        moved = False
        while (head := self._head()) is not None:
            if self._is_full() or self._requests.wait_for(1) or self._tokens.wait_for(head.tokens):
                break
            heapq.heappop(self._heap)
            self._requests.take(1)
            self._tokens.take(head.tokens)
            head.admitted = True
            self._active += 1
            self._admitted += 1
            self._queued[head.priority] -= 1
            self._longest = max(self._longest, now - head.asked_at)
            moved = True
            _wake(head)
        if moved and head is not None:
            _wake(head)

    def _forget(self, ticket: Ticket) -> None:
        was_head = self._head() is ticket
        ticket.gone = True
        self._queued[ticket.priority] -= 1
        head = self._head()
        if was_head and head is not None:
            _wake(head)


def _wake(ticket: Ticket) -> None:
    if ticket.wake is not None:
        ticket.wake()


def _finite(level: float) -> float | None:
    return None if level == float("inf") else level
