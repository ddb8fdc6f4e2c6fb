from __future__ import annotations

import json
import math
from datetime import date
from enum import StrEnum
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import strict_json

READERS = [strict_json._std_loads, strict_json._reading(orjson.loads)]
WRITERS = [
    strict_json._std_dumps,
    strict_json._writing(lambda value: orjson.dumps(value, option=strict_json._OPTIONS)),
]
BOTH = ["standard library", "orjson"]
NUMBERS = st.integers() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def exactly(value: Any) -> str:
    """Return a form in which 1, 1.0 and True, and 0.0 and -0.0, differ."""
    return repr(value)


@pytest.mark.parametrize("loads", READERS, ids=BOTH)
@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
@given(value=VALUES)
def test_what_is_written_can_be_read(loads: Any, dumps: Any, value: Any) -> None:
    try:
        written = dumps(value)
    except UnicodeEncodeError:
        return
    assert exactly(loads(written)) == exactly(value) == exactly(json.loads(written))
    assert exactly(loads(written.decode())) == exactly(value)


@pytest.mark.parametrize("loads", READERS, ids=BOTH)
@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"[Infinity]",
        b'{"a": -Infinity}',
        b"",
        b"{",
        b"[1,]",
        b"'a'",
        b'"\xff"',
        b'"\\ud800',
        "{}".encode("utf-16"),
        b"1 2",
    ],
)
def test_what_is_not_json_is_refused(loads: Any, text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


# What readers of JSON are known to differ in.
NUMERALS = [
    *("0", "-0", "-0.0", "1.0", "1e5", "1E+2", "1.5e-7", "0.1", "123456789.123456789"),
    *("9007199254740993", "-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616", "12345678901234567890123"),
    *("-123456789012345678901234567890", "0.00001234567890123456789", "1234567890123456789.0", "1" * 400),
    *("12345678901234567890e2", "5e-324", "2.5e-324", "1.7976931348623157e308", "1.7976931348623157E+308", "1e-400"),
]


@pytest.mark.parametrize("loads", READERS, ids=BOTH)
@pytest.mark.parametrize("around", ["{}", "[{}]", "[1,{},2]", '{{"a":{}}}', '{{"a": {} }}', '{{"a":"x",\n"b":\t{}}}'])
@pytest.mark.parametrize("numeral", NUMERALS)
def test_numbers_are_read_exactly(loads: Any, around: str, numeral: str) -> None:
    text = around.format(numeral)

    assert exactly(loads(text.encode())) == exactly(json.loads(text)) == exactly(loads(text))


@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
@pytest.mark.parametrize("numeral", NUMERALS)
def test_numbers_are_written_exactly(dumps: Any, numeral: str) -> None:
    value = json.loads(numeral)

    assert exactly(json.loads(dumps({"a": [value]}))) == exactly({"a": [value]})


def test_orjson_reads_what_has_no_long_integers() -> None:
    asked: list[Any] = []
    loads = strict_json._reading(lambda text: asked.append(text) or orjson.loads(text))
    texts = [
        b'{"id":"chatcmpl-12345678901234567890"}',
        b"[0.12345678901234567890,-0.00000000000000000001]",
        b'{"created":1764000000,"x":[1.5e300]}',
        "[123456789012345678]",
    ]

    assert [exactly(loads(text)) for text in texts] == [exactly(json.loads(text)) for text in texts]
    assert asked == texts


@pytest.mark.parametrize("before", range(strict_json._PIECE - 26, strict_json._PIECE + 4))
def test_a_long_integer_is_found_wherever_pieces_of_a_text_meet(before: int) -> None:
    loads = strict_json._reading(orjson.loads)
    opening = '["' + "1" * (before - 4) + '",'
    integer, fraction = "12345678901234567890123", "0.12345678901234567890123"

    assert exactly(loads(f"{opening}{integer}]")[1]) == integer
    assert not strict_json._has_long_integer(f"{opening}{fraction}]".encode())


@pytest.mark.parametrize("loads", [strict_json._std_loads, strict_json._reading_vectors(orjson.loads)], ids=BOTH)
@pytest.mark.parametrize("numeral", NUMERALS)
def test_numbers_beside_vectors_are_read_exactly(loads: Any, numeral: str) -> None:
    text = f'{{"data":[{{"embedding":[0.5,-1e300],"index":0}}],"id":{numeral},"ids":[[{numeral}],[],"x",null]}}'

    assert exactly(loads(text)) == exactly(json.loads(text)) == exactly(loads(text.encode()))


@pytest.mark.parametrize("loads", READERS, ids=BOTH)
def test_extremes(loads: Any) -> None:
    assert loads(b"\xef\xbb\xbf[1]") == [1]
    assert loads("[1]") == [1]
    assert loads('"\u2028"') == "\u2028"
    assert loads(b'{"a":1,"a":2}') == {"a": 2}
    assert loads('"\\ud800"') == "\ud800"
    with pytest.raises((ValueError, RecursionError)):
        loads(b"[" * 100_000)


NO_VALUES = ["object", "set", "bytes", "date", "attrs", "key"]


class Colour(StrEnum):
    RED = "red"


@attrs.frozen
class Point:
    x: int


@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {"a": [-math.inf]}, "\ud800", {"\ud800": 1}],
    ids=["nan", "inf", "deep", "text", "key"],
)
def test_what_json_has_no_form_for_is_not_written(dumps: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps(value)


@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", date(2026, 1, 1), Point(1), {(1, 2): 3}], ids=NO_VALUES)
def test_what_no_value_of_json_is_is_not_written(dumps: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=r"."):
        dumps({"a": value})


@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
def test_writing_is_compact_and_utf8(dumps: Any) -> None:
    assert dumps({"a": ["é", 1.5, None]}) == '{"a":["é",1.5,null]}'.encode()
    assert dumps({"a": ("é", 1.5, True, {})}) == '{"a":["é",1.5,true,{}]}'.encode()
    assert dumps({1: Colour.RED, "b": "null"}) == b'{"1":"red","b":"null"}'


@pytest.mark.parametrize("dumps", WRITERS, ids=BOTH)
def test_what_holds_itself_is_not_written(dumps: Any) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises((ValueError, RecursionError)):
        dumps(value)
