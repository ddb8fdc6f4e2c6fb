"""Limits, queues and breakers as callers meet them, in both worlds."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BreakerConfig, Client, EndpointConfig, LimitsConfig
from ipfs_accel import errors as e
from ipfs_accel._resilience.clock import Clock
from ipfs_accel.testing.raw_server import Connection, RawServer

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, outcome, scripted, streamed
from .fake_clock import FakeClock
from .http_worlds import settle

World = Callable[..., Any]
CHAT = ("chat", {"model": "acme/m", "messages": "q"})
EMPTY = {
    "x_ratelimit_limit_requests": "60",
    "x_ratelimit_remaining_requests": "0",
    "x_ratelimit_reset_requests": "60s",
}
BELIEVES = LimitsConfig(from_headers=True)


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_requests_wait_for_their_turn(world: World) -> None:
    clock = FakeClock()
    with scripted(fine()) as server:
        results = world(server, *[CHAT] * 3, clock=clock, endpoint={"limits": LimitsConfig(requests_per_minute=6)})
    assert [result.answer.timing.queue for result in results] == [0, *[pytest.approx(10, abs=0.01)] * 2]
    assert sum(clock.slept) == pytest.approx(20, abs=0.02)


def test_waiting_counts_against_the_deadline(world: World) -> None:
    with scripted(fine()) as server:
        limits = LimitsConfig(requests_per_minute=1)
        _, second = world(server, CHAT, CHAT, endpoint={"limits": limits}, timeout=10.0)
    assert (type(second.error), second.error.phase, second.error.sent) == (e.DeadlineExceededError, "queue", False)
    assert len(server.heads) == 1


def test_the_rate_limit_headers_of_answers_are_believed(world: World) -> None:
    clock = FakeClock()
    with scripted(fine(**EMPTY), fine()) as server:
        world(server, CHAT, CHAT, clock=clock, endpoint={"limits": BELIEVES})
        world(server, CHAT, CHAT, endpoint={"limits": LimitsConfig(from_headers=False)})
    assert sum(clock.slept) == pytest.approx(1.0)


def test_what_one_model_has_left_does_not_hold_back_another(world: World) -> None:
    clock = FakeClock()
    other = ("chat", {"model": "acme/other", "messages": "q"})
    with scripted(fine(**EMPTY), fine()) as server:
        results = world(server, CHAT, other, CHAT, clock=clock, endpoint={"limits": BELIEVES})
    assert [result.answer.timing.queue for result in results] == [0, 0, pytest.approx(1.0)]


@pytest.mark.parametrize("own", [False, True])
def test_what_one_key_has_left_does_not_hold_back_another(own: bool, world: World) -> None:
    clock = FakeClock()
    endpoint: dict[str, Any] = {"limits": BELIEVES}
    calls = [CHAT] * 3
    if own:
        calls = [("chat", {**CHAT[1], "key": f"sk-of-user-{user}"}) for user in "abb"]
    else:
        endpoint["key"] = ["sk-of-user-a", "sk-of-user-b"]
    with scripted(fine(**EMPTY), fine()) as server:
        world(server, *calls, clock=clock, endpoint=endpoint)
    assert clock.slept == []
    assert [head.partition("sk-of-user-")[2][0] for head in server.heads] == ["a", "b", "b"]


def test_a_key_that_only_a_function_knows_is_held_back_by_nothing(world: World) -> None:
    clock = FakeClock()
    own = ("chat", {**CHAT[1], "key": lambda: "sk-of-somebody"})
    with scripted(fine(**EMPTY), fine()) as server:
        world(server, own, own, CHAT, clock=clock, endpoint={"limits": BELIEVES})
    assert clock.slept == []


def test_a_key_that_is_out_when_the_call_may_go_is_not_used() -> None:
    may_answer = threading.Event()

    def hold(connection: Connection) -> None:
        may_answer.wait(60)
        connection.send(fine())

    async def run(url: str) -> None:
        limits = LimitsConfig(from_headers=True, max_concurrent=1)
        endpoint = EndpointConfig(limits=limits, key=["sk-of-user-a", "sk-of-user-b"])
        async with (
            AsyncClient(plugins=[Acme(url)], endpoints={"acme": endpoint}) as client,
            anyio.create_task_group() as group,
        ):
            for waiting in range(2):
                group.start_soon(client.chat, "acme/m", "q")
                await settle(lambda waiting=waiting: _waiting(client) == waiting)
            pool = client._core.targets()["acme"].guard.pool
            assert pool is not None
            pool._keys[1].ready_at = math.inf
            may_answer.set()
        assert [key.active for key in client.states()["acme"].keys] == [0, 0]

    with scripted(hold, fine()) as server:
        anyio.run(run, server.url)
    assert [head.partition("sk-of-user-")[2][0] for head in server.heads] == ["a", "a"]


def test_real_usage_replaces_the_estimate(world: World) -> None:
    clock = FakeClock()
    with scripted(fine(used=100)) as server:
        world(server, CHAT, CHAT, clock=clock, endpoint={"limits": LimitsConfig(tokens_per_minute=600)})
    # 100 of a burst of 100 are gone, and the question has an estimate of a quarter of a token.
    assert sum(clock.slept) == pytest.approx(0.25 / (500 / 60), rel=0.05)


@pytest.mark.parametrize("kind", ["chat", "stream"])
def test_concurrency_is_bounded_in_threads(kind: str) -> None:
    most = _Most()
    with scripted(most.answer(kind)) as server, _client(Client, server.url, max_concurrent=2) as client:
        threads = [threading.Thread(target=lambda: _ask(client, kind)) for _ in range(6)]
        for thread in threads:
            thread.start()
        while len(server.bodies) + (_waiting(client) or 0) < 6:
            time.sleep(0.005)
        most.may_answer.set()
        for thread in threads:
            thread.join(60)
        queue = client.states()["acme"].queue
        assert client._world.transport.stats().active == 0
    assert queue is not None
    assert (most.most, len(server.heads), queue.active, queue.admitted) == (2, 6, 0, 6)


def test_concurrency_is_bounded_in_tasks() -> None:
    most = _Most()

    async def run(server: RawServer) -> Any:
        async with _client(AsyncClient, server.url, max_concurrent=2) as client, anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(client.chat, "acme/m", "q")
            await settle(lambda: len(server.bodies) + (_waiting(client) or 0) == 6)
            most.may_answer.set()
        return client.states()["acme"].queue

    with scripted(most.answer("chat")) as server:
        queue = anyio.run(run, server)
    assert (most.most, len(server.heads), queue.active, queue.longest_wait > 0) == (2, 6, 0, True)


class _Most:
    """Counts how many requests a server has at once; it answers none before it may."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.may_answer = threading.Event()

    def answer(self, kind: str) -> Callable[[Connection], None]:
        def handle(connection: Connection) -> None:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            self.may_answer.wait(60)
            with self.lock:
                self.now -= 1
            connection.send(fine() if kind == "chat" else streamed("a", "END"))

        return handle


