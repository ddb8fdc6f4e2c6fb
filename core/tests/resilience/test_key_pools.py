from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel import Secret
from ipfs_accel import errors as e
from ipfs_accel._resilience.keypool import KeyPolicy, KeyPool, PooledKey
from ipfs_accel.types import Usage


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def make(policy: KeyPolicy = "round_robin", keys: int = 3) -> tuple[KeyPool, Time]:
    time = Time()
    return KeyPool([Secret(f"secret-{number}") for number in range(1, keys + 1)], policy, time), time


class Hold:
    key: PooledKey | None = None


def take(pool: KeyPool, **more: Any) -> tuple[PooledKey, Hold]:
    hold = Hold()
    pool.take(hold, **more)
    assert hold.key is not None
    return hold.key, hold


def ids(pool: KeyPool, times: int) -> list[str]:
    return [take(pool)[0].id for _ in range(times)]


def test_round_robin() -> None:
    pool, _ = make()
    assert ids(pool, 4) == ["key-1", "key-2", "key-3", "key-1"]


def test_least_loaded() -> None:
    pool, _ = make("least_loaded")
    taken = [take(pool) for _ in range(3)]
    pool.give_back(*taken[1])
    assert take(pool)[0].id == "key-2"
    assert take(pool)[0].id == "key-1"


def test_a_rate_limit_takes_a_key_out_for_as_long_as_it_says() -> None:
    pool, time = make(keys=2)
    pool.give_back(*take(pool), e.RateLimitError("slow", retry_after=30.0))
    assert ids(pool, 2) == ["key-2", "key-2"]
    time.at = 30.0
    assert "key-1" in ids(pool, 2)


def test_a_later_answer_does_not_shorten_the_time() -> None:
    pool, time = make(keys=1)
    one, other = take(pool), take(pool)
    pool.give_back(*one, e.RateLimitError("slow", retry_after=60.0))
    time.at = 1.0
    pool.give_back(*other, e.RateLimitError("slow"))
    assert pool.states()[0].ready_in == 59.0


def test_a_rate_limit_without_a_hint_takes_it_out_for_five_seconds() -> None:
    pool, time = make(keys=2)
    pool.give_back(*take(pool), e.RateLimitError("slow"))
    assert pool.states()[0].ready_in == 5.0
    time.at = 5.0
    assert pool.states()[0].state == "ready"


@pytest.mark.parametrize("kind", [e.AuthenticationError, e.PermissionDeniedError, e.QuotaExceededError])
def test_a_refused_key_is_out_until_reload(kind: type[e.APIError]) -> None:
    pool, time = make(keys=2)
    pool.give_back(*take(pool), kind("no"))
    time.at = 1e9
    assert ids(pool, 2) == ["key-2", "key-2"]
    assert [state.state for state in pool.states()] == ["out", "ready"]
    pool.reload()
    assert set(ids(pool, 2)) == {"key-1", "key-2"}


@pytest.mark.parametrize("error", [None, e.InternalServerError("down"), e.BadRequestError("no"), KeyboardInterrupt()])
def test_what_is_not_the_keys_fault_leaves_it_in(error: BaseException | None) -> None:
    pool, _ = make(keys=2)
    pool.give_back(*take(pool), error)
    assert [state.state for state in pool.states()] == ["ready", "ready"]


def test_when_all_keys_cool_the_error_says_for_how_long() -> None:
    pool, _ = make(keys=2)
    for seconds in (9.0, 4.0):
        pool.give_back(*take(pool), e.RateLimitError("slow", retry_after=seconds))
    with pytest.raises(e.RateLimitError, match="all 2 keys") as caught:
        take(pool)
    assert caught.value.retry_after == 4.0
    assert not pool.has_ready()


def test_when_all_keys_are_refused_the_error_says_so_and_what_to_do() -> None:
    pool, _ = make(keys=2)
    for _ in range(2):
        pool.give_back(*take(pool), e.QuotaExceededError("no money", status=429))
    with pytest.raises(e.QuotaExceededError, match="were refused") as caught:
        take(pool)
    assert not caught.value.retryable
    assert "reload_keys" in str(caught.value.hint)


def test_of_the_ready_keys_those_come_first_that_would_wait_least() -> None:
    pool, _ = make()
    seconds = {"key-1": 5.0, "key-2": 0.0, "key-3": 0.0}
    taken = [take(pool, wait_of=lambda key: seconds[key.id])[0].id for _ in range(4)]
    assert taken == ["key-2", "key-3", "key-2", "key-3"]
    seconds |= {"key-2": 9.0, "key-3": 7.0}
    assert take(pool, wait_of=lambda key: seconds[key.id])[0].id == "key-1"


@pytest.mark.parametrize("how", ["given back", "abandoned"])
def test_a_key_is_given_back_once_however_often(how: str) -> None:
    pool, _ = make(keys=1)
    (key, hold), other = take(pool), take(pool)
    for _ in range(2):
        pool.give_back(key, hold) if how == "given back" else pool.abandon(key, hold)
    assert (pool.states()[0].active, other[0].id) == (1, "key-1")


def test_usage_is_counted_by_key_and_no_key_shows() -> None:
    pool, _ = make(keys=2)
    pool.give_back(*take(pool), None, Usage(input_tokens=10, output_tokens=2))
    pool.give_back(*take(pool), e.RateLimitError("slow"))
    first, second = pool.states()
    assert (first.id, first.uses, first.failures, first.input_tokens, first.output_tokens) == ("key-1", 1, 0, 10, 2)
    assert (second.uses, second.failures, second.active) == (1, 1, 0)
    assert "secret" not in repr(pool.states()) + repr(take(pool))


def test_a_key_that_was_dropped_is_not_active_for_ever() -> None:
    pool, _ = make(keys=2)
    pool.abandon(*take(pool))
    kept = take(pool)
    assert kept
    assert [state.active for state in pool.states()] == [0, 1]


class Pool(RuleBasedStateMachine):
    """Whatever happens: no key is given out that is out, and what is active is what was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.time = make("least_loaded")
        self.taken: list[tuple[PooledKey, Hold]] = []

    @rule()
    def take(self) -> None:
        ready = {state.id for state in self.pool.states() if state.state == "ready"}
        try:
            key, hold = take(self.pool)
        except e.APIError:
            assert not ready
        else:
            assert key.id in ready
            self.taken.append((key, hold))

    @precondition(lambda self: self.taken)
    @rule(
        data=st.data(),
        error=st.sampled_from(
            [None, e.RateLimitError("slow"), e.RateLimitError("slow", retry_after=3.0), e.AuthenticationError("no")]
        ),
    )
    def give_back(self, data: Any, error: Any) -> None:
        key, hold = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        self.pool.give_back(key, hold, error)

    @rule(seconds=st.floats(0.1, 10))
    def pass_time(self, seconds: float) -> None:
        self.time.at += seconds

    @rule()
    def reload(self) -> None:
        self.pool.reload()

    @invariant()
    def active_is_what_was_taken(self) -> None:
        assert sum(state.active for state in self.pool.states()) == len(self.taken)


TestPool = Pool.TestCase
