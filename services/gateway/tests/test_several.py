"""Several processes at one port: what they share is as exact as in one, whoever of them is killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel.errors import ConfigError
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._budgets import DOLLAR
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._exposition import Family
from ipfs_accel_gateway._link import Link
from ipfs_accel_gateway._sums import as_said, lasting, summed

from .processes import Process, process
from .test_leaving import STREAM
from .test_spend import DONE, USED, WHOLE_STREAM
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which process serves whom is read from /proc")

CONFIG = """
[endpoints.up]
backend = "openai"
base_url = "{url}/v1"
key_env = "UP_KEY"

[endpoints.up.models.m]
input_price = 1.0
output_price = 10.0

[gateway]
port = 0
workers = {workers}
metrics_port = 0
spend_file = "{folder}/spend.sqlite3"
access_log = "{folder}/access.log"

[gateway.keys.free]
hash = "{free}"

[gateway.keys.alice]
hash = "{alice}"
{limits}
"""
ALICE, FREE = "ia-of-alice", "ia-of-nobody"
_SALT = re.compile(rb"x-request-id: req_([0-9a-f]{12})")


class Several:
    """A gateway of several processes, with one key that is limited and one that is not."""

    def __init__(self, gateway: Process, config: Path, environ: dict[str, str]) -> None:
        self.gateway = gateway
        self.url = gateway.url
        self.config = config
        self._environ = {**os.environ, **environ}
        self.http = httpx.Client(timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_connections=200))

    def ask(self, key: str = ALICE, **members: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", "connection": "close"}
        return self.http.post(f"{self.url}/v1/chat/completions", content=asked(**members), headers=headers)

    def told(self) -> Any:
        command = [sys.executable, "-m", "ipfs_accel", "serve", "spend", "--json", "--config", str(self.config)]
        return json.loads(subprocess.run(command, env=self._environ, capture_output=True, check=True).stdout)

    def workers(self) -> set[int]:
        """Return the processes that serve, or are about to."""
        found = Path(f"/proc/{self.gateway.process.pid}/task/{self.gateway.process.pid}/children").read_text()
        return {int(each) for each in found.split()}

    def each(self, count: int, of_each: int, stack: ExitStack) -> list[socket.socket]:
        """Return so many connections, of which each worker has some."""
        found: dict[bytes, list[socket.socket]] = {}
        while len(found) < len(self.workers()) or min(map(len, found.values())) < of_each:
            sock = stack.enter_context(connected(self.url))
            found.setdefault(self.served_by(sock), []).append(sock)
        chosen = [sock for each in found.values() for sock in each[:of_each]]
        others = [sock for each in found.values() for sock in each[of_each:]]
        while len(chosen) + len(others) < count:
            others.append(stack.enter_context(connected(self.url)))
        return [*chosen, *others][:count]

    def served_by(self, sock: socket.socket) -> bytes:
        """Return what all answers of a connection's process have in common."""
        sock.sendall(f"GET /v1/nothing HTTP/1.1\r\nhost: localhost\r\nx-api-key: {FREE}\r\n\r\n".encode())
        found = _SALT.search(read(sock))
        assert found is not None
        return found[1]

    def whose(self, sock: socket.socket) -> int:
        """Return the process at the other end of a connection."""
        here, there = f":{sock.getsockname()[1]:04X}", f":{sock.getpeername()[1]:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        (inode,) = [line[9] for line in lines if line[1].endswith(there) and line[2].endswith(here)]
        (found,) = [
            pid
            for pid in self.workers()
            for each in Path(f"/proc/{pid}/fd").iterdir()
            if str(each.readlink()) == f"socket:[{inode}]"
        ]
        return found

    def counted(self) -> int:
        """Return how many requests Prometheus sees."""
        lines = httpx.get(self.gateway.told["metrics"], trust_env=False, timeout=PATIENCE).text.splitlines()
        name = "ipfs_accel_gateway_requests_total{"
        return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def read(sock: socket.socket) -> bytes:
    """Return one answer, which has a length, or the beginning of one that has none."""
    came = b""
    while b"\r\n\r\n" not in came:
        piece = sock.recv(65536)
        assert piece, came
        came += piece
    head, _, body = came.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    while length is not None and len(body) < int(length[1]):
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


