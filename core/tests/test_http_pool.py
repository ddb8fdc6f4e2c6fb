"""Many exchanges: limits, queues, cancellation, closing, loops, forks and threads."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel._http import AsyncTransport, PoolStats, Timeouts, Transport, TransportOptions
from ipfs_accel._http.pool import New, Pool, Waiter
from ipfs_accel.errors import ClientClosedError, ConfigError, PoolTimeoutError
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, blackhole, chunked, serve

from .http_worlds import PATIENT, Tasks, Threads, World, settle
from .test_http import always


@pytest.fixture(params=["threads", "asyncio", "trio"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def anyio_backend(kind: str) -> str:
    return "trio" if kind == "trio" else "asyncio"


@pytest.fixture
async def make(kind: str) -> AsyncIterator[Callable[..., World]]:
    worlds: list[World] = []

    def build(**options: Any) -> World:
        worlds.append((Threads if kind == "threads" else Tasks)(TransportOptions(**options)))
        return worlds[-1]

    yield build
    for world in worlds:
        await world.close()
        assert (world.stats.active, world.stats.idle) == (0, 0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def served(stack: ExitStack) -> Any:
    def start(handler: Any) -> RawServer:
        return stack.enter_context(serve(handler))

    return start


def numbers(stats: PoolStats) -> tuple[int, int, int, int]:
    return (stats.active, stats.idle, stats.opened, stats.reused)


# the books


class Line:
    def __init__(self, key: str = "a", generation: int = 0, *, readable: bool = False) -> None:
        self.key = key
        self.generation = generation
        self.idle_since = 0.0
        self.slot: Any = None
        self.readable = readable
        self.forgotten = False

    def is_readable(self) -> bool:
        return self.readable

    def forget(self) -> None:
        self.forgotten = True


def new(pool: Pool[Any], key: str = "a") -> New:
    grant = pool.take(key)
    assert isinstance(grant, New)
    return grant


def parked(pool: Pool[Any], *lines: Line) -> None:
    for line in lines:
        pool.adopt(line, new(pool, line.key))
    for line in lines:
        assert pool.release(line, reusable=True)


_MANY_AT_ONCE = """
import asyncio, resource, sys
from ipfs_accel._http import AsyncTransport, Timeouts

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


async def fetch(transport):
    exchange = await transport.send("GET", sys.argv[1], (), None, Timeouts())
    return await exchange.read(100)


async def main():
    transport = AsyncTransport()
    answers = await asyncio.gather(*[fetch(transport) for _ in range(200)])
    print(len(answers), transport.stats().opened)
    await transport.close()


asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_no_more_connections_than_files(stack: ExitStack) -> None:
    server = stack.enter_context(serve(always(answer())))
    command = [sys.executable, "-c", _MANY_AT_ONCE, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("200 32\n", "")


def test_the_last_used_line_is_used_first() -> None:
    pool: Pool[Any] = Pool(4, 4, 30)
    first, second = Line(), Line()
    parked(pool, first, second)
    assert pool.take("a") is second
    assert pool.take("a") is first
    third = new(pool)
    assert numbers(pool.stats()) == (3, 0, 3, 2)
    del third
    assert numbers(pool.stats()) == (2, 0, 3, 2)  # which nobody has any more


def test_lines_of_another_origin_are_not_used() -> None:
    pool: Pool[Any] = Pool(4, 4, 30)
    parked(pool, Line("a"))
    other = new(pool, "b")
    assert numbers(pool.stats()) == (1, 1, 2, 0)
    del other


def test_at_the_limit_the_oldest_idle_line_makes_room() -> None:
    pool: Pool[Any] = Pool(3, 3, 30)
    old, newer, newest = Line("a"), Line("b"), Line("a")
    parked(pool, old, newer, newest)
    others = [new(pool, "c")]
    assert list(pool.dead) == [old]
    others.append(new(pool, "c"))
    assert list(pool.dead) == [old, newer]
    assert pool.take("a") is newest
    assert pool.take("a") is None


def test_a_line_on_which_the_server_hung_up_is_skipped() -> None:
    pool: Pool[Any] = Pool(3, 3, 30)
    good, stale = Line(), Line(readable=True)
    parked(pool, good, stale)
    assert pool.take("a") is good
    assert list(pool.dead) == [stale]


def test_idle_lines_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pool: Pool[Any] = Pool(9, 9, 30)
    old, newer = Line("a"), Line("b")
    parked(pool, old)
    now[0] += 20
    parked(pool, newer)
    now[0] += 20
    assert pool.take("b") is newer
    assert list(pool.dead) == [old]


def test_there_is_a_limit_for_idle_lines() -> None:
    pool: Pool[Any] = Pool(9, 1, 30)
    old, newer = Line("a"), Line("b")
    parked(pool, old, newer)
    assert list(pool.dead) == [old]
    none: Pool[Any] = Pool(9, 0, 30)
    old.slot = new(none)
    assert none.release(old, reusable=True) is False


def test_lines_and_slots_are_handed_to_the_queue_in_order() -> None:
    pool: Pool[Any] = Pool(1, 1, 30)
    woken: list[str] = []
    line = Line("a")
    line.slot = new(pool)
    waiters = [Waiter[Any](key, lambda key=key: woken.append(key)) for key in "abc"]  # type: ignore[misc]
    for waiter in waiters:
        assert pool.take(waiter.key, waiter) is None
    assert pool.release(line, reusable=True) is True
    assert (woken, waiters[0].grant) == (["a"], line)
    assert pool.take("a") is None  # nobody overtakes
    assert pool.release(line, reusable=True) is False  # of another origin than the next caller wants
    assert (woken, type(waiters[1].grant)) == (["a", "b"], New)
    assert pool.release(waiters[1].grant, reusable=False) is False
    assert (woken, type(waiters[2].grant)) == (["a", "b", "c"], New)
    assert numbers(pool.stats()) == (1, 0, 3, 1)


def test_who_leaves_the_queue_gets_nothing() -> None:
    pool: Pool[Any] = Pool(1, 1, 30)
    grant: Any = new(pool)
    first, second = Waiter[Any]("a", lambda: None), Waiter[Any]("a", lambda: None)
    assert pool.take("a", first) is pool.take("a", second) is None
    assert pool.give_up(first) is None
    assert pool.release(grant, reusable=False) is False
    assert first.grant is None
    grant = pool.give_up(second)
    assert pool.release(grant, reusable=True) is False
    assert numbers(pool.stats())[:2] == (0, 0)


def test_an_orphan_inside_of_a_locked_method() -> None:
    pool: Pool[Any] = Pool(2, 2, 30)
    orphan = Line()

    class Trap(Line):
        def is_readable(self) -> bool:
            pool.orphan(orphan)  # as a garbage collection in the middle of `take` would
            return False

    trap = Trap()
    orphan.slot = new(pool)
    parked(pool, trap)
    assert pool.take("a") is trap
    assert numbers(pool.stats())[:2] == (1, 0)
    assert list(pool.dead) == [orphan]


def test_who_waits_gets_the_slot_of_one_that_was_dropped() -> None:
    pool: Pool[Any] = Pool(1, 1, 30)
    woken: list[str] = []
    grant = new(pool)
    waiter = Waiter[Any]("a", lambda: woken.append("a"))
    assert pool.take("a", waiter) is None
    del grant
    assert (woken, type(waiter.grant)) == (["a"], New)
    assert numbers(pool.stats())[:2] == (1, 0)


def test_a_line_is_given_back_once_however_often() -> None:
    pool: Pool[Any] = Pool(2, 2, 30)
    kept, broken = Line(), Line()
    kept.slot, broken.slot = new(pool), new(pool)
    for _ in range(2):
        assert pool.release(kept, reusable=True) is True
        assert pool.release(broken, reusable=False) is False
    assert numbers(pool.stats())[:2] == (0, 1)
    assert pool.take("a") is kept
    assert isinstance(pool.take("a"), New)


def test_a_forked_child_starts_anew() -> None:
    pool: Pool[Any] = Pool(2, 2, 30)
    idle, busy = Line(), Line()
    parked(pool, idle, busy)
    assert pool.take("a") is busy
    pool._lock.acquire()  # another thread's, which does not exist in the child
    pool.after_fork()
    assert idle.forgotten
    assert numbers(pool.stats())[:2] == (0, 0)
    assert pool.release(busy, reusable=True) is False
    assert numbers(pool.stats())[:2] == (0, 0)


# limits


@pytest.mark.anyio
async def test_the_wait_for_a_connection_has_a_limit(make: Any, served: Any) -> None:
    server = served(always(chunked(b"one", end=False)))
    world = make(max_connections=2)
    open_ones = [await world.send(server.url) for _ in range(2)]
    for timeouts in (Timeouts(pool=0.1), Timeouts(total=0.1)):
        with pytest.raises(PoolTimeoutError) as caught:
            await world.send(server.url, timeouts=timeouts)
        error = caught.value
        assert "all 2 are in use (2 open exchanges)" in str(error)
        assert (error.phase, error.sent, error.retryable) == ("pool", False, False)
    assert world.stats.active == 2
    for exchange in open_ones:
        await exchange.close()
    assert server.connections == 2


@pytest.mark.anyio
async def test_many_callers_share_few_connections(make: Any, served: Any) -> None:
    server = served(always(answer()))
    world = make(max_connections=3)

    async def one() -> None:
        for _ in range(5):
            assert await world.fetch(server.url) == b"ok"

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert server.connections == 3
    assert numbers(world.stats) == (0, 3, 3, 97)


@pytest.mark.anyio
async def test_the_queue_is_first_in_first_out(make: Any, served: Any) -> None:
    server = served(always(answer()))
    world = make(max_connections=1)
    blocker = await world.send(server.url)
    async with anyio.create_task_group() as group:
        for index in range(5):
            group.start_soon(world.fetch, server.url, b"%d" % index)
            await settle(lambda index=index: len(world.transport._pool._waiters) == index + 1)
        await blocker.read(10)
    # What the server saw: the callers may note their answers in any order.
    assert server.bodies == [b"", b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 1


@pytest.mark.anyio
async def test_connections_of_one_origin_make_room_for_another(make: Any, served: Any) -> None:
    first, second = served(always(answer())), served(always(answer()))
    world = make(max_connections=1)
    for server in (first, second, first):
        assert await world.fetch(server.url) == b"ok"
    assert (first.connections, second.connections) == (2, 1)
    await settle(lambda: first.closed == second.closed == 1)


@pytest.mark.anyio
async def test_idle_connections_are_not_used_after_their_time(make: Any, served: Any) -> None:
    server = served(always(answer()))
    world = make(keepalive_expiry=0.0)
    for _ in range(2):
        await world.fetch(server.url)
        parked = time.monotonic()
        await settle(lambda parked=parked: time.monotonic() > parked)
    assert server.connections == 2
    await settle(lambda: server.closed == 1)


# closing


@pytest.mark.anyio
async def test_closing(make: Any, served: Any) -> None:
    server = served(always(answer()))
    world = make()
    exchange = await world.send(server.url)
    await world.fetch(server.url)
    assert numbers(world.stats)[:2] == (1, 1)
    await world.close()
    assert numbers(world.stats)[:2] == (1, 0)
    await settle(lambda: server.closed == 1)
    with pytest.raises(ClientClosedError, match="this client is closed"):
        await world.send(server.url)
    assert await exchange.read(10) == b"ok"
    assert numbers(world.stats)[:2] == (0, 0)
    await settle(lambda: server.closed == 2)
    await world.close()


@pytest.mark.anyio
async def test_closing_wakes_those_who_wait(make: Any, served: Any) -> None:
    server = served(always(answer()))
    world = make(max_connections=1)
    exchange = await world.send(server.url)

    async def waits() -> None:
        with pytest.raises(ClientClosedError, match="was closed while"):
            await world.send(server.url)

    async with anyio.create_task_group() as group:
        group.start_soon(waits)
        await settle(lambda: world.transport._pool._waiters)
        await world.close()
    await exchange.close()


# cancellation

STEPS: dict[str, tuple[bytes, ...]] = {
    "the head": (),
    "more of the head": (b"HTTP/1.1 200 OK\r\nx: ",),
    "the body": (chunked(end=False),),
    "more of the body": (chunked(b"abc", end=False),),
    "a body of known length": (answer(bytes(10))[:-5],),
}


def stalls(*parts: bytes) -> Any:
    def handler(connection: Connection) -> None:
        connection.request()
        for part in parts:
            connection.send(part)
        connection.wait()

    return handler


@pytest.fixture
def target(stack: ExitStack, served: Any, step: str) -> tuple[str, Callable[[], int]]:
    """The URL of a server that stalls at the step, and how many requests stand there."""
    if step == "connecting":
        host, port = stack.enter_context(blackhole())
        return f"http://{host}:{port}", lambda: 8
    server = served(stalls(*STEPS[step]))
    return server.url, lambda: len(server.bodies)


@pytest.mark.parametrize("step", ["connecting", *STEPS])
@pytest.mark.parametrize("how", ["once", "twice", "twice, a turn later", "thrice", "timeout", "wait_for"])
def test_cancellation_on_asyncio(target: tuple[str, Callable[[], int]], how: str) -> None:
    url, count = target
    noise: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        world = Tasks()
        limit = 0.3

        async def one() -> None:
            if how == "timeout":
                async with asyncio.timeout(limit):
                    await world.fetch(url)
            elif how == "wait_for":
                await asyncio.wait_for(world.fetch(url), limit)
            else:
                await world.fetch(url)

        tasks = [asyncio.create_task(one()) for _ in range(8)]
        if "time" not in how and "wait" not in how:
            await settle(lambda: world.stats.active == 8 and count() == 8)
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
                if how in {"twice", "thrice"}:
                    task.cancel()
            for turn in range(3):
                await asyncio.sleep(0)
                if how == "thrice" or (how.endswith("later") and turn == 0):
                    for task in tasks:
                        task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        expected = TimeoutError if how in {"timeout", "wait_for"} else asyncio.CancelledError
        assert [type(result) for result in results] == [expected] * 8
        assert numbers(world.stats)[:2] == (0, 0)
        await world.close()

    asyncio.run(main())
    gc.collect()
    assert noise == []


@pytest.mark.anyio
@pytest.mark.parametrize("step", ["connecting", *STEPS])
async def test_cancel_scopes(kind: str, make: Any, target: tuple[str, Callable[[], int]]) -> None:
    if kind == "threads":
        pytest.skip("threads cannot be cancelled")
    url, count = target
    world = make()
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(world.fetch, url)
        await settle(lambda: world.stats.active == 8 and count() == 8)
        await anyio.sleep(0.05)
        group.cancel_scope.cancel()
    assert numbers(world.stats)[:2] == (0, 0)
    with anyio.move_on_after(0.1) as scope:
        await world.fetch(url)
    assert scope.cancelled_caught
    assert numbers(world.stats)[:2] == (0, 0)


@pytest.mark.anyio
async def test_cancellation_between_two_chunks(kind: str, make: Any, served: Any) -> None:
    if kind == "threads":
        pytest.skip("threads cannot be cancelled")
    server = served(stalls(chunked(b"abc", b"def", end=False)))
    world = make()

    async def reads(scope: anyio.CancelScope) -> None:
        exchange = await world.send(server.url)
        try:
            async for _ in exchange.chunks():
                scope.cancel()
                await anyio.sleep(1)
        finally:
            await exchange.close()

    with anyio.CancelScope() as scope:
        await reads(scope)
    assert scope.cancelled_caught
    assert numbers(world.stats)[:2] == (0, 0)
    await settle(lambda: server.closed == 1)


@pytest.mark.anyio
async def test_cancellation_in_the_queue_loses_no_turn(kind: str, make: Any, served: Any) -> None:
    if kind == "threads":
        pytest.skip("threads cannot be cancelled")
    server = served(always(answer()))
    world = make(max_connections=2)
    done = [0]

    async def patient() -> None:
        assert await world.fetch(server.url) == b"ok"
        done[0] += 1

    async def hasty(seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await world.fetch(server.url)

    async with anyio.create_task_group() as group:
        for turn in range(100):
            group.start_soon(patient)
            group.start_soon(hasty, turn / 10_000)
    assert done == [100]
    assert world.stats.active == 0
    assert not world.transport._pool._waiters


def test_a_grant_that_meets_a_cancellation_is_passed_on(served: Any) -> None:
    server = served(always(answer()))

    async def main() -> None:
        world = Tasks(TransportOptions(max_connections=1))
        exchange = await world.send(server.url)
        first = asyncio.create_task(world.fetch(server.url))
        second = asyncio.create_task(world.fetch(server.url))
        await settle(lambda: len(world.transport._pool._waiters) == 2)
        await exchange.read(10)  # grants the first, which has not run since
        first.cancel()
        assert await second == b"ok"
        with pytest.raises(asyncio.CancelledError):
            await first
        assert numbers(world.stats)[:2] == (0, 1)
        await world.close()

    asyncio.run(main())


# loops, forks, threads


def test_another_loop_is_refused(served: Any) -> None:
    server = served(always(answer()))
    world = Tasks()

    async def use() -> None:
        assert await world.fetch(server.url) == b"ok"

    with asyncio.Runner() as first:
        first.run(use())
        with asyncio.Runner() as second, pytest.raises(ConfigError, match="belongs to another event loop"):
            second.run(use())
        with pytest.raises(ConfigError, match="belongs to another event loop"):
            anyio.run(use, backend="trio")
        first.run(world.close())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of a loop that was over before
@pytest.mark.parametrize("first", ["an asyncio that goes on", "an asyncio that is over", "a trio that is over"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_closing_in_another_loop_ends_what_there_is(first: str, second: str, served: Any) -> None:
    is_ended = threading.Event()

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer())
        if connection.head() is None:
            is_ended.set()

    server = served(handle)
    _use_and_close_elsewhere(server, first, second, is_ended)
    gc.collect()  # here, where what the loop left may be complained of


def _use_and_close_elsewhere(server: RawServer, first: str, second: str, is_ended: threading.Event) -> None:
    world = Tasks()

    async def use() -> None:
        assert await world.fetch(server.url) == b"ok"

    if first == "an asyncio that goes on":
        with asyncio.Runner() as runner:
            runner.run(use())
            anyio.run(world.close, backend=second)
            assert is_ended.wait(60)
            runner.run(asyncio.sleep(0))
    else:
        anyio.run(use, backend=first.split()[1])
        anyio.run(world.close, backend=second)
        assert is_ended.wait(60)
    assert numbers(world.stats)[:2] == (0, 0)


def in_child(function: Callable[[], None]) -> int:
    """Run a function in a forked child; its exit code is 0 if all went well."""
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        try:
            function()
        except BaseException:  # noqa: BLE001 - nothing may leave the child
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_use_the_parents_connections(served: Any) -> None:
    server = served(always(answer()))
    transport = Transport()

    def use() -> None:
        assert transport.send("GET", server.url, [], None, PATIENT).read(10) == b"ok"

    def child() -> None:
        assert numbers(transport.stats())[:2] == (0, 0)
        use()
        assert numbers(transport.stats())[:2] == (0, 1)
        transport.close()

    use()
    assert in_child(child) == 0
    assert server.connections == 2
    exchange = transport.send("GET", server.url, [], None, PATIENT)
    assert exchange.reused
    assert in_child(exchange.close) == 0
    assert exchange.read(10) == b"ok"
    assert server.connections == 2
    transport.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_may_use_a_loop_of_its_own(served: Any) -> None:
    server = served(always(answer()))
    transport = AsyncTransport()

    async def use() -> None:
        exchange = await transport.send("GET", server.url, [], None, PATIENT)
        assert await exchange.read(10) == b"ok"

    def child() -> None:
        async def main() -> None:
            assert numbers(transport.stats())[:2] == (0, 0)
            await use()
            await transport.close()

        asyncio.new_event_loop().run_until_complete(main())

    with asyncio.Runner() as runner:
        runner.run(use())
        asyncio.events._set_running_loop(None)
        assert in_child(child) == 0
        runner.run(use())
        assert numbers(transport.stats()) == (0, 1, 1, 1)
        runner.run(transport.close())


def test_many_threads(served: Any) -> None:
    server = served(always(answer()))
    transport = Transport(TransportOptions(max_connections=4))
    results: deque[bytes] = deque()

    def work() -> None:
        for _ in range(50):
            results.append(transport.send("GET", server.url, [], None, PATIENT).read(10))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(results) == [b"ok"] * 800
    assert numbers(transport.stats()) == (0, 4, 4, 796)
    transport.close()


def receives(thread: threading.Thread) -> bool:
    """Whether a thread is in the call of a socket that waits for bytes."""
    frame = sys._current_frames().get(thread.ident or 0)
    places = {("_http", "sockets.py"), ("_backends", "sync.py")}  # our own, and the library's
    return frame is not None and Path(frame.f_code.co_filename).parts[-2:] in places


def test_closing_an_exchange_that_another_thread_reads(served: Any) -> None:
    server = served(stalls(chunked(b"abc", end=False)))
    transport = Transport()
    exchange = transport.send("GET", server.url, [], None, PATIENT)
    failures: list[BaseException] = []

    def read() -> None:
        try:
            exchange.read(100)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    while not receives(thread):
        time.sleep(0.001)
    exchange.close()
    thread.join(PATIENT.read / 2)  # type: ignore[operator]
    assert not thread.is_alive()
    assert len(failures) == 1
    assert transport.stats().active == 0
    transport.close()


def test_an_interrupt_closes_the_connection(served: Any) -> None:
    def interrupts(connection: Connection) -> None:
        connection.request()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        connection.wait()

    server = served(interrupts)
    transport = Transport()
    with pytest.raises(KeyboardInterrupt):
        transport.send("GET", server.url, [], None, PATIENT)
    assert transport.stats().active == 0
    transport.close()


@pytest.mark.parametrize("concurrent", [256])
def test_the_cost_of_a_request_does_not_grow_with_the_connections(served: Any, concurrent: int) -> None:
    """The pool's own operations, counted, since seconds depend on the machine."""
    pool: Pool[Any] = Pool(concurrent, concurrent, 30)
    lines = [Line() for _ in range(concurrent)]
    asked = [0]

    def is_readable() -> bool:
        asked[0] += 1
        return False

    for line in lines:
        line.is_readable = is_readable  # type: ignore[method-assign]
    parked(pool, *lines)
    for _ in range(100):
        line = pool.take("a")
        assert pool.release(line, reusable=True)
    assert asked == [100]
