from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel.wire.ndjson import FramingError, NDJSONDecoder

from .reference import parse_ndjson


def decode(*chunks: bytes) -> list[str]:
    decoder = NDJSONDecoder()
    return [line for chunk in chunks for line in decoder.feed(chunk)] + decoder.flush()


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b'{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']),
        (b'{"a":1}\r\n\r\n\n{"b":2}', ['{"a":1}', '{"b":2}']),
        ('"\u2028\u2029\u0085"\n'.encode(), ['"\u2028\u2029\u0085"']),
        (b'"a\rb"\n', ['"a\rb"']),
        (b"", []),
        (b" \n\t\n", []),
    ],
)
def test_lines(stream: bytes, lines: list[str]) -> None:
    assert decode(stream) == lines


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(lines=st.lists(TEXT, max_size=6), cuts=st.lists(st.integers(0, 40), max_size=5))
def test_every_split_gives_what_the_reference_gives(lines: list[str], cuts: list[int]) -> None:
    stream = "\n".join(lines).encode()
    expected = parse_ndjson(stream)
    for position in range(len(stream) + 1):
        assert decode(stream[:position], stream[position:]) == expected
    positions = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert decode(*[stream[begin:end] for begin, end in pairwise(positions)]) == expected


def test_bytes_that_are_not_utf8_are_an_error_at_their_place() -> None:
    stream = b'{"a":1}\n"ok\xff"\n'
    for size in (1, 3, 100):
        decoder = NDJSONDecoder()
        with pytest.raises(FramingError, match="at byte 11") as caught:
            for begin in range(0, len(stream), size):
                decoder.feed(stream[begin : begin + size])
        assert caught.value.offset == 11
        with pytest.raises(FramingError):
            decoder.feed(b"{}\n")


def test_lines_are_bounded() -> None:
    for size in (1, 7, 1000):
        decoder = NDJSONDecoder(max_event_bytes=20)
        assert decoder.feed(b"x" * 20 + b"\n") == ["x" * 20]
        with pytest.raises(FramingError, match="longer than the limit of 20 bytes"):
            for begin in range(0, 100, size):
                decoder.feed((b"y" * 100)[begin : begin + size])


def test_an_error_has_what_the_same_bytes_completed_before() -> None:
    with pytest.raises(FramingError) as caught:
        NDJSONDecoder().feed(b"a\nb\n\xff\nc\n")
    assert caught.value.before == ["a", "b"]
