"""Whoever asked leaves, or reads no more: what was asked for on their behalf ends, too."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from ipfs_accel import Config, EndpointConfig, LimitsConfig, hookimpl
from ipfs_accel.testing.raw_server import Connection, answer, serve

from .gateways import Running
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest, until

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
PART = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n" + b" " * 2_000_000
BOUND = 5_000_000


class Seeing:
    """Middleware that changes nothing; with any, all that is said is read and written anew."""

    api_version = 1

    @hookimpl
    def rewrite_request(self, request: Any) -> Any:
        return request


LANES: dict[str, tuple[Any, ...]] = {"relay": (), "translate": (Seeing(),)}


class Upstream:
    """Answers with a beginning, and waits until it is hung up on."""

    def __init__(self, beginning: bytes) -> None:
        self.asked, self.left = threading.Semaphore(0), threading.Event()
        self._beginning = beginning

    def handle(self, connection: Connection) -> None:
        connection.request()
        connection.send(self._beginning)
        self.asked.release()
        connection.wait()
        self.left.set()


@contextmanager
def gateway(
    handler: Callable[[Connection], Any], lane: str = "relay", write_timeout: float = 600.0, **settings: Any
) -> Iterator[Running]:
    with serve(handler) as server:
        up = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="sk-of-the-operator", **settings)
        config = Config(endpoints={"up": up}, environ={})
        running = Running(config, {"write_timeout": write_timeout}, middleware=LANES[lane])
        try:
            yield running
        finally:
            running.close()


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("beginning", "stream"),
    [(b"", False), (b"", True), (STREAM, True), (STREAM + chunk("a"), True), (PART, False)],
    ids=["whole", "silence", "head", "stream", "part"],
)
def test_the_call_ends(lane: str, beginning: bytes, *, stream: bool) -> None:
    upstream = Upstream(beginning)
    with gateway(upstream.handle, lane) as running:
        with connected(running.url) as sock:
            sock.sendall(post(asked(stream=stream)))
            assert upstream.asked.acquire(timeout=PATIENCE)
            if beginning.endswith(b"\n\n"):
                assert sock.recv(1)
        assert upstream.left.wait(PATIENCE)
        until(lambda: not running.gateway._server.connections)


def test_the_call_ends_of_who_has_asked_for_more() -> None:
    upstream = Upstream(b"")
    with gateway(upstream.handle) as running:
        with connected(running.url) as sock:
            sock.sendall(post(asked()))
            assert upstream.asked.acquire(timeout=PATIENCE)
            connection = next(iter(running.gateway._server.connections))
            sock.sendall(post(asked()) + b"POST ")
            until(lambda: bool(connection._reader.requests))
        assert upstream.left.wait(PATIENCE)
        assert not upstream.asked.acquire(blocking=False)


def test_a_place_in_the_queue_is_given_up() -> None:
    may_answer, bodies = threading.Event(), []

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            bodies.append(json.loads(connection.server.bodies[-1])["messages"][0]["content"])
            may_answer.wait(PATIENCE)
            connection.send(answer(CHAT, content_type="application/json"))

    def ask(running: Running, text: str) -> socket.socket:
        sock = connected(running.url)
        sock.sendall(post(asked(messages=[{"role": "user", "content": text}]), "connection: close"))
        return sock

    with gateway(handle, limits=LimitsConfig(max_concurrent=1)) as running:
        connections = running.gateway._server.connections

        def serving() -> int:
            return len([each for each in list(connections) if each.task is not None])

        with ask(running, "first") as first:
            until(lambda: bodies == ["first"])
            with ask(running, "second"):
                until(lambda: serving() == 2)
            until(lambda: len(connections) == 1)
            with ask(running, "third") as third:
                until(lambda: serving() == 2)
                may_answer.set()
                assert first.recv(12) == third.recv(12) == b"HTTP/1.1 200"
        assert bodies == ["first", "third"]


@pytest.mark.parametrize("lane", LANES)
def test_who_stops_reading_costs_little(lane: str) -> None:
    taken: list[int] = []
    stalled, left = threading.Event(), threading.Event()

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(STREAM)
        sock, event, size = connection.sock, chunk("x" * 2_000) * 20, 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        sock.setblocking(False)
        # Who takes nothing for a while has stopped; that a busy machine may look so fails no test.
        while size < 4 * BOUND and select.select([], [sock], [], 1.0)[1]:
            size += sock.send(event)
        taken.append(size)
        stalled.set()
        sock.setblocking(True)
        connection.wait()
        left.set()

    with gateway(handle, lane) as running:
        with connected(running.url, receive=65_536) as sock:
            sock.sendall(post(asked(stream=True)))
            assert sock.recv(12) == b"HTTP/1.1 200"
            assert stalled.wait(PATIENCE)
            assert 0 < taken[0] < BOUND
        assert left.wait(PATIENCE)


@pytest.mark.parametrize("lane", LANES)
def test_the_call_ends_of_who_never_reads(lane: str) -> None:
    left = threading.Event()

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(STREAM)
        with suppress(OSError):
            while True:
                connection.sock.sendall(chunk("x" * 2_000) * 20)
        left.set()

    with gateway(handle, lane, write_timeout=0.3) as running, connected(running.url, receive=65_536) as sock:
        sock.sendall(post(asked(stream=True)))
        assert left.wait(PATIENCE)
        until(lambda: not running.gateway._server.connections)
        came, was_reset = rest(sock)
    assert was_reset or not came.endswith(b"0\r\n\r\n")
