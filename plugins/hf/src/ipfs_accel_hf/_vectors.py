"""Vectors as the services of Hugging Face give them."""

from __future__ import annotations

from array import array
from typing import Any

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.wire.vectors import vector
from ipfs_accel.wire.vectors import vectors as several

__all__ = ["vector", "vectors"]


def vectors(value: Any, count: int, dimensions: int | None = None, first: int = 0) -> tuple[array[float], ...]:
    """Read a list of vectors, as `wire.vectors` does; a service may give the only one of them as it is."""
    if not isinstance(value, list):
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of a list of vectors")
    is_bare = count == 1 and value and not isinstance(value[0], list | str)
    return several([value] if is_bare else value, count, dimensions, first)
