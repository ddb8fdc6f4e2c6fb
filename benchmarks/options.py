"""What both commands take, and what they say of the machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from figures import Figure, chosen
from pairs import Plan, cores
from report import Row, as_json, as_markdown, as_text


def parser(text: str) -> argparse.ArgumentParser:
    """Return the options that both have."""
    made = argparse.ArgumentParser(description=text)
    made.add_argument("--pairs", type=int, default=11, help="pairs of processes; 7 at least, to judge by (11)")
    made.add_argument("--share", type=float, default=1.0, help="share of the rounds and their calls, for a try (1)")
    made.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="figures that have it in their name; repeatable"
    )
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything, each pair's values too")
    form.add_argument("--markdown", action="store_true", help="print a table for the README")
    return made


def chosen_by(given: argparse.Namespace) -> tuple[Plan, list[Figure]]:
    """Return how much is measured, and what; end the program where that is nothing."""
    figures = chosen(given.only)
    if not figures or given.pairs < 1:
        sys.exit(f"nothing to measure: --only {given.only}, --pairs {given.pairs}")
    if given.pairs < 7:
        print("fewer than 7 pairs judge nothing", file=sys.stderr)
    return Plan(pairs=given.pairs, share=given.share), figures


def conditions(plan: Plan, version: str) -> str:
    """Say when, with what and how it was measured, in words that name no machine."""
    found = cores()
    if found is None:
        place = "not pinned, as this system has no way to"
    else:
        place = "client and server on one core" if found[0] == found[1] else "client and server on a core each"
    today = datetime.now(UTC).date()
    return f"{today}, Python {version}, {platform.system()}, {os.cpu_count()} cores, {place}, {plan.pairs} pairs"


def show(
    given: argparse.Namespace,
    conditions: str,
    titles: dict[str, str],
    found: dict[str, list[Row]],
    table: Callable[[list[Row]], list[list[str]]],
) -> str:
    """Return what is printed: every title, with the table of those that were measured."""
    if given.json:
        parts = {name: as_json(found[name]) if name in found else None for name in titles}
        return json.dumps({"conditions": conditions, "titles": titles, "figures": parts}, indent=1)
    form = as_markdown if given.markdown else as_text
    lines = [conditions]
    for name, title in titles.items():
        lines += ["", title]
        if name in found:
            lines += ["", form(table(found[name]))]
    return "\n".join(lines)
