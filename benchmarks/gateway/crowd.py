"""What a crowd costs a gateway: connections that ask nothing, and callers that send and read a byte at a time.

    python benchmarks/gateway/crowd.py                       # 10,000 idle and 1,000 slow ones, a table
    python benchmarks/gateway/crowd.py --idle 1000 --slow 100 --json

For each crowd it tells the memory of a connection, how long others wait for an answer meanwhile and what of the
gateway's CPU time they take, and whether all of it is gone once the crowd is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from run import GATEWAY, HERE, KEY, OURS, PROVIDER, cpu_of, memory_of, running, wait_until_it_listens
from traffic import BODIES

PATIENT = "\nidle_timeout = 3600.0\nhead_timeout = 3600.0\nwrite_timeout = 3600.0\n"
PROBES = 200
SPARE = 500
"""Files that either process opens besides its connections."""


def request(kind: str) -> bytes:
    """Return a request."""
    body = json.dumps({**BODIES[kind], "model": "m"}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def connected() -> socket.socket:
    """Return a connection to the gateway."""
    return socket.create_connection(("127.0.0.1", GATEWAY), timeout=60)


def ask(sock: socket.socket, asked: bytes) -> float:
    """Ask on a connection that nobody else uses; return the seconds up to the whole answer."""
    started = time.perf_counter()
    sock.sendall(asked)
    came = b""
    while b"\r\n\r\n" not in came:
        came += sock.recv(65536)
    head, _, body = came.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(came[:600].decode("utf-8", "replace"))
    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += sock.recv(65536)
    return time.perf_counter() - started


def open_now() -> int:
    """Return how many connections the gateway has from callers, by the kernel: open, or waiting to be closed by it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum([row[1].endswith(f":{GATEWAY:04X}") and row[3] in {"01", "08"} for row in rows])


def until(holds: Callable[[int], bool]) -> None:
    """Wait until the number of connections is what it should be, and no longer than a minute."""
    end = time.monotonic() + 60
    while not holds(open_now()) and time.monotonic() < end:
        time.sleep(0.1)


class Slow:
    """A caller that sends a byte, or reads one, each time it is let."""

    def __init__(self, *, reads: bool) -> None:
        self.sock = connected()
        self._left = memoryview(b"" if reads else request("chat")[:-1])  # which is never all of it
        if reads:
            self.sock.sendall(request("stream"))
        self.sock.setblocking(False)

    def step(self) -> None:
        """Send or read a byte."""
        try:
            if self._left:
                self._left = self._left[self.sock.send(self._left[:1]) :]
            else:
                self.sock.recv(1)
        except BlockingIOError:
            pass


def probed(pid: int, step: Callable[[], object]) -> tuple[float, float, float]:
    """Ask again and again while a crowd does its steps; return milliseconds (median, 99 %) and microseconds of CPU."""
    asked, took = request("chat"), []
    with connected() as sock:
        ask(sock, asked)
        before = cpu_of(pid)
        for _ in range(PROBES):
            step()
            took.append(ask(sock, asked) * 1e3)
        spent = (cpu_of(pid) - before) * 1e6 / PROBES
    return statistics.median(took), statistics.quantiles(took, n=100)[98], spent


@contextmanager
def gateway() -> Iterator[int]:
    """Run a provider and the gateway before it, on a core each; gives the gateway's id."""
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {last})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "ours.toml").write_text(OURS.replace("\n[gateway.keys", f"{PATIENT}[gateway.keys"))
        stack.enter_context(running([sys.executable, str(HERE / "traffic.py"), "serve", str(PROVIDER)], last))
        command = [sys.executable, "-m", "ipfs_accel", "serve", "--config", str(folder / "ours.toml")]
        pid = stack.enter_context(running(command, first))
        wait_until_it_listens(GATEWAY)
        yield pid


def measured(pid: int, name: str, count: int, join: Callable[[int], Any], step: Callable[[Any], object]) -> Any:
    """Return the figures of one crowd."""
    alone = probed(pid, lambda: None)
    until(lambda connections: connections == 0)
    memory = memory_of(pid)
    crowd = [join(index) for index in range(count)]
    until(lambda connections: connections >= count)
    for each in crowd:
        step(each)
    held, came = memory_of(pid) - memory, open_now()
    beside = probed(pid, lambda: [step(each) for each in crowd])
    for each in crowd:
        getattr(each, "sock", each).close()
    until(lambda connections: connections == 0)
    return {
        "crowd": name, "connections": count, "came": came, "left": open_now(),
        "kb_each": held * 1024 / count, "mb_after": memory_of(pid) - memory,
        "alone": alone, "beside": beside,
    }  # fmt: skip


def may_open(count: int) -> bool:
    """Let this process, and so those that it starts, open as many files as are allowed; say whether that is enough."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= count + SPARE


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    most = max(given.idle, 2 * given.slow)  # for a slow one the gateway may have a second, to the provider
    if not may_open(most):
        sys.exit(f"a process may not open {most + SPARE} files here: ulimit -Hn")
    with gateway() as pid:
        found = [
            measured(pid, "idle", given.idle, lambda _index: connected(), lambda _each: None),
            measured(pid, "slow", given.slow, lambda index: Slow(reads=index % 2 == 0), Slow.step),
        ]
    if given.json:
        print(json.dumps(found))
        return
    print("| crowd | connections | KB each | MB after | others wait, ms: alone, beside it | at most (99 %) | CPU, us |")
    print("|---|---|---|---|---|---|---|")
    for each in found:
        (half, most, spent), (half_now, most_now, spent_now) = each["alone"], each["beside"]
        print(
            f"| {each['crowd']} | {each['came']}, {each['left']} left over | {each['kb_each']:.1f} "
            f"| {each['mb_after']:.1f} | {half:.2f}, {half_now:.2f} | {most:.2f}, {most_now:.2f} "
            f"| {spent:.0f}, {spent_now:.0f} |"
        )


if __name__ == "__main__":
    main()
