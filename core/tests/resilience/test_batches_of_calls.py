from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipfs_accel._resilience.batching import Batch, Batcher, Member
from ipfs_accel._resilience.optional import BatchingConfig


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def make(**config: Any) -> Batcher:
    return Batcher(BatchingConfig(**{"max_inputs": 4, "max_chars": 20, **config}), Time())


def join(batcher: Batcher, *inputs: str, group: str = "g") -> tuple[Batch, Member]:
    entered = batcher.join(group, inputs)
    assert entered is not None
    return entered


def test_the_first_leads_and_the_others_come_in() -> None:
    batcher = make(max_wait=0.01)
    first, leader = join(batcher, "a")
    second, follower = join(batcher, "b", "c")
    assert first is second
    assert (leader.leads, follower.leads, first.closes_at, first.is_closed) == (True, False, 0.01, False)


def test_a_full_batch_is_closed_and_its_leader_woken() -> None:
    batcher = make()
    first, leader = join(batcher, "a")
    woken: list[bool] = []
    leader.wake = lambda: woken.append(True)
    join(batcher, "b", "c", "d")
    assert (first.is_closed, woken) == (True, [True])
    assert join(batcher, "e")[0] is not first


def test_one_that_does_not_fit_begins_the_next_batch() -> None:
    batcher = make()
    first, _ = join(batcher, "x" * 15)
    second, leader = join(batcher, "y" * 6)
    assert first.is_closed
    assert second is not first
    assert leader.leads


def test_a_large_call_goes_alone() -> None:
    batcher = make()
    assert batcher.join("g", ("a", "b", "c", "d")) is None
    assert batcher.join("g", ("x" * 21,)) is None


def test_only_what_belongs_together_is_joined() -> None:
    batcher = make()
    assert join(batcher, "a", group="one")[0] is not join(batcher, "b", group="two")[0]


def test_a_leader_that_is_cancelled_is_replaced() -> None:
    batcher = make()
    batch, leader = join(batcher, "a")
    _, follower = join(batcher, "b")
    woken: list[bool] = []
    follower.wake = lambda: woken.append(True)
    batcher.leave("g", batch, leader)
    assert (follower.leads, woken, batch.members) == (True, [True], [follower])
    batcher.leave("g", batch, follower)
    assert batch.is_closed
    assert join(batcher, "c")[0] is not batch


def test_outcomes_reach_their_owners() -> None:
    batcher = make()
    batch, leader = join(batcher, "a")
    _, follower = join(batcher, "b")
    batcher.close("g", batch)
    batcher.finish([leader, follower], ["first", "second"])
    assert (leader.outcome, follower.outcome) == ("first", "second")


class Machine(RuleBasedStateMachine):
    """Whatever happens: no batch is too large, and each that waits has exactly one leader."""

    def __init__(self) -> None:
        super().__init__()
        self.batcher = make()
        self.waiting: list[tuple[str, Batch, Member]] = []

    @rule(inputs=st.lists(st.text("x", max_size=12), min_size=1, max_size=5), group=st.sampled_from("ab"))
    def join(self, inputs: list[str], group: str) -> None:
        entered = self.batcher.join(group, tuple(inputs))
        if entered is None:
            assert len(inputs) >= 4 or sum(map(len, inputs)) > 20
        else:
            self.waiting.append((group, *entered))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        group, batch, member = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove((group, batch, member))
        self.batcher.leave(group, batch, member)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def finish(self, data: Any) -> None:
        group, batch, _ = data.draw(st.sampled_from(self.waiting))
        self.batcher.close(group, batch)
        self.batcher.finish(list(batch.members), [object() for _ in batch.members])
        self.waiting = [each for each in self.waiting if each[1] is not batch]

    @invariant()
    def batches_are_small_and_led(self) -> None:
        for batch in {id(batch): batch for _, batch, _ in self.waiting}.values():
            inputs = [each for member in batch.members for each in member.inputs]
            assert len(inputs) <= 4 or len(batch.members) == 1
            assert sum(map(len, inputs)) <= 20
            assert sum(member.leads for member in batch.members) == 1


TestMachine = Machine.TestCase
