"""Secrets that are told to everything, and looked for in everything that a program, a log or a file can see."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import secrets
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from click.testing import CliRunner
from ipfs_accel import (
    AsyncClient,
    BatchingConfig,
    BreakerConfig,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    LimitsConfig,
    PluginPolicy,
    RetryConfig,
    Secret,
    SemanticConfig,
    TelemetryConfig,
    Timeout,
)
from ipfs_accel import errors as e
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import State
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, chunked, serve

from .test_joined import Embedding
from .test_records import heard, telemetry

__all__ = ["heard", "telemetry"]


def canary(name: str) -> str:
    return f"sk-{name}-canary-{secrets.token_hex(8)}"


@attrs.frozen
class Canaries:
    """What must not be found anywhere."""

    first: str = attrs.field(factory=lambda: canary("first"), repr=False)
    second: str = attrs.field(factory=lambda: canary("second"), repr=False)
    of_call: str = attrs.field(factory=lambda: canary("call"), repr=False)
    header: str = attrs.field(factory=lambda: canary("header"), repr=False)
    proxy: str = attrs.field(factory=lambda: canary("proxy"), repr=False)

    def found_in(self, text: str) -> list[str]:
        return [name for name, value in attrs.asdict(self).items() if value in text]


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


def sent_in(head: str) -> str:
    """Return the secrets of a request, to be repeated by a careless server."""
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    return f"{fields.get('authorization', '')} {fields.get('x-tenant-token', '')}"


def problem(connection: Connection, head: str) -> None:
    body = json.dumps({"problem": f"wrong: {sent_in(head)}", "kind": sent_in(head)}).encode()
    connection.send(answer(body, "401 No", x_repeated=sent_in(head)))


def busy(connection: Connection, head: str) -> None:
    connection.send(answer(sent_in(head).encode(), "503 Busy", x_id=sent_in(head)))


def nonsense(connection: Connection, _head: str) -> None:
    connection.send(answer(b"no JSON"))


def half(connection: Connection, head: str) -> None:
    connection.send(chunked(b"a\n", end=False, content_type="application/x-ndjson"))
    connection.reset()


def reset(connection: Connection, _head: str) -> None:
    connection.reset()


def silence(connection: Connection, _head: str) -> None:
    connection.wait()


def good(connection: Connection, head: str) -> None:
    if "/stream" in head:
        connection.send(chunked(b"blue\nEND\n", content_type="application/x-ndjson"))
    elif "/embed" in head:
        connection.send(answer(b"[1]"))
    else:
        connection.send(answer(b'{"answer": "blue", "used": 1}'))


SCRIPTS = [good, problem, busy, nonsense, half, reset, silence]


@pytest.fixture
def told(canaries: Canaries, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return the arguments of a client that knows all secrets and writes to everything."""

    def arguments(
        server: RawServer, middleware: tuple[str, ...] = ("ears",), timeout: Timeout | None = None
    ) -> dict[str, Any]:
        config = Config(
            environ={},
            proxy=f"http://me:{canaries.proxy}@{server.host}",
            plugins=PluginPolicy(middleware=middleware),
            cache=CacheConfig(
                path=str(tmp_path / "answers"), sampled=True, semantic=SemanticConfig(embed="acme/vectors")
            ),
            telemetry=TelemetryConfig(otel=True),
            usage_log=str(tmp_path / "usage"),
        )
        endpoint = EndpointConfig(
            key=[canaries.first, canaries.second],
            headers={"x-tenant-token": canaries.header},
            retry=RetryConfig(attempts=2, base=0.0),
            limits=LimitsConfig(max_concurrent=4),
            breaker=BreakerConfig(min_calls=1, even_last=True),
            batching=BatchingConfig(max_wait=0.0),
            timeout=timeout or Timeout(),
        )
        return {"config": config, "endpoints": {"acme": endpoint}, "plugins": [Embedding("http://far.invalid")]}

    return arguments


def calls(client: Any, canaries: Canaries, *, patient: bool) -> list[Callable[[], Any]]:
    """Return calls of every kind; `patient` leaves out the check of health, which waits for ten seconds."""
    own = Secret(canaries.of_call)
    return [
        lambda: client.chat("acme/m", "q"),
        lambda: client.chat("acme/m", "another", key=own),
        lambda: client.chat(["acme/m", "acme/n"], "again"),
        lambda: client.embed("acme/m", "q"),
        lambda: client.stream("acme/m", "q"),
        lambda: client.stream("acme/m", "q", key=own),
        lambda: client.show_model("acme/m"),
        *([] if patient else [lambda: client.healthcheck("acme")]),
        lambda: client.call("acme", "double", number=2),
    ]