Start = Callable[..., Any]


@pytest.fixture
def several(tmp_path: Path) -> Start:
    """Start gateways: `with several(handler, limits, workers=2) as at:`."""

    @contextmanager
    def start(handler: Callable[[Connection], Any], limits: str, workers: int = 2) -> Iterator[Several]:
        environ = {"UP_KEY": "sk-of-the-operator"}
        config = tmp_path / "config.toml"
        with serve(handler) as server:
            keys = {"alice": hash_of(ALICE), "free": hash_of(FREE)}
            config.write_text(CONFIG.format(url=server.url, folder=tmp_path, limits=limits, workers=workers, **keys))
            with process(config, **environ) as gateway:
                found = Several(gateway, config, environ)
                with found.http:
                    yield found

    return start


def _chat(connection: Connection) -> None:
    while connection.request() is not None:
        connection.send(answer(CHAT, content_type="application/json"))


class Held:
    """Answers once it may."""

    def __init__(self) -> None:
        self.came, self.may_answer = threading.Semaphore(0), threading.Event()
        self.count = 0

    def handle(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.count += 1
            self.came.release()
            self.may_answer.wait(PATIENCE)
            connection.send(answer(CHAT, content_type="application/json"))


def _status(sock: socket.socket, request: bytes) -> int:
    sock.sendall(request)
    return int(read(sock)[9:12])


def _a_hundred(at: Several, upstream: Held, **members: Any) -> Counter[int]:
    """Ask a hundred times at once, over all workers; returns the statuses."""
    request = post(asked(**members), f"authorization: Bearer {ALICE}")
    before = upstream.count
    upstream.may_answer.clear()
    with ExitStack() as stack, ThreadPoolExecutor(100) as threads:
        sockets = at.each(100, 20, stack)
        waiting = [threads.submit(_status, sock, request) for sock in sockets]
        until(lambda: sum(each.done() for each in waiting) + upstream.count - before == 100)
        assert all(each.result() == 429 for each in waiting if each.done())
        upstream.may_answer.set()
        return Counter([each.result() for each in waiting])


def test_no_more_at_once_than_the_limit(several: Start) -> None:
    upstream = Held()
    with several(upstream.handle, "concurrency = 7", workers=3) as at:
        for _ in range(2):
            assert _a_hundred(at, upstream) == {200: 7, 429: 93}


def test_a_hundred_at_once_do_not_overspend(several: Start) -> None:
    upstream, served = Held(), 0
    with several(upstream.handle, "budget_per_month = 0.004\ntokens_per_day = 1_000_000", workers=3) as at:
        while (now := _a_hundred(at, upstream, max_tokens=10))[200]:
            assert now[200] + now[429] == 100
            served += now[200]
        assert upstream.count == served
        at.gateway.send(signal.SIGTERM)
        assert at.gateway.end() == 0
        told = at.told()
    (row,) = [row for row in told["spend"] if row["cost"]]
    assert row["cost"] * DOLLAR == pytest.approx(served * USED)
    assert 0.0036 < row["cost"] <= 0.004
    assert {each["budget"]: each["spent"] for each in told["budgets"]} == {
        "budget_per_month": pytest.approx(row["cost"]),
        "tokens_per_day": served * 4,
    }


def test_the_log_has_each_request_once_and_whole(several: Start, tmp_path: Path) -> None:
    with several(_chat, "concurrency = 100") as at:
        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda at_: at.ask(FREE if at_ % 2 else ALICE).headers["x-request-id"], range(60)))
        assert at.counted() == 60
        at.gateway.send(signal.SIGTERM)
        assert at.gateway.end() == 0
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert sorted(each["id"] for each in lines) == sorted(found)


