"""Interrupts from the keyboard, at whatever line: a connection is kept clean or closed, and nothing that was taken is lost."""

from __future__ import annotations

import contextlib
import gc
import itertools
import linecache
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import ipfs_accel
import pytest
from ipfs_accel import Client, Config, EndpointConfig, LimitsConfig, RetryConfig
from ipfs_accel._http.chosen import CHOSEN

from .acme import Acme
from .both_worlds import fault, fine, scripted, streamed

CORE = Path(ipfs_accel.__file__).parent
ENDS = [
    "_http/pool.py",
    "_http/sync_transport.py",
    *[f"_resilience/{name}.py" for name in ("gate", "guard", "keypool")],
]
EVERYTHING = ["_http/", "_calls/", "_resilience/", "_worlds/"]

# What a tracing function that raises leaves behind is closed by the garbage collector, as what a signal does.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:a response of:ResourceWarning")
traceable = pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="these versions leave a `with` without its end where a tracing function raises in a comprehension",
)


class Interrupt:
    """Raises at one of the lines that a function goes through, and counts them.

    The line of a `with` is visited again when its block ends, where no signal is ever noticed: it would come before
    the lock is let go of.
    """

    def __init__(self, at: int, where: list[str]) -> None:
        self.lines = 0
        self._at = at
        self._files = tuple([str(CORE / each) for each in where])
        self._begun: set[tuple[FrameType, int]] = set()

    def during(self, do: Callable[[], Any]) -> None:
        before = sys.gettrace()
        sys.settrace(self._frame)
        try:
            do()
        finally:
            sys.settrace(before)
            self._begun.clear()

    def _frame(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._files):
            return None
        above: FrameType | None = frame
        while above is not None:
            if above.f_code.co_name == "__del__":
                return None  # nobody is told of what is raised there
            above = above.f_back
        return self._line

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event != "line":
            return self._line
        if linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            place = frame, frame.f_lineno
            if place in self._begun:
                return self._line
            self._begun.add(place)
        self.lines += 1
        if self.lines == self._at:
            raise KeyboardInterrupt
        return self._line


def chat(client: Client) -> None:
    client.chat("acme/m", "q")


def read(client: Client) -> None:
    client.stream("acme/m", "q").read()


def leave(client: Client) -> None:
    with client.stream("acme/m", "q") as stream:
        next(stream)


def chat_anew(client: Client) -> None:
    for line in list(client._world.transport._pool._by_age):
        line.hang_up()
    chat(client)


CALLS: dict[str, tuple[Callable[[Client], None], tuple[bytes, ...]]] = {
    "chat": (chat, (fine(),)),
    "over a new connection": (chat_anew, (fine(),)),
    "with another key": (chat, (fault(429, retry_after="0.001"), fine())),
    "stream": (read, (streamed("a", "b", "END"),)),
    "stream that is left": (leave, (streamed("a", *["b" * 1000] * 3, "END"),)),
}


@contextlib.contextmanager
def client_of(*answers: bytes) -> Iterator[Client]:
    limits = LimitsConfig(max_concurrent=3, from_headers=True)
    endpoint = EndpointConfig(key=["sk-first-key", "sk-second-key"], limits=limits)
    config = Config(environ={}, retry=RetryConfig(attempts=3, base=0, throttle_base=0, budget=10**9))
    with (
        scripted(*itertools.islice(itertools.cycle(answers), 10_000)) as server,
        Client(config, plugins=[Acme(server.url)], endpoints={"acme": endpoint}) as client,
    ):
        yield client


def taken(client: Client) -> dict[str, Any]:
    """What calls have taken and not given back."""
    guard = client._core.targets()["acme"].guard
    assert guard.gate is not None
    assert guard.pool is not None
    queue = guard.gate.state()
    return {
        "connections": client._world.transport.stats().active,
        "tickets": queue.active,
        "waiting": sum(queue.waiting.values()),
        "keys": sum(key.active for key in guard.pool.states()),
        "attempts": len(guard.under_way),
    }


def interrupt_at_every_line(kind: str, where: list[str]) -> None:
    call, answers = CALLS[kind]
    with client_of(*answers) as client:
        call(client)
        count = Interrupt(0, where)
        count.during(lambda: call(client))
        nothing = dict.fromkeys(taken(client), 0)
        assert count.lines > 100
        for at in range(1, count.lines + 1):
            with contextlib.suppress(KeyboardInterrupt):
                Interrupt(at, where).during(lambda: call(client))
            if CHOSEN is not None:
                gc.collect()  # the library's objects refer to one another
            assert taken(client) == nothing, at
            call(client)
            assert taken(client) == nothing, at
    gc.collect()  # with warnings of sockets that nobody closed, here and not in another test


@traceable
@pytest.mark.parametrize("kind", CALLS)
def test_nothing_is_lost_where_calls_end(kind: str) -> None:
    interrupt_at_every_line(kind, ENDS)


@traceable
@pytest.mark.slow
@pytest.mark.parametrize("kind", CALLS)
def test_nothing_is_lost_anywhere(kind: str) -> None:
    interrupt_at_every_line(kind, EVERYTHING)


SOAK = """
import random, signal, sys, threading, time
from core.tests.test_interrupts import CALLS, chat, client_of, leave, read, taken
from core.tests.both_worlds import fine, streamed

is_armed, hits, calls = [False], 0, 0
wanted = int(sys.argv[1])
main = threading.main_thread().ident
moments = random.Random(1)

def interrupt(*_):
    if is_armed[0]:
        is_armed[0] = False
        raise KeyboardInterrupt

def pester():
    while hits < wanted:
        time.sleep(moments.random() * 0.002)
        signal.pthread_kill(main, signal.SIGINT)

signal.signal(signal.SIGINT, interrupt)
sys.unraisablehook = lambda _: None  # an interrupt within a finalizer goes no further
threading.Thread(target=pester, daemon=True).start()
for call, answers in [(chat, (fine(),)), (read, (streamed("a", "b", "END"),)), (leave, (streamed("a", "b" * 9000, "END"),))]:
    with client_of(*answers) as client:
        call(client)
        goal = hits + wanted // 3
        while hits < goal:
            calls += 1
            try:
                is_armed[0] = True
                call(client)
                is_armed[0] = False
            except KeyboardInterrupt:
                hits += 1
            is_armed[0] = False
            if calls % 50 == 0:
                import gc; gc.collect()
                call(client)
                assert not any(taken(client).values()), taken(client)
        hits = goal
hits = wanted
print("interrupted", hits, "of", calls)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such signals")
@pytest.mark.parametrize("layer", ["", "httpx"])
def test_a_soak_of_interrupts_at_random_moments(layer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SOAK, "5000"],
        env={**os.environ, "IPFS_ACCEL_HTTP": layer},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "interrupted" in done.stdout
