"""Asks 200 prompts at once of a server that takes 20 a second and refuses the others, and tells what became of them.

It is `python benchmarks/refused.py`. The server refuses as OpenAI's does: with status 429, `retry-after` and the
headers `x-ratelimit-*`. Each library is used as it comes, and once more when it is told to try each prompt twelve times
at most. To answer all takes nine seconds at least. What is told of a library depends on how soon it gets its requests
out, so on the machine too: one that takes long to send them is refused less often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from beside import conditions, environments, table
from libraries import OURS, PEERS, Library

PROMPTS = 200
A_SECOND = 20
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "bench",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()
_REFUSAL = json.dumps(
    {"error": {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
).encode()


class Server:
    """Takes so many requests in each second, counted from its start.

    Attributes:
        taken: Requests that were answered.
        refused: Those that were not.
    """

    def __init__(self) -> None:
        self.taken = self.refused = 0
        self._begin = time.monotonic()
        self._window = -1
        self._left = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                await reader.readexactly(int(length or b"0"))
                writer.write(self._answer())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has had enough
        finally:
            writer.close()

    def _answer(self) -> bytes:
        passed = time.monotonic() - self._begin
        if int(passed) != self._window:
            self._window, self._left = int(passed), A_SECOND
        rest = 1 - passed % 1
        is_taken = self._left > 0
        self._left -= is_taken
        self.taken += is_taken
        self.refused += not is_taken
        body = _ANSWER if is_taken else _REFUSAL
        head = [
            "HTTP/1.1 200 OK" if is_taken else "HTTP/1.1 429 Too Many Requests",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"x-ratelimit-limit-requests: {A_SECOND}",
            f"x-ratelimit-remaining-requests: {self._left}",
            f"x-ratelimit-reset-requests: {math.ceil(rest * 1000)}ms",
        ]
        head += [] if is_taken else [f"retry-after: {math.ceil(rest)}"]
        return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def serving() -> Iterator[tuple[str, Server]]:
    """Run a server in a thread; gives its address and what it counts."""
    server = Server()
    started: Future[tuple[int, Callable[[], object]]] = Future()

    async def main() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024) as listening:
            started.set_result((listening.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(over.set)))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    port, end = started.result()
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        end()
        thread.join()


def ask(library: Library, python: Path, *, patient: bool) -> tuple[int, int, float]:
    """Run one library; returns how many prompts were answered, by how many requests, in how many seconds."""
    with serving() as (root, server):
        begin = time.monotonic()
        command = [str(python), "-c", library.program(patient=patient), root, str(PROMPTS)]
        kept = {name: value for name, value in os.environ.items() if not name.upper().endswith(("_KEY", "_PROXY"))}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
        took = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{library.name} gave no answer: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    print(library.name, told, file=sys.stderr)
    return told["answered"], server.taken + server.refused, took


def main() -> None:
    """Print the table."""
    given = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    given.add_argument("--runs", type=int, default=3, help="of each library, the middle one of which is shown (3)")
    runs = given.parse_args().runs
    found, versions = environments(PEERS)
    seen: dict[tuple[str, bool], list[tuple[int, int, float]]] = {}
    for _ in range(runs):
        for library in (OURS, *PEERS):
            for patient in (False, True):
                row = ask(library, found[library.requirement], patient=patient)
                seen.setdefault((library.name, patient), []).append(row)
    middle = {key: sorted(each)[runs // 2] for key, each in seen.items()}
    rows = []
    for library in (OURS, *PEERS):
        answered, sent, took = middle[library.name, True]
        rows.append((library.name, str(middle[library.name, False][0]), str(answered), str(sent), f"{took:.0f} s"))
    print(conditions(f"{PROMPTS} prompts, the middle of {runs} runs" if runs > 1 else f"{PROMPTS} prompts", versions))
    print(table(("library", "answered as it comes", "with twelve tries", "requests for that", "took"), rows))


if __name__ == "__main__":
    main()
