"""The event loop that a transport of the asynchronous world belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anyio

    from .async_line import AsyncLine, OpenWire
    from .pool import Pool

__all__ = ["Home", "current_loop"]


class Home:
    """The event loop that a transport belongs to."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.call_soon: Callable[..., object]
        self.open_wire: OpenWire
        self.loop = current_loop()
        if isinstance(self.loop, asyncio.AbstractEventLoop):
            from . import asyncio_wire  # noqa: PLC0415 - each loop needs its own alone

            self.call_soon = self.loop.call_soon_threadsafe
            self.open_wire = asyncio_wire.opener()
        else:
            from . import trio_wire  # noqa: PLC0415 - as above

            self.call_soon = self.loop.run_sync_soon
            self.open_wire = trio_wire.open_wire

    def waker(self, event: anyio.Event) -> Callable[[], None]:
        """Return what sets the event from wherever it is called: a garbage collection may run in any thread."""

        def wake() -> None:
            if threading.get_ident() == self.thread:
                event.set()
            else:
                self.call_soon(event.set)

        return wake

    def bury(self, pool: Pool[AsyncLine]) -> None:
        """Close what has left the books, from another loop."""
        while pool.dead:
            line = pool.dead.popleft()
            line.hang_up()
            with contextlib.suppress(RuntimeError):  # the loop is over
                self.call_soon(line.wire.abort)
            line.is_open = False


def current_loop() -> Any:
    """Return what identifies the running event loop."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        import trio.lowlevel  # noqa: PLC0415 - without asyncio it is trio, which is then loaded already

        return trio.lowlevel.current_trio_token()
