"""Reads the configuration anew, on SIGHUP and when its files have changed, and lets it hold if it is good."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ipfs_accel import AccelError

from ._source import Watch
from ._systemd import notify, reloading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._source import Source

__all__ = ["Reloader"]

_log = logging.getLogger("ipfs_accel_gateway.life")
_SECONDS = 1.0
"""Between two looks at the files."""


class Reloader:
    """Keeps a gateway at what its source says.

    Args:
        change: Lets what was read hold, and returns what is new in it; see `Gateway.change`.
        source: Of the configuration.
    """

    def __init__(self, change: Callable[..., Awaitable[list[str]]], source: Source) -> None:
        self._change = change
        self._source = source
        self._watch = Watch(source.files)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read it anew, whether or not it has changed, with connections and states of endpoints made anew, too."""
        self._asked.set()

    async def run(self, seconds: float = _SECONDS) -> None:
        """Go on until it is cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._asked.wait(), seconds)
            except TimeoutError:
                if self._watch.has_changed():
                    await self.reload()
            else:
                self._asked.clear()
                await self.reload(anew=True)

    async def reload(self, *, anew: bool = False) -> bool:
        """Read it and let it hold; on error what was read before holds on, and the log says why.

        Args:
            anew: Whether clients are made anew although nothing is said of them that was not said before.
        """
        reloading()
        try:
            reading = await asyncio.to_thread(self._source.read)
            told = await self._change(*reading, anew=anew)
        except AccelError as error:
            hint = f" ({error.hint})" if error.hint else ""
            _log.error("not reloaded, what was read before holds on: %s%s", error.message, hint)
            return False
        except Exception:  # noqa: BLE001 - whatever it is, what runs goes on
            _log.exception("not reloaded, what was read before holds on")
            return False
        finally:
            self._watch.follow(self._source.files)
            notify("READY=1")
        _log.info("reloaded: %s", ", ".join(told) or "nothing has changed")
        return True
