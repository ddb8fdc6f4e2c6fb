"""Labels and scores, as TEI and the hosted models of classification give them."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import Label
from ipfs_accel.wire.fields import field, number

__all__ = ["labels"]


def labels(value: Any, count: int) -> tuple[tuple[Label, ...], ...]:
    """Read `count` lists of labels, the likeliest label first; the only one may come as it is."""
    if not isinstance(value, list):
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of a list of labels")
    if count == 1 and value and isinstance(value[0], dict):
        value = [value]
    if len(value) != count:
        raise InvalidResponseError(f"the answer has {len(value)} lists of labels for {count} inputs")
    return tuple([_ordered(each, f"results[{place}]") for place, each in enumerate(value)])


def _ordered(value: Any, place: str) -> tuple[Label, ...]:
    found = [Label(label=field(each, "label", str), score=number(each, "score", place)) for each in value]
    return tuple(sorted(found, key=lambda each: -each.score))
