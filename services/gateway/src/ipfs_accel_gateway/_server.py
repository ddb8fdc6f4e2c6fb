"""The server: listens, looks after its connections once a second, and ends in good order."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from ._connection import Connection, Handler, http_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._incoming import Incoming
    from ._reader import Bad
    from ._reply import Headers, Reply
    from ._settings import Settings

__all__ = ["Application", "Server", "bound"]

_BUFFER = 64 * 1024
_BACKLOG = 2048
_SENDING = 256 * 1024
"""Bytes that the system holds of an answer that nobody reads: by itself it lets them grow to several millions."""
_TICK = 1.0
_SHORTEST_TICK = 0.01
_STEP = 0.02
_GRACE = 1.0
"""Seconds within which whoever is told that their answer is broken off has to have read it."""


class Application(Protocol):
    """What answers requests.

    Attributes:
        settings: Limits of size and time.
    """

    settings: Settings

    async def handle(self, request: Incoming, reply: Reply) -> None:
        """Answer one."""

    def refusal(self, bad: Bad, path: str, headers: Mapping[str, str]) -> tuple[bytes, Headers]:
        """Return the body and the headers of the answer to what is no request, given what came of it."""

    def admits(self, request: Incoming) -> Bad | None:
        """Return why the body of a request is not waited for."""


class _Listening(socket.socket):
    """A socket that listens already, with a backlog of its own."""

    def listen(self, _backlog: int = 0, /) -> None:
        """Leave it as it is."""


async def bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at an address, for `Server.listen_at` of other processes.

    Raises:
        OSError: It cannot be.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    found = [each.dup() for each in server.sockets]
    server.close()
    for each in found:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING)
        each.listen(_BACKLOG)
    return found


class Server:
    """What all connections share.

    Attributes:
        handler: Serves a request.
        max_body, head_timeout, body_timeout, idle_timeout, heartbeat: As the settings have them.
        buffer: Into which all connections are read: the loop reads and tells of it in one step.
        connections: Those that are open.
    """

    handler: Handler
    max_body: int
    head_timeout: float
    body_timeout: float
    idle_timeout: float
    heartbeat: float

    def __init__(self, app: Application) -> None:
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(_BUFFER))
        self.connections: set[Connection] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._listeners: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._date: tuple[int, str] = (0, "")
        self.serve_by(app)

    def serve_by(self, app: Application) -> None:
        """Let it answer, from the next request on; connections that are open keep their bound of a body."""
        settings = app.settings
        self.handler = app.handle
        self._app = app
        self.max_body = settings.max_body
        self.head_timeout = settings.head_timeout
        self.body_timeout = settings.body_timeout
        self.idle_timeout = settings.idle_timeout
        self.write_timeout = settings.write_timeout
        self.heartbeat = settings.heartbeat
        soonest = min(settings.heartbeat, settings.head_timeout, settings.write_timeout)
        self._tick = max(_SHORTEST_TICK, min(_TICK, soonest / 4))

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Begin to listen; returns the addresses and ports."""
        listener = await self.loop.create_server(lambda: Connection(self), host, port, backlog=_BACKLOG)
        for each in listener.sockets:  # those that are accepted inherit it
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING)
        self._listeners.append(listener)
        self._look()
        return [each.getsockname()[:2] for each in listener.sockets if each.family != socket.AF_UNIX]

    async def listen_at(self, numbers: Iterable[int]) -> None:
        """Accept connections from sockets that listen already, and from which other processes accept, too."""
        for each in numbers:
            # The backlog is also how many asyncio accepts at once, and others are to have some of them.
            listener = self.loop.create_server(lambda: Connection(self), sock=_Listening(fileno=each), backlog=1)
            self._listeners.append(await listener)
        self._look()

    def refusal(self, bad: Bad, path: str, headers: Mapping[str, str]) -> tuple[bytes, Headers]:
        """Return the body and the headers of the answer to what is no request, given what came of it."""
        return self._app.refusal(bad, path, headers)

    def admits(self, request: Incoming) -> Bad | None:
        """Return why the body of a request is not waited for."""
        return self._app.admits(request)

    def date(self) -> str:
        """Return the time for the header of that name, made anew each second."""
        now = int(monotonic())
        if self._date[0] != now:
            self._date = now, http_date()
        return self._date[1]

    def leaves(self, task: asyncio.Task[None]) -> None:
        """Remember what still ends the call of who has left: it uses clients and logs until its end."""
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def tasks(self) -> set[asyncio.Task[None]]:
        """Return what serves the requests that are under way, and what ends those of who has left."""
        return self._leaving | {each.task for each in self.connections if each.task is not None}

    async def drain(self, seconds: float) -> None:
        """Take no more connections, let what is being answered end, for so many seconds at most."""
        for listener in self._listeners:
            listener.close()
        until = self.loop.time() + seconds
        while True:
            for connection in list(self.connections):  # those too that were accepted a moment ago
                connection.shut()
            if not self.connections or self.loop.time() >= until:
                return
            await asyncio.sleep(_STEP)

    async def close(self) -> None:
        """Break off what is still being answered; whoever reads on is told."""
        for task in self.tasks():
            task.cancel()
        for connection in list(self.connections):
            if connection.task is None:
                connection.abort()
        until = self.loop.time() + _GRACE
        while (self.connections or self._leaving) and self.loop.time() < until:  # noqa: ASYNC110 - as in `drain`
            await asyncio.sleep(_STEP)
        for connection in list(self.connections):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)

    def _look(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            connection.look(now)
        self._timer = self.loop.call_later(self._tick, self._look)
