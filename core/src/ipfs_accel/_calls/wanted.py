"""What a call wants its answer to be, beside what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._values import define

if TYPE_CHECKING:
    from ipfs_accel._typed.form import Form
    from ipfs_accel.types import ChatResponse

__all__ = ["Wanted"]


@define(eq=False)
class Wanted:
    """What an answer has to be, and how often the model may mend it.

    Attributes:
        form: Of the type that was asked for.
        repairs: How many further attempts there may be.
        tells: Whether errors may have what the model said: not where middleware has the last word on it.
    """

    form: Form
    repairs: int
    tells: bool = True
    _known: tuple[Any, tuple[Any, ...]] | None = attrs.field(default=None, init=False, repr=False)

    def values(self, answer: ChatResponse, read: Callable[[Form, Any, ChatResponse], Any]) -> tuple[Any, ...]:
        """Return the values of an answer's choices, read once though they are wanted when it comes and at the end."""
        if self._known is None or self._known[0] is not answer.choices:
            self._known = answer.choices, tuple([read(self.form, choice, answer) for choice in answer.choices])
        return self._known[1]
