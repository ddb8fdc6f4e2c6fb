"""A call that is overdue says which limit it was, where that is from, and how to set another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Config, EndpointConfig, Timeout, load_config
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import Connection, blackhole, chunked

from .both_worlds import awaiting, blocking, on_trio, scripted

WORLDS = pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
SHORT = 0.05


def silent(connection: Connection) -> None:
    connection.wait()


def silent_after(*lines: bytes) -> Callable[[Connection], None]:
    def step(connection: Connection) -> None:
        connection.send(chunked(*lines, end=False, content_type="application/x-ndjson"))
        connection.wait()

    return step


def failed(world: Any, step: Any, operation: str = "chat", *, more: Any = None, **options: Any) -> Any:
    with scripted(step) as server:
        call = (operation, {"model": "acme/m", "messages": "q", **options})
        (found,) = world(server, call, **(more or {}))
    return found.error


@WORLDS
def test_the_limit_of_a_call(world: Any) -> None:
    error = failed(world, silent, timeout=SHORT)
    assert isinstance(error, e.DeadlineExceededError)
    assert error.message.endswith("was not over within 0.05 s (timeout.total, as the call says)")
    assert (
        error.hint == "for more time pass timeout=SECONDS (-o timeout=SECONDS), or set timeout below [endpoints.acme]"
    )


@WORLDS
def test_the_limit_of_an_endpoint(world: Any) -> None:
    error = failed(world, silent, more={"endpoint": {"timeout": SHORT}})
    assert error.message.endswith("within 0.05 s (timeout.total, as set in code)")


@WORLDS
def test_the_limit_on_silence_before_the_first_event(world: Any) -> None:
    error = failed(world, silent_after(), "stream", more={"endpoint": {"timeout": Timeout(first_event=SHORT)}})
    assert isinstance(error, e.APITimeoutError)
    assert error.message.endswith("for 0.05 s (timeout.first_event, as set in code)")
    assert "timeout=Timeout(first_event=…" in str(error.hint)


@WORLDS
def test_the_limit_on_silence_within_a_stream(world: Any) -> None:
    limits = Timeout(first_event=60, idle=SHORT)
    error = failed(world, silent_after(b"a\n"), "stream", timeout=limits)
    assert isinstance(error, e.StreamInterrupted)
    assert error.message.endswith("for 0.05 s (timeout.idle, as the call says)")


@WORLDS
def test_the_limit_on_connecting(world: Any) -> None:
    with blackhole() as (host, port), scripted(silent) as server:
        endpoints = {"far": EndpointConfig(backend="acme", base_url=f"http://{host}:{port}")}
        call = ("chat", {"model": "far/m", "messages": "q", "timeout": Timeout(connect=SHORT)})
        (found,) = world(server, call, config=Config(endpoints=endpoints))
    assert found.error.message == (
        f"could not connect to {host}:{port} within 0.05 s (timeout.connect, as the call says)"
    )
    assert found.error.hint == (
        "for another limit pass timeout=Timeout(connect=SECONDS), or set connect below [endpoints.far.timeout]"
    )


@WORLDS
def test_a_limit_from_a_file_names_it(world: Any, tmp_path: Any) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[endpoints.acme]\ntimeout = {SHORT}\n")
    error = failed(world, silent, more={"config": load_config(path)})
    assert "(timeout.total, as set by " in error.message
    assert "config.toml" in error.message
