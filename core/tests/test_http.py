"""One exchange: what goes over the wire, what comes back, and every way in which that can fail."""

from __future__ import annotations

import asyncio
import gc
import gzip
import hashlib
import os
import pickle
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from ipfs_accel._headers import Headers
from ipfs_accel._http import Timeouts, TransportOptions
from ipfs_accel._http.async_line import AsyncLine
from ipfs_accel._http.asyncio_wire import _race
from ipfs_accel._http.chosen import CHOSEN
from ipfs_accel._http.sync_line import SyncLine
from ipfs_accel.errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    ConfigError,
    DeadlineExceededError,
    InvalidRequestError,
    InvalidResponseError,
)
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, blackhole, chunked, serve

from .http_worlds import PATIENT, Tasks, Threads, World, hung_up, settle
from .tls_files import CERTIFICATE_AND_KEY

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["threads", "asyncio", "trio"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def anyio_backend(kind: str) -> str:
    return "trio" if kind == "trio" else "asyncio"


@pytest.fixture
def make(kind: str) -> type[World]:
    return Threads if kind == "threads" else Tasks


@pytest.fixture
async def world(make: type[Any]) -> AsyncIterator[World]:
    world: World = make()
    yield world
    await world.close()
    assert (world.stats.active, world.stats.idle) == (0, 0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def served(stack: ExitStack) -> Any:
    def start(handler: Any, context: ssl.SSLContext | None = None) -> RawServer:
        return stack.enter_context(serve(handler, context))

    return start


def always(*parts: bytes) -> Any:
    """Answer every request of a connection alike."""

    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            for part in parts:
                connection.send(part)

    return handler


def once(*parts: bytes, reset: bool = False) -> Any:
    """Answer one request and hang up."""

    def handler(connection: Connection) -> None:
        connection.request()
        for part in parts:
            connection.send(part)
            time.sleep(0.02)
        if reset:
            connection.reset()

    return handler


async def fails(world: World, kind: type[BaseException], url: str, body: Any = b"{}", **options: Any) -> Any:
    """Fetch, and return the error."""
    with pytest.raises(kind) as caught:
        await world.fetch(url, body, **options)
    error = caught.value
    assert type(error) is kind
    # Nothing of the library, whose exceptions and tracebacks hold the request with its key.
    assert error.__cause__ is None
    context = error.__context__
    while context is not None:
        assert type(context).__module__.partition(".")[0] not in {"httpcore", "httpcore2", "h11", "httptools"}
        context = context.__context__
    assert repr(pickle.loads(pickle.dumps(error))) == repr(error)  # noqa: S301
    assert world.stats.active == 0
    return error


# requests and answers


async def test_a_post(world: World, served: Any) -> None:
    server = served(always(answer(b'{"a":1}', content_type="application/json", X_Id="7")))
    exchange = await world.send(server.url + "/v1/x?a=1#fragment", b'{"q":2}', headers=[("X-Key", " k ")])
    assert (exchange.status, exchange.reused) == (200, False)
    assert exchange.headers["Content-Type"] == "application/json"
    assert exchange.headers.get("x-id") == "7"
    assert world.stats.active == 1
    assert await exchange.read(100) == b'{"a":1}'
    assert await exchange.read(100) == b""
    assert (world.stats.active, world.stats.idle) == (0, 1)
    await exchange.close()
    assert server.bodies == [b'{"q":2}']
    assert server.heads[0].split("\r\n") == [
        "POST /v1/x?a=1 HTTP/1.1",
        f"host: {server.host}",
        "X-Key: k",
        "accept-encoding: identity",
        "content-length: 7",
    ]


async def test_connections_are_reused(world: World, served: Any) -> None:
    server = served(always(answer()))
    for expected in (False, True, True):
        exchange = await world.send(server.url)
        assert exchange.reused is expected
        await exchange.read(10)
    assert server.connections == 1
    assert (world.stats.opened, world.stats.reused) == (1, 2)


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("GET", None, None),
        ("DELETE", None, None),
        ("GET", b"", "content-length: 0"),
        ("POST", None, "content-length: 0"),
        ("PUT", bytearray(b"abc"), "content-length: 3"),
        ("POST", [b"a", b"", b"bc"], "transfer-encoding: chunked"),
    ],
)
async def test_the_body_is_framed(world: World, served: Any, method: str, body: Any, expected: str | None) -> None:
    server = served(always(answer()))
    assert await world.fetch(server.url, body, method=method) == b"ok"
    framing = [line for line in server.heads[0].split("\r\n") if line.startswith(("content-length", "transfer"))]
    assert framing == ([expected] if expected else [])


async def test_a_body_of_known_length_in_pieces(world: World, served: Any) -> None:
    server = served(always(answer()))
    await world.fetch(server.url, iter([b"ab", b"cd"]), headers=[("Content-Length", "4")])
    assert server.bodies == [b"abcd"]
    assert "transfer-encoding" not in server.heads[0]


