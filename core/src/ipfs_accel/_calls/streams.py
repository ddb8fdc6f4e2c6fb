"""Streams in both worlds: two thin faces that move the bytes of one reader, which knows neither."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, cast

from ipfs_accel import types
from ipfs_accel._fork import renewed_after_fork
from ipfs_accel._worlds.effects import Shut, Steps
from ipfs_accel._worlds.perform import aperform, perform
from ipfs_accel.errors import StreamIncomplete

from .execute import DRAIN_SECONDS, go_on, look_afterwards
from .reader import Reader

if TYPE_CHECKING:
    from ipfs_accel._worlds.worlds import AsyncWorld, World
    from ipfs_accel.types import CallInfo, Usage

    from .typed import GrowingValue

__all__ = ["AsyncStream", "Stream"]

E = TypeVar("E")
T = TypeVar("T")

Opening: TypeAlias = Steps[Reader[Any]]
"""What opens a stream and reads up to its first event."""


class _Face(Generic[E, T]):
    """What both streams are: a sequence of events, and the answer at its end.

    One that is dropped unclosed drops its exchange, which warns and closes the connection.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._reader: Reader[T] | None = None
        self._pending: deque[E] = deque()
        self._pieces: Any = None
        self._closed = False
        self._value: GrowingValue | None = None
        self._heard: list[str] = []

    @property
    def response(self) -> T:
        """The whole answer, exactly what the call without streaming would have given.

        Raises:
            StreamIncomplete: The stream has not been read to its end; `partial` has what came.
        """
        reader = self._reader
        if reader is None or reader.answer is None:
            error = StreamIncomplete("the stream has not been read to its end", hint="iterate over it, or call read()")
            error.partial = reader.partial() if reader is not None else None
            raise error
        if reader.call.wanted is not None:
            from .typed import valued  # noqa: PLC0415 - few calls ask for a type

            return cast("T", valued(reader.call.wanted, cast("Any", reader.answer)))
        return reader.answer

    @property
    def info(self) -> CallInfo | None:
        """How the answer comes about, as far as that is known; None before the stream is open."""
        return None if self._reader is None else self._reader.call.info()

    @property
    def usage(self) -> Usage | None:
        """What the server has told so far of what the answer uses; None as long as it has told nothing.

        Some tell the tokens of the input before their first event, others all of it with the last.
        """
        return None if self._reader is None else getattr(self._reader.out, "usage", None)

    @property
    def partial(self) -> Any:
        """What the text of the first choice is as JSON, as far as events have told it; None before there is any.

        Plain values: a text in it may still grow, a number is there once it is whole.
        """
        from .typed import GrowingValue  # noqa: PLC0415 - as above

        reader = self._reader
        if self._value is None:
            wanted = None if reader is None else reader.call.wanted
            self._value = GrowingValue(None if wanted is None else wanted.form)
        if reader is None:
            return None
        kind = types.TextDelta
        to_come = sum([isinstance(event, kind) and event.choice == 0 for event in self._pending])
        pieces = self._heard if reader.rewriting is not None else _pieces_of(reader.out)
        return self._value.after(pieces[: len(pieces) - to_come])

    def _hear(self, reader: Reader[Any], events: Iterable[Any]) -> None:
        """Keep the text that middleware passes on."""
        if reader.rewriting is not None:
            kind = types.TextDelta
            self._heard += [event.text for event in events if isinstance(event, kind) and event.choice == 0]

    @property
    def _is_over(self) -> bool:
        return self._closed or (self._reader is not None and self._reader.is_over)

    def _opened(self, reader: Reader[T]) -> None:
        self._reader = reader
        self._pieces = reader.pieces
        self._pending.extend(reader.events)
        self._hear(reader, reader.events)
        if reader.exchange is not None:
            renewed_after_fork(self)

    def after_fork(self) -> None:
        """Have nothing to give in a forked child, where reading on is refused: the stream is the parent's."""
        if self._reader is not None and self._reader.exchange is not None:
            self._pending.clear()

    def _shut(self) -> Shut | None:
        """Return what is to be let go of, if there is anything."""
        reader, pieces, self._pieces = self._reader, self._pieces, None
        if reader is None or pieces is None:
            return None
        reader.abandon()
        exchange, reader.exchange, reader.pieces = reader.exchange, None, None
        return Shut(exchange, pieces, DRAIN_SECONDS if reader.answer is not None else 0.0)


