"""Budgets: what a key, or a group of them, may spend in a day or a month. Pure; whole numbers, so that sums are exact.

Dollars are counted in billionths. What a request may need at most is reserved before anybody is asked, and settled by
what it used. All happens in one thread, between two steps of the loop, so that any number at once cannot overspend.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from ._errors import Refusal

if TYPE_CHECKING:
    from ._settings import BudgetSettings, Settings

__all__ = [
    "DOLLAR",
    "Book",
    "Calendar",
    "Count",
    "Limit",
    "Place",
    "Purse",
    "Reservation",
    "Unit",
    "in_billionths",
    "limits_for",
    "limits_of",
    "shown",
]

DOLLAR = 1_000_000_000
"""A dollar, in what dollars are counted in."""
Unit: TypeAlias = Literal["dollars", "tokens"]
Kind: TypeAlias = Literal["day", "month"]
Place: TypeAlias = tuple[str, str, Unit]
"""Where something is counted: whose it is (`key:NAME` or `group:NAME`), the day or month in ISO form, and what."""
_FIELDS: tuple[tuple[str, Unit, Kind], ...] = (
    ("budget_per_day", "dollars", "day"),
    ("budget_per_month", "dollars", "month"),
    ("tokens_per_day", "tokens", "day"),
    ("tokens_per_month", "tokens", "month"),
)
_SHARE = 100
_AHEAD = 8
_SOON = 1.0


def in_billionths(dollars: float) -> int:
    """Return dollars as they are counted; a part of one counts as one, but for what floats add by themselves."""
    return math.ceil(round(dollars * DOLLAR, 3))


class Calendar:
    """Which day and month it is, and when the next begin. It never goes back, whatever is done to the clock.

    Attributes:
        day: ISO date.
        month: Its first seven letters.
    """

    def __init__(self, zone: str, now: Callable[[], float] = time.time) -> None:
        self._zone = ZoneInfo(zone)
        self._now = now
        self._ends: dict[Kind, float] = {"day": 0.0, "month": 0.0}
        self.day = self.month = ""
        self.look()

    def look(self) -> bool:
        """See what time it is; returns whether another day has begun."""
        now = self._now()
        if now < self._ends["day"]:
            return False
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        self.day, self.month = today.strftime("%Y-%m-%d"), today.strftime("%Y-%m")
        next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        self._ends = {"day": (today + timedelta(days=1)).timestamp(), "month": next_month.timestamp()}
        return True

    def period(self, kind: Kind) -> str:
        """Return the name of the present day or month."""
        return self.day if kind == "day" else self.month

    def left(self, kind: Kind) -> float:
        """Return the seconds until the next day or month."""
        return max(0.0, self._ends[kind] - self._now())

    def renews(self, kind: Kind) -> str:
        """Return when the next one begins, for people."""
        return datetime.fromtimestamp(self._ends[kind], self._zone).isoformat()


class Count:
    """What is spent and what is reserved of one thing in one period.

    Attributes:
        place: Where it belongs.
        spent: What was used.
        reserved: What requests under way may still use.
        sure: Up to which sum of both the file says that it is spent: whatever happens now, so much is not forgotten.
    """

    __slots__ = ("_version", "place", "reserved", "spent", "sure")

    def __init__(self, place: Place, spent: int) -> None:
        self.place = place
        self.spent = self.sure = spent
        self.reserved = 0
        self._version = 0

    @property
    def total(self) -> int:
        """All that is spent or reserved."""
        return self.spent + self.reserved

    def written(self, amount: int) -> Callable[[], None]:
        """Note that an amount is on its way to the file; what is returned notes that it is there."""
        self._version += 1
        version, self.sure = self._version, min(self.sure, amount)

        def arrived() -> None:
            if version == self._version:  # else another amount comes after it
                self.sure = amount

        return arrived


class Book:
    """All counts of the present day and month, and of what is still under way from before.

    Args:
        calendar: Says which these are.
        known: What the file has of a place; None if it has nothing.
    """

    def __init__(self, calendar: Calendar, known: Callable[[Place], int | None]) -> None:
        self.calendar = calendar
        self._known = known
        self._counts: dict[Place, Count] = {}

    def count(self, scope: str, kind: Kind, unit: Unit) -> Count:
        """Return the count of the present period."""
        place: Place = (scope, self.calendar.period(kind), unit)
        found = self._counts.get(place)
        if found is None:
            found = self._counts[place] = Count(place, self._known(place) or 0)
        return found

    def unsettled(self) -> list[Count]:
        """Return the counts of which the file says more or less than is true; what is over is let go of."""
        present = {self.calendar.day, self.calendar.month}
        for place, count in list(self._counts.items()):
            if place[1] not in present and not count.reserved and count.sure == count.spent:
                del self._counts[place]
        return [count for count in self._counts.values() if count.sure != count.total]


class Limit(NamedTuple):
    """One limit of one scope; `name` and `whose` are for people."""

    name: str
    whose: str
    scope: str
    kind: Kind
    unit: Unit
    most: int


class Reservation:
    """What one request has reserved; `settle` is to be called in any case.

    Attributes:
        shares: Each count, with what was reserved of it and up to which sum the file has to say so before it is sent.
    """

    __slots__ = ("_is_settled", "shares")

    def __init__(self, shares: list[tuple[Count, int, int]]) -> None:
        self.shares = shares
        self._is_settled = False

    @property
    def is_sure(self) -> bool:
        """Whether the file knows of all of it."""
        return all(count.sure >= min(upto, count.total) for count, _, upto in self.shares)

    def settle(self, dollars: int, tokens: int) -> None:
        """Give back what was reserved and count what was used; what comes after the first time does nothing."""
        if not self._is_settled:
            self._is_settled = True
            for count, amount, _ in self.shares:
                count.reserved -= amount
                count.spent += dollars if count.place[2] == "dollars" else tokens


class Purse:
    """The limits of one key and of its group.

    Attributes:
        units: What is limited.
    """

    def __init__(self, book: Book, limits: Iterable[Limit]) -> None:
        self._book = book
        self._limits = tuple(limits)
        self._day = ""
        self._counts: list[tuple[Limit, Count]] = []
        self.units = frozenset([limit.unit for limit in self._limits])

    @classmethod
    def of(cls, book: Book, name: str, settings: Settings) -> Purse | None:
        """Return the limits of a key; None if it has none."""
        limits = limits_for(settings, name)
        return cls(book, limits) if limits else None

    def reserve(self, dollars: int, tokens: int) -> Reservation:
        """Reserve what a request may need at most.

        Raises:
            Refusal: It is more than is left.
        """
        self._look()
        for limit, count in self._counts:
            amount = dollars if limit.unit == "dollars" else tokens
            if count.spent + count.reserved + amount > limit.most:
                raise _refusal(limit, count, amount, self._book.calendar)
        shares = []
        for limit, count in self._counts:
            amount = dollars if limit.unit == "dollars" else tokens
            count.reserved += amount
            shares.append((count, amount, count.spent + count.reserved))
        return Reservation(shares)

    def _look(self) -> None:
        if self._book.calendar.look() or self._day != self._book.calendar.day:
            self._day = self._book.calendar.day
            self._counts = [(each, self._book.count(each.scope, each.kind, each.unit)) for each in self._limits]

    def ahead(self) -> list[tuple[Count, int]]:
        """Return up to which sums the file may say at once that these are spent, so that not each request waits for it.

        It is what some requests like those under way may need, and no more than a hundredth of the limit.
        """
        return [
            (count, min(count.total + min(_AHEAD * count.reserved, limit.most // _SHARE), max(limit.most, count.total)))
            for limit, count in self._counts
        ]

    def levels(self) -> list[tuple[Limit, Count]]:
        """Return each limit, with what is spent of it in the present period."""
        self._look()
        return self._counts

    def left(self) -> dict[str, float]:
        """Return what is left of each limit, by its name, dollars as such; a group's stand behind `group.`."""
        return {
            _label(limit): max(0, limit.most - count.total) / (DOLLAR if limit.unit == "dollars" else 1)
            for limit, count in self._counts
        }