async def test_an_async_body(world: World, served: Any) -> None:
    if not world.is_async:
        pytest.skip("only the asynchronous world can iterate it")

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"c"):
            await anyio.lowlevel.checkpoint()
            yield piece

    server = served(always(answer()))
    await world.fetch(server.url, pieces())
    assert server.bodies == [b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"]


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abc", b"def"]])
async def test_a_body_of_another_length_than_said(world: World, served: Any, pieces: list[bytes]) -> None:
    server = served(lambda connection: connection.wait())
    await fails(world, InvalidRequestError, server.url, iter(pieces), headers=[("content-length", "4")])


async def test_an_error_of_the_callers_own_body_is_not_touched(world: World, served: Any) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("mine")

    server = served(lambda connection: connection.wait())
    with pytest.raises(KeyError, match="mine"):
        await world.fetch(server.url, pieces())
    assert world.stats.active == 0


async def test_a_large_body_both_ways(world: World, served: Any) -> None:
    body = bytes(range(256)) * 20_000

    def echo(connection: Connection) -> None:
        head = connection.head()
        while head is not None:
            data = connection.body(head)
            connection.send(answer(hashlib.sha256(data).digest() + data))
            head = connection.head()

    server = served(echo)
    for _ in range(2):
        data = await world.fetch(server.url, body, limit=1 << 24)
        assert data == hashlib.sha256(body).digest() + body
    assert server.connections == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_redirects_are_not_followed(world: World, served: Any, status: str) -> None:
    server = served(always(answer(b"", status, location="http://127.0.0.1:9/evil")))
    exchange = await world.send(server.url, headers=[("x-api-key", "secret")])
    assert exchange.status == int(status[:3])
    assert exchange.headers["location"] == "http://127.0.0.1:9/evil"
    await exchange.close()
    assert len(server.heads) == 1


async def test_a_final_answer_after_informational_ones(world: World, served: Any) -> None:
    server = served(always(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", answer(b"end")))
    assert await world.fetch(server.url) == b"end"


async def test_answers_without_a_body(world: World, served: Any) -> None:
    server = served(always(b"HTTP/1.1 204 No Content\r\ncontent-encoding: br\r\n\r\n"))
    for _ in range(2):
        assert await world.fetch(server.url) == b""
    server = served(always(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"))
    for _ in range(2):
        assert await world.fetch(server.url, method="HEAD") == b""
    assert world.stats.opened == 2


async def test_many_calls_of_all_kinds_go_over_one_connection(world: World, served: Any) -> None:
    kinds = {
        "/length": answer(b"body"),
        "/chunks": chunked(b"bo", b"dy"),
        "/trailers": chunked(b"body", end=False) + b"0\r\nx-sum: 7\r\n\r\n",
        "/later": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"body"),
        "/upgrade": answer(b"body", upgrade="h2c", connection="Upgrade, Keep-Alive"),
        "/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/same": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n",
        "/head": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
    }

    def handler(connection: Connection) -> None:
        while (head := connection.request()) is not None:
            connection.send(kinds[head.split()[1]])

    server = served(handler)
    for _ in range(5):
        for path, data in kinds.items():
            expected = b"body" if data.endswith((b"body", b"0\r\n\r\n", b"7\r\n\r\n")) else b""
            assert await world.fetch(server.url + path, method="HEAD" if path == "/head" else "POST") == expected
    assert server.connections == 1
    assert (world.stats.opened, world.stats.reused) == (1, 39)


@pytest.mark.skipif(CHOSEN is not None, reason="the library takes these")
@pytest.mark.parametrize(
    "fields",
    [
        b"content-length: 2\r\ncontent-length: 2",
        b"content-length: 2, 2",
        b"content-length: 2\r\ntransfer-encoding: chunked",
        b"transfer-encoding: gzip, chunked",
        b"content-length: 2\r\nx: a\r\n b",
        b"content-length: 2\nx: a",
    ],
)
async def test_an_answer_whose_end_is_in_doubt(world: World, served: Any, fields: bytes) -> None:
    server = served(always(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\nok"))
    error = await fails(world, APIConnectionError, server.url)
    assert "does not answer in HTTP/1.1" in str(error)
    assert (error.retryable, world.stats.idle) == (False, 0)


async def test_a_body_that_ends_with_the_connection(world: World, served: Any) -> None:
    server = served(once(b"HTTP/1.0 200 OK\r\n\r\nall ", b"of it"))
    assert await world.fetch(server.url) == b"all of it"
    assert world.stats.idle == 0


async def test_connection_close_is_honoured(world: World, served: Any) -> None:
    server = served(always(answer(connection="close")))
    for _ in range(2):
        assert await world.fetch(server.url) == b"ok"
        assert world.stats.idle == 0
    assert server.connections == 2


async def test_chunks_come_as_they_are_sent(world: World, served: Any) -> None:
    gate = [False]

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"one", end=False))
        while not gate[0]:
            time.sleep(0.005)
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
        connection.wait()

    server = served(handler)
    exchange = await world.send(server.url)
    got = []
    async for chunk in exchange.chunks():
        got.append(chunk)
        gate[0] = True
    assert got == [b"one", b"two"]
    assert (world.stats.active, world.stats.idle) == (0, 1)


# what is refused before anything is sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "secret\r\nx-b: 1"),
        ("x-a", "secret\n"),
        ("x-a", "secret\0"),
        ("x-a", "secret\x7f"),
        ("x-a", "secret \u2013 dash"),
        ("x a", "secret"),
        ("x-a:", "secret"),
        ("x-ä", "secret"),
        ("", "secret"),
        ("host", "secret.example"),
        ("content-length", "secret"),
        ("content-length", "٣"),
        ("transfer-encoding", "secret"),
    ],
)
async def test_bad_headers(world: World, name: str, value: str) -> None:
    error = await fails(world, ConfigError, "http://127.0.0.1:9/", headers=[(name, value)])
    assert repr(name) in str(error)
    assert "secret" not in str(error)


async def test_a_second_content_length(world: World) -> None:
    headers = [("content-length", "2"), ("Content-Length", "2")]
    await fails(world, ConfigError, "http://127.0.0.1:9/", headers=headers)
    await fails(world, InvalidRequestError, "http://127.0.0.1:9/", headers=[("content-length", "3")])


async def test_the_right_host_may_be_given(world: World, served: Any) -> None:
    server = served(always(answer()))
    await world.fetch(server.url, headers=[("Host", server.host), ("Accept-Encoding", "gzip")])
    assert server.heads[0].lower().count("host:") == 1
    assert "Accept-Encoding: gzip" in server.heads[0]
    assert "identity" not in server.heads[0]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "/path",
        "http://",
        "http://user:secret@host/",
        "http://host/a b",
        "http://host/a\nb",
        "http://host/ä",
        "http://host:99999/",
        "http://[::1/",
        f"http://{'ä' * 70}.example/",
    ],
)
async def test_bad_urls(world: World, url: str) -> None:
    assert "secret" not in str(await fails(world, ConfigError, url))


async def test_a_host_name_that_the_resolver_refuses(world: World) -> None:
    error = await fails(world, ConfigError, f"http://{'a' * 70}.example/")
    assert "no valid host name" in str(error)


async def test_a_bad_method(world: World) -> None:
    await fails(world, InvalidRequestError, "http://127.0.0.1:9/", method="GET /x")


# decompression

TEXT = b"some text " * 50


