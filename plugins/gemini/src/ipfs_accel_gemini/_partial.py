"""Arguments of a call that come in pieces, each with the place where it belongs; only Vertex AI sends them so."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.wire.halves import mended

from ._fields import Json

__all__ = ["PartialCall"]

# $.city, $.places[0].name, $['a b']
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
MAX_ITEMS = 100_000


class PartialCall:
    """A call while it grows."""

    def __init__(self) -> None:
        self._about: Json = {}
        self._beside: Json = {}
        self._arguments: Json = {}

    def take(self, call: Json, beside: Json) -> None:
        """Add a piece, and what its part says beside it."""
        self._about |= {name: call[name] for name in ("id", "name") if call.get(name)}
        self._beside |= beside
        for piece in call.get("partialArgs") or ():
            self._put(piece)

    def whole(self) -> Json:
        """Return the part as if it had come whole."""
        return {"functionCall": {**self._about, "args": _mended(self._arguments)}, **self._beside}

    def _put(self, piece: Json) -> None:
        path = str(piece.get("jsonPath"))
        steps = [int(index) if index else name or quoted for name, index, quoted in _STEP.findall(path)]
        kind = next((name for name in _VALUES if name in piece), None)
        if not steps or kind is None:
            raise InvalidResponseError(f"a piece of a call's arguments has no place or no value: {path}")
        inner: Any = self._arguments
        for step, following in pairwise(steps):
            if _at(inner, step) is None:
                inner[step] = [] if isinstance(following, int) else {}
            inner = inner[step]
        last, value = steps[-1], None if kind == "nullValue" else piece[kind]
        before = _at(inner, last)
        inner[last] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _mended(value: Any) -> Any:
    """Return arguments with the characters whole that two pieces had halves of."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, dict):
        return {name: _mended(each) for name, each in value.items()}
    return [_mended(each) for each in value] if isinstance(value, list) else value


def _at(container: Any, step: int | str) -> Any:
    """Return what is at a place, after making a list long enough to have it."""
    if isinstance(container, list) and isinstance(step, int) and step < MAX_ITEMS:
        container += [None] * (step + 1 - len(container))
        return container[step]
    if isinstance(container, dict):
        return container.get(step)
    raise InvalidResponseError("the pieces of a call's arguments do not fit together")
