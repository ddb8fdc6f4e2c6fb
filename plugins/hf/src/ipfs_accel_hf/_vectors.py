"""Vectors as JSON numbers: into arrays of 32-bit floats, without a step of Python for each number."""

from __future__ import annotations

from array import array
from typing import Any

from ipfs_accel.errors import InvalidResponseError

__all__ = ["vector", "vectors"]


def vector(value: Any) -> array[float]:
    """Read one vector."""
    if not isinstance(value, list):
        raise InvalidResponseError(f"a vector is a JSON {type(value).__name__} instead of a list of numbers")
    try:
        return array("f", value)
    except TypeError as error:
        raise InvalidResponseError(f"a vector holds something that is no number: {error}") from None


def vectors(value: Any, count: int) -> tuple[array[float], ...]:
    """Read a list of `count` vectors; a service may give the only one of them as it is."""
    if not isinstance(value, list):
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of a list of vectors")
    if count == 1 and value and isinstance(value[0], int | float):
        return (vector(value),)
    if len(value) != count:
        raise InvalidResponseError(f"the answer has {len(value)} vectors for {count} inputs")
    return tuple([vector(each) for each in value])