def gzipped(data: bytes) -> bytes:
    # Without the time, which would be another in the id of a test for each process that collects it.
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("X-GZip ", gzipped(TEXT)),
        ("gzip", gzipped(TEXT[:100]) + gzipped(TEXT[100:])),
        ("gzip", gzipped(TEXT) + bytes(700)),
        ("gzip", gzipped(TEXT[:100]) + bytes(3) + gzipped(TEXT[100:]) + bytes(9)),
        ("gzip, identity", gzipped(TEXT)),
        (" identity,GZip,", gzipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_decompression(world: World, served: Any, encoding: str, body: bytes, size: int) -> None:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    server = served(always(chunked(*pieces, content_encoding=encoding)))
    assert await world.fetch(server.url) == TEXT
    assert world.stats.idle == 1


@pytest.mark.parametrize(
    ("encoding", "body", "sentence"),
    [
        ("br", TEXT, "encoded as 'br'"),
        ("gzip, gzip", gzipped(gzipped(TEXT)), "encoded as 'gzip, gzip'"),
        ("gzip", TEXT, "corrupt"),
        ("gzip", gzipped(TEXT)[:-3], "is cut"),
        ("gzip", gzipped(TEXT) + b"junk", "corrupt"),
        ("gzip", gzipped(TEXT) + bytes(70_000), "corrupt"),
        ("deflate", zlib.compress(TEXT) + bytes(3) + gzipped(TEXT), "corrupt"),
        ("gzip", b"\x1f", "is cut"),
        ("deflate", zlib.compress(TEXT)[:-1], "is cut"),
        ("deflate", zlib.compress(TEXT)[:20] + b"junk" * 9, "corrupt"),
    ],
)
async def test_bad_compression(world: World, served: Any, encoding: str, body: bytes, sentence: str) -> None:
    server = served(always(answer(body, "503 Busy", content_encoding=encoding)))
    error = await fails(world, InvalidResponseError, server.url)
    assert sentence in str(error)
    assert error.status == 503


async def test_a_bomb_does_not_fill_the_memory(world: World, served: Any) -> None:
    engine = zlib.compressobj(9, wbits=31)
    bomb = b"".join([engine.compress(bytes(1 << 20)) for _ in range(200)]) + engine.flush()
    server = served(always(answer(bomb, content_encoding="gzip")))
    tracemalloc.start()
    try:
        error = await fails(world, InvalidResponseError, server.url, limit=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "longer than 1048576 bytes" in str(error)
    assert peak < 8 << 20

    exchange = await world.send(server.url)
    count = 0
    async for chunk in exchange.chunks():
        assert len(chunk) <= 1 << 16
        count += 1
        if count == 50:
            break
    await exchange.close()
    assert world.stats.active == 0


@pytest.mark.skipif(CHOSEN is not None, reason="the library tells of the end when it is asked for more")
async def test_a_connection_is_free_with_the_last_of_a_body(world: World, served: Any) -> None:
    server = served(always(answer(b"whole")))
    exchange = await world.send(server.url)
    async for piece in exchange.chunks():
        assert piece == b"whole"
        assert (world.stats.active, world.stats.idle) == (0, 1)
        other = await world.send(server.url)  # on the same connection, which is no longer the first one's to touch
        limit = other.read_timeout
        exchange.read_timeout = 0.001
        await exchange.close()
        assert other.read_timeout == limit
        assert await other.read(100) == b"whole"
    assert (server.connections, world.stats.opened) == (1, 1)


async def test_where_the_system_has_no_poll(
    world: World, kind: str, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "trio":
        pytest.skip("it has its own ways")
    monkeypatch.delattr(select, "poll", raising=False)
    server = served(always(answer(bytes(1 << 20))))
    for _ in range(2):
        assert len(await world.fetch(server.url, bytes(1 << 22), limit=1 << 20)) == 1 << 20
    assert server.connections == 1
    server.stop()
    await fails(world, APIConnectionError, server.url)


async def test_the_limit_of_a_plain_body(world: World, served: Any) -> None:
    server = served(always(answer(b"12345")))
    assert await world.fetch(server.url, limit=5) == b"12345"
    assert "longer than 4 bytes" in str(await fails(world, InvalidResponseError, server.url, limit=4))


async def test_an_error_does_not_keep_the_body(world: World, served: Any) -> None:
    server = served(always(answer(bytes(1 << 20))))
    error = await fails(world, InvalidResponseError, server.url, limit=1 << 19)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    held = [value for frame in frames for value in frame.f_locals.values() if isinstance(value, bytes | bytearray)]
    assert sum(map(len, held)) < 1 << 17


# connections that fail


async def test_connection_refused(world: World) -> None:
    with socket.socket() as deaf:  # it holds the port and does not listen
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        error = await fails(world, APIConnectionError, f"http://127.0.0.1:{port}/v1?key=secret")
    assert str(error) == f"could not connect to 127.0.0.1:{port}: connection refused"
    assert (error.sent, error.retryable, error.phase) == (False, True, "connect")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_every_address_of_a_host_is_tried(world: World, served: Any, host: str) -> None:
    server = served(always(answer()))  # on IPv4 only
    url = f"http://{host}:{server.port}"
    if host == "[::1]":
        error = await fails(world, APIConnectionError, url)
        assert str(error).startswith(f"could not connect to [::1]:{server.port}: ")
    else:
        assert await world.fetch(url) == b"ok"
        assert f"host: {host}:{server.port}" in server.heads[0]
        server.stop()
        await settle(lambda: server.closed == 1)
        assert "connection refused" in str(await fails(world, APIConnectionError, url))


async def test_a_slow_address_does_not_hold_up_the_others(served: Any, kind: str) -> None:
    if kind != "asyncio":
        pytest.skip("the other worlds leave this to their libraries")
    server = served(always(answer()))
    loop = asyncio.get_running_loop()
    good = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
    with blackhole() as address:
        slow = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        begin = time.monotonic()
        sock = await _race(loop, [*slow, *good, *slow])
        assert sock.getpeername() == ("127.0.0.1", server.port)
        sock.close()
        assert time.monotonic() - begin > 0.2  # the slow one had its chance, and was not waited for: it never ends
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await _race(loop, [*slow, *slow])
    with pytest.raises(ConnectionRefusedError):
        await _race(loop, [*slow, *slow])


async def test_a_name_that_does_not_exist(world: World) -> None:
    error = await fails(world, APIConnectionError, "http://nowhere.invalid/")
    assert str(error) == "could not connect to nowhere.invalid:80: the host name cannot be resolved"
    assert error.sent is False


async def test_a_connection_that_never_comes(world: World) -> None:
    with blackhole() as (host, port):
        url = f"http://{host}:{port}/"
        error = await fails(world, APITimeoutError, url, timeouts=Timeouts(connect=0.2))
        assert (error.phase, error.sent) == ("connect", False)
        assert "within 0.2 s" in str(error)
        error = await fails(world, DeadlineExceededError, url, timeouts=Timeouts(total=0.2))
        assert (error.phase, error.sent) == ("total", False)


@pytest.mark.parametrize(
    ("parts", "reset", "sentence", "retryable"),
    [
        ([], False, "closed the connection without an answer", True),
        ([], True, "broke before an answer came: connection reset by peer", True),
        ([b"HTTP/1.1 200 OK\r\nx: "], False, "closed the connection in the middle of the answer's head", True),
        ([b"HTTP/1.1 200 OK\r\nx: "], True, "broke in the middle of the answer's head: connection reset", True),
        ([answer(b"x" * 9)[:-1]], False, "is cut", True),
        ([answer(b"x" * 9)[:-1]], True, "broke in the middle of the answer: connection reset", True),
        ([chunked(b"abc", end=False)], False, "is cut", True),
        ([chunked(b"abc", end=False)], True, "broke in the middle of the answer: connection reset", True),
        ([chunked(end=False), b"5\r\nab"], False, "is cut", True),
        ([chunked(end=False), b"zz\r\nab"], False, "sent a body that breaks the rules of HTTP", False),
        ([chunked(end=False), b"5;" + b"x" * 200_000], False, "sent a body that breaks the rules of HTTP", False),
        ([b"SSH-2.0-OpenSSH_9\r\n\r\n"], False, "does not answer in HTTP/1.1", False),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000], False, "sent a head that is longer than", False),
    ],
)
async def test_broken_answers(
    world: World, served: Any, parts: list[bytes], reset: bool, sentence: str, retryable: bool
) -> None:
    server = served(once(*parts, reset=reset))
    error = await fails(world, APIConnectionError, server.url + "/?key=secret", headers=[("x-key", "secret")])
    assert sentence in str(error)
    assert server.host in str(error)
    assert "secret" not in str(error)
    assert (error.retryable, error.sent, error.phase) == (retryable, True, "read")
    assert len(server.heads) == 1
    assert world.stats.idle == 0


async def test_a_reset_is_read_and_not_written_to(world: World, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A socket tells of a reset once: even an empty write that came after it would take that from the one who reads.
    send, asend = SyncLine.write, AsyncLine.write

    def write(line: SyncLine, data: bytes) -> None:
        send(line, data)
        time.sleep(0.05)  # the reset is here by now

    async def awrite(line: AsyncLine, data: bytes) -> None:
        await asend(line, data)
        await anyio.sleep(0.05)

    monkeypatch.setattr(SyncLine, "write", write)
    monkeypatch.setattr(AsyncLine, "write", awrite)
    server = served(once(reset=True))
    assert "connection reset by peer" in str(await fails(world, APIConnectionError, server.url))


async def test_more_than_the_content_length(world: World, served: Any) -> None:
    injected = answer(b"injected")

    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(b"first") + (injected if connection.number == 1 else b""))

    server = served(handler)
    assert await world.fetch(server.url) == b"first"
    if CHOSEN is None:
        assert world.stats.idle == 0
    else:  # the library notices with the next request only
        error = await fails(world, APIConnectionError, server.url)
        assert "no request had asked for" in str(error)
    assert await world.fetch(server.url) == b"first"
    assert server.connections == 2


async def test_bytes_that_come_after_the_answer(world: World, served: Any) -> None:
    had = threading.Event()

    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(b"first"))
            if connection.number == 1:
                had.wait(60)
                connection.send(answer(b"injected"))

    server = served(handler)
    assert await world.fetch(server.url) == b"first"
    had.set()
    await settle(lambda: hung_up(world))
    assert await world.fetch(server.url) == b"first"
    assert server.connections == 2


