"""Flows that have several plans performed at once."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, hookimpl
from ipfs_accel import errors as e
from ipfs_accel._worlds.effects import Pause
from ipfs_accel._worlds.gather import MAX_GATHERED, Gather
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Job, Local, Ready, get, side_by_side
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve

SECONDS = 60.0


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
        return {"ask": self.ask, "ask_twice": self.ask_twice, "crash": self.crash, "count": self.count}

    def crash(self, endpoint: Endpoint, *, paths: list[str]) -> Flow[Any]:
        """Fail as a plugin does that has a defect, in one of several flows."""

        def steps() -> Generator[Any, Any, Ready[Any]]:
            return Ready(value=(yield [*[self.plan(path) for path in paths], Flow(steps=broken)]))

        def broken() -> Generator[Any, Any, Http[str]]:
            raise KeyError("defect")
            yield

        return Flow(steps=steps)

    def count(self, endpoint: Endpoint, *, number: int) -> Flow[Any]:
        """Tell how many of so many blocking plans are under way at once, at most."""
        lock = threading.Lock()
        levels = [0, 0]

        def run(_job: Job) -> None:
            with lock:
                levels[0] += 1
                levels[1] = max(levels)
            time.sleep(0.01)
            with lock:
                levels[0] -= 1

        def steps() -> Generator[Any, Any, Ready[Any]]:
            yield [Local(run=run) for _ in range(number)]
            return Ready(value=levels[1])

        return Flow(steps=steps)

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


def blocking(call: str, url: str, **arguments: Any) -> Any:
    with Client(plugins=[Fleet(url)]) as client:
        return client.call("fleet", call, **arguments)


def awaiting(call: str, url: str, library: str, **arguments: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(plugins=[Fleet(url)]) as client:
            return await client.call("fleet", call, **arguments)

    return anyio.run(run, backend=library)


@pytest.fixture(params=["sync", "asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return blocking if request.param == "sync" else functools.partial(awaiting, library=request.param)


def test_a_defect_of_a_plugin_is_the_same_error_in_every_world(ask: Any, meeting: Any) -> None:
    with pytest.raises(e.PluginError) as caught:
        ask("crash", meeting[0].url, paths=["/a", "/b"])
    assert caught.value.message == "the backend 'fleet' failed in 'crash': KeyError: 'defect'"


def test_no_more_than_some_are_under_way_at_once(ask: Any, meeting: Any) -> None:
    most = ask("count", meeting[0].url, number=3 * MAX_GATHERED)
    assert most <= MAX_GATHERED


class CrashError(Exception):
    """What no step of a call means to raise."""


def test_what_nobody_foresaw_is_raised_bare_and_ends_the_others(ask: Any) -> None:
    begun: list[int] = []

    def steps(number: int) -> Generator[Any, Any, int]:
        begun.append(number)
        if number == 1:
            raise CrashError
        yield Pause(0.05)
        return number

    many = 5000  # to begin them all takes a quarter of a minute, so that the defect is seen before, however late
    gather = Gather([steps(number) for number in range(many)])
    with pytest.raises(CrashError):
        _perform(ask, gather)
    assert len(begun) < many


def _perform(ask: Any, gather: Gather[int]) -> Any:
    if ask is blocking:
        with Client() as client:
            return gather.sync(client._world)

    async def run() -> Any:
        async with AsyncClient() as client:
            return await gather.asynchronous(client._world)

    return anyio.run(run, backend=ask.keywords["library"])
