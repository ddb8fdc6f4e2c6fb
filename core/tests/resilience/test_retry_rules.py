from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel import errors as e
from ipfs_accel._resilience.budget import RetryBudget
from ipfs_accel._resilience.retry import Retries, kind_of
from ipfs_accel._resilience.settings import RetryConfig


def status(code: int, **context: Any) -> e.APIError:
    return e.class_for_status(code)("no", status=code, **context)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (e.APIConnectionError("refused", phase="connect", sent=False), "free"),
        (e.APITimeoutError("blackhole", phase="connect", sent=False), "free"),
        (e.APIConnectionError("reset", phase="read"), "transient"),
        (e.APITimeoutError("not taken", phase="write"), "transient"),
        (e.APITimeoutError("silence", phase="read"), "ambiguous"),
        (e.APITimeoutError("silence", phase="first_event"), "ambiguous"),
        (status(429), "throttle"),
        (status(500), "transient"),
        (status(502), "transient"),
        (status(503), "transient"),
        (status(504), "transient"),
        (status(529), "transient"),
        (status(408, retryable=True), "transient"),
        (status(409, retryable=True), "transient"),
        *[(status(code), None) for code in (400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 501)],
        (e.QuotaExceededError("no money", status=429), None),
        (e.APIConnectionError("bad certificate", sent=False, retryable=False), None),
        (e.PoolTimeoutError("all in use", sent=False), None),
        (e.DeadlineExceededError("over", phase="total"), None),
        (e.InvalidResponseError("no JSON", status=200), None),
        (e.ContextLengthExceededError("too long", status=400), None),
        (e.ContentFilterError("no", status=400), None),
        (e.CircuitOpenError("down"), None),
        (e.QueueFullError("full"), None),
        (e.InvalidRequestError("wrong"), None),
        (KeyboardInterrupt(), None),
        (ValueError("a defect"), None),
    ],
    ids=lambda value: value if isinstance(value, str | None) else f"{type(value).__name__}-{value}",
)
def test_what_may_be_tried_again(error: BaseException, kind: str | None) -> None:
    assert kind_of(error) == kind


def make(config: RetryConfig | None = None, *, chance: float = 1.0, left: float | None = None, **more: Any) -> Retries:
    config = config or RetryConfig()
    return Retries(config, more.pop("budget", None) or RetryBudget(config), lambda: chance, lambda: left, **more)


def waits(retries: Retries, *errors: e.AccelError) -> list[float]:
    return [retries.next_wait(error) for error in errors]


def test_waits_double_and_have_full_jitter() -> None:
    config = RetryConfig(attempts=10)
    assert waits(make(config), *[status(500)] * 7) == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert waits(make(config), *[status(429)] * 5) == [1, 2, 4, 8, 8]
    assert waits(make(config, chance=0.0), *[status(500)] * 2) == [0, 0]
    assert waits(make(config, chance=0.5), status(500)) == [0.125]


@pytest.mark.parametrize(("hint", "wait"), [(2.0, 2.0), (0.5, 0.5), (60.0, 60.0)])
def test_a_hint_is_waited_for_plus_at_most_a_tenth(hint: float, wait: float) -> None:
    assert waits(make(chance=0.0), status(503, retry_after=hint)) == [wait]
    config = RetryConfig(total_wait=1000)
    assert waits(make(config), status(503, retry_after=hint)) == [pytest.approx(wait * 1.1)]


def test_a_hint_above_the_limit_means_no_retry() -> None:
    with pytest.raises(e.RateLimitError) as caught:
        make(RetryConfig(total_wait=1000)).next_wait(status(429, retry_after=121.0))
    assert caught.value.retry_after == 121.0


def test_three_attempts_and_then_the_error_itself() -> None:
    retries = make(chance=0.0)
    waits(retries, status(500), status(502))
    last = status(503)
    with pytest.raises(e.OverloadedError) as caught:
        retries.next_wait(last)
    assert caught.value is last
    assert last.__cause__ is None


def test_an_error_that_is_not_worth_it_is_raised_as_it_came() -> None:
    error = status(400)
    with pytest.raises(e.BadRequestError) as caught:
        make().next_wait(error)
    assert caught.value is error


