"""The answer to a request while it goes out, whatever carries it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

__all__ = ["JSON", "Headers", "LeftError", "Reply"]

Headers: TypeAlias = Iterable[tuple[str, str]]
JSON = ("content-type", "application/json")


class LeftError(Exception):
    """Whoever asked is gone."""


class Reply(Protocol):
    """What a handler talks to."""

    @property
    def has_begun(self) -> bool:
        """Whether the head is out, so that an error can only be told within the body."""
        ...

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is all there."""
        ...

    async def begin(self, status: int, headers: Headers, size: int | None = None) -> None:
        """Send the head of an answer whose body comes in pieces; `size` is its bytes, if that is known.

        Does nothing if the head is out already, by a sign of life.
        """
        ...

    async def write(self, piece: bytes) -> None:
        """Send a piece, and wait while whoever asked does not read.

        Raises:
            LeftError: They are gone.
        """
        ...

    async def end(self) -> None:
        """End the body."""
        ...

    def cut(self) -> None:
        """Break the body off, so that nobody takes what there is for all of it."""
        ...

    def keep_alive(self, status: int, headers: Headers, beat: bytes) -> None:
        """Show signs of life from now on, whenever nothing else is sent for a while: the head first, then `beat`."""
        ...
