from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel.wire.sse import FramingError, ServerSentEvent, SSEDecoder

from .reference import parse_sse


def decode(*chunks: bytes, **options: Any) -> list[ServerSentEvent]:
    decoder = SSEDecoder(**options)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.flush()


def plain(events: list[ServerSentEvent]) -> list[dict[str, Any]]:
    return [{"event": each.event, "data": each.data, "id": each.id, "retry": each.retry} for each in events]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data\n\n", [""]),
        (b"data\ndata\n\n", ["\n"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
        (b"data: a\r\n\rdata: b\n\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b": comment\n:\n\ndata: a\n\n", ["a"]),
        (b"event: x\n\ndata: a\n\n", ["a"]),
        (b"unknown: a\ndata: b\nDATA: c\n data: d\n\n", ["b"]),
        (b"data: a", ["a"]),
        (b"data: a\n", ["a"]),
        ("data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode(), ["a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"]),
        (b"", []),
        (b"\n\n\n", []),
        (b"data: [DONE]\n\n", ["[DONE]"]),
    ],
)
def test_the_grammar(stream: bytes, data: list[str]) -> None:
    assert [event.data for event in decode(stream)] == data


def test_the_other_fields() -> None:
    stream = b"event: ping\nid: 7\nretry: 20\ndata: a\n\ndata: b\n\nid\ndata: c\nretry: 2x\n\nid: a\0b\ndata: d\n\n"
    assert decode(stream) == [
        ServerSentEvent("ping", "a", "7", 20),
        ServerSentEvent("message", "b", "7", None),
        ServerSentEvent("message", "c", "", None),
        ServerSentEvent("message", "d", "", None),
    ]


LINE = st.one_of(
    st.sampled_from(
        [
            "",
            "data: {}",
            "data:",
            "data",
            "event: e",
            "id: 1",
            "retry: 5",
            "retry: x",
            ": c",
            "datax: 1",
            "\ufeffdata: b",
        ]
    ),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6).map("data: {}".format),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=4),
)
STREAMS = st.tuples(
    st.sampled_from(["", "\ufeff"]),
    st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n"])), max_size=8),
    st.sampled_from(["", "data: cut", "ev"]),
).map(lambda parts: (parts[0] + "".join(line + end for line, end in parts[1]) + parts[2]).encode())


@given(stream=STREAMS)
def test_every_split_in_two_gives_what_the_reference_gives(stream: bytes) -> None:
    expected = parse_sse(stream)
    for position in range(len(stream) + 1):
        assert plain(decode(stream[:position], stream[position:])) == expected


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_every_split_in_many_gives_what_the_reference_gives(stream: bytes, cuts: list[int]) -> None:
    positions = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[begin:end] for begin, end in pairwise(positions)]
    assert plain(decode(*chunks)) == parse_sse(stream)
    assert plain(decode(*[stream[index : index + 1] for index in range(len(stream))])) == parse_sse(stream)


@pytest.mark.parametrize(
    ("stream", "offset"),
    [
        (b"data: \xff\n\n", 6),
        (b"data: ok\n\ndata:a\xc3\n\n", 16),
        (b"\xef\xbb\xbfdata: ab\xe2\x80\n\n", 11),
        (b"event: \xff\n\n", 7),
    ],
)
def test_bytes_that_are_not_utf8_are_an_error_at_their_place(stream: bytes, offset: int) -> None:
    for size in (1, 2, 5, 100):
        decoder = SSEDecoder()
        with pytest.raises(FramingError, match="not valid UTF-8") as caught:
            for begin in range(0, len(stream), size):
                decoder.feed(stream[begin : begin + size])
        assert caught.value.offset == offset
        with pytest.raises(FramingError):
            decoder.feed(b"data: a\n\n")
        with pytest.raises(FramingError):
            decoder.flush()


def test_a_comment_may_hold_anything() -> None:
    assert [event.data for event in decode(b": \xff\xfe\ndata: a\n\n")] == ["a"]


def test_events_are_bounded() -> None:
    assert decode(b"data: " + b"x" * 50 + b"\n\n", max_event_bytes=60)
    for stream in (b"data: " + b"x" * 60 + b"\n\n", b"data: a\n" * 10 + b"\n", b"x" * 61, b": " + b"c" * 60):
        for size in (1, 7, 1000):
            decoder = SSEDecoder(max_event_bytes=60)
            with pytest.raises(FramingError, match="longer than the limit of 60 bytes"):
                for begin in range(0, len(stream), size):
                    decoder.feed(stream[begin : begin + size])
    many = SSEDecoder(max_event_bytes=60)
    for _ in range(100):
        assert len(many.feed(b": heartbeat\n\ndata: a\n\n")) == 1


def test_memory_stays_bounded_when_a_line_never_ends() -> None:
    decoder = SSEDecoder(max_event_bytes=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(FramingError):
            for _ in range(10_000):
                decoder.feed(b"x" * 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_work_is_linear_in_the_bytes_however_small_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = 0

    class Counting(bytes):
        def splitlines(self, keepends: bool = False) -> list[bytes]:  # type: ignore[override]
            nonlocal copied
            copied += len(self)
            return super().splitlines(keepends)

    monkeypatch.setattr("ipfs_accel.wire.sse.bytes", Counting, raising=False)
    total = 200_000
    decoder = SSEDecoder()
    for _ in range(total // 10):
        decoder.feed(b"x" * 10)
    assert copied <= total


def test_chunks_may_be_any_kind_of_bytes() -> None:
    assert [event.data for event in decode(bytearray(b"data: a\n"), memoryview(b"\n"))] == ["a"]  # type: ignore[arg-type]


def test_an_error_has_what_the_same_bytes_completed_before() -> None:
    with pytest.raises(FramingError) as caught:
        SSEDecoder().feed(b"data: a\n\ndata: \xff\n\ndata: c\n\n")
    assert [event.data for event in caught.value.before] == ["a"]
