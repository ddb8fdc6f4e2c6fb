"""Which placeholder stands for what, in one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["Vault"]

_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")


class Vault:
    """Placeholders and the texts that they stand for."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Begin, for a call with these texts: a placeholder that stands in one of them already is nobody's."""
        self._taken = {found for text in texts for found in _PLACEHOLDER.findall(text)}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._texts: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def hide(self, kind: str, text: str) -> str:
        """Return the placeholder for a text."""
        known = self._placeholders.get((kind, text))
        if known is not None:
            return known
        number = 1
        while (placeholder := f"[{kind}_{number}]") in self._texts or placeholder in self._taken:
            number += 1
        self._placeholders[kind, text] = placeholder
        self._texts[placeholder] = text
        return placeholder

    def show(self, text: str, form: Callable[[str], str] = str) -> str:
        """Return a text with the originals in place of their placeholders, each in the form that belongs there."""
        return _PLACEHOLDER.sub(
            lambda found: form(self._texts[found[0]]) if found[0] in self._texts else found[0], text
        )

    def cut(self, text: str) -> tuple[str, str]:
        """Cut off what may be the beginning of a placeholder that goes on in the next piece."""
        at = text.rfind("[")
        end = text[at:] if at >= 0 else ""
        is_begun = bool(end) and any(each.startswith(end) and each != end for each in self._texts)
        return (text[:at], end) if is_begun else (text, "")
