"""Flows that have several plans performed at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Ready, get, side_by_side
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve

SECONDS = 10.0


class Fleet:
    """A backend whose call asks for several paths at once, in lists or with at most `limit` under way."""

    api_version = 1

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.begun: list[str] = []

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="fleet", base_url=self.base_url)

    @hookimpl
    def calls(self) -> dict[str, Callable[..., Any]]:
        return {"ask": self.ask, "ask_twice": self.ask_twice}

    def plan(self, path: str) -> Flow[str]:
        def steps() -> Generator[Any, Any, Http[str]]:
            self.begun.append(path)
            return Http(send=get(path), parse=HttpResponse.text)
            yield

        return Flow(steps=steps)

    def ask(self, endpoint: Endpoint, *, paths: list[str], limit: int | None = None) -> Flow[Any]:
        def steps() -> Generator[Any, Any, Ready[Any]]:
            plans = [self.plan(path) for path in paths]
            return Ready(value=(yield plans) if limit is None else (yield from side_by_side(plans, limit)))

        return Flow(steps=steps)

    def ask_twice(self, endpoint: Endpoint, *, first: list[str], second: list[str]) -> Flow[Any]:
        def steps() -> Generator[Any, Any, Ready[Any]]:
            try:
                found = yield [self.plan(path) for path in first]
            except e.NotFoundError:
                found = yield [self.plan(path) for path in second]
            return Ready(value=found)

        return Flow(steps=steps)


@pytest.fixture
def meeting() -> Iterator[tuple[RawServer, threading.Barrier]]:
    """A server that answers a path with itself; /meet/… only when as many requests as the barrier has are there."""
    barrier = threading.Barrier(3)

    def handle(connection: Connection) -> None:
        while head := connection.request():
            path = head.split()[1]
            if path.startswith("/meet"):
                barrier.wait(SECONDS)
            status = "404 Not Found" if path.startswith("/none") else "200 OK"
            connection.send(answer(path.encode(), status))

    with serve(handle) as server:
        yield server, barrier


def test_plans_are_performed_at_once_and_keep_their_order(meeting: tuple[RawServer, threading.Barrier]) -> None:
    paths = ["/meet/a", "/meet/b", "/meet/c"]
    with Client(plugins=[Fleet(meeting[0].url)]) as client:
        assert client.call("fleet", "ask", paths=paths) == paths
        assert client.call("fleet", "ask", paths=[]) == []


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(meeting: tuple[RawServer, threading.Barrier]) -> None:
    paths = ["/meet/a", "/meet/b", "/meet/c"]
    async with AsyncClient(plugins=[Fleet(meeting[0].url)]) as client:
        assert await client.call("fleet", "ask", paths=paths) == paths
        assert await client.call("fleet", "ask", paths=paths, limit=3) == paths
        with pytest.raises(e.NotFoundError, match="/none"):
            await client.call("fleet", "ask", paths=["/a", "/none"])


def test_a_limit_holds_and_every_plan_has_its_turn(meeting: tuple[RawServer, threading.Barrier]) -> None:
    paths = [f"/meet/{number}" for number in range(9)]
    with Client(plugins=[Fleet(meeting[0].url)]) as client:
        assert client.call("fleet", "ask", paths=paths, limit=3) == paths
        assert client.call("fleet", "ask", paths=[], limit=3) == []
    assert meeting[0].connections == 3


def test_the_first_error_in_order_reaches_the_flow(meeting: tuple[RawServer, threading.Barrier]) -> None:
    with Client(plugins=[Fleet(meeting[0].url)]) as client:
        with pytest.raises(e.NotFoundError, match="/none/1") as caught:
            client.call("fleet", "ask", paths=["/a", "/none/1", "/none/2"])
        assert caught.value.endpoint == "fleet"
        assert client.call("fleet", "ask_twice", first=["/a", "/none"], second=["/b", "/c"]) == ["/b", "/c"]


def test_nothing_is_begun_after_a_failure(meeting: tuple[RawServer, threading.Barrier]) -> None:
    fleet = Fleet(meeting[0].url)
    with Client(plugins=[fleet]) as client, pytest.raises(e.NotFoundError):
        client.call("fleet", "ask", paths=["/a", "/none", "/b", "/c"], limit=1)
    assert fleet.begun == ["/a", "/none"]
