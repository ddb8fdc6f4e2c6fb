from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from ipfs_accel._cli.command import State
from ipfs_accel._cli.health import Changes, Screen, watch
from ipfs_accel._resilience.keypool import KeyState
from ipfs_accel._telemetry.states import BreakerState, EndpointState
from ipfs_accel.types import Health
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import Run, Start

OK = Health(status="ok", server="acme 1", detail="load 1", latency=0.01)
DOWN = Health(status="unreachable", detail="refused", latency=0.02)
NOON = 1_800_014_400.0


class Over(Exception):  # noqa: N818 - it is no error
    pass


class Rounds:
    """A client whose endpoints are as they are told to be, one check after the other, and the time that passes."""

    def __init__(self, *rounds: dict[str, Health]) -> None:
        self.rounds = list(rounds)
        self.asked: list[Any] = []
        self.known: dict[str, EndpointState] = {}
        self.slept: list[float] = []

    async def healthcheck_all(self, names: Any) -> dict[str, Health]:
        self.asked.append(names)
        return self.rounds.pop(0)

    def states(self) -> dict[str, EndpointState]:
        return self.known

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.rounds:
            raise Over

    def watch(self, view: Any, names: tuple[str, ...] | None = None) -> None:
        async def run() -> None:
            client: Any = self
            clock = lambda: NOON + sum(self.slept)
            await watch(client, names, 7.0, view, sleep=self.sleep, clock=clock)

        with pytest.raises(Over):
            anyio.run(run)


def test_a_pipe_gets_a_line_per_change(capsys: pytest.CaptureFixture[str]) -> None:
    busy = Health(status="ok", server="acme 1", detail="load 2", latency=0.5)
    other = Health(status="unreachable", detail="no such name", latency=0.02)
    rounds = Rounds({"a": OK, "b": DOWN}, {"a": busy, "b": DOWN}, {"a": OK, "b": other}, {"a": DOWN, "b": OK})
    rounds.watch(Changes(State(), raw=False), ("a", "b"))
    assert capsys.readouterr().out.splitlines() == [
        "2027-01-15T12:00:00Z\ta\tok\tacme 1\t10 ms\tload 1",
        "2027-01-15T12:00:00Z\tb\tunreachable\t\t20 ms\trefused",
        "2027-01-15T12:00:14Z\tb\tunreachable\t\t20 ms\tno such name",
        "2027-01-15T12:00:21Z\ta\tunreachable\t\t20 ms\trefused",
        "2027-01-15T12:00:21Z\tb\tok\tacme 1\t10 ms\tload 1",
    ]
    assert (rounds.slept, rounds.asked) == ([7.0] * 4, [("a", "b")] * 4)


def test_what_is_in_the_way_of_calls_is_told_beside(capsys: pytest.CaptureFixture[str]) -> None:
    down = BreakerState(state="open", calls=20, failure_rate=1.0, slow_rate=0.0, retry_after=5.0)
    keys = (_key("key-1", "out"), _key("key-2", "ready"), _key("key-3", "cooling"))
    state = EndpointState(
        active=1, is_isolated=True, breakers={"m": down}, keys=keys, queue=None, retry_tokens=500, usage=()
    )
    rounds = Rounds({"a": OK, "b": OK})
    rounds.known = {"a": state}
    rounds.watch(Changes(State(), raw=False), ("a", "b"))
    assert capsys.readouterr().out.splitlines() == [
        "2027-01-15T12:00:00Z\ta\tok\tacme 1\t10 ms\tload 1; isolated, m: open, key-1: out, key-3: cooling",
        "2027-01-15T12:00:00Z\tb\tok\tacme 1\t10 ms\tload 1",
    ]


def _key(name: str, state: Any) -> KeyState:
    return KeyState(id=name, state=state, ready_in=None, active=0, uses=1, failures=1, input_tokens=0, output_tokens=0)