def limits_of(settings: Settings) -> list[Limit]:
    """Return all limits of a configuration."""
    found = [limit for name, key in settings.keys.items() for limit in _limits(f"key:{name}", f"the key {name!r}", key)]
    for name, group in settings.groups.items():
        found += _limits(f"group:{name}", f"the group {name!r}", group)
    return found


def limits_for(settings: Settings, name: str) -> list[Limit]:
    """Return those of one key and of its group."""
    scopes = {f"key:{name}", f"group:{settings.keys[name].group}"}
    return [limit for limit in limits_of(settings) if limit.scope in scopes]


def _limits(scope: str, whose: str, settings: BudgetSettings) -> Iterable[Limit]:
    for name, unit, kind in _FIELDS:
        most = getattr(settings, name)
        if most is not None:
            yield Limit(name, whose, scope, kind, unit, in_billionths(most) if unit == "dollars" else int(most))


def _label(limit: Limit) -> str:
    return f"group.{limit.name}" if limit.scope.startswith("group:") else limit.name


def _refusal(limit: Limit, count: Count, amount: int, calendar: Calendar) -> Refusal:
    """Return what is said where a limit leaves no room for an amount."""
    left, renews = max(0, limit.most - count.spent), calendar.renews(limit.kind)
    of_it = f"{limit.name} of {limit.whose} ({shown(limit.most, limit.unit)})"
    if not left:
        said = f"{of_it} is used up until {renews}"
    elif amount > limit.most:
        said = f"this request may take {shown(amount, limit.unit)}, which is more than all of {of_it}; limit its answer"
        return Refusal(429, "quota", said, code="budget_exceeded")
    elif amount <= left:
        said = f"{of_it}: requests under way hold what is left of it; ask again when they have ended"
        return Refusal(429, "rate_limit", said, code="budget_reserved", retry_after=_SOON)
    else:
        said = (
            f"{of_it} has {shown(left, limit.unit)} left until {renews}, and this request may take "
            f"{shown(amount, limit.unit)}; a lower limit of its answer may fit"
        )
    return Refusal(429, "quota", said, code="budget_exceeded", retry_after=calendar.left(limit.kind))


def shown(amount: int, unit: Unit) -> str:
    """Return an amount for people."""
    if unit == "tokens":
        return f"{amount} tokens"
    text = f"{amount / DOLLAR:.6f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"