def test_a_wait_that_does_not_fit_is_told_instead_of_waited() -> None:
    with pytest.raises(e.InternalServerError) as caught:
        make(left=0.2).next_wait(status(500))
    assert caught.value.retry_after == 0.25
    with pytest.raises(e.RateLimitError) as caught:
        make(waited=59.5).next_wait(status(429))
    assert caught.value.retry_after == 1


def test_a_silent_server_is_asked_twice_at_most() -> None:
    silence = e.APITimeoutError("silence", phase="read")
    retries = make(RetryConfig(attempts=9))
    retries.next_wait(silence)
    with pytest.raises(e.APITimeoutError):
        retries.next_wait(silence)


@pytest.mark.parametrize("error", [e.APITimeoutError("silence", phase="read"), e.APIConnectionError("reset")])
def test_what_must_not_happen_twice_is_not_repeated_unseen(error: e.APIError) -> None:
    with pytest.raises(type(error)):
        make(may_repeat=False).next_wait(error)
    make(may_repeat=False).next_wait(status(503))
    make(may_repeat=False).next_wait(e.APIConnectionError("refused", sent=False))


def test_the_budget() -> None:
    config = RetryConfig(budget=30)
    budget = RetryBudget(config)
    assert (budget.spend(throttled=False), budget.spend(throttled=True), budget.tokens) == (14, 5, 11)
    assert budget.spend(throttled=False) is None
    budget.give_back(14)
    budget.give_back(0)
    assert budget.tokens == 26
    budget.give_back(14)
    assert budget.tokens == 30


def test_without_budget_failures_are_told_at_once_but_what_was_not_sent_is_free() -> None:
    config = RetryConfig(budget=13)
    budget = RetryBudget(config)
    with pytest.raises(e.InternalServerError):
        make(config, budget=budget).next_wait(status(500))
    make(config, budget=budget).next_wait(e.APIConnectionError("refused", sent=False))
    assert budget.tokens == 13


@given(st.lists(st.sampled_from([500, 429, 0]), max_size=30), st.floats(0, 1), st.floats(0.1, 100), st.integers(1, 9))
def test_attempts_and_waits_never_exceed_their_limits(
    codes: list[int], chance: float, total: float, attempts: int
) -> None:
    config = RetryConfig(attempts=attempts, total_wait=total)
    retries = make(config, chance=chance)
    slept: list[float] = []
    for code in codes:
        try:
            slept.append(retries.next_wait(status(code) if code else e.APIConnectionError("refused", sent=False)))
        except e.APIError:
            break
    assert len(slept) < attempts
    assert sum(slept) <= total
    assert all(0 <= seconds <= 8 for seconds in slept)


class Storm(RuleBasedStateMachine):
    """Callers that share a budget: what they try again is never more than it can pay."""

    def __init__(self) -> None:
        super().__init__()
        self.config = RetryConfig(budget=100, attempts=4)
        self.budget = RetryBudget(self.config)
        self.calls: list[Retries] = []
        self.paid = 0
        self.returned = 0

    @rule()
    def call(self) -> None:
        self.calls.append(make(self.config, budget=self.budget))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), throttled=st.booleans())
    def fail(self, data: Any, throttled: bool) -> None:
        retries = data.draw(st.sampled_from(self.calls))
        before = self.budget.tokens
        try:
            retries.next_wait(status(429 if throttled else 500))
        except e.APIError:
            self.calls.remove(retries)
            assert self.budget.tokens == before
        else:
            self.paid += 5 if throttled else 14

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def succeed(self, data: Any) -> None:
        retries = data.draw(st.sampled_from(self.calls))
        self.calls.remove(retries)
        before = self.budget.tokens
        self.budget.give_back(retries.spent)
        self.returned += self.budget.tokens - before

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.budget.tokens == 100 - self.paid + self.returned
        assert 0 <= self.budget.tokens <= 100


TestStorm = Storm.TestCase


@pytest.fixture(autouse=True)
def _no_real_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(_seconds: float) -> None:
        raise AssertionError("a decision slept")

    monkeypatch.setattr("time.sleep", sleep)
