"""One connection of HTTP/1.1 on asyncio, as a protocol: no task waits for what is not asked for.

Whoever hangs up is heard at once, as the loop tells of it, and the request that they asked for is cancelled. What is
received is parsed in the buffer into which the loop read it. While an answer is on its way, few further requests are
kept; who sends more is not read from.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

from ._incoming import Incoming
from ._reader import Bad, Reader
from ._reply import Headers, LeftError

__all__ = ["Connection", "Handler"]

Handler: TypeAlias = Callable[[Incoming, Any], Coroutine[Any, Any, None]]

_MAX_UNSENT = 256 * 1024
_MAX_WAITING = 64 * 1024
"""Bytes of further requests that are kept while one is answered, the last of them not counted."""
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)
_LINGER = 2.0
"""Seconds for which what a refused request goes on to send is read and dropped, so that the answer is not lost."""


class Shared(Protocol):
    """What the connections of a server share; times are in seconds."""

    handler: Handler
    loop: asyncio.AbstractEventLoop
    buffer: memoryview
    connections: set[Connection]
    max_body: int
    head_timeout: float
    body_timeout: float
    idle_timeout: float
    write_timeout: float
    heartbeat: float

    def refusal(self, bad: Bad, path: str, headers: Mapping[str, str]) -> tuple[bytes, Headers]:
        """Return the body and the headers of the answer to what is no request, given what came of it."""
        ...

    def admits(self, request: Incoming) -> Bad | None:
        """Return why the body of a request, whose head has come, is not waited for; None if it is."""
        ...

    def leaves(self, task: asyncio.Task[None]) -> None:
        """Remember what still ends the call of who has left."""
        ...

    def date(self) -> str:
        """Return the time as answers tell it."""
        ...


class Connection(asyncio.BufferedProtocol):
    """What the loop talks to, and the `Reply` of the request that is served.

    Attributes:
        since: When it last began to wait for something of the other side, by the loop's clock.
        task: What serves the request; None between requests.
    """

    def __init__(self, server: Shared) -> None:
        self.server = server
        self.since = 0.0
        self.task: asyncio.Task[None] | None = None
        self.has_begun = False
        self._reader = Reader(server.max_body)
        self._buffer = server.buffer
        self._transport: Any = None
        self._request: Incoming | None = None
        self._may_write = True
        self._is_paused = False
        self._has_left = False
        self._is_closing = self._is_last = False
        self._is_admitted = False
        self._is_chunked = self._is_open_ended = False
        self._left = 0
        self._waiter: asyncio.Future[None] | None = None
        self._life: tuple[int, Headers, bytes] | None = None
        self._is_between_events = True
        self._unsent = 0
        self._taken_at = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(_MAX_UNSENT)
        self.since = self.server.loop.time()
        self.server.connections.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio gives it
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_closing:
            return  # it is read so that its sender hears the answer
        reader = self._reader
        was_between = reader.is_between
        reader.feed(self._buffer[:nbytes])
        if self.task is None:
            if reader.has_head or (was_between and not reader.is_between):
                self.since = self.server.loop.time()  # of a head the first byte counts alone
            self._advance()
        elif reader.waiting > _MAX_WAITING and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False  # nobody who reads on says that they send no more

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it went
        self._has_left = True
        self.server.connections.discard(self)
        self._reader.forget()
        self._wake()
        if self.task is not None:
            self.task.cancel()
            self.server.leaves(self.task)

    def pause_writing(self) -> None:
        self._may_write = False
        self._unsent = 0

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    # What the server calls.

    def look(self, now: float) -> None:
        """Close it if it has been silent for too long; show that an answer is being made."""
        if self.task is None:
            unsent = self._transport.get_write_buffer_size()
            if unsent:
                self._look_who_reads(now, unsent)
            else:
                self._look_who_is_silent(now)
        elif not self._may_write:
            self._look_who_reads(now, self._transport.get_write_buffer_size())
        elif self._life is not None and now - self.since >= self.server.heartbeat:
            self._show_life()

    def _look_who_is_silent(self, now: float) -> None:
        if self._unsent:
            self._unsent, self.since = 0, now  # all of it was taken
        waited = now - self.since
        if self._is_closing:
            if waited > _LINGER:
                self._transport.abort()
        elif self._reader.is_between:
            if waited > self.server.idle_timeout:
                self._transport.close()
        elif waited > (self.server.body_timeout if self._reader.has_head else self.server.head_timeout):
            self._refuse(Bad(408, "the request did not come in time"))

    def _look_who_reads(self, now: float, unsent: int) -> None:
        """End it if nothing more of an answer was taken for too long; as long as some is, it may take its time.

        It is looked at where nothing is added meanwhile, so that what is not sent yet tells whether some was taken.
        """
        if unsent != self._unsent:
            self._unsent = unsent
            self._taken_at = self.since = now
        elif now - self._taken_at > self.server.write_timeout:
            self._transport.abort()

    def shut(self) -> None:
        """Take no further request: close it if it is idle, else after the answer to what has begun to come."""
        self._is_last = True
        if self.task is None and (self._is_closing or self._reader.is_between):
            self._is_closing = True
            self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    # The reply.

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is all there."""
        self._send_head(status, headers, len(body), body)
        self.has_begun = True
        self._left = 0
        if not self._may_write:
            await self._drain()

    async def begin(self, status: int, headers: Headers, size: int | None = None) -> None:
        """Send the head."""
        if not self.has_begun:
            self._begin(status, headers, size)

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        if self._has_left:
            raise LeftError
        self._life_after(piece)
        if self._is_chunked:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self._left -= len(piece)
            self._transport.write(piece)
        if not self._may_write:
            await self._drain()

    async def end(self) -> None:
        """End the body."""
        self._life = None
        if self._is_chunked:
            self._transport.write(b"0\r\n\r\n")
            self._is_chunked = False
        elif self._left > 0:
            self.cut()  # it is shorter than it was said to be

    def cut(self) -> None:
        """Close the connection in the middle of the body."""
        self._life = None
        self._is_closing = True
        if self._is_open_ended:
            # Its end is that of the connection, so that only a reset tells that it is none.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.close()  # once what stands before is sent

    def keep_alive(self, status: int, headers: Headers, beat: bytes) -> None:
        """Show signs of life when nothing else is sent."""
        self.since = self.server.loop.time()
        self._life = (status, headers, beat)

    # Within.

    def _advance(self) -> None:
        """Serve the next request, if one is there."""
        reader = self._reader
        if reader.requests:
            request = self._request = reader.requests.popleft()
            self.has_begun = self._is_admitted = self._is_open_ended = False
            self._unsent = 0
            self.task = self.server.loop.create_task(self._serve(request))
        elif reader.bad is not None:
            self._refuse(reader.bad)
        elif reader.has_head and not self._is_admitted:
            self._is_admitted = True
            refused = self.server.admits(reader.begun)
            if refused is not None:
                self._refuse(refused)
            elif reader.expects:
                self._transport.write(_CONTINUE)

    async def _serve(self, request: Incoming) -> None:
        try:
            await self.server.handler(request, self)
        except (LeftError, asyncio.CancelledError):
            self._transport.abort()
            self._is_closing = True
        except Exception:  # noqa: BLE001 - the application has told of it; one request must not end the server
            self.cut()
        finally:
            self.task = self._request = self._life = None
        if self._has_left:
            return
        self.since = self.server.loop.time()
        if self._is_closing or self._is_last or not request.keeps:
            self._is_closing = True
            self._transport.close()
            return
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._advance()

    def _refuse(self, bad: Bad) -> None:
        """Answer what is no request, and go on reading for a moment: a reset would overtake the answer."""
        request = self._request = self._reader.begun
        body, told = self.server.refusal(bad, request.path, request.headers)
        self._send_head(bad.status, told, len(body), body)
        self._is_closing = True
        self.since = self.server.loop.time()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _send_head(self, status: int, headers: Headers, size: int | None, body: bytes = b"") -> None:
        request = self._request
        text = f"{_STATUS_LINES.get(status) or f'HTTP/1.1 {status} '}\r\ndate: {self.server.date()}\r\n"
        for name, value in headers:
            text += f"{name}: {value}\r\n"
        if size is not None and status != HTTPStatus.NO_CONTENT:
            text += f"content-length: {size}\r\n"
        elif self._is_chunked:
            text += "transfer-encoding: chunked\r\n"
        is_last = self._is_closing or self._is_last
        if request is None or not request.keeps or is_last or (size is None and not self._is_chunked):
            text += "connection: close\r\n"
            if request is not None:
                request.keeps = False
        elif request.is_old:
            text += "connection: keep-alive\r\n"
        if request is not None and request.method == "HEAD":
            body = b""
        self._transport.write(f"{text}\r\n".encode("latin-1") + body)

    def _begin(self, status: int, headers: Headers, size: int | None) -> None:
        self._is_chunked = size is None and self._request is not None and not self._request.is_old
        self._left = size or 0
        self._is_open_ended = size is None and not self._is_chunked
        self._send_head(status, headers, size)
        self.has_begun = True
        self._is_between_events = True

    def _life_after(self, piece: bytes) -> None:
        self.since = self.server.loop.time()
        self._is_between_events = piece.endswith((b"\n\n", b"\r\n\r\n"))

    def _show_life(self) -> None:
        if self._life is None or not self._may_write:
            return
        status, headers, beat = self._life
        if not self.has_begun:
            self._begin(status, headers, None)
        if beat and self._is_between_events:
            self._transport.write(b"%x\r\n%b\r\n" % (len(beat), beat) if self._is_chunked else beat)
        self.since = self.server.loop.time()

    async def _drain(self) -> None:
        while not (self._may_write or self._has_left):
            self._waiter = self.server.loop.create_future()
            await self._waiter
        if self._has_left:
            raise LeftError

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date() -> str:
    """Return the time as answers tell it."""
    now = time.gmtime()  # names of days and months are English in any locale
    day, month = _DAYS[now.tm_wday], _MONTHS[now.tm_mon - 1]
    return f"{day}, {now.tm_mday:02} {month} {now.tm_year} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
