"""Vectors as servers write them: lists of numbers, or the bytes of 32-bit floats in base64."""

from __future__ import annotations

import binascii
import math
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidResponseError

__all__ = ["joined", "vector", "vectors"]

_NUMBERS = {int, float}
_ONE, _ZERO = struct.pack("<2f", 1, 0)[:4], bytes(4)
_NO_NUMBER = (
    "servers write null or NaN where a model's computation failed: ask for this input alone or shorter, or have the "
    "server load the model in another precision"
)
_NO_VECTOR = "is this a model for vectors, and the base URL that of its server?"


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
        raise InvalidResponseError(f"a vector is not base64 of 32-bit floats: {error}", hint=_NO_VECTOR) from None
    if sys.byteorder == "big":
        found.byteswap()
    if not found:
        raise InvalidResponseError("a vector is empty", hint=_NO_VECTOR)
    if _may_be_infinite(packed) and not all(map(math.isfinite, found)):
        raise _not_finite(found)
    return found


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise InvalidResponseError(f"a vector is not base64 of 32-bit floats: {error}", hint=_NO_VECTOR) from None


def _packed(numbers: Any) -> bytes:
    if isinstance(numbers, list):
        try:
            packed = struct.pack(f"<{len(numbers)}f", *numbers)
        except (OverflowError, struct.error):
            if _NUMBERS.issuperset(map(type, numbers)):  # one is beyond what 32 bits hold
                raise _not_finite(numbers) from None
        else:
            # Truth values are packed like 1 and 0, which next to no vector has, so that few are looked at one by one.
            if not (_ONE in packed or _ZERO in packed) or bool not in map(type, numbers):
                return packed
    raise _no_vector(numbers)


def _no_vector(value: Any) -> InvalidResponseError:
    """Say what stands where numbers should; in a list which member it is, with its position from 0."""
    what, hint = f"it is a {type(value).__name__}", _NO_VECTOR
    if isinstance(value, list):
        place, wrong = next((place, each) for place, each in enumerate(value) if type(each) not in _NUMBERS)
        said = "null" if wrong is None else short(wrong)
        what, hint = f"at position {place} is {said}", _NO_NUMBER if wrong is None else hint
    return InvalidResponseError(f"a vector is neither base64 nor a list of numbers: {what}", hint=hint)


def _not_finite(numbers: Sequence[float]) -> InvalidResponseError:
    """Say which number is not finite in 32 bits, with its position from 0."""
    place = next(place for place, each in enumerate(numbers) if not _is_finite(each))
    what = "NaN" if numbers[place] != numbers[place] else "infinite in 32 bits"
    return InvalidResponseError(
        f"a vector has a number that is not finite: at position {place} it is {what}", hint=_NO_NUMBER
    )


def _is_finite(number: float) -> bool:
    try:
        struct.pack("<f", number)
    except (OverflowError, struct.error):
        return False
    return math.isfinite(number)


def vectors(
    values: Sequence[Any], count: int | None = None, dimensions: int | None = None, first: int = 0
) -> tuple[array[float], ...]:
    """Return the vectors of an answer, in the order of the inputs.

    Args:
        values: As they stand in the answer.
        count: How many inputs there were, where that is known.
        dimensions: How many numbers each was to have; None for any, but the same for all.
        first: Position of the first one's input, if the inputs were sent in several requests.

    Raises:
        InvalidResponseError: There are more or fewer, one is none, or has another length; says which by its input.
    """
    if count is not None and len(values) != count:
        raise InvalidResponseError(
            f"the answer has {len(values)} vectors for {count} inputs",
            hint="ask for each input alone" if count > 1 else _NO_VECTOR,
        )
    found: list[array[float]] = []
    try:
        for value in values:
            found.append(vector(value))  # noqa: PERF401 - its length tells where it failed
    except InvalidResponseError as error:
        raise InvalidResponseError(f"vectors[{first + len(found)}]: {error.message}", hint=error.hint) from None
    return _alike(tuple(found), dimensions, first)


def joined(answers: Sequence[Sequence[array[float]]]) -> tuple[array[float], ...]:
    """Return the vectors of several requests as those of one.

    Raises:
        InvalidResponseError: They differ in length, as when another model answered in between.
    """
    return _alike(tuple([each for answer in answers for each in answer]), None, 0)


def _alike(found: tuple[array[float], ...], dimensions: int | None, first: int) -> tuple[array[float], ...]:
    lengths = set(map(len, found))
    if len(lengths) > 1:
        most, least = max(lengths), min(lengths)
        place = first + next(place for place, each in enumerate(found) if len(each) != len(found[0]))
        raise InvalidResponseError(
            f"the answer's vectors differ in length: from {least} to {most} numbers (vectors[{place}] has another "
            "length than those before it)",
            hint="ask again: another model may have answered in between",
        )
    if dimensions is not None and lengths and dimensions not in lengths:
        raise InvalidResponseError(
            f"the answer's vectors have {lengths.pop()} numbers, and dimensions asked for {dimensions}",
            hint="this server or model does not shorten vectors: leave dimensions out, or cut and normalise them",
        )
    return found


def _may_be_infinite(packed: bytes) -> bool:
    """Whether a number may have the largest exponent, as the highest bytes alone tell, much faster than each number."""
    highest = packed[3::4]
    return b"\x7f" in highest or b"\xff" in highest
