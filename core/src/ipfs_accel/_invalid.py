"""What a value raises that cannot be made of what was given."""

from __future__ import annotations

__all__ = ["InvalidValueError"]


class InvalidValueError(ValueError):
    """A value cannot be made of what was given; in a call it becomes an `InvalidRequestError`.

    Attributes:
        hint: What to do about it, where that is known; shown as a note in tracebacks.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")