def said_of(error: BaseException) -> str:
    """Return all that a report of an error can show, the variables of its frames included."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = ["".join(shown.format()), str(error), repr(error), repr(error.args), repr(vars(error))]
    return "".join([*parts, repr(pickle.dumps(error)), *[said_of(each) for each in _around(error)]])


def _around(error: BaseException) -> list[BaseException]:
    return [each for each in (error.__cause__, error.__context__) if each is not None]


def said_by(client: Any) -> str:
    states = client.states()
    return repr((client, client.config, client.config.endpoints, states, client.usage(), client.plugins())) + repr(
        pickle.dumps((states, client.usage()))
    )


def in_threads(arguments: dict[str, Any], canaries: Canaries, *, patient: bool) -> Iterator[str]:
    with Client(**arguments) as client:
        for call in calls(client, canaries, patient=patient):
            try:
                found = call()
                yield repr(found)
                if hasattr(found, "read"):
                    found = found.read()
                yield repr(found) + repr(getattr(found, "call", None)) + repr(pickle.dumps(found))
            except e.AccelError as error:
                yield said_of(error)
            yield said_by(client)
        yield from _internals(client)


def in_tasks(arguments: dict[str, Any], canaries: Canaries, *, patient: bool) -> Iterator[str]:
    said: list[str] = []

    async def run() -> None:
        async with AsyncClient(**arguments) as client:
            for call in calls(client, canaries, patient=patient):
                try:
                    found = call()
                    said.append(repr(found))
                    found = await (found.read() if hasattr(found, "read") else found)
                    said.append(repr(found) + repr(getattr(found, "call", None)) + repr(pickle.dumps(found)))
                except e.AccelError as error:
                    said.append(said_of(error))
                said.append(said_by(client))
            said.extend(_internals(client))

    anyio.run(run)
    return iter(said)


def _internals(client: Any) -> Iterator[str]:
    """Return the reprs of what stands in the frames of a call and may be shown by a debugger or a reporter."""
    for target in client._core.targets().values():
        yield repr((target, target.backend, target.endpoint, target.guard, target.guard.pool))


@pytest.mark.parametrize("world", [in_threads, in_tasks], ids=["threads", "tasks"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_no_secret_is_found_anywhere(
    script: Any,
    world: Any,
    canaries: Canaries,
    told: Any,
    heard: Any,
    telemetry: Any,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)

    def handle(connection: Connection) -> None:
        while (head := connection.request()) is not None:
            script(connection, head)

    with serve(handle) as server:
        short = Timeout(first_event=0.1, idle=0.1, total=0.2)
        arguments = told(server, timeout=short if script is silence else None)
        said = list(world(arguments, canaries, patient=script is silence))
        urls = [head.split("\r\n", 1)[0] for head in server.heads]
        assert server.heads
        assert any(
            canaries.first in head for head in server.heads
        )  # the secrets were sent, so that they could be found
        assert any(canaries.header in head for head in server.heads)
    gc.collect()
    for number, text in enumerate(said):
        assert not canaries.found_in(text), (number, _near(text, canaries))
    assert not canaries.found_in(repr(urls))
    logs = caplog.text + repr([vars(record) for record in caplog.records])
    assert not canaries.found_in(logs), _near(logs, canaries)
    records = repr(heard.records) + repr(pickle.dumps(heard.records))
    assert not canaries.found_in(records), _near(records, canaries)
    spans, metrics = telemetry()
    telemetries = "".join(span.to_json() for span in spans) + repr(metrics)
    assert not canaries.found_in(telemetries), _near(telemetries, canaries)
    for path in tmp_path.iterdir():
        if path.is_file():
            assert not canaries.found_in(path.read_bytes().decode("latin-1")), path
    if script is good:
        with sqlite3.connect(tmp_path / "answers") as file:
            assert file.execute("SELECT count(*) FROM answers_v1").fetchone()[0] >= 2
            assert file.execute("SELECT count(*) FROM questions_v1").fetchone()[0] >= 1


def _near(text: str, canaries: Canaries) -> list[str]:
    return [
        f"{name}: {text[max(0, at - 300) : at + 80]}"
        for name, value in attrs.asdict(canaries).items()
        if (at := text.find(value)) >= 0
    ]


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize(
    "command", [("health",), ("health", "acme"), ("doctor",), ("config", "show"), ("backends",), ("keys", "list")]
)
def test_no_secret_is_shown_by_the_command_line(
    command: tuple[str, ...], flags: tuple[str, ...], canaries: Canaries, tmp_path: Path, monkeypatch: Any
) -> None:
    def handle(connection: Connection) -> None:
        while (head := connection.request()) is not None:
            problem(connection, head)

    with serve(handle) as server:
        file = tmp_path / "config.toml"
        file.write_text(
            f'proxy = "http://me:{canaries.proxy}@{server.host}"\n'
            '[endpoints.acme]\nbase_url = "http://far.invalid"\nkey_env = ["FIRST", "SECOND"]\n'
            f'headers = {{ x-tenant-token = "{canaries.header}" }}\n'
        )
        monkeypatch.setenv("FIRST", canaries.first)
        monkeypatch.setenv("SECOND", canaries.second)
        monkeypatch.setenv("ACME_KEY", canaries.of_call)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{canaries.proxy}@proxy.invalid:1")
        monkeypatch.setenv("IPFS_ACCEL_CONFIG", str(file))
        monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "acme")
        state = State([Embedding("http://far.invalid")])
        result = CliRunner().invoke(app, [*command, *flags], obj=state)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.output
    assert not canaries.found_in(result.output), _near(result.output, canaries)
