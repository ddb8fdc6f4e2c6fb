"""Performs plans: once, for both worlds.

The logic of a call is a generator that yields what has to be waited for (an `Effect`) and is sent the result. It knows
no world. `perform` runs such a generator for synchronous callers and `aperform` for asynchronous ones; each effect
says in two short methods how it is done in either. The streams at the end are the same pair for answers that come in
pieces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import attrs

from .errors import AccelError

if TYPE_CHECKING:
    import anyio

    from ._http import AsyncExchange, AsyncTransport, Exchange, Timeouts, Transport
    from .plans import Body, Job

__all__ = [
    "AsyncWorld",
    "Effect",
    "Gather",
    "Open",
    "ReadAll",
    "Run",
    "Send",
    "Steps",
    "Whole",
    "World",
    "aperform",
    "perform",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MAX_GATHERED = 16


class Effect(Protocol):
    """Something that a call waits for."""

    def sync(self, world: World, /) -> Any:
        """Do it and block."""
        ...

    async def asynchronous(self, world: AsyncWorld, /) -> Any:
        """Do it and await."""
        ...


Steps: TypeAlias = Generator[Effect, Any, T]


@attrs.define(eq=False)
class World:
    """What the synchronous world works with."""

    transport: Transport


@attrs.define(eq=False)
class AsyncWorld:
    """What the asynchronous world works with; `threads` bounds the blocking functions at work."""

    transport: AsyncTransport
    threads: anyio.CapacityLimiter


@attrs.frozen(kw_only=True)
class Whole:
    """A response that was read to its end, and when its head came (`time.perf_counter`)."""

    status: int
    headers: Any
    body: bytes
    head_at: float


@attrs.frozen(eq=False)
class Outgoing:
    """A request as it goes out, the key among its headers; `timeouts` are in seconds."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = attrs.field(repr=False)
    body: bytes | Body | None = attrs.field(repr=False)
    timeouts: Timeouts

    def send(self, transport: Any) -> Any:
        """Hand it to a transport of either world."""
        return transport.send(self.method, self.url, self.headers, self.body, self.timeouts)


@attrs.frozen(eq=False)
class Send:
    """Send a request and read the whole answer; its result is a `Whole`."""

    request: Outgoing
    limit: int

    def sync(self, world: World) -> Whole:
        exchange: Exchange = self.request.send(world.transport)
        head_at = time.perf_counter()
        try:
            body = exchange.read(self.limit)
        finally:
            exchange.close()
        return Whole(status=exchange.status, headers=exchange.headers, body=body, head_at=head_at)

    async def asynchronous(self, world: AsyncWorld) -> Whole:
        exchange: AsyncExchange = await self.request.send(world.transport)
        head_at = time.perf_counter()
        try:
            body = await exchange.read(self.limit)
        finally:
            await exchange.close()
        return Whole(status=exchange.status, headers=exchange.headers, body=body, head_at=head_at)


@attrs.frozen(eq=False)
class Open:
    """Send a request; its result is the open exchange, for streams."""

    request: Outgoing

    def sync(self, world: World) -> Exchange:
        return self.request.send(world.transport)  # type: ignore[no-any-return]

    async def asynchronous(self, world: AsyncWorld) -> AsyncExchange:
        return await self.request.send(world.transport)  # type: ignore[no-any-return]


@attrs.frozen(eq=False)
class ReadAll:
    """Read the rest of an exchange that turned out to be no stream; its result is the body."""

    exchange: Any
    limit: int

    def sync(self, _world: World) -> bytes:
        try:
            return self.exchange.read(self.limit)  # type: ignore[no-any-return]
        finally:
            self.exchange.close()

    async def asynchronous(self, _world: AsyncWorld) -> bytes:
        try:
            return await self.exchange.read(self.limit)  # type: ignore[no-any-return]
        finally:
            await self.exchange.close()


@attrs.frozen(eq=False)
class Run(Generic[T]):
    """Run a blocking function; the asynchronous world uses a thread, and tells the job when nobody waits for it."""

    function: Callable[[], T]
    job: Job | None = None

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


@attrs.frozen(eq=False)
class Gather(Generic[T]):
    """Perform several calls side by side; its result has a value or an `AccelError` for each, in order."""

    calls: Sequence[Steps[T]]

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
            return list(pool.map(one, self.calls))

    async def asynchronous(self, world: AsyncWorld) -> list[T | AccelError]:
        from anyio import create_task_group  # noqa: PLC0415 - the synchronous world does not need it

        results: list[Any] = [None] * len(self.calls)

        async def one(index: int, steps: Steps[T]) -> None:
            try:
                results[index] = await aperform(steps, world)
            except AccelError as error:
                results[index] = error

        async with create_task_group() as group:
            for index, steps in enumerate(self.calls):
                group.start_soon(one, index, steps)
        return results


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
