"""Functions of the caller's at work side by side, in either world, no longer than there is time."""

from __future__ import annotations

import contextvars
import inspect
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .gather import MAX_GATHERED

if TYPE_CHECKING:
    from .worlds import AsyncWorld, World

__all__ = ["Job", "Outcome", "Work"]


class Job:
    """A function to call, and whether what it gives is awaited."""

    __slots__ = ("call", "is_async")

    def __init__(self, call: Callable[[], Any], *, is_async: bool = False) -> None:
        self.call = call
        self.is_async = is_async


class Outcome:
    """What became of one: a value, what it raised, or that it is late; and the seconds that it took."""

    __slots__ = ("error", "is_late", "seconds", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: Exception | None = None
        self.is_late = True
        self.seconds = 0.0


class Work:
    """Call functions side by side; its result has an outcome for each, in order.

    A thread cannot be stopped: a blocking function that is late is left to itself, and its outcome stays late. One that
    is awaited is cancelled.

    Args:
        jobs: What to call; none that is awaited in the synchronous world.
        seconds: How long there is; None is no limit. What has not begun by then never does.
    """

    __slots__ = ("jobs", "seconds")

    def __init__(self, jobs: Sequence[Job], seconds: float | None = None) -> None:
        self.jobs = jobs
        self.seconds = seconds

    def sync(self, world: World) -> list[Outcome]:
        now = world.clock.now
        found = [Outcome() for _ in self.jobs]
        if self.seconds == 0:
            return found
        if len(self.jobs) == 1 and self.seconds is None:  # in the caller's own thread, where it can be debugged
            _do(self.jobs[0], found[0], now)
            return found
        raised: list[BaseException] = []
        waiting, lock = iter(zip(self.jobs, found, strict=True)), threading.Lock()
        is_over = threading.Event()

        def work(context: contextvars.Context) -> None:
            while not is_over.is_set():
                with lock:
                    job, outcome = next(waiting, (None, None))
                if job is None or outcome is None:
                    return
                try:
                    context.run(_do, job, outcome, now)
                except BaseException as error:  # noqa: BLE001 - it is raised by who waits
                    raised.append(error)
                    is_over.set()

        until = None if self.seconds is None else now() + self.seconds
        threads = [
            threading.Thread(target=work, args=(contextvars.copy_context(),), name="ipfs-accel-tool", daemon=True)
            for _ in range(min(len(self.jobs), MAX_GATHERED))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join(None if until is None else max(0.0, until - now()))
        finally:  # when who waits is interrupted, too
            is_over.set()
        if raised:
            raise raised[0]
        return [self._settled(outcome) for outcome in found]

    async def asynchronous(self, world: AsyncWorld) -> list[Outcome]:
        from anyio import (  # noqa: PLC0415 - as in Gather
            create_task_group,
            current_effective_deadline,
            get_cancelled_exc_class,
            move_on_after,
            to_thread,
        )

        now = world.clock.now
        found = [Outcome() for _ in self.jobs]
        if self.seconds == 0:
            return found
        waiting = iter(zip(self.jobs, found, strict=True))

        async def work() -> None:
            for job, outcome in waiting:
                began = now()
                try:
                    if job.is_async:
                        outcome.value = await job.call()
                    else:
                        (value,) = await to_thread.run_sync(
                            partial(_boxed, job), abandon_on_cancel=True, limiter=world.threads
                        )
                        # What a plain function was given by an async one has to be awaited.
                        outcome.value = await value if inspect.isawaitable(value) else value
                except get_cancelled_exc_class():
                    if current_effective_deadline() == -math.inf:
                        raise  # as it was meant by who waits
                    outcome.error = RuntimeError("it was cancelled from within")
                except Exception as error:  # noqa: BLE001 - the model is told
                    outcome.error = error
                outcome.seconds, outcome.is_late = now() - began, False

        with move_on_after(self.seconds):
            async with create_task_group() as group:
                for _ in range(min(len(self.jobs), MAX_GATHERED)):
                    group.start_soon(work)
        return [self._settled(outcome) for outcome in found]

    def _settled(self, outcome: Outcome) -> Outcome:
        """Return an outcome that a thread which goes on does not change any more."""
        if not outcome.is_late:
            return outcome
        late = Outcome()
        late.seconds = self.seconds or 0.0
        return late


def _boxed(job: Job) -> tuple[Any]:
    """Call it; in a tuple, since trio lets no thread return what is awaited."""
    return (job.call(),)


def _do(job: Job, outcome: Outcome, now: Callable[[], float]) -> None:
    began = now()
    try:
        outcome.value = job.call()
    except Exception as error:  # noqa: BLE001 - as above
        outcome.error = error
    outcome.seconds = now() - began
    outcome.is_late = False  # last, since who waits may look at any time
