"""The headers of a response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

__all__ = ["Headers"]

T = TypeVar("T")

_MAX_NAMES = 256
_raw_names: dict[str, bytes] = {}


def _raw(name: str) -> bytes:
    """Return a name as it is compared; a program asks for few of them, over and over."""
    if len(_raw_names) >= _MAX_NAMES:
        _raw_names.clear()
    return _raw_names.setdefault(name, name.lower().encode("latin-1", "replace"))


class Headers:
    """Read-only, case-insensitive view of the headers of a response.

    Args:
        pairs: Names and values as they came, as text or as bytes.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._pairs: Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]] = list(pairs)  # type: ignore[assignment]
        self._index: dict[str, list[str]] | None = None

    def _by_name(self) -> dict[str, list[str]]:
        # Built at the first look: most of the headers of most of the responses are never looked at.
        index = self._index
        if index is None:
            index = {}
            for name, value in self.items():
                index.setdefault(name, []).append(value)
            self._index = index
        return index

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: T) -> str | T: ...
    def get(self, name: str, default: T | None = None) -> str | T | None:
        """Return the value of a header, joined by commas where it came several times, else the default."""
        if self._index is not None or not self._pairs or isinstance(self._pairs[0][0], str):
            values = self._by_name().get(name.lower())
            return ", ".join(values) if values else default
        # Most answers are asked for two or three headers, which are found sooner than all of them are put in order.
        raw = _raw_names.get(name) or _raw(name)
        size = len(raw)
        found: Any = None
        for each, value in self._pairs:
            if len(each) == size and each.lower() == raw:
                found = value if found is None else b", ".join((found, value))  # type: ignore[arg-type]
        return default if found is None else found.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        return list(self._by_name().get(name.lower(), ()))

    def items(self) -> Iterator[tuple[str, str]]:
        """Return every name, in lower case, with its value, in the order of arrival."""
        for name, value in self._pairs:
            if isinstance(name, bytes):
                yield name.decode("latin-1").lower(), value.decode("latin-1")  # type: ignore[union-attr]
            else:
                yield name.lower(), value  # type: ignore[misc]

    def __getitem__(self, name: str) -> str:
        values = self._by_name().get(name.lower())
        if values is None:
            raise KeyError(name)
        return ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name()

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        # Names only: a value may be a cookie or a signed address.
        return f"Headers({', '.join(self._by_name())})"
