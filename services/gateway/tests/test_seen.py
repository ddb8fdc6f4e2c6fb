"""Heads that come again are read as if the parser had read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipfs_accel_gateway._reader import Reader

LIMIT = 5000


def request(
    body: bytes = b"{}", *, path: str = "/v1/chat/completions", more: str = "", length: str = "Content-Length: {}"
) -> bytes:
    said = length.format(len(body))
    return f"POST {path} HTTP/1.1\r\nHost: here\r\n{said}\r\nAuthorization: Bearer a\r\n{more}\r\n".encode() + body


REQUESTS = [
    request(),
    request(b"x" * 10),
    request(b"y" * 3000),
    request(b"z" * (LIMIT + 1)),
    request(path="/v1/embeddings"),
    request(more="Connection: close\r\n"),
    request(more="Expect: 100-continue\r\n"),
    request(more="X-Other: 1\r\n"),
    request(length="content-length:\t{}  "),
    request(length="Content-Length: {0}\r\nContent-Length: {0}"),
    request(length="Content-Length: +{}"),
    request(length="Content-Length: 00{}"),
    request(length="Content-Length: {} {0}".replace("{}", "{0}")),
    request(b"", length="Content-Length: {}"),
    request(b"2\r\n{}\r\n0\r\n\r\n", length="Transfer-Encoding: chunked"),
    request(b"2\r\n{}\r\n0\r\n\r\n", length="Transfer-Encoding: chunked\r\nContent-Length: {}"),
    b"GET /v1/models HTTP/1.1\r\nHost: here\r\n\r\n",
    b"\r\n" + request(),
    b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
]


class Plain(Reader):
    """One that knows no head again."""

    def _feed_between(self, data: bytes) -> None:
        self._parse(data)


def state(reader: Reader) -> Any:
    found = [(r.method, r.path, r.query, r.headers, r.body, r.keeps, r.is_old) for r in reader.requests]
    bad = None if reader.bad is None else (reader.bad.status, reader.bad.reason)
    return found, bad, reader.is_between, reader.has_head, reader.expects, reader.begun.path, reader.waiting


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6),
    st.lists(st.integers(1, 4000), max_size=12),
    st.booleans(),
)
def test_what_is_read_does_not_depend_on_what_was_read_before(
    requests: list[bytes], cuts: list[int], whole: bool
) -> None:
    pieces = []
    for each in [requests[0], *requests]:  # the first comes as a whole, so that its head is known
        pieces.append(each)
    if not whole:
        rest = b"".join(pieces[1:])
        pieces = pieces[:1]
        for size in cuts:
            pieces.append(rest[:size])
            rest = rest[size:]
        pieces.append(rest)
    reader, plain = Reader(LIMIT), Plain(LIMIT)
    for piece in filter(None, pieces):
        reader.feed(piece)
        plain.feed(piece)
        assert state(reader) == state(plain)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_head_is_read_once(size: int) -> None:
    """The request after the first shares what was found out from its head; another head does not."""
    reader = Reader(LIMIT)
    reader.feed(request())
    second, third = request(b'{"a": 1}'), request(b"{}", more="X-New: 1\r\n")
    stream = second + third
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
    first, again, other = reader.requests
    assert (again.noted is first.noted) == (size == 10_000)
    assert again.body == b'{"a": 1}'
    assert other.noted is not first.noted
    assert other.headers["x-new"] == "1"
