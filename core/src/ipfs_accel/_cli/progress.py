"""Showing how far a transfer is: a line that is rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ipfs_accel.types import Progress

from .command import State
from .output import clean, is_terminal, write

__all__ = ["Bar", "size_text"]

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
_WIDTH = 24
_STEP = 1000.0


def size_text(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} TB"


class Bar:
    """Writes progress to stderr; to be used in a `with` block, which ends the line."""

    def __init__(
        self,
        state: State,
        title: str = "",
        clock: Callable[[], float] = time.monotonic,
        *,
        amount: Callable[[float], str] = size_text,
    ) -> None:
        self._amount = amount
        self._silent = state.quiet or state.json
        self._title = title
        self._clock = clock
        self._is_terminal = is_terminal(err=True)
        self._drawn_at: dict[str, float] = {}
        self._drawn = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn and self._is_terminal:
            write("\n", err=True)

    def bytes(self, done: int, total: int) -> None:
        """Show how much of all is done: a transfer of bytes, or of whatever `amount` puts into words."""
        self.show(Progress(status=self._title, completed=done, total=total))

    def show(self, progress: Progress) -> None:
        """Show an event, unless the last one has only just been shown."""
        if self._silent:
            return
        now = self._clock()
        status = " ".join([part for part in (progress.status, progress.item) if part])
        is_over = progress.completed is None or progress.completed == progress.total
        # Several layers may be under way at once, so each has its own time.
        since = now - self._drawn_at.get(status, float("-inf"))
        if not is_over and since < self._interval():
            return
        text = _text(status, progress, self._amount)
        if text == self._drawn:
            return
        if self._is_terminal:
            # What changes is rewritten; what is about something else begins a line.
            start = "\n" if self._drawn and status not in self._drawn_at else "\r\x1b[K"
            write(start + text, err=True)
        else:
            write(text + "\n", err=True)
        self._drawn, self._drawn_at[status] = text, now

    def _interval(self) -> float:
        return _REDRAW_SECONDS if self._is_terminal else _LINE_SECONDS


def _text(status: str, progress: Progress, amount: Callable[[float], str]) -> str:
    if progress.completed is None:
        return clean(status)
    if not progress.total:
        return f"{clean(status)} {amount(progress.completed)}"
    share = min(1.0, progress.completed / progress.total)
    filled = round(share * _WIDTH)
    bar = "#" * filled + "." * (_WIDTH - filled)
    return f"{clean(status)} [{bar}] {share:4.0%} of {amount(progress.total)}"
