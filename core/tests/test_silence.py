"""Models that think without a word, and servers that read for long: how long they may, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from ipfs_accel import BackendInfo, Client, Config, EndpointConfig, RetryConfig, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel._worlds.perform import perform
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.testing.raw_server import Connection
from ipfs_accel.types import ChatRequest, Request

from .acme import Acme
from .both_worlds import awaiting, blocking, on_trio, outcome, scripted, streamed

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


ONCE, OFTEN = {"retry": RetryConfig(attempts=1)}, {"retry": RetryConfig()}
LIMITS = Timeout(first_event=0.02, idle=0.02)
LONGER = 0.2


def made(**facts: Any) -> Callable[[str], Acme]:
    """Return the plugin with further facts of its backend."""

    class Made(Acme):
        @hookimpl
        def describe(self) -> BackendInfo:
            return attrs.evolve(super().describe(), **facts)

    return Made


@pytest.fixture(params=[blocking, awaiting, on_trio])
def any_world(request: pytest.FixtureRequest) -> Any:
    return request.param


PLACE = "https://api.acme.test/v1"
LOCAL = LocalServer(program="acmed", start="acmed serve")


@pytest.mark.parametrize(
    ("facts", "base_url", "expected"),
    [
        ({}, None, False),
        ({}, "https://eu.acme.test", False),
        ({}, "http://gpu1:8000/v1", True),
        ({}, "http://127.0.0.1:8000/v1", True),
        ({"base_url": ""}, "http://gpu1:8000/v1", False),
        ({"base_url": "https://{place}/v1"}, "http://gpu1:8000/v1", False),
        ({"is_own": True}, None, True),
        ({"local": LOCAL}, None, True),
        ({"local": LOCAL}, "https://models.example.org", True),
        ({"local": LOCAL, "key_url": "https://acme.test"}, "https://www.acme.test", False),
    ],
)
def test_which_servers_are_of_ones_own(facts: dict[str, Any], base_url: str | None, expected: bool) -> None:
    endpoints = {"acme": EndpointConfig(base_url=base_url)}
    with Client(Config(environ={}), plugins=[made(**facts)(PLACE)], endpoints=endpoints) as client:
        assert perform(client._core.target("acme"), client._world).is_own is expected


@pytest.mark.parametrize(
    ("operation", "timeout", "configured", "expected"),
    [
        ("stream", None, None, (900, 900, 900)),
        ("stream", 1800, None, (1800, 1800, 1800)),
        ("stream", Timeout(total=1800), None, (1800, 1800, 1800)),
        ("stream", Timeout(total=None), None, (None, None, None)),
        ("stream", Timeout(first_event=5), None, (5, 60, 600)),
        ("stream", None, 1800, (1800, 1800, 1800)),
        ("stream", 90, Timeout(total=1800), (90, 90, 90)),
        ("stream", None, Timeout(idle=5), (60, 5, 600)),
        ("pull_model", None, None, (300, 60, None)),
    ],
)
def test_a_server_of_ones_own_may_be_silent_as_long_as_a_call_may_last(
    operation: str, timeout: Any, configured: Any, expected: tuple[float | None, ...]
) -> None:
    plugin = made(is_own=True, timeout=Timeout(first_event=300, total=900))(PLACE)
    with Client(Config(environ={}), plugins=[plugin], endpoints={"acme": EndpointConfig(timeout=configured)}) as client:
        target = perform(client._core.target("acme"), client._world)
        call = client._core.call(operation, target, "m", request=Request(model="m"), timeout=timeout)
    assert (call.timeout.first_event, call.timeout.idle, call.timeout.total) == expected


def slowly(connection: Connection) -> None:
    """Answer with a pause before the first event, and before the second."""
    for part in (streamed("blue", end=False), streamed("sky", "END").partition(b"\r\n\r\n")[2]):
        time.sleep(LONGER)
        connection.send(part)


@pytest.mark.parametrize(("is_own", "expected"), [(True, "bluesky"), (False, e.APITimeoutError)])
def test_a_server_of_ones_own_is_waited_for(any_world: World, is_own: bool, expected: Any) -> None:
    plugin = made(is_own=is_own, timeout=LIMITS)
    with scripted(slowly) as server:
        found = outcome(any_world, server, "stream", plugin=plugin, endpoint=ONCE)
    assert (found.text if is_own else type(found)) == expected


@pytest.mark.parametrize(("is_own", "asked"), [(True, 1), (False, 2)])
def test_a_silent_server_of_ones_own_is_not_given_a_prompt_again(any_world: World, is_own: bool, asked: int) -> None:
    """It may be reading the first one still, and would then have two to read."""
    with scripted(Connection.wait) as server:
        plugin, limits = made(is_own=is_own), Timeout(first_event=0.1)
        error = outcome(any_world, server, "stream", plugin=plugin, endpoint=OFTEN, timeout=limits)
    assert (type(error), error.phase, len(server.heads)) == (e.APITimeoutError, "read", asked)


def test_what_left_nothing_at_work_is_tried_again_at_a_server_of_ones_own_too(any_world: World) -> None:
    with scripted(Connection.reset, streamed("blue", "END")) as server:
        assert outcome(any_world, server, "stream", plugin=made(is_own=True), endpoint=OFTEN).text == "blue"


@pytest.mark.parametrize("operation", ["stream", "chat"])
def test_who_had_no_time_left_is_told_how_to_have_more(any_world: World, operation: str) -> None:
    with scripted(Connection.wait) as server:
        error = outcome(any_world, server, operation, plugin=made(is_own=True), endpoint=OFTEN, timeout=0.1)
    assert (type(error), len(server.heads)) == (e.DeadlineExceededError, 1)
    assert error.hint == (
        "a server of one's own may need longer than that to read a long prompt: pass timeout=SECONDS, or set timeout "
        "below [endpoints.acme]"
    )
