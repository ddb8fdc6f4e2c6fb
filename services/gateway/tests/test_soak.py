"""Ten minutes of all that happens to a gateway: what it holds stays as it is."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel_gateway._callers import hash_of

from .processes import Process, process
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
KEY, REVOKED = "ia-of-alice", "ia-of-bob"
WITH_KEY = f"authorization: Bearer {KEY}"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
WORKERS = 4
MOST_GROWTH = 4_000_000
"""Bytes by which the second half may hold more than the first, at their highest."""


def upstream(connection: Connection) -> None:
    """Answer; a stream slowly, so that callers have time to leave."""
    while (head := connection.head()) is not None:
        if not json.loads(connection.body(head)).get("stream"):
            connection.send(answer(CHAT, content_type="application/json"))
            continue
        try:
            connection.send(STREAM)
            for _ in range(5):
                connection.send(chunk("word " * 40))
                time.sleep(0.005)
            connection.send(chunk("", "stop") + b"data: [DONE]\n\n")
        except OSError:
            pass
        return


def whole(url: str) -> str:
    with connected(url) as sock:
        for _ in range(3):
            sock.sendall(post(asked(), WITH_KEY))
            came = b""
            while not came.endswith(CHAT):
                came += sock.recv(65536)
    return "whole"


def translated(url: str) -> str:
    body = {"model": "up/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    came = httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=PATIENCE, trust_env=False)
    assert came.json()["content"][0]["text"] == "Hello."
    return "translated"


def streamed(url: str) -> str:
    with connected(url) as sock:
        sock.sendall(post(asked(stream=True), WITH_KEY, "connection: close"))
        assert b"data: [DONE]" in rest(sock)[0]
    return "streamed"


def left(url: str) -> str:
    with connected(url) as sock:
        sock.sendall(post(asked(stream=random.random() < 0.7), WITH_KEY))
        if random.random() < 0.7:
            sock.recv(100)
    return "left"


def refused(url: str) -> str:
    kinds = (
        post(asked(), f"authorization: Bearer {REVOKED}", "connection: close"),
        post(b"{", WITH_KEY, "connection: close"),
        post(asked("nobody/m"), WITH_KEY, "connection: close"),
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    with connected(url) as sock:
        sock.sendall(random.choice(kinds))
        assert rest(sock)[0].startswith(b"HTTP/1.1 4")
    return "refused"


class Held:
    """What a process holds, looked at once a second."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self.bytes: list[int] = []
        self.files: list[int] = []

    def look(self) -> None:
        pages = int((self._folder / "statm").read_text().split()[1])
        self.bytes.append(pages * os.sysconf("SC_PAGE_SIZE"))
        self.files.append(len(list((self._folder / "fd").iterdir())))

    def halves(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the highest bytes and files of the second and the last quarter; the first is for warming up."""
        quarter = len(self.bytes) // 4
        parts = slice(quarter, 2 * quarter), slice(-quarter, None)
        first, second = [(max(self.bytes[part]), max(self.files[part])) for part in parts]
        return first, second


def _reloading(gateway: Process, keys: Path, over: threading.Event) -> int:
    """Change the keys, and have all of it read anew, by turns."""
    number = 0
    while not over.wait(2.0):
        number += 1
        if number % 2:
            gateway.send(signal.SIGHUP)
        else:
            keys.write_text(f"# {number}\n[alice]\nhash = '{hash_of(KEY)}'\nconcurrency = {1000 + number}\n")
    return number


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_what_it_holds_stays_as_it_is(tmp_path: Path) -> None:
    config, keys = tmp_path / "config.toml", tmp_path / "keys.toml"
    keys.write_text(f"[alice]\nhash = '{hash_of(KEY)}'\n")
    with serve(upstream) as server:
        config.write_text(
            f"[endpoints.up]\nbackend = 'openai'\nbase_url = '{server.url}/v1'\nkey_env = ''\n"
            f"[gateway]\nport = 0\nkeys_file = 'keys.toml'\naccess_log = '{tmp_path / 'log'}'\n"
        )
        with process(config) as gateway, ThreadPoolExecutor(WORKERS + 1) as threads:
            over = threading.Event()
            kinds = (whole, translated, streamed, left, refused)

            def work(seed: int) -> Counter[str]:
                done: Counter[str] = Counter()
                while not over.is_set():
                    done[kinds[(seed + done.total()) % len(kinds)](gateway.url)] += 1
                    time.sleep(0.01)
                return done

            working = [threads.submit(work, seed) for seed in range(WORKERS)]
            reloading = threads.submit(_reloading, gateway, keys, over)
            held, end = Held(gateway.process.pid), time.monotonic() + SECONDS
            while time.monotonic() < end and not any(each.done() for each in working):
                time.sleep(1.0)
                held.look()
            over.set()
            done = sum([each.result() for each in working], Counter())
            reloads = reloading.result()
            gateway.send(signal.SIGTERM)
            assert gateway.end() == 0
    first, second = held.halves()
    told = len([line for line in gateway.said if "reloaded: " in line])
    print(f"\n{dict(done)}, {reloads} changes, {told} reloads; bytes and files: {first}, then {second}")  # noqa: T201
    assert told > reloads / 4
    assert not [line for line in gateway.said if "reloaded: " not in line and "ends; " not in line]
    assert second[0] < first[0] + MOST_GROWTH
    assert second[1] <= first[1] + WORKERS
