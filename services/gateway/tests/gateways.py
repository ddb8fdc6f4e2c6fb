from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from ipfs_accel import Config
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._run import Gateway


class Running:
    """A gateway in a thread of its own, with a loop of its own."""

    def __init__(
        self, config: Config, settings: dict[str, Any], plugins: tuple[Any, ...] = (), middleware: tuple[Any, ...] = ()
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._failure: BaseException | None = None
        self.gateway = Gateway(config, read_settings({"port": 0, **settings}), plugins, middleware)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(30)
        if self._failure is not None:
            raise self._failure

    @property
    def url(self) -> str:
        host, port = self.gateway.address
        return f"http://{host}:{port}"

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the loop."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def close(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._end.set)
            self._thread.join(30)

    def _run(self) -> None:
        async def main() -> None:
            async with self.gateway:
                self._ready.set()
                await self._end.wait()

        try:
            self.loop.run_until_complete(main())
        except BaseException as error:  # noqa: BLE001 - it is raised where the gateway was started
            self._failure = error
            self._ready.set()
        finally:
            self.loop.close()


Start: TypeAlias = Callable[..., Running]
"""`running(*plugins, endpoints={…}, settings={…}, aliases={…}, routes={…})`"""
