"""What a call waits for, as values: each says in two short methods how it is done in either world.

Nobody compares or prints them, and each call makes several: plain classes are made, and make theirs, in the least time.

The logic of a call is a generator that yields such effects and is sent their results (`Steps`). It knows no world;
`perform` runs it in one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar

from ipfs_accel.plans import HttpResponse

if TYPE_CHECKING:
    from ipfs_accel._http import AsyncExchange, Exchange, Timeouts
    from ipfs_accel._secret import SentHeaders
    from ipfs_accel.plans import Body, Job

    from .worlds import AsyncWorld, World

__all__ = [
    "Effect",
    "Next",
    "Open",
    "Outgoing",
    "Pause",
    "ReadAll",
    "Run",
    "Send",
    "Shut",
    "Start",
    "Steps",
    "Wait",
    "Whole",
]

T = TypeVar("T")

MAX_ERROR_BYTES = 1024 * 1024
"""What is read of an error, or of a document where a stream was wanted."""


class Effect(Protocol):
    """Something that a call waits for."""

    def sync(self, world: World, /) -> Any:
        """Do it and block."""
        ...

    async def asynchronous(self, world: AsyncWorld, /) -> Any:
        """Do it and await."""
        ...


Steps: TypeAlias = Generator[Effect, Any, T]


class Whole:
    """A response that was read to its end.

    Attributes:
        head_at: When its head came, by the world's clock.
        connect: Seconds that its connection took; 0 for one that was open already.
    """

    __slots__ = ("body", "connect", "head_at", "headers", "status")

    def __init__(self, *, status: int, headers: Any, body: bytes, head_at: float, connect: float) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.head_at = head_at
        self.connect = connect


class Outgoing:
    """A request as it goes out, the key among its headers; `timeouts` are in seconds."""

    __slots__ = ("body", "headers", "method", "timeouts", "url")

    def __init__(
        self, method: str, url: str, headers: SentHeaders, body: bytes | Body | None, timeouts: Timeouts
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeouts = timeouts

    def send(self, transport: Any) -> Any:
        """Hand it to a transport of either world."""
        return transport.send(self.method, self.url, self.headers, self.body, self.timeouts)


class Send:
    """Send a request and read the whole answer; its result is a `Whole`."""

    __slots__ = ("limit", "request")

    def __init__(self, request: Outgoing, limit: int) -> None:
        self.request = request
        self.limit = limit

    def sync(self, world: World) -> Whole:
        exchange: Exchange = self.request.send(world.transport)
        head_at = world.clock.now()
        try:
            body = exchange.read(_limit(exchange, self.limit), may_cut=_is_error(exchange))
        finally:
            exchange.close()
        return _whole(exchange, body, head_at)

    async def asynchronous(self, world: AsyncWorld) -> Whole:
        exchange: AsyncExchange = await self.request.send(world.transport)
        head_at = world.clock.now()
        try:
            body = await exchange.read(_limit(exchange, self.limit), may_cut=_is_error(exchange))
        finally:
            await exchange.close()
        return _whole(exchange, body, head_at)


def _is_error(exchange: Exchange | AsyncExchange) -> bool:
    """Whether the status says all that counts, so that the end of a long body may be missing."""
    return exchange.status >= 400  # noqa: PLR2004


def _limit(exchange: Exchange | AsyncExchange, limit: int) -> int:
    return min(limit, MAX_ERROR_BYTES) if _is_error(exchange) else limit


def _whole(exchange: Exchange | AsyncExchange, body: bytes, head_at: float) -> Whole:
    return Whole(
        status=exchange.status,
        headers=exchange.headers,
        body=body,
        head_at=head_at,
        connect=exchange.connect_seconds,
    )


class Open:
    """Send a request; its result is the open exchange, for streams."""

    __slots__ = ("request",)

    def __init__(self, request: Outgoing) -> None:
        self.request = request

    def sync(self, world: World) -> Exchange:
        return self.request.send(world.transport)  # type: ignore[no-any-return]

    async def asynchronous(self, world: AsyncWorld) -> AsyncExchange:
        return await self.request.send(world.transport)  # type: ignore[no-any-return]


class ReadAll:
    """Read the rest of an exchange that turned out to be no stream; its result is an `HttpResponse`."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    def sync(self, _world: World) -> HttpResponse:
        try:
            return self._response(self.exchange.read(MAX_ERROR_BYTES, may_cut=_is_error(self.exchange)))
        finally:
            self.exchange.close()

    async def asynchronous(self, _world: AsyncWorld) -> HttpResponse:
        try:
            return self._response(await self.exchange.read(MAX_ERROR_BYTES, may_cut=_is_error(self.exchange)))
        finally:
            await self.exchange.close()

    def _response(self, body: bytes) -> HttpResponse:
        return HttpResponse(status=self.exchange.status, headers=self.exchange.headers, body=body)


