"""What installed distributions register: read from their metadata once, and again when something was installed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TypeAlias

from . import entry_points
from .entry_points import Installed

__all__ = ["installed"]

_SETTLED = 2.0
"""Seconds after which a folder that changes again also shows another time of change, on any file system."""

_State: TypeAlias = tuple[object, ...]
_known: dict[tuple[str, ...], tuple[_State, tuple[Installed, ...]]] = {}


def installed(*groups: str) -> tuple[Installed, ...]:
    """Return what is registered under groups.

    Every client asks, and reading the metadata of a usual environment takes milliseconds, so that the answer is kept as
    long as the path and the folders and archives on it are the same.
    """
    state = _state()
    known = _known.get(groups)
    if known is not None and known[0] == state:
        return known[1]
    found = tuple(entry_points.find(*groups))
    if state is not None:
        _known[groups] = (state, found)
    return found


def _state() -> _State | None:
    """Return what tells whether anything was installed since; None if it was so lately that nothing tells."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    changes: list[int | None] = []
    for folder in sys.path:
        try:
            changes.append(Path(folder).stat().st_mtime_ns)
        except (OSError, ValueError):
            changes.append(None)
    if max([change for change in changes if change is not None], default=0) > (time.time() - _SETTLED) * 1e9:
        return None
    # The finders themselves, not their ids: one that is gone must not be mistaken for a new one in its place.
    return (*sys.path, Path.cwd() if "" in sys.path else None, *changes, *finders)
