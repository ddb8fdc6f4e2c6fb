"""Small calls that come at once, joined into one: who is in which batch, and who performs it.

Nothing waits here. The first call of a batch is its leader: it waits for company, closes the batch and performs it.
If the leader is cancelled, another member takes its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import attrs

from ipfs_accel._values import define

from .optional import BatchingConfig

__all__ = ["Batch", "Batcher", "Member"]


@define(eq=False)
class Member:
    """One call in a batch.

    Attributes:
        inputs: What it brings.
        size: Of them, in characters.
        leads: Whether it is to perform the batch.
        outcome: What became of it: an answer, an error, or None as long as nothing has.
        wake: Called, by whichever thread, when `leads` or `outcome` has changed or the batch is full.
    """

    inputs: tuple[Any, ...]
    size: int
    leads: bool = False
    outcome: Any = None
    wake: Callable[[], None] | None = None


@define(eq=False)
class Batch:
    """Calls that go together.

    Attributes:
        closes_at: When it goes, however small it is.
        members: In the order of their inputs.
        is_closed: Whether it takes no more.
    """

    closes_at: float
    members: list[Member] = attrs.field(factory=list)
    is_closed: bool = False


class Batcher:
    """The open batches of one endpoint; may be shared by threads."""

    def __init__(self, config: BatchingConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        # A call that the garbage collector ends leaves its batch wherever that happens, even inside of this class.
        self._lock = threading.RLock()
        self._open: dict[Hashable, Batch] = {}

    def join(self, group: Hashable, inputs: tuple[Any, ...]) -> tuple[Batch, Member] | None:
        """Enter a call into the open batch of its group; None if it is so large that it should go alone."""
        size = sum(len(each) for each in inputs)
        config = self._config
        if len(inputs) >= config.max_inputs or size > config.max_chars:
            return None
        member = Member(inputs, size)
        with self._lock:
            batch = self._open.get(group)
            if batch is not None and not self._fits(batch, member):
                self._close(group, batch)
                batch = None
            if batch is None:
                batch = self._open[group] = Batch(self._now() + config.max_wait)
            batch.members.append(member)
            if len(batch.members) == 1:
                member.leads = True
            elif not self._has_room(batch):
                self._close(group, batch)
        return batch, member

    def close(self, group: Hashable, batch: Batch) -> None:
        """Let nobody else in: its leader begins."""
        with self._lock:
            self._close(group, batch)

    def leave(self, group: Hashable, batch: Batch, member: Member) -> None:
        """Take out a call that was cancelled; if it led, the next one does."""
        with self._lock:
            if member in batch.members:
                batch.members.remove(member)
            if not member.leads:
                return
            member.leads = False
            waiting = [each for each in batch.members if each.outcome is None]
            if waiting:
                waiting[0].leads = True
                _wake(waiting[0])
            else:
                self._close(group, batch)

    def finish(self, members: list[Member], outcomes: list[Any]) -> None:
        """Hand out what became of each member."""
        for member, outcome in zip(members, outcomes, strict=True):
            member.outcome = outcome
            _wake(member)

    def _close(self, group: Hashable, batch: Batch) -> None:
        batch.is_closed = True
        if self._open.get(group) is batch:
            del self._open[group]
        for member in batch.members:
            if member.leads:
                _wake(member)

    def _fits(self, batch: Batch, member: Member) -> bool:
        inputs, size = _measure(batch)
        config = self._config
        return inputs + len(member.inputs) <= config.max_inputs and size + member.size <= config.max_chars

    def _has_room(self, batch: Batch) -> bool:
        inputs, size = _measure(batch)
        return inputs < self._config.max_inputs and size < self._config.max_chars


def _measure(batch: Batch) -> tuple[int, int]:
    return sum(len(member.inputs) for member in batch.members), sum(member.size for member in batch.members)


def _wake(member: Member) -> None:
    if member.wake is not None:
        member.wake()
