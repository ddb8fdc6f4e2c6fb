"""What a call used."""

from __future__ import annotations

from typing import Any

import attrs

from ipfs_accel._values import frozen

__all__ = ["Usage"]


def _as_count(value: Any) -> int | None:
    """Return a whole number that is not negative; totals are summed and priced, and must not fail over another."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@frozen(kw_only=True)
class Usage:
    """Tokens of a call; None where the provider does not tell, or says something that is no count.

    Attributes:
        input_tokens: All tokens of the prompt, cached ones included.
        output_tokens: All generated tokens, reasoning included.
        cached_input_tokens: Prompt tokens that came from the provider's cache.
        cache_write_input_tokens: Prompt tokens that were written to it.
        reasoning_tokens: Generated tokens that were reasoning.
        audio_input_tokens: Prompt tokens that were sound.
        audio_output_tokens: Generated tokens that were sound.
        image_input_tokens: Prompt tokens that were pictures, where they cost something else than text.
        image_output_tokens: Generated tokens that were pictures.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None

    def __attrs_post_init__(self) -> None:
        # Not as a converter of each: nine calls for what is as it should be, in each answer.
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 0):
                object.__setattr__(self, name, _as_count(value))

    @property
    def total_tokens(self) -> int | None:
        """Input and output together, or None if either is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


_COUNTS = tuple([field.name for field in attrs.fields(Usage)])
