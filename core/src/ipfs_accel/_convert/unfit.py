"""Which field of a request cannot be written; looked for only after that has failed, so that it costs no other call."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ipfs_accel.types import ToolCall

if TYPE_CHECKING:
    from ipfs_accel.types import Request

__all__ = ["unfit"]

# A place within a request, the value there, how deep it is, and whether it is JSON of the caller's own.
_Found: TypeAlias = tuple[str, Any, int, bool]

_NAMED = 12
"""Steps into a request that a place is named by; what is deeper has the name of where it begins."""
_TOP = 3
"""The same for what is too deep, whose further names say nothing."""
_DEEP = 5000
"""Deeper than that nothing has to be looked at to know that it is too deep, or goes round in a circle."""


def unfit(request: Request, too_deep: str | None) -> str | None:
    """Return the place and the fault of the first value that no JSON can be made of; None if there is none.

    Args:
        request: What was asked for.
        too_deep: What is wrong if the writer gave up on values within values; then the deepest is looked for.
    """
    deepest, at, top = 0, "", ""
    for place, value, depth, is_json in _walk(request):
        if too_deep is None:
            why = _wrong(value, is_json=is_json)
            if why is not None:
                return f"{place}: {why}"
            continue
        top = place if depth <= _TOP else top
        if depth > deepest:
            deepest, at = depth, top
        if depth > _DEEP:
            break
    return f"{at}: {too_deep}" if too_deep is not None and deepest > _NAMED else None


def _wrong(value: Any, *, is_json: bool) -> str | None:
    if isinstance(value, str):
        return None if value.isascii() or _has_whole(value) else "it has half a character in it (a lone surrogate)"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is no JSON value"
    if not is_json or value is None or isinstance(value, int | Mapping | list | tuple):
        return None
    return f"{type(value).__name__} is nothing that JSON has a form for"


def _has_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(request: Request) -> Iterator[_Found]:
    waiting: list[_Found] = [("", request, 0, False)]
    while waiting:
        found = waiting.pop()
        yield found
        if found[2] <= _DEEP:
            waiting += reversed([*_inside(*found)])


def _inside(place: str, value: Any, depth: int, is_json: bool) -> Iterator[_Found]:
    is_named = depth < _NAMED
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = getattr(value, field.name)
            name = f"{place}.{field.name}" if place else field.name
            if isinstance(value, ToolCall) and field.name == "arguments":
                inner = _parsed(inner)
            yield name if is_named else place, inner, depth + 1, is_json
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{place}.{key}" if is_named else place, inner, depth + 1, True
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield f"{place}[{index}]" if is_named else place, inner, depth + 1, is_json


def _parsed(arguments: str) -> Any:
    """Return the arguments of a call as those backends write them that do not have them as text."""
    try:
        return arguments if not arguments.isascii() else json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