def _pieces_of(out: Any) -> list[str]:
    """Return the pieces of text of the first choice, one for each event that told of it."""
    state = out.choices.get(0)
    return [piece for block in state.blocks if block.type == "text" for piece in block.pieces] if state else []


class Stream(_Face[E, T]):
    """The events of an answer while it comes.

    Use it in a `with` block; plain iteration works too and closes the stream at its end. Leaving early closes the
    connection, so that the server sees that nobody listens.
    """

    def __init__(self, opening: Opening, world: World) -> None:
        super().__init__(opening)
        self._world = world

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        pending = self._pending
        while not pending:
            if self._is_over:
                raise StopIteration
            self._advance()
        return pending.popleft()

    @property
    def text_stream(self) -> Iterator[str]:
        """Only the pieces of text, of the first choice."""
        kind = types.TextDelta
        return (event.text for event in self if isinstance(event, kind) and event.choice == 0)

    def read(self) -> T:
        """Read to the end and return the whole answer."""
        for _ in self:
            pass
        return self.response

    def close(self) -> None:
        """End the stream. Does nothing the second time."""
        self._closed = True
        self._pending.clear()
        self._release()

    def _open(self) -> None:
        if self._reader is not None or self._closed:
            return
        try:
            self._opened(perform(self._opening, self._world))
        except BaseException:
            self._closed = True
            raise
        if self._is_over:
            self._release()

    def _advance(self) -> None:
        """Get the next piece and what it means."""
        reader = self._reader
        if reader is None:
            self._open()
            return
        try:
            events = reader.take(reader.now(), next(self._pieces, b""))
            if reader.further is not None:
                perform(go_on(reader, reader.further), self._world)
                self._pieces = reader.pieces
            if reader.is_due:
                perform(look_afterwards(reader), self._world)
            if reader.rewriting is not None:
                events = perform(reader.rewriting(events), self._world)
                self._hear(reader, events)
            self._pending.extend(events)
        except Exception as error:  # noqa: BLE001 - a local plan's steps may raise anything
            failure = reader.fail(error)
            self._release()
            raise failure from None
        except BaseException:
            self.close()
            raise
        if reader.is_over:
            self._release()

    def _release(self) -> None:
        shut = self._shut()
        if shut is not None:
            shut.sync(self._world)


class AsyncStream(_Face[E, T]):
    """The events of an answer while it comes; use it in an `async with` block. Otherwise as `Stream`."""

    def __init__(self, opening: Opening, world: AsyncWorld) -> None:
        super().__init__(opening)
        self._world = world

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        pending = self._pending
        while not pending:
            if self._is_over:
                raise StopAsyncIteration
            await self._advance()
        return pending.popleft()

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """Only the pieces of text, of the first choice."""
        kind = types.TextDelta
        return (event.text async for event in self if isinstance(event, kind) and event.choice == 0)

    async def read(self) -> T:
        """Read to the end and return the whole answer."""
        async for _ in self:
            pass
        return self.response

    async def close(self) -> None:
        """End the stream. Does nothing the second time."""
        self._closed = True
        self._pending.clear()
        await self._release()

    async def _open(self) -> None:
        if self._reader is not None or self._closed:
            return
        try:
            self._opened(await aperform(self._opening, self._world))
        except BaseException:
            self._closed = True
            raise
        if self._is_over:
            await self._release()

    async def _advance(self) -> None:
        """Get the next piece and what it means."""
        reader = self._reader
        if reader is None:
            await self._open()
            return
        try:
            events = reader.take(reader.now(), await anext(self._pieces, b""))
            if reader.further is not None:
                await aperform(go_on(reader, reader.further), self._world)
                self._pieces = reader.pieces
            if reader.is_due:
                await aperform(look_afterwards(reader), self._world)
            if reader.rewriting is not None:
                events = await aperform(reader.rewriting(events), self._world)
                self._hear(reader, events)
            self._pending.extend(events)
        except Exception as error:  # noqa: BLE001 - as in Stream
            failure = reader.fail(error)
            await self._release()
            raise failure from None
        except BaseException:
            await self.close()
            raise
        if reader.is_over:
            await self._release()

    async def _release(self) -> None:
        shut = self._shut()
        if shut is not None:
            await shut.asynchronous(self._world)
