"""What a stream does when its server does not do its part; in both worlds, over raw sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Timeout
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import Connection, chunked, serve
from ipfs_accel.types import TextDelta

from .acme import Acme
from .fake_clock import FakeClock, TickingClock

Script = Callable[[Connection], None]
Result = tuple[list[Any], Exception | None, Any]


def head(*chunks: bytes) -> bytes:
    return chunked(*chunks, end=False, content_type="application/x-ndjson")


def piece(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def blocking(url: str, timeout: Timeout, calls: int, clock: FakeClock) -> Result:
    events: list[Any] = []
    with Client(plugins=[Acme(url)], timeout=timeout) as client:
        client._core.clock = clock
        error = None
        for _ in range(calls):
            try:
                with client.stream("acme/m", "q") as stream:
                    events += stream
            except e.AccelError as caught:
                error = caught
        assert client._world.transport.stats().active == 0
        return events, error, client._world.transport.stats()


def awaiting(url: str, timeout: Timeout, calls: int, clock: FakeClock) -> Result:
    async def run() -> Result:
        events: list[Any] = []
        async with AsyncClient(plugins=[Acme(url)], timeout=timeout) as client:
            client._core.clock = clock
            error = None
            for _ in range(calls):
                try:
                    async with client.stream("acme/m", "q") as stream:
                        events.extend([event async for event in stream])
                except e.AccelError as caught:
                    error = caught
            assert client._world.transport.stats().active == 0
            return events, error, client._world.transport.stats()

    return anyio.run(run)


@pytest.fixture(params=[blocking, awaiting])
def consume(request: pytest.FixtureRequest) -> Callable[..., Result]:
    def use(script: Script, timeout: Timeout | None = None, calls: int = 1, clock: FakeClock | None = None) -> Result:
        with serve(script) as server:
            return request.param(server.url, timeout or Timeout(), calls, clock or FakeClock())  # type: ignore[no-any-return]

    return use


def text_of(error: Any) -> str | None:
    return error.partial.text if error.partial else None


def test_a_connection_that_breaks_in_the_middle(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n", b"b\n"))

    _, error, _ = consume(script)
    assert isinstance(error, e.StreamInterrupted)
    assert text_of(error) == "ab"
    assert error.endpoint == "acme"


def test_a_connection_that_breaks_before_the_first_event_is_a_connection_error(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"...\n"))

    _, error, _ = consume(script)
    assert type(error) is e.APIConnectionError
    assert error.retryable


def test_silence_before_the_first_event(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head())
        connection.wait()

    _, error, _ = consume(script, Timeout(first_event=0.1))
    assert type(error) is e.APITimeoutError
    assert error.phase == "read"


def test_silence_after_the_first_event(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n"))
        connection.wait()

    _, error, _ = consume(script, Timeout(first_event=60, idle=0.1))
    assert isinstance(error, e.StreamInterrupted)
    assert (error.phase, text_of(error)) == ("read", "a")


@pytest.mark.parametrize(
    ("first", "phase", "kind"), [(b"", "total", e.DeadlineExceededError), (b"a\n", "idle", e.StreamInterrupted)]
)
def test_heartbeats_are_no_events_but_before_the_first_one_they_are_life(
    first: bytes, phase: str, kind: type[Exception], consume: Callable[..., Result]
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(first) if first else head())
        while True:
            connection.send(piece(b"...\n"))

    _, error, _ = consume(script, Timeout(first_event=60, idle=60, total=300), clock=TickingClock())
    assert type(error) is kind
    assert error.phase == phase  # type: ignore[attr-defined]


def test_a_stream_without_end_meets_the_total_limit(consume: Callable[..., Result]) -> None:
    clock = FakeClock()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head())
        while True:
            connection.send(piece(b"word\n"))
            clock.at += 1

    _, error, _ = consume(script, Timeout(first_event=None, idle=None, total=300), clock=clock)
    assert isinstance(error, e.StreamInterrupted)
    assert error.phase == "total"


def test_a_line_without_end_is_bounded(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head())
        for _ in range(100):
            connection.send(piece(b"x" * 100_000))
        connection.wait()

    _, error, _ = consume(script)
    assert isinstance(error, e.InvalidResponseError)
    assert "longer than the limit" in str(error)


def test_bytes_that_are_no_text(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n", b"\xff\n"))
        connection.wait()

    _, error, _ = consume(script)
    assert isinstance(error, e.InvalidResponseError)
    assert "not valid UTF-8 (at byte 2)" in str(error)
    assert text_of(error) == "a"


def test_what_comes_after_the_terminal_signal_is_ignored_and_the_connection_serves_again(
    consume: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipfs_accel._calls.streams.DRAIN_SECONDS", 60.0)

    def script(connection: Connection) -> None:
        while connection.request():
            connection.send(head(b"a\nEND\n"))
            time.sleep(0.02)
            connection.send(piece(b"late\n") + b"0\r\n\r\n")

    events, error, stats = consume(script, calls=3)
    assert error is None
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["a", "a", "a"]
    assert (stats.opened, stats.reused) == (1, 2)


def test_a_server_that_does_not_end_after_the_terminal_signal_is_not_waited_for(consume: Callable[..., Result]) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\nEND\n"))
        connection.wait()

    started = time.perf_counter()
    _, error, _ = consume(script)
    assert error is None
    assert time.perf_counter() - started < 30  # the limit on silence is a minute
