from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import strict_json

LOADS = [strict_json._std_loads, strict_json._with_reference(orjson.loads)]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("loads", LOADS)
@given(value=VALUES)
def test_what_is_written_can_be_read(loads: Any, value: Any) -> None:
    try:
        written = strict_json.dumps(value)
    except UnicodeEncodeError:
        return
    assert loads(written) == value == json.loads(written)


@pytest.mark.parametrize("loads", LOADS)
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


@pytest.mark.parametrize("loads", LOADS)
def test_extremes(loads: Any) -> None:
    assert loads(b"\xef\xbb\xbf[1]") == [1]
    assert loads("[1]") == [1]
    # orjson gives a float for an integer beyond 64 bits; no field of any protocol is that large.
    assert float(loads(b"123456789012345678901234567890")) == 123456789012345678901234567890.0
    assert loads('"\u2028"') == "\u2028"
    assert loads(b'{"a":1,"a":2}') == {"a": 2}
    with pytest.raises((ValueError, RecursionError)):
        loads(b"[" * 100_000)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}, "\ud800"])
def test_what_json_has_no_form_for_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict_json.dumps(value)


def test_writing_is_compact_and_utf8() -> None:
    assert strict_json.dumps({"a": ["é", 1.5, None]}) == '{"a":["é",1.5,null]}'.encode()
