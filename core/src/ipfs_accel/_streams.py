"""Streams in both worlds: one reader that knows neither, and two thin faces that move its bytes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from ._call import Call
from ._perform import AsyncWorld, Run, Steps, World, aperform, perform
from .errors import (
    AccelError,
    APIConnectionError,
    APIError,
    APITimeoutError,
    InvalidResponseError,
    PluginError,
    StreamIncomplete,
    StreamInterrupted,
)
from .plans import FrameDecoder, HttpStream, Job, LocalStream
from .types import TextDelta

__all__ = ["AsyncStream", "Stream"]

E = TypeVar("E")
T = TypeVar("T")

Opening: TypeAlias = Steps[tuple[Call, Any, Any]]
"""What opens a stream: gives the call, the plan, and the exchange (None for a local stream)."""


DRAIN_SECONDS = 0.1
"""How long to wait after the terminal signal for the end of the body, so that the connection can be used again."""


class _Reader(Generic[T]):
    """One stream from its opening to its answer: bytes in, events out, time limits watched."""

    def __init__(self) -> None:
        self.out: Any = None
        self.answer: T | None = None
        self.error: AccelError | None = None
        self._frames: FrameDecoder[Any] | None = None
        self._committed = False
        self._meaningful_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to read."""
        return self.answer is not None or self.error is not None

    def begin(self, call: Call, stream: HttpStream[T] | LocalStream[T], exchange: Any) -> None:
        """Make what the plan says is needed to read it."""
        self.call = call
        self._exchange = exchange
        self.job = call.job()
        self.out = stream.assembler()
        self._meaningful_at = time.perf_counter()
        if isinstance(stream, HttpStream):
            self._frames = stream.frames()
            self._decode = stream.decoder()

    def take(self, chunk: bytes | None) -> list[Any]:
        """Return the events that a piece of the stream completes.

        Args:
            chunk: Bytes as they came; None for a step of a local stream; empty for the end.

        Raises:
            AccelError: The stream failed; `partial` has what came.
        """
        try:
            if chunk:
                self._feed(chunk)
            if chunk == b"" or self.out.is_done:
                return self._end(is_eof=not self.out.is_done)
            return self._progress()
        except Exception as error:  # noqa: BLE001 - decoders meet anything that a server can send
            raise self.failure(error) from None

    def failure(self, error: Exception) -> AccelError:
        """Return what to raise for anything that went wrong, complete with what had come."""
        if self.error is None:
            self.error = self._translate(error)
            if isinstance(self.error, APIError) and self.error.partial is None:
                with suppress(Exception):  # what a server sent may not even go into a partial answer
                    self.error.partial = self.out.partial()
            self.call.fail(self.error)
        return self.error

    def _feed(self, chunk: bytes) -> None:
        decode, out = self._decode, self.out
        for frame in self._frames.feed(chunk):  # type: ignore[union-attr]
            decode(frame, out)
            if out.is_done:
                break

    def _progress(self) -> list[Any]:
        """Return the new events and watch the time limits."""
        events: list[Any] = self.out.take()
        now = time.perf_counter()
        limits = self.call.timeout
        if events:
            if not self._committed and self._exchange is not None:
                # Until now the limit on silence was that of the first event.
                self._exchange.read_timeout = limits.idle
            self._committed = True
            self._meaningful_at = now
        else:
            phase, limit = ("idle", limits.idle) if self._committed else ("first_event", limits.first_event)
            if limit is not None and now - self._meaningful_at > limit:
                raise APITimeoutError(f"no meaningful event of the stream came within {limit:g} s", phase=phase)
        if limits.total is not None and now - self.call.started > limits.total:
            raise APITimeoutError(f"the call was not over within {limits.total:g} s", phase="total")
        return events

    def _end(self, *, is_eof: bool) -> list[Any]:
        if is_eof and self._frames is not None:
            # A frame that was cut in its middle is no frame: whether the answer is whole without it, the terminal
            # signal tells.
            with suppress(ValueError, InvalidResponseError):
                for frame in self._frames.flush():
                    self._decode(frame, self.out)
        self.call.request_id = self.call.request_id or self.job.request_id
        self.answer = self.call.finish(self.out.conclude())
        return self.out.take()  # type: ignore[no-any-return]

    def _translate(self, error: Exception) -> AccelError:
        if isinstance(error, APIConnectionError) and self._committed:
            return StreamInterrupted(f"the stream broke off: {error.message}", phase=error.phase)
        if isinstance(error, AccelError):
            return error
        backend = self.call.target.backend.name
        if self._frames is None:
            return PluginError(f"the backend {backend!r} failed while streaming: {type(error).__name__}: {error}")
        from .wire.ndjson import FramingError  # noqa: PLC0415 - a stream's plugin has imported it, a local one's has not

        if isinstance(error, FramingError):
            return InvalidResponseError(f"the stream cannot be read: {error}")
        return InvalidResponseError(
            f"a part of the stream does not have the form that the backend {backend!r} expects "
            f"({type(error).__name__}: {error})"
        )


