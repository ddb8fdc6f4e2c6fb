"""`ipfs-accel serve`: a gateway from the start of its process to the end, by signals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from ipfs_accel import AccelError

from ._reload import Reloader
from ._run import Gateway, exporting
from ._systemd import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._source import Source

__all__ = ["serve"]

_log = logging.getLogger("ipfs_accel_gateway.life")


async def serve(source: Source, ready: Callable[[Gateway], None], path: str | None = None) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends at once what is still being answered.

    Args:
        source: Of the configuration.
        ready: Called once it serves.
        path: Of the configuration, for workers; None is the usual one.

    Raises:
        ConfigError: What the source says cannot be read or served.
        AccelError: No worker can be started any more.
    """
    config, settings = source.read()
    if settings.workers > 1:
        from ._owner import Owner  # noqa: PLC0415 - one process needs none

        async with Owner(config, settings, {"config": path, "over": source.over}) as owner:
            await owner.check()
            await _until_ended(owner, Reloader(owner.change, source), ready, owner.failed)
        if owner.failed.done():
            raise AccelError(owner.failed.result(), hint="what they said before stands above")
        return
    with exporting(config):
        async with Gateway(config, settings) as gateway:
            await gateway.check()
            await _until_ended(gateway, Reloader(gateway.change, source), ready)


async def _until_ended(
    gateway: Gateway,
    reloader: Reloader,
    ready: Callable[[Gateway], None],
    failed: asyncio.Future[str] | None = None,
) -> None:
    loop = asyncio.get_running_loop()
    ends = asyncio.Event(), asyncio.Event()

    def end() -> None:
        ends[ends[0].is_set()].set()

    if failed is not None:
        failed.add_done_callback(lambda _: end())
    handlers = {"SIGINT": end, "SIGTERM": end, "SIGHUP": reloader.ask}
    for name, handler in handlers.items():
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows, where Ctrl-C raises an error
            loop.add_signal_handler(getattr(signal, name), handler)
    watching = loop.create_task(reloader.run())
    ready(gateway)
    notify("READY=1")
    await ends[0].wait()
    notify("STOPPING=1")
    _log.info("ends; answers under way have %g seconds", gateway.settings.drain_timeout)
    watching.cancel()
    closing = loop.create_task(gateway.close())
    await asyncio.wait([closing, loop.create_task(ends[1].wait())], return_when=asyncio.FIRST_COMPLETED)
    closing.cancel()
