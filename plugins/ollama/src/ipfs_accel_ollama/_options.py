"""Settings of an Ollama endpoint."""

from __future__ import annotations

import attrs

__all__ = ["Options"]


@attrs.frozen(kw_only=True)
class Options:
    """Settings of an Ollama endpoint: what its calls say unless they say otherwise in `extra`.

    Attributes:
        num_ctx: Tokens of the context. Without it the server decides by its memory: often 4,096, of any model.
        keep_alive: How long a model stays loaded after a call, such as "10m", or "300" for seconds; negative means for
            ever.
        truncate: Whether the server may cut what is longer than the context, which it does without a word; otherwise
            that is a `ContextLengthExceededError`.
    """

    num_ctx: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    keep_alive: str | None = None
    truncate: bool = False
