"""Ports beside the one for models, for those who run the gateway: each a table of paths, on the gateway's server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from ipfs_accel.errors import ConfigError

from ._exposition import OPEN_METRICS, TEXT, Family, wants_open_metrics, written
from ._origins import is_local, is_loopback
from ._server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._incoming import Incoming
    from ._reader import Bad
    from ._reply import Headers, Reply
    from ._settings import Settings

__all__ = ["Page", "Pages", "metrics_page"]

Page: TypeAlias = Callable[["Incoming", Any], Awaitable[None]]
"""Answers a request."""

_log = logging.getLogger("ipfs_accel_gateway")
_WORDS = ("content-type", "text/plain; charset=utf-8")
_STAYS_HERE = (("x-content-type-options", "nosniff"), ("cache-control", "no-store"))
_MISDIRECTED = 421


class Pages:
    """A server of pages.

    Args:
        setting: Of which the port is, for errors, such as `metrics`.
        table: Method and path to what answers; HEAD is answered as GET is.
        settings: Of the gateway, for its limits of time.
        max_body: Bytes that the body of a request may have.
    """

    def __init__(
        self, setting: str, table: Mapping[tuple[str, str], Page], settings: Settings, *, max_body: int = 1
    ) -> None:
        self.settings = attrs.evolve(settings, max_body=max_body)
        self._setting = setting
        self._table = dict(table)
        self._is_local = False
        self._server = Server(self)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin to listen; returns where.

        Raises:
            ConfigError: It cannot.
        """
        self._is_local = is_loopback(host)
        try:
            return (await self._server.listen(host, port))[0]
        except OSError as error:
            raise ConfigError(
                f"gateway.{self._setting}_port: cannot listen at {host} port {port}: {error.strerror}",
                hint=f"name another one as gateway.{self._setting}_port",
            ) from None

    async def close(self, seconds: float = 0.0) -> None:
        """Take no more requests; let those that are answered end, for so many seconds at most."""
        await self._server.drain(seconds)
        await self._server.close()

    def tasks(self) -> set[asyncio.Task[None]]:
        """Return what answers requests that are under way."""
        return self._server.tasks()

    def refusal(self, bad: Bad, _path: str, _headers: Mapping[str, str]) -> tuple[bytes, Headers]:
        """Return the body and the headers of the answer to what is no request."""
        return f"{bad.reason}\n".encode(), (_WORDS, *_STAYS_HERE)

    def admits(self, _request: Incoming) -> Bad | None:
        """Return nothing: whoever reaches the port may ask."""
        return None

    async def handle(self, request: Incoming, reply: Reply) -> None:
        """Answer a request."""
        method = "GET" if request.method == "HEAD" else request.method
        page = self._table.get((method, request.path))
        if self._is_local and not is_local(f"//{request.headers.get('host', 'localhost')}"):
            # A page of somebody else's that is open in a browser here may have a name that leads here.
            await _say(reply, _MISDIRECTED, "this port answers at its own address only")
        elif page is not None:
            try:
                await page(request, reply)
            except Exception:
                _log.exception("the page %s failed", request.path)
                if reply.has_begun:
                    raise
                await _say(reply, 500, "this page failed; the gateway's log says why")
        elif known := [known for known, path in self._table if path == request.path]:
            await _say(reply, 405, f"{request.method} is not for {request.path}", ("allow", ", ".join(known)))
        else:
            paths = ", ".join(sorted({path for _, path in self._table}))
            await _say(reply, 404, f"there is nothing here; there is: {paths}")


def metrics_page(families: Callable[[], Awaitable[Iterable[Family]]]) -> Page:
    """Return the page that tells what is counted."""

    async def page(request: Incoming, reply: Reply) -> None:
        is_open = wants_open_metrics(request.headers.get("accept", ""))
        head = (("content-type", OPEN_METRICS if is_open else TEXT), *_STAYS_HERE)
        if request.method == "HEAD":
            await reply.whole(200, head, b"")
            return
        await reply.begin(200, head)
        for block in written(await families(), is_open=is_open):
            await reply.write(block)
        await reply.end()

    return page


async def _say(reply: Reply, status: int, words: str, *further: tuple[str, str]) -> None:
    await reply.whole(status, (_WORDS, *_STAYS_HERE, *further), f"{words}\n".encode())
