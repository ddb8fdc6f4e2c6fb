from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel._headers import Headers
from ipfs_accel._resilience.buckets import Bucket
from ipfs_accel._resilience.estimate import tokens_of
from ipfs_accel._resilience.gate import Gate, Priority, Ticket
from ipfs_accel._resilience.settings import LimitsConfig
from ipfs_accel.errors import QueueFullError
from ipfs_accel.types import ChatRequest, CompletionRequest, EmbedRequest, Message, RerankRequest


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def make(**config: Any) -> tuple[Gate, Time]:
    time = Time()
    return Gate(LimitsConfig(**config), time), time


def test_concurrency() -> None:
    gate, _ = make(max_concurrent=2)
    first, second, third = [gate.request(0, "normal") for _ in range(3)]
    assert (first.admitted, second.admitted, third.admitted) == (True, True, False)
    assert gate.delay(third) is None
    gate.release(first)
    assert third.admitted
    gate.release(first)
    assert gate.state().active == 2


def test_requests_go_in_a_burst_and_then_at_a_pace() -> None:
    gate, time = make(requests_per_minute=60)
    tickets = [gate.request(0, "normal") for _ in range(12)]
    assert [ticket.admitted for ticket in tickets].count(True) == 10
    delay = gate.delay(tickets[10])
    assert delay == pytest.approx(1.2)
    time.at += 1.2
    assert gate.delay(tickets[11]) == pytest.approx(1.2)
    assert tickets[10].admitted


@given(st.integers(1, 600), st.lists(st.floats(0, 5), max_size=200))
def test_no_minute_sees_more_than_the_limit(limit: int, pauses: list[float]) -> None:
    gate, time = make(requests_per_minute=limit)
    admitted: list[float] = []
    for pause in pauses:
        time.at += pause
        ticket = gate.request(0, "normal")
        if ticket.admitted:
            admitted.append(time.at)
        gate.cancel(ticket) if not ticket.admitted else gate.release(ticket)
    for start in admitted:
        assert len([at for at in admitted if start <= at < start + 60]) <= max(limit, 2)


def test_tokens_are_reserved_by_estimate_and_settled_by_usage() -> None:
    gate, time = make(tokens_per_minute=600)
    first = gate.request(100, "normal")
    second = gate.request(50, "normal")
    assert (first.admitted, second.admitted) == (True, False)
    gate.release(first, used=40)
    assert second.admitted
    assert gate.state().tokens_left == 10
    gate.release(second, used=500)
    assert gate.state().tokens_left == -440
    third = gate.request(1, "normal")
    assert gate.delay(third) == pytest.approx(441 / (500 / 60))
    time.at += 60
    assert gate.delay(third) is None
    assert third.admitted


def test_more_than_a_burst_of_tokens_can_go_and_leaves_a_debt() -> None:
    gate, _ = make(tokens_per_minute=600)
    assert gate.request(5000, "normal").admitted
    assert not gate.request(1, "normal").admitted


def test_a_call_that_was_given_up_gives_back_what_it_had_reserved() -> None:
    gate, _ = make(tokens_per_minute=600, requests_per_minute=60)
    ticket = gate.request(100, "normal")
    gate.cancel(ticket)
    gate.cancel(ticket)
    state = gate.state()
    assert (state.active, state.tokens_left, state.requests_left) == (0, 100, 10)


def test_priorities_and_how_waiting_lifts_them() -> None:
    gate, time = make(max_concurrent=1, age=10)
    running = gate.request(0, "normal")
    low = gate.request(0, "low")
    time.at = 5
    normal = gate.request(0, "normal")
    high = gate.request(0, "high")
    time.at = 21
    late_high = gate.request(0, "high")
    order = []
    waiting = {"low": low, "normal": normal, "high": high, "late_high": late_high}
    while waiting:
        gate.release(running)
        (name,) = [name for name, ticket in waiting.items() if ticket.admitted]
        order.append(name)
        running = waiting.pop(name)
    assert order == ["high", "normal", "low", "late_high"]


def test_the_queue_is_bounded() -> None:
    gate, _ = make(max_concurrent=1, max_queue=2)
    [gate.request(0, "normal") for _ in range(3)]
    with pytest.raises(QueueFullError, match="2 calls wait"):
        gate.request(0, "high")
    state = gate.state()
    assert (state.rejected, state.waiting) == (1, {"high": 0, "normal": 2, "low": 0})


def test_whoever_waits_is_woken_when_it_may_go_and_when_it_is_next() -> None:
    gate, _ = make(max_concurrent=1)
    first, second, third = [gate.request(0, "normal") for _ in range(3)]
    woken: list[str] = []
    second.wake = lambda: woken.append("second")
    third.wake = lambda: woken.append("third")
    gate.release(first)
    assert woken == ["second", "third"]


