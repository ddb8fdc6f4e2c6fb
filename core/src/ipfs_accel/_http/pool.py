"""Who uses which connection: the books of a pool, without any I/O, in constant time per request.

Both worlds share it. A connection ("line") is active, idle or gone. Idle ones of an origin form a stack, so that the
warmest is used first and the others can expire. At the limit callers queue; a line or a slot that becomes free is
handed to the first of them directly, so that nobody can overtake and no wake-up can be lost.

An interrupt may come between any two lines of this, and a line or a slot be lost on the way to who asked for it. So
nothing is counted: what is open is a set of slots, each of which leaves it when it is dropped, and active is what is
open and not idle.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from ipfs_accel._fork import renewed_after_fork
from ipfs_accel._values import frozen
from ipfs_accel.errors import ClientClosedError

__all__ = ["Line", "New", "Pool", "PoolStats", "Waiter"]


class Line(Protocol):
    """What the pool has to know about a connection."""

    key: str
    generation: int
    idle_since: float
    slot: Any

    def is_readable(self) -> bool:
        """Whether something arrived although nothing was asked: in practice, that the server hung up."""
        ...

    def forget(self) -> None:
        """Let go of it in a forked child, without a word to the server."""
        ...


L = TypeVar("L", bound=Line)


class New:
    """The grant to open a new connection, and then the slot of this connection, as long as somebody has it."""

    __slots__ = ("__weakref__", "_pool")

    def __init__(self, pool: Pool[Any]) -> None:
        self._pool = weakref.ref(pool)

    @property
    def slot(self) -> New:
        """Itself: it stands for a line that is not there yet."""
        return self

    def lose(self, line: Any) -> None:
        """Take back an open line of which nobody knows any more; for its finalizer."""
        pool = self._pool()
        if pool is not None and line.generation == pool.generation:
            try:
                line.hang_up()
            finally:
                pool.orphan(line)
        elif pool is not None:
            line.forget()

    def __del__(self) -> None:
        try:
            self._leave()
        except BaseException:
            self._leave()  # an interrupt, which goes no further from here
            raise

    def _leave(self) -> None:
        pool = self._pool() if hasattr(self, "_pool") else None
        if pool is not None:
            pool.lose_slot(self)


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
        self._slots: set[int] = set()  # of all that is open or may be opened, by id
        self._opened = 0
        self._reused = 0
        self._idle: dict[str, deque[L]] = {}
        self._by_age: OrderedDict[L, None] = OrderedDict()
        self._waiters: OrderedDict[Waiter[L], None] = OrderedDict()
        self._orphans: deque[L] = deque()
        self._lines: weakref.WeakSet[L] = weakref.WeakSet()
        renewed_after_fork(self)

    def take(self, key: str, waiter: Waiter[L] | None = None) -> L | New | None:
        """Return an idle line or the grant for a new one; at the limit queue the waiter and return None."""
        with self._lock:
            if self.closed:
                raise ClientClosedError("this client is closed")
            grant = self._grant(key)
            if grant is None and waiter is not None:
                self._waiters[waiter] = None
        self._collect()
        return grant

    def adopt(self, line: L, slot: New) -> L:
        """Let a new line have a slot."""
        line.slot = slot
        self._lines.add(line)
        return line

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
                if line in self._by_age:
                    return True  # an interrupt came after it had been given back
            kept = False
            if reusable and self._waiters:
                woken, kept = self._hand_over(line)
            elif reusable and not isinstance(line, New) and self.max_idle > 0:
                self._park(line)
                kept = True
            if not kept:
                self._slots.discard(id(line.slot))
        if woken is not None:
            woken.wake()
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

    def lose_slot(self, slot: New) -> None:
        """Note that a slot was dropped; for its finalizer, and so without waiting for the lock, as above."""
        self._slots.discard(id(slot))
        self._collect()

    def close(self) -> None:
        """Take no more requests; the idle lines move to `dead`, those that wait are woken without a grant."""
        with self._lock:
            self.closed = True
            while self._by_age:
                self._evict()
            self._idle.clear()
            waiters = list(self._waiters)
            self._waiters.clear()
        for waiter in waiters:
            waiter.wake()

    def stats(self) -> PoolStats:
        """Return the numbers of this moment."""
        self._collect()
        with self._lock:
            idle = len(self._by_age)
            return PoolStats(active=len(self._slots) - idle, idle=idle, opened=self._opened, reused=self._reused)

    def after_fork(self) -> None:
        """Start anew in a forked child: the connections belong to the parent."""
        self._lock = threading.Lock()
        self.generation += 1
        lines = [*self._lines]
        for collection in (self._by_age, self._idle, self.dead, self._orphans, self._waiters, self._lines):
            collection.clear()
        self._slots = set()
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
            if not stack:
                del self._idle[key]
            if line not in self._by_age:
                continue  # an interrupt came while it was taken out
            if not line.is_readable():
                self._reused += 1
                del self._by_age[line]
                return line
            del self._by_age[line]
            self._bury(line)
        if len(self._slots) >= self.max_connections:
            if not self._by_age:
                return None
            self._evict()
        return self._new()

    def _new(self) -> New:
        slot = New(self)
        self._slots.add(id(slot))
        self._opened += 1
        return slot

    def _hand_over(self, line: L | New | None) -> tuple[Waiter[L], bool]:
        """Give the first who waits a line of its origin, or a slot; tell whether the line is in use again."""
        waiter = next(iter(self._waiters))
        kept = line is not None and not isinstance(line, New) and line.key == waiter.key
        if kept:
            self._reused += 1
            waiter.grant = line
        else:
            if line is not None:
                self._slots.discard(id(line.slot))
            waiter.grant = self._new()
        del self._waiters[waiter]
        return waiter, kept

    def _park(self, line: L) -> None:
        line.idle_since = time.monotonic()
        self._by_age[line] = None
        self._idle.setdefault(line.key, deque()).append(line)
        if len(self._by_age) > self.max_idle:
            self._evict()

    def _evict(self) -> None:
        line, _ = self._by_age.popitem(last=False)
        self._bury(line)
        stack = self._idle.get(line.key)
        if stack is not None:
            with suppress(ValueError):  # an interrupt came before it was there
                stack.remove(line)  # the oldest of all is the oldest of its origin, and found at once
            if not stack:
                del self._idle[line.key]

    def _bury(self, line: L) -> None:
        self._slots.discard(id(line.slot))
        self.dead.append(line)

    def _collect(self) -> None:
        """Take back what was lost, unless somebody has the lock, who will do it."""
        while self._orphans or (self._waiters and len(self._slots) < self.max_connections):
            if not self._lock.acquire(blocking=False):
                return
            woken: list[Waiter[L]] = []
            try:
                while self._orphans:
                    self._bury(self._orphans[0])
                    self._orphans.popleft()
                while self._waiters and len(self._slots) < self.max_connections:
                    woken.append(self._hand_over(None)[0])
            finally:
                self._lock.release()
            for waiter in woken:
                waiter.wake()
