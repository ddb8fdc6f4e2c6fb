"""The transport of the asynchronous world, for asyncio and trio; the twin of `_sync`."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Self

import anyio

from ipfs_accel._headers import Headers
from ipfs_accel.errors import AccelError, ClientClosedError, ConfigError, InvalidResponseError

from .async_line import AsyncLine
from .base import Proxy, Target, TransportOptions, parse_proxy, parse_url
from .chosen import needs_library
from .faults import pool_timeout, too_long, translate
from .home import Home, current_loop
from .inflate import decoder_for
from .pool import New, Pool, PoolStats, Waiter
from .requests import Heads, Request, build_request
from .timeouts import Timeouts

if TYPE_CHECKING:
    import ssl

__all__ = ["AsyncExchange", "AsyncTransport"]

_MAX_DISCARDED = 256 * 1024


class AsyncTransport:
    """Sends requests over HTTP/1.1 and keeps connections for the next ones; for the tasks of one event loop."""

    def __init__(self, options: TransportOptions | None = None) -> None:
        self._options = options = TransportOptions() if options is None else options
        self._proxy = None if options.proxy is None else parse_proxy(options.proxy)
        self._kind = _kind_of_line(None)
        self._kind_through_proxy = _kind_of_line(self._proxy)
        self._context: ssl.SSLContext | None = None
        self._heads = Heads()
        self._home: Home | None = None
        self._generation = 0
        self._pool: Pool[AsyncLine] = Pool(options.max_connections, options.max_idle, options.keepalive_expiry)

    async def send(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | Iterable[bytes] | AsyncIterable[bytes] | None,
        timeouts: Timeouts,
    ) -> AsyncExchange:
        """Send a request and return as soon as the head of the answer is there; as `Transport.send`.

        Raises:
            ConfigError: Also if the transport was first used in another event loop.
        """
        home = self._at_home()
        target = parse_url(url)
        request = build_request(method, target, headers, body, self._heads)
        deadline = None if timeouts.total is None else time.monotonic() + timeouts.total
        line = await self._check_out(home, target, timeouts, deadline)
        while True:
            reused = line.served > 0
            line.begin(timeouts, deadline)
            head = await self._attempt(line, request, resendable=reused and request.replayable)
            if head is not None:
                return AsyncExchange(self._pool, line, *head, reused=reused)
            line = await self._replace(home, line)

    async def close(self) -> None:
        """Close the idle connections and take no more requests; open exchanges may still be read to their end.

        In another event loop than that of the connections these are ended from outside, whatever became of their loop.
        """
        home = self._home
        self._pool.close()
        if home is None or self._generation != self._pool.generation or home.loop is current_loop():
            await bury(self._pool)
        else:
            home.bury(self._pool)

    def waker(self, event: anyio.Event) -> Callable[[], None]:
        """Return what sets an event of this transport's loop from any thread.

        Raises:
            ConfigError: This is another loop.
        """
        return self._at_home().waker(event)

    def stats(self) -> PoolStats:
        """Return how many connections are active and idle, and how often one was opened or reused."""
        return self._pool.stats()

    def _at_home(self) -> Home:
        home = self._home
        if home is None or self._generation != self._pool.generation:
            home = self._home = Home()
            self._generation = self._pool.generation
        elif home.loop is not current_loop():
            raise ConfigError(
                "this AsyncClient belongs to another event loop; make one per loop",
                hint="connections cannot move between loops; make the client in the coroutine that asyncio.run() runs",
            )
        return home

    async def _check_out(self, home: Home, target: Target, timeouts: Timeouts, deadline: float | None) -> AsyncLine:
        if self._context is None and (target.is_secure or (self._proxy is not None and self._proxy.is_secure)):
            from .tls import make_ssl_context  # noqa: PLC0415 - as no server of this process may need it

            self._context = make_ssl_context(self._options.verify)
        grant = self._pool.take(target.key)
        if grant is None:
            grant = await self._wait(home, target, timeouts, deadline)
        if self._pool.dead:
            try:
                await bury(self._pool)
            except BaseException:
                await return_grant(self._pool, grant)
                raise
        return self._open(home, target, grant) if isinstance(grant, New) else grant

    async def _wait(self, home: Home, target: Target, timeouts: Timeouts, deadline: float | None) -> AsyncLine | New:
        event = anyio.Event()
        waiter: Waiter[AsyncLine] = Waiter(target.key, home.waker(event))
        limit = timeouts.pool
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            limit = left if limit is None else min(limit, left)
        grant = self._pool.take(target.key, waiter)
        if grant is not None:
            return grant
        try:
            with anyio.move_on_after(limit):
                await event.wait()
        except BaseException:
            await return_grant(self._pool, self._pool.give_up(waiter))
            raise
        grant = self._pool.give_up(waiter)
        if grant is None:
            if self._pool.closed:
                raise ClientClosedError("this client was closed while a call waited for a connection")
            raise pool_timeout(self._pool.max_connections, self._pool.stats().active, timeouts)
        return grant

    def _open(self, home: Home, target: Target, slot: New) -> AsyncLine:
        kind, proxy = (self._kind, None) if target.is_here else (self._kind_through_proxy, self._proxy)
        line = kind(target, self._pool.generation, proxy, self._context)
        line.open_wire = home.open_wire
        return self._pool.adopt(line, slot)

    async def _replace(self, home: Home, line: AsyncLine) -> AsyncLine:
        self._pool.replace(line)
        try:
            await line.drop()
        except BaseException:
            self._pool.release(line, reusable=False)
            raise
        return self._open(home, line.target, line.slot)

    async def _attempt(
        self, line: AsyncLine, request: Request, *, resendable: bool
    ) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        """Return status and headers, or None if the connection was stale and a fresh one should get the request."""
        try:
            head = await line.ask(request)
        except BaseException as error:
            if resendable and line.may_resend(error):
                return None
            fault = translate(error, line)
            await give_back(self._pool, line, reusable=False)
            if fault is None:
                raise
        else:
            line.has_head = True
            return head
        raise fault


def _kind_of_line(proxy: Proxy | None) -> type[AsyncLine]:
    if not needs_library(proxy):
        return AsyncLine
    from .library import AsyncLibraryLine  # noqa: PLC0415 - few programs need it

    return AsyncLibraryLine


async def give_back(pool: Pool[AsyncLine], line: AsyncLine, *, reusable: bool) -> None:
    """End the use of a line and close it unless the pool keeps it; the books are right before anything is awaited."""
    line.served += 1
    if not pool.release(line, reusable=reusable and line.is_open):
        if line.generation == pool.generation:
            await line.drop()
        else:
            line.forget()
    if pool.dead:
        await bury(pool)


async def return_grant(pool: Pool[AsyncLine], grant: AsyncLine | New | None) -> None:
    """Give back what was granted and then not used."""
    if grant is not None and not pool.release(grant, reusable=True) and not isinstance(grant, New):
        await grant.drop()


async def bury(pool: Pool[AsyncLine]) -> None:
    """Close what has left the books."""
    while pool.dead:
        await pool.dead.popleft().drop()


class AsyncExchange:
    """The answer to a request, with the attributes of `Exchange`. To be closed in any case, best by `async with`.

    Iterating gives the body as it comes, decompressed, never an empty piece.
    """

    __slots__ = (
        "_decoder",
        "_has_ended",
        "_is_active",
        "_line",
        "_pool",
        "connect_seconds",
        "headers",
        "reused",
        "status",
    )

    def __init__(
        self, pool: Pool[AsyncLine], line: AsyncLine, status: int, headers: list[tuple[bytes, bytes]], *, reused: bool
    ) -> None:
        self.status = status
        self.headers = Headers(headers)
        self.reused = reused
        self.connect_seconds = line.connect_seconds
        self._pool = pool
        self._line = line
        self._is_active = True
        self._decoder = decoder_for(headers, status)
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        """Whether all of the body has been received."""
        return self._has_ended and self._decoder is None

    @property
    def read_timeout(self) -> float | None:
        """Limit of silence while waiting for more of the body, in seconds; may be set between two reads."""
        return self._line.read_timeout

    @read_timeout.setter
    def read_timeout(self, seconds: float | None) -> None:
        if self._is_active:  # else the connection may serve somebody else
            self._line.read_timeout = seconds

    async def read(self, limit: int, *, may_cut: bool = False) -> bytes:
        """Return the whole body and give the connection back; as `Exchange.read`."""
        first, rest = b"", bytearray()
        async for piece in self:
            # Not a list: a server may send two bytes at a time, and each would take the room of fifty.
            if first:
                rest += piece
            else:
                first = piece
            if len(first) + len(rest) > limit:
                await self._end(reusable=False)
                if may_cut:
                    return (first + rest)[:limit]
                rest.clear()  # the error's traceback has this frame, for as long as somebody keeps the error
                raise too_long(self._line, limit, self.status)
            if self._has_ended and self._decoder is None:
                break  # most come in one piece, and need not be asked for more
        return first + rest if rest else first

    def chunks(self) -> AsyncIterator[bytes]:
        """Return an iterator over the body as it comes."""
        return self

    async def close(self, wait: float = 0.0) -> None:
        """End the exchange; the connection is given back if the body's end is near, else closed.

        Args:
            wait: How many seconds to read on for the end; what is already here is always looked at.
        """
        if not self._is_active:
            return
        line = self._line
        until = time.monotonic() + wait
        line.deadline = until if line.deadline is None else min(until, line.deadline)
        size = 0
        try:
            # RuntimeError: another task is reading; it is woken by the end of the connection.
            with contextlib.suppress(AccelError, RuntimeError):
                while (data := await self._receive()) is not None:
                    size += len(data)
                    if size > _MAX_DISCARDED:
                        line.deadline = 0.0
        finally:
            await self._end(reusable=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        decoder = self._decoder
        if decoder is None:
            while not (data := await self._receive()):
                if data is None:
                    raise StopAsyncIteration
            return data
        try:
            while (piece := decoder.pull()) is None:
                data = await self._receive()
                if data is None:
                    decoder.finish()
                    raise StopAsyncIteration
                decoder.push(data)
        except InvalidResponseError:
            await self._end(reusable=False)
            raise
        return piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_active", False):
            return
        line = self._line
        if line.generation == self._pool.generation:
            line.hang_up()
            self._pool.orphan(line)
            warnings.warn(
                f"a response of {line.target.name} was not closed", ResourceWarning, stacklevel=2, source=self
            )

    async def _receive(self) -> bytes | None:
        """Return more of the raw body, None at its end."""
        if not self._is_active:
            if self._has_ended:
                return None
            raise ClientClosedError("the response was closed before its end")
        fault, data = None, None
        try:
            data = await self._line.more()
        except BaseException as error:
            fault = translate(error, self._line)
            await self._end(reusable=False)
            if fault is None:
                raise
        if fault is not None:
            raise fault
        if data is None or self._line.is_over:
            self._has_ended = True
            await self._end(reusable=self._line.keeps)
        return data

    async def _end(self, *, reusable: bool) -> None:
        if self._is_active:
            self._is_active = False
            await give_back(self._pool, self._line, reusable=reusable)