def test_json_gets_an_object_per_change(capsys: pytest.CaptureFixture[str]) -> None:
    state = State()
    state.json = True
    Rounds({"a": OK}, {"a": OK}, {"a": DOWN}).watch(Changes(state, raw=False))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["time"], each["endpoint"], each["ok"], each["status"]) for each in lines] == [
        ("2027-01-15T12:00:00Z", "a", True, "ok"),
        ("2027-01-15T12:00:14Z", "a", False, "unreachable"),
    ]


@pytest.mark.parametrize("rich", [True, False])
def test_a_terminal_shows_the_last_check_only(
    rich: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipfs_accel._cli.output.is_terminal", lambda **_: True)
    if not rich:
        monkeypatch.setattr("ipfs_accel._cli.output.find_spec", lambda _name: None)
    Rounds({"a": OK, "b": DOWN}, {"a": DOWN, "b": OK}).watch(Screen(State(), 7.0))
    written = capsys.readouterr().out
    first, second = written.split("\x1b[4F")
    assert second.startswith("\x1b[?7l")
    assert [line.split()[:2] for line in first.splitlines()[2:4]] == [["a", "ok"], ["b", "unreachable"]]
    assert [line.split()[:2] for line in second.splitlines()[2:4]] == [["a", "unreachable"], ["b", "ok"]]
    assert written.endswith("\x1b[?7h\x1b[J")


def test_more_endpoints_than_the_screen_has_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipfs_accel._cli.output.is_terminal", lambda **_: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 6)))
    Rounds({f"e{number}": OK for number in range(9)}, {"e0": OK}).watch(Screen(State(), 7.0))
    first, _ = capsys.readouterr().out.split("\x1b[5F")
    assert first.count("\n") == 5
    assert first.splitlines()[-2].startswith("… 7 more lines")


@pytest.mark.parametrize(("value", "word"), [("studio", "expected seconds"), ("0", "at least"), ("inf", "at least")])
def test_a_time_that_is_none(run: Run, value: str, word: str) -> None:
    result = run("health", "--watch", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr


def test_an_unknown_endpoint_is_not_watched(run: Run) -> None:
    assert run("health", "studoi", "--watch").exit_code == 3


@pytest.fixture
def hangs(httpserver: HTTPServer) -> Iterator[threading.Event]:
    """A server that is well at its first check and does not answer the second one before the test is over."""
    over = threading.Event()
    asked = threading.Event()

    def answer(_request: Request) -> Response:
        if asked.is_set():
            over.wait(100)
        asked.set()
        return Response('{"data": []}', content_type="application/json")

    httpserver.expect_request("/models").respond_with_handler(answer)
    yield over
    over.set()


def test_ctrl_c_ends_it_with_130_while_a_server_hangs(start: Start, hangs: threading.Event) -> None:
    process = start("health", "studio", "--watch", "0.1", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline().split("\t")[1:3] == ["studio", "ok"]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (130, "", "")


def test_ctrl_c_ends_a_single_check_at_once(start: Start, httpserver: HTTPServer) -> None:
    asked, over = threading.Event(), threading.Event()

    def answer(_request: Request) -> Response:
        asked.set()
        over.wait(100)
        return Response("")

    httpserver.expect_request("/models").respond_with_handler(answer)
    patient = "from ipfs_accel._calls import core; core.CHECK_SECONDS = 500.0; from ipfs_accel._cli import main; main()"
    process = start("health", "studio", stdin=subprocess.DEVNULL, command=[sys.executable, "-c", patient])
    assert asked.wait(100)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    over.set()
    assert (process.returncode, out, err) == (130, "", "")


def test_ctrl_c_on_a_terminal(start: Start, hangs: threading.Event) -> None:
    ours, theirs = pty.openpty()
    process = start("health", "studio", "--watch", "0.1", stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    written = b""
    while b"\x1b[J" not in written:
        written += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    with suppress(OSError):
        os.read(ours, 4096)
    os.close(ours)
    assert (process.returncode, err) == (130, "")
    assert b"until Ctrl-C" in written
