"""Where a value does not fit what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ipfs_accel._values import frozen

__all__ = ["Fault", "MisfitError", "listed", "shown"]

_LONGEST = 60
_MOST = 20


@frozen
class Fault:
    """One place at which a value does not fit.

    Attributes:
        path: From its root, such as `$.days[1].city`.
        message: What is wrong there.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class MisfitError(ValueError):
    """A value does not fit a type; `faults` has each place."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join([str(each) for each in self.faults]))


def listed(faults: Sequence[Fault]) -> str:
    """Return faults as a model is told them, each on a line; of many those that come first, to begin with."""
    more = [f"- and {len(faults) - _MOST} more"] if len(faults) > _MOST else []
    return "\n".join([*[f"- {each}" for each in faults[:_MOST]], *more])


def shown(value: Any) -> str:
    """Return a JSON value as messages have it: short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None:
        return "null"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
