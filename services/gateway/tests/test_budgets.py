"""What budgets let in, against a simulation; and days and months."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._budgets import DOLLAR, Book, Calendar, Purse, Reservation, in_billionths, shown
from ipfs_accel_gateway._errors import Refusal

from .test_limits import hash_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def purses(clock: Clock, zone: str = "UTC", **keys: dict[str, Any]) -> dict[str, Purse]:
    groups = keys.pop("groups", {})
    settings = read_settings(
        {"keys": {name: {"hash": hash_of(name), **each} for name, each in keys.items()}, "groups": groups}
    )
    book = Book(Calendar(zone, clock), lambda _place: None)
    return {name: purse for name in keys if (purse := Purse.of(book, name, settings)) is not None}


def refusal(purse: Purse, dollars: float, tokens: int = 0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        purse.reserve(in_billionths(dollars), tokens)
    return caught.value


@given(
    limits=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))),
    order=st.randoms(use_true_random=False),
)
def test_no_order_of_ends_overspends(
    limits: tuple[int, int, int], steps: list[tuple[str, int, int, int]], order: Any
) -> None:
    """Any number under way, ended in any order by use, by failure (nothing used) and by leaving (some used)."""
    a, b, shared = limits
    clock = Clock()
    found = purses(
        clock,
        a={"tokens_per_day": a, "group": "g"},
        b={"tokens_per_month": b, "group": "g"},
        groups={"g": {"tokens_per_day": shared}},
    )
    most = {"a": a, "b": b, "g": shared}
    spent, held = dict.fromkeys("abg", 0), dict.fromkeys("abg", 0)
    under_way: list[tuple[str, int, Reservation]] = []

    def end(used: int) -> None:
        key, amount, reservation = under_way.pop(order.randrange(len(under_way)))
        used = min(used, amount)
        reservation.settle(0, used)
        reservation.settle(0, amount)  # the second time nothing
        for scope in (key, "g"):
            held[scope] -= amount
            spent[scope] += used

    for key, amount, used, ends in steps:
        fits = all(spent[scope] + held[scope] + amount <= most[scope] for scope in (key, "g"))
        try:
            reservation = found[key].reserve(0, amount)
        except Refusal:
            assert not fits
        else:
            assert fits
            under_way.append((key, amount, reservation))
            for scope in (key, "g"):
                held[scope] += amount
        if under_way and ends < 20:
            end(used)
        for scope in "abg":
            assert spent[scope] + held[scope] <= most[scope]
    while under_way:
        end(order.randrange(20))
    left = {name: purse.left() for name, purse in found.items()}
    assert left["a"] in ({}, {"tokens_per_day": a - spent["a"], "group.tokens_per_day": shared - spent["g"]})
    assert left["b"] in ({}, {"tokens_per_month": b - spent["b"], "group.tokens_per_day": shared - spent["g"]})


def test_a_day_renews_and_a_month_does_not() -> None:
    clock = Clock(datetime(2026, 11, 29, 23, 59, 50, tzinfo=UTC).timestamp())
    purse = purses(clock, a={"budget_per_day": 1.0, "budget_per_month": 1.5})["a"]
    late = purse.reserve(DOLLAR, 0)
    told = refusal(purse, 0.5)
    assert (told.status, told.kind, told.code, told.retry_after) == (429, "rate_limit", "budget_reserved", 1.0)
    late.settle(DOLLAR, 0)
    told = refusal(purse, 0.5)
    assert (told.status, told.kind, told.code) == (429, "quota", "budget_exceeded")
    assert told.retry_after == pytest.approx(10)
    assert told.message == "budget_per_day of the key 'a' ($1.00) is used up until 2026-11-30T00:00:00+00:00"
    clock.now += 10
    purse.reserve(DOLLAR // 2, 0).settle(DOLLAR // 2, 0)
    told = refusal(purse, 0.01)
    assert "budget_per_month of the key 'a' ($1.50) is used up until 2026-12-01" in told.message
    assert told.retry_after == pytest.approx(24 * 3600)
    clock.now += 24 * 3600
    purse.reserve(DOLLAR, 0)


def test_what_ends_after_midnight_belongs_to_the_day_before() -> None:
    clock = Clock()
    purse = purses(clock, a={"tokens_per_day": 10})["a"]
    late = purse.reserve(0, 10)
    clock.now += 24 * 3600
    early = purse.reserve(0, 10)
    late.settle(0, 10)
    assert refusal(purse, 0, 1).code == "budget_reserved"
    early.settle(0, 0)
    purse.reserve(0, 10)


def test_a_clock_that_is_set_back_renews_nothing() -> None:
    clock = Clock()
    purse = purses(clock, a={"tokens_per_day": 10})["a"]
    purse.reserve(0, 10).settle(0, 10)
    clock.now -= 3 * 24 * 3600
    assert refusal(purse, 0, 1).code == "budget_exceeded"


@pytest.mark.parametrize(
    ("zone", "moment", "day", "seconds"),
    [
        ("UTC", datetime(2026, 11, 30, 23, tzinfo=UTC), "2026-11-30", 3600),
        ("Asia/Tokyo", datetime(2026, 11, 30, 23, tzinfo=UTC), "2026-12-01", 16 * 3600),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), "2026-10-25", 25 * 3600),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), "2026-03-29", 23 * 3600),
    ],
    ids=["utc", "tokyo", "long day", "short day"],
)
def test_days_of_a_zone(zone: str, moment: datetime, day: str, seconds: int) -> None:
    calendar = Calendar(zone, Clock(moment.timestamp()))
    assert (calendar.day, calendar.month, calendar.left("day")) == (day, day[:7], seconds)


def test_what_does_not_fit_says_what_would() -> None:
    purse = purses(Clock(), a={"budget_per_day": 1.0})["a"]
    told = refusal(purse, 1.5)
    assert (told.code, told.retry_after) == ("budget_exceeded", None)
    assert "may take $1.50, which is more than all of budget_per_day" in told.message
    purse.reserve(DOLLAR // 2, 0).settle(DOLLAR // 2, 0)
    assert "has $0.50 left until" in refusal(purse, 0.6).message


def test_amounts_for_people() -> None:
    assert [shown(amount, "dollars") for amount in (DOLLAR, 1_500_000, 0)] == ["$1.00", "$0.0015", "$0.00"]
    assert shown(5, "tokens") == "5 tokens"
