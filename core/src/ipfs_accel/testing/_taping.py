"""What a recording puts in the place of a transport: one that notes what goes by, one that answers by itself.

The twins of both worlds stand side by side, as those of `_http` do; what they note and answer is the tape's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self

from ipfs_accel._headers import Headers
from ipfs_accel.errors import AccelError, APIConnectionError

from ._forms import said_pieces
from ._tape import BROKEN, LEFT, Tape, Taping
from .unexpected import UnexpectedCallError

__all__ = ["AsyncRecorder", "AsyncReplayer", "Recorder", "Replayer"]


class _Copied:
    """The body of a request, kept while it is sent; the last time counts, where it is sent again."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.data = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        self.data.clear()
        for piece in self._body:
            self.data += piece
            yield piece


def _sent(body: Any) -> tuple[Any, Callable[[], bytes]]:
    """Return a body to send, and what gives its bytes once it is sent."""
    if body is None or isinstance(body, bytes):
        return body, lambda: body or b""
    copied = _Copied(body)
    return copied, lambda: bytes(copied.data)


class _Wrapped:
    """A transport whose requests go another way, and that is otherwise what it was."""

    def __init__(self, transport: Any, tape: Tape) -> None:
        self._transport = transport
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Recorder(_Wrapped):
    """Sends requests and notes what is answered."""

    def send(self, method: str, url: str, headers: Any, body: Any, timeouts: Any) -> _TapedExchange:
        """Send a request."""
        going, data = _sent(body)
        exchange = self._transport.send(method, url, headers, going, timeouts)
        return _TapedExchange(exchange, self._tape.begin(method, url, headers, data(), exchange))


class AsyncRecorder(_Wrapped):
    """The same, awaited."""

    async def send(self, method: str, url: str, headers: Any, body: Any, timeouts: Any) -> _AsyncTapedExchange:
        """Send a request."""
        going, data = _sent(body)
        exchange = await self._transport.send(method, url, headers, going, timeouts)
        return _AsyncTapedExchange(exchange, self._tape.begin(method, url, headers, data(), exchange))


class _Taped:
    """An exchange, and what has come of it."""

    def __init__(self, exchange: Any, taping: Taping) -> None:
        self._exchange = exchange
        self._taping: Taping | None = taping
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    @property
    def read_timeout(self) -> float | None:
        """As that of the exchange."""
        return self._exchange.read_timeout  # type: ignore[no-any-return]

    @read_timeout.setter
    def read_timeout(self, seconds: float | None) -> None:
        self._exchange.read_timeout = seconds

    def _end(self, *, body: bytes | None = None, end: str = "") -> None:
        """Note the answer, once."""
        taping, self._taping = self._taping, None
        if taping is not None:
            # The file is written here and now, in the asynchronous world too: who is cancelled could not await it.
            taping.told(self._pieces if body is None else body, end)


class _TapedExchange(_Taped):
    def read(self, limit: int, *, may_cut: bool = False) -> bytes:
        try:
            body: bytes = self._exchange.read(limit, may_cut=may_cut)
        except AccelError:
            self._end(end=BROKEN)
            raise
        self._end(body=body)
        return body

    def chunks(self) -> Iterator[bytes]:
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece: bytes = next(self._exchange)
        except StopIteration:
            self._end()
            raise
        except AccelError:
            self._end(end=BROKEN)
            raise
        self._pieces.append(piece)
        return piece

    def close(self, wait: float = 0.0) -> None:
        self._exchange.close(wait)
        self._end(end="" if wait else LEFT)  # who waits for the end of a body has had the answer


class _AsyncTapedExchange(_Taped):
    async def read(self, limit: int, *, may_cut: bool = False) -> bytes:
        try:
            body: bytes = await self._exchange.read(limit, may_cut=may_cut)
        except AccelError:
            self._end(end=BROKEN)
            raise
        self._end(body=body)
        return body

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece: bytes = await anext(self._exchange)
        except StopAsyncIteration:
            self._end()
            raise
        except AccelError:
            self._end(end=BROKEN)
            raise
        self._pieces.append(piece)
        return piece

    async def close(self, wait: float = 0.0) -> None:
        await self._exchange.close(wait)
        self._end(end="" if wait else LEFT)


class Replayer(_Wrapped):
    """Answers requests by a recording; nothing is sent."""

    def send(self, method: str, url: str, headers: Any, body: Any, _timeouts: Any) -> Replayed:
        """Look for the answer to a request."""
        return Replayed(self._tape.find(method, url, headers, _read(body)))


class AsyncReplayer(_Wrapped):
    """The same, awaited."""

    async def send(self, method: str, url: str, headers: Any, body: Any, _timeouts: Any) -> AsyncReplayed:
        """Look for the answer to a request."""
        data = body
        if body is not None and not isinstance(body, bytes):
            from anyio import to_thread  # noqa: PLC0415 - only who sends files needs it

            data = await to_thread.run_sync(_read, body)  # it may wait for a disk
        return AsyncReplayed(self._tape.find(method, url, headers, data or b""))


def _read(body: Any) -> bytes:
    return body or b"" if body is None or isinstance(body, bytes) else b"".join(body)


class _Replay:
    """A recorded answer, with the attributes of an exchange."""

    reused = True
    connect_seconds = 0.0
    tls = None
    read_timeout: float | None = None

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status: int = answer["status"]
        self.headers = Headers(list(answer.get("headers", {}).items()))
        self._pieces = iter(said_pieces(answer))
        self._end = answer.get("end", "")

    def _next(self) -> bytes | None:
        piece = next(self._pieces, None)
        if piece is None and self._end == BROKEN:
            raise APIConnectionError("the recorded answer broke off here", phase="read")
        if piece is None and self._end == LEFT:
            raise UnexpectedCallError(
                "more of this answer is read than was when it was recorded", hint="record it anew: record='all'"
            )
        return piece

    def _rest(self) -> bytes:
        return b"".join(iter(self._next, None))


class Replayed(_Replay):
    """A recorded answer for the synchronous world."""

    def read(self, _limit: int, *, may_cut: bool = False) -> bytes:  # noqa: ARG002 - it was cut when it was recorded
        """Return the whole body."""
        return self._rest()

    def chunks(self) -> Iterator[bytes]:
        """Return the body as it came."""
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self._next()
        if piece is None:
            raise StopIteration
        return piece

    def close(self, wait: float = 0.0) -> None:
        """Do nothing: there is no connection."""


class AsyncReplayed(_Replay):
    """The same, awaited."""

    async def read(self, _limit: int, *, may_cut: bool = False) -> bytes:  # noqa: ARG002 - as above
        """Return the whole body."""
        return self._rest()

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it came."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def close(self, wait: float = 0.0) -> None:
        """Do nothing: there is no connection."""