class _Face(Generic[E, T]):
    """What both streams are: a sequence of events, and the answer at its end.

    One that is dropped unclosed drops its exchange, which warns and closes the connection.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._reader: _Reader[T] = _Reader()
        self._pending: deque[E] = deque()
        self._chunks: Any = None
        self._exchange: Any = None
        self._is_open = False
        self._closed = False

    @property
    def response(self) -> T:
        """The whole answer, exactly what the call without streaming would have given.

        Raises:
            StreamIncomplete: The stream has not been read to its end; `partial` has what came.
        """
        reader = self._reader
        if reader.answer is None:
            error = StreamIncomplete("the stream has not been read to its end", hint="iterate over it, or call read()")
            error.partial = reader.out.partial() if reader.out else None
            raise error
        return reader.answer


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
            if self._closed or self._reader.is_over:
                raise StopIteration
            self._advance()
        return pending.popleft()

    @property
    def text_stream(self) -> Iterator[str]:
        """Only the pieces of text, of the first choice."""
        return (event.text for event in self if isinstance(event, TextDelta) and event.choice == 0)

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
        if self._is_open or self._closed or self._reader.is_over:
            return
        reader = self._reader
        call, stream, self._exchange = perform(self._opening, self._world)
        reader.begin(call, stream, self._exchange)
        if self._exchange is not None:
            self._chunks = iter(self._exchange.chunks())
        else:
            self._chunks = stream.run(reader.out, reader.job)
        self._is_open = True

    def _advance(self) -> None:
        """Get the next piece and what it means."""
        self._open()
        try:
            self._pending.extend(self._reader.take(next(self._chunks, b"")))
        except Exception as error:  # noqa: BLE001 - a local plan's steps may raise anything
            self._release()
            raise self._reader.failure(error) from None
        except BaseException:
            self.close()
            raise
        if self._reader.is_over:
            self._release()

    def _release(self) -> None:
        self._is_open = False
        chunks, self._chunks = self._chunks, None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close(DRAIN_SECONDS if self._reader.answer is not None else 0.0)
        elif chunks is not None:
            chunks.close()


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
            if self._closed or self._reader.is_over:
                raise StopAsyncIteration
            await self._advance()
        return pending.popleft()

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """Only the pieces of text, of the first choice."""
        return (event.text async for event in self if isinstance(event, TextDelta) and event.choice == 0)

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
        if self._is_open or self._closed or self._reader.is_over:
            return
        reader = self._reader
        call, stream, self._exchange = await aperform(self._opening, self._world)
        reader.begin(call, stream, self._exchange)
        if self._exchange is not None:
            self._chunks = aiter(self._exchange.chunks())
        else:
            self._chunks = _Threaded(stream.run(reader.out, reader.job), self._world, reader.job)
        self._is_open = True

    async def _advance(self) -> None:
        """Get the next piece and what it means."""
        await self._open()
        try:
            self._pending.extend(self._reader.take(await anext(self._chunks, b"")))
        except Exception as error:  # noqa: BLE001 - as in Stream
            await self._release()
            raise self._reader.failure(error) from None
        except BaseException:
            await self.close()
            raise
        if self._reader.is_over:
            await self._release()

    async def _release(self) -> None:
        self._is_open = False
        chunks, self._chunks = self._chunks, None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close(DRAIN_SECONDS if self._reader.answer is not None else 0.0)
        elif chunks is not None:
            await chunks.close()


class _Threaded:
    """A blocking generator, stepped in the thread pool; StopIteration never crosses the bridge."""

    def __init__(self, steps: Iterator[None], world: AsyncWorld, job: Job) -> None:
        self._steps: Any = steps
        self._world = world
        self._job = job

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        if await Run(lambda: next(self._steps, b""), self._job).asynchronous(self._world) == b"":
            raise StopAsyncIteration

    async def close(self) -> None:
        await Run(self._steps.close).asynchronous(self._world)
