"""The gateway as an ASGI application, for servers that bring what its own has not: HTTP/2, TLS, sockets of systemd.

    uvicorn ipfs_accel_gateway.asgi:app

`app` serves what the configuration says. Programs with a configuration of their own make an `Application`. What is
within the gateway's own server (limits of heads and of idle connections) is the business of the server then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from ipfs_accel import AsyncClient, Config
from ipfs_accel.errors import ConfigError

from ._console.links import tell_link
from ._incoming import Incoming
from ._reader import ONCE, Bad
from ._reply import Headers, LeftError
from ._run import Gateway
from ._settings import settings_of

__all__ = ["Application", "app"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


_FIRST = asyncio.FIRST_COMPLETED


class Application:
    """What an ASGI server calls; for the tasks of one event loop.

    It opens with the server's lifespan, or with the first request where the server has none.
    """

    def __init__(
        self, config: Config | None = None, *, plugins: Iterable[Any] = (), middleware: Iterable[Any] = ()
    ) -> None:
        """Say what to serve.

        Args:
            config: The configuration; None means the user's file and the environment, read when it opens.
            plugins: Plugin objects to use besides the installed ones.
            middleware: Middleware objects around every call.
        """
        self._config = config
        self._objects = (tuple(plugins), tuple(middleware))
        self._gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(receive, send)
        elif kind == "http":
            await self._serve(scope, receive, send)
        else:  # a WebSocket, which is closed before it is open
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._open()
        except Exception as error:  # noqa: BLE001 - the server is to say why it does not start
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> Gateway:
        if self._gateway is None:
            config = AsyncClient().config if self._config is None else self._config
            self._gateway = Gateway(config, settings_of(config), *self._objects)
            self._gateway.open()
            try:
                await self._gateway.open_pages()
            except ConfigError:
                await self.close()
                raise
            tell_link(self._gateway)
        return self._gateway

    async def close(self) -> None:
        """Close what is open."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            await gateway.close(0.0)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = await self._open()
        settings = gateway.settings
        reply = _Reply(send, settings.heartbeat, is_head=scope["method"] == "HEAD")
        request = _head(scope)
        try:
            _refuse_doubles(scope)
            request.body = await _body(receive, settings.max_body, lambda: gateway.app.admits(request))
        except Bad as bad:
            body, told = gateway.app.refusal(bad, request.path, request.headers)
            await reply.whole(bad.status, told, body)
            return
        except LeftError:
            return
        work = asyncio.ensure_future(gateway.app.handle(request, reply))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            while not (await asyncio.wait((work, gone), timeout=settings.write_timeout, return_when=_FIRST))[0]:
                if reply.has_waited(settings.write_timeout):
                    break
        finally:
            for each in (work, gone):
                each.cancel()
            reply.rest()
            with contextlib.suppress(asyncio.CancelledError, LeftError):
                await work


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(scope: Scope) -> Incoming:
    """Return a request without its body."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    url = (path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")
    return Incoming(scope["method"], url, headers)


def _refuse_doubles(scope: Scope) -> None:
    names = [name.lower() for name, _ in scope["headers"]]
    for name in ONCE:
        if names.count(name.encode()) > 1:
            raise Bad(400, f"the header {name!r} is there twice")


async def _body(receive: Receive, limit: int, refused: Callable[[], Bad | None]) -> bytes:
    """Read a body; `refused` says why one that is not here at once is not waited for."""
    pieces: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise LeftError
        piece = event.get("body", b"")
        size += len(piece)
        if size > limit:
            raise Bad(413, f"the body has more than {limit} bytes")
        pieces.append(piece)
        if not event.get("more_body", False):
            return b"".join(pieces)
        bad = refused() if len(pieces) == 1 else None
        if bad is not None:
            raise bad


class _Reply:
    """A `Reply` over an ASGI server, which itself waits for whoever does not read."""

    def __init__(self, send: Send, heartbeat: float, *, is_head: bool) -> None:
        self.has_begun = False
        self._send = send
        self._heartbeat = heartbeat
        self._is_head = is_head
        self._lock = asyncio.Lock()  # signs of life and pieces come from two tasks
        self._life: asyncio.Task[None] | None = None
        self._at = 0.0
        self._is_between_events = True
        self._is_over = False
        self._sending_since: float | None = None

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is all there."""
        self.rest()
        async with self._lock:
            await self._begin(status, headers, len(body))
            self._is_over = True
            self._sending_since = asyncio.get_running_loop().time()
            await self._send({"type": "http.response.body", "body": b"" if self._is_head else body})

    async def begin(self, status: int, headers: Headers, size: int | None = None) -> None:
        """Send the head."""
        async with self._lock:
            if not self.has_begun:
                await self._begin(status, headers, size)

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        async with self._lock:
            self._is_between_events = piece.endswith((b"\n\n", b"\r\n\r\n"))
            await self._piece(piece)

    async def end(self) -> None:
        """End the body."""
        self.rest()
        async with self._lock:
            self._is_over = True
            await self._send({"type": "http.response.body", "body": b""})

    def cut(self) -> None:
        """Leave the body without its end, which a server takes for a failure."""
        self.rest()

    def keep_alive(self, status: int, headers: Headers, beat: bytes) -> None:
        """Show signs of life."""
        self._at = asyncio.get_running_loop().time()
        self._life = asyncio.ensure_future(self._live(status, tuple(headers), beat))

    def has_waited(self, seconds: float) -> bool:
        """Whether the server has taken nothing for so long: whoever asked does not read."""
        return self._sending_since is not None and asyncio.get_running_loop().time() - self._sending_since >= seconds

    def rest(self) -> None:
        """Show no more signs of life."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()

    async def _live(self, status: int, headers: Headers, beat: bytes) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._at + self._heartbeat - loop.time()))
            if loop.time() - self._at < self._heartbeat:
                continue
            async with self._lock:
                if not self.has_begun:
                    await self._begin(status, headers, None)
                if self._is_between_events and not self._is_over:
                    await self._piece(beat)

    async def _begin(self, status: int, headers: Headers, size: int | None) -> None:
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if size is not None:
            pairs.append((b"content-length", str(size).encode()))
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _piece(self, piece: bytes) -> None:
        self._at = self._sending_since = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._sending_since = None


app = Application()
"""Serves what the configuration says."""
