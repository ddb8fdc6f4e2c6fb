"""What comes over a connection that no well-kept client sends, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._reader import Reader

from .gateways import Running
from .wires import CHAT, asked, connected, post, rest, talk

CLOSE = "connection: close"


def _answers(connection: Connection) -> None:
    while connection.request() is not None:
        connection.send(answer(CHAT, content_type="application/json"))


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawServer]:
    with serve(_answers) as found:
        yield found


@pytest.fixture(scope="module")
def url(upstream: RawServer) -> Iterator[str]:
    endpoints = {
        "up": EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="sk-of-the-operator"),
        "gone": EndpointConfig(backend="openai", base_url="http://127.0.0.1:9/v1", key="sk-of-the-operator"),
    }
    running = Running(Config(endpoints=endpoints, environ={}), {"max_body": 100_000, "head_timeout": 0.2})
    yield running.url
    running.close()


@pytest.mark.parametrize(
    ("model", "told"),
    [("up/模型 é", b"up/%E6%A8%A1%E5%9E%8B%20%C3%A9"), ("up/a b", b"up/a b")],
    ids=["letters", "blank"],
)
def test_a_header_can_name_any_model(url: str, model: str, told: bytes) -> None:
    came = talk(url, post(asked(model), CLOSE))
    assert came.startswith(b"HTTP/1.1 200 ")
    assert b"x-ipfs-accel-target: " + told + b"\r\n" in came


@pytest.mark.parametrize("model", ["up/a\r\nset-cookie: a=b", "up/\x00", "up/\ud800"], ids=["lines", "nul", "half"])
def test_a_model_has_no_controls_in_its_name(url: str, model: str) -> None:
    came = talk(url, post(asked(model), CLOSE))
    assert came.startswith(b"HTTP/1.1 400 ")
    assert b"set-cookie: a" not in came.partition(b"\r\n\r\n")[0]


def test_an_error_does_not_tell_where_a_server_is(url: str) -> None:
    came = talk(url, post(asked("gone/m"), CLOSE))
    assert came.startswith(b"HTTP/1.1 502 ")
    assert b"could not be reached" in came
    assert b"127.0.0.1" not in came


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/health/live", "elsewhere.example", 200),
        ("HTTP://127.0.0.1:1/health/live?a=b", "localhost", 200),
        ("http://elsewhere.example/health/live", "localhost", 421),
        ("http://localhost", "localhost", 200),
        ("//health/live", "localhost", 404),
        ("*", "localhost", 404),
        ("/health/live", "[::1", 421),
    ],
)
def test_of_targets_and_hosts(url: str, target: str, host: str, status: int) -> None:
    came = talk(url, f"GET {target} HTTP/1.1\r\nhost: {host}\r\n{CLOSE}\r\n\r\n".encode())
    assert came.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/v1/messages", "request_id"),
        ("/v1beta/models/m:generateContent", "error"),
        ("/api/chat", "error"),
        ("/v1/responses", "error"),
    ],
)
def test_what_is_too_large_is_refused_in_the_words_of_its_route(url: str, path: str, member: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 100001\r\n\r\n"
    with connected(url) as sock:
        sock.sendall(head.encode())
        came, _ = rest(sock)
    head_of, _, body = came.partition(b"\r\n\r\n")
    assert head_of.startswith(b"HTTP/1.1 413 ")
    assert b"x-request-id: req_" in head_of
    error = json.loads(body)
    assert member in error
    assert isinstance(error["error"], str) == path.startswith("/api/")


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("cut", [False, True], ids=["at once", "in pieces"])
def test_an_offer_of_another_protocol_costs_no_body(framing: str, cut: bool) -> None:
    body = asked()
    offer = ("upgrade: h2c", "connection: Upgrade, HTTP2-Settings", "http2-settings: AAMA")
    sent = post(body, *offer)
    if framing == "chunks":
        sent = sent.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
        sent = sent[: -len(body)] + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    sent += post(b"{}")
    reader = Reader(10_000)
    for piece in [sent[at : at + 1] for at in range(len(sent))] if cut else [sent]:
        reader.feed(piece)
    assert [each.body for each in reader.requests] == [body, b"{}"]
    assert reader.bad is None


@pytest.mark.parametrize("line", ["expect: 100-continue", "accept: */*"])
@pytest.mark.parametrize("key", ["ia-good", "ia-other"])
def test_no_body_is_waited_for_without_a_key(upstream: RawServer, line: str, key: str) -> None:
    up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="sk-of-the-operator")
    settings = {"keys": {"a": {"hash": hash_of("ia-good")}}}
    running = Running(Config(endpoints={"up": up}, environ={}), settings)
    sent = post(asked(), line, f"x-api-key: {key}", CLOSE)
    try:
        with connected(running.url) as sock:
            sock.sendall(sent[:-5])
            if key == "ia-good":
                expects = line.startswith("expect")
                assert not expects or sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
                sock.sendall(sent[-5:])
            came, _ = rest(sock)
    finally:
        running.close()
    assert came.startswith(b"HTTP/1.1 200 " if key == "ia-good" else b"HTTP/1.1 401 ")
    assert b'"authentication_error"' in came or key == "ia-good"


def test_an_answer_without_a_body_has_no_length() -> None:
    running = Running(Config(endpoints={"up": EndpointConfig(backend="openai")}, environ={}), {"cors": ["http://a.b"]})
    try:
        came = talk(
            running.url,
            f"OPTIONS /v1/models HTTP/1.1\r\nhost: localhost\r\norigin: http://a.b\r\n{CLOSE}\r\n\r\n".encode(),
        )
    finally:
        running.close()
    assert came.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in came


def test_chunks_of_http_1_0_are_refused(url: str) -> None:
    came = talk(url, b"POST /v1/messages HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert came.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.0 knows no transfer-encoding" in came


def test_requests_behind_one_that_is_refused(url: str) -> None:
    came = talk(url, post(asked()) + post(b"{") + b"nonsense\r\n\r\n" + post(asked()))
    statuses = [came[at + 9 : at + 12] for at in range(len(came)) if came.startswith(b"HTTP/1.1 ", at)]
    assert statuses == [b"200", b"400", b"400"]


def test_a_head_that_comes_by_the_letter_has_no_more_time(url: str) -> None:
    with connected(url) as sock:
        sock.sendall(b"GET /health/live HTTP/1.1\r\nx: ")
        sock.settimeout(0.02)
        came, sent = b"", 0
        while not came and sent < 2_000:
            try:
                came = sock.recv(4096)
            except TimeoutError:
                sock.sendall(b"a")
                sent += 1
    assert came.startswith(b"HTTP/1.1 408 ")
