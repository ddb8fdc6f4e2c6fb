"""CPU time and memory of a row: a run over many rows beside a plain loop over an AsyncClient, in one process each.

    python benchmarks/batch/rows.py [--rows N] [--pairs N]

Both read the same file, ask the same server on loopback, 64 rows at once, and write a line for each; the loop keeps
nothing else. They are run in turn, and the ratio is taken within each pair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AT_ONCE = 64
BODY = {"model": "m", "max_tokens": 20}


class Upstream(asyncio.Protocol):
    """Answers each request of a chat with the same bytes, as soon as it is there."""

    said = json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "It is blue."}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
        }
    ).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end].lower()
            start = head.find(b"content-length:") + 15
            size = end + 4 + int(head[start : head.find(b"\r\n", start) if b"\r\n" in head[start:] else None])
            if len(self.got) < size:
                return
            self.got = self.got[size:]
            self.transport.write(self.answer)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def write_rows(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for number in range(rows):
            messages = [{"role": "user", "content": f"Question {number}: why is the sky blue?"}]
            row = {"custom_id": f"row-{number}", "url": "/v1/chat/completions", "body": {**BODY, "messages": messages}}
            file.write(json.dumps(row) + "\n")


def client(url: str) -> Any:
    from ipfs_accel import AsyncClient, Config, EndpointConfig

    endpoints = {"up": EndpointConfig(backend="openai", base_url=url, key="sk-none")}
    return AsyncClient(Config(environ={}), endpoints=endpoints)


async def loop_over(url: str, source: Path, output: Path) -> None:
    async with client(url) as asked:
        await asked.chat("up/m", "warm", max_tokens=1)
        began = spent()
        with source.open() as rows, output.open("w") as out:

            async def work(lines: Iterator[str]) -> None:
                for line in lines:
                    row = json.loads(line)
                    body = row["body"]
                    answer = await asked.chat("up/m", body["messages"], max_tokens=body["max_tokens"])
                    out.write(json.dumps({"id": row["custom_id"], "text": answer.text}) + "\n")

            lines = iter(rows)
            await asyncio.gather(*[work(lines) for _ in range(AT_ONCE)])
        told(began)


async def batch_over(url: str, source: Path, output: Path) -> None:
    async with client(url) as asked:
        await asked.chat("up/m", "warm", max_tokens=1)
        began = spent()
        report = await asked.batch_run("up/m", source, output, concurrency=AT_ONCE).complete()
        assert report.ended == "complete"
        told(began)


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def told(began: float) -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": spent() - began, "megabytes": most}))


WAYS = {"loop": loop_over, "batch": batch_over}


def measured(way: str, url: str, source: Path, folder: Path) -> dict[str, float]:
    output = Path(tempfile.mkdtemp(dir=folder)) / "out.jsonl"
    command = [sys.executable, __file__, "--way", way, url, str(source), str(output)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    output.unlink()
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--way", choices=[*WAYS, "serve"], help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way == "serve":
        asyncio.run(serve())
        return
    if given.way:
        url, source, output = given.rest
        asyncio.run(WAYS[given.way](url, Path(source), Path(output)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        write_rows(source, given.rows)
        server = subprocess.Popen([sys.executable, __file__, "--way", "serve"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            show(given.rows, [pair(url, source, Path(folder), number % 2) for number in range(given.pairs)])
        finally:
            server.kill()
            server.wait()


def pair(url: str, source: Path, folder: Path, turn: int) -> dict[str, dict[str, float]]:
    names = list(WAYS) if turn else list(WAYS)[::-1]
    return {name: measured(name, url, source, folder) for name in names}


def show(rows: int, pairs: list[dict[str, dict[str, float]]]) -> None:
    for name in WAYS:
        each = statistics.median(found[name]["cpu"] for found in pairs) / rows * 1e6
        most = max(found[name]["megabytes"] for found in pairs)
        print(f"{name:6} {each:6.0f} us a row, at most {most:.0f} MB")
    ratios = sorted(found["batch"]["cpu"] / found["loop"]["cpu"] for found in pairs)
    print(f"ratio  {statistics.median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f}), {len(pairs)} pairs")


if __name__ == "__main__":
    main()
