"""Runs whose rounds are read while they come, in both worlds."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ipfs_accel import types
from ipfs_accel._worlds.perform import aperform, perform
from ipfs_accel.errors import AccelError, StreamIncomplete

from . import operations as ops
from .streams import AsyncStream, Stream

if TYPE_CHECKING:
    from ipfs_accel._worlds.worlds import AsyncWorld, World
    from ipfs_accel.types import RunEvent, RunResult

    from .runs import Loop, Pending

__all__ = ["AsyncRunStream", "RunStream"]

T = TypeVar("T")


class _Face(Generic[T]):
    """What both are: the events of each round, those of the calls between them, and the result at the end."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._stream: Any = None
        self._ready: deque[RunEvent] = deque()
        self._pending: list[Pending] = []
        self._has_begun = self._is_over = self._is_whole = False

    @property
    def result(self) -> RunResult[T]:
        """What the run came to.

        Raises:
            StreamIncomplete: It has not been read to its end, or an error ended it, whose `run` has what there was.
        """
        if not self._is_whole:
            raise StreamIncomplete("the run has not been read to its end", hint="iterate over it, or call read()")
        return self._loop.result()

    def _opening(self) -> Any:
        model, messages, options = self._loop.asking()
        return self._loop.core.opening(ops.STREAM, model, messages, options)

    def _answered(self, answer: Any) -> None:
        """Take a round's answer: what is to be called is told of before it is."""
        self._stream = None
        self._pending = self._loop.after(answer)
        number = self._loop.round
        self._ready.append(types.RoundEnd(round=number, response=answer))
        self._ready += [types.ToolStart(round=number, call=each.call) for each in self._pending]
        self._is_over = self._is_whole = not self._pending

    def _worked(self, runs: Any) -> None:
        self._pending = []
        self._ready += [types.ToolEnd(run=each) for each in runs]
        self._is_over = self._is_whole = self._loop.is_stopped

    def _failed(self, error: AccelError) -> None:
        """End the run: with what it has if its time is over, and else by the error."""
        self._is_over, self._stream = True, None
        self._is_whole = self._loop.late(error)
        if not self._is_whole:
            raise error


class RunStream(_Face[T]):
    """The events of a run while it goes on; use it in a `with` block. Leaving early ends it."""

    def __init__(self, loop: Loop, world: World) -> None:
        super().__init__(loop)
        self._world = world

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[RunEvent]:
        return self

    def __next__(self) -> RunEvent:
        while not self._ready:
            if self._is_over:
                raise StopIteration
            try:
                self._advance()
            except AccelError as error:
                self._failed(error)
            except BaseException:  # no tool is called a second time
                self._is_over = True
                raise
        return self._ready.popleft()

    @property
    def text_stream(self) -> Iterator[str]:
        """Only the pieces of text."""
        return (event.text for event in self if isinstance(event, types.TextDelta) and event.choice == 0)

    def read(self) -> RunResult[T]:
        """Read to the end and return what the run came to."""
        for _ in self:
            pass
        return self.result

    def close(self) -> None:
        """End the run. Does nothing the second time."""
        self._is_over = True
        self._ready.clear()
        if self._stream is not None:
            self._stream.close()

    def _advance(self) -> None:
        if self._pending:
            self._worked(perform(self._loop.work(self._pending), self._world))
            return
        if self._stream is None:
            if not self._has_begun:
                perform(self._loop.begin(), self._world)
                self._has_begun = True
            self._stream = Stream(self._opening(), self._world)
        event = next(self._stream, None)
        if event is None:
            self._answered(self._stream.response)
        else:
            self._ready.append(event)


class AsyncRunStream(_Face[T]):
    """The events of a run while it goes on; use it in an `async with` block. Otherwise as `RunStream`."""

    def __init__(self, loop: Loop, world: AsyncWorld) -> None:
        super().__init__(loop)
        self._world = world

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[RunEvent]:
        return self

    async def __anext__(self) -> RunEvent:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            try:
                await self._advance()
            except AccelError as error:
                self._failed(error)
            except BaseException:  # no tool is called a second time
                self._is_over = True
                raise
        return self._ready.popleft()

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """Only the pieces of text."""
        return (event.text async for event in self if isinstance(event, types.TextDelta) and event.choice == 0)

    async def read(self) -> RunResult[T]:
        """Read to the end and return what the run came to."""
        async for _ in self:
            pass
        return self.result

    async def close(self) -> None:
        """End the run. Does nothing the second time."""
        self._is_over = True
        self._ready.clear()
        if self._stream is not None:
            await self._stream.close()

    async def _advance(self) -> None:
        if self._pending:
            self._worked(await aperform(self._loop.work(self._pending), self._world))
            return
        if self._stream is None:
            if not self._has_begun:
                await aperform(self._loop.begin(), self._world)
                self._has_begun = True
            self._stream = AsyncStream(self._opening(), self._world)
        event = await anext(self._stream, None)
        if event is None:
            self._answered(self._stream.response)
        else:
            self._ready.append(event)
