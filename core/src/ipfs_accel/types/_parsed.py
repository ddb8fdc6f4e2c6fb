"""Answers that fit a type."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from ipfs_accel._values import frozen

from ._answers import ChatResponse

__all__ = ["ParsedResponse"]

T = TypeVar("T")


@frozen(kw_only=True)
class ParsedResponse(ChatResponse, Generic[T]):
    """The answer to a chat that had to fit a type.

    Attributes:
        parsed_choices: One value per choice, and none for one in which the model called tools instead.
    """

    parsed_choices: tuple[T | None, ...] = ()

    @property
    def parsed(self) -> T:
        """The first choice's value.

        Raises:
            ValueError: There is none, as the model asked for tools: see `tool_calls`.
        """
        if self.tool_calls and self.parsed_choices[0] is None:
            raise ValueError("there is no value yet: the model asks for tools, whose results it waits for")
        return self.parsed_choices[0]  # type: ignore[return-value]

    @classmethod
    def of(cls, answer: ChatResponse, values: tuple[T | None, ...]) -> ParsedResponse[T]:
        """Return an answer with the values that its texts are."""
        return cls(
            **{each.name: getattr(answer, each.name) for each in attrs.fields(ChatResponse)}, parsed_choices=values
        )
