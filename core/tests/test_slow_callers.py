"""Callers that take their time over a stream: what they do between two events is no silence of the server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint
from ipfs_accel.testing.raw_server import Connection, serve
from ipfs_accel.types import ChatRequest, TextDelta

from .acme import Acme, decode
from .depot import Depot
from .fake_clock import FakeClock, TickingClock
from .test_streams import head, piece

LIMITS = Timeout(first_event=60, idle=60, total=None)
LONG = 1000.0  # much longer than a server may be silent, much shorter than a test waits
LARGE = 400_000  # several reads


def text(words: str) -> bytes:
    return words.encode() + b"\n"


def progress(status: str) -> bytes:
    return b'{"status": "%s"}\n' % status.encode()


OPERATIONS: dict[str, tuple[Any, str, tuple[str, ...], Callable[[str], bytes], bytes]] = {
    "chat": (Acme, "stream", ("acme/m", "q"), text, b"END\n"),
    "transfer": (Depot, "stream_pull_model", ("depot/m",), progress, progress("success")),
}


def consume(
    world: str,
    script: Callable[[Connection], None],
    clock: FakeClock,
    between: Callable[[], Any] = lambda: None,
    operation: str = "chat",
    plugin: Any = None,
    middleware: tuple[Any, ...] = (),
) -> list[Any]:
    """Read a stream's first event, do something, and read the rest of its events."""
    backend, name, arguments, *_ = OPERATIONS[operation]
    kind = Client if world == "threads" else AsyncClient
    with serve(script) as server:
        endpoint = EndpointConfig(base_url=server.url, timeout=LIMITS, key="k")
        plugins = [plugin or (Acme(server.url) if backend is Acme else Depot())]
        client: Any = kind(plugins=plugins, endpoints={arguments[0].split("/")[0]: endpoint}, middleware=middleware)
        client._core.clock = clock
        if world == "threads":
            with client, getattr(client, name)(*arguments) as stream:
                first = next(stream)
                between()
                return [first, *stream]

        async def run() -> list[Any]:
            async with client, getattr(client, name)(*arguments) as stream:
                first = await anext(stream)
                between()
                return [first, *[event async for event in stream]]

        return anyio.run(run, backend=world)


def words(events: list[Any]) -> str:
    return "".join([event.text for event in events if isinstance(event, TextDelta)])


def in_pieces(data: bytes) -> bytes:
    step = 1 + len(data) // 7
    return b"".join(piece(data[start : start + step]) for start in range(0, len(data), step))


@pytest.mark.parametrize("world", ["threads", "asyncio", "trio"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_caller_that_is_slow_is_no_silent_server(operation: str, world: str) -> None:
    clock, has_paused = FakeClock(), threading.Event()
    *_, line, end = OPERATIONS[operation]

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(line("a")))
        has_paused.wait()
        connection.send(piece(b"\n"))  # says nothing, as a ping does
        connection.send(in_pieces(line("b" * LARGE)) + piece(end) + b"0\r\n\r\n")

    def between() -> None:
        clock.at += LONG
        has_paused.set()

    events = consume(world, script, clock, between, operation)
    assert any("b" * LARGE in repr(event) for event in events)


@pytest.mark.parametrize("world", ["threads", "asyncio", "trio"])
def test_middleware_that_is_slow_is_no_silent_server(world: str) -> None:
    clock, has_paused = FakeClock(), threading.Event()

    class Ponders:
        api_version = 1

        @hookimpl
        def rewrite_event(self, event: Any) -> Any:
            clock.at += LONG
            has_paused.set()
            return None

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n"))
        has_paused.wait()
        connection.send(piece(b"...\n") + in_pieces(text("b" * LARGE)) + piece(b"END\n") + b"0\r\n\r\n")

    assert words(consume(world, script, clock, middleware=(Ponders(),))) == "a" + "b" * LARGE


@pytest.mark.parametrize("world", ["threads", "asyncio", "trio"])
def test_a_process_that_stood_still_is_no_silent_server(world: str) -> None:
    clock, is_seen = FakeClock(), threading.Event()

    def decoded(frame: str, out: Any) -> None:
        if frame == "...":
            clock.at += LONG  # it was stopped while it waited, and what came meanwhile is looked at now
            is_seen.set()
        decode(frame, out)

    class Stopped(Acme):
        @hookimpl
        def stream(self, endpoint: Endpoint, request: ChatRequest) -> Any:
            return attrs.evolve(super().stream(endpoint, request), decoder=lambda: decoded)

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n"))
        has_read.wait()
        connection.send(piece(b"...\n"))
        is_seen.wait()
        connection.send(piece(b"b\nEND\n") + b"0\r\n\r\n")

    has_read = threading.Event()
    assert words(consume(world, script, clock, has_read.set, plugin=Stopped(""))) == "ab"


@pytest.mark.parametrize("world", ["threads", "asyncio", "trio"])
def test_a_server_that_only_pings_is_told_as_silent_to_a_slow_caller_too(world: str) -> None:
    clock = TickingClock()
    clock.ticks = False

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(head(b"a\n"))
        while True:
            connection.send(piece(b"...\n"))

    def between() -> None:
        clock.at += LONG
        clock.ticks = True

    with pytest.raises(e.StreamInterrupted, match=r"came within 60 s \(timeout.idle, by default\)") as caught:
        consume(world, script, clock, between)
    assert caught.value.phase == "idle"
    assert caught.value.partial == "a" or caught.value.partial
