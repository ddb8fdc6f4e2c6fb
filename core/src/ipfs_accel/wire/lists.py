"""Lists that come page by page, and batches whose results are there only in the end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ipfs_accel import plans
from ipfs_accel.errors import ConflictError, InvalidResponseError
from ipfs_accel.plans import Http

if TYPE_CHECKING:
    from ipfs_accel.plans import Flow, Plan
    from ipfs_accel.types import Batch

__all__ = ["Page", "check_over", "paged"]

T = TypeVar("T")

Page: TypeAlias = tuple[list[T], Any]
"""Items, and what the next page is asked for by; None at the end."""


def paged(page: Callable[[int, Any], Http[Page[T]]], *, limit: int | None, most: int) -> Flow[tuple[T, ...]]:
    """Plan the reading of a list page by page.

    Args:
        page: Plans one page, given how many items it may have and what the page before it said of the next one.
        limit: How many items to return; None means all.
        most: How many items a page may have.
    """

    def steps() -> Generator[Any, Any, Plan[tuple[T, ...]]]:
        found: list[T] = []
        size = most if limit is None else min(limit, most)
        after: Any = None
        while limit is None or len(found) < limit:
            items, following = yield page(size, after)
            found += items
            if following is None:
                break
            if following == after:
                raise InvalidResponseError("the list does not go on: its next page is the same again")
            after = following
        return plans.Ready(value=tuple(found[:limit]))

    return plans.Flow(steps=steps)


def check_over(batch: Batch) -> None:
    """Raise `ConflictError` if a batch is still worked on, so that it has no results yet."""
    if not batch.is_over:
        raise ConflictError(
            f"the batch {batch.id!r} is {batch.status}: its results come when it is over",
            hint="ask for the batch again later",
        )
