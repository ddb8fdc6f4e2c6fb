from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel.errors import ConflictError, InvalidResponseError
from ipfs_accel.plans import Http, get
from ipfs_accel.types import Batch
from ipfs_accel.types._jobs import BatchStatus
from ipfs_accel.wire.lists import check_over, paged

PAGES: dict[Any, Any] = {None: ([1, 2], "b"), "b": ([], "c"), "c": ([3, 4], None)}


def read(pages: dict[Any, Any], limit: int | None) -> tuple[Any, list[tuple[int, Any]]]:
    """Return the list and what was asked: the size of each page and what the one before said."""
    asked: list[tuple[int, Any]] = []

    def page(size: int, after: Any) -> Http[Any]:
        asked.append((size, after))
        return Http(send=get("/"), parse=lambda _response: None)

    steps = paged(page, limit=limit, most=2).steps()
    found: Any = None
    try:
        next(steps)
        while True:
            steps.send(pages[asked[-1][1]])
    except StopIteration as end:
        found = end.value
    return found.value, asked


@pytest.mark.parametrize(
    ("limit", "found", "asked"),
    [
        (None, (1, 2, 3, 4), [(2, None), (2, "b"), (2, "c")]),
        (3, (1, 2, 3), [(2, None), (2, "b"), (2, "c")]),
        (2, (1, 2), [(2, None)]),
        (1, (1,), [(1, None)]),
        (0, (), []),
    ],
)
def test_pages_are_read_until_there_is_enough(
    limit: int | None, found: tuple[int, ...], asked: list[tuple[int, Any]]
) -> None:
    assert read(PAGES, limit) == (found, asked)


def test_a_list_that_does_not_go_on_is_an_error() -> None:
    with pytest.raises(InvalidResponseError, match="its next page is the same again"):
        read({None: ([1], "b"), "b": ([2], "b")}, None)


@pytest.mark.parametrize(("status", "is_over"), [("in_progress", False), ("completed", True), ("failed", True)])
def test_only_a_batch_that_is_over_has_results(status: BatchStatus, is_over: bool) -> None:
    batch = Batch(id="b1", status=status)
    if is_over:
        check_over(batch)
    else:
        with pytest.raises(ConflictError, match="'b1' is in_progress: its results come when it is over"):
            check_over(batch)
