"""Measures ipfs-accel beside raw httpx and the usual libraries, as this environment has them, and prints ratios.

It is `make bench`, or `python benchmarks/run.py`. A library that is not installed is left out, and standard error says
so.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import replace
from pathlib import Path

from options import chosen_by, conditions, parser, show
from pairs import MeasureError, Side, measure
from report import peer_cells, rows
from subjects import SUBJECTS

MINE = "ipfs-accel"
PEERS = [name for name in SUBJECTS if name != MINE]


def main() -> None:
    """Print the table, or everything as JSON."""
    options = parser("Measure ipfs-accel beside other libraries.")
    options.add_argument("--beside", action="append", choices=PEERS, help="repeatable (all)")
    given = options.parse_args()
    plan, figures = chosen_by(given)
    here = [MINE]
    for name in given.beside or PEERS:
        if importlib.util.find_spec(SUBJECTS[name].module) is not None:
            here.append(name)
        else:
            print(f"{name} is not installed and left out", file=sys.stderr)
    peers = tuple(here[1:])
    sides = [Side(name=name, subject=name, python=Path(sys.executable)) for name in here]
    values = measure(sides, [replace(each, peers=peers) for each in figures], plan)
    title = {"": f"{MINE} and the other libraries"}
    where = conditions(plan, platform.python_version())
    print(show(given, where, title, {"": rows(values, MINE)}, lambda found: peer_cells(found, MINE, list(peers))))


if __name__ == "__main__":
    try:
        main()
    except MeasureError as error:
        sys.exit(str(error))
