"""Plans that are made of others, and what a plan may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeAlias, TypeVar

from ipfs_accel._values import frozen
from ipfs_accel.errors import AccelError

from ._held import Held
from ._local import Local, LocalStream
from ._plans import Http, HttpStream
from ._relay import Relay

T = TypeVar("T")


@frozen(kw_only=True)
class Ready(Generic[T]):
    """An answer that is known already."""

    value: T


@frozen(kw_only=True)
class Flow(Generic[T]):
    """Several steps: a generator that yields plans, is sent their answers (or errors), and returns the last plan.

    The last plan's answer is the flow's; `Ready(value=...)` is one that the generator made. A list of plans is
    performed side by side, at most 16 at once; sent are its answers in order, or the error of the first that failed.
    """

    steps: Callable[[], Generator[Plan[Any] | list[Plan[Any]], Any, Plan[T]]]


@frozen(kw_only=True)
class StreamFlow(Generic[T]):
    """Several steps before a stream: as `Flow`, but the last plan is a stream."""

    steps: Callable[[], Generator[Plan[Any] | list[Plan[Any]], Any, StreamPlan[T]]]


@frozen(kw_only=True)
class RelayFlow:
    """Several steps before a request is passed on: as `Flow`, but the last plan is a `Relay`.

    It is None for what cannot be passed on after all.
    """

    steps: Callable[[], Generator[Plan[Any] | list[Plan[Any]], Any, Relay | None]]


Plan: TypeAlias = Http[T] | Local[T] | Ready[T] | Flow[T] | Held[T]
StreamPlan: TypeAlias = HttpStream[T] | LocalStream[T] | StreamFlow[T] | Held[T]


def side_by_side(
    plans: Iterable[Plan[T]], limit: int, came: dict[int, T] | None = None
) -> Generator[list[Plan[Any]], Any, list[T]]:
    """Perform any number of plans with at most `limit` under way, and return their answers in order.

    For flows: `answers = yield from side_by_side(plans, 8)`. After a failure no further plan is begun; `came` has the
    answers that were there by then, by the positions of their plans.
    """
    waiting = deque(enumerate(plans))
    answers: list[Any] = [None] * len(waiting)

    def lane() -> Generator[Plan[Any], Any, Plan[None]]:
        while True:
            try:
                index, plan = waiting.popleft()
            except IndexError:
                return Ready(value=None)
            try:
                answers[index] = yield plan
                if came is not None:
                    came[index] = answers[index]
            except AccelError:
                waiting.clear()
                raise

    yield [Flow(steps=lane) for _ in range(min(limit, len(waiting)))]
    return answers
