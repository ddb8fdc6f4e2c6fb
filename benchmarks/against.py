"""Judges the working tree against another revision, pair by pair, beside the peers.

It is `make bench-against REV=a432b29`, or `python benchmarks/against.py a432b29 --only "chat, sync"` from any Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

from builds import ROOT, VARIANTS, Builder, Revision, versions
from options import chosen_by, conditions, parser, show
from pairs import MeasureError, Side, Values, measure
from report import cells, rows

NEW, OLD = "new", "old"
PEERS = ("openai", "httpx", "socket")


def coincident(revisions: tuple[Revision, Revision], variant: str, before: list[str]) -> str | None:
    """Return the variant that was measured already and that this one is for both revisions."""
    return next((each for each in before if all(one.brings(each) == one.brings(variant) for one in revisions)), None)


def main() -> None:
    """Print a table for each variant."""
    options = parser("Judge the working tree against another revision.")
    options.add_argument("revision", help="what git calls it")
    options.add_argument("--python", default=sys.executable, help="the interpreter of the environments (this one)")
    options.add_argument("--variant", action="append", choices=VARIANTS, help="repeatable (all three)")
    options.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench", help="where builds are kept")
    given = options.parse_args()
    plan, figures = chosen_by(given)
    builder = Builder(given.python, given.cache.resolve())
    revisions = builder.working_tree(), builder.commit(given.revision)
    peers = builder.peers()
    measured: dict[str, Values] = {}
    titles: dict[str, str] = {}
    for variant in dict.fromkeys(given.variant or VARIANTS):
        same = coincident(revisions, variant, list(measured))
        if same is not None:
            titles[variant] = f"{variant}: the same as {same} for both revisions"
            continue
        brings = [", ".join(sorted(each.brings(variant))) or "nothing" for each in revisions]
        titles[variant] = f"{variant}: {NEW} has {brings[0]} besides, {OLD} {brings[1]}"
        sides = [
            *[
                Side(name=name, subject="ipfs-accel", python=builder.environment(each, variant))
                for name, each in zip((NEW, OLD), revisions, strict=True)
            ],
            *[Side(name=each, subject=each, python=peers) for each in PEERS],
        ]
        print(titles[variant], file=sys.stderr)
        measured[variant] = measure(sides, figures, plan)
    present = versions(peers)
    libraries = ", ".join(f"{each} {present[each]}" for each in ("openai", "httpx", "orjson"))
    print(
        show(
            given,
            f"{NEW}: the working tree, {OLD}: {given.revision}; {conditions(plan, builder.version)}; {libraries}",
            titles,
            {variant: rows(values, NEW) for variant, values in measured.items()},
            lambda found: cells(found, NEW, OLD),
        )
    )


if __name__ == "__main__":
    try:
        main()
    except MeasureError as error:
        sys.exit(str(error))
