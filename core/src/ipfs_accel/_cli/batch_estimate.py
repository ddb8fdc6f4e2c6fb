"""What a run would take and cost, by some of its rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ipfs_accel._batch.opening import sample
from ipfs_accel._batch.planning import planned
from ipfs_accel._batch.settings import checked_settings
from ipfs_accel._client.batch_work import limits_of
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Bounds, Estimate

from .command import State
from .output import emit, money, note, table

__all__ = ["show_estimate"]

_LOOKED_AT = 200


def show_estimate(state: State, source: str, model: str | None, options: dict[str, Any]) -> None:
    """Read the input, and tell what asking for its rows would come to; nothing is asked."""
    limits_of(options)
    settings = checked_settings(Path(source), model, options)
    with tempfile.TemporaryDirectory() as folder:
        plan = planned(Path(source), settings, Path(folder))
    found = _estimates(state, plan, settings) if settings.operation == "chat" else []
    share = plan.rows / len(found) if found else 0.0
    sums = {
        "input_tokens": _sum([each.input_tokens for each in found], share),
        "output_tokens": _sum([each.output_tokens for each in found], share),
        "cost": _sum([each.cost for each in found], share),
    }
    document = {"rows": plan.rows, "unreadable": plan.unreadable, "looked_at": len(found), **sums}
    emit(state, document, lambda: table(state, ("", "at least", "at most"), _table(plan.rows, sums)))
    if plan.unreadable:
        note(state, f"{plan.unreadable} rows cannot be read, and will fail")
    if not found:
        note(state, f"what {settings.operation} takes and costs is not known beforehand")
    elif len(found) < plan.rows:
        note(state, f"by {len(found)} of the rows")
    if found and sums["cost"] is None:
        note(state, "the price of the model is not known")


def _estimates(state: State, plan: Any, settings: Any) -> list[Estimate]:
    found, wrong = [], None
    with state.client() as client:
        for number, (model, messages, options) in sample(plan, settings, _LOOKED_AT):
            try:
                found.append(client.estimate(model, messages, **options))
            except InvalidRequestError as error:
                wrong = wrong or InvalidRequestError(f"row {number}: {error.message}", hint=error.hint)
    if wrong is not None and not found:
        raise wrong
    return found


def _sum(bounds: list[Bounds | None], share: float) -> dict[str, float | None] | None:
    """Return bounds of all rows by those of some; None if nothing is known."""
    known = [each for each in bounds if each is not None]
    if not known or len(known) < len(bounds):
        return None
    highs = [each.high for each in known if each.high is not None]
    high = sum(highs) * share if len(highs) == len(known) else None
    return {"low": sum(each.low for each in known) * share, "high": high}


def _table(rows: int, sums: dict[str, dict[str, float | None] | None]) -> list[tuple[Any, ...]]:
    shown: list[tuple[Any, ...]] = [("rows", rows, rows)]
    for name, title in (("input_tokens", "tokens in"), ("output_tokens", "tokens out"), ("cost", "cost")):
        bounds = sums[name]
        if bounds is not None:
            write = money if name == "cost" else "{:.0f}".format
            shown.append((title, *[None if each is None else write(each) for each in bounds.values()]))
    return shown
