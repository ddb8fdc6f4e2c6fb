"""Where the time of a call went, as its answer says; by the real clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import RetryConfig
from ipfs_accel._resilience.clock import Clock
from ipfs_accel.testing.raw_server import Connection, chunked

from .both_worlds import awaiting, blocking, fault, fine, scripted

World = Callable[..., Any]
CHAT = ("chat", {"model": "acme/m", "messages": "q"})
STREAM = ("stream", {"model": "acme/m", "messages": "q"})
COMPLETE = ("stream_complete", {"model": "acme/m", "prompt": ["a", "b"]})
PAUSE = 0.05


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


def slowly(connection: Connection) -> None:
    """Send the head of a stream, and its first event a while later."""
    for _ in range(2):
        connection.send(chunked(end=False, content_type="application/x-ndjson"))
        time.sleep(PAUSE)
        connection.send(b"6\r\na\nEND\n\r\n0\r\n\r\n")
        connection.request()


def timings(world: World, *steps: Any, calls: Any, **more: Any) -> list[Any]:
    with scripted(*steps) as server:
        return [result.answer.timing for result in world(server, *calls, clock=Clock(), **more)]


def test_only_the_first_call_has_to_connect(world: World) -> None:
    first, second = timings(world, fine(), calls=[CHAT, CHAT])
    assert 0 < first.connect < first.first_event <= first.total
    assert second.connect == 0


def test_a_retry_tells_of_its_own_connection(world: World) -> None:
    config = {"retry": RetryConfig(base=0.0)}
    (again,) = timings(world, fault(503), fine(), calls=[CHAT], endpoint=config)
    assert again.connect == 0
    (anew,) = timings(world, lambda connection: connection.reset(), fine(), calls=[CHAT], endpoint=config)
    assert 0 < anew.connect < anew.total


def test_a_stream_tells_of_its_first_event_not_of_its_head(world: World) -> None:
    for number, timing in enumerate(timings(world, slowly, calls=[STREAM, STREAM])):
        assert (timing.connect > 0) is (number == 0)
        assert PAUSE <= timing.first_event <= timing.total


def test_what_asks_no_server_has_not_connected(world: World) -> None:
    (timing,) = timings(world, fine(), calls=[COMPLETE])
    assert timing.connect is None
    assert 0 < timing.first_event <= timing.total
