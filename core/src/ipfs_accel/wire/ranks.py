"""Documents by rank, as reranking servers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import RankedDocument, RerankRequest

from .fields import number

__all__ = ["in_order", "ranked"]


def ranked(
    items: Sequence[Any], request: RerankRequest, *, score: str = "relevance_score", first: int = 0, count: int = 0
) -> tuple[RankedDocument, ...]:
    """Return the documents of an answer, the most relevant first.

    Args:
        items: Objects with the members `index`, which counts from the first document that was sent, and a score.
        request: What was asked.
        score: Name of the score's member.
        first: Position of the first document that was sent, if others went in other requests.
        count: How many of them were sent; 0 for all.

    Raises:
        InvalidResponseError: A score is no finite number, or a position is none, stands twice or is missing.
    """
    sent = count or len(request.documents)
    found: dict[int, float] = {}
    for place, item in enumerate(items):
        index = item.get("index") if isinstance(item, dict) else None
        if type(index) is not int or not 0 <= index < sent:
            message = f"results[{place}]: its index is {short(index)}, and there are {sent} documents"
            raise InvalidResponseError(message, hint=_NO_DOCUMENT)
        if index in found:
            raise InvalidResponseError(f"results[{place}]: the document {index} is ranked twice", hint=_NO_DOCUMENT)
        found[index] = number(item, score, f"results[{place}]", _NO_SCORE)
    # What a caller adds in the server's own words may ask for fewer.
    wanted = 0 if request.extra else sent if request.top_n is None else min(request.top_n, sent)
    if len(found) < wanted:
        missing = next(index for index in range(sent) if index not in found)
        raise InvalidResponseError(
            f"the answer ranks {len(found)} documents, and {wanted} were asked for (not the document {missing})",
            hint="rank fewer at a time",
        )
    return in_order(
        [
            RankedDocument(index=first + index, score=value, document=request.documents[first + index])
            for index, value in found.items()
        ],
        request.top_n,
    )


def in_order(documents: Sequence[RankedDocument], most: int | None) -> tuple[RankedDocument, ...]:
    """Return the most relevant first, equal ones in the order of the request, and `most` of them at the most."""
    return tuple(sorted(documents, key=lambda each: (-each.score, each.index))[:most])


_NO_DOCUMENT = "which document a score is for cannot be told: rank fewer at a time, or each alone"
_NO_SCORE = "servers write null where a model's computation failed: leave that document out, or rank fewer at a time"
