"""Time and chance: the one seam through which the rules of this package, and of every call, meet them.

A client takes both from `Core.clock`. A test sets one of its own right after it has made the client, before the first
call: `now` and `random` say what the test wants, `sleep` and `sleep_async` note what was asked for and return at once.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    import anyio

__all__ = ["Clock", "Hurried"]


class Clock:
    """The real ones."""

    now = staticmethod(time.perf_counter)
    """Seconds of a clock that only goes forward; for spans."""

    time = staticmethod(time.time)
    """Seconds since 1970; for what other processes read."""

    def random(self) -> float:
        """Return a number from 0 to 1."""
        # Not the module `random`: only failures need chance, and a failure may be that no file can be opened any more.
        return int.from_bytes(os.urandom(4), "big") / 2**32

    def sleep(self, seconds: float | None, woken: threading.Event | None = None) -> None:
        """Wait for some seconds (None: without limit), or less if the event is set before."""
        if woken is not None:
            woken.wait(seconds)
        elif seconds:
            time.sleep(seconds)

    async def sleep_async(self, seconds: float | None, woken: anyio.Event | None = None) -> None:
        """Likewise, awaited."""
        import anyio  # noqa: PLC0415 - the synchronous world does not need it

        if woken is None:
            await anyio.sleep(seconds or 0.0)
        else:
            with anyio.move_on_after(seconds):
                await woken.wait()


class Hurried(Clock):
    """The real ones, but nobody waits before another attempt: a recording answers as soon as it is asked."""

    def sleep(self, seconds: float | None, woken: threading.Event | None = None) -> None:
        """Wait only for somebody else."""
        if woken is not None:
            super().sleep(seconds, woken)

    async def sleep_async(self, seconds: float | None, woken: anyio.Event | None = None) -> None:
        """Likewise, awaited."""
        await super().sleep_async(seconds if woken is not None else None, woken)
