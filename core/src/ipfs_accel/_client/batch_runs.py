"""Runs over many rows, in both worlds: who asks for the rows that `_batch.engine` gives, and who reads what comes."""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from ipfs_accel._batch.row import Row
from ipfs_accel._worlds.perform import aperform, perform
from ipfs_accel.errors import AccelError

from .batch_results import Results
from .batch_work import Work

if TYPE_CHECKING:
    import anyio
    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from ipfs_accel._batch.engine import Engine
    from ipfs_accel._worlds.worlds import AsyncWorld, World
    from ipfs_accel.types import BatchReport, BatchResult

__all__ = ["AsyncBatchRun", "BatchRun"]


E = TypeVar("E", threading.Event, "anyio.Event")


class _Run(Generic[E]):
    """What both faces have that waits for nothing."""

    _woken: E
    """Set where nobody is to wait any more who waits for its turn."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._engine: Engine | None = None
        self._is_over = False

    @property
    def report(self) -> BatchReport:
        """How far it is, at this moment.

        Raises:
            RuntimeError: It has not begun.
        """
        return self._at_work().report()

    @property
    def has_begun(self) -> bool:
        """Whether the input is read, and rows are asked for."""
        return self._engine is not None

    @property
    def trouble(self) -> AccelError | None:
        """Why all rows wait for the server; None if they do not."""
        return None if self._engine is None else self._engine.trouble

    @property
    def is_stopped(self) -> bool:
        """Whether no more rows are asked for."""
        return self._engine is not None and self._engine.report().ended is not None

    def stop(self) -> None:
        """Ask for no further row; what is under way comes to its end."""
        if self._engine is not None:
            self._engine.stop()
            self._woken.set()

    def _at_work(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the run has not begun: use it in a `with` block, or call `complete`")
        return self._engine

    def _workers(self, engine: Engine) -> int:
        """Return how many rows are under way at once at most."""
        return max(1, min(self._work.limits.concurrency, engine.report().left))


class BatchRun(_Run[threading.Event]):
    """A run over many rows: iterate over it for what becomes of each row, or `complete` it.

    Use it in a `with` block. Leaving that early asks for no further row, and waits for those under way; the same call
    goes on from there, in this process or another.
    """

    def __init__(self, work: Work, world: World) -> None:
        super().__init__(work)
        self._world = world
        self._threads: list[threading.Thread] = []
        self._woken = threading.Event()

    def __enter__(self) -> Self:
        self._start(is_read=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchResult:
        found = None if self._is_over else self._results.get()
        if found is None:
            self._end()
            raise StopIteration
        return found

    def complete(self) -> BatchReport:
        """Work on all rows, and tell how it ended.

        Raises:
            AccelError: What ended it before its time, such as a key that is refused; what is done is kept.
            OSError: The disk takes no more; likewise.
        """
        if self._engine is None:
            self._start(is_read=False)
        else:
            self._results.close()
        try:
            for thread in self._threads:
                thread.join()
        except BaseException:
            self._close()
            raise
        self._end()
        return self.report

    def _start(self, *, is_read: bool) -> None:
        perform(self._work.places.fetched(), self._world)
        engine = self._engine = self._work.begin()
        workers = self._workers(engine)
        self._results = Results(workers, workers, is_read=is_read)
        for _ in range(workers):
            context = contextvars.copy_context()
            work = partial(context.run, self._ask, engine)
            self._threads.append(threading.Thread(target=work, name="ipfs-accel-batch", daemon=True))
            self._threads[-1].start()

    def _end(self) -> None:
        """Close it after its last row, and raise what ended it."""
        if self._is_over:
            return
        self._close()
        engine = self._at_work()
        if engine.fault is not None:
            raise engine.fault
        if engine.is_complete:
            perform(self._work.places.stored(), self._world)

    def _close(self) -> None:
        if self._is_over or self._engine is None:
            return
        self.stop()
        self._results.close()
        for thread in self._threads:
            thread.join()
        self._is_over = True
        self._engine.finish()

    def _ask(self, engine: Engine) -> None:
        try:
            while (row := engine.take()) is not None:
                if isinstance(row, Row):
                    result = self._performed(engine, row)
                    if result is not None:
                        self._results.put(result)
                else:
                    self._world.clock.sleep(row, self._woken)
        finally:
            self._results.leave()

    def _performed(self, engine: Engine, row: Row) -> BatchResult | None:
        try:
            answer = perform(self._work.steps(row.asked(engine.ask)), self._world)
        except AccelError as error:
            return engine.failed(row, error)
        except Exception as error:  # noqa: BLE001 - who reads the results is told
            engine.dropped(error)
            return None
        return engine.answered(row, answer)


class AsyncBatchRun(_Run["anyio.Event"]):
    """The same, awaited; on asyncio and trio. Leaving the block by an error gives up the rows that are under way."""

    def __init__(self, work: Work, world: AsyncWorld) -> None:
        super().__init__(work)
        self._world = world
        self._group: TaskGroup | None = None
        self._found: MemoryObjectReceiveStream[BatchResult] | None = None

    async def __aenter__(self) -> Self:
        await self._start(is_read=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._group is not None and error is not None:
            self._group.cancel_scope.cancel()
        self.stop()
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchResult:
        from anyio import EndOfStream  # noqa: PLC0415 - the synchronous world does not need it

        if self._is_over or self._found is None:
            raise StopAsyncIteration
        try:
            return await self._found.receive()
        except EndOfStream:
            await self._end()
            raise StopAsyncIteration from None

    async def complete(self) -> BatchReport:
        """As `BatchRun.complete`."""
        if self._engine is None:
            await self._start(is_read=False)
        elif self._found is not None:
            self._found.close()
        await self._end()
        return self.report

    async def _start(self, *, is_read: bool) -> None:
        from anyio import Event, create_memory_object_stream, create_task_group  # noqa: PLC0415 - as above

        await aperform(self._work.places.fetched(), self._world)
        engine = self._engine = await self._begun()
        workers = self._workers(engine)
        self._woken = Event()
        give, self._found = create_memory_object_stream["BatchResult"](workers)
        self._group = create_task_group()
        await self._group.__aenter__()
        for _ in range(workers):
            self._group.start_soon(self._ask, engine, give.clone() if is_read else None)
        give.close()
        if not is_read:
            self._found.close()

    async def _begun(self) -> Engine:
        """Return the run at work; reading a large input takes long, and nobody has to wait for it who is cancelled."""
        from anyio import to_thread  # noqa: PLC0415 - as above

        def begin() -> Engine:
            engine = self._work.begin()
            if self._is_over:
                engine.finish()
            return engine

        try:
            return await to_thread.run_sync(begin, abandon_on_cancel=True, limiter=self._world.threads)
        except BaseException:
            self._is_over = True
            raise

    async def _end(self) -> None:
        """Close it after its last row, and raise what ended it."""
        if self._is_over:
            return
        await self._close()
        engine = self._at_work()
        if engine.fault is not None:
            raise engine.fault
        if engine.is_complete:
            await aperform(self._work.places.stored(), self._world)

    async def _close(self) -> None:
        """Wait for the rows under way, and have all on the disk."""
        from anyio import CancelScope, to_thread  # noqa: PLC0415 - as above

        group, engine = self._group, self._engine
        if self._is_over or group is None or engine is None:
            return
        self._is_over = True
        if self._found is not None:
            self._found.close()
        try:
            # What the block raises is not the group's, which would make a group of it.
            await group.__aexit__(None, None, None)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(engine.finish, limiter=self._world.threads)

    async def _ask(self, engine: Engine, give: MemoryObjectSendStream[BatchResult] | None) -> None:
        from anyio import BrokenResourceError  # noqa: PLC0415 - as above

        try:
            while (row := engine.take()) is not None:
                if not isinstance(row, Row):
                    await self._world.clock.sleep_async(row, self._woken)
                    continue
                result = await self._performed(engine, row)
                if give is not None and result is not None:
                    with suppress(BrokenResourceError):  # nobody reads any more
                        await give.send(result)
        finally:
            if give is not None:
                give.close()

    async def _performed(self, engine: Engine, row: Row) -> BatchResult | None:
        try:
            answer = await aperform(self._work.steps(row.asked(engine.ask)), self._world)
        except AccelError as error:
            return engine.failed(row, error)
        except Exception as error:  # noqa: BLE001 - who reads the results is told
            engine.dropped(error)
            return None
        except BaseException:
            engine.dropped()
            raise
        return engine.answered(row, answer)
