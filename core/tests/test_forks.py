"""Forks at moments at which another thread, or the parent itself, is in the middle of something."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, RouteConfig, StoreConfig, _fork
from ipfs_accel._calls import stores
from ipfs_accel._plugins import distributions, middleware_loading, registry
from ipfs_accel._plugins.entry_points import EntryPoint
from ipfs_accel._resilience.places import Place
from ipfs_accel.testing.raw_server import Connection

from .acme import Acme
from .both_worlds import fine, scripted
from .test_streams import head, piece

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def in_child(function: Callable[[], object]) -> str:
    """Run a function in a forked child; return the text of what it gives, or of the error that it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        try:
            said = str(function())
        except BaseException as error:  # noqa: BLE001 - nothing may leave the child
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@contextmanager
def going_on() -> Iterator[tuple[Any, threading.Event]]:
    """A server whose stream says one thing, and the rest when it may."""
    may_go_on = threading.Event()

    def speak(connection: Connection) -> None:
        connection.send(head(b"a\n"))
        may_go_on.wait(60)
        connection.send(piece(b"b\nEND\n") + b"0\r\n\r\n")

    with scripted(speak, fine("child"), fine("parent")) as server:
        try:
            yield server, may_go_on
        finally:
            may_go_on.set()


REFUSED = "is read by the process that forked this one"


def test_a_child_does_not_read_its_parents_stream() -> None:
    with going_on() as (server, may_go_on), Client(plugins=[Acme(server.url)]) as client:
        stream = client.stream("acme/m", "q")
        first = next(stream)
        said = in_child(lambda: next(stream))
        assert said.startswith("ConfigError: acme/m: this answer of 127.0.0.1")
        assert REFUSED in said
        assert in_child(stream.close) == "None"
        assert in_child(lambda: client.chat("acme/m", "q").text) == "child"
        may_go_on.set()
        assert [first, *stream][0] is first
        assert stream.response.text == "ab"
        assert client.chat("acme/m", "q").text == "parent"


def test_a_child_does_not_read_its_parents_asynchronous_stream() -> None:
    async def run(url: str, may_go_on: threading.Event) -> None:
        async with AsyncClient(plugins=[Acme(url)]) as client:
            stream = client.stream("acme/m", "q")
            await anext(stream)

            def child() -> None:
                asyncio.events._set_running_loop(None)
                asyncio.new_event_loop().run_until_complete(anext(stream))

            assert REFUSED in in_child(child)
            may_go_on.set()
            assert (await stream.read()).text == "ab"

    with going_on() as (server, may_go_on):
        asyncio.run(run(server.url, may_go_on))


class Slow:
    """An entry point whose import takes until it may end."""

    def __init__(self, plugin: Any) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self._plugin = plugin

    def load(self) -> Any:
        self.begun.set()
        self.may_end.wait(60)
        return self._plugin


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Slow, Any]]:
    """A backend of which a thread of the parent imports the plugin, for as long as it is told to."""
    with scripted(fine()) as server:
        slow = Slow(Acme(server.url))
        entry = EntryPoint("acme", "acme:plugin")
        found = distributions.Installed(entry, "acme-plugin", "1", "ipfs_accel.backends")
        monkeypatch.setattr(registry, "installed", lambda *_groups: [found])
        monkeypatch.setattr(EntryPoint, "load", slow.load)
        client = Client(Config(environ={}))
        thread = threading.Thread(target=client.chat, args=("acme/m", "q"))
        thread.start()
        slow.begun.wait(60)
        try:
            yield slow, client
        finally:
            slow.may_end.set()
            thread.join()
            client.close()


def test_a_fork_waits_for_an_import_of_another_thread(importing: tuple[Slow, Any]) -> None:
    slow, client = importing
    threading.Timer(0.05, slow.may_end.set).start()
    assert in_child(lambda: client.chat("acme/m", "q").text) == "blue"


def test_an_import_that_takes_too_long_is_refused_in_the_child(
    importing: tuple[Slow, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, client = importing
    monkeypatch.setattr(_fork, "PATIENCE", 0.05)
    said = in_child(lambda: client.chat("acme/m", "q"))
    assert said.startswith("PluginError: the plugin 'acme' (from acme-plugin 1) is broken: this process was forked")
    assert "make the first call before forking" in said
    slow.may_end.set()
    assert client.chat("acme/m", "q").text == "blue"
    assert in_child(lambda: client.chat("acme/m", "q").text) == "blue"


def test_middleware_whose_import_takes_too_long_is_refused_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def load(*_: Any) -> list[Any]:
        begun.set()
        may_end.wait(60)
        return []

    monkeypatch.setattr(registry, "load_all", load)
    monkeypatch.setattr(_fork, "PATIENCE", 0.05)
    with scripted(fine()) as server, Client(plugins=[Acme(server.url)]) as client:
        client._core.registry.has_middleware = True
        thread = threading.Thread(target=client._core.registry.middleware)
        thread.start()
        begun.wait(60)
        said = in_child(lambda: client.chat("acme/m", "q"))
        may_end.set()
        thread.join()
        assert said.startswith("PluginError: ")
        assert "the middleware is broken: this process was forked" in said
        assert client.chat("acme/m", "q").text == "blue"
    assert middleware_loading.load_all is not load


def test_a_thread_that_forks_while_it_imports_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Forks(Acme):
        def load(self) -> Any:
            said.append(in_child(lambda: "a child"))
            return self

    with scripted(fine()) as server:
        plugin = Forks(server.url)
        entry = EntryPoint("acme", "acme:plugin")
        monkeypatch.setattr(
            registry,
            "installed",
            lambda *_groups: [distributions.Installed(entry, "acme-plugin", "1", "ipfs_accel.backends")],
        )
        monkeypatch.setattr(EntryPoint, "load", plugin.load)
        monkeypatch.setattr(_fork, "PATIENCE", 1000.0)
        with Client(Config(environ={})) as client:
            assert client.chat("acme/m", "q").text == "blue"
    assert said == ["a child"]


def test_locks_that_other_threads_hold_do_not_stop_a_child() -> None:
    places = RouteConfig(targets=["acme/m"], policy="least_busy")
    config = Config(environ={}, routes={"r": places}, stores={"s": StoreConfig(endpoints=("acme",))})
    with scripted(fine()) as server, Client(config, plugins=[Acme(server.url)]) as client:
        core = client._core
        store, _ = stores._find(core, "s/b/k")
        assert store is not None
        held = [client._making.lock, core.registry._middleware_lock, core.places._lock, store._lock]
        held += [slot.lock for slot in core.registry._slots.values()]
        for each in held:
            each.acquire()

        def child() -> tuple[str, list[str]]:
            return client.chat("r", "q").text, store.order(Place())

        said = in_child(child)
        for each in held:
            each.release()
        assert said == "('blue', ['acme'])"


def test_a_new_import_waits_until_a_fork_is_over() -> None:
    assert in_child(lambda: "first") == "first"
    with _fork.Importing():
        assert in_child(lambda: "second") == "second"
    assert _fork._importing == []
