"""`ipfs-accel serve spend`: what keys have spent, by model, and what budgets have left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
from ipfs_accel.commands import Command, State, emit, money, pass_state, table
from ipfs_accel.errors import ConfigError, InvalidRequestError

from ._budgets import DOLLAR, Calendar, Place, limits_of
from ._ledger import spend_path
from ._settings import Settings, settings_of
from ._spend import Row, read

__all__ = ["spend"]

_PERIOD = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")


@click.command(
    cls=Command,
    name="spend",
    short_help="Tell what keys have spent.",
    help="Tell what was spent in a month or on a day, by key and model, and what budgets have left. A gateway that "
    "runs adds to it once a second; what a budget holds for spent has what requests under way may take, too. A line "
    "without a model is what a gateway held for such requests when it was killed.",
    examples=("ipfs-accel serve spend", "ipfs-accel serve spend --period 2026-11-30 --json"),
)
@click.option(
    "--period", metavar="PERIOD", help="A month or a day, such as 2026-11 or 2026-11-30. Default: this month."
)
@pass_state
def spend(state: State, period: str | None) -> None:
    """Tell what keys have spent."""
    config = state.load_config()
    settings = settings_of(config)
    path = spend_path(settings)
    if path is None:
        raise ConfigError(
            "what is spent is not kept", hint="give a key a budget, or set gateway.spend_file in the configuration"
        )
    calendar = Calendar(settings.budget_zone)
    if period is None:
        period = calendar.month
    elif not _PERIOD.fullmatch(period):
        raise InvalidRequestError(f"--period {period!r}: expected a month or a day, such as 2026-11 or 2026-11-30")
    rows, _ = read(path, period)
    budgets = [
        each
        for name in dict.fromkeys((calendar.day, calendar.month))
        for each in _budgets(settings, read(path, name)[1], name)
    ]
    document = {"file": str(path), "period": period, "spend": [*map(_document, _summed(rows))], "budgets": budgets}
    emit(state, document, lambda: _show(state, document))


def _summed(rows: Iterable[Row]) -> list[Row]:
    """Add up days."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        found = sums.setdefault(row[1:4], [0] * len(row[4:]))
        found[:] = [one + other for one, other in zip(found, row[4:], strict=True)]
    return [Row("", *names, *numbers) for names, numbers in sorted(sums.items())]  # type: ignore[arg-type]


def _document(row: Row) -> dict[str, Any]:
    found = row._asdict()
    del found["day"]
    return {**found, "cost": row.cost / DOLLAR}


def _budgets(settings: Settings, held: Mapping[Place, int], period: str) -> list[dict[str, Any]]:
    """Return each budget of a period: what it is, and what of it is held for spent."""
    found = []
    for limit in limits_of(settings):
        if (limit.kind == "day") == (len(period) > len("2026-11")):
            scale = DOLLAR if limit.unit == "dollars" else 1
            used = held.get((limit.scope, period, limit.unit), 0)
            kind, _, name = limit.scope.partition(":")
            most, left = limit.most / scale, max(0, limit.most - used) / scale
            found.append(
                {kind: name, "budget": limit.name, "period": period, "limit": most, "spent": used / scale, "left": left}
            )
    return found


def _show(state: State, document: Mapping[str, Any]) -> None:
    titles = ("key", "model", "requests", "tokens in", "tokens out", "cost", "without price", "estimated")
    table(
        state,
        titles,
        [
            (
                row["key"],
                f"{row['endpoint']}/{row['model']}" if row["endpoint"] else row["model"] or "(killed)",
                row["requests"],
                row["input_tokens"],
                row["output_tokens"],
                money(row["cost"]),
                row["unpriced"],
                row["estimated"],
            )
            for row in document["spend"]
        ],
    )
    if document["budgets"] and not state.quiet:
        click.echo()
        rows = [
            (each.get("key") or f"group {each['group']}", each["budget"], each["period"], *_sums(each))
            for each in document["budgets"]
        ]
        table(state, ("key", "budget", "period", "limit", "spent", "left"), rows)


def _sums(budget: Mapping[str, Any]) -> list[str]:
    form = money if budget["budget"].startswith("budget") else "{:.0f}".format
    return [form(budget[name]) for name in ("limit", "spent", "left")]
