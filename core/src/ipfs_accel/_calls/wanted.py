"""What a call wants its answer to be, beside what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel._values import frozen

if TYPE_CHECKING:
    from ipfs_accel._typed.form import Form

__all__ = ["Wanted"]


@frozen
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
