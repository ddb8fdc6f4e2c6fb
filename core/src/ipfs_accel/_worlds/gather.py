"""Several calls at once, in either world: as many as are asked for, but not more under way than is good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ipfs_accel.errors import AccelError

from .effects import Steps
from .perform import aperform, perform

if TYPE_CHECKING:
    from .worlds import AsyncWorld, World

__all__ = ["MAX_GATHERED", "Gather"]

T = TypeVar("T")

MAX_GATHERED = 16
"""Calls under way at once, in both worlds."""


class Gather(Generic[T]):
    """Perform several calls side by side; its result has a value or an `AccelError` for each, in order.

    Any other error is a defect, of a plugin or of what the caller passed in: it is raised as it is, and what has not
    begun by then never does. In the asynchronous world what has begun is cancelled; threads are waited for.

    `stop` is called before threads are waited for because of an error or an interrupt, so that calls which would go on
    to further work can leave it.
    """

    __slots__ = ("calls", "stop")

    def __init__(self, calls: Sequence[Steps[T]], stop: Callable[[], None] | None = None) -> None:
        self.calls = calls
        self.stop = stop

    def sync(self, world: World) -> list[T | AccelError]:
        if not self.calls:
            return []

        def one(steps: Steps[T]) -> T | AccelError:
            try:
                return perform(steps, world)
            except AccelError as error:
                return error

        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - few calls need it

        with ThreadPoolExecutor(min(len(self.calls), MAX_GATHERED), "ipfs-accel-gather") as pool:
            try:
                return list(pool.map(one, self.calls))
            except BaseException:
                if self.stop is not None:
                    self.stop()
                raise

    async def asynchronous(self, world: AsyncWorld) -> list[T | AccelError]:
        from anyio import create_task_group  # noqa: PLC0415 - the synchronous world does not need it

        results: list[Any] = [None] * len(self.calls)
        defects: list[Exception] = []
        waiting = iter(enumerate(self.calls))

        async def work() -> None:
            for index, steps in waiting:
                try:
                    results[index] = await aperform(steps, world)
                except AccelError as error:
                    results[index] = error
                except Exception as error:  # noqa: BLE001 - it is raised below, not as one of a group
                    defects.append(error)
                    group.cancel_scope.cancel()

        async with create_task_group() as group:
            for _ in range(min(len(self.calls), MAX_GATHERED)):
                group.start_soon(work)
        if defects:
            raise defects[0]
        return results