@pytest.mark.skipif(CHOSEN is not None, reason="the library notices when it reads")
async def test_bytes_that_nobody_asked_for_and_that_the_pool_did_not_see(
    world: World, served: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind != "asyncio":
        pytest.skip("nothing is received there while nobody reads")

    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(b"first"))
            if connection.number < 3:
                connection.send(answer(b"injected"))

    server = served(handler)
    monkeypatch.setattr("ipfs_accel._http.async_line.AsyncLine.is_readable", lambda _: False)
    monkeypatch.setattr("ipfs_accel._http.http1.Reader.keeps", True)
    assert await world.fetch(server.url) == b"first"
    await anyio.sleep(0.1)
    assert await world.fetch(server.url) == b"first"  # on a connection of its own, for nothing of it had been sent
    assert server.connections == 2
    await anyio.sleep(0.1)
    error = await fails(world, APIConnectionError, server.url, iter([b"once"]))
    assert "sent something that no request had asked for" in str(error)
    assert len(server.heads) == 2


# time


async def test_silence_before_the_head(world: World, served: Any) -> None:
    server = served(lambda connection: connection.wait())
    error = await fails(world, APITimeoutError, server.url, timeouts=Timeouts(read=0.1))
    assert str(error) == f"no answer from {server.host} for 0.1 s"
    assert (error.phase, error.sent) == ("read", True)


async def test_silence_in_the_body(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"abc", end=False))
        connection.wait()

    server = served(handler)
    exchange = await world.send(server.url, timeouts=Timeouts(read=60))  # the head may be long in coming
    assert exchange.read_timeout == 60
    exchange.read_timeout = 0.05
    assert exchange.read_timeout == 0.05
    with pytest.raises(APITimeoutError) as caught:
        await exchange.read(10)
    assert str(caught.value) == f"no more of the answer from {server.host} for 0.05 s"
    assert world.stats.active == 0


