"""What an endpoint lets through: concurrency, requests and tokens per minute, and the queue before them.

Nothing waits here. A call makes a `Ticket`, enters with it, and waits, as long as the ticket is not admitted, for its
wake-up or for the seconds that `Gate.delay` says.

Interrupts may come between any two steps. So a place is taken and given back in one step, by a set, where a second time
does nothing, and how many wait or are under way is never counted but looked at.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipfs_accel._values import frozen
from ipfs_accel.errors import QueueFullError

from .buckets import Bucket
from .lanes import Lanes, Priority, Ticket
from .optional import LimitsConfig

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

    from .told import Whose

__all__ = ["Gate", "Priority", "QueueState", "Ticket"]

SHORTEST_WAIT = 0.001

_RANKS: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}


@frozen(kw_only=True)
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
        self._entered = 0
        self._lanes = Lanes()
        self._lost: deque[Ticket] = deque()
        self._requests = Bucket(config.requests_per_minute, now())
        self._tokens = Bucket(config.tokens_per_minute, now())
        self._active: set[Ticket] = set()
        self._rejected = self._admitted = 0
        self._longest = 0.0

    @property
    def counts_tokens(self) -> bool:
        """Whether an estimate of the tokens is of use."""
        return self._config.tokens_per_minute is not None or self.reads_headers

    @property
    def reads_headers(self) -> bool:
        """Whether it matters by which key a call goes to which model."""
        return self._config.reads_headers

    def ticket(
        self, tokens: float, priority: Priority, whose: Whose | None = None, since: float | None = None
    ) -> Ticket:
        """Return a ticket that is in no queue yet.

        Args:
            tokens: An estimate.
            priority: Of the call.
            whose: Whose limit the server will count the call against; None if that is not known.
            since: When the call began to wait, if it did so before.
        """
        asked_at = self._now() if since is None else since
        # A constant head start for each priority: whoever waits long enough comes before all who come later.
        order = asked_at + _RANKS[priority] * self._config.age
        return Ticket(
            tokens=tokens, asked_at=asked_at, order=order, priority=priority, whose=whose, active=self._active
        )

    def enter(self, ticket: Ticket) -> None:
        """Queue a ticket; it may be admitted at once.

        Raises:
            QueueFullError: As many calls wait as may.
        """
        with self._lock:
            now = self._now()
            self._entered += 1
            ticket.entered = self._entered
            self._lanes.push(ticket, now)
            self._admit(now)
            waiting = 0 if ticket.admitted else self._lanes.count_waiting(self._config.max_queue)
            if waiting <= self._config.max_queue:
                return
            self._leave(ticket)
            self._rejected += 1
        raise QueueFullError(
            f"{waiting - 1} calls wait for this endpoint already, more may not",
            hint="send fewer at once, or raise limits.max_queue",
        )

    def read(self, headers: Headers, ticket: Ticket, sent_at: float) -> None:
        """Take in what the headers of a call's answer say of the server's own limits.

        Args:
            headers: Of the answer.
            ticket: The call's.
            sent_at: Seconds since 1970 by the own clock, for an answer that has no date.
        """
        if self.reads_headers and ticket.whose is not None:
            with self._lock:
                ticket.lane.hear(ticket, headers, sent_at, self._now())

    def wait_of(self, whose: Whose, tokens: float) -> float:
        """Return how many seconds a call would wait for what the server lets through, behind those that wait now."""
        with self._lock:
            lane = self._lanes.find(whose)
            return 0.0 if lane is None else lane.wait_for(tokens, self._now(), lane.waiting())

    def delay(self, ticket: Ticket) -> float | None:
        """Return the seconds after which a waiting call should look again; None if it will be woken."""
        with self._lock:
            now = self._now()
            self._admit(now)
            if ticket.lane.head() is not ticket:
                return None
            told = ticket.lane.wait_for(ticket.tokens, now)
            if not told and (self._lanes.first(now) is not ticket or self._is_full()):
                return None
            # Not less than a clock can tell: a wait that ends in the same moment would be asked for again and again.
            return max(SHORTEST_WAIT, told or max(self._requests.wait_for(1), self._tokens.wait_for(ticket.tokens)))

    def release(self, ticket: Ticket, used: float | None = None) -> None:
        """End an admitted call; `used` are its real tokens, None if they are unknown. Harmless the second time."""
        with self._lock:
            is_first = ticket.admitted and not ticket.gone
            self._leave(ticket)
            if is_first and used is not None:
                self._tokens.settle(ticket.tokens, used)
                ticket.lane.settle(ticket, used)
            self._admit(self._now())

    def cancel(self, ticket: Ticket) -> None:
        """Give up a ticket, admitted or not; what it had reserved comes back. Harmless the second time."""
        with self._lock:
            was_admitted = ticket.admitted and not ticket.gone
            self._leave(ticket)
            if was_admitted:
                self._tokens.settle(ticket.tokens, 0)
                self._requests.settle(1, 0)
                ticket.lane.settle(ticket, 0, requests=0)
            self._admit(self._now())

    def abandon(self, ticket: Ticket) -> None:
        """Note that whoever held a ticket is gone; for finalizers, which must not take a lock."""
        self._lost.append(ticket)

    def state(self) -> QueueState:
        """Return what goes on."""
        with self._lock:
            self._admit(self._now())
            waiting = [ticket.priority for ticket in self._lanes.waiting()]
            return QueueState(
                active=len(self._active),
                waiting={priority: waiting.count(priority) for priority in _RANKS},
                rejected=self._rejected,
                admitted=self._admitted,
                longest_wait=self._longest,
                requests_left=_finite(self._requests.level),
                tokens_left=_finite(self._tokens.level),
            )

    def _is_full(self) -> bool:
        return self._config.max_concurrent is not None and len(self._active) >= self._config.max_concurrent

    def _admit(self, now: float) -> None:
        """Let through as many as may go, and wake them and the next in line."""
        while self._lost:
            self._leave(self._lost[0])
            self._lost.popleft()
        self._requests.refill(now)
        self._tokens.refill(now)
        moved: list[Ticket] = []
        while (first := self._lanes.first(now)) is not None:
            if self._is_full() or self._requests.wait_for(1) or self._tokens.wait_for(first.tokens):
                break
            self._admitted += 1
            first.number = self._admitted
            self._active.add(first)
            self._requests.take(1)
            self._tokens.take(first.tokens)
            first.lane.admit(first)
            self._longest = max(self._longest, now - first.asked_at)
            moved.append(first)
        if moved:
            for ticket in dict.fromkeys([*moved, *[each.lane.head() for each in moved], first]):
                _wake(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Take a ticket out of all that it may be in."""
        was_head = ticket.lane.head() is ticket
        ticket.gone = True
        self._active.discard(ticket)
        ticket.lane.under_way.discard(ticket)
        if was_head:
            _wake(ticket.lane.head())
            _wake(self._lanes.first(self._now()))


def _wake(ticket: Ticket | None) -> None:
    if ticket is not None and ticket.wake is not None:
        ticket.wake()


def _finite(level: float) -> float | None:
    return None if level == float("inf") else level
