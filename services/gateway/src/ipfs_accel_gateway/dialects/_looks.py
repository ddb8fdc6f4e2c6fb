"""What a client may want to know of the models that are served, and in which form; the gateway finds out the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ipfs_accel.types import Capabilities

__all__ = ["BEGINNING", "Every", "Fixed", "Look", "Looker", "One"]

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""Of a model nobody knows when it was made, and clients want a time."""


class Every:
    """All models that the caller may use.

    Attributes:
        write: Writes their names.
    """

    __slots__ = ("write",)

    def __init__(self, write: Callable[[Sequence[str]], Any]) -> None:
        self.write = write


class One:
    """One model.

    Attributes:
        name: As it is served.
        write: Writes it, given its name and what is known of it; None where that is not asked, or nothing is known.
        asks: Whether to find out what is known.
    """

    __slots__ = ("asks", "name", "write")

    def __init__(self, name: str, write: Callable[[str, Capabilities | None], Any], *, asks: bool = False) -> None:
        self.name = name
        self.write = write
        self.asks = asks


class Fixed:
    """What is the same whatever is served.

    Attributes:
        value: The answer's JSON.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


Look: TypeAlias = Every | One | Fixed
Looker: TypeAlias = Callable[[str, str, Mapping[str, str], Callable[[], Mapping[str, Any]]], Look | None]
"""Given method, path, headers, and what reads the body: returns what is asked; None if that is not its API."""
