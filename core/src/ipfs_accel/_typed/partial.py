"""JSON that has not come to its end: what its values are as far as they have come."""

from __future__ import annotations

import re
from typing import Any

from ipfs_accel import strict_json

__all__ = ["PartialJson"]

_PLAIN = re.compile(r'[^"\\]+')
_SCALAR = re.compile(r"[^\s,\]}:]+")
_NOTHING: Any = object()
_DEEPEST = 200
"""More levels are no answer, and would be too many to copy."""


class PartialJson:
    """Takes a JSON text in pieces, each once, so that reading as it comes costs no more than reading it whole."""

    def __init__(self) -> None:
        self._root: Any = _NOTHING
        self._open: list[Any] = []
        self._key: str | None = None
        self._is_key = False
        self._text: list[str] | None = None
        self._escape = ""
        self._scalar = ""
        self._is_lost = False
        self._is_fence = False

    @property
    def value(self) -> Any:
        """The value so far, a copy of its own; None before anything of it has come.

        A text that goes on is in it as far as it has come; a number, true, false or null once it is known to be whole.
        """
        root = self._copy(self._root)
        if self._text is not None and not self._is_key:
            text = "".join(self._text)
            if "\ud800" <= text[-1:] <= "\udbff":  # half a character, whose other half comes next
                text = text[:-1]
            if not self._open:
                return text
            inner = root
            for depth, each in enumerate(self._open[:-1]):
                inner = inner[self._last(each, self._open[depth + 1])]
            if isinstance(inner, list):
                inner.append(text)
            else:
                inner[self._key] = text
        return None if root is _NOTHING else root

    def feed(self, piece: str) -> None:
        """Take the next piece of the text; after what is no JSON, nothing more is taken."""
        at = 0
        while at < len(piece) and not self._is_lost:
            if self._is_fence:
                end = piece.find("\n", at)
                self._is_fence, at = end < 0, len(piece) if end < 0 else end + 1
            elif self._text is not None:
                at = self._in_text(piece, at)
            elif self._scalar:
                at = self._in_scalar(piece, at)
            else:
                at = self._between(piece, at)

    def _in_text(self, piece: str, at: int) -> int:
        text: list[str] = self._text  # type: ignore[assignment]
        if self._escape:
            self._escape += piece[at]
            is_hex = self._escape[1] == "u"
            if len(self._escape) == (6 if is_hex else 2):
                self._unescape(text)
            return at + 1
        plain = _PLAIN.match(piece, at)
        if plain is not None:
            text.append(plain[0])
            return plain.end()
        if piece[at] == "\\":
            self._escape = "\\"
        else:
            self._text, whole = None, "".join(text)
            if self._is_key:
                self._key, self._is_key = whole, False
            else:
                self._put(whole)
        return at + 1

    def _unescape(self, text: list[str]) -> None:
        raw, self._escape = self._escape, ""
        try:
            made = strict_json.loads(f'"{raw}"')
        except ValueError:
            self._is_lost = True
            return
        if text and "\udc00" <= made <= "\udfff" and "\ud800" <= text[-1][-1:] <= "\udbff":
            # The halves of one character, which come as two.
            high = text[-1][-1]
            text[-1] = text[-1][:-1]
            made = (high + made).encode("utf-16", "surrogatepass").decode("utf-16")
        text.append(made)

    def _in_scalar(self, piece: str, at: int) -> int:
        more = _SCALAR.match(piece, at)
        if more is not None:
            self._scalar += more[0]
            return more.end()
        raw, self._scalar = self._scalar, ""
        try:
            self._put(strict_json.loads(raw))
        except ValueError:
            self._is_lost = True
        return at

    def _between(self, piece: str, at: int) -> int:
        sign = piece[at]
        inside = self._open[-1] if self._open else None
        if sign == '"':
            self._text, self._is_key = [], isinstance(inside, dict) and self._key is None
        elif sign == "`" and self._root is _NOTHING:
            self._is_fence = True
        elif sign in "{[" and len(self._open) == _DEEPEST:
            self._is_lost = True
        elif sign in "{[":
            made: Any = {} if sign == "{" else []
            self._put(made)
            self._open.append(made)
            self._key = None
        elif sign in "}]":
            if inside is None:
                self._is_lost = True
            else:
                self._open.pop()
                self._key = None
        elif sign not in " \t\r\n,:":
            self._scalar = sign
        return at + 1

    def _put(self, value: Any) -> None:
        if not self._open:
            self._root = value
        elif isinstance(self._open[-1], list):
            self._open[-1].append(value)
        elif self._key is not None:
            self._open[-1][self._key] = value
            if not isinstance(value, dict | list):
                self._key = None
        else:
            self._is_lost = True

    def _last(self, container: Any, inner: Any) -> Any:
        if isinstance(container, list):
            return len(container) - 1
        return next(name for name in reversed(container) if container[name] is inner)

    def _copy(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._copy(each) for name, each in value.items()}
        return [self._copy(each) for each in value] if isinstance(value, list) else value
