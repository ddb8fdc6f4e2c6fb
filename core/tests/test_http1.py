"""What is read of an answer, byte by byte and without any I/O; h11 is asked for a second opinion."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipfs_accel._http import http1
from ipfs_accel._http.http1 import Reader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def read(*pieces: bytes, method: str = "GET", ends: bool = False) -> Reader:
    reader = Reader()
    reader.expect(method)
    for piece in pieces:
        reader.feed(piece)
    if ends:
        reader.end()
    return reader


def body(reader: Reader) -> bytes:
    assert reader.is_over, "the answer is not complete"
    return reader.take()


def again(reader: Reader) -> bytes:
    """Return the body of a second answer over the same connection."""
    reader.expect("GET")
    reader.feed(OK + b"content-length: 5\r\n\r\nagain")
    return body(reader)


# a second opinion

Outcome = tuple[Any, ...]
REFUSED: Outcome = ("refused",)


def ours(pieces: Iterable[bytes], method: str, *, ends: bool) -> Outcome:
    reader = read(*pieces, method=method, ends=ends)
    if reader.is_malformed:
        return REFUSED
    headers = [(name.lower(), value) for name, value in reader.headers] if reader.has_head else []
    headers = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]
    return (reader.status, headers, b"".join(reader.pieces), reader.is_over, reader.keeps and not ends)


def theirs(data: bytes, method: str, *, ends: bool) -> Outcome:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    status, headers, received, over = 0, [], b"", False
    try:
        if data:
            connection.receive_data(data)
        if ends:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return REFUSED  # nobody asked for another protocol
            if isinstance(event, h11.Response):
                status, headers = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                received += event.data
            elif isinstance(event, h11.EndOfMessage):
                over = True
                break
            elif not isinstance(event, h11.InformationalResponse):
                break
    except h11.RemoteProtocolError:
        return REFUSED
    keeps = over and not ends and connection.their_state is h11.DONE and not connection.trailing_data[0]
    return (status, headers, received, over, keeps)


def matches(pattern: bytes) -> Callable[[bytes], bool]:
    found = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda data: found.search(data) is not None


ZERO = b"content-length: 0\r\n\r\n"
STRICTER: dict[str, tuple[Callable[[bytes], bool], bytes]] = {
    # What h11 takes, how it is known, and an example; why it is refused: somebody on the way may see another end of it.
    "one length says enough": (
        matches(rb"content-length:.*\ncontent-length:"),
        OK + b"content-length: 0\r\n" + ZERO,
    ),
    "a list of lengths is more than one": (
        matches(rb"content-length: *\d+ *,"),
        OK + b"content-length: 0, 0\r\n\r\n",
    ),
    "a length contradicts chunks": (
        matches(rb"(content-length:.*\ntransfer-encoding:)|(transfer-encoding:.*\ncontent-length:)"),
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "a line ends with both of its characters": (matches(rb"(?<!\r)\n"), b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
    "a header has one line": (matches(rb"\n[ \t]"), OK + b"x: a\r\n b\r\n" + ZERO),
    "a chunk's size ends with its digits": (matches(rb"\n[0-9a-f]+[ \t]+"), CHUNKED + b"0 \r\n\r\n"),
    "what is among the trailers comes too late to say where they begin": (
        matches(rb"\r\n0\r\n.*content-length"),
        CHUNKED + b"0\r\n" + ZERO,
    ),
    "no other version is spoken": (matches(rb"HTTP/(?!1\.[01] )"), b"HTTP/2.0 200 OK\r\n" + ZERO),
}
LAXER: dict[str, tuple[Callable[[bytes], bool], bytes]] = {
    # What h11 refuses.
    "what follows an informational answer is the parser's to name": (
        matches(rb"^HTTP/1.1 1.*\r\n\r\n(\r\n|RTSP|ICE)"),
        b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + OK + ZERO,
    ),
}
CAUTIOUS: dict[str, Callable[[bytes, str], bool]] = {
    # Where the two may differ in whether the connection serves again, and in nothing else.
    "after HEAD without a length the parser cannot tell": lambda data, method: method == "HEAD",
    "an empty line after the answer may be skipped, and is no part of another": lambda data, _: data.endswith(b"\r\n"),
}


@pytest.mark.parametrize("why", [*STRICTER, *LAXER])
def test_where_h11_thinks_otherwise(why: str) -> None:
    applies, data = {**STRICTER, **LAXER}[why]
    assert applies(data)
    opinions = [ours([data], "GET", ends=False) == REFUSED, theirs(data, "GET", ends=False) == REFUSED]
    assert opinions == ([True, False] if why in STRICTER else [False, True])


FIRST = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 503 Busy",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 200 ",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 O\x01K",
    b"HTTP/1.1 101 Switching",
    b"HTTP/1.1 000 Zero",
    b"HTTP/1.1 99 Low",
    b"HTTP/1.1 1000 High",
    b"HTTP/2.0 200 OK",
    b"HTTP/1.2 200 OK",
    b"RTSP/1.0 200 OK",
    b"ICE/1.0 200 OK",
    b"SSH-2.0-x",
    b"\r\nHTTP/1.1 200 OK",
]
HEADERS = [
    b"content-length: 3",
    b"Content-Length:3",
    b"content-length: 3 ",
    b"content-length: 0",
    b"content-length: 3, 3",
    b"content-length: -3",
    b"content-length: +3",
    b"content-length: 0x3",
    b"content-length:",
    b"content-length: 99999999999999999999999",
    b"transfer-encoding: chunked",
    b"Transfer-Encoding: Chunked ",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding: identity",
    b"transfer-encoding : chunked",
    b"connection: close",
    b"connection: Keep-Alive",
    b"connection: x, close",
    b"connection: upgrade",
    b"upgrade: h2c",
    b"x: y",
    b"x:",
    b"x:  y \t",
    b"x: \xe4\t,",
    b"x: a\x00b",
    b"x: a\x0bb",
    b"x y: z",
    b": z",
    b"x: a\r\n folded",
    b"no colon",
]
BODIES = [
    b"",
    b"abc",
    b"ab",
    b"abcd",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\r\nt: u\r\n\r\n",
    b"3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\n",
    b"3;a=b\r\nabc\r\n0;c\r\n\r\n",
    b'3;a="b;c"\r\nabc\r\n0\r\n\r\n',
    b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    b"003\r\nabc\r\n00\r\n\r\n",
    b"3 \r\nabc\r\n0\r\n\r\n",
    b"3\nabc\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3\r\nab\r\n0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"+3\r\nabc\r\n0\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"g\r\n",
    b"\r\n",
    b"fffffffffffffffff\r\nabc",
    b"0\r\n\r\n",
]
EXTRA = [b"", b"", b"", b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"\0"]
INFORMATIONAL = [
    b"",
    b"",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nlink: x\r\ncontent-length: 9\r\n\r\n",
]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    line_end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    lines = [draw(st.sampled_from(FIRST)), *draw(st.lists(st.sampled_from(HEADERS), max_size=4))]
    head = b"".join(line + line_end for line in lines) + line_end
    whole = draw(st.sampled_from(INFORMATIONAL)) + head + draw(st.sampled_from(BODIES)) + draw(st.sampled_from(EXTRA))
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.integers(0, 4)) == 0 else whole


@settings(max_examples=300, deadline=None)
@given(
    data=answers(),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    ends=st.booleans(),
    cuts=st.sets(st.integers(1, 300), max_size=9),
)
def test_what_h11_reads_is_read_alike_however_it_is_cut(data: bytes, method: str, ends: bool, cuts: set[int]) -> None:
    found = ours([data], method, ends=ends)
    expected = theirs(data, method, ends=ends)
    _agree(data, method, found, expected, ends=ends)
    for cut in range(1, len(data)):
        _same(ours([data[:cut], data[cut:]], method, ends=ends), found, data)
    _same(ours([data[index : index + 1] for index in range(len(data))], method, ends=ends), found, data)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    _same(ours([data[a:b] for a, b in itertools.pairwise(edges)], method, ends=ends), found, data)


def _agree(data: bytes, method: str, found: Outcome, expected: Outcome, *, ends: bool) -> None:
    if any(may(data, method) for may in CAUTIOUS.values()):
        found, expected = (*found[:4], False)[: len(found)], (*expected[:4], False)[: len(expected)]
    if found == expected:
        return
    table = STRICTER if found == REFUSED else LAXER
    assert REFUSED in (found, expected), (found, expected)
    taken = expected if found == REFUSED else found
    if ends or taken[3]:  # else more may come, with which the other refuses it as well
        assert [why for why, (applies, _) in table.items() if applies(data)], (found, expected)


def _same(cut: Outcome, whole: Outcome, data: bytes) -> None:
    if data.endswith((b"\r", b"\n")):  # as in CAUTIOUS
        cut, whole = cut[:4], whole[:4]
    assert cut == whole


# where an answer ends


@pytest.mark.parametrize(
    ("data", "method", "keeps"),
    [
        (OK + b"content-length: 99\r\n\r\n", "HEAD", True),
        (CHUNKED, "HEAD", True),
        (OK + b"\r\n", "HEAD", False),
        (OK + b"content-length: 99\r\nconnection: close\r\n\r\n", "HEAD", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "POST", True),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", "GET", True),
        (b"HTTP/1.0 304 Not Modified\r\nconnection: keep-alive\r\n\r\n", "GET", False),
        (b"HTTP/1.1 200 Connected\r\n\r\n", "CONNECT", False),
        (b"HTTP/1.1 204 Connected\r\ntransfer-encoding: chunked\r\n\r\n", "CONNECT", True),
    ],
)
def test_an_answer_without_a_body_ends_with_its_head(data: bytes, method: str, keeps: bool) -> None:
    reader = read(data, method=method)
    assert body(reader) == b""
    assert reader.keeps is keeps
    if keeps:
        assert again(reader) == b"again"
    for more in (b"x", b"abc", b"5\r\n", b"0\r\n\r\n", b"5\r\n\r\n", OK + b"\r\n"):
        for cut in range(len(data) + len(more)):
            whole = data + more
            behind = read(*filter(None, (whole[:cut], whole[cut:])), method=method)
            assert (behind.is_over, behind.has_more, behind.keeps) == (True, True, False), (more, cut)


def test_a_proxy_that_refuses_may_say_why() -> None:
    reader = read(b"HTTP/1.1 407 No\r\ncontent-length: 3\r\n\r\n", method="CONNECT")
    assert (reader.status, reader.has_head, reader.is_over) == (407, True, False)


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader = read(OK + b"\r\nall", b" of it")
    assert not reader.is_over
    reader.end()
    assert body(reader) == b"all of it"
    assert not reader.keeps


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 2", OK + b"content-length: 3\r\n\r\nab", CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"0\r\n"],
)
def test_an_answer_that_is_cut_is_malformed(data: bytes) -> None:
    assert read(data, ends=True).is_malformed


def test_informational_answers_come_before_the_answer() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n"
    reader = read(hints, b"HTTP/1.1 100 Continue\r\n\r\n" + hints[:9], hints[9:] + OK + b"content-length: 2\r\n\r\nok")
    assert body(reader) == b"ok"
    assert reader.headers == [(b"content-length", b"2")]
    assert again(reader) == b"again"


def test_trailers_are_no_headers() -> None:
    reader = read(CHUNKED + b"2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n")
    assert body(reader) == b"ok"
    assert reader.headers == [(b"transfer-encoding", b"chunked")]
    assert again(reader) == b"again"


def test_a_trailer_may_close_the_connection() -> None:
    assert not read(CHUNKED + b"0\r\nconnection: close\r\n\r\n").keeps


@pytest.mark.parametrize("behind", [b"x", b"\0", b"H", OK + b"content-length: 2\r\n\r\nno", b"HTTP/1.1 100 C\r\n\r\n"])
@pytest.mark.parametrize("is_apart", [False, True])
def test_what_is_behind_an_answer_is_no_other_answer(behind: bytes, is_apart: bool) -> None:
    data = OK + b"content-length: 2\r\n\r\nok"
    reader = read(*([data, behind] if is_apart else [data + behind]))
    assert body(reader) == b"ok"
    assert (reader.has_more, reader.keeps, reader.is_malformed) == (True, False, False)


def test_a_parser_serves_as_long_as_its_connection() -> None:
    reader = read(OK + b"content-length: 2\r\n\r\nok")
    parser = reader._parser
    for _ in range(3):
        assert again(reader) == b"again"
    assert reader._parser is parser


# what is refused


@pytest.mark.parametrize(
    "head",
    [
        b"transfer-encoding: gzip, chunked",
        b"transfer-encoding: identity",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
        b"content-length: 3\r\ncontent-length: 3",
        b"content-length: 3, 3",
        b"content-length: 3\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 3",
        b"content-length : 3",
        b"x: a\r\n b",
        b"x: a\nb: c",
        b"x: a\0b",
    ],
)
def test_a_head_that_two_may_read_in_two_ways(head: bytes) -> None:
    assert read(OK + head + b"\r\n\r\n").is_malformed


@pytest.mark.parametrize(
    "first", [b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"RTSP/1.0 200 OK", b"HTTP/1.1 000 No", b"\r\n"]
)
def test_a_first_line_of_something_else(first: bytes) -> None:
    assert read(first + b"\r\ncontent-length: 0\r\n\r\n").is_malformed


def test_another_protocol_that_nobody_asked_for() -> None:
    for more in (b"", b"upgrade: x\r\nconnection: upgrade\r\n"):
        assert read(b"HTTP/1.1 101 Switching\r\n" + more + b"\r\n").is_malformed
    offered = read(OK + b"upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nok")
    assert body(offered) == b"ok"
    assert again(offered) == b"again"


# bounds


def fed(*pieces: bytes, size: int = 1000) -> Reader:
    data = b"".join(pieces)
    return read(*[data[start : start + size] for start in range(0, len(data), size)])


@pytest.mark.parametrize("size", [1000, 10**6])
def test_a_head_has_a_bound(size: int) -> None:
    longest = b"x: " + b"y" * (http1._MAX_HEAD - 50) + b"\r\n"
    assert body(fed(OK, longest, ZERO, size=size)) == b""
    assert fed(OK, longest, longest, ZERO, size=size).is_malformed
    assert fed(OK, b"x: " + b"y" * http1._MAX_HEAD * 2, size=size).is_malformed
    assert fed(OK, b"x: y\r\n" * (http1._MAX_HEAD // 5), ZERO, size=size).is_malformed
    assert fed(b"HTTP/1.1 100 Continue\r\n\r\n" * 7000, size=size).is_malformed


def test_trailers_have_a_bound() -> None:
    assert fed(CHUNKED, b"0\r\n", b"x: y\r\n" * (http1._MAX_HEAD // 5), b"\r\n").is_malformed


def test_what_is_said_of_chunks_has_a_bound() -> None:
    longest = b"1;" + b"e" * (http1._MAX_SILENT - 2000) + b"\r\nx\r\n"
    assert body(fed(CHUNKED, longest * 3, b"0\r\n\r\n")) == b"xxx"
    assert fed(CHUNKED, b"1;", b"e" * (http1._MAX_SILENT + 2000)).is_malformed


def test_an_interrupt_goes_through_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "on_header", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(OK + ZERO)
