"""Where the fewest calls are: chosen and counted in one step, so that calls that begin at the same moment spread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from ipfs_accel._fork import renewed_after_fork

__all__ = ["Place", "Places"]


class Place:
    """A call's place where it was sent, by the id of this object; given back by `leave`, or when it is dropped."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self, taken: set[int]) -> None:
        """Be among those who are at one target, or on their way to it, and nowhere else."""
        if taken is not self._taken:
            self.leave()
        self._taken = taken
        taken.add(id(self))

    def leave(self) -> None:
        """Give the place back; harmless the second time, and without a lock."""
        getattr(self, "_taken", set()).discard(id(self))

    def __del__(self) -> None:
        try:
            self.leave()
        except BaseException:
            self.leave()  # an interrupt, which goes no further from here
            raise


class Places:
    """Who is on the way where; may be shared by threads."""

    def __init__(self) -> None:
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Forget all calls: in a forked child they are the parent's."""
        self._lock = threading.Lock()
        self._taken: dict[str, set[int]] = {}

    def choose(self, place: Place, names: Sequence[str], under_way: Callable[[str], AbstractSet[int]]) -> int:
        """Take a place where the fewest calls are, and return the index of it.

        Args:
            place: Of the call.
            names: What it may go to, the first of equals first.
            under_way: Tells the ids of the calls at one of them; one that is on its way, too, counts once.
        """
        with self._lock:
            loads = []
            for name in names:
                there, coming = under_way(name), self._taken.get(name)
                loads.append(len(there) + (len(coming - there) if coming else 0))
            index = loads.index(min(loads))
            place.take(self._taken.setdefault(names[index], set()))
        return index
