from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel._headers import Headers
from ipfs_accel._resilience import lanes, told
from ipfs_accel._resilience.buckets import Bucket
from ipfs_accel._resilience.estimate import tokens_of
from ipfs_accel._resilience.gate import Gate, Priority, Ticket
from ipfs_accel._resilience.optional import LimitsConfig
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


def ask(gate: Gate, tokens: float, priority: Priority = "normal", whose: Any = None) -> Ticket:
    ticket = gate.ticket(tokens, priority, whose)
    gate.enter(ticket)
    return ticket


def test_concurrency() -> None:
    gate, _ = make(max_concurrent=2)
    first, second, third = [ask(gate, 0, "normal") for _ in range(3)]
    assert (first.admitted, second.admitted, third.admitted) == (True, True, False)
    assert gate.delay(third) is None
    gate.release(first)
    assert third.admitted
    gate.release(first)
    assert gate.state().active == 2


def test_requests_go_in_a_burst_and_then_at_a_pace() -> None:
    gate, time = make(requests_per_minute=60)
    tickets = [ask(gate, 0, "normal") for _ in range(12)]
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
        ticket = ask(gate, 0, "normal")
        if ticket.admitted:
            admitted.append(time.at)
        gate.cancel(ticket) if not ticket.admitted else gate.release(ticket)
    for start in admitted:
        assert len([at for at in admitted if start <= at < start + 60]) <= max(limit, 2)


def test_tokens_are_reserved_by_estimate_and_settled_by_usage() -> None:
    gate, time = make(tokens_per_minute=600)
    first = ask(gate, 100, "normal")
    second = ask(gate, 50, "normal")
    assert (first.admitted, second.admitted) == (True, False)
    gate.release(first, used=40)
    assert second.admitted
    assert gate.state().tokens_left == 10
    gate.release(second, used=500)
    assert gate.state().tokens_left == -440
    third = ask(gate, 1, "normal")
    assert gate.delay(third) == pytest.approx(441 / (500 / 60))
    time.at += 60
    assert gate.delay(third) is None
    assert third.admitted


def test_more_than_a_burst_of_tokens_can_go_and_leaves_a_debt() -> None:
    gate, _ = make(tokens_per_minute=600)
    assert ask(gate, 5000, "normal").admitted
    assert not ask(gate, 1, "normal").admitted


def test_a_call_that_was_given_up_gives_back_what_it_had_reserved() -> None:
    gate, _ = make(tokens_per_minute=600, requests_per_minute=60)
    ticket = ask(gate, 100, "normal")
    gate.cancel(ticket)
    gate.cancel(ticket)
    state = gate.state()
    assert (state.active, state.tokens_left, state.requests_left) == (0, 100, 10)


def test_priorities_and_how_waiting_lifts_them() -> None:
    gate, time = make(max_concurrent=1, age=10)
    running = ask(gate, 0, "normal")
    low = ask(gate, 0, "low")
    time.at = 5
    normal = ask(gate, 0, "normal")
    high = ask(gate, 0, "high")
    time.at = 21
    late_high = ask(gate, 0, "high")
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
    [ask(gate, 0, "normal") for _ in range(3)]
    with pytest.raises(QueueFullError, match="2 calls wait"):
        ask(gate, 0, "high")
    state = gate.state()
    assert (state.rejected, state.waiting) == (1, {"high": 0, "normal": 2, "low": 0})


def test_whoever_waits_is_woken_when_it_may_go_and_when_it_is_next() -> None:
    gate, _ = make(max_concurrent=1)
    first, second, third = [ask(gate, 0, "normal") for _ in range(3)]
    woken: list[str] = []
    second.wake = lambda: woken.append("second")
    third.wake = lambda: woken.append("third")
    gate.release(first)
    assert woken == ["second", "third"]


@pytest.mark.parametrize("is_admitted", [True, False])
def test_a_ticket_whose_holder_was_dropped_blocks_nobody(is_admitted: bool) -> None:
    gate, _ = make(max_concurrent=1)
    first, second = ask(gate, 0, "normal"), ask(gate, 0, "normal")
    gate.abandon(first if is_admitted else second)
    state = gate.state()
    assert (state.active, state.waiting["normal"], second.admitted) == (1, 0, is_admitted)


