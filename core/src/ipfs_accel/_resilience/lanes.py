"""The calls of one key to one model, as an endpoint's limits see them: who waits, who is under way, what is left."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from ipfs_accel._values import define

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

    from .told import Told, Whose

__all__ = ["Lane", "Lanes", "Priority", "Ticket"]

MAX_LANES = 256
"""How many are remembered."""

Priority: TypeAlias = Literal["high", "normal", "low"]


@define(eq=False, kw_only=True)
class Ticket:
    """One call's place; to be given back by `Gate.release` or `Gate.cancel` in any case.

    Attributes:
        tokens: Reserved, by estimate.
        asked_at: When it was asked for.
        order: Lower ones go first.
        whose: Whose limit the server counts the call against.
        lane: Where it waits.
        entered: How many had entered before it.
        number: How many had been admitted before it.
        gone: Whether it was given back.
        wake: Called, by whichever thread, when something has changed for it.
    """

    tokens: float
    asked_at: float
    order: float
    priority: Priority
    whose: Whose | None = None
    lane: Lane = attrs.field(factory=lambda: _NOWHERE, repr=False)
    entered: int = 0
    number: int = 0
    gone: bool = False
    wake: Callable[[], None] | None = None
    _active: set[Ticket] = attrs.field(alias="active", repr=False)

    @property
    def admitted(self) -> bool:
        """Whether the call may go."""
        return self in self._active


class Lane:
    """The calls of one key to one model; whoever uses it holds its owner's lock.

    Attributes:
        under_way: Those that were admitted and have not ended.
    """

    def __init__(self) -> None:
        self.under_way: set[Ticket] = set()
        self._heap: list[tuple[float, int, Ticket]] = []
        self._told: dict[str, Told] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no call belongs to it."""
        return not self.under_way and self.head() is None

    def __len__(self) -> int:
        """Return how many wait at most: those who gave up may be among them."""
        return len(self._heap)

    def push(self, ticket: Ticket) -> None:
        """Queue a ticket; of two with the same order that which entered first goes first."""
        heapq.heappush(self._heap, (ticket.order, ticket.entered, ticket))

    def head(self) -> Ticket | None:
        """Return who is next."""
        heap = self._heap
        while heap and (heap[0][2].gone or heap[0][2].admitted):
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def waiting(self) -> list[Ticket]:
        """Return who waits."""
        return [ticket for _, _, ticket in self._heap if not (ticket.gone or ticket.admitted)]

    def admit(self, ticket: Ticket) -> None:
        """Note that a call is under way, and take what it needs."""
        self.under_way.add(ticket)
        self._take(ticket, 1, ticket.tokens)

    def settle(self, ticket: Ticket, used: float, requests: int = 1) -> None:
        """Replace what a call had reserved by what it used, unless the server has told what is left after it."""
        self._take(ticket, requests - 1, used - ticket.tokens)

    def wait_for(self, tokens: float, now: float, behind: Iterable[Ticket] = ()) -> float:
        """Return the seconds until the server would let a call through, after some others."""
        needed = {"requests": 1.0, "tokens": tokens}
        for each in behind:
            needed["requests"] += 1
            needed["tokens"] += each.tokens
        return max([told.wait_for(needed[what], now) for what, told in self._told.items()], default=0.0)

    def hear(self, ticket: Ticket, headers: Headers, sent_at: float, now: float) -> None:
        """Believe what the answer to a call says is left.

        It tells of the moment at which the call arrived: those that were admitted later are not counted yet, and what
        one of them has told already is newer.
        """
        from .told import told_by  # noqa: PLC0415 - few endpoints are limited so

        later = [each for each in self.under_way if each.number > ticket.number]
        for what, told in told_by(headers, sent_at, now).items():
            known = self._told.get(what)
            if known is not None and known.number > ticket.number and now < known.until:
                continue
            if told is None:
                self._told.pop(what, None)
                continue
            told.number = ticket.number
            told.level -= sum([1 if what == "requests" else each.tokens for each in later])
            self._told[what] = told

    @property
    def until(self) -> float:
        """When all that the server told is over."""
        return max([told.until for told in self._told.values()], default=0.0)

    def _take(self, ticket: Ticket, requests: float, tokens: float) -> None:
        for what, told in self._told.items():
            if ticket.number > told.number:
                told.level -= requests if what == "requests" else tokens


_NOWHERE: Lane = Lane()
"""Where tickets are before they enter."""


class Lanes:
    """All lanes of one endpoint; what they do is done by who holds its lock."""

    def __init__(self) -> None:
        self._known: dict[Whose | None, Lane] = {}
        self._queues: dict[Lane, None] = {}  # those in which somebody may wait

    def find(self, whose: Whose | None) -> Lane | None:
        """Return a lane, None if nothing is known of it."""
        return self._known.get(whose)

    def push(self, ticket: Ticket, now: float) -> None:
        """Queue a ticket in its lane."""
        lane = self._known.get(ticket.whose)
        if lane is None:
            if len(self._known) >= MAX_LANES:
                self._tidy(now)
            lane = self._known.setdefault(ticket.whose, Lane())
        ticket.lane = lane
        self._queues[lane] = None
        lane.push(ticket)

    def first(self, now: float) -> Ticket | None:
        """Return who goes next of those whom the server lets through."""
        found: Ticket | None = None
        for lane in list(self._queues):
            head = lane.head()
            if head is None:
                del self._queues[lane]
            elif (found is None or (head.order, head.entered) < (found.order, found.entered)) and not lane.wait_for(
                head.tokens, now
            ):
                found = head
        return found

    def waiting(self) -> list[Ticket]:
        """Return who waits."""
        return [ticket for lane in self._queues for ticket in lane.waiting()]

    def count_waiting(self, enough: int) -> int:
        """Return how many wait, exactly so if it is more than `enough`."""
        most = sum([len(lane) for lane in self._queues])
        return most if most <= enough else len(self.waiting())

    def _tidy(self, now: float) -> None:
        """Forget what is over, and a quarter in any case."""
        for whose, lane in sorted(self._known.items(), key=lambda each: each[1].until):
            if lane.is_idle and (lane.until <= now or len(self._known) > MAX_LANES * 3 // 4):
                del self._known[whose]
