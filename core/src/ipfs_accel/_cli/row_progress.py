"""How far a run over many rows is: a line that is rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ipfs_accel.errors import AccelError
from ipfs_accel.types import BatchReport

from .command import State
from .output import clean, is_terminal, money, write

if TYPE_CHECKING:
    from ipfs_accel._client.batch_runs import AsyncBatchRun

__all__ = ["RowProgress", "failures_text", "left_text"]

_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 10.0
_WINDOW = 20.0
"""Seconds over which the rate is taken."""
_MINUTE, _HOUR = 60, 3600


def failures_text(report: BatchReport) -> str:
    """Return how many rows failed, and of what; empty if none did."""
    if not report.failed:
        return ""
    kinds = sorted(report.failures.items(), key=lambda each: -each[1])
    return f"{report.failed} ({', '.join([f'{name} {count}' for name, count in kinds])})"


def left_text(seconds: float) -> str:
    """Return a time for people."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


class RowProgress:
    """Shows how far a run is."""

    def __init__(self, state: State) -> None:
        self._silent = state.quiet or state.json
        self._is_terminal = is_terminal(err=True)
        self._seen: deque[tuple[float, int]] = deque()
        self._is_drawn = False

    async def follow(self, run: AsyncBatchRun) -> None:
        """Show it until this is cancelled."""
        import anyio  # noqa: PLC0415 - --help needs no event loop

        if self._silent:
            return
        try:
            while True:
                await anyio.sleep(_REDRAW_SECONDS if self._is_terminal else _LINE_SECONDS)
                if run.has_begun:
                    self._show(run.report, run.trouble)
        finally:
            if self._is_drawn:
                write("\r\x1b[K", err=True)

    def _show(self, report: BatchReport, trouble: AccelError | None) -> None:
        text = self.text(report) + ("" if trouble is None else f"; waiting: {clean(str(trouble))}")
        if self._is_terminal:
            write(f"\r\x1b[K{text}", err=True)
            self._is_drawn = True
        else:
            write(f"{text}\n", err=True)

    def text(self, report: BatchReport) -> str:
        """Return the line."""
        done = report.rows - report.left
        parts = [f"{done} of {report.rows} rows ({done / report.rows:.0%})"]
        rate = self._rate(report)
        if rate:
            parts.append(f"{rate:.0f} rows/s")
        parts.append(f"{report.input_tokens + report.output_tokens} tokens")
        if report.cost is not None:
            parts.append(money(report.cost))
        if report.failed:
            parts.append(f"failed: {failures_text(report)}")
        if rate:
            parts.append(f"{left_text(report.left / rate)} left")
        return ", ".join(parts)

    def _rate(self, report: BatchReport) -> float:
        """Return the rows a second of the last while."""
        seen = self._seen
        seen.append((report.seconds, report.answered))
        while len(seen) > 2 and report.seconds - seen[1][0] > _WINDOW:  # noqa: PLR2004 - one to compare with
            seen.popleft()
        (since, before), (now, answered) = (seen[0] if len(seen) > 1 else (0.0, 0)), seen[-1]
        return (answered - before) / (now - since) if now > since else 0.0
