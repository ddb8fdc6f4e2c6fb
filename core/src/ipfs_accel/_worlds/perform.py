"""Runs the steps of a call: once for callers that block, once for callers that await."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .effects import Steps
    from .worlds import AsyncWorld, World

__all__ = ["aperform", "perform"]

T = TypeVar("T")


def perform(steps: Steps[T], world: World) -> T:
    """Run a call to its end in the caller's thread."""
    try:
        effect = next(steps)
        while True:
            try:
                result = effect.sync(world)
            except BaseException as error:  # noqa: BLE001 - the generator decides, also on KeyboardInterrupt
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def aperform(steps: Steps[T], world: AsyncWorld) -> T:
    """Run a call to its end in the caller's task."""
    try:
        effect = next(steps)
        while True:
            try:
                result = await effect.asynchronous(world)
            except BaseException as error:  # noqa: BLE001 - the generator decides, also on cancellation
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
