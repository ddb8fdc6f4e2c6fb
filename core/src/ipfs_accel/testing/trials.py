"""Calls of a backend against a server of the test's own, the same for both worlds."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import attrs

from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, RetryConfig, Timeout
from ipfs_accel._config.config import PluginPolicy
from ipfs_accel._http.pool import PoolStats
from ipfs_accel._plugins.registry import Registry
from ipfs_accel._values import define, frozen
from ipfs_accel.errors import AccelError
from ipfs_accel.hookspecs import BackendInfo

from .faults import PATIENCE, Fault
from .raw_server import Connection, Handler, RawServer, blackhole, serve
from .replies import Reply

__all__ = [
    "SOON",
    "WORLDS",
    "Exchange",
    "Outcome",
    "Subject",
    "World",
    "against",
    "cancelled",
    "listening",
    "replying",
    "replying_anew",
]

World: TypeAlias = Literal["sync", "asyncio", "trio"]
C = TypeVar("C", Client, AsyncClient)
WORLDS: tuple[World, ...] = ("sync", "asyncio", "trio")
SOON = 60.0
"""Seconds; nothing here lasts that long, on however busy a machine."""


def _as_replies(value: Reply | tuple[Reply, ...]) -> tuple[Reply, ...]:
    return (value,) if isinstance(value, Reply) else value


@frozen(kw_only=True)
class Exchange:
    """A call, and what the server answers to it.

    Attributes:
        operation: The hook that it shows.
        call: Makes the call: given a client of either world and the endpoint's name, returns what the client returned.
        replies: What the server says, one for each request of the call.
        check: Raises or returns False if the answer is not the one that the replies stand for.
    """

    operation: str
    call: Callable[[Any, str], Any]
    replies: tuple[Reply, ...] = attrs.field(converter=_as_replies)
    check: Callable[[Any], Any] | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the last reply comes as frames with a terminal signal."""
        return self.replies[-1].is_stream


@define(kw_only=True)
class Outcome:
    """What became of a call.

    Attributes:
        answers: Of the calls that succeeded.
        errors: Of those that did not.
        events: Of all streams.
        stats: The connections of the client when all was over.
    """

    answers: list[Any] = attrs.field(factory=list)
    errors: list[AccelError] = attrs.field(factory=list)
    events: list[Any] = attrs.field(factory=list)
    stats: PoolStats | None = None

    @property
    def answer(self) -> Any:
        """The only answer; raises the error instead if there is one."""
        if self.errors:
            raise self.errors[0]
        return self.answers[-1]


@functools.cache
def _registry(plugin: Any) -> Registry:
    """Return what the clients of all tests share: to look at every installed distribution takes long."""
    return Registry(PluginPolicy(), () if isinstance(plugin, str) else (plugin,))


@frozen(kw_only=True)
class Subject:
    """The backend that is tried.

    Attributes:
        plugin: The plugin object, or the name of an installed one.
        options: The backend's own settings for the endpoint.
        path: What follows the server's address in the base URL.
        key: What is sent as the key; "" sends none.
        asides: Path to what its servers answer there, beside the replies.
    """

    plugin: Any
    options: Mapping[str, Any] = attrs.field(factory=dict)
    path: str = ""
    key: str = attrs.field(default="", repr=False)
    asides: Mapping[str, Reply] = attrs.field(factory=dict)

    @property
    def info(self) -> BackendInfo:
        """What the backend says of itself."""
        if isinstance(self.plugin, str):
            with Client(Config(environ={})) as client:
                return client._core.registry.load(self.plugin).info  # noqa: SLF001 - this is the core's own kit
        info: BackendInfo = self.plugin.describe()
        return info

    def arguments(self, url: str, timeout: Timeout) -> dict[str, Any]:
        """Return the arguments of a client whose endpoint of the backend's name points to a URL."""
        name = self.info.name
        endpoint = EndpointConfig(
            backend=name, base_url=url + self.path, key=self.key, options=self.options, timeout=timeout
        )
        plugins = () if isinstance(self.plugin, str) else (self.plugin,)
        # The contract is about what a backend makes of the first answer; the core would ask a failing server again.
        config = Config(environ={}, retry=RetryConfig(attempts=1))
        return {"config": config, "endpoints": {name: endpoint}, "plugins": plugins}

    def client(self, kind: type[C], url: str, timeout: Timeout) -> C:
        """Make a client with that endpoint."""
        made = kind(**self.arguments(url, timeout))
        made._core._registry = _registry(self.plugin)  # noqa: SLF001 - as above
        return made

    def run(
        self, world: World, exchange: Exchange, url: str, *, timeout: Timeout = PATIENCE, calls: int | Iterable[Any] = 1
    ) -> Outcome:
        """Make a call, several times if asked, and return what became of it; errors that are no `AccelError` escape.

        `calls` is how often, or something whose steps come before each call.
        """
        steps = range(calls) if isinstance(calls, int) else calls
        outcome = Outcome()
        if world == "sync":
            _blocking(self.client(Client, url, timeout), exchange, self.info.name, steps, outcome)
        else:
            import anyio  # noqa: PLC0415 - the synchronous world does not need it

            client = self.client(AsyncClient, url, timeout)
            anyio.run(_awaiting, client, exchange, self.info.name, steps, outcome, backend=world)
        return outcome


