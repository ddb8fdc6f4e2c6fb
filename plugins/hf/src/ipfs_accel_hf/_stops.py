"""What TGI streams as it comes: the texts that end an answer, which the caller does not want, and a comma too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ipfs_accel.wire.assembler import Assembler

__all__ = ["REASONS", "StoppedAssembler", "without_stop"]

T = TypeVar("T")

_BEFORE = "{ \t\r\n"
_COMMA_FIRST = r"\s*\{\s*,"

REASONS = {"eos_token": "stop", "stop_sequence": "stop"}
"""TGI's finish reasons that have a usual name."""


def without_stop(text: str, stops: Sequence[str] | None) -> str:
    """Return a text without the longest of these at its end.

    The server's own test for one passes over a line break behind it, which is part of the same token in some
    vocabularies; that goes too.
    """
    found = max([stop for stop in _with_breaks(stops) if text.endswith(stop)], key=len, default="")
    return text.removesuffix(found)


def _with_breaks(stops: Sequence[str] | None) -> tuple[str, ...]:
    return tuple([each for stop in stops or () if stop for each in (stop, f"{stop}\n")])


class StoppedAssembler(Assembler[T]):
    """Holds back what could be the beginning of a stop text, until it is known whether it ended the answer."""

    def __init__(
        self,
        build: Callable[[Assembler[T]], T],
        stops: Sequence[str] | None,
        *,
        eof_after_finish: bool = False,
        merge: bool = False,
    ) -> None:
        """Make an empty one; `stops` are what the request named."""
        super().__init__(build, eof_after_finish=eof_after_finish, merge=merge)
        self._given = stops
        self._stops = _with_breaks(stops)
        self._held: dict[int, str] = {}
        self._begun: dict[tuple[int, int | str], str] = {}

    def text(self, piece: str, choice: int = 0) -> None:
        """Add to the answer's text what cannot be part of a stop text any more."""
        if not self._stops:
            super().text(piece, choice)
            return
        text = self._held.pop(choice, "") + piece
        size = max([_overlap(text, stop) for stop in self._stops])
        if size:
            self._held[choice] = text[-size:]
        super().text(text[: len(text) - size], choice)

    def tool_call(self, key: int | str, choice: int = 0, *, arguments: str = "", **call: Any) -> None:
        """Begin a tool call or add to its arguments, without a comma that comes first in them.

        The router sends what the model wrote behind the name, from the comma on, if that is a token of its own.
        """
        said = self._begun.get((choice, key), "")
        if not said.strip(_BEFORE):
            said = self._begun[choice, key] = said + arguments
            arguments = arguments.replace(",", "", 1) if re.match(_COMMA_FIRST, said) else arguments
        super().tool_call(key, choice, arguments=arguments, **call)

    def finish(self, reason: str, choice: int = 0) -> None:
        """Note why a choice ended, under its usual name."""
        held = self._held.pop(choice, "")
        super().text(without_stop(held, self._given) if reason == "stop_sequence" else held, choice)
        super().finish(REASONS.get(reason, reason), choice)

    def done(self) -> None:
        """Note the terminal signal."""
        self._release()
        super().done()

    def partial(self) -> T | None:
        """Return the answer as far as it has come."""
        self._release()
        return super().partial()

    def _release(self) -> None:
        for choice, held in self._held.items():
            super().text(held, choice)
        self._held = {}


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest beginning of `stop` that `text` ends with."""
    return next((size for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size])), 0)