class Slow:
    """Streams a beginning, and the end once it may; all else it answers at once."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def handle(self, connection: Connection) -> None:
        while connection.request() is not None:
            if b'"stream"' in connection.server.bodies[-1]:
                connection.send(STREAM + chunk("be"))
                self.may_end.wait(PATIENCE)
                connection.send(WHOLE_STREAM.removeprefix(STREAM))
                return
            connection.send(answer(CHAT, content_type="application/json"))


@contextmanager
def _streaming(at: Several, key: str = ALICE) -> Iterator[socket.socket]:
    """Return the connection of a stream that has begun."""
    with connected(at.url) as sock:
        sock.sendall(post(asked(stream=True, max_tokens=50_000), f"authorization: Bearer {key}"))
        came = b""
        while b"be" not in came.partition(b"\r\n\r\n")[2]:
            came += sock.recv(65536)
        yield sock


def test_a_worker_that_is_killed_gives_back_its_limits_and_has_spent_what_it_reserved(several: Start) -> None:
    upstream = Slow()
    with several(upstream.handle, "concurrency = 1\nbudget_per_month = 1.0") as at:
        assert at.ask(max_tokens=10).status_code == 200
        assert at.counted() == 1
        with _streaming(at) as sock:
            assert at.ask(max_tokens=10).status_code == 429
            os.kill(at.whose(sock), signal.SIGKILL)
            came, _ = rest(sock)
            assert not came.endswith(b"0\r\n\r\n")
            until(lambda: at.ask(max_tokens=10).status_code == 200)
        at.gateway.heard("has ended (signal 9); it is started anew")
        assert at.ask(max_tokens=50_000).json()["error"]["code"] == "budget_exceeded"
        with ExitStack() as stack:
            until(lambda: len(at.workers()) == 2)
            assert {_status(each, post(asked(), f"x-api-key: {FREE}")) for each in at.each(2, 1, stack)} == {200}
        assert at.counted() >= 3  # what a killed worker had told of is not forgotten
        upstream.may_end.set()
        at.gateway.send(signal.SIGTERM)
        assert at.gateway.end() == 0
        told = at.told()
    (budget,) = told["budgets"]
    assert 0.5 + 2 * USED / DOLLAR < budget["spent"] < 0.52
    assert sum(row["cost"] for row in told["spend"] if row["key"] == "alice") == pytest.approx(budget["spent"])


def test_an_owner_that_is_killed_ends_all_in_good_order(several: Start) -> None:
    upstream = Slow()
    with several(upstream.handle, "concurrency = 1\nbudget_per_month = 1.0") as at:
        workers = at.workers()
        with _streaming(at) as sock:
            at.gateway.send(signal.SIGKILL)
            at.gateway.end()
            at.gateway.heard("the process that holds limits and budgets is gone")
            address = sock.getpeername()
            until(lambda: not _listens(address))
            upstream.may_end.set()
            came, _ = rest(sock)
            assert DONE in came
        until(lambda: not any(Path(f"/proc/{each}").exists() for each in workers))
        with process(at.config, UP_KEY="sk") as again:
            headers = {"x-api-key": ALICE}
            url = f"{again.url}/v1/chat/completions"
            said = at.http.post(url, content=asked(max_tokens=50_000), headers=headers)
            assert (said.status_code, said.json()["error"]["code"]) == (429, "budget_exceeded")
            assert at.http.post(url, content=asked(max_tokens=10), headers=headers).status_code == 200


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) == 0


def test_a_key_without_limits_asks_nobody(several: Start) -> None:
    with several(_chat, "concurrency = 1") as at:
        at.gateway.send(signal.SIGSTOP)
        assert at.ask(FREE).status_code == 200
        with connected(at.url) as sock:
            sock.sendall(post(asked(), f"authorization: Bearer {ALICE}"))
            assert at.ask(FREE).status_code == 200
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        at.gateway.send(signal.SIGCONT)
        until(lambda: at.ask().status_code == 200)  # who has left holds nothing


def test_signals_hold_for_all(several: Start) -> None:
    upstream = Slow()
    with several(upstream.handle, "concurrency = 9", workers=3) as at:
        with ExitStack() as stack:
            sockets = at.each(3, 1, stack)
            request = post(asked(), f"authorization: Bearer {ALICE}")
            assert {_status(each, request) for each in sockets} == {200}
            at.config.write_text(at.config.read_text().replace(hash_of(ALICE), hash_of("another")))
            at.gateway.send(signal.SIGHUP)
            at.gateway.heard("reloaded: ")
            assert {_status(each, request) for each in sockets} == {401}
            ready = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n"
            assert {_status(each, ready) for each in sockets} == {200}
        with _streaming(at, FREE) as sock, _streaming(at, FREE) as other:
            at.gateway.send(signal.SIGTERM)
            at.gateway.heard("ends; answers under way have 30 seconds")
            until(lambda: not _listens(sock.getpeername()))
            at.gateway.send(signal.SIGTERM)
            for each in (sock, other):
                came, _ = rest(each)
                assert b"the gateway is being shut down" in came
        upstream.may_end.set()
        assert at.gateway.end() == 0
        assert not [line for line in at.gateway.said if line.startswith("ERROR")]


def test_a_worker_that_cannot_be_started_anew_holds_up_nobody(several: Start) -> None:
    with several(_chat, "concurrency = 9") as at:
        good = at.config.read_text()
        at.config.write_text(good.replace("[gateway]", "[gateway]\nnonsense = 1"))
        os.kill(min(at.workers()), signal.SIGKILL)
        at.gateway.heard("unknown setting nonsense")
        assert at.ask().status_code == 200
        at.config.write_text(good)
        with ExitStack() as stack:
            until(lambda: len(at.workers()) == 2)
            at.each(2, 1, stack)


def test_all_ends_where_no_worker_can_be_started_any_more(several: Start) -> None:
    with several(_chat, "concurrency = 9") as at:
        at.config.write_text(at.config.read_text().replace("[gateway]", "[gateway]\nnonsense = 1"))
        for each in at.workers():
            os.kill(each, signal.SIGKILL)
        at.gateway.heard("none of 2 workers can be started any more")
        assert at.gateway.end() == 1


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"console_port": 0}, r"gateway\.console_port: the console shows one process"),
        ({"audit": "a"}, r"gateway\.audit: its file has one writer"),
    ],
    ids=["console", "audit"],
)
def test_what_wants_one_process_is_refused(setting: dict[str, Any], said: str) -> None:
    assert read_settings(setting).workers == 1
    with pytest.raises(ConfigError, match=said):
        read_settings({"workers": 2, **setting})


def test_messages_come_whole_however_they_are_cut() -> None:
    async def main() -> list[Any]:
        heard: list[Any] = []
        link = Link({"a": lambda *rest: heard.append(rest), "b": lambda: 1 / 0}, lambda: None)
        for each in b'["a",1,"x\\n"]\n["b"]\n["c"]\n["a"]\n':
            link.data_received(bytes([each]))
        link.data_received(b'["a",2]\n["a",3]\n["a"')
        return heard

    assert asyncio.run(main()) == [(1, "x\n"), (), (2,), (3,)]


def test_figures_are_added_up() -> None:
    one = [
        Family("a", "counter", "A", [("_total", '{k="x"}', "1"), ("_total", '{k="y"}', "2")]),
        Family("b", "info", "B", [("_info", "", "1")]),
        Family("c_seconds", "histogram", "C", [("_bucket", '{le="1.0"}', "1"), ("_sum", "", "0.5")]),
        Family("process_start_time_seconds", "gauge", "D", [("", "", "7.0")]),
    ]
    other = [*one[1:], Family("a", "counter", "A", [("_total", '{k="y"}', "3"), ("_total", '{k="z"}', "4")])]
    found = {each.name: (each.kind, each.samples) for each in summed([as_said(one), as_said(other)])}
    assert found == {
        "a": ("counter", [("_total", '{k="x"}', "1"), ("_total", '{k="y"}', "5"), ("_total", '{k="z"}', "4")]),
        "b": ("info", [("_info", "", "1")]),
        "c_seconds": ("histogram", [("_bucket", '{le="1.0"}', "2"), ("_sum", "", "1.0")]),
        "process_start_time_seconds": ("gauge", [("", "", "7.0")]),
    }
    assert [each[0] for each in lasting(as_said(one))] == ["a", "c_seconds"]
