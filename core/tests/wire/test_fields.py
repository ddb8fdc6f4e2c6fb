from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.wire.fields import field, optional, rest, seconds


def test_a_member_is_there_and_of_its_type_or_named() -> None:
    assert field({"a": 1}, "a", int) == 1
    assert optional({"a": 1}, "a", int) == 1
    assert optional({"a": None}, "a", int) is None
    assert optional({}, "a", int) is None
    for value, message in (({}, "'a' is missing"), ({"a": "1"}, "'a' is str instead of int"), ([], "'a' is missing")):
        with pytest.raises(InvalidResponseError, match=message):
            field(value, "a", int)
    with pytest.raises(InvalidResponseError, match="'a' is str instead of int"):
        optional({"a": "1"}, "a", int)
    with pytest.raises(InvalidResponseError, match="'a' is missing"):
        optional("text", "a", int)


def test_what_is_beside_the_known_is_kept_unless_it_is_null() -> None:
    assert rest({"a": 1, "b": 2, "c": None, "d": 0}, {"a"}) == {"b": 2, "d": 0}


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:00:00.5+01:00", 0.5),
        ("soon", None),
        ("", None),
        (None, None),
        (7, None),
        ("0001-01-01T00:00:00", None),
    ],
)
def test_a_time_is_seconds_or_nothing(date: Any, expected: float | None) -> None:
    assert seconds(date) == expected