MINE, OTHERS = ("key-1", "mine"), ("key-1", "other")
EPOCH = 1_900_000_000.0  # now, in seconds since 1970


def hear(
    gate: Gate, ticket: Ticket, remaining: float, reset: str | None, limit: float | None = 60, what: str = ""
) -> None:
    """Let the answer to a call say what is left."""
    what = what or "requests"
    known = {"limit": limit, "remaining": remaining, "reset": reset}
    pairs = [(f"x-ratelimit-{kind}-{what}", f"{value}") for kind, value in known.items() if value is not None]
    gate.read(Headers(pairs), ticket, EPOCH)


def heard(
    remaining: float = 0, reset: str | None = "60s", limit: float | None = 60, what: str = "", **config: Any
) -> tuple[Gate, Time]:
    """Return a gate after one answer that said what is left."""
    gate, time = make(**{"from_headers": True, **config})
    ticket = ask(gate, 0, whose=MINE)
    hear(gate, ticket, remaining, reset, limit, what)
    gate.release(ticket)
    return gate, time


def test_the_servers_own_word_counts_where_it_allows_less() -> None:
    gate, time = heard(0, "1m0s", 6000, "tokens")
    ticket = ask(gate, 600, whose=MINE)
    assert gate.delay(ticket) == pytest.approx(6)
    time.at += 6
    assert gate.delay(ticket) is None
    assert ticket.admitted
    hear(gate, ticket, 0, None, 50)
    assert gate.delay(ask(gate, 1, whose=MINE)) == pytest.approx(60 / 50)


@pytest.mark.parametrize("whose", [OTHERS, ("key-2", "mine"), None])
def test_it_binds_neither_another_model_nor_another_key(whose: Any) -> None:
    gate, _ = heard(0)
    first = ask(gate, 0, whose=MINE)
    assert not first.admitted
    assert ask(gate, 0, whose=whose).admitted
    assert gate.delay(first) == pytest.approx(1)


def test_it_is_forgotten_at_its_reset() -> None:
    gate, time = heard(0, "60s", 5)
    time.at += 59.9
    tickets = [ask(gate, 0, whose=MINE) for _ in range(10)]
    assert [ticket.admitted for ticket in tickets].count(True) == 4
    time.at += 0.2
    gate.state()
    assert all(ticket.admitted for ticket in tickets)


def test_a_limit_that_is_not_told_holds_until_the_reset() -> None:
    gate, time = heard(1, "30s", None)
    tickets = [ask(gate, 0, whose=MINE) for _ in range(2)]
    assert [ticket.admitted for ticket in tickets] == [True, False]
    assert gate.delay(tickets[1]) == pytest.approx(30)
    time.at += 30
    assert gate.delay(tickets[1]) is None
    assert tickets[1].admitted


@pytest.mark.parametrize("reset", [None, "26h", "31d", "0", "1e300", "nonsense"])
def test_what_says_nothing_that_can_be_waited_for_holds_nobody(reset: str | None) -> None:
    gate, _ = heard(0, reset, None)
    assert ask(gate, 0, whose=MINE).admitted


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_reset_may_be_a_time_since_1970(scale: int) -> None:
    gate, _ = heard(0, f"{(EPOCH + 30) * scale:.0f}", None)
    assert gate.delay(ask(gate, 0, whose=MINE)) == pytest.approx(30)
    gate, _ = heard(0, f"{(EPOCH + 200_000) * scale:.0f}", None)
    assert ask(gate, 0, whose=MINE).admitted


def test_a_later_word_raises_what_an_earlier_one_lowered() -> None:
    gate, time = heard(0, "60s", 60)
    time.at += 1
    ticket = ask(gate, 0, whose=MINE)
    hear(gate, ticket, 9990, "6ms", 10000)
    assert all(ask(gate, 0, whose=MINE).admitted for _ in range(20))


