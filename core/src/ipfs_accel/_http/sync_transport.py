"""The transport of the synchronous world; any number of threads may share one."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

from ipfs_accel._headers import Headers
from ipfs_accel.errors import AccelError, ClientClosedError, InvalidResponseError

from .base import Proxy, Target, TransportOptions, parse_proxy, parse_url
from .chosen import needs_library
from .faults import pool_timeout, too_long, translate
from .inflate import decoder_for
from .pool import New, Pool, PoolStats, Waiter
from .requests import Heads, Request, build_request
from .sync_line import SyncLine
from .timeouts import Timeouts

if TYPE_CHECKING:
    import ssl

__all__ = ["Exchange", "Transport"]

_MAX_DISCARDED = 256 * 1024


class Transport:
    """Sends requests over HTTP/1.1 and keeps connections for the next ones; any number of threads may use it."""

    def __init__(self, options: TransportOptions | None = None) -> None:
        self._options = options = TransportOptions() if options is None else options
        self._proxy = None if options.proxy is None else parse_proxy(options.proxy)
        self._kind = _kind_of_line(None)
        self._kind_through_proxy = _kind_of_line(self._proxy)
        self._context: ssl.SSLContext | None = None
        self._heads = Heads()
        self._pool: Pool[SyncLine] = Pool(options.max_connections, options.max_idle, options.keepalive_expiry)

    def send(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | Iterable[bytes] | None,
        timeouts: Timeouts,
    ) -> Exchange:
        """Send a request and return as soon as the head of the answer is there.

        Args:
            method: In capitals.
            url: Absolute and percent-encoded.
            headers: Host, Content-Length and Transfer-Encoding are set here.
            body: Bytes, or pieces of a body, which are sent in chunks unless a header tells their content-length.
            timeouts: The time limits of this exchange.

        Raises:
            APIConnectionError: No connection, or it broke before the head was complete.
            APITimeoutError: A limit was reached; `phase` says which.
            PoolTimeoutError: All connections were in use all the time.
            ConfigError: A header, the URL or the proxy is wrong.
            ClientClosedError: The transport is closed.
        """
        target = parse_url(url)
        request = build_request(method, target, headers, body, self._heads)
        deadline = None if timeouts.total is None else time.monotonic() + timeouts.total
        line = self._check_out(target, timeouts, deadline)
        while True:
            reused = line.served > 0
            line.begin(timeouts, deadline)
            head = self._attempt(line, request, resendable=reused and request.replayable)
            if head is not None:
                return Exchange(self._pool, line, *head, reused=reused)
            line = self._replace(line)

    def close(self) -> None:
        """Close the idle connections and take no more requests; open exchanges may still be read to their end."""
        self._pool.close()
        bury(self._pool)

    def stats(self) -> PoolStats:
        """Return how many connections are active and idle, and how often one was opened or reused."""
        return self._pool.stats()

    def _check_out(self, target: Target, timeouts: Timeouts, deadline: float | None) -> SyncLine:
        if self._context is None and (target.is_secure or (self._proxy is not None and self._proxy.is_secure)):
            from .tls import make_ssl_context  # noqa: PLC0415 - as no server of this process may need it

            self._context = make_ssl_context(self._options.verify)
        grant = self._pool.take(target.key)
        if grant is None:
            grant = self._wait(target, timeouts, deadline)
        if self._pool.dead:
            bury(self._pool)
        return self._open(target, grant) if isinstance(grant, New) else grant

    def _wait(self, target: Target, timeouts: Timeouts, deadline: float | None) -> SyncLine | New:
        event = threading.Event()
        waiter: Waiter[SyncLine] = Waiter(target.key, event.set)
        limit = timeouts.pool
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            limit = left if limit is None else min(limit, left)
        grant: SyncLine | New | None = None
        try:
            grant = self._pool.take(target.key, waiter)
            if grant is None:
                event.wait(limit)
                grant = self._pool.give_up(waiter)
        except BaseException:
            late = grant or self._pool.give_up(waiter)
            if late is not None and not self._pool.release(late, reusable=True) and not isinstance(late, New):
                late.drop()
            raise
        if grant is None:
            if self._pool.closed:
                raise ClientClosedError("this client was closed while a call waited for a connection")
            raise pool_timeout(self._pool.max_connections, self._pool.stats().active, timeouts)
        return grant

    def _open(self, target: Target, slot: New) -> SyncLine:
        kind, proxy = (self._kind, None) if target.is_here else (self._kind_through_proxy, self._proxy)
        return self._pool.adopt(kind(target, self._pool.generation, proxy, self._context), slot)

    def _replace(self, line: SyncLine) -> SyncLine:
        self._pool.replace(line)
        line.drop()
        return self._open(line.target, line.slot)

    def _attempt(
        self, line: SyncLine, request: Request, *, resendable: bool
    ) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        """Return status and headers, or None if the connection was stale and a fresh one should get the request."""
        try:
            head = line.ask(request)
        except BaseException as error:
            if resendable and line.may_resend(error):
                return None
            fault = translate(error, line)
            give_back(self._pool, line, reusable=False)
            if fault is None:
                raise
        else:
            line.has_head = True
            return head
        raise fault


def _kind_of_line(proxy: Proxy | None) -> type[SyncLine]:
    if not needs_library(proxy):
        return SyncLine
    from .library import SyncLibraryLine  # noqa: PLC0415 - few programs need it

    return SyncLibraryLine


def give_back(pool: Pool[SyncLine], line: SyncLine, *, reusable: bool) -> None:
    """End the use of a line and close it unless the pool keeps it."""
    line.served += 1
    if not pool.release(line, reusable=reusable and line.is_open):
        if line.generation == pool.generation:
            line.drop()
        else:
            line.forget()
    if pool.dead:
        bury(pool)


def bury(pool: Pool[SyncLine]) -> None:
    """Close what has left the books."""
    while pool.dead:
        with contextlib.suppress(IndexError):  # another thread may be as quick
            pool.dead.popleft().drop()


class Exchange:
    """The answer to a request: its head, and its body to be read. To be closed in any case, best by `with`.

    Iterating gives the body as it comes, decompressed, never an empty piece.

    Attributes:
        status: The status code, whatever it is; redirects are not followed.
        headers: Of the answer.
        reused: Whether the connection had served a request before.
        connect_seconds: What it took to connect, over a proxy and with TLS where there are such; 0 if it was open.
    """

    __slots__ = (
        "_decoder",
        "_has_ended",
        "_line",
        "_lines",
        "_pool",
        "connect_seconds",
        "headers",
        "reused",
        "status",
    )

    def __init__(
        self, pool: Pool[SyncLine], line: SyncLine, status: int, headers: list[tuple[bytes, bytes]], *, reused: bool
    ) -> None:
        self.status = status
        self.headers = Headers(headers)
        self.reused = reused
        self.connect_seconds = line.connect_seconds
        self._pool = pool
        self._line = line
        self._lines = [line]  # emptied by whoever ends the exchange: `pop` lets only one do it
        self._decoder = decoder_for(headers, status)
        self._has_ended = False

    @property
    def read_timeout(self) -> float | None:
        """Limit of silence while waiting for more of the body, in seconds; may be set between two reads."""
        return self._line.read_timeout

    @read_timeout.setter
    def read_timeout(self, seconds: float | None) -> None:
        if self._lines:  # else the connection may serve somebody else
            self._line.read_timeout = seconds

    @property
    def tls(self) -> ssl.SSLObject | ssl.SSLSocket | None:
        """The TLS connection that the answer comes over, None if there is none."""
        return self._line.tls

    def read(self, limit: int, *, may_cut: bool = False) -> bytes:
        """Return the whole body and give the connection back.

        Args:
            limit: In bytes, after decompression.
            may_cut: Whether a longer body is cut there instead of refused.

        Raises:
            InvalidResponseError: The body is longer, or encoded in a way that was not asked for.
            APIConnectionError: It is cut or malformed.
            APITimeoutError: A limit was reached.
        """
        first, rest = b"", bytearray()
        for piece in self:
            # Not a list: a server may send two bytes at a time, and each would take the room of fifty.
            if first:
                rest += piece
            else:
                first = piece
            if len(first) + len(rest) > limit:
                self._end(reusable=False)
                if may_cut:
                    return (first + rest)[:limit]
                rest.clear()  # the error's traceback has this frame, for as long as somebody keeps the error
                raise too_long(self._line, limit, self.status)
            if self._has_ended and self._decoder is None:
                break  # most come in one piece, and need not be asked for more
        return first + rest if rest else first

    def chunks(self) -> Iterator[bytes]:
        """Return an iterator over the body as it comes."""
        return self

    def close(self, wait: float = 0.0) -> None:
        """End the exchange; the connection is given back if the body's end is near, else closed.

        Args:
            wait: How many seconds to read on for the end; what is already here is always looked at.
        """
        if not self._lines:
            return
        line = self._line
        until = time.monotonic() + wait
        line.deadline = until if line.deadline is None else min(until, line.deadline)
        size = 0
        # ValueError: another thread is reading; it is woken by the end of the connection.
        with contextlib.suppress(AccelError, ValueError):
            while (data := self._receive()) is not None:
                size += len(data)
                if size > _MAX_DISCARDED:
                    line.deadline = 0.0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        decoder = self._decoder
        if decoder is None:
            while not (data := self._receive()):
                if data is None:
                    raise StopIteration
            return data
        try:
            while (piece := decoder.pull()) is None:
                data = self._receive()
                if data is None:
                    decoder.finish()
                    raise StopIteration
                decoder.push(data)
        except InvalidResponseError:
            self._end(reusable=False)
            raise
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_lines", None):
            return
        line = self._lines.pop()
        if line.generation == self._pool.generation:
            line.hang_up()
            self._pool.orphan(line)
            warnings.warn(
                f"a response of {line.target.name} was not closed", ResourceWarning, stacklevel=2, source=self
            )

    def _receive(self) -> bytes | None:
        """Return more of the raw body, None at its end."""
        if not self._lines:
            if self._has_ended:
                return None
            raise ClientClosedError("the response was closed before its end")
        fault, data = None, None
        try:
            data = self._line.more()
        except BaseException as error:
            fault = translate(error, self._line)
            self._end(reusable=False)
            if fault is None:
                raise
        if fault is not None:
            raise fault
        if data is None or self._line.is_over:
            self._has_ended = True
            self._end(reusable=self._line.keeps)
        return data

    def _end(self, *, reusable: bool) -> None:
        try:
            line = self._lines.pop()
        except IndexError:
            return  # another thread has ended it
        give_back(self._pool, line, reusable=reusable)
