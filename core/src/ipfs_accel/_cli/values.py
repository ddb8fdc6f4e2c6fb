"""Answers as plain JSON values: what `--json` writes."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from os import PathLike
from typing import Any

from ipfs_accel.types import Answer, Part, StreamEvent

__all__ = ["event_name", "plain"]

_PARTS: tuple[type[Any], ...] = Part.__args__
_EVENTS: tuple[type[Any], ...] = StreamEvent.__args__
_BESIDE = ("extra", "origin", "field")
_SINGLE = (str, bytes, bytearray, memoryview, PathLike, Enum)


def plain(value: Any, *, raw: bool = False) -> Any:
    """Return the value in dicts, lists, strings, numbers, booleans and None.

    Message parts get a `type` and stream events an `event`, so that a reader can tell them apart. Bytes become base64,
    sets sorted lists, numbers that JSON does not have become None, keys become `***`.

    Args:
        value: An answer, or any part of one.
        raw: Whether to keep what the provider itself answered.
    """
    fields = getattr(type(value), "__attrs_attrs__", None)
    if fields is not None:
        left_out = () if raw else ("raw",)
        if not isinstance(value, Answer):  # few messages say anything beside their parts
            left_out = (*left_out, *[name for name in _BESIDE if not getattr(value, name, None)])
        names = [field.name for field in fields if field.name not in left_out]
        return _tag(value) | {name: plain(getattr(value, name), raw=raw) for name in names}
    if isinstance(value, Mapping):
        return {str(name): plain(item, raw=raw) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted([plain(item, raw=raw) for item in value], key=str)
    if isinstance(value, Iterable) and not isinstance(value, _SINGLE):
        return [plain(item, raw=raw) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return _scalar(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _tag(value: Any) -> dict[str, Any]:
    if isinstance(value, _PARTS):
        return {"type": event_name(type(value))}
    if isinstance(value, _EVENTS):
        return {"event": event_name(type(value))}
    return {}


def event_name(kind: type[Any]) -> str:
    """Return the name of a class as JSON has it, such as `text_delta`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