def _client(kind: Any, url: str, **limits: Any) -> Any:
    return kind(plugins=[Acme(url)], endpoints={"acme": EndpointConfig(limits=LimitsConfig(**limits))})


def _ask(client: Client, kind: str) -> None:
    if kind == "chat":
        client.chat("acme/m", "q")
    else:
        with client.stream("acme/m", "q") as stream:
            stream.read()


def test_the_queue_is_bounded_and_priorities_are_heeded() -> None:
    all_wait = threading.Event()

    async def ask(client: AsyncClient, priority: Any) -> None:
        await client.chat("acme/m", priority, priority=priority)

    async def run(url: str) -> None:
        async with (
            _client(AsyncClient, url, max_concurrent=1, max_queue=3) as client,
            anyio.create_task_group() as group,
        ):
            client._core.clock = Still()
            for waiting, priority in enumerate(("normal", "low", "normal", "high")):
                group.start_soon(ask, client, priority)
                await settle(lambda waiting=waiting: _waiting(client) == waiting)
            with pytest.raises(e.QueueFullError, match="3 calls wait"):
                await client.chat("acme/m", "q")
            all_wait.set()

    def hold(connection: Connection) -> None:
        all_wait.wait(60)
        connection.send(fine())

    with scripted(hold, fine()) as server:
        anyio.run(run, server.url)
    assert [json.loads(body)["ask"] for body in server.bodies] == ["normal", "high", "normal", "low"]


class Still(Clock):
    """Stands still, so that nobody's place in a queue depends on when the others came; who waits does so for real."""

    now = staticmethod(lambda: 1000.0)


def _waiting(client: Any) -> int | None:
    """How many calls wait behind those under way; None if there are none of those."""
    queue = client.states()["acme"].queue if client.states() else None
    return sum(queue.waiting.values()) if queue and queue.active else None


def test_a_wrong_priority_is_named() -> None:
    with scripted(fine()) as server:
        error = outcome(blocking, server, options={"priority": "urgent"})
    assert "priority: expected one of high, normal, low" in str(error)


@pytest.mark.parametrize("cancels", [1, 2])
def test_a_storm_of_cancellations_leaves_nothing_behind(cancels: int) -> None:
    async def run(url: str) -> None:
        async with _client(AsyncClient, url, max_concurrent=2) as client:
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(client.chat, "acme/m", "q")
                await settle(lambda: len(server.bodies) == 2 and _waiting(client) == 18)
                for _ in range(cancels):
                    group.cancel_scope.cancel()
            queue = client.states()["acme"].queue
            assert queue is not None
            assert (queue.active, sum(queue.waiting.values())) == (0, 0)
            assert client._world.transport.stats().active == 0

    with scripted(Connection.wait) as server:
        anyio.run(run, server.url)


