"""The two worlds: what a call's effects work with."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ipfs_accel._fork import Importing, renewed_after_fork
from ipfs_accel.errors import ClientClosedError

if TYPE_CHECKING:
    import anyio

    from ipfs_accel._http import AsyncTransport, Transport  # noqa: F401 - named in strings
    from ipfs_accel._resilience.clock import Clock

__all__ = ["AsyncWorld", "World"]

C = TypeVar("C")

MAX_THREADS = 32
"""Blocking functions that an asynchronous client has at work at once."""


class _World(Generic[C]):
    """What either world works with; the transport is made, and the HTTP library loaded, for the first request.

    Args:
        connect: Makes the transport.
        clock: The client's.
    """

    def __init__(self, connect: Callable[[], C], clock: Clock) -> None:
        self.clock = clock
        self._connect = connect
        self._transport: C | None = None
        self._is_closed = False
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()

    @property
    def transport(self) -> C:
        """The connections.

        Raises:
            ClientClosedError: There are none any more.
        """
        if self._transport is None:
            with self._lock, Importing():
                if self._is_closed:
                    raise ClientClosedError("this client is closed")
                if self._transport is None:
                    self._transport = self._connect()
        return self._transport

    def end(self) -> C | None:
        """Make no transport from now on; returns the one to be closed, if there is one."""
        with self._lock:
            self._is_closed = True
        return self._transport


class World(_World["Transport"]):
    """What the synchronous world works with."""


class AsyncWorld(_World["AsyncTransport"]):
    """What the asynchronous world works with."""

    @functools.cached_property
    def threads(self) -> anyio.CapacityLimiter:
        """The bound of blocking functions at work."""
        from anyio import CapacityLimiter  # noqa: PLC0415 - few calls need threads

        return CapacityLimiter(MAX_THREADS)
