"""How a gateway ends, whether it is ready, and what it tells systemd."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel_gateway._budgets import Calendar
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._spend import read
from ipfs_accel_gateway._systemd import notify

from .gateways import Running
from .processes import process
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest, until

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
CLAUDE = json.dumps(
    {"model": "up/m", "max_tokens": 5, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
).encode()


class Upstream:
    """Answers with a beginning, and the rest when it is let."""

    def __init__(self, beginning: bytes, end: bytes = b"") -> None:
        self.asked, self.may_end = threading.Semaphore(0), threading.Event()
        self._parts = beginning, end

    def handle(self, connection: Connection) -> None:
        connection.request()
        connection.send(self._parts[0])
        self.asked.release()
        if self._parts[1]:
            self.may_end.wait(PATIENCE)
            connection.send(self._parts[1])
        else:
            connection.wait()


@contextmanager
def gateway(upstream: Upstream, **settings: Any) -> Iterator[Running]:
    with serve(upstream.handle) as server:
        up = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key_env="")
        running = Running(Config(endpoints={"up": up}, environ={}), settings)
        try:
            yield running
        finally:
            running.close()


def closing(running: Running, seconds: float | None = None) -> Future[None]:
    """Begin to end a gateway; returns once it takes no more connections."""
    begun: Future[None] = asyncio.run_coroutine_threadsafe(running.gateway.close(seconds), running.loop)
    assert running.call(lambda: running.gateway._life.is_draining)
    return begun


def begun(running: Running) -> None:
    """Wait until a part of a request has come."""
    connections = running.gateway._server.connections
    until(lambda: any(not each._reader.is_between for each in list(connections)))


def test_what_is_under_way_ends_and_nothing_else_begins() -> None:
    upstream = Upstream(STREAM + chunk("be"), chunk("gun", "stop") + b"data: [DONE]\n\n")
    with gateway(upstream) as running, connected(running.url) as idle, connected(running.url) as half:
        request = post(asked(stream=True))
        half.sendall(post(b"{}" * 10, path="/health/nothing")[:-5])
        begun(running)
        with connected(running.url) as sock:
            sock.sendall(request)
            came = sock.recv(1)
            end = closing(running, 60)
            assert idle.recv(1) == b""  # it was between requests
            with socket.socket() as late:
                assert late.connect_ex(running.gateway.address) != 0
            half.sendall(b"{}{}{")
            told = rest(half)[0]
            assert told.startswith(b"HTTP/1.1 404")
            assert b"connection: close" in told
            assert not end.done()
            upstream.may_end.set()
            came += rest(sock)[0]
        end.result(PATIENCE)
    assert came.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (post(asked(stream=True)), b'data: {"error":'),
        (post(CLAUDE, path="/v1/messages"), b"event: error\ndata: "),
    ],
    ids=["openai", "anthropic"],
)
def test_a_stream_that_takes_too_long_is_told_so(request_: bytes, said: bytes) -> None:
    upstream = Upstream(STREAM + chunk("be"))
    with gateway(upstream, drain_timeout=0.01) as running, connected(running.url) as sock:
        sock.sendall(request_)
        came = b""
        while b"be" not in came.partition(b"\r\n\r\n")[2]:
            came += sock.recv(65536)
        closing(running).result(PATIENCE)
        came += rest(sock)[0]
    assert said in came
    assert b"the gateway is being shut down" in came
    assert not came.endswith(b"0\r\n\r\n")  # nothing looks complete


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_that_takes_too_long_is_refused(*, stream: bool) -> None:
    upstream = Upstream(b"")
    with gateway(upstream, drain_timeout=0.01) as running, connected(running.url) as sock:
        sock.sendall(post(asked(stream=stream)))
        assert upstream.asked.acquire(timeout=PATIENCE)
        closing(running).result(PATIENCE)
        head, _, body = rest(sock)[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head
    assert json.loads(body)["error"]["message"] == "the gateway is being shut down"


def test_who_reads_nothing_holds_up_no_end() -> None:
    part = STREAM + chunk("x" * 2000) * 2000
    upstream = Upstream(part, part)
    upstream.may_end.set()
    with gateway(upstream, drain_timeout=0.01) as running, connected(running.url, receive=4096) as sock:
        sock.sendall(post(asked(stream=True)))
        sock.recv(1)
        closing(running).result(PATIENCE)
        assert not running.gateway._server.connections


def ready(running: Running, path: str = "/health/ready") -> tuple[int, Any]:
    found = httpx.get(f"{running.url}{path}", timeout=PATIENCE, trust_env=False)
    return found.status_code, found.json()


OK, DOWN = (200, {"status": "ok"}), (503, {"status": "unavailable"})


def test_it_is_not_ready_while_it_ends() -> None:
    with gateway(Upstream(b"")) as running, connected(running.url) as sock:
        assert (ready(running), ready(running, "/health/live")) == (OK, OK)
        sock.sendall(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n")
        begun(running)
        end = closing(running, 60)
        sock.sendall(b"\r\n")
        head, _, body = rest(sock)[0].partition(b"\r\n\r\n")
        end.result(PATIENCE)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body) == DOWN[1]


def test_it_is_ready_while_one_endpoint_could_serve() -> None:
    up = EndpointConfig(backend="openai", base_url="http://127.0.0.1:9/v1", key_env="")
    config = Config(endpoints={"one": up, "two": up}, environ={})
    running = Running(config, {"keys": {"alice": {"hash": hash_of("a")}}})

    def isolate(name: str, *, end: bool = False) -> None:
        client = running.gateway._client
        steps = client.restore(name) if end else client.isolate(name)
        asyncio.run_coroutine_threadsafe(steps, running.loop).result(PATIENCE)
        running.gateway.app._health._until = 0.0

    try:
        assert ready(running) == OK
        isolate("one")
        assert ready(running) == OK
        isolate("two")
        assert ready(running) == DOWN
        assert ready(running, "/health/live") == OK
        isolate("one", end=True)
        assert ready(running) == OK
    finally:
        running.close()


def test_it_is_not_ready_without_a_key() -> None:
    running = Running(Config(endpoints={"openai": EndpointConfig()}, environ={}), {})
    try:
        asyncio.run_coroutine_threadsafe(running.gateway.check(), running.loop).result(PATIENCE)
        assert ready(running) == DOWN
    finally:
        running.close()


@pytest.fixture
def config(tmp_path: Path) -> Iterator[tuple[Path, Upstream]]:
    upstream = Upstream(STREAM + chunk("be"))
    with serve(upstream.handle) as server:
        path = tmp_path / "config.toml"
        path.write_text(
            f"[endpoints.up]\nbackend = 'openai'\nbase_url = '{server.url}/v1'\nkey_env = ''\n[gateway]\nport = 0\n"
        )
        yield path, upstream


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
def test_systemd_is_told(tmp_path: Path, config: tuple[Path, Upstream]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.settimeout(PATIENCE)
        told.bind(str(tmp_path / "notify"))
        with process(config[0], NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
            assert told.recv(4096) == b"READY=1"
            running.send(signal.SIGHUP)
            reloading, moment = told.recv(4096).split(b"\n")
            assert reloading == b"RELOADING=1"
            assert moment.startswith(b"MONOTONIC_USEC=")
            assert int(moment.partition(b"=")[2]) > 0
            assert told.recv(4096) == b"READY=1"
            running.send(signal.SIGTERM)
            assert told.recv(4096) == b"STOPPING=1"
            assert running.end() == 0


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
def test_a_second_signal_ends_it_at_once(config: tuple[Path, Upstream]) -> None:
    path, _ = config
    with process(path) as running, connected(running.url) as sock:
        sock.sendall(post(asked(stream=True)))
        came = sock.recv(1)
        running.send(signal.SIGTERM)
        running.heard("answers under way")
        running.send(signal.SIGTERM)
        came += rest(sock)[0]
        assert running.end() == 0
    assert b"the gateway is being shut down" in came


@pytest.mark.parametrize("address", ["", "x", "/nowhere/socket", "@nobody"])
def test_that_nobody_hears_does_no_harm(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_a_whole_answer_is_still_given() -> None:
    upstream = Upstream(b"", answer(CHAT, content_type="application/json"))
    with gateway(upstream) as running, connected(running.url) as sock:
        sock.sendall(post(asked()))
        assert upstream.asked.acquire(timeout=PATIENCE)
        end = closing(running, 60)
        upstream.may_end.set()
        head, _, body = rest(sock)[0].partition(b"\r\n\r\n")
        end.result(PATIENCE)
    assert b"connection: close" in head
    assert body == CHAT


def test_what_is_broken_off_may_have_cost(tmp_path: Path) -> None:
    upstream, file = Upstream(b""), tmp_path / "spend.sqlite3"
    keys = {"alice": {"hash": hash_of("a"), "tokens_per_day": 1_000_000}}
    settings = {"drain_timeout": 0.01, "keys": keys, "spend_file": str(file)}
    with gateway(upstream, **settings) as running, connected(running.url) as sock:
        sock.sendall(post(asked(max_tokens=5), "authorization: Bearer a"))
        assert upstream.asked.acquire(timeout=PATIENCE)
        closing(running).result(PATIENCE)
        assert rest(sock)[0].startswith(b"HTTP/1.1 503 ")
    ((row,), _) = read(file, Calendar("UTC").month)
    assert row.key == "alice"
    assert row.input_tokens > 0
