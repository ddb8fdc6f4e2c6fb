"""The catalogue of faults through the retry layer: what passes is tried again, what was begun or is final is not."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, LimitsConfig, RetryConfig
from ipfs_accel import errors as e
from ipfs_accel.testing import FAULTS, Connection, Fault, RawServer, Reply, json_reply, serve
from ipfs_accel.testing.trials import WORLDS, Subject, against
from ipfs_accel.types import Timeout

from .acme import Acme

CHAT = json_reply({"answer": "42", "used": 7})
STREAM = Reply(pieces=(b"4\n", b"2\n", b"END\n"), content_type="application/x-ndjson")
AT_ONCE = RetryConfig(base=0.0, throttle_base=0.0)
SERVED = [fault for fault in FAULTS.values() if fault.place == "server" and fault.calls == 1]

# Faults after which the same call may well succeed, before anything of the answer was handed out.
PASSING = {
    "reset_before_head",
    "cut_in_head",
    "reset_in_head",
    "reset_in_body",
    "cut_chunks",
    "short_body",
    "empty_body",  # what a gateway sends whose upstream was lost
}
SILENT = {"silence_before_head", "silence_after_head", "stall", "heartbeats", "byte_by_byte", "endless"}


def once(fault: Fault, reply: Reply) -> Any:
    """A handler that has the fault at the first request and answers well from then on."""
    seen: list[int] = []

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            seen.append(connection.number)
            if len(seen) == 1:
                assert fault.script is not None
                fault.script(connection, reply)
            else:
                connection.send(reply.sent())

    return handle


def _name(fault: Fault) -> str:
    return fault.name


def settings(url: str, timeout: Timeout, **more: Any) -> dict[str, Any]:
    endpoint = EndpointConfig(base_url=url, retry=AT_ONCE, timeout=timeout, **more)
    return {"config": Config(environ={}), "plugins": [Acme(url)], "endpoints": {"acme": endpoint}}


def ask(world: str, url: str, timeout: Timeout, *, stream: bool, calls: int = 1) -> Any:
    """Make a call in a world, several times if asked; return the last one's text or the error."""

    def blocking() -> Any:
        with Client(**settings(url, timeout)) as client:
            text = ""
            try:
                for _ in range(calls):
                    text = (client.stream("acme/m", "q").read() if stream else client.chat("acme/m", "q")).text
            except e.AccelError as error:
                return error
            finally:
                assert client._world.transport.stats().active == 0
            return text

    async def awaiting() -> Any:
        async with AsyncClient(**settings(url, timeout)) as client:
            text = ""
            try:
                for _ in range(calls):
                    call = client.stream("acme/m", "q").read() if stream else client.chat("acme/m", "q")
                    text = (await call).text
            except e.AccelError as error:
                return error
            finally:
                assert client._world.transport.stats().active == 0
            return text

    return blocking() if world == "sync" else anyio.run(awaiting, backend=world)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ["whole", "stream"])
@pytest.mark.parametrize("fault", [FAULTS["refused"], FAULTS["unknown_host"], FAULTS["blackhole"]], ids=_name)
def test_a_server_that_is_not_there_is_tried_thrice_unless_it_never_was(world: str, kind: str, fault: Fault) -> None:
    with against(Subject(plugin=Acme("")), fault, CHAT) as (url, _):
        got = ask(world, url, fault.limits_of(is_stream=kind == "stream"), stream=kind == "stream")
    assert isinstance(got, fault.whole or ()), got
    assert (got.attempts, got.sent) == (1 if fault.name == "unknown_host" else 3, False)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_a_kept_connection_that_was_closed_costs_no_attempt(world: str, kind: str) -> None:
    fault = FAULTS["stale_connection"]
    with serve(fault.against(STREAM if kind == "stream" else CHAT)) as server:
        got = ask(world, server.url, fault.limits, stream=kind == "stream", calls=fault.calls)
        assert (got, len(server.heads), server.connections) == ("42", 3, 2)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("fault", SERVED, ids=_name)
