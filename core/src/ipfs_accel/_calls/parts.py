"""Embeddings of more inputs than a backend takes in one request: asked for in parts, and put together again."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from ipfs_accel._worlds.effects import Steps
from ipfs_accel._worlds.gather import Gather
from ipfs_accel.errors import AccelError
from ipfs_accel.types import EmbedPartial, EmbedResponse
from ipfs_accel.wire import vectors as wire
from ipfs_accel.wire.several import added

from .journey import Journey

if TYPE_CHECKING:
    from ipfs_accel.types import CallInfo, EmbedRequest, Tried, Vector

    from .call import Call

__all__ = ["AT_ONCE", "Told", "in_parts"]

Told = Callable[[int, int], None]
"""Is given how many inputs have their vectors, and how many there are."""

AT_ONCE = 4
"""Parts of one call that are under way together, if the endpoint's limits let them."""

_PLACE = re.compile(r"\b(inputs|vectors)\[(\d+)\]")


def in_parts(
    call: Call,
    request: EmbedRequest,
    ask: Callable[[EmbedRequest, Journey], Steps[EmbedResponse]],
    told: Told | None = None,
) -> Steps[EmbedResponse]:
    """Perform an embedding in as many requests as its inputs need.

    Each part is a call of its own, with its own attempts and record; all share the time limit. After a failure no part
    is begun any more, and the error has what came as its `partial`.

    Args:
        call: All of it; for its target and its journey.
        request: What is asked.
        ask: Performs one part, on a journey of its own.
        told: Is told after each part, by whichever thread.
    """
    work = _Work(call, request, told)
    yield Gather([work.lane(ask) for _ in range(min(AT_ONCE, len(work.waiting)))], work.waiting.clear)
    if work.failed:
        raise work.failure()
    return work.answer()


class _Work:
    """The parts of a call: which wait, what came of the others. Lanes that share it may be threads."""

    def __init__(self, call: Call, request: EmbedRequest, told: Told | None) -> None:
        self.size = call.target.max_inputs
        self.waiting = deque(range(0, len(request.inputs), self.size))
        self.failed: dict[int, AccelError] = {}
        self._call = call
        self._request = request
        self._told = told
        self._answers: dict[int, EmbedResponse] = {}
        self._lock = threading.Lock()
        self._done = 0

    def lane(self, ask: Callable[[EmbedRequest, Journey], Steps[EmbedResponse]]) -> Steps[None]:
        """Perform one part after the other, until none waits or one has failed."""
        while not self.failed:
            try:
                start = self.waiting.popleft()
            except IndexError:
                return
            inputs = self._request.inputs[start : start + self.size]
            journey = self._call.journey.branch(self._call.now())
            try:
                self._answers[start] = yield from ask(attrs.evolve(self._request, inputs=inputs), journey)
                self._tell(len(inputs))
            except AccelError as error:
                self.failed[start] = error
            except BaseException:
                self.waiting.clear()
                raise

    def _tell(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._told is not None:
                self._told(self._done, len(self._request.inputs))

    def answer(self) -> EmbedResponse:
        """Make one answer of all."""
        parts = [self._answers[start] for start in sorted(self._answers)]
        if len(parts) == 1:
            return parts[0]
        return attrs.evolve(
            parts[0],
            vectors=wire.joined([part.vectors for part in parts]),
            usage=added(part.usage for part in parts),
            raw=[part.raw for part in parts],
            call=self._info([part.call for part in parts if part.call is not None]),
        )

    def _info(self, calls: list[CallInfo]) -> CallInfo:
        journey = self._call.journey
        before = len(journey.tried)
        tried: list[Tried] = [*journey.tried, *[each for call in calls for each in call.tried[before:]]]
        total = self._call.now() - journey.started
        first = attrs.evolve(calls[0].timing, queue=sum([call.timing.queue for call in calls]), total=total)
        return attrs.evolve(
            calls[-1],
            attempts=len(tried) + 1,
            tried=tuple(tried),
            cost=_sum([call.cost for call in calls]),
            parts=len(calls),
            timing=first,
        )

    def failure(self) -> AccelError:
        """Return the first part's error that failed, by its place, with what came of the others."""
        start = min(self.failed)
        error = self.failed[start]
        end = min(start + self.size, len(self._request.inputs))
        if start and error.args:
            placed = _PLACE.sub(lambda found: f"{found[1]}[{int(found[2]) + start}]", error.message)
            error.args = (placed, *error.args[1:])
        vectors: Mapping[int, Vector] = {
            first + index: vector
            for first, answer in sorted(self._answers.items())
            for index, vector in enumerate(answer.vectors)
        }
        error.partial = EmbedPartial(
            vectors=vectors,
            failed=range(start, end),
            usage=added(answer.usage for answer in self._answers.values()),
            cost=_sum([answer.cost for answer in self._answers.values()]),
        )
        known = f"{len(vectors)} of {len(self._request.inputs)} inputs have their vectors, in the error's partial"
        what = f"inputs {start} to {end - 1}" if end - start > 1 else f"input {start}"
        error.add_note(f"{what} failed; {known}")
        return error


def _sum(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
