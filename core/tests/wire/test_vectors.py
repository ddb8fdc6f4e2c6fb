from __future__ import annotations

import base64
import re
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.wire.openai_answers import embeddings_of
from ipfs_accel.wire.vectors import joined, vector, vectors

LARGEST = 3.4028234663852886e38


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@given(numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_both_forms_are_read_alike(numbers: list[float]) -> None:
    assert vector(numbers) == vector(packed(*numbers)) == array("f", numbers)


@given(numbers=st.lists(st.floats(width=32), min_size=1))
def test_what_is_not_finite_is_refused_wherever_it_is(numbers: list[float]) -> None:
    is_finite = all(abs(number) <= LARGEST for number in numbers)
    for value in (numbers, packed(*numbers)):
        if is_finite:
            assert vector(value) == array("f", numbers)
        else:
            with pytest.raises(InvalidResponseError, match="not finite"):
                vector(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "is empty"),
        ("", "is empty"),
        ([1.0, True], "neither base64 nor a list of numbers"),
        ([False], "neither base64 nor a list of numbers"),
        ([1.0, None], "neither base64 nor a list of numbers: at position 1 is null"),
        (["1"], "neither base64 nor a list of numbers"),
        ([[1.0]], "neither base64 nor a list of numbers"),
        (None, "neither base64 nor a list of numbers"),
        ({"values": [1.0]}, "neither base64 nor a list of numbers"),
        ([1.0, 1e39], "not finite: at position 1 it is infinite in 32 bits"),
        ([1.0, 2.0, float("nan")], "not finite: at position 2 it is NaN"),
        (packed(1.0, float("nan")), "not finite: at position 1 it is NaN"),
        ([float("inf")], "not finite"),
        ([10**400], "not finite"),
        ("AAA", "is not base64"),
        ("AAAA", "is not base64 of 32-bit floats"),
    ],
)
def test_what_is_no_vector_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidResponseError, match=message) as caught:
        vector(value)
    assert caught.value.hint


def test_which_vector_is_none_is_said_by_its_input() -> None:
    for wrong in (None, [], [None], packed(float("inf"))):
        with pytest.raises(InvalidResponseError, match=r"^vectors\[5\]: a vector ") as caught:
            vectors([[1.0], wrong, [None]], first=4)
        assert caught.value.hint


def test_vectors_have_the_length_that_was_asked_for() -> None:
    assert len(vectors([[1, 2], [3, 4]], 2, 2)) == 2
    with pytest.raises(InvalidResponseError, match="have 2 numbers, and dimensions asked for 8") as caught:
        vectors([[1, 2], [3, 4]], 2, 8)
    assert "leave dimensions out" in (caught.value.hint or "")


def test_the_vectors_of_several_requests_have_one_length() -> None:
    one, two = array("f", [1]), array("f", [1, 2])
    assert joined([[one], [one, one]]) == (one, one, one)
    with pytest.raises(InvalidResponseError, match=r"from 1 to 2 numbers \(vectors\[2\] has another length"):
        joined([[one, one], [two]])


def test_vectors_have_one_length_and_are_as_many_as_the_inputs() -> None:
    assert vectors([[1, 2.5], [3, 4]], 2) == (array("f", [1, 2.5]), array("f", [3, 4]))
    with pytest.raises(InvalidResponseError, match="the answer has 1 vectors for 2 inputs"):
        vectors([[1.0]], 2)
    with pytest.raises(InvalidResponseError, match="differ in length: from 1 to 2 numbers"):
        vectors([[1.0, 2.0], [1.0]])


@pytest.mark.parametrize(
    ("indexes", "place"),
    [
        *[((0, False), 1), ((1, 1), 1), ((0, 2), 1), ((-1, 0), 0), ((1, 2), 1), ((True, False), 0), (("0", "1"), 0)],
        *[((1, None), 1), ((0.0, 1.0), 0), ((1, 0.0), 1), (([], {}), 0)],
    ],
)
def test_each_input_has_one_vector(indexes: tuple[Any, ...], place: int) -> None:
    data = [{"index": index, "embedding": [float(place)]} for place, index in enumerate(indexes)]
    wrong = re.escape(f"2 vectors do not have the indexes 0 to 1, each once: data[{place}] has {indexes[place]!r}")
    with pytest.raises(InvalidResponseError, match=wrong):
        embeddings_of({"data": data}, 2)


def test_vectors_may_come_in_any_order_or_without_saying_which() -> None:
    shuffled = [{"index": index, "embedding": [float(index)]} for index in (2, 0, 1)]
    silent = [{"embedding": [float(index)]} for index in range(3)]
    for data in (shuffled, silent):
        assert [found[0] for found in embeddings_of({"data": data}, 3).vectors] == [0.0, 1.0, 2.0]