def _blocking(opened: Client, exchange: Exchange, name: str, steps: Iterable[Any], outcome: Outcome) -> None:
    with opened as client:
        for _ in steps:
            try:
                result = exchange.call(client, name)
                if hasattr(result, "__enter__"):
                    with result as stream:
                        outcome.events.extend(stream)
                    result = stream.response
                outcome.answers.append(result)
            except AccelError as error:
                outcome.errors.append(error)
        outcome.stats = client._world.transport.stats()  # noqa: SLF001 - as above


async def _awaiting(opened: AsyncClient, exchange: Exchange, name: str, steps: Iterable[Any], outcome: Outcome) -> None:
    async with opened as client:
        for _ in steps:
            try:
                result = exchange.call(client, name)
                if hasattr(result, "__aenter__"):
                    async with result as stream:
                        async for event in stream:
                            outcome.events.append(event)
                    outcome.answers.append(stream.response)
                else:
                    outcome.answers.append(await result)
            except AccelError as error:
                outcome.errors.append(error)
        outcome.stats = client._world.transport.stats()  # noqa: SLF001 - as above


@contextlib.contextmanager
def replying(subject: Subject, *replies: Reply) -> Iterator[RawServer]:
    """Run a server that gives these replies in turn, over and over."""
    turn = itertools.cycle(replies)
    with _answering(subject, lambda: next(turn)) as server:
        yield server


@contextlib.contextmanager
def replying_anew(subject: Subject, replies: Iterable[Reply]) -> Iterator[tuple[RawServer, Iterator[Reply]]]:
    """Run a server that gives one reply to everything; each step of the iterator makes it the next one."""
    current: list[Reply] = []

    def steps() -> Iterator[Reply]:
        for reply in replies:
            current[:] = [reply]
            yield reply

    with _answering(subject, lambda: current[0]) as server:
        yield server, steps()


@contextlib.contextmanager
def _answering(subject: Subject, give: Callable[[], Reply]) -> Iterator[RawServer]:
    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(give().sent())

    with listening(subject, handle) as server:
        yield server


def listening(subject: Subject, handler: Handler) -> contextlib.AbstractContextManager[RawServer]:
    """Run a server of the subject's kind."""
    return serve(handler, asides={path: reply.sent() for path, reply in subject.asides.items()})


@contextlib.contextmanager
def against(subject: Subject, fault: Fault, reply: Reply) -> Iterator[tuple[str, RawServer | None]]:
    """Set up a fault; gives the URL to call and the server, if there is one."""
    if fault.place == "unknown_host":
        yield "http://no-such-host.invalid", None
    elif fault.place == "refused":
        with socket.socket() as deaf:  # it does not listen, and nobody else can as long as it has the port
            deaf.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{deaf.getsockname()[1]}", None
    elif fault.place == "blackhole":
        with blackhole() as (host, port):
            yield f"http://{host}:{port}", None
    else:
        with listening(subject, fault.against(reply)) as server:
            yield server.url, server


def cancelled(subject: Subject, exchange: Exchange, server: RawServer, library: str) -> Any:
    """Make a call, cancel it once the server has it, and return the statistics of the connections."""
    import anyio  # noqa: PLC0415 - the synchronous world does not need it

    async def consume(client: AsyncClient) -> None:
        result = exchange.call(client, subject.info.name)
        if hasattr(result, "__aenter__"):
            async with result as stream:
                async for _ in stream:
                    pass
        else:
            await result

    async def run() -> Any:
        async with subject.client(AsyncClient, server.url, Timeout()) as client:
            with anyio.fail_after(SOON):
                async with anyio.create_task_group() as group:
                    group.start_soon(consume, client)
                    while not server.bodies:  # noqa: ASYNC110 - the server's threads have no event to wait for
                        await anyio.sleep(0.005)
                    await anyio.sleep(0.02)
                    group.cancel_scope.cancel()
            return client._world.transport.stats()  # noqa: SLF001 - this is the core's own kit

    return anyio.run(run, backend=library)
