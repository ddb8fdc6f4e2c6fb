"""What a tool returns, as JSON: whatever has a schema, has a form here."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import attrs

from .fields import is_pydantic

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Return a value as what JSON is made of.

    Raises:
        TypeError: Something of it has no form there.
    """
    if isinstance(value, enum.Enum):  # first, as it may be a text or a number, too
        return plain(value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if is_pydantic(type(value)):
        return value.model_dump(mode="json")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath):
        return str(value)
    return _parts(value)


def _parts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(name): plain(each) for name, each in value.items()}
    if attrs.has(type(value)):
        return {each.alias or each.name: plain(getattr(value, each.name)) for each in attrs.fields(type(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    names = getattr(value, "_fields", None)
    if isinstance(value, tuple) and names is not None:
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(each) for each in value]
    raise TypeError(f"{type(value).__qualname__} has no form in JSON")


def _key(name: Any) -> str:
    found = plain(name)
    return found if isinstance(found, str) else str(found)
