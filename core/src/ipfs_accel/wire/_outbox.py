from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Outbox"]

E = TypeVar("E")


class Outbox(Generic[E]):
    """The events that a decoder's words have made and the core has not fetched."""

    def __init__(self) -> None:
        self._events: list[E] = []
        self.is_done = False

    def done(self) -> None:
        """Note the provider's terminal signal: nothing meaningful follows."""
        self.is_done = True

    def take(self) -> list[E]:
        """Return the events since the last call."""
        events = self._events
        if events:
            self._events = []
        return events
