"""The server: listens, looks after its connections once a second, and ends in good order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from time import monotonic

from ._connection import Connection, Handler, http_date
from ._incoming import Incoming
from ._reader import Bad
from ._reply import Headers
from ._settings import Settings

__all__ = ["Server"]

_BUFFER = 64 * 1024
_BACKLOG = 2048
_SENDING = 256 * 1024
"""Bytes that the system holds of an answer that nobody reads: by itself it lets them grow to several millions."""
_TICK = 1.0
_SHORTEST_TICK = 0.01


class Server:
    """What all connections share.

    Attributes:
        handler: Serves a request.
        buffer: Into which all connections are read: the loop reads and tells of it in one step.
        connections: Those that are open.
    """

    def __init__(
        self,
        handler: Handler,
        settings: Settings,
        *,
        refusal: Callable[[Bad, str, Mapping[str, str]], tuple[bytes, Headers]],
        admits: Callable[[Incoming], Bad | None],
    ) -> None:
        self.handler = handler
        self._refusal = refusal
        self._admits = admits
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(_BUFFER))
        self.connections: set[Connection] = set()
        self.max_body = settings.max_body
        self.head_timeout = settings.head_timeout
        self.body_timeout = settings.body_timeout
        self.idle_timeout = settings.idle_timeout
        self.write_timeout = settings.write_timeout
        self.heartbeat = settings.heartbeat
        soonest = min(settings.heartbeat, settings.head_timeout, settings.write_timeout)
        self._tick = max(_SHORTEST_TICK, min(_TICK, soonest / 4))
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._date: tuple[int, str] = (0, "")

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Begin to listen; returns the addresses and ports."""
        self._listener = await self.loop.create_server(lambda: Connection(self), host, port, backlog=_BACKLOG)
        for each in self._listener.sockets:  # those that are accepted inherit it
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING)
        self._look()
        return [each.getsockname()[:2] for each in self._listener.sockets if each.family != socket.AF_UNIX]

    def refusal(self, bad: Bad, path: str, headers: Mapping[str, str]) -> tuple[bytes, Headers]:
        """Return the body and the headers of the answer to what is no request, given what came of it."""
        return self._refusal(bad, path, headers)

    def admits(self, request: Incoming) -> Bad | None:
        """Return why the body of a request is not waited for."""
        return self._admits(request)

    def date(self) -> str:
        """Return the time for the header of that name, made anew each second."""
        now = int(monotonic())
        if self._date[0] != now:
            self._date = now, http_date()
        return self._date[1]

    async def close(self, seconds: float) -> None:
        """Take no more connections, let what is being answered end, for so many seconds at most."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.shut()
        until = self.loop.time() + seconds
        while self.connections and self.loop.time() < until:  # noqa: ASYNC110 - it happens once, at the end
            await asyncio.sleep(min(0.02, seconds))
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
