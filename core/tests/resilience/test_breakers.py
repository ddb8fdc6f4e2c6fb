from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel._resilience.breaker import Breaker, Outcome
from ipfs_accel._resilience.settings import BreakerConfig

ONE, ANOTHER = 1, 2  # calls


def make(chance: float = 0.0, **config: Any) -> Breaker:
    return Breaker(BreakerConfig(**{"min_calls": 4, **config}), lambda: chance)


def call(
    breaker: Breaker, outcome: Outcome = "failure", now: float = 0.0, seconds: float = 0.1, times: int = 1
) -> None:
    for _ in range(times):
        assert breaker.enter(now, ONE) is not False
        breaker.leave(outcome, seconds, now, ONE)


def test_it_opens_when_half_of_enough_calls_fail() -> None:
    breaker = make()
    call(breaker, "success", times=2)
    call(breaker)
    assert breaker.state(0) == "closed"
    call(breaker)
    assert breaker.state(0) == "open"
    assert breaker.enter(4.9, ONE) is False
    assert breaker.retry_after(1.0) == 4.0


def test_few_calls_say_nothing() -> None:
    breaker = make(min_calls=20)
    call(breaker, times=19)
    assert breaker.state(0) == "closed"


def test_it_opens_when_most_calls_are_slow() -> None:
    breaker = make(slow=2.0)
    call(breaker, "success", seconds=2.0, times=3)
    call(breaker, "success", seconds=1.9, times=2)
    assert breaker.state(0) == "closed"
    call(breaker, "success", seconds=9.0, times=5)
    assert breaker.rates(0) == (0, 0.0, 0.0)
    assert breaker.state(0) == "open"


def test_what_is_not_the_targets_fault_is_not_counted() -> None:
    breaker = make()
    call(breaker, "ignored", times=100)
    assert breaker.rates(0) == (0, 0.0, 0.0)


def test_what_is_long_ago_is_forgotten() -> None:
    breaker = make()
    call(breaker, now=0.0, times=3)
    call(breaker, now=40.0)
    assert breaker.rates(40.0) == (1, 1.0, 0.0)


def test_one_probe_at_a_time_and_two_successes_close_it() -> None:
    breaker = make()
    call(breaker, times=4)
    assert breaker.state(5.0) == "half_open"
    assert breaker.enter(5.0, ONE) is True
    assert [breaker.enter(5.0, ANOTHER) for _ in range(10)] == [False] * 10
    breaker.leave("success", 0.1, 5.1, ONE)
    assert breaker.enter(5.2, ONE) is True
    breaker.leave("success", 0.1, 5.3, ONE)
    assert breaker.state(5.3) == "closed"
    assert breaker.enter(5.3, ONE) is None


def test_a_probe_that_fails_doubles_the_time_up_to_a_limit() -> None:
    breaker = make(max_open_for=30)
    call(breaker, times=4)
    now, lengths = 0.0, []
    for _ in range(5):
        wait = breaker.retry_after(now)
        assert wait is not None
        lengths.append(wait)
        now += wait
        assert breaker.enter(now, ONE) is True
        breaker.leave("failure", 0.1, now, ONE)
    assert lengths == [5, 10, 20, 30, 30]


def test_a_long_outage_does_not_overflow() -> None:
    breaker = make()
    call(breaker, times=4)
    now = 0.0
    for _ in range(2000):
        now += 300
        assert breaker.enter(now, ONE) is True
        breaker.leave("failure", 0.1, now, ONE)
    assert breaker.retry_after(now) == 300


def test_a_slow_probe_is_a_failed_one() -> None:
    breaker = make(slow=2.0)
    call(breaker, times=4)
    assert breaker.enter(5.0, ONE) is True
    breaker.leave("success", 3.0, 8.0, ONE)
    assert breaker.state(8.0) == "open"


def test_the_time_has_jitter() -> None:
    breaker = make(chance=1.0)
    call(breaker, times=4)
    assert breaker.retry_after(0.0) == pytest.approx(4.0)


@pytest.mark.parametrize("how", ["ignored", "abandoned"])
def test_a_probe_that_says_nothing_leaves_the_place_to_the_next(how: str) -> None:
    breaker = make()
    call(breaker, times=4)
    assert breaker.enter(5.0, ONE) is True
    if how == "ignored":
        breaker.leave("ignored", 0.1, 5.0, ONE)
    else:
        breaker.abandon(ONE)
    assert breaker.enter(5.0, ANOTHER) is True


def test_who_is_not_the_probe_does_not_end_it() -> None:
    breaker = make()
    call(breaker, times=4)
    assert breaker.enter(5.0, ONE) is True
    breaker.abandon(ANOTHER)
    breaker.leave("success", 0.1, 5.0, ANOTHER)
    assert breaker.enter(5.0, ANOTHER) is False


def test_calls_that_were_under_way_when_it_opened_change_nothing() -> None:
    breaker = make()
    call(breaker, times=4)
    breaker.leave("failure", 0.1, 1.0, ONE)
    breaker.leave("success", 0.1, 1.0, ONE)
    assert breaker.retry_after(1.0) == 4.0


def test_isolation_by_hand() -> None:
    breaker = make()
    breaker.isolate()
    assert (breaker.state(0), breaker.enter(0, ONE), breaker.enter(1e9, ONE), breaker.retry_after(0)) == (
        "isolated",
        False,
        False,
        None,
    )
    breaker.restore()
    assert (breaker.state(0), breaker.enter(0, ONE)) == ("closed", None)


class Machine(RuleBasedStateMachine):
    """Whatever happens: an open target gets one call at a time, a closed one is never refused."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = make(chance=0.3)
        self.now = 0.0
        self.running: list[int] = []
        self.number = 0

    @rule()
    def enter(self) -> None:
        state = self.breaker.state(self.now)
        passes = self.breaker.enter(self.now, ONE)
        assert (passes is None) == (state == "closed")
        if state == "open":
            assert passes is False
        if passes is not False:
            self.running.append(self.number)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["success", "failure", "ignored"]), seconds=st.floats(0, 100))
    def leave(self, data: Any, outcome: Outcome, seconds: float) -> None:
        index = data.draw(st.integers(0, len(self.running) - 1))
        self.breaker.leave(outcome, seconds, self.now, self.running.pop(index))

    @rule(seconds=st.floats(0.1, 400))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def at_most_one_probe(self) -> None:
        assert sum(self.running) <= 1

    @invariant()
    def an_open_one_is_probed_in_time(self) -> None:
        wait = self.breaker.retry_after(self.now)
        assert wait is None or 0 <= wait <= 300


TestMachine = Machine.TestCase
