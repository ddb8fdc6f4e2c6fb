"""Ratios of pairs, their spread, what they say, and the tables of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import median

from figures import BY_NAME, UNITS, Figure
from pairs import Values

SURE = 0.98  # how often an interval of medians holds the true one
TOLERANCE = 0.01  # a difference of code's place in memory alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times the second value the first one is: the median of the pairs, and the interval that holds it."""

    median: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`equal` where the interval holds 1 or the median is within a hundredth of it; else `less` or `more`."""
        if self.low <= 1 <= self.high or abs(self.median - 1) < TOLERANCE:
            return "equal"
        return "less" if self.median < 1 else "more"

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def interval(values: list[float]) -> tuple[float, float]:
    """Return where the middle of what the values come from lies, as surely as `SURE`, by Wilcoxon's signed ranks.

    Of the means of all twos of values (each with itself too) as many outermost ones fall away on both sides as the
    exact distribution of the rank sum allows. Fewer than seven values are less sure: all of them count.
    """
    means = sorted((a + b) / 2 for at, a in enumerate(values) for b in values[at:])
    ways = [1]  # how many sets of the ranks 1 … n have each sum
    for rank in range(1, len(values) + 1):
        ways = [sum(pair) for pair in zip([*ways, *[0] * rank], [*[0] * rank, *ways], strict=True)]
    cut, beyond = 0, ways[0]
    while 2 * beyond <= (1 - SURE) * 2 ** len(values):
        cut += 1
        beyond += ways[cut]
    cut = max(0, cut - 1)
    return means[cut], means[-1 - cut]


def ratio(above: list[float], below: list[float]) -> Ratio:
    """Return the ratio pair by pair; of two zeros it is 1."""
    each = [a / b if b else (inf if a else 1.0) for a, b in zip(above, below, strict=True)]
    low, high = interval(each)
    return Ratio(median=median(each), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: each side's values of all pairs and their median, and the ratios of one side to the others."""

    figure: Figure
    pairs: dict[str, list[float]]
    values: dict[str, float]
    ratios: dict[str, Ratio]


def rows(values: Values, mine: str) -> list[Row]:
    """Return the lines of the table."""
    found = []
    for name, sides in values.items():
        ratios = {side: ratio(sides[mine], each) for side, each in sides.items() if side != mine}
        medians = {side: median(each) for side, each in sides.items()}
        found.append(Row(figure=BY_NAME[name], pairs=sides, values=medians, ratios=ratios))
    return found


def cells(found: list[Row], mine: str, old: str) -> list[list[str]]:
    """Return the head and the lines of the table against a revision."""
    table = [["figure", "unit", old, mine, f"{mine} / {old}", "", "to peers in the same run"]]
    for row in found:
        peers = [f"{each} {what}" for each, what in row.ratios.items() if each != old]
        numbers = [_number(row.values[old]), _number(row.values[mine])]
        judged = row.ratios[old]
        table.append([row.figure.name, UNITS[row.figure.kind], *numbers, str(judged), judged.verdict, "; ".join(peers)])
    return table


def peer_cells(found: list[Row], mine: str, peers: list[str]) -> list[list[str]]:
    """Return the head and the lines of the table beside other libraries."""
    table = [["figure", "unit", mine, *[f"{mine} / {peer}" for peer in peers]]]
    for row in found:
        ratios = [str(row.ratios[peer]) if peer in row.ratios else "" for peer in peers]
        table.append([row.figure.name, UNITS[row.figure.kind], _number(row.values[mine]), *ratios])
    return table


def as_text(table: list[list[str]]) -> str:
    """Return columns for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "\n".join(lines)


def as_markdown(table: list[list[str]]) -> str:
    """Return a table for the README."""
    head, *lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([head, f"|{'---|' * len(table[0])}", *lines])


def as_json(found: list[Row]) -> list[dict[str, object]]:
    """Return everything, with the value of every pair."""
    return [
        {
            "figure": row.figure.name,
            "unit": UNITS[row.figure.kind],
            "pairs": row.pairs,
            "ratios": {
                side: {"median": each.median, "low": each.low, "high": each.high, "verdict": each.verdict}
                for side, each in row.ratios.items()
            },
        }
        for row in found
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
