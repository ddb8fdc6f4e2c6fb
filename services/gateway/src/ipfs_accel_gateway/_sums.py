"""Figures of several processes, added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ._exposition import Family, number

__all__ = ["as_said", "lasting", "summed"]

_ONE = frozenset({"process_start_time_seconds", "process_max_fds"})
"""Figures that mean nothing added up: those of whoever stands first hold."""


def as_said(families: Iterable[Family]) -> list[list[Any]]:
    """Return families as JSON has them."""
    return [[each.name, each.kind, each.help, [*each.samples]] for each in families]


def summed(several: Iterable[Iterable[Sequence[Any]]]) -> list[Family]:
    """Add up the families of several processes, each as `as_said` returns them."""
    kinds: dict[str, tuple[Any, str]] = {}
    sums: dict[str, dict[tuple[str, str], str]] = {}
    for families in several:
        for name, kind, said, samples in families:
            kinds.setdefault(name, (kind, said))
            found = sums.setdefault(name, {})
            is_one = kind == "info" or name in _ONE
            for suffix, labels, value in samples:
                before = found.get((suffix, labels))
                if before is None:
                    found[suffix, labels] = value
                elif not is_one:
                    found[suffix, labels] = _sum(before, value)
    return [
        Family(name, kind, said, [(*at, value) for at, value in sums[name].items()])
        for name, (kind, said) in kinds.items()
    ]


def lasting(families: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return what stays counted when a process is gone: what may only grow."""
    return [each for each in families if each[1] in {"counter", "histogram"}]


def _sum(one: str, other: str) -> str:
    if one.isdigit() and other.isdigit():
        return str(int(one) + int(other))
    return number(float(one) + float(other))
