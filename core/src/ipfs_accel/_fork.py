"""What begins anew in a forked child: locks that a thread of the parent held, and what the parent goes on using."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["renewed_after_fork"]


class Forkable(Protocol):
    """What has something that no child may inherit."""

    def after_fork(self) -> None:
        """Begin anew; called in the child, which has one thread at that moment."""
        ...


_owners: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renewed_after_fork(owner: Forkable) -> None:
    """Have `owner.after_fork()` called in every child that is forked from now on, as long as it lives."""
    _owners.add(owner)


def _in_child() -> None:
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
