"""Answers that break off: nothing that looks whole and is not, whatever it was, and for whomever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ipfs_accel import Config, EndpointConfig, RetryConfig, RouteConfig
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel_gateway._connection import Connection as ServedConnection

from .gateways import Running
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest, talk

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
SIZE = 2_000_000
CLOSE = "connection: close"


@contextmanager
def gateway(*handlers: Callable[[Connection], Any], **settings: Any) -> Iterator[tuple[Running, list[RawServer]]]:
    """Start a gateway over a route `all` of as many servers, none of which is asked twice."""
    servers, opened = [], []
    try:
        for each in handlers:
            opened.append(serve(each))
            servers.append(opened[-1].__enter__())
        endpoints = {
            f"up{at or ''}": EndpointConfig(
                backend="openai", base_url=f"{each.url}/v1", key="sk-of-the-operator", retry=RetryConfig(attempts=1)
            )
            for at, each in enumerate(servers)
        }
        routes = {"all": RouteConfig(targets=tuple([f"{name}/m" for name in endpoints]))}
        running = Running(Config(endpoints=endpoints, routes=routes, environ={}), settings)
        try:
            yield running, servers
        finally:
            running.close()
    finally:
        for each in opened:
            each.__exit__(None, None, None)


def _long(missing: int, *, has_length: bool = True) -> Callable[[Connection], Any]:
    """Return a server of a long whole answer whose last bytes never come."""

    def handle(connection: Connection) -> None:
        connection.request()
        length = f"content-length: {SIZE}\r\n" if has_length else "transfer-encoding: chunked\r\n"
        body = b"x" * (SIZE - missing)
        framed = body if has_length else b"%x\r\n%b\r\n" % (len(body), body)
        connection.send(f"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n{length}\r\n".encode() + framed)
        connection.reset() if not missing else connection.close()

    return handle


@pytest.mark.parametrize("missing", [1, 100, 100_000])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_whole_answer_is_not_filled_up_with_words_of_ours(missing: int, version: str) -> None:
    with gateway(_long(missing)) as (running, _):
        body = json.dumps({"model": "up/m", "input": "Hi", "voice": "a"}).encode()
        came = talk(running.url, post(body, CLOSE, path="/v1/audio/speech", version=version))
    head, _, came = came.partition(b"\r\n\r\n")
    assert f"content-length: {SIZE}".encode() in head
    assert came.strip(b"x") == b""
    assert len(came) < SIZE


def test_who_knows_no_chunks_is_told_by_a_reset() -> None:
    with gateway(_long(100, has_length=False)) as (running, _):
        body = json.dumps({"model": "up/m", "input": "Hi", "voice": "a"}).encode()
        with connected(running.url) as sock:
            sock.sendall(post(body, path="/v1/audio/speech", version="1.0"))
            came, was_reset = rest(sock)
    assert b"content-length" not in came.partition(b"\r\n\r\n")[0]
    assert was_reset


@pytest.mark.parametrize(
    "cut", [chunk("a")[:30], chunk("a")[:-1], b"", b": ping\n"], ids=["word", "line", "no", "beat"]
)
def test_an_error_in_a_stream_stands_alone(cut: bytes) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(STREAM + chunk("first") + cut)
        connection.close()

    with gateway(handle) as (running, _):
        came = talk(running.url, post(asked(stream=True), CLOSE))
    body = b"".join(came.partition(b"\r\n\r\n")[2].split(b"\r\n")[1::2])
    assert b"data: [DONE]" not in body
    events = [each for each in body.split(b"\n\n") if each]
    assert events[0] + b"\n\n" == chunk("first")
    name, _, error = events[-1].partition(b"data: ")
    assert name == b""
    assert json.loads(error)["error"]["message"]
    assert not came.endswith(b"0\r\n\r\n")


DEATHS: dict[str, bytes] = {
    "before": b"",
    "within the head": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "after the head": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n",
    "within the body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n" + CHAT[:50],
}


@pytest.mark.parametrize("death", DEATHS)
def test_the_next_target_serves_when_one_dies(death: str) -> None:
    def dies(connection: Connection) -> None:
        connection.request()
        connection.send(DEATHS[death])
        connection.close()

    def serves(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(CHAT, content_type="application/json"))

    with gateway(dies, serves) as (running, servers):
        came = talk(running.url, post(asked("all"), CLOSE))
        assert [json.loads(each.bodies[-1])["model"] for each in servers] == ["m", "m"]
    head, _, body = came.partition(b"\r\n\r\n")
    assert b"x-ipfs-accel-target: up1/m\r\n" in head
    assert body == CHAT


class Slow:
    """A transport that is being closed, with what is not sent yet."""

    def __init__(self) -> None:
        self.unsent = 0
        self.is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize(
    ("looks", "is_aborted"),
    [
        ([(1, 90), (5, 80), (40, 70), (100, 60)], False),
        ([(1, 90), (5, 90), (60, 90)], False),
        ([(1, 90), (5, 80), (81, 80)], True),
        ([(1, 0)], False),
        ([(3, 0)], True),
        ([(1, 90), (5, 0), (6, 0)], False),
        ([(1, 90), (5, 0), (8, 0)], True),
    ],
    ids=["slow", "silent", "silent for long", "lingers", "lingers for long", "at its end", "after its end"],
)
def test_a_connection_that_is_closed_has_time_to_send(looks: list[tuple[float, int]], *, is_aborted: bool) -> None:
    server: Any = SimpleNamespace(
        max_body=1, buffer=memoryview(b""), connections=set(), idle_timeout=75.0, write_timeout=60.0
    )
    connection = ServedConnection(server)
    transport = connection._transport = Slow()
    connection.shut()
    for now, transport.unsent in looks:
        connection.look(now)
    assert transport.is_aborted is is_aborted


READING: list[tuple[float, int]] = [(each, 900 - each) for each in range(1, 800, 50)]


@pytest.mark.parametrize("is_served", [True, False], ids=["while it is made", "when it is made"])
@pytest.mark.parametrize(
    ("looks", "is_aborted"),
    [
        (READING, False),
        ([(1, 90), (60, 90)], False),
        ([(1, 90), (62, 90)], True),
        ([*READING, (812, 149), (813, 149)], True),
        ([(1, 90), (20, 0), (70, 90), (90, 90)], False),
    ],
    ids=["slow", "silent", "silent for long", "silent at last", "another answer"],
)
def test_who_takes_nothing_of_an_answer_has_a_time(
    looks: list[tuple[float, int]], *, is_aborted: bool, is_served: bool
) -> None:
    limits = {"idle_timeout": 30.0, "write_timeout": 60.0, "heartbeat": 15.0}
    server: Any = SimpleNamespace(max_body=1, buffer=memoryview(b""), connections=set(), **limits)
    connection = ServedConnection(server)
    transport = connection._transport = Slow()
    connection.task = object() if is_served else None  # type: ignore[assignment]
    for now, transport.unsent in looks:
        connection.pause_writing() if transport.unsent and connection._may_write else None
        connection.resume_writing() if not transport.unsent else None
        connection.look(now)
    assert transport.is_aborted is is_aborted


def test_a_log_that_cannot_be_written_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with gateway(_answers, access_log="/dev/full") as (running, _):
        for _ in range(3):
            assert talk(running.url, post(asked(), CLOSE)).startswith(b"HTTP/1.1 200 ")
            running.call(running.gateway._observers._log.flush)
    told = [each.getMessage() for each in caplog.records if "access_log" in each.getMessage()]
    assert told == ["gateway.access_log: lines are lost: No space left on device"]


def test_a_log_is_whole_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with gateway(_answers, access_log=str(path)) as (running, _):
        talk(running.url, post(asked(), CLOSE))
        log = running.gateway._observers._log
        running.call(lambda: [log.close(), log.close()])  # as the end by a signal does
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    assert [each["output_tokens"] for each in lines] == [3]
    assert "sk-of-the-operator" not in path.read_text()


def test_nothing_is_left_of_many_calls_and_of_those_who_left() -> None:
    go_on = threading.Event()

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            if b'"stream": true' in connection.server.bodies[-1]:
                connection.send(STREAM + chunk("a"))
                connection.wait()
                go_on.set()
                return
            connection.send(answer(CHAT, content_type="application/json"))

    with gateway(handle) as (running, _):
        for _ in range(20):
            assert talk(running.url, post(asked(), CLOSE)).startswith(b"HTTP/1.1 200 ")
            go_on.clear()
            with connected(running.url) as sock:
                sock.sendall(post(asked(stream=True)))
                assert sock.recv(12)
            assert go_on.wait(PATIENCE)
        assert running.call(lambda: running.gateway.app.callers.who({}).active) == 0


def _answers(connection: Connection) -> None:
    while connection.request() is not None:
        connection.send(answer(CHAT, content_type="application/json"))
