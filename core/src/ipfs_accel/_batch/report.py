"""How far a run is."""

from __future__ import annotations

from pathlib import Path

from ipfs_accel.types import BatchReport

from .folder import Folder
from .plan import PLAN, Plan
from .totals import Totals

__all__ = ["report_of", "status_of"]


def report_of(
    folder: Folder,
    plan: Plan,
    totals: Totals,
    *,
    lost: int = 0,
    answered: int = 0,
    under_way: int = 0,
    seconds: float = 0.0,
    ended: str | None = None,
) -> BatchReport:
    """Return how far a run is.

    Args:
        folder: Its files.
        plan: What there is to do.
        totals: Of all rows that have an end.
        lost: Rows under way when a process ended.
        answered: Rows that this process has brought to an end.
        under_way: Rows that were asked for and have none.
        seconds: Since this process began.
        ended: Why it asks for no more.
    """
    return BatchReport(
        output=str(folder.output),
        rows=plan.rows,
        succeeded=totals.rows - totals.failed,
        failed=totals.failed,
        failures=dict(+totals.failures),
        unreadable=plan.unreadable,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost=None if totals.unpriced else totals.cost,
        maybe_paid_twice=lost + totals.doubtful,
        answered=answered,
        under_way=under_way,
        seconds=seconds,
        ended=ended,  # type: ignore[arg-type]
    )


def status_of(output: Path) -> BatchReport:
    """Return how far the run is whose output this is; another process may be at work on it.

    Raises:
        InvalidRequestError: There is no run.
    """
    totals = Totals()
    with Folder(output, reads_only=True) as folder:
        plan = Plan.load(folder.path / PLAN)
        for found in (*[each.totals for each in folder.finished.values()], *folder.carried.values()):
            totals.merge(found)
        for shard in folder.open_shards(plan):
            journal = folder.journal(shard)
            totals.merge(journal.totals)
            journal.close()
        is_held = folder.is_held
        under_way = min(folder.under_way or 0, plan.rows - totals.rows)
        return report_of(
            folder,
            plan,
            totals,
            lost=folder.lost if is_held else folder.lost + under_way,
            under_way=under_way if is_held else 0,
            ended="complete" if folder.is_complete else None,
        )
