"""Calls in either world, against a server that is told what to answer, by a clock that no test waits for."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import attrs
from ipfs_accel import AsyncClient, Client, EndpointConfig
from ipfs_accel.errors import AccelError
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, chunked, serve

from .acme import Acme
from .fake_clock import FakeClock

__all__ = ["Asked", "awaiting", "blocking", "fault", "fine", "on_trio", "outcome", "scripted", "streamed"]

Step = bytes | Callable[[Connection], Any]


def fine(text: str = "blue", used: int = 3, **headers: str) -> bytes:
    """A chat's answer."""
    return answer(json.dumps({"answer": text, "used": used}).encode(), **headers)


def fault(status: int, code: str | None = None, **headers: str) -> bytes:
    """An error answer."""
    return answer(json.dumps({"problem": "told", "kind": code}).encode(), f"{status} Told", **headers)


def streamed(*lines: str, end: bool = True) -> bytes:
    """A streamed answer; each line is a chunk."""
    return chunked(*[f"{line}\n".encode() for line in lines], end=end, content_type="application/x-ndjson")


@contextmanager
def scripted(*steps: Step) -> Iterator[RawServer]:
    """Answer each request by the next step; the last one goes on for ever. A step that is a function is left alone."""
    script = iter(itertools.chain(steps, itertools.repeat(steps[-1])))

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            step = next(script)
            if callable(step):
                step(connection)
                return
            connection.send(step)

    with serve(handle) as server:
        yield server


@attrs.define
class Asked:
    """What became of one call."""

    answer: Any = None
    error: Any = None


Calls = Callable[[Any], list[Any]]


def blocking(server: RawServer, *calls: tuple[str, Any], clock: FakeClock | None = None, **more: Any) -> Any:
    """Perform calls one after the other, each `(operation, arguments)`; return what became of them.

    Arguments are a dict of named ones, or a tuple.
    """
    results = []
    with _made(Client, server, clock, more) as client:
        for name, arguments in calls:
            try:
                found = _begun(client, name, arguments)
                results.append(Asked(answer=found.read() if name.startswith("stream") else found))
            except AccelError as error:
                results.append(Asked(error=error))
        assert client._world.transport.stats().active == 0
    return results


def awaiting(
    server: RawServer, *calls: tuple[str, Any], clock: FakeClock | None = None, library: str = "asyncio", **more: Any
) -> Any:
    """The same, awaited."""

    async def run() -> list[Asked]:
        results = []
        async with _made(AsyncClient, server, clock, more) as client:
            for name, arguments in calls:
                try:
                    found = _begun(client, name, arguments)
                    results.append(Asked(answer=await (found.read() if name.startswith("stream") else found)))
                except AccelError as error:
                    results.append(Asked(error=error))
            assert client._world.transport.stats().active == 0
        return results

    return anyio.run(run, backend=library)


on_trio = functools.partial(awaiting, library="trio")


def _begun(client: Any, name: str, arguments: Any) -> Any:
    call = getattr(client, name)
    return call(*arguments) if isinstance(arguments, tuple) else call(**arguments)


def outcome(world: Any, server: RawServer, operation: str = "chat", **more: Any) -> Any:
    """Perform one call; return its answer or its error."""
    options = more.pop("options", {})
    (found,) = world(server, (operation, {"model": "acme/m", "messages": "q", **options}), **more)
    return found.answer if found.error is None else found.error


def _made(kind: Any, server: RawServer, clock: FakeClock | None, more: dict[str, Any]) -> Any:
    plugin = more.pop("plugin", Acme)(server.url)
    settings = more.pop("endpoint", {})
    endpoints = {"acme": EndpointConfig(**settings)} if settings else None
    client = kind(plugins=[plugin, *more.pop("beside", ())], endpoints=endpoints, **more)
    client._core.clock = clock or FakeClock()
    return client
