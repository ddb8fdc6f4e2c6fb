"""What errors show of values that are wrong, and near names for things that were not found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["did_you_mean", "short"]


def short(value: Any) -> str:
    """Return a value's repr, cut to fit into a message."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line of a message


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names what is near to `name`, or all that is known if that is short, or None."""
    import difflib  # noqa: PLC0415 - only errors pay for it

    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, 3, 0.6)
    if near:
        return f"did you mean {' or '.join(repr(each) for each in near)}?"
    if 0 < len(choices) <= 24:  # noqa: PLR2004 - more would not be read
        return f"known: {', '.join(choices)}"
    return None
