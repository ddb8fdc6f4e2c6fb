"""A server that answers each row by its own text, and runs over many rows against it in either world."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpResponse, post_json
from ipfs_accel.testing.raw_server import Connection, RawServer, serve
from ipfs_accel.types import BatchReport, BatchResult, ChatRequest, ChatResponse, Usage

from .acme import Acme, read_chat, request_body
from .both_worlds import fine
from .fake_clock import FakeClock

Reply = Callable[[str, int], bytes]
"""From what is asked, and how often it was asked before, to the bytes of an answer."""
Outcome = tuple[BatchReport, list[BatchResult]]


def echo(text: str, _before: int) -> bytes:
    return fine(f"re {text}")


class Upstream:
    """What the server was asked.

    Attributes:
        asked: The texts, in the order in which they came.
    """

    def __init__(self, reply: Reply) -> None:
        self.asked: list[str] = []
        self._reply = reply
        self._lock = threading.Lock()
        self.server: RawServer | None = None

    def handle(self, connection: Connection) -> None:
        while (head := connection.head()) is not None:
            text = json.loads(connection.body(head))["ask"]
            with self._lock:
                before = self.asked.count(text)
                self.asked.append(text)
            connection.send(self._reply(text, before))

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url


@contextmanager
def upstream(reply: Reply = echo) -> Iterator[Upstream]:
    found = Upstream(reply)
    with serve(found.handle) as server:
        found.server = server
        yield found


class Counting(Acme):
    """Tells of output tokens too: as many as of input."""

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        def parse(response: HttpResponse) -> ChatResponse:
            found = read_chat(response)
            used = found.usage.input_tokens
            return attrs.evolve(found, usage=Usage(input_tokens=used, output_tokens=used))

        return Http(send=post_json("/chat", request_body(request)), parse=parse)


def made(kind: Any, url: str, clock: FakeClock | None = None, plugin: Any = Acme, **endpoint: Any) -> Any:
    client = kind(Config(environ={}), plugins=[plugin(url)], endpoints={"acme": EndpointConfig(**endpoint)})
    if clock is not None:
        client._core.clock = clock
    return client


def blocking(url: str, source: Path, output: Path, clock: FakeClock | None = None, **options: Any) -> Outcome:
    """Run to the end; return the report and the results as they came."""
    with made(Client, url, clock) as client, client.batch_run("acme/m", source, output, **options) as run:
        results = list(run)
        return run.report, results


def awaiting(
    url: str, source: Path, output: Path, clock: FakeClock | None = None, backend: str = "asyncio", **options: Any
) -> Outcome:
    """The same, awaited."""

    async def main() -> Outcome:
        async with made(AsyncClient, url, clock) as client:
            async with client.batch_run("acme/m", source, output, **options) as run:
                results = [each async for each in run]
            return run.report, results

    return anyio.run(main, backend=backend)


on_trio = functools.partial(awaiting, backend="trio")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def prompts(folder: Path, count: int, name: str = "in.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"id": f"r{number}", "prompt": f"q{number}"}) + "\n" for number in range(count)))
    return path
