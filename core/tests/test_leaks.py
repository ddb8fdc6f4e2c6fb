"""What a call that ends early has taken it gives back: places, keys, probes, tokens, connections; tasks and threads end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from ipfs_accel import (
    AsyncClient,
    BatchingConfig,
    BreakerConfig,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    LimitsConfig,
    RetryConfig,
)
from ipfs_accel import errors as e
from ipfs_accel._resilience.clock import Clock
from ipfs_accel.testing.raw_server import Connection, RawServer

from .both_worlds import fault, fine, scripted, streamed
from .http_worlds import settle
from .test_joined import Embedding, waiting

LIBRARIES = ["asyncio", "trio"]
MANY = 12
BUDGET = RetryConfig().budget
HANGS = streamed("a", end=False)


def endpoint(cache: CacheConfig | None = None, **more: Any) -> dict[str, Any]:
    """Return the arguments of a client whose endpoint has everything that a call can take."""
    values = {
        "key": ["sk-first-key-1", "sk-second-key-2"],
        "limits": LimitsConfig(max_concurrent=2),
        "breaker": BreakerConfig(min_calls=1),
        "batching": BatchingConfig(max_wait=60.0),
        "retry": RetryConfig(base=300.0, throttle_base=300.0, max_wait=300.0, total_wait=600.0),
    }
    return {"config": Config(environ={}, cache=cache), "endpoints": {"acme": EndpointConfig(**{**values, **more})}}


class Late(Clock):
    """Makes waits as long as they may be.

    Attributes:
        pausing: How many tasks wait for nothing but time.
        on_sleep: Called by a thread that is about to wait.
    """

    def __init__(self) -> None:
        self.pausing = 0
        self.on_sleep: Callable[[], Any] = bool

    def random(self) -> float:
        return 1.0

    def sleep(self, seconds: float | None, woken: threading.Event | None = None) -> None:
        self.on_sleep()
        super().sleep(seconds, woken)

    async def sleep_async(self, seconds: float | None, woken: anyio.Event | None = None) -> None:
        self.pausing += woken is None
        try:
            await super().sleep_async(seconds, woken)
        finally:
            self.pausing -= woken is None


def made(kind: Any, server: RawServer, **more: Any) -> Any:
    client = kind(plugins=[Embedding(server.url)], **endpoint(**more))
    client._core.clock = Late()
    return client


def nothing_is_held(client: Any, spent: int = 0) -> None:
    """Raise if anything is still taken."""
    state = client.states()["acme"]
    assert state.active == 0
    assert (state.queue.active, sum(state.queue.waiting.values())) == (0, 0)
    assert [key.active for key in state.keys] == [0, 0]
    assert state.retry_tokens == BUDGET - spent
    assert client._core.targets()["acme"].guard.batcher._open == {}
    stats = client._world.transport.stats()
    assert stats.active == 0


def hang(connection: Connection) -> None:
    connection.wait()


def hang_in_answer(connection: Connection) -> None:
    connection.send(HANGS)
    connection.wait()


def refuse(connection: Connection) -> None:
    connection.send(fault(503))
    connection.close()


async def chat(client: AsyncClient, _events: list[Any]) -> None:
    await client.chat("acme/m", "q")


async def stream(client: AsyncClient, events: list[Any]) -> None:
    async with client.stream("acme/m", "q") as found:
        async for event in found:
            events.append(event)


async def embed(client: AsyncClient, _events: list[Any]) -> None:
    await client.embed("acme/m", "q")


class Moment(NamedTuple):
    """When `MANY` calls are cut off.

    Attributes:
        script: What the server does.
        call: Made by each.
        asked: How many requests the server has then.
        events: How many of streams there are.
        pausing: How many calls wait to be made again.
        joining: How many wait for company.
        inputs: How many make a batch full.
    """

    script: Callable[[Connection], None]
    call: Callable[[AsyncClient, list[Any]], Any]
    asked: int = 2
    events: int = 0
    pausing: int = 0
    joining: int = 0
    inputs: int = MANY

    def has_come(self, client: Any, server: RawServer, events: list[Any]) -> bool:
        clock: Late = client._core.clock
        now = (len(server.bodies), len(events), clock.pausing, waiting(client))
        return now == (self.asked, self.events, self.pausing, self.joining)

    def batching(self) -> BatchingConfig:
        return BatchingConfig(max_wait=60.0, max_inputs=self.inputs)


MOMENTS = {
    "in the queue or before an answer": Moment(hang, chat),
    "before a stream's first event": Moment(hang, stream),
    "within a stream": Moment(hang_in_answer, stream, events=4),
    "between two attempts": Moment(refuse, chat, asked=MANY, pausing=MANY),
    "between two attempts of a stream": Moment(refuse, stream, asked=MANY, pausing=MANY),
    "before a joined request": Moment(hang, embed, asked=0, joining=MANY, inputs=MANY + 1),
    "in a joined request": Moment(hang, embed, asked=1),
}


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    until = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_call_that_is_cancelled_leaves_nothing_behind(moment: str, library: str) -> None:
    when = MOMENTS[moment]

    async def run(server: RawServer) -> None:
        events: list[Any] = []
        async with made(AsyncClient, server, batching=when.batching()) as client:
            async with anyio.create_task_group() as group:
                for _ in range(MANY):
                    group.start_soon(when.call, client, events)
                await settle(lambda: when.has_come(client, server, events))
                group.cancel_scope.cancel()
            nothing_is_held(client)
        assert client._world.transport.stats().idle == 0

    with scripted(when.script) as server:
        anyio.run(run, server, backend=library)
        _settled(lambda: server.closed == server.connections)


@pytest.mark.parametrize("how", ["twice", "again while it cleans up", "at every turn"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_who_is_cancelled_again_while_cleaning_up_leaves_nothing_behind(moment: str, how: str) -> None:
    when = MOMENTS[moment]
    noise: list[Any] = []

    async def run(server: RawServer) -> None:
        events: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        async with made(AsyncClient, server, batching=when.batching()) as client:
            tasks = [asyncio.create_task(when.call(client, events)) for _ in range(MANY)]
            await settle(lambda: when.has_come(client, server, events))
            for turn in range(8 if how == "at every turn" else 2):
                for task in tasks:
                    task.cancel()
                if how != "twice" or turn:
                    await asyncio.sleep(0)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} == {asyncio.CancelledError}
            assert len(asyncio.all_tasks()) == 1
            nothing_is_held(client)

    with scripted(when.script) as server:
        asyncio.run(run(server))
    gc.collect()
    assert noise == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_probe_that_is_cancelled_lets_the_next_one_go(library: str) -> None:
    async def run(server: RawServer) -> None:
        calm = BreakerConfig(min_calls=1, open_for=0.001, even_last=True)
        async with made(AsyncClient, server, breaker=calm, retry=RetryConfig(attempts=1)) as client:
            with pytest.raises(e.OverloadedError):
                await client.chat("acme/m", "q")
            await anyio.sleep(0.01)
            async with anyio.create_task_group() as group:
                group.start_soon(client.chat, "acme/m", "q")
                await settle(lambda: len(server.bodies) == 2)
                group.cancel_scope.cancel()
            nothing_is_held(client)
            await client.chat("acme/m", "q")  # is the next probe

    with scripted(fault(503), hang, fine()) as server:
        anyio.run(run, server, backend=library)


def test_streams_that_are_dropped_at_any_moment_leave_nothing_behind() -> None:
    with scripted(hang_in_answer) as server, made(Client, server) as client:
        unopened = client.stream("acme/m", "q")
        del unopened
        opened = client.stream("acme/m", "q")
        next(opened)
        with pytest.warns(ResourceWarning, match="was not closed"):
            del opened
        abandoned = (text for text in client.stream("acme/m", "q").text_stream)
        assert next(abandoned) == "a"
        with pytest.warns(ResourceWarning, match="was not closed"):
            del abandoned
        nothing_is_held(client)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_stream_that_is_dropped_in_a_loop_leaves_nothing_behind(library: str) -> None:
    async def run(url: RawServer) -> None:
        async with made(AsyncClient, url) as client:
            stream = client.stream("acme/m", "q")
            await anext(stream)
            with pytest.warns(ResourceWarning, match="was not closed"):
                del stream
            await anyio.sleep(0.01)
            nothing_is_held(client)

    with scripted(hang_in_answer) as server:
        anyio.run(run, server, backend=library)


@pytest.mark.filterwarnings("ignore:.*was not closed:ResourceWarning", "ignore:unclosed:ResourceWarning")
def test_streams_that_only_the_garbage_collector_finds_leave_nothing_behind() -> None:
    """It runs all the time, also while a thread holds one of the locks."""
    many = streamed("a", *["b" * 100_000] * 30, "END")

    def answer_all(connection: Connection) -> None:
        while True:
            connection.send(many if " /stream " in connection.server.heads[-1] else fault(503))
            if connection.request() is None:
                return

    def use(client: Client) -> None:
        for _ in range(15):
            stream = client.stream("acme/m", "q")
            _error_of(next, stream)
            circle: list[Any] = [stream]
            circle.append(circle)
            del stream, circle
            _error_of(lambda client: client.embed("acme/m", "q"), client)

    threshold = gc.get_threshold()
    config = {"retry": RetryConfig(attempts=2, base=0.0), "batching": BatchingConfig(max_wait=0.001)}
    with scripted(answer_all) as server, made(Client, server, **config) as client:
        threads = [threading.Thread(target=use, args=(client,)) for _ in range(6)]
        gc.collect()
        gc.freeze()  # what was there before is not gone through again and again
        gc.set_threshold(1)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(300)
        finally:
            gc.set_threshold(*threshold)
        assert not [thread for thread in threads if thread.is_alive()]
        gc.collect()
        state = client.states()["acme"]
        assert (state.active, state.queue.active, [key.active for key in state.keys]) == (0, 0, [0, 0])
        assert client._world.transport.stats().active == 0


# interrupts


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def interrupt_soon() -> None:
    """Interrupt whatever this thread goes on to wait for."""
    threading.Timer(0.05, interrupt).start()


def hang_and_interrupt(connection: Connection) -> None:
    interrupt()
    connection.wait()


def read_and_interrupt(client: Client) -> None:
    stream = client.stream("acme/m", "q")
    next(stream)
    interrupt_soon()
    stream.read()


WAITS: dict[str, tuple[Callable[[Connection], None], Callable[[Client], Any]]] = {
    "before an answer": (hang_and_interrupt, lambda client: client.chat("acme/m", "q")),
    "between two attempts": (refuse, lambda client: client.chat("acme/m", "q")),
    "before a stream's first event": (hang_and_interrupt, lambda client: client.stream("acme/m", "q").read()),
    "within a stream": (hang_in_answer, read_and_interrupt),
    "in a joined request": (hang_and_interrupt, lambda client: client.embed("acme/m", "q")),
    "in the queue": (hang, lambda client: client.chat("acme/m", "q")),
}


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals for threads")
@pytest.mark.parametrize("moment", WAITS)
def test_an_interrupt_leaves_nothing_behind(moment: str) -> None:
    script, call = WAITS[moment]
    limits = LimitsConfig(max_concurrent=1)
    config: dict[str, Any] = {"limits": limits, "batching": BatchingConfig(max_wait=0.0)}
    if moment == "in the queue":
        config["retry"] = RetryConfig(attempts=1)
    with scripted(script) as server, made(Client, server, **config) as client:
        other: list[Any] = []
        if moment == "in the queue":
            thread = threading.Thread(target=lambda: other.append(_error_of(call, client)))
            thread.start()
            _settled(lambda: len(server.bodies) == 1)
        if moment in {"between two attempts", "in the queue"}:
            client._core.clock.on_sleep = interrupt_soon
        with pytest.raises(KeyboardInterrupt):
            call(client)
        if moment == "in the queue":
            assert sum(client.states()["acme"].queue.waiting.values()) == 0
            server.stop()
            thread.join(60)
        state = client.states()["acme"]
        assert (state.active, state.queue.active, state.retry_tokens) == (0, 0, BUDGET)
        assert client._world.transport.stats().active == 0


def _error_of(call: Callable[[Client], Any], client: Client) -> Any:
    try:
        return call(client)
    except e.AccelError as error:
        return error


def _settled(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


# forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_locks_that_threads_of_the_parent_hold_do_not_stop_a_forked_child(tmp_path: Path) -> None:
    cache = CacheConfig(path=str(tmp_path / "answers"), sampled=True)
    with scripted(fine("parent"), fine("child")) as server, made(Client, server, cache=cache) as client:
        assert client.chat("acme/m", "q").text == "parent"
        guard = client._core.targets()["acme"].guard
        held = [client._core.ledger, client._core.cache.store, client._world, client._world.transport._pool]
        held += [guard.budget, guard.gate, guard.pool, guard.batcher, guard.breaker("m")]
        for each in held:
            each._lock.acquire()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if client.chat("acme/m", "another", timeout=100).text == "child" else 2
            finally:
                os._exit(code)
        for each in held:
            each._lock.release()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        nothing_is_held(client)


# ends

BEGINNING = """
    import asyncio, sys, threading, time
    from ipfs_accel import *
    from ipfs_accel._resilience.clock import Clock
    from core.tests.test_joined import Embedding
    url = sys.argv[1]
    config = EndpointConfig(
        key=["sk-first-key-1", "sk-second-key-2"], limits=LimitsConfig(max_concurrent=1),
        batching=BatchingConfig(max_wait=60), retry=RetryConfig(base=300.0, max_wait=300.0, total_wait=600.0),
    )
    settings = {"plugins": [Embedding(url)], "endpoints": {"acme": config}, "config": Config(environ={})}

    class Told(Clock):
        waits = 0

        def sleep(self, seconds, woken=None):
            Told.waits += 1
            super().sleep(seconds, woken)

        async def sleep_async(self, seconds, woken=None):
            Told.waits += 1
            await super().sleep_async(seconds, woken)

    def told(client):
        client._core.clock = Told()
        return client