@pytest.mark.parametrize("is_admitted", [True, False])
def test_a_ticket_whose_holder_was_dropped_blocks_nobody(is_admitted: bool) -> None:
    gate, _ = make(max_concurrent=1)
    first, second = gate.request(0, "normal"), gate.request(0, "normal")
    gate.abandon(first if is_admitted else second)
    state = gate.state()
    assert (state.active, state.waiting["normal"], second.admitted) == (1, 0, is_admitted)


def test_the_servers_own_word_counts_where_it_allows_less() -> None:
    gate, time = make()
    headers = {
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    gate.read(Headers(list(headers.items())))
    ticket = gate.request(600, "normal")
    assert gate.delay(ticket) == pytest.approx(6)
    time.at += 6
    assert gate.delay(ticket) is None
    gate.read(Headers([("anthropic-ratelimit-requests-remaining", "0"), ("anthropic-ratelimit-requests-limit", "50")]))
    assert not gate.request(1, "normal").admitted


def test_it_is_not_believed_where_that_is_switched_off() -> None:
    gate, _ = make(from_headers=False)
    gate.read(Headers([("x-ratelimit-limit-requests", "1"), ("x-ratelimit-remaining-requests", "0")]))
    assert gate.request(1, "normal").admitted


def test_a_bucket_without_a_limit_of_its_own() -> None:
    bucket = Bucket(None, 0.0)
    bucket.take(1e12)
    bucket.refill(1.0)
    assert bucket.wait_for(1e12) == 0
    assert math.isinf(bucket.level)


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        (ChatRequest(model="m", messages=(Message.user("x" * 40),)), 10),
        (ChatRequest(model="m", messages=(Message.user("x" * 40),), max_tokens=5), 15),
        (CompletionRequest(model="m", prompt=("x" * 8, "y" * 8), max_tokens=1), 5),
        (CompletionRequest(model="m", prompt=((1, 2, 3),)), 3),
        (EmbedRequest(model="m", inputs=("x" * 8, (1, 2))), 4),
        (RerankRequest(model="m", query="x" * 4, documents=("y" * 4, "z" * 4)), 4),
        (None, 0),
    ],
)
def test_estimates(request_: Any, tokens: float) -> None:
    assert tokens_of(request_) == tokens


class Machine(RuleBasedStateMachine):
    """Whatever happens: never more at once than may, the books are right, and nobody is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.time = make(max_concurrent=3, requests_per_minute=120, tokens_per_minute=1200, max_queue=5)
        self.tickets: list[Ticket] = []

    @rule(tokens=st.integers(0, 300), priority=st.sampled_from(["high", "normal", "low"]))
    def request(self, tokens: int, priority: Priority) -> None:
        waiting = sum(not ticket.admitted for ticket in self.tickets)
        try:
            self.tickets.append(self.gate.request(tokens, priority))
        except QueueFullError:
            assert waiting >= 5

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), how=st.sampled_from(["release", "unknown", "cancel", "abandon"]), used=st.integers(0, 500))
    def end(self, data: Any, how: str, used: int) -> None:
        ticket = data.draw(st.sampled_from(self.tickets))
        self.tickets.remove(ticket)
        if how == "abandon":
            self.gate.abandon(ticket)
            self.gate.state()
        elif how == "cancel" or not ticket.admitted:
            self.gate.cancel(ticket)
        else:
            self.gate.release(ticket, used if how == "release" else None)

    @rule(seconds=st.floats(0.01, 100))
    def pass_time(self, seconds: float) -> None:
        self.time.at += seconds
        self.gate.state()

    @invariant()
    def the_books_are_right(self) -> None:
        state = self.gate.state()
        assert state.active == sum(ticket.admitted for ticket in self.tickets) <= 3
        assert sum(state.waiting.values()) == sum(not ticket.admitted for ticket in self.tickets) <= 5

    @invariant()
    def the_first_in_line_knows_how_long_to_wait(self) -> None:
        waiting = [ticket for ticket in self.tickets if not ticket.admitted]
        if waiting and self.gate.state().active < 3:
            delays = [self.gate.delay(ticket) for ticket in waiting]
            waiting = [ticket for ticket in waiting if not ticket.admitted]
            assert not waiting or any(delay is not None for delay in delays)

    def teardown(self) -> None:
        for _ in range(200):
            self.time.at += 60
            for ticket in [ticket for ticket in self.tickets if ticket.admitted]:
                self.gate.release(ticket)
                self.tickets.remove(ticket)
            self.gate.state()
        assert not self.tickets


TestMachine = Machine.TestCase
