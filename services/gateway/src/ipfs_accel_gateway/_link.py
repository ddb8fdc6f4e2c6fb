"""What the owner of the limits and its workers say to each other: lines of JSON over a pair of Unix sockets.

The pair has no name, so that nobody else can reach it, and each end hears at once that the other is gone. A message is
a list: its kind, which is the name of a method of whoever hears it, and what that one takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ipfs_accel import strict_json

if TYPE_CHECKING:
    import socket

__all__ = ["Link"]

_log = logging.getLogger("ipfs_accel_gateway")


class Link(asyncio.Protocol):
    """One end.

    Args:
        heard: See below.
        lost: Called when the other end is gone.

    Attributes:
        heard: Kind of a message to what is called with the rest of it.
        gone: Done once it is.
    """

    def __init__(self, heard: Mapping[str, Callable[..., object]], lost: Callable[[], object]) -> None:
        self.heard = heard
        self._lost = lost
        self._parts: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Whether it has ever been."""
        return self._transport is not None

    async def open(self, sock: socket.socket) -> None:
        """Begin to listen and to speak."""
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)

    def say(self, kind: str, *rest: Any) -> None:
        """Send a message; one to who is gone goes nowhere."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(strict_json.dumps_finite([kind, *rest]) + b"\n")

    async def close(self) -> None:
        """Hang up, once all that was said is sent."""
        if self._transport is not None:
            self._transport.close()
            await self.lost()

    async def lost(self) -> None:
        """Wait until the other end is gone, or this one."""
        await asyncio.wait([self.gone])  # which is left as it is where nobody waits any more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note with whom it speaks."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hear what was said whole."""
        if b"\n" not in data:
            self._parts.append(data)
            return
        *lines, rest = b"".join([*self._parts, data]).split(b"\n")
        self._parts = [rest] if rest else []
        for line in lines:
            kind, *values = strict_json.loads(line)
            try:
                self.heard[kind](*values)
            except Exception:  # noqa: BLE001 - whatever it is, what comes next is to be heard
                _log.exception("what one part of the gateway told another (%s) was not understood", kind)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell that the other one is gone."""
        if not self.gone.done():
            self.gone.set_result(None)
        self._lost()