"""
ENDS = {
    "threads wait in the queue": (
        hang,
        """
    client = told(Client(**settings))
    for _ in range(4):
        threading.Thread(target=client.chat, args=("acme/m", "q"), daemon=True).start()
    while Told.waits < 3:
        time.sleep(0.01)
    """,
    ),
    "a thread waits between two attempts": (
        refuse,
        """
    client = told(Client(**settings))
    threading.Thread(target=client.chat, args=("acme/m", "q"), daemon=True).start()
    while Told.waits < 1:
        time.sleep(0.01)
    """,
    ),
    "threads wait for company": (
        hang,
        """
    client = told(Client(**settings))
    for _ in range(4):
        threading.Thread(target=client.embed, args=("acme/m", "q"), daemon=True).start()
    while Told.waits < 4:
        time.sleep(0.01)
    """,
    ),
    "a stream is half read": (
        hang_in_answer,
        """
    stream = Client(**settings).stream("acme/m", "q")
    next(stream)
    """,
    ),
    "a generator is half run": (
        hang_in_answer,
        """
    def texts():
        with Client(**settings) as client, client.stream("acme/m", "q") as stream:
            for event in stream:
                yield event
    running = texts()
    next(running)
    """,
    ),
    "tasks are under way": (
        hang,
        """
    async def main():
        client = told(AsyncClient(**settings))
        global tasks
        tasks = [asyncio.create_task(client.chat("acme/m", "q")) for _ in range(4)]
        tasks.append(asyncio.create_task(client.embed("acme/m", "q")))
        while Told.waits < 4:
            await asyncio.sleep(0.01)
    asyncio.run(main())
    """,
    ),
    "an asynchronous stream is half read": (
        hang_in_answer,
        """
    async def main():
        client = AsyncClient(**settings)
        global stream
        stream = client.stream("acme/m", "q")
        await anext(stream)
    asyncio.run(main())
    """,
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_ends_in_the_middle_ends_in_silence(end: str) -> None:
    script, program = ENDS[end]
    source = textwrap.dedent(BEGINNING) + textwrap.dedent(program)
    with scripted(script) as server:
        done = subprocess.run(
            [sys.executable, "-c", source, server.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=200,  # far less than its calls would wait
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
    assert (done.returncode, done.stderr) == (0, "")