def test_calls_that_the_server_could_not_have_counted_are() -> None:
    gate, _ = make(from_headers=True)
    first, second, third = [ask(gate, 0, whose=MINE) for _ in range(3)]
    hear(gate, second, 2, "60s", None)  # says nothing of the third, and is no news after the first
    assert [ask(gate, 0, whose=MINE).admitted for _ in range(2)] == [True, False]
    hear(gate, first, 40, "60s", None)  # which was answered late
    assert not ask(gate, 0, whose=MINE).admitted
    hear(gate, third, 40, "60s", None)
    assert ask(gate, 0, whose=MINE).admitted


def test_real_usage_counts_unless_the_server_has_counted_it() -> None:
    gate, _ = make(from_headers=True)
    first = ask(gate, 10, whose=MINE)
    second = ask(gate, 500, whose=MINE)
    hear(gate, first, 600, "1h", None, "tokens")
    third = ask(gate, 200, whose=MINE)
    gate.release(first, used=5000)
    assert not third.admitted
    gate.release(second, used=400)
    assert third.admitted


def test_it_counts_beside_what_the_configuration_says() -> None:
    gate, time = heard(0, "60s", 60, requests_per_minute=6)
    ticket = ask(gate, 0, whose=MINE)
    assert gate.delay(ticket) == pytest.approx(1)
    time.at += 1
    assert gate.delay(ticket) == pytest.approx(9)
    assert not ask(gate, 0, whose=OTHERS).admitted


def test_waiting_for_one_model_does_not_hold_up_another_but_keeps_its_order() -> None:
    gate, time = heard(0, "60s", 60, max_concurrent=1)
    low, high = ask(gate, 0, "low", MINE), ask(gate, 0, "high", MINE)
    running = ask(gate, 0, whose=OTHERS)
    assert running.admitted
    woken: list[str] = []
    low.wake, high.wake = (lambda: woken.append("low")), (lambda: woken.append("high"))
    time.at += 1
    gate.release(running)
    assert (high.admitted, low.admitted, woken) == (True, False, ["high", "low"])


@pytest.mark.parametrize(
    ("config", "counts"),
    [
        ({}, False),
        ({"max_concurrent": 8}, False),
        ({"requests_per_minute": 600}, True),
        ({"tokens_per_minute": 600}, True),
        ({"from_headers": True}, True),
        ({"from_headers": False, "requests_per_minute": 600}, False),
    ],
)
def test_when_it_is_believed(config: dict[str, Any], counts: bool) -> None:
    gate, _ = heard(0, **{"from_headers": None, **config})
    assert ask(gate, 0, whose=MINE).admitted is not counts


def test_what_is_remembered_is_bounded() -> None:
    gate, _ = make(from_headers=True)
    waiting = []
    for number in range(2000):
        ticket = ask(gate, 0, whose=("key-1", f"model-{number}"))
        hear(gate, ticket, 0, "1h", None)
        gate.release(ticket)
        if number == 0:
            waiting.append(ask(gate, 0, whose=("key-1", "model-0")))
    assert len(gate._lanes._known) <= lanes.MAX_LANES
    assert gate._lanes.find(("key-1", "model-0")) is waiting[0].lane
    assert told.LONGEST < 2 * 86_400


@pytest.mark.parametrize("how", ["release", "cancel", "abandon"])
def test_a_place_is_given_back_once_however_often(how: str) -> None:
    gate, _ = make(max_concurrent=2)
    first, second, third = [ask(gate, 0) for _ in range(3)]
    for _ in range(3):
        getattr(gate, how)(first)
        gate.state()
    assert (second.admitted, third.admitted, gate.state().active) == (True, True, 2)


def test_a_ticket_that_never_entered_can_be_given_back() -> None:
    gate, _ = make(max_concurrent=1)
    ticket = gate.ticket(0, "normal")
    gate.cancel(ticket)
    gate.abandon(ticket)
    assert ask(gate, 0).admitted


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
            self.tickets.append(ask(self.gate, tokens, priority))
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
