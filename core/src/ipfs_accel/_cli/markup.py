"""Building HTML so that nothing can be forgotten to be escaped: text is text until an element is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .output import clean

__all__ = ["Markup", "element", "join"]


class Markup(str):
    """HTML; a string that is not one is escaped wherever it is put."""

    __slots__ = ()


def element(name: str, *children: str | None, **attributes: str | None) -> Markup:
    """Return an element.

    Args:
        name: Of the element.
        children: Text, which is escaped, or elements; None is left out.
        attributes: Their values are escaped; None is left out. `class_` is `class`, and `_` within a name is `-`.
    """
    told = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(clean(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(told)}>{join(children)}</{name}>")


def join(children: Iterable[str | None]) -> Markup:
    """Return text and elements, one after the other."""
    return Markup("".join([_escaped(child) for child in children if child is not None]))


def _escaped(child: str) -> str:
    return child if isinstance(child, Markup) else escape(clean(child))
