"""What a chat will take, before it is asked."""

from __future__ import annotations

from typing import Literal

from ipfs_accel._values import frozen


@frozen(kw_only=True)
class Bounds:
    """Between which numbers something lies.

    Attributes:
        low: At least so much.
        high: At most so much; None where nobody knows.
    """

    low: float
    high: float | None = None


@frozen(kw_only=True)
class Estimate:
    """What a chat will take, as far as that is known without asking anybody.

    Attributes:
        targets: The `endpoint/model` that may answer; several for a route. The bounds hold for each of them.
        input_tokens: Of the request. `high` is None where a part of it cannot be counted; `unknown` names these.
        output_tokens: Of the answer, what a model thinks included, for all choices. `high` is None where neither
            `max_tokens` nor what is known of the model bounds it.
        cost: US dollars; None where a price is unknown. Its `low` is for a prompt that is cached as far as can be.
        method: How the input was counted: `estimate`, or the tokenizer that counted its texts.
        output_method: What bounds the answer: max_tokens, model (its longest answer, or its context window), or None.
        prices: Who told the prices: catalogue or configuration; None where they are unknown.
        catalogue_date: Date (ISO) of the catalogue that was asked; None where the endpoint has none.
        unknown: Parts of the request that nobody here can count, by their place.
    """

    targets: tuple[str, ...]
    input_tokens: Bounds
    output_tokens: Bounds
    cost: Bounds | None = None
    method: str
    output_method: Literal["max_tokens", "model"] | None = None
    prices: Literal["catalogue", "configuration"] | None = None
    catalogue_date: str | None = None
    unknown: tuple[str, ...] = ()
