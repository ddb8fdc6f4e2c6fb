"""OVMS's streams: events, an error that is none, and a stop text that stays in the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from ipfs_accel.plans import HttpStream, StreamPlan
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder

from ._errors import in_stream

__all__ = ["Trimming", "guarded"]

T = TypeVar("T")


class _Frames(SSEDecoder):
    """Cuts events, and takes bare JSON, which no event has, for an event named error: it may end early."""

    def field(self, content: bytes) -> None:
        """Take a line."""
        super().field(content)
        if self._is_bare:
            self._event = "error"


def guarded(plan: StreamPlan[T]) -> StreamPlan[T]:
    """Return the plan with an eye for errors in the stream."""
    if not isinstance(plan, HttpStream):
        return plan
    make = plan.decoder

    def decoder() -> Callable[[Any, Any], None]:
        decode = make()

        def read(event: ServerSentEvent, out: Any) -> None:
            if event.event == "error":
                raise in_stream(event.data)
            decode(event, out)

        return read

    return attrs.evolve(plan, frames=_Frames, decoder=decoder)


class Trimming(Assembler[T]):
    """Leaves out the stop text that OVMS keeps at the end of what it streams, though not of a whole answer."""

    def __init__(self, build: Callable[[Assembler[T]], T], stop: tuple[str, ...], *, merge: bool = False) -> None:
        super().__init__(build, merge=merge)
        self._stop = stop
        self._held: dict[int, str] = {}

    def text(self, piece: str, choice: int = 0) -> None:
        """Add to the answer's text, but for an end that may become a stop text."""
        text = self._held.pop(choice, "") + piece
        size = max([_overlap(text, stop) for stop in self._stop])
        if size:
            self._held[choice] = text[len(text) - size :]
        super().text(text[: len(text) - size], choice)

    def tool_call(self, key: int | str, choice: int = 0, **call: Any) -> None:
        """Begin a tool call or add to it; what was held of the text comes before."""
        self._release(choice)
        super().tool_call(key, choice, **call)

    def finish(self, reason: str, choice: int = 0) -> None:
        """Note why a choice ended."""
        if reason == "stop" and self._held.get(choice) in self._stop:
            del self._held[choice]
        self._release(choice)
        super().finish(reason, choice)

    def partial(self) -> T | None:
        """Return the answer as far as it has come."""
        for choice in list(self._held):
            self._release(choice)
        return super().partial()

    def _release(self, choice: int) -> None:
        if choice in self._held:
            super().text(self._held.pop(choice), choice)


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the beginning of another."""
    return next((size for size in range(min(len(text), len(stop)), 0, -1) if text.endswith(stop[:size])), 0)
