"""Who uses which connection: the books of a pool, without any I/O, in constant time per request.

Both worlds share it. A connection ("line") is active, idle or gone. Idle ones of an origin form a stack, so that the
warmest is used first and the others can expire. At the limit callers queue; a line or a slot that becomes free is
handed to the first of them directly, so that nobody can overtake and no wake-up can be lost.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ipfs_accel._fork import renewed_after_fork
from ipfs_accel._values import frozen
from ipfs_accel.errors import ClientClosedError

__all__ = ["NEW", "Line", "New", "Pool", "PoolStats", "Waiter"]


class Line(Protocol):
    """What the pool has to know about a connection."""

    key: str
    generation: int
    idle_since: float

    def is_readable(self) -> bool:
        """Whether something arrived although nothing was asked: in practice, that the server hung up."""
        ...

    def forget(self) -> None:
        """Let go of it in a forked child, without a word to the server."""
        ...


L = TypeVar("L", bound=Line)


class New:
    """The grant to open a new connection."""


NEW = New()


@frozen
class PoolStats:
    """How a pool is used: connections now active and idle, and how often one was opened or reused so far."""

    active: int
    idle: int
    opened: int
    reused: int


class Waiter(Generic[L]):
    """A caller in the queue for a connection; `wake` is called when its grant is there or the pool is closed."""

    __slots__ = ("grant", "key", "wake")

    def __init__(self, key: str, wake: Callable[[], None]) -> None:
        self.key = key
        self.wake = wake
        self.grant: L | New | None = None


class Pool(Generic[L]):
    """The books of a pool.

    Args:
        max_connections: How many may be open, active and idle ones together.
        max_idle: How many may be idle.
        expiry: Seconds after which an idle one is not used again.
    """

    def __init__(self, max_connections: int, max_idle: int, expiry: float) -> None:
        self.max_connections = max_connections
        self.max_idle = max_idle
        self.expiry = expiry
        self.generation = 0
        self.closed = False
        # Lines that left the books and that somebody who may do I/O has to close.
        self.dead: deque[L] = deque()
        self._lock = threading.Lock()
        self._active = 0
        self._opened = 0
        self._reused = 0
        self._idle: dict[str, deque[L]] = {}
        self._by_age: OrderedDict[L, None] = OrderedDict()
        self._waiters: OrderedDict[Waiter[L], None] = OrderedDict()
        self._orphans: deque[L] = deque()
        renewed_after_fork(self)

    def take(self, key: str, waiter: Waiter[L] | None = None) -> L | New | None:
        """Return an idle line or the grant for a new one; at the limit queue the waiter and return None."""
        with self._lock:
            if self.closed:
                raise ClientClosedError("this client is closed")
            grant = self._grant(key)
            if grant is None and waiter is not None:
                self._waiters[waiter] = None
        if self._orphans:
            self._collect()
        return grant

    def give_up(self, waiter: Waiter[L]) -> L | New | None:
        """Leave the queue; the grant is returned if it came in the meantime and must then be used or released."""
        with self._lock:
            self._waiters.pop(waiter, None)
            grant, waiter.grant = waiter.grant, None
        return grant

    def release(self, line: L | New, *, reusable: bool) -> bool:
        """End the use of a line; if the result is False, the caller has to close it."""
        woken: Waiter[L] | None = None
        with self._lock:
            if not isinstance(line, New):
                if line.generation != self.generation:
                    return False
                reusable = reusable and not self.closed
            self._active -= 1
            kept = False
            if self._waiters:
                woken, kept = self._hand_over(line if reusable else None)
            elif reusable and not isinstance(line, New) and self.max_idle > 0:
                self._park(line)
                kept = True
        if woken is not None:
            woken.wake()
        if self._orphans:
            self._collect()
        return kept

    def replace(self, line: L) -> None:
        """Note that the holder of a line opens another in its place."""
        with self._lock:
            if line.generation == self.generation:
                self._opened += 1
                self._reused -= 1

    def orphan(self, line: L) -> None:
        """Take back a line whose user was garbage-collected.

        That can happen anywhere, even inside a method of this class in the same thread: so never wait for the lock;
        whoever holds it looks for orphans after letting it go.
        """
        self._orphans.append(line)
        self._collect()

    def close(self) -> None:
        """Take no more requests; the idle lines move to `dead`, those that wait are woken without a grant."""
        with self._lock:
            self.closed = True
            self.dead.extend(self._by_age)
            self._by_age.clear()
            self._idle.clear()
            waiters = list(self._waiters)
            self._waiters.clear()
        for waiter in waiters:
            waiter.wake()

    def stats(self) -> PoolStats:
        """Return the numbers of this moment."""
        self._collect()
        with self._lock:
            return PoolStats(active=self._active, idle=len(self._by_age), opened=self._opened, reused=self._reused)

    def after_fork(self) -> None:
        """Start anew in a forked child: the connections belong to the parent."""
        self._lock = threading.Lock()
        self.generation += 1
        lines = [*self._by_age, *self.dead, *self._orphans]
        for collection in (self._by_age, self._idle, self.dead, self._orphans, self._waiters):
            collection.clear()
        self._active = 0
        for line in lines:
            line.forget()

    # Everything below is called with the lock held.

    def _grant(self, key: str) -> L | New | None:
        now = time.monotonic()
        while self._by_age and now - next(iter(self._by_age)).idle_since > self.expiry:
            self._evict()
        stack = self._idle.get(key)
        while stack:
            line = stack.pop()
            del self._by_age[line]
            if not stack:
                del self._idle[key]
            if not line.is_readable():
                self._active += 1
                self._reused += 1
                return line
            self.dead.append(line)
        if self._active + len(self._by_age) >= self.max_connections:
            if not self._by_age:
                return None
            self._evict()
        self._active += 1
        self._opened += 1
        return NEW

    def _hand_over(self, line: L | New | None) -> tuple[Waiter[L], bool]:
        waiter, _ = self._waiters.popitem(last=False)
        self._active += 1
        if line is not None and not isinstance(line, New) and line.key == waiter.key:
            self._reused += 1
            waiter.grant = line
            return waiter, True
        self._opened += 1
        waiter.grant = NEW
        return waiter, False

    def _park(self, line: L) -> None:
        line.idle_since = time.monotonic()
        self._idle.setdefault(line.key, deque()).append(line)
        self._by_age[line] = None
        if len(self._by_age) > self.max_idle:
            self._evict()

    def _evict(self) -> None:
        line, _ = self._by_age.popitem(last=False)
        stack = self._idle[line.key]
        stack.popleft()  # the oldest of all is the oldest of its origin
        if not stack:
            del self._idle[line.key]
        self.dead.append(line)

    def _collect(self) -> None:
        while self._orphans:
            if not self._lock.acquire(blocking=False):
                return
            woken: list[Waiter[L]] = []
            try:
                while self._orphans:
                    line = self._orphans.popleft()
                    self.dead.append(line)
                    if line.generation == self.generation:
                        self._active -= 1
                        if self._waiters:
                            woken.append(self._hand_over(None)[0])
            finally:
                self._lock.release()
            for waiter in woken:
                waiter.wake()
