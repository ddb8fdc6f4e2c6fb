"""The configuration is read anew while the gateway runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import load_config
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._differences import differences
from ipfs_accel_gateway._reload import Reloader
from ipfs_accel_gateway._settings import settings_of
from ipfs_accel_gateway._source import Source, Watch

from .gateways import Running
from .processes import process
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, until

ALICE, BOB = "ia-of-alice", "ia-of-bob"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


class Upstream:
    """Answers whole at once; a stream it begins, and ends when it is let."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.served = 0

    def handle(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.served += 1
            if json.loads(connection.server.bodies[-1]).get("stream"):
                connection.send(STREAM + chunk("be"))
                self.may_end.wait(PATIENCE)
                connection.send(chunk("gun", "stop") + b"data: [DONE]\n\n")
                return
            connection.send(answer(CHAT, content_type="application/json"))


def asking(url: str, key: str = "", model: str = "up/m", **members: Any) -> httpx.Response:
    return httpx.post(
        f"{url}/v1/chat/completions",
        content=asked(model, **members),
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=PATIENCE,
        trust_env=False,
    )


class Written:
    """A gateway by a file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        path.write_text(text)
        self.source = Source(lambda: load_config(path, environ={}))
        config, _ = self.source.read()
        self.running = Running(config, {"port": 0, **config.gateway})
        self.reloader: Reloader = self.running.call(lambda: Reloader(self.running.gateway.change, self.source))

    def change(self, text: str, *, anew: bool = False) -> bool:
        """Write the file and have it read."""
        self.path.write_text(text)
        done = asyncio.run_coroutine_threadsafe(self.reloader.reload(anew=anew), self.running.loop)
        return done.result(PATIENCE)

    def ask(self, key: str = "", model: str = "up/m", **members: Any) -> httpx.Response:
        return asking(self.running.url, key, model, **members)


@pytest.fixture
def upstreams() -> Iterator[tuple[tuple[Upstream, str], tuple[Upstream, str]]]:
    one, two = Upstream(), Upstream()
    with serve(one.handle) as first, serve(two.handle) as second:
        yield (one, f"{first.url}/v1"), (two, f"{second.url}/v1")


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[str], Written]]:
    made: list[Written] = []

    def make(text: str) -> Written:
        made.append(Written(tmp_path / "config.toml", text))
        return made[-1]

    yield make
    for each in made:
        each.running.close()


def endpoint(url: str, name: str = "up") -> str:
    return f'[endpoints.{name}]\nbackend = "openai"\nbase_url = "{url}"\nkey_env = ""\n'


def key(name: str, text: str, **limits: Any) -> str:
    lines = "".join([f"{each} = {value}\n" for each, value in limits.items()])
    return f'[gateway.keys.{name}]\nhash = "{hash_of(text)}"\n{lines}'


def test_a_key_is_revoked_by_the_next_request(written: Any, upstreams: Any) -> None:
    (_, url), _ = upstreams
    at = written(endpoint(url) + key("alice", ALICE) + key("bob", BOB))
    assert [at.ask(each).status_code for each in (ALICE, BOB)] == [200, 200]
    client = at.running.gateway._client
    assert at.change(endpoint(url) + key("bob", BOB))
    assert [at.ask(each).status_code for each in (ALICE, BOB)] == [401, 200]
    assert at.running.gateway._client is client  # of the endpoints nothing has changed
    assert at.change(endpoint(url) + key("bob", BOB), anew=True)
    assert at.running.gateway._client is not client
    assert at.ask(BOB).status_code == 200


def test_what_was_taken_of_a_limit_remains_taken(written: Any, upstreams: Any) -> None:
    (_, url), _ = upstreams
    at = written(endpoint(url) + key("alice", ALICE, requests_per_minute=2) + key("bob", BOB, requests_per_minute=1))
    assert [at.ask(each).status_code for each in (ALICE, ALICE, BOB)] == [200, 200, 200]
    assert at.change(endpoint(url) + key("alice", ALICE, requests_per_minute=2) + key("bob", BOB, concurrency=1))
    assert [at.ask(each).status_code for each in (ALICE, BOB, BOB)] == [429, 200, 200]


def test_what_is_spent_and_counted_remains(written: Any, upstreams: Any, tmp_path: Path) -> None:
    """A lower budget holds against what was spent before; metrics go on, and tell of a new alias by its name."""
    (_, url), _ = upstreams
    table = f"[gateway]\nspend_file = '{tmp_path / 'spend'}'\nmetrics_port = 0\n"
    at = written(endpoint(url) + table + key("alice", ALICE, tokens_per_day=1_000_000))
    assert at.ask(ALICE, max_tokens=10).status_code == 200
    aliased = '[aliases]\nquick = "up/m"\n' + endpoint(url) + table.replace("_port = 0", "_port = 1")
    assert at.change(aliased + key("alice", ALICE, tokens_per_day=3, tokens_per_month=1_000_000))
    told = at.ask(ALICE, model="quick", max_tokens=10)
    assert (told.status_code, told.json()["error"]["code"]) == (429, "budget_exceeded")
    assert at.change(aliased + key("alice", ALICE, tokens_per_day=1_000_000))
    assert at.ask(ALICE, model="quick", max_tokens=10).status_code == 200
    host, port = at.running.gateway.metrics_address
    counted = httpx.get(f"http://{host}:{port}/metrics", trust_env=False).text
    for model, status in (("up/*", "2xx"), ("quick", "2xx"), ("quick", "4xx")):
        assert f'model="{model}"' in counted
        (line,) = [
            each
            for each in counted.splitlines()
            if each.startswith("ipfs_accel_gateway_requests_total{")
            and f'model="{model}"' in each
            and f'status="{status}"' in each
        ]
        assert line.endswith(" 1")


def test_a_stream_ends_by_the_settings_that_it_began_with(written: Any, upstreams: Any) -> None:
    (one, first), (two, second) = upstreams
    at = written(endpoint(first))
    client = at.running.gateway._client
    with connected(at.running.url) as sock:
        sock.sendall(post(asked(stream=True), "connection: close"))
        came = b""
        while b'"be"' not in came:
            came += sock.recv(65536)
        assert at.change(endpoint(second))
        assert at.ask().status_code == 200
        assert (one.served, two.served) == (1, 1)
        assert not client._core.is_closed
        (leaving,) = at.running.gateway._leaving
        one.may_end.set()
        while piece := sock.recv(65536):
            came += piece
    assert b'"gun"' in came
    assert came.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")

    async def closed() -> None:
        await asyncio.wait([leaving])

    asyncio.run_coroutine_threadsafe(closed(), at.running.loop).result(PATIENCE)
    assert client._core.is_closed


def test_two_requests_have_two_ids(written: Any, upstreams: Any) -> None:
    (_, url), _ = upstreams
    at = written(endpoint(url))
    before = at.ask().headers["x-request-id"]
    at.change(endpoint(url), anew=True)
    assert at.ask().headers["x-request-id"] != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway\n", "not valid TOML"),
        ('[gateway]\nport = "x"\n', "gateway.port: expected a whole number"),
        ('[gateway]\nhost = "0.0.0.0"\n', "gateway.host"),
        ("[endpoints.up]\nbackend = 'none'\n", "endpoints.up"),
        ("[endpoints.up]\nbackend = 'openai'\nbase_url = 'ftp://x'\n", "config.toml:"),
        ("[endpoints.up]\nbackend = 'openai'\nkey_env = ''\n[aliases]\nfast = 'missing/m'\n", "aliases.fast"),
        ("[routes.fast]\ntargets = ['missing/m']\n", "routes.fast.targets"),
        ("[gateway]\nkeys_file = 'keys.toml'\n[endpoints.up]\nbackend = 'openai'\nkey_env = ''\n", "keys_file"),
        (
            "[gateway]\naccess_log = '/nowhere/log'\n[endpoints.up]\nbackend = 'openai'\nkey_env = ''\n",
            "gateway.access_log",
        ),
    ],
    ids=["toml", "type", "host", "backend", "url", "alias", "route", "keys", "log"],
)
def test_what_cannot_be_served_changes_nothing(
    written: Any, upstreams: Any, caplog: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    (_, url), _ = upstreams
    at = written(endpoint(url) + key("alice", ALICE))
    app = at.running.gateway.app
    assert not at.change(text)
    (line,) = [each for each in caplog.records if each.name == "ipfs_accel_gateway.life"]
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith("not reloaded, what was read before holds on: ")
    assert said in line.getMessage()
    assert at.running.gateway.app is app
    assert at.ask(ALICE).status_code == 200


def test_a_file_that_is_gone_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstreams: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "ipfs-accel" / "config.toml"
    path.parent.mkdir()
    at = Written(path, endpoint(upstreams[0][1]))
    try:
        at.source._load = lambda: load_config(environ={})
        path.unlink()
        assert not asyncio.run_coroutine_threadsafe(at.reloader.reload(), at.running.loop).result(PATIENCE)
        assert f"{path} is gone" in caplog.text
        assert at.ask().status_code == 200
    finally:
        at.running.close()


def test_differences_are_names_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def read(text: str) -> Any:
        path = tmp_path / "config.toml"
        path.write_text(text)
        config = load_config(path, environ={})
        return config, settings_of(config)

    old = read(endpoint("http://a.test/v1") + key("alice", ALICE, concurrency=2) + "[aliases]\nfast = 'up/m'\n")
    new = read(
        "default_model = 'up/m'\n"
        + endpoint("http://user:secret@b.test/v1")
        + "headers = {authorization = 'Bearer secret'}\n"
        + endpoint("http://c.test/v1", "other")
        + key("alice", BOB, concurrency=3)
        + key("bob", ALICE)
        + "[gateway]\nport = 5\n"
    )
    assert differences(old, old) == []
    assert sorted(differences(old, new)) == [
        "aliases.fast removed",
        "default_model changed",
        "endpoints.other added",
        "endpoints.up.base_url changed",
        "endpoints.up.headers.authorization added",
        "gateway.keys.alice.concurrency changed",
        "gateway.keys.alice.hash changed",
        "gateway.keys.bob added",
        "gateway.port changed",
    ]


def test_what_cannot_change_is_said(written: Any, upstreams: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ipfs_accel_gateway.life")
    (_, url), _ = upstreams
    at = written(endpoint(url))
    address = at.running.gateway.address
    assert at.change(endpoint(url) + "[gateway]\nport = 5\nheartbeat = 3\n")
    assert "gateway.port changed (not before the next start)" in caplog.text
    assert "gateway.heartbeat changed," not in caplog.text.replace("gateway.heartbeat changed", "")
    assert at.running.gateway._server.heartbeat == 3
    assert at.running.gateway.address == address
    assert at.ask().status_code == 200


class TestWatch:
    def test_a_change_counts_once_it_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("1")
        watch = Watch((path,))
        assert [watch.has_changed() for _ in range(2)] == [False, False]
        path.write_text("22")
        assert not watch.has_changed()
        path.write_text("333")
        assert [watch.has_changed() for _ in range(4)] == [False, True, False, False]

    def test_a_file_that_is_replaced(self, tmp_path: Path) -> None:
        path, other = tmp_path / "a", tmp_path / "b"
        path.write_text("1")
        watch = Watch((path,))
        path.unlink()
        assert [watch.has_changed() for _ in range(3)] == [False, False, False]
        other.write_text("1")
        other.replace(path)
        assert [watch.has_changed() for _ in range(3)] == [False, True, False]

    def test_a_folder_that_is_swapped_by_a_link(self, tmp_path: Path) -> None:
        for name in ("v1", "v2"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.toml").write_text(name)
        moment = (tmp_path / "v1" / "config.toml").stat().st_mtime_ns
        os.utime(tmp_path / "v2" / "config.toml", ns=(moment, moment))
        (tmp_path / "..data").symlink_to("v1")
        (tmp_path / "config.toml").symlink_to("..data/config.toml")
        watch = Watch((tmp_path / "config.toml",))
        (tmp_path / "new").symlink_to("v2")
        (tmp_path / "new").replace(tmp_path / "..data")
        assert [watch.has_changed() for _ in range(3)] == [False, True, False]

    def test_what_is_written_while_it_is_read_is_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("1")
        watch = Watch((path,))
        path.write_text("22")
        assert [watch.has_changed() for _ in range(2)] == [False, True]
        path.write_text("333")
        watch.follow((path,))
        assert [watch.has_changed() for _ in range(2)] == [False, True]


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
def test_a_process_reads_on_change_and_when_it_is_told(tmp_path: Path, upstreams: Any) -> None:
    (_, url), _ = upstreams
    config, keys = tmp_path / "config.toml", tmp_path / "keys.toml"
    config.write_text(endpoint(url) + "[gateway]\nport = 0\nkeys_file = 'keys.toml'\n")
    keys.write_text(f'[alice]\nhash = "{hash_of(ALICE)}"\n')

    with process(config) as gateway:

        def status(key: str) -> int:
            return asking(gateway.url, key).status_code

        assert (status(ALICE), status(BOB)) == (200, 401)
        keys.write_text(f'[bob]\nhash = "{hash_of(BOB)}"\n')
        assert gateway.heard("reloaded") == "INFO: reloaded: gateway.keys.alice removed, gateway.keys.bob added\n"
        assert (status(ALICE), status(BOB)) == (401, 200)
        gateway.send(signal.SIGHUP)
        assert gateway.heard("reloaded") == "INFO: reloaded: nothing has changed\n"
        keys.write_text("[bob\n")
        assert "keys.toml: not valid TOML" in gateway.heard("not reloaded")
        assert status(BOB) == 200
        gateway.send(signal.SIGTERM)
        assert gateway.end() == 0


def test_the_call_of_who_has_left_ends_by_the_settings_that_it_began_with(
    written: Any, upstreams: Any, tmp_path: Path
) -> None:
    (one, first), (_, second) = upstreams
    log = f"[gateway]\naccess_log = '{tmp_path / 'log'}'\n"
    at = written(endpoint(first) + log)
    gateway = at.running.gateway
    ends, is_ending = asyncio.Event(), threading.Event()
    handle = gateway.app.handle

    async def slow(request: Any, reply: Any) -> None:
        try:
            await handle(request, reply)
        finally:
            is_ending.set()
            await ends.wait()

    at.running.call(lambda: setattr(gateway._server, "handler", slow))
    with connected(at.running.url) as sock:
        sock.sendall(post(asked(stream=True)))
        sock.recv(100)
    assert is_ending.wait(PATIENCE)
    client, records = gateway._client, gateway._observers._log
    assert at.change(endpoint(second) + log)
    assert at.ask().status_code == 200
    assert not client._core.is_closed
    assert records._file is not None
    one.may_end.set()
    at.running.call(ends.set)
    until(lambda: client._core.is_closed and records._file is None)
