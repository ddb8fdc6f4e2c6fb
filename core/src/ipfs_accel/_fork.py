"""What begins anew in a forked child: locks that a thread of the parent held, and what the parent goes on using.

An import cannot be ended in a child that another thread of the parent had begun, so that a fork waits for it.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

__all__ = ["Importing", "OwnLock", "renewed_after_fork"]

PATIENCE = 5.0
"""Seconds that a fork waits for imports of other threads; what they were is then refused in the child."""


class Forkable(Protocol):
    """What has something that no child may inherit."""

    def after_fork(self) -> None:
        """Begin anew; called in the child, which has one thread at that moment."""
        ...


_owners: weakref.WeakSet[Forkable] = weakref.WeakSet()
_condition = threading.Condition(threading.Lock())
_importing: list[int] = []  # threads


def renewed_after_fork(owner: Forkable) -> None:
    """Have `owner.after_fork()` called in every child that is forked from now on, as long as it lives."""
    _owners.add(owner)


class OwnLock:
    """A lock that nobody holds in a forked child."""

    def __init__(self) -> None:
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew."""
        self.lock = threading.Lock()


class Importing:
    """A context in which a thread imports what a fork of another thread has to wait for.

    Attributes:
        thread: Which thread; None if it is over.
    """

    def __init__(self) -> None:
        self.thread: int | None = None

    def __enter__(self) -> None:
        with _condition:
            self.thread = threading.get_ident()
            _importing.append(self.thread)

    def __exit__(self, *_: object) -> None:
        with _condition:
            if self.thread in _importing:
                _importing.remove(self.thread)
            self.thread = None
            _condition.notify_all()

    @property
    def is_cut(self) -> bool:
        """Whether it was begun by a thread that does not exist in this forked child; for `after_fork`."""
        return self.thread not in {None, threading.get_ident()}


def _before() -> None:
    own, until = threading.get_ident(), time.monotonic() + PATIENCE
    _condition.acquire()  # until the fork is over, so that none begins meanwhile
    while any(thread != own for thread in _importing) and _condition.wait(until - time.monotonic()):
        pass


def _in_parent() -> None:
    _condition.release()


def _in_child() -> None:
    global _condition  # noqa: PLW0603 - nobody else has it, in a process of one thread
    _condition = threading.Condition(threading.Lock())
    _importing[:] = [thread for thread in _importing if thread == threading.get_ident()]
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
