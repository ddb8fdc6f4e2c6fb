"""A server that is not there: told at once, and left at once where another one may be asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Config, EndpointConfig, RetryConfig, RouteConfig
from ipfs_accel import errors as e

from .both_worlds import awaiting, blocking, fine, on_trio, scripted, streamed
from .fake_clock import FakeClock

WORLDS = pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a port that is taken, and at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def asked(world: Any, server: Any, nobody: str, targets: tuple[str, ...], operation: str, **route: Any) -> Any:
    """Return what became of a call to a route, and how long was waited between attempts."""
    clock = FakeClock()
    places = {"gone": nobody, "lost": nobody, "here": server.url}
    endpoints = {name: EndpointConfig(backend="acme", base_url=url) for name, url in places.items()}
    routes = {"any": RouteConfig(targets=tuple([f"{name}/m" for name in targets]), **route)}
    config = Config(endpoints=endpoints, routes=routes, retry=RetryConfig(attempts=3))
    (found,) = world(server, (operation, {"model": "any", "messages": "q"}), config=config, clock=clock)
    return found, clock.slept


@WORLDS
@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_the_next_target_is_asked_at_once(world: Any, nobody: str, operation: str) -> None:
    with scripted(fine() if operation == "chat" else streamed("blue", "END")) as server:
        found, slept = asked(world, server, nobody, ("gone", "lost", "here"), operation)
    assert (found.answer.text, slept) == ("blue", [])
    assert [(each.endpoint, each.error) for each in found.answer.call.tried] == [
        ("gone", "APIConnectionError"),
        ("lost", "APIConnectionError"),
    ]


@WORLDS
def test_the_last_target_is_tried_again_as_any(world: Any, nobody: str) -> None:
    with scripted(fine()) as server:
        found, slept = asked(world, server, nobody, ("gone", "lost"), "chat")
    assert (found.error.refused, found.error.phase, found.error.sent) == (True, "connect", False)
    assert [each.endpoint for each in found.error.tried] == ["gone", "lost", "lost", "lost"]
    assert len(slept) == 2


@WORLDS
def test_a_route_that_stays_where_a_connection_fails_tries_again_there(world: Any, nobody: str) -> None:
    with scripted(fine()) as server:
        found, slept = asked(world, server, nobody, ("gone", "here"), "chat", fallback_on=("rate_limit",))
    assert isinstance(found.error, e.APIConnectionError)
    assert [each.endpoint for each in found.error.tried] == ["gone", "gone", "gone"]
    assert len(slept) == 2
