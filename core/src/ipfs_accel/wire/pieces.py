"""Members that a host sends in pieces and that are unknown here: put together as whole answers have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["add"]

_TELLS_APART = ("index", "type", "id")


def add(found: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add the members of a piece to those that have come.

    Texts are continued, lists too, of whose items those with the same `index`, `type` and `id` are pieces of one, and
    objects member by member; anything else takes the place of what was there. A text or list that comes once more as
    it is, is no piece but said again.
    """
    for name, value in more.items():
        if value is not None:
            found[name] = _joined(name, found[name], value) if found.get(name) is not None else _own(value)


def _joined(name: str, before: Any, value: Any) -> Any:
    if type(before) is not type(value):
        return value
    if isinstance(value, str):
        return value if name in _TELLS_APART or before == value else before + value
    if isinstance(value, dict):
        add(before, value)
    elif isinstance(value, list) and before != value:
        for item in value:
            _put(before, item)
    else:
        return value
    return before


def _put(items: list[Any], item: Any) -> None:
    """Add an item to a list, or to that one of it whose piece it is, which is the last with its number."""
    index = item.get("index") if isinstance(item, dict) else None
    if index is not None:
        for known in reversed(items):
            if isinstance(known, dict) and known.get("index") == index:
                if any(known.get(name, item.get(name)) != item.get(name, known.get(name)) for name in _TELLS_APART):
                    break
                add(known, item)
                return
    items.append(_own(item))


def _own(value: Any) -> Any:
    """Copy what may be added to, since the frame that it is from may be kept by others."""
    if isinstance(value, dict):
        return {name: _own(each) for name, each in value.items()}
    return [_own(each) for each in value] if isinstance(value, list) else value
