"""What the tests of the command line share: runs in this process, runs as a process, and answers of a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import State
from pytest_httpserver import HTTPServer

from .studio import Studio

Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
COMMAND = [sys.executable, "-m", "ipfs_accel"]


@pytest.fixture(autouse=True)
def _only_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backends that happen to be installed play no part; nor do colours that the caller's shell wants, nor speed."""
    monkeypatch.setattr("ipfs_accel._cli.inspect.LOAD_SECONDS", 60.0)
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "studio,acme-studio")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Run:
    """Run a command in this process; the backend `studio` talks to `httpserver` if the test has one."""
    if "httpserver" in request.fixturenames:
        server: HTTPServer = request.getfixturevalue("httpserver")
        monkeypatch.setenv("STUDIO_BASE_URL", server.url_for("").rstrip("/"))

    def run(*arguments: str, input: str | bytes | None = None, plugins: Any = None) -> Result:  # noqa: A002
        state = State([Studio()] if plugins is None else plugins)
        return CliRunner().invoke(app, arguments, input=input, obj=state)

    return run


@pytest.fixture
def start(install: Callable[..., Path], request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a command as a process of its own, with the backend `studio` installed; it ends with the test."""
    site = install("studio", (Path(__file__).parent / "studio.py").read_text())
    environ = {**os.environ, "PYTHONPATH": str(site)}
    if "httpserver" in request.fixturenames:
        server: HTTPServer = request.getfixturevalue("httpserver")
        environ["STUDIO_BASE_URL"] = server.url_for("").rstrip("/")

    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, command: Sequence[str] = COMMAND, **settings: Any) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        streams = {"stdin": pipe, "stdout": pipe, "stderr": pipe} | settings
        started.append(subprocess.Popen([*command, *arguments], env=environ, text=True, **streams))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def spawn(start: Start) -> Spawn:
    """Run a command as a process of its own and wait for its end."""

    def spawn(*arguments: str, input: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:  # noqa: A002
        process = start(*arguments, **settings)
        out, err = process.communicate(input, timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return spawn


def chat_answer(text: str | None = "blue", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage}


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c1', 'model': 'm-1', 'choices': [choice]})}\n\n"


def chat_stream(*pieces: str, finish: str = "stop", deltas: tuple[dict[str, Any], ...] = ()) -> str:
    """The body of a streamed answer."""
    body = [*[chunk(delta) for delta in deltas], *[chunk({"content": piece}) for piece in pieces], chunk({}, finish)]
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    return "".join([*body, f"data: {json.dumps(usage)}\n\n", "data: [DONE]\n\n"])


@pytest.fixture
def streams(httpserver: HTTPServer) -> Callable[..., None]:
    """Have the server stream an answer to every chat."""

    def streams(*pieces: str, **settings: Any) -> None:
        httpserver.expect_request("/chat/completions", method="POST").respond_with_data(
            chat_stream(*pieces, **settings), content_type="text/event-stream", headers={"x-request-id": "r1"}
        )

    return streams