class Run(Generic[T]):
    """Run a blocking function; the asynchronous world uses a thread, and tells the job when nobody waits for it."""

    __slots__ = ("function", "job")

    def __init__(self, function: Callable[[], T], job: Job | None = None) -> None:
        self.function = function
        self.job = job

    def sync(self, _world: World) -> T:
        return self.function()

    async def asynchronous(self, world: AsyncWorld) -> T:
        from anyio import to_thread  # noqa: PLC0415 - the synchronous world does not need it

        try:
            return await to_thread.run_sync(self.function, limiter=world.threads, abandon_on_cancel=True)
        except BaseException:
            if self.job is not None:
                self.job.is_abandoned = True
            raise


class Pause:
    """Let some seconds pass."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def sync(self, world: World) -> None:
        world.clock.sleep(self.seconds)

    async def asynchronous(self, world: AsyncWorld) -> None:
        await world.clock.sleep_async(self.seconds)


class Sleeper(Protocol):
    """Who may be woken; `wake` is called by whichever thread has news."""

    wake: Callable[[], None] | None


class Wait:
    """Wait until somebody is woken, or for as long as `seconds` says once nothing can be missed any more.

    That function is asked after the wake-up call is in place; None is no limit, 0 that there is nothing to wait for.
    """

    __slots__ = ("seconds", "sleeper")

    def __init__(self, sleeper: Sleeper, seconds: Callable[[], float | None]) -> None:
        self.sleeper = sleeper
        self.seconds = seconds

    def sync(self, world: World) -> None:
        event = threading.Event()
        self.sleeper.wake = event.set
        try:
            seconds = self.seconds()
            if seconds != 0:
                world.clock.sleep(seconds, event)
        finally:
            self.sleeper.wake = None

    async def asynchronous(self, world: AsyncWorld) -> None:
        from anyio import Event  # noqa: PLC0415 - the synchronous world does not need it

        event = Event()
        self.sleeper.wake = world.transport.waker(event)
        try:
            seconds = self.seconds()
            if seconds != 0:
                await world.clock.sleep_async(seconds, event)
        finally:
            self.sleeper.wake = None


class Start:
    """Begin to read a stream; its result is an iterator of the world: of bytes, or of the steps of a local stream."""

    __slots__ = ("exchange", "job", "local")

    def __init__(self, exchange: Any, local: Iterator[None] | None, job: Job) -> None:
        self.exchange = exchange
        self.local = local
        self.job = job

    def sync(self, _world: World) -> Any:
        return self.local if self.local is not None else iter(self.exchange.chunks())

    async def asynchronous(self, world: AsyncWorld) -> Any:
        return aiter(_Threaded(self.local, world, self.job) if self.local is not None else self.exchange.chunks())


class Next:
    """Take the next piece of a stream; its result is empty bytes at the end."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Any) -> None:
        self.pieces = pieces

    def sync(self, _world: World) -> bytes | None:
        return next(self.pieces, b"")

    async def asynchronous(self, _world: AsyncWorld) -> bytes | None:
        return await anext(self.pieces, b"")


class Shut:
    """Let go of a stream: of its exchange, or of the steps of a local one; wait some seconds for a body's end."""

    __slots__ = ("exchange", "pieces", "seconds")

    def __init__(self, exchange: Any, pieces: Any, seconds: float = 0.0) -> None:
        self.exchange = exchange
        self.pieces = pieces
        self.seconds = seconds

    def sync(self, _world: World) -> None:
        if self.exchange is not None:
            self.exchange.close(self.seconds)
        elif self.pieces is not None:
            self.pieces.close()

    async def asynchronous(self, _world: AsyncWorld) -> None:
        if self.exchange is not None:
            await self.exchange.close(self.seconds)
        elif self.pieces is not None:
            await self.pieces.close()


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