async def test_drops_of_an_answer(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(end=False) if connection.number == 1 else b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            connection.send(b"1\r\nx\r\n" if connection.number == 1 else b"y")
            time.sleep(0.02)

    server = served(handler)
    for _ in range(2):
        error = await fails(world, DeadlineExceededError, server.url, timeouts=Timeouts(total=0.5))
        assert error.phase == "total"
        assert "was not over within 0.5 s" in str(error)


async def test_a_server_that_does_not_read(world: World, served: Any) -> None:
    over = threading.Event()

    def handler(connection: Connection) -> None:
        connection.head()
        over.wait(60)

    server = served(handler)
    error = await fails(world, APITimeoutError, server.url, bytes(30_000_000), timeouts=Timeouts(write=0.2))
    over.set()
    assert str(error) == f"{server.host} took nothing of the request for 0.2 s"
    assert (error.phase, error.sent) == ("write", True)


@pytest.mark.parametrize("ending", ["stays", "closes"])
@pytest.mark.parametrize("body", [bytes(30_000_000), [bytes(100_000)] * 300])
async def test_an_early_answer_is_the_answer(world: World, served: Any, ending: str, body: Any) -> None:
    over = threading.Event()

    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(answer(b"too large", "413 Content Too Large", connection="close"))
        if ending == "stays":
            over.wait(60)

    server = served(handler)
    # Only the limit makes some worlds look for an answer before all is sent, and it has to be there by then.
    exchange = await world.send(server.url, body, timeouts=Timeouts(write=1.0))
    over.set()
    assert exchange.status == 413
    assert await exchange.read(100) == b"too large"
    assert (world.stats.active, world.stats.idle) == (0, 0)


async def test_an_answer_that_is_there_before_the_request(
    make: Any, served: Any, context: ssl.SSLContext, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "asyncio" and CHOSEN is None:
        connect = AsyncLine._connect

        async def connect_slowly(line: AsyncLine, request: Any) -> None:
            await connect(line, request)
            await anyio.sleep(0.1)

        monkeypatch.setattr(AsyncLine, "_connect", connect_slowly)

    def handler(connection: Connection) -> None:
        connection.send(answer(b"busy", "503 Service Unavailable"))
        connection.wait()

    world = make(TransportOptions(verify=False))
    for url in (served(handler).url, served(handler, context).url):
        exchange = await world.send(url)
        assert (exchange.status, await exchange.read(9)) == (503, b"busy")
    await world.close()


# stale connections


@pytest.mark.parametrize("pause", [0.0, 0.1])
async def test_the_server_closed_the_idle_connection(world: World, served: Any, pause: float) -> None:
    server = served(once(answer()))
    for _ in range(3):
        assert await world.fetch(server.url) == b"ok"
        await anyio.sleep(pause)
    assert server.connections == 3
    assert len(server.heads) == 3


def closes_on_reuse(reset: bool) -> Any:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(answer())
        connection.request()
        if reset:
            connection.reset()

    return handler


@pytest.mark.parametrize("reset", [False, True])
async def test_a_stale_connection_is_replaced_once(world: World, served: Any, reset: bool) -> None:
    server = served(closes_on_reuse(reset))
    assert await world.fetch(server.url, b"1") == b"ok"
    exchange = await world.send(server.url, b"2")
    assert await exchange.read(10) == b"ok"
    assert exchange.reused is False
    assert server.bodies == [b"1", b"2", b"2"]
    assert (world.stats.opened, world.stats.reused) == (2, 0)


async def test_a_body_that_cannot_be_sent_twice(world: World, served: Any) -> None:
    server = served(closes_on_reuse(reset=False))
    assert await world.fetch(server.url, b"1") == b"ok"
    error = await fails(world, APIConnectionError, server.url, iter([b"2"]))
    assert "without an answer" in str(error)
    assert server.connections == 1


async def test_no_second_repetition(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        if connection.number == 1:
            connection.send(answer())
            connection.request()

    server = served(handler)
    assert await world.fetch(server.url, b"1") == b"ok"
    await fails(world, APIConnectionError, server.url, b"2")
    assert server.bodies == [b"1", b"2", b"2"]


async def test_an_answer_that_began_is_not_repeated(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(answer())
        connection.request()
        connection.send(b"HTTP/1.1 ")

    server = served(handler)
    assert await world.fetch(server.url, b"1") == b"ok"
    await fails(world, APIConnectionError, server.url, b"2")
    assert server.bodies == [b"1", b"2"]


# ending an exchange


async def test_closing_before_the_end_drops_the_connection(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"one", end=False))
        connection.wait()

    server = served(handler)
    exchange = await world.send(server.url)
    async for chunk in exchange.chunks():
        assert chunk == b"one"
        break
    await exchange.close()
    await exchange.close()
    assert (world.stats.active, world.stats.idle) == (0, 0)
    await settle(lambda: server.closed == 1)
    with pytest.raises(ClientClosedError):
        await exchange.read(10)


async def test_an_end_that_is_here_already_saves_the_connection(world: World, served: Any) -> None:
    server = served(always(chunked(b"data: [DONE]\n\n")))
    for _ in range(2):
        exchange = await world.send(server.url)
        async for chunk in exchange.chunks():
            assert chunk == b"data: [DONE]\n\n"
            break
        await exchange.close()
    assert server.connections == 1


async def test_an_end_that_comes_soon_saves_the_connection(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(chunked(b"one", end=False))
            time.sleep(0.05)
            connection.send(b"0\r\n\r\n")

    server = served(handler)
    for _ in range(2):
        exchange = await world.send(server.url)
        await exchange.close(60.0)
    assert server.connections == 1


async def test_waiting_for_the_end_has_an_end(world: World, served: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"one", end=False))
        while connection.number == 2:
            connection.send(b"400\r\n" + bytes(0x400) + b"\r\n")
        connection.wait()

    server = served(handler)
    for _ in range(2):
        exchange = await world.send(server.url)
        begin = time.monotonic()
        await exchange.close(0.1)
        assert time.monotonic() - begin < 30  # the limit on silence is a minute
        assert (world.stats.active, world.stats.idle) == (0, 0)
    await settle(lambda: server.closed == 2)


async def test_a_lost_exchange_warns_and_is_closed(world: World, served: Any) -> None:
    server = served(always(chunked(b"one", end=False)))
    exchange = await world.send(server.url)
    with pytest.warns(ResourceWarning, match=f"a response of {server.host} was not closed"):
        exchange = await forget(exchange)
    assert world.stats.active == 0
    await settle(lambda: server.closed == 1)
    exchange = await world.send(server.url)
    async for _ in exchange.chunks():
        break
    with pytest.warns(ResourceWarning):
        exchange = await forget(exchange)
    assert world.stats.active == 0


async def forget(_exchange: Any) -> None:
    del _exchange
    await to_thread.run_sync(gc.collect)  # in a thread, to make that forget its last result


# TLS


@pytest.fixture
def pem(tmp_path: Path) -> str:
    path = tmp_path / "localhost.pem"
    path.write_text(CERTIFICATE_AND_KEY)
    return str(path)


@pytest.fixture
def context(pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize("as_context", [False, True])
async def test_tls(make: Any, served: Any, pem: str, context: ssl.SSLContext, as_context: bool) -> None:
    server = served(always(answer(b"x" * 300_000)), context)
    world = make(TransportOptions(verify=ssl.create_default_context(cafile=pem) if as_context else pem))
    for _ in range(3):
        assert await world.fetch(server.url, bytes(100_000)) == b"x" * 300_000
    assert server.connections == 1
    await world.close()


async def test_tls_without_verification(make: Any, served: Any, context: ssl.SSLContext) -> None:
    server = served(always(answer()), context)
    world = make(TransportOptions(verify=False))
    assert await world.fetch(server.url) == b"ok"
    await world.close()


async def test_an_unknown_authority(world: World, served: Any, context: ssl.SSLContext) -> None:
    server = served(always(answer()), context)
    error = await fails(world, APIConnectionError, server.url)
    assert f"could not connect to {server.host}: its certificate is not trusted" in str(error)
    assert "set ca_file" in error.hint
    assert (error.retryable, error.sent) == (False, False)


async def test_a_certificate_for_another_host(make: Any, served: Any, pem: str, context: ssl.SSLContext) -> None:
    server = served(always(answer()), context)
    world = make(TransportOptions(verify=pem))
    error = await fails(world, APIConnectionError, server.url.replace("127.0.0.1", "127.0.0.2"))
    assert "not trusted" in str(error) or "refused" in str(error)
    await world.close()


async def test_https_to_a_server_without_tls(world: World, served: Any) -> None:
    server = served(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10) or connection.wait())
    error = await fails(world, APIConnectionError, server.url.replace("http", "https"))
    assert "TLS error" in str(error)
    assert (error.retryable, error.sent) == (False, False)


async def test_a_handshake_that_is_cut(world: World, served: Any) -> None:
    server = served(lambda connection: connection.sock.recv(10))
    error = await fails(world, APIConnectionError, server.url.replace("http", "https"))
    assert str(error).startswith(f"could not connect to {server.host}: ")
    assert (error.retryable, error.sent) == (True, False)


async def test_a_handshake_that_stalls(world: World, served: Any) -> None:
    server = served(lambda connection: connection.wait())
    url = server.url.replace("http", "https")
    error = await fails(world, APITimeoutError, url, timeouts=Timeouts(connect=0.1))
    assert (error.phase, error.sent) == ("connect", False)


async def test_a_bad_certificate_file(make: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        world = make(TransportOptions(verify=str(tmp_path / name)))
        error = await fails(world, ConfigError, "https://127.0.0.1:9/")
        assert name in str(error)
        await world.close()


async def test_authorities_are_loaded_for_https_only(world: World, served: Any) -> None:
    server = served(always(answer()))
    await world.fetch(server.url)
    assert world.transport._context is None


# proxies


async def test_a_proxy_for_plain_http(make: Any, served: Any) -> None:
    server = served(always(answer(b"through")))
    world = make(TransportOptions(proxy=f"http://me:p%40ss@{server.host}"))
    for _ in range(2):
        assert await world.fetch("http://nowhere.invalid/v1?a=1") == b"through"
    assert server.heads[0].startswith("POST http://nowhere.invalid/v1?a=1 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in server.heads[0]
    assert "host: nowhere.invalid" in server.heads[0]
    assert server.connections == 1
    assert world.stats.idle == 1
    await world.close()
    await settle(lambda: server.closed == 1)


async def test_a_tunnel(make: Any, served: Any, pem: str, context: ssl.SSLContext) -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        time.sleep(0.05)
        connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        connection.secure(context)
        always(answer(b"secure"))(connection)

    server = served(handler)
    trusting = ssl.create_default_context(cafile=pem)
    trusting.check_hostname = False  # the certificate is for this machine, which is reached without a proxy
    world = make(TransportOptions(proxy=server.url, verify=trusting))
    times = []
    for _ in range(2):
        exchange = await world.send("https://far.example:444/x", headers=[("x-key", "secret")])
        assert await exchange.read(99) == b"secure"
        times.append(exchange.connect_seconds)
    assert times[0] > 0.05  # the tunnel is a part of it
    assert times[1] == 0
    assert server.heads[0].startswith("CONNECT far.example:444 HTTP/1.1\r\n")
    assert "secret" not in server.heads[0]
    assert server.heads[1].startswith("POST /x HTTP/1.1\r\n")
    assert server.connections == 1
    await world.close()


def relay(port: int) -> Any:
    """Be a proxy that gives tunnels, all to one port of this machine."""

    def handler(connection: Connection) -> None:
        connection.head()
        with socket.create_connection(("127.0.0.1", port)) as far:
            connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            answers = threading.Thread(target=pump, args=(far, connection.sock))
            answers.start()
            pump(connection.sock, far)
            answers.join()

    return handler


def pump(source: socket.socket, goal: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            goal.sendall(data)
    with suppress(OSError):
        goal.shutdown(socket.SHUT_RDWR)


async def test_a_tunnel_through_a_proxy_that_is_reached_over_tls(
    make: Any, served: Any, pem: str, context: ssl.SSLContext
) -> None:
    body = bytes(range(256)) * 2000
    server = served(always(answer(body)), context)
    proxy = served(relay(server.port), context)
    trusting = ssl.create_default_context(cafile=pem)
    trusting.check_hostname = False
    world = make(TransportOptions(proxy=proxy.url.replace("//", "//me:secret@"), verify=trusting))
    for _ in range(2):
        assert await world.fetch("https://far.example:444/x", body) == body
    assert proxy.heads[0].startswith("CONNECT far.example:444 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.heads[0]
    assert "Proxy-Authorization" not in server.heads[0]
    assert server.bodies == [body, body]
    assert (proxy.connections, server.connections) == (1, 1)
    await world.close()
    await settle(lambda: proxy.closed == server.closed == 1)


async def test_plain_http_through_a_proxy_that_is_reached_over_tls(
    make: Any, served: Any, pem: str, context: ssl.SSLContext
) -> None:
    proxy = served(always(answer(b"through")), context)
    world = make(TransportOptions(proxy=proxy.url, verify=pem))
    assert await world.fetch("http://nowhere.invalid/v1") == b"through"
    assert proxy.heads[0].startswith("POST http://nowhere.invalid/v1 HTTP/1.1\r\n")
    await world.close()


@pytest.mark.skipif(CHOSEN is not None, reason="the library takes it")
async def test_a_proxy_that_speaks_for_the_server_in_its_tunnel(make: Any, served: Any) -> None:
    server = served(lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(9)) or connection.wait())
    world = make(TransportOptions(proxy=server.url))
    error = await fails(world, APIConnectionError, "https://nowhere.invalid/")
    assert (error.sent, error.retryable) == (False, False)
    await world.close()


async def test_a_tunnel_to_nobody_who_speaks_tls(make: Any, served: Any, context: ssl.SSLContext, kind: str) -> None:
    if kind == "asyncio" and sys.version_info < (3, 12, 2):
        pytest.skip("this version of asyncio complains to its loop as well")
    server = served(lambda connection: connection.sock.recv(9) and connection.send(answer() * 9))
    proxy = served(relay(server.port), context)
    world = make(TransportOptions(proxy=proxy.url, verify=False))
    error = await fails(world, APIConnectionError, "https://nowhere.invalid/")
    assert str(error).startswith(f"could not connect to nowhere.invalid:443 through the proxy {proxy.host}: TLS error ")
    assert error.sent is False
    await world.close()


def socks(wanted: list[tuple[bytes, int]]) -> Any:
    """Be a SOCKS5 proxy, and the server behind it."""

    def handler(connection: Connection) -> None:
        sock = connection.sock
        sock.recv(3)
        sock.sendall(b"\5\0")
        head = sock.recv(5)
        host = sock.recv(head[4])
        wanted.append((host, int.from_bytes(sock.recv(2), "big")))
        sock.sendall(b"\5\0\0\1" + bytes(6))
        always(answer(b"through"))(connection)

    return handler


async def test_a_socks_proxy(make: Any, served: Any) -> None:
    pytest.importorskip("socksio")
    wanted: list[tuple[bytes, int]] = []
    server = served(socks(wanted))
    world = make(TransportOptions(proxy=f"socks5://{server.host}"))
    for _ in range(2):
        assert await world.fetch("http://nowhere.invalid:81/v1?a=1") == b"through"
    assert wanted == [(b"nowhere.invalid", 81)]
    assert server.heads[0].startswith("POST /v1?a=1 HTTP/1.1\r\n")
    assert (server.connections, world.stats.idle) == (1, 1)
    server.stop()
    error = await fails(world, APIConnectionError, "http://nowhere.invalid:81/", body=iter([b"once"]))
    assert error.retryable is True
    await world.close()


async def test_a_socks_proxy_that_refuses(make: Any, served: Any) -> None:
    pytest.importorskip("socksio")

    def refuse(connection: Connection) -> None:
        connection.sock.recv(9)
        connection.send(b"\5\xff")
        connection.wait()

    server = served(refuse)
    world = make(TransportOptions(proxy=f"socks5://me:secret@{server.host}"))
    error = await fails(world, APIConnectionError, "http://nowhere.invalid/")
    assert str(error) == f"the proxy {server.host} gave no connection to nowhere.invalid:80: it refused"
    assert (error.sent, error.retryable) == (False, False)
    await world.close()


@pytest.mark.parametrize(("status", "retryable"), [("407 Proxy Authentication Required", False), ("503 Busy", True)])
async def test_a_proxy_that_refuses(make: Any, served: Any, status: str, retryable: bool) -> None:
    server = served(always(answer(b"no", status)))
    world = make(TransportOptions(proxy=f"http://me:secret@{server.host}"))
    error = await fails(world, APIConnectionError, "https://nowhere.invalid/")
    assert str(error) == f"the proxy {server.host} gave no connection to nowhere.invalid:443: it answered {status[:3]}"
    assert server.host in str(error.hint)
    assert ("user:password" in str(error.hint)) is (not retryable)
    assert (error.retryable, error.sent) == (retryable, False)
    await world.close()


async def test_a_proxy_that_wants_a_name_for_plain_http(make: Any, served: Any) -> None:
    server = served(always(answer(b"who are you", "407 Proxy Authentication Required")))
    world = make(TransportOptions(proxy=f"http://me:secret@{server.host}"))
    error = await fails(world, APIConnectionError, "http://nowhere.invalid/")
    assert str(error) == f"the proxy {server.host} gave no connection to nowhere.invalid:80: it answered 407"
    assert f"http://user:password@{server.host}" in str(error.hint)
    assert (error.retryable, error.sent, error.phase) == (False, False, "connect")
    await world.close()


async def test_a_server_may_say_407_itself(world: World, served: Any) -> None:
    server = served(always(answer(b"odd", "407 Proxy Authentication Required")))
    exchange = await world.send(server.url)
    assert exchange.status == 407
    await exchange.close()


@pytest.mark.parametrize("url", ["http://nowhere.invalid/", "https://nowhere.invalid/"])
async def test_no_proxy_is_there(make: Any, url: str) -> None:
    with socket.socket() as deaf:  # it holds the port and does not listen
        deaf.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{deaf.getsockname()[1]}"
        world = make(TransportOptions(proxy=f"http://me:secret@{proxy}"))
        error = await fails(world, APIConnectionError, url)
    port = 443 if "https" in url else 80
    goal = f"the proxy {proxy}, on the way to nowhere.invalid:{port}"
    assert str(error) == f"could not connect to {goal}: connection refused"
    assert proxy in str(error.hint)
    assert (error.retryable, error.sent, error.phase) == (True, False, "connect")
    await world.close()


async def test_a_proxy_that_does_not_answer_is_bounded_by_the_connect_limit(make: Any, served: Any) -> None:
    server = served(lambda connection: connection.head() and connection.wait())
    world = make(TransportOptions(proxy=server.url))
    limits = Timeouts(connect=0.2, read=30, total=60)
    error = await fails(world, APITimeoutError, "https://nowhere.invalid/", timeouts=limits)
    assert str(error) == f"the proxy {server.host} gave no connection to nowhere.invalid:443 within 0.2 s"
    assert (error.retryable, error.sent, error.phase) == (True, False, "connect")
    limits = Timeouts(connect=30, read=30, total=0.2, call=1.5)
    error = await fails(world, DeadlineExceededError, "https://nowhere.invalid/", timeouts=limits)
    whole = f"the call, then at nowhere.invalid:443 through the proxy {server.host}, was not over within 1.5 s"
    assert str(error) == whole
    assert (error.sent, error.phase) == (False, "total")
    await world.close()


@pytest.mark.parametrize(
    ("parts", "reset", "reason", "retryable"),
    [
        ([], False, "it closed the connection", True),
        ([b"HTTP/1.1 200 O"], False, "it closed the connection", True),
        ([b"HTTP/1.1 200 O"], True, "connection reset by peer", True),
        ([b"SSH-2.0-OpenSSH_9\r\n\r\n"], False, "it does not answer in HTTP/1.1", False),
    ],
)
async def test_a_proxy_that_breaks_off(
    make: Any, served: Any, parts: list[bytes], reset: bool, reason: str, retryable: bool
) -> None:
    server = served(once(*parts, reset=reset))
    world = make(TransportOptions(proxy=server.url))
    error = await fails(world, APIConnectionError, "https://nowhere.invalid/")
    assert str(error) == f"the proxy {server.host} gave no connection to nowhere.invalid:443: {reason}"
    assert (error.retryable, error.sent, error.phase) == (retryable, False, "connect")
    await world.close()


async def test_plain_http_to_a_port_that_speaks_tls(world: World, served: Any) -> None:
    server = served(once(b"\x15\x03\x03\x00\x02\x02\x46"))  # what OpenSSL says to a request without TLS
    error = await fails(world, APIConnectionError, server.url)
    assert str(error) == f"{server.host} does not answer in HTTP/1.1, but in TLS"
    assert "https://" in str(error.hint)
    assert error.retryable is False


async def test_a_socks_proxy_needs_a_package(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="needs the package socksio"):
        make(TransportOptions(proxy="socks5://127.0.0.1:9"))


@pytest.mark.parametrize("proxy", ["secret", "ftp://secret", "http://", "http://secret:70000", "http://[secret"])
async def test_bad_proxies(make: Any, proxy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(TransportOptions(proxy=proxy))
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(TransportOptions(proxy=proxy))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_reached_without_the_proxy(make: Any, served: Any, host: str) -> None:
    server = served(always(answer(b"here")))
    world = make(TransportOptions(proxy="http://proxy.invalid:3128"))
    assert await world.fetch(f"http://{host}:{server.port}/v1") == b"here"
    assert server.heads[0].startswith("POST /v1 HTTP/1.1\r\n")
    await world.close()


async def test_the_environment_is_not_asked_for_proxies(
    world: World, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = served(always(answer()))
    assert await world.fetch(server.url) == b"ok"


# sockets


async def test_socket_options(world: World, served: Any) -> None:
    server = served(always(chunked(b"one", end=False)))
    exchange = await world.send(server.url)
    line = (exchange if world.is_async else exchange.exchange)._line
    sock = line.wire.socket if world.is_async else line.stream
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        values = [sock.getsockopt(socket.IPPROTO_TCP, option) for option in KEEPALIVE]
        assert values == [60, 60, 5]
    await exchange.close()


KEEPALIVE = [getattr(socket, name, 0) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")]


async def test_head_and_body_leave_together(world: World, served: Any) -> None:
    sizes = []

    def handler(connection: Connection) -> None:
        sizes.append(len(connection.sock.recv(65536)))
        connection.send(answer(connection="close"))

    server = served(handler)
    await world.fetch(server.url, b"x" * 1000, timeouts=PATIENT)
    assert sizes[0] > 1000


@pytest.mark.skipif(CHOSEN is not None, reason="the library has its own ways")
async def test_a_request_costs_the_loop_one_future(world: World, served: Any, kind: str) -> None:
    if kind != "asyncio":
        pytest.skip("other loops have none")
    server = served(always(answer()))
    await world.fetch(server.url)
    loop = asyncio.get_running_loop()
    with pytest.MonkeyPatch.context() as patch:
        made: list[str] = []
        for name in ("create_future", "create_task", "call_at", "call_later"):
            original = getattr(loop, name)
            patch.setattr(loop, name, lambda *a, name=name, do=original, **k: (made.append(name), do(*a, **k))[1])
        for _ in range(20):
            await world.fetch(server.url)
    assert set(made) == {"create_future"}
    assert len(made) <= 20
    assert server.connections == 1


def test_the_synchronous_world_loads_no_other_library() -> None:
    program = """
import sys
from ipfs_accel._http import Timeouts, Transport
try:
    Transport().send("GET", "http://127.0.0.1:9/", [], None, Timeouts())
except Exception as error:
    assert "could not connect" in str(error), error
print(sorted({"anyio", "asyncio", "h11", "httpcore", "httpcore2", "trio"} & set(sys.modules)))
"""
    environ = {name: value for name, value in os.environ.items() if name != "IPFS_ACCEL_HTTP"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "[]\n"


# headers


def test_headers() -> None:
    headers = Headers([(b"Content-Type", b"a/b"), (b"Set-Cookie", b"x=1"), (b"set-cookie", b"y=\xe4")])
    assert headers["content-type"] == headers.get("CONTENT-TYPE") == "a/b"
    assert headers["set-cookie"] == "x=1, y=ä"
    assert headers.get_all("Set-Cookie") == ["x=1", "y=ä"]
    assert headers.get("no") is None
    assert headers.get("no", 3) == 3
    assert headers.get_all("no") == []
    assert "Content-type" in headers
    assert 3 not in headers
    assert list(headers) == ["content-type", "set-cookie"]
    assert len(headers) == 2
    assert next(headers.items()) == ("content-type", "a/b")
    assert headers == Headers([("content-type", "a/b"), ("set-cookie", "x=1"), ("Set-Cookie", "y=ä")])
    assert hash(headers) == hash(Headers(list(headers.items())))
    assert headers != Headers()
    assert headers != 3
    assert repr(headers) == "Headers(content-type, set-cookie)"
    assert pickle.loads(pickle.dumps(headers)) == headers  # noqa: S301
    with pytest.raises(KeyError, match="no"):
        headers["no"]
