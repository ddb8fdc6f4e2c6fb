"""Vectors as servers write them: lists of numbers, or the bytes of 32-bit floats in base64."""

from __future__ import annotations

import binascii
import math
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from ipfs_accel.errors import InvalidResponseError

__all__ = ["vector", "vectors"]

_NUMBERS = {int, float}
_ONE, _ZERO = struct.pack("<2f", 1, 0)[:4], bytes(4)


def vector(value: Any) -> array[float]:
    """Return one vector.

    Raises:
        InvalidResponseError: It is none: empty, of something else than numbers, or one of them is not finite.
    """
    found = array("f")
    packed = _decoded(value) if isinstance(value, str) else _packed(value)
    try:
        found.frombytes(packed)
    except ValueError as error:
        raise InvalidResponseError(f"a vector is not base64 of 32-bit floats: {error}") from None
    if sys.byteorder == "big":
        found.byteswap()
    if not found:
        raise InvalidResponseError("a vector is empty")
    if _may_be_infinite(packed) and not all(map(math.isfinite, found)):
        raise InvalidResponseError("a vector has a number that is not finite")
    return found


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise InvalidResponseError(f"a vector is not base64 of 32-bit floats: {error}") from None


def _packed(numbers: Any) -> bytes:
    if isinstance(numbers, list):
        try:
            packed = struct.pack(f"<{len(numbers)}f", *numbers)
        except (OverflowError, struct.error):
            if _NUMBERS.issuperset(map(type, numbers)):  # one is beyond what 32 bits hold
                raise InvalidResponseError("a vector has a number that is not finite") from None
        else:
            # Truth values are packed like 1 and 0, which next to no vector has, so that few are looked at one by one.
            if not (_ONE in packed or _ZERO in packed) or bool not in map(type, numbers):
                return packed
    raise InvalidResponseError("a vector is neither base64 nor a list of numbers")


def vectors(values: Sequence[Any], count: int | None = None) -> tuple[array[float], ...]:
    """Return the vectors of an answer, in the order of the inputs; `count` of them, where that is known.

    Raises:
        InvalidResponseError: There are more or fewer, one is none, or they differ in length.
    """
    if count is not None and len(values) != count:
        raise InvalidResponseError(f"the answer has {len(values)} vectors for {count} inputs")
    found = tuple(map(vector, values))
    lengths = sorted(set(map(len, found)))
    if len(lengths) > 1:
        raise InvalidResponseError(f"the answer's vectors differ in length: from {lengths[0]} to {lengths[-1]} numbers")
    return found


def _may_be_infinite(packed: bytes) -> bool:
    """Whether a number may have the largest exponent, as the highest bytes alone tell, much faster than each number."""
    highest = packed[3::4]
    return b"\x7f" in highest or b"\xff" in highest