def test_a_stream_that_is_left_or_dropped_gives_its_place_back() -> None:
    many = streamed("a", *["b" * 100_000] * 30, "END")
    with (
        scripted(lambda connection: connection.send(many)) as server,
        _client(Client, server.url, max_concurrent=1) as client,
    ):
        with client.stream("acme/m", "q") as stream:
            next(stream)
        dropped = client.stream("acme/m", "q")
        next(dropped)
        with pytest.warns(ResourceWarning, match="was not closed"):
            del dropped
        with client.stream("acme/m", "q") as stream:
            next(stream)
        queue = client.states()["acme"].queue
    assert queue is not None
    assert queue.active == 0


BREAKER = {"breaker": BreakerConfig(min_calls=2)}


def test_the_only_target_is_never_refused_unless_that_is_asked_for(world: World) -> None:
    with scripted(fault(500)) as server:
        kept = world(server, *[CHAT] * 5, endpoint=BREAKER)
        asked = {"breaker": BreakerConfig(min_calls=2, even_last=True)}
        refused = world(server, *[CHAT] * 5, endpoint=asked)
    assert [type(result.error) for result in kept] == [e.InternalServerError] * 5
    assert [type(result.error) for result in refused] == [e.InternalServerError] * 2 + [e.CircuitOpenError] * 3
    assert 4 <= refused[-1].error.retry_after <= 5
    assert len(server.heads) == 7


@pytest.mark.parametrize(
    ("step", "counts"),
    [
        (fault(500), 1),
        (fault(529), 1),
        (Connection.reset, 1),
        (streamed("a"), 1),
        (fault(400), 0),
        (fault(404), 0),
        (fault(429), 0),
        (fault(501), 0),
    ],
)
def test_what_counts_against_a_target(step: Any, counts: int) -> None:
    with scripted(step) as server, Client(plugins=[Acme(server.url)]) as client:
        with pytest.raises(e.APIError):
            client.stream("acme/m", "q").read()
        known = client.states()["acme"].breakers["m"]
    assert (known.calls, known.failure_rate) == (counts, float(counts))


def test_it_closes_again_and_its_state_can_be_read() -> None:
    clock = FakeClock(chance=0.0)

    def later() -> None:
        clock.at += 6

    with (
        scripted(fault(500), fault(500), fine()) as server,
        Client(
            plugins=[Acme(server.url)], endpoints={"acme": EndpointConfig(breaker=BreakerConfig(min_calls=2))}
        ) as client,
    ):
        client._core.clock = clock
        for _ in range(2):
            with pytest.raises(e.InternalServerError):
                client.chat("acme/m", "q")
        known = client.states()["acme"].breakers["m"]
        assert (known.state, known.retry_after) == ("open", 5.0)
        later()
        assert client.states()["acme"].breakers["m"].state == "half_open"
        client.chat("acme/m", "q")
        client.chat("acme/m", "q")
        assert client.states()["acme"].breakers["m"].state == "closed"


@pytest.mark.parametrize("name", ["acme/m", "acme"])
def test_isolation_by_hand_is_heeded_even_by_the_only_target(name: str) -> None:
    with scripted(fine()) as server, Client(plugins=[Acme(server.url)]) as client:
        client.isolate(name)
        with pytest.raises(e.CircuitOpenError, match="isolated by hand"):
            client.chat("acme/m", "q")
        assert client.healthcheck("acme").ok
        if name == "acme/m":
            client.chat("acme/other", "q")
        client.restore("acme")
        client.chat("acme/m", "q")


def test_keys_can_be_taken_in_again() -> None:
    endpoints = {"acme": EndpointConfig(key=["sk-first-key", "sk-second-key"])}
    with (
        scripted(fault(401), fault(401), fine()) as server,
        Client(plugins=[Acme(server.url)], endpoints=endpoints) as client,
    ):
        with pytest.raises(e.AuthenticationError):
            client.chat("acme/m", "q")
        with pytest.raises(e.AuthenticationError, match="were refused"):
            client.chat("acme/m", "q")
        assert [key.state for key in client.states()["acme"].keys] == ["out", "out"]
        client.reload_keys("acme")
        assert client.chat("acme/m", "q").text == "blue"


def test_limits_meet_a_second_loop_with_a_clear_error() -> None:
    with scripted(Connection.wait) as server:
        client = _client(AsyncClient, server.url, max_concurrent=1)

        async def leave() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(client.chat, "acme/m", "q")
                await settle(lambda: server.bodies)
                group.cancel_scope.cancel()

        anyio.run(leave)
        with pytest.raises(e.ConfigError, match="another event loop"):
            anyio.run(client.chat, "acme/m", "q")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_anew() -> None:
    many = streamed("a", *["b" * 100_000] * 30, "END")
    script = [lambda connection: connection.send(many), fine("child"), fine("parent")]
    with scripted(*script) as server, _client(Client, server.url, max_concurrent=1) as client:
        stream = client.stream("acme/m", "q")
        next(stream)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if client.chat("acme/m", "q", timeout=100).text == "child" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.states()["acme"].active == 1
        stream.close()
        assert client.chat("acme/m", "q").text == "parent"
        assert client.states()["acme"].active == 0
