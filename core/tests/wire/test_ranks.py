from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.types import RankedDocument, RerankRequest
from ipfs_accel.wire.ranks import ranked

DOCUMENTS = ("a", "b", "c")


def asked(**settings: Any) -> RerankRequest:
    return RerankRequest(model="m", query="q", documents=DOCUMENTS, **settings)


def item(index: Any, score: Any) -> dict[str, Any]:
    return {"index": index, "relevance_score": score}


def test_the_most_relevant_comes_first_and_equal_ones_in_the_order_of_the_request() -> None:
    results = ranked([item(2, 0.5), item(1, 0.5), item(0, 0.75)], asked())
    assert results == tuple(
        [RankedDocument(index=index, score=score, document=DOCUMENTS[index]) for index, score in ((0, 0.75), (1, 0.5), (2, 0.5))]
    )  # fmt: skip
    assert [each.index for each in ranked([item(1, 1), item(0, 2), item(2, 0)], asked(top_n=2))] == [0, 1]


def test_positions_count_from_the_first_document_that_was_sent() -> None:
    (result,) = ranked([{"index": 0, "score": 1}], asked(), score="score", first=2, count=1)
    assert (result.index, result.document) == (2, "c")


@pytest.mark.parametrize("index", [3, -1, True, 1.0, "1", None])
def test_a_position_that_is_none_is_refused(index: Any) -> None:
    with pytest.raises(InvalidResponseError, match=r"results\[1\]: its index is"):
        ranked([item(0, 1), item(index, 0.5)], asked(top_n=2))


@pytest.mark.parametrize("score", [None, True, "0.5", float("inf"), 10**400, [1.0]])
def test_a_score_that_is_no_number_is_refused(score: Any) -> None:
    with pytest.raises(InvalidResponseError, match=r"results\[1\]: 'relevance_score' is .* instead of") as caught:
        ranked([item(0, 1), item(1, score)], asked(top_n=2))
    assert caught.value.hint


def test_a_document_is_ranked_once_and_none_is_missing() -> None:
    with pytest.raises(InvalidResponseError, match=r"results\[1\]: the document 0 is ranked twice"):
        ranked([item(0, 1), item(0, 1)], asked(top_n=2))
    with pytest.raises(InvalidResponseError, match=r"ranks 1 documents, and 2 were asked for \(not the document 1\)"):
        ranked([item(0, 1)], asked(top_n=2))
    with pytest.raises(InvalidResponseError, match=r"results\[0\]: its index is None"):
        ranked(["a"], asked())
    assert len(ranked([item(0, 1)], asked(extra={"top_k": 1}))) == 1
