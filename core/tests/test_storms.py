"""Many callers, long outages, endless answers: what a server bears of it, and what a client does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import BreakerConfig, Client, Config, EndpointConfig, RetryConfig, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import HttpResponse
from ipfs_accel.testing.raw_server import Connection, RawServer
from ipfs_accel.wire.assembler import Assembler

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, on_trio, outcome, scripted, streamed
from .fake_clock import FakeClock

World = Callable[..., Any]
CHAT = ("chat", {"model": "acme/m", "messages": "q"})
CALLERS = 100


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


class Chance(FakeClock):
    """A clock with true chance, from a fixed beginning."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(11)

    def random(self) -> float:
        return self._random.random()


def client_of(server: RawServer, clock: FakeClock, **endpoint: Any) -> Client:
    client = Client(Config(environ={}), plugins=[Acme(server.url)], endpoints={"acme": EndpointConfig(**endpoint)})
    client._core.clock = clock
    return client


def test_callers_who_are_turned_away_do_not_come_back_together() -> None:
    """Each caller's waits are counted from the same moment, at which all of them were turned away."""
    arrivals: list[float] = []
    clock = Chance()
    with scripted(fault(429)) as server, client_of(server, clock, retry=RetryConfig(budget=100_000)) as client:
        for _ in range(CALLERS):
            clock.slept.clear()
            with pytest.raises(e.RateLimitError):
                client.chat("acme/m", "q")
            first, second = clock.slept
            arrivals += [first, first + second]
    width = 0.25
    spikes = [sum(start <= each < start + width for each in arrivals) for start in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)]
    assert max(spikes) <= 2 * sum(spikes) / len(spikes)


def test_what_all_retries_cost_is_bounded() -> None:
    config = RetryConfig()
    with scripted(fault(429)) as server, client_of(server, FakeClock(), retry=config) as client:
        for _ in range(2 * CALLERS):
            with pytest.raises(e.RateLimitError):
                client.chat("acme/m", "q")
    assert len(server.heads) <= 2 * CALLERS + config.budget / config.throttle_cost


class Quota(Acme):
    """Says by a code that the money is gone."""

    @hookimpl
    def describe(self) -> Any:
        import attrs

        def read(response: HttpResponse) -> Any:
            return attrs.evolve(info.read_error(response), kind=e.QuotaExceededError)

        info = Acme.describe(self)
        return attrs.evolve(info, read_error=read)


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_a_quota_that_is_used_up_is_not_waited_for(operation: str, world: World) -> None:
    clock = FakeClock()
    with scripted(fault(429, "insufficient_quota", retry_after="3")) as server:
        error = outcome(world, server, operation, plugin=Quota, clock=clock, endpoint={"retry": RetryConfig()})
    assert (type(error), error.attempts, clock.slept) == (e.QuotaExceededError, 1, [])


def test_an_outage_costs_a_server_little_and_ends_by_itself() -> None:
    """Ten calls a second for two minutes, of which the server is down for the first."""
    clock = Chance()

    def down_at_first(connection: Connection) -> None:
        while True:
            connection.send(fault(503) if clock.at < end_of_outage else fine())
            if connection.request() is None:
                return

    end_of_outage = clock.at + 60
    breaker = BreakerConfig(even_last=True)
    served = refused = 0
    with scripted(down_at_first) as server, client_of(server, clock, breaker=breaker, retry=RetryConfig()) as client:
        begun = clock.at
        for number in range(1200):
            clock.at = max(clock.at, begun + number / 10)
            try:
                client.chat("acme/m", "q")
                served += 1
            except e.CircuitOpenError:
                refused += 1
            except e.OverloadedError:
                pass
        assert client.states()["acme"].breakers["m"].state == "closed"
    assert served > 400
    assert refused > 400
    assert len(server.heads) <= 1.2 * served


@pytest.mark.parametrize("operation", ["chat", "stream"])
@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_clock_that_is_set_changes_nothing(
    step: float, operation: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, moves = time.time, iter(range(1_000_000))
    monkeypatch.setattr(time, "time", lambda: truth() + step * next(moves))
    hint = {"retry_after": "Wed, 21 Oct 2015 07:28:02 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    clock = FakeClock(chance=0.0)
    good = streamed("blue", "END") if operation == "stream" else fine()
    with scripted(fault(429, **hint), good) as server:
        found = outcome(world, server, operation, clock=clock, endpoint={"retry": RetryConfig()})
    assert (found.text, clock.slept) == ("blue", [2.0])
    assert 0 <= found.timing.total < 60


def test_slow_streams_that_hold_all_connections() -> None:
    """A local limit, told as such: no server is to blame for it."""
    many = streamed("a", *["b" * 100_000] * 30, "END")
    config = {"breaker": BreakerConfig(min_calls=1), "retry": RetryConfig()}
    with (
        scripted(lambda connection: connection.send(many)) as server,
        client_of(server, FakeClock(), **config) as client,
    ):
        client._world.transport._pool.max_connections = 1
        with client.stream("acme/m", "q") as stream:
            next(stream)
            with pytest.raises(e.PoolTimeoutError, match=r"all 1 are in use \(1 open exchanges\)|all 200") as caught:
                client.chat("acme/m", "q", timeout=0.1)
        assert (caught.value.attempts, caught.value.sent) == (1, False)
        assert client.states()["acme"].breakers["m"].state == "closed"
        assert client._world.transport.stats().active == 0


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_an_error_is_told_however_much_a_server_says_of_it(operation: str, world: World) -> None:
    def loud(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")

    with scripted(loud) as server:
        error = outcome(world, server, operation, endpoint={"retry": RetryConfig(attempts=1)})
    assert (type(error), error.status, error.retry_after) == (e.OverloadedError, 503, 7.0)
    assert len(repr(vars(error))) < 5000


@pytest.mark.parametrize("head", [b"x: " + b"y" * 400_000, b"x: y\r\n" * 60_000])
def test_a_head_without_end_is_told_as_such(head: bytes, world: World) -> None:
    with scripted(lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n" + head)) as server:
        error = outcome(world, server)
    assert (type(error), error.attempts, error.retryable) == (e.APIConnectionError, 1, False)
    assert "sent a head that is longer than" in str(error)


def test_a_body_in_tiny_pieces_takes_no_more_room_than_one_in_large_ones(world: World) -> None:
    body = b'{"answer": "' + b"x" * 20_000 + b'", "used": 1}'
    pieces = b"".join([b"2\r\n" + body[at : at + 2] + b"\r\n" for at in range(0, len(body) - 1, 2)])
    rest = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) % 2, body[-1:]) if len(body) % 2 else b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with scripted(head + pieces + rest) as server:
        assert outcome(world, server).text == "x" * 20_000


def test_a_stream_that_is_kept_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Assembler, "max_bytes", 100_000)

    def endless(connection: Connection) -> None:
        connection.send(streamed("a", end=False))
        while True:
            connection.send(b"1001\r\n" + b"x" * 4096 + b"\n\r\n")

    with scripted(endless) as server:
        error = outcome(world, server, "stream", timeout=Timeout(total=None))
    assert type(error) is e.InvalidResponseError
    assert "the stream is longer than 100000 bytes" in str(error)
    assert len(error.partial.text) < 200_000
