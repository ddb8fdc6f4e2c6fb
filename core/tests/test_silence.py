"""Models that think without a word: how long they may, and what is said if it was too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, Timeout
from ipfs_accel import errors as e
from ipfs_accel._worlds.perform import perform
from ipfs_accel.testing.raw_server import Connection
from ipfs_accel.types import ChatRequest

from .acme import Acme
from .both_worlds import awaiting, blocking, outcome, scripted, streamed

World = Callable[..., Any]
USUAL = Timeout()
SHORT = Timeout(first_event=0.1, idle=0.1)


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    ("effort", "timeout", "configured", "expected"),
    [
        (None, None, None, (60, 60, 600)),
        ("high", None, None, (600, 600, 600)),
        ("high", 900, None, (900, 900, 900)),
        ("high", Timeout(first_event=120, total=None), None, (120, 60, None)),
        ("high", None, 300, (300, 300, 300)),
        ("high", None, Timeout(idle=90), (60, 90, 600)),
    ],
)
def test_who_thinks_may_be_silent_unless_limits_on_silence_are_set(
    effort: str | None, timeout: Any, configured: Any, expected: tuple[float | None, ...]
) -> None:
    request = ChatRequest(model="m", messages=(), reasoning_effort=effort)
    endpoints = {"acme": EndpointConfig(timeout=configured)}
    with Client(Config(environ={}), plugins=[Acme("http://127.0.0.1:9")], endpoints=endpoints) as client:
        target = perform(client._core.target("acme"), client._world)
        limits = client._core.call("stream", target, "m", request=request, timeout=timeout).timeout
    assert (limits.first_event, limits.idle, limits.total) == expected


def silent_after(*lines: str) -> Callable[[Connection], None]:
    def step(connection: Connection) -> None:
        connection.send(streamed(*lines, end=False))
        connection.wait()

    return step


@pytest.mark.parametrize("step", [Connection.wait, silent_after(), silent_after("a")])
def test_the_error_says_what_a_thinking_model_needs(step: Any, world: World) -> None:
    with scripted(step) as server:
        error = outcome(world, server, "stream", timeout=SHORT)
    assert isinstance(error, e.APITimeoutError | e.StreamInterrupted)
    assert "name its reasoning_effort" in error.hint
    assert error.__notes__ == [f"hint: {error.hint}"]


def test_a_broken_connection_is_no_silence(world: World) -> None:
    def step(connection: Connection) -> None:
        connection.send(streamed("a", end=False))

    with scripted(step) as server:
        error = outcome(world, server, "stream")
    assert (type(error), error.hint) == (e.StreamInterrupted, None)