def test_a_whole_answer_is_fetched_again_where_that_helps(world: str, fault: Fault) -> None:
    if fault.whole is None:
        pytest.skip("a fault of streams")
    with serve(once(fault, CHAT)) as server:
        got = ask(world, server.url, fault.limits, stream=False)
    if fault.name in PASSING or not fault.whole:
        assert (got, len(server.heads)) == ("42", 1 + bool(fault.whole))
    else:
        # Silence ends the whole call's time; what is wrong rather than lost is told at once.
        assert isinstance(got, fault.whole), got
        assert len(server.heads) <= 1  # on a busy machine its time may be over before it was read
        assert fault.name in SILENT or not got.retryable


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("fault", SERVED, ids=_name)
def test_a_stream_is_begun_anew_only_before_its_first_event(world: str, fault: Fault) -> None:
    if fault.stream is None:
        pytest.skip("a fault of whole answers")
    with serve(once(fault, STREAM)) as server:
        got = ask(world, server.url, fault.limits_of(is_stream=True), stream=True)
    if isinstance(got, e.StreamInterrupted | e.StreamIncomplete):
        assert got.partial is not None
        assert got.partial.text.startswith("4")
        assert len(server.heads) <= 1  # on a busy machine its time may be over before it was read
    elif isinstance(got, e.AccelError):
        assert isinstance(got, fault.stream), got
    else:
        assert got == "42"
        assert len(server.heads) == 1 + bool(fault.stream)


@pytest.fixture
def storm() -> Iterator[tuple[RawServer, Counter[str]]]:
    """A server that meets three of ten requests with a fault, by a fixed sequence of chances."""
    chances = random.Random(7)
    lock = threading.Lock()
    happened: Counter[str] = Counter()
    names = [*sorted(PASSING), "null", "html", "long_body"]

    def handle(connection: Connection) -> None:
        while (head := connection.request()) is not None:
            reply = STREAM if head.startswith("POST /stream") else CHAT
            with lock:
                name = chances.choice(names) if chances.random() < 0.3 else "none"
                happened[name] += 1
            time.sleep(0.002)
            script = FAULTS[name].script if name != "none" else None
            if script is None:
                connection.send(reply.sent())
            else:
                script(connection, reply)

    with serve(handle) as server:
        yield server, happened


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what /proc shows")
def test_two_minutes_of_faults_at_twice_the_capacity(storm: tuple[RawServer, Counter[str]]) -> None:
    """No wrong answer, none lost, and sockets, tasks and memory stay flat."""
    server, happened = storm
    outcomes: Counter[str] = Counter()
    levels: list[tuple[int, int]] = []

    async def caller(client: AsyncClient, until: float, *, stream: bool) -> None:
        while time.monotonic() < until:
            try:
                if stream:
                    async with client.stream("acme/m", "q") as events:
                        text = (await events.read()).text
                else:
                    text = (await client.chat("acme/m", "q")).text
                outcomes["right" if text == "42" else "wrong"] += 1
            except (e.APIError, e.CircuitOpenError) as error:
                outcomes[type(error).__name__] += 1

    async def run() -> None:
        limits = LimitsConfig(max_concurrent=8, max_queue=64)
        timeout = Timeout(first_event=60.0, idle=60.0, total=60.0)
        async with AsyncClient(**settings(server.url, timeout, limits=limits)) as client:
            end = time.monotonic() + 120
            async with anyio.create_task_group() as group:
                for number in range(16):  # twice as many as may be under way
                    group.start_soon(lambda stream=bool(number % 2): caller(client, end, stream=stream))
                for _ in range(6):
                    await anyio.sleep(19)
                    stats = client._world.transport.stats()
                    levels.append((descriptors(), stats.active + stats.idle))
                    # The server keeps a thread for each connection that it ever had; its own memory is not in question.
            assert client._world.transport.stats().active == 0

    anyio.run(run)
    assert outcomes["wrong"] == 0
    assert outcomes["right"] > 0.8 * sum(outcomes.values())
    assert sum(happened.values()) >= sum(outcomes.values())
    assert max(connections for _, connections in levels) <= 16
