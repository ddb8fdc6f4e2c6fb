"""From JSON to values without parts: texts, numbers, truth values, null, and what is written as one of these."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import pathlib
import typing
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from .faults import shown

__all__ = [
    "FROM_TEXT",
    "constants",
    "enum_member",
    "expected",
    "from_text",
    "is_enum",
    "is_path",
    "literal",
    "null",
    "scalar",
]

_KINDS = {
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
}
FROM_TEXT: dict[type[Any], tuple[Callable[[str], Any], str]] = {
    dt.datetime: (dt.datetime.fromisoformat, "a date and time such as 2026-01-31T12:00:00Z"),
    dt.date: (dt.date.fromisoformat, "a date such as 2026-01-31"),
    dt.time: (dt.time.fromisoformat, "a time such as 12:00:00"),
    uuid.UUID: (uuid.UUID, "a UUID"),
    decimal.Decimal: (decimal.Decimal, "a decimal number, as a text"),
}


def scalar(wanted: type[Any], value: Any, kind: Any) -> Any:
    if is_enum(kind):  # an IntEnum is found as the int that it is
        return enum_member(value, kind)
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is int and type(value) is float and value.is_integer():
        return int(value)  # JSON knows no integers: 2.0 is one
    raise ValueError(expected(wanted, value))


def expected(wanted: type[Any], value: Any) -> str:
    return f"expected {_KINDS[wanted]}, got {shown(value)}"


def null(value: Any, _kind: Any) -> None:
    if value is not None:
        raise ValueError(f"expected null, got {shown(value)}")


def from_text(make: Callable[[str], Any], wanted: str, value: Any, _kind: Any) -> Any:
    try:
        found = make(scalar(str, value, str))
    except (ValueError, ArithmeticError):
        found = None
    if found is None or (make is decimal.Decimal and not found.is_finite()):  # NaN is a text as JSON has it
        raise ValueError(f"expected {wanted}, got {shown(value)}")
    return found


def is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pathlib.PurePath)


def is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def enum_member(value: Any, kind: Any) -> Any:
    found = [member for member in kind if type(member.value) is type(value) and member.value == value]
    if found:
        return found[0]
    raise ValueError(_one_of([member.value for member in kind], value))


def literal(kind: Any, value: Any, _kind: Any) -> Any:
    values = typing.get_args(kind)
    for each, plain in zip(values, constants(values), strict=True):
        if type(plain) is type(value) and plain == value:
            return each
    raise ValueError(_one_of(constants(values), value))


def constants(values: Iterable[Any]) -> list[Any]:
    """Return constants as JSON has them."""
    return [each.value if isinstance(each, enum.Enum) else each for each in values]


def _one_of(values: Iterable[Any], value: Any) -> str:
    return f"expected one of {', '.join([repr(each) for each in values])}, got {shown(value)}"
