"""The command as a process: streams, signals, pipes, start-up, and plugins that misbehave."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ipfs_accel._cli.front import COMPLETE_VARIABLE
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import COMMAND, Spawn, Start, chat_stream, chunk
from .terminal import terminal

Install = Callable[..., Path]
KEY = "sk-canary-0123456789"


@pytest.fixture
def endless(httpserver: HTTPServer) -> Iterator[None]:
    """A server that begins an answer and does not end it before the test is over."""
    over = threading.Event()

    def body() -> Iterator[str]:
        yield chunk({"content": "so "})
        yield chunk({"content": "far"})
        while not over.wait(0.05):
            yield ": still here\n\n"  # fails when nobody listens any more

    httpserver.expect_request("/chat/completions").respond_with_handler(
        lambda _request: Response(body(), content_type="text/event-stream")
    )
    yield
    over.set()


def test_python_m_is_the_command(spawn: Spawn) -> None:
    result = spawn("--version")
    assert (result.returncode, result.stdout.split()[0], result.stderr) == (0, "ipfs-accel", "")


def test_the_answer_alone_is_on_stdout(spawn: Spawn, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_data(
        chat_stream("bl", "ue"), content_type="text/event-stream"
    )
    result = spawn("chat", "-m", "studio/m", "--usage", input="sky?")
    assert (result.returncode, result.stdout) == (0, "blue\n")
    assert result.stderr.startswith("usage: 3 tokens in")


def test_text_arrives_while_the_answer_is_still_being_written(start: Start, endless: None) -> None:
    process = start("chat", "-m", "studio/m", "q", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.read(6) == "so far"
    process.kill()
    process.communicate()


@pytest.mark.parametrize("arguments", [("chat", "-m", "studio/m", "q"), ("chat", "-m", "studio/m", "-i", "q")])
def test_ctrl_c_keeps_what_came_and_exits_130(start: Start, endless: None, arguments: tuple[str, ...]) -> None:
    process = start(*arguments, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.read(6) == "so far"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (130, "\n", "")


def test_a_reader_that_leaves_ends_it_quietly(start: Start, endless: None) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("chat", "-m", "studio/m", "q", stdin=subprocess.DEVNULL, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")


def test_help_into_a_closed_pipe(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--help", stdout=writer)
    os.close(writer)
    assert (process.communicate(timeout=100)[1], process.returncode) == ("", 0)


def test_no_prompt_and_nobody_to_ask(spawn: Spawn) -> None:
    result = spawn("chat", "-m", "studio/m")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: there is no prompt\n")


def test_no_key_shows_not_even_with_debug(spawn: Spawn, start: Start, httpserver: HTTPServer) -> None:
    def repeat(request: Request) -> Response:
        said = request.headers["Authorization"]
        return Response(json.dumps({"error": {"message": f"wrong: {said}"}}), 401, content_type="application/json")

    httpserver.expect_request("/chat/completions").respond_with_handler(repeat)
    assert spawn("keys", "set", "studio", input=KEY).returncode == 0
    for flags in ((), ("--debug",), ("--json",), ("--json", "--debug")):
        result = spawn("chat", "-m", "studio/m", "q", *flags)
        assert result.returncode == 4
        assert "wrong: " in result.stderr
        assert "canary" not in result.stdout + result.stderr
        assert ("Traceback" in result.stderr) is ("--debug" in flags)
    for arguments in (("doctor",), ("config", "show"), ("keys", "list"), ("backends",), ("doctor", "--json")):
        assert "canary" not in spawn(*arguments, "--debug").stdout


def test_a_warning_is_a_line_on_stderr(spawn: Spawn, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_data(
        chat_stream("blue"), content_type="text/event-stream"
    )
    result = spawn("chat", "-m", "studio/m", "q", "-o", "top_k=3", "-o", "on_unsupported=warn")
    assert (result.returncode, result.stdout) == (0, "blue\n")
    assert result.stderr.startswith("warning: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("keys", "set", "studio"), "error: no key came from stdin\n"),
        (("chat", "-m", "studio/m"), "error: there is no prompt\n"),
        (("chat", "-m", "studio/m", "-i"), ""),
    ],
)
def test_with_stdin_closed_nobody_is_asked(
    spawn: Spawn, start: Start, arguments: tuple[str, ...], message: str
) -> None:
    code = "import os, sys; os.close(0); os.execv(sys.executable, [sys.executable, '-m', 'ipfs_accel', *sys.argv[1:]])"
    process = start(*arguments, command=[sys.executable, "-c", code])
    _, err = process.communicate(timeout=100)
    assert err.startswith(message)
    assert process.returncode == (2 if message else 0)


def test_what_a_terminal_cannot_show_breaks_nothing(spawn: Spawn, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_data(
        chat_stream("naïve ☂ \ud83d"), content_type="text/event-stream"
    )
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1:strict", "STUDIO_BASE_URL": httpserver.url_for("")}
    environ["PYTHONPATH"] = next(path for path in sys.path if (Path(path) / "plugin_acme_studio.py").exists())
    pipe = subprocess.PIPE
    process = subprocess.run(
        [*COMMAND, "chat", "-m", "studio/m", "q"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, b"na\xefve ? ?\n", b"")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_start_costs_little_more_than_click(arguments: list[str]) -> None:
    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    def best(*command: str) -> float:
        """Seconds of processor time, which other programs have no part in."""
        times = []
        for _ in range(5):
            before = used()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            times.append(used() - before)
        return min(times)

    assert best("-m", "ipfs_accel", *arguments) < 3 * best("-c", "import click, importlib.metadata")


@pytest.mark.parametrize(
    ("arguments", "module"),
    [(["--help"], "front"), (["chat", "-m", "=openai/"], "completing"), (["find", "--feature", "="], "completing")],
)
def test_help_and_completion_import_nothing_heavy(
    arguments: list[str], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module == "completing":
        monkeypatch.setenv(COMPLETE_VARIABLE, "bash")
    code = (
        "import sys; from ipfs_accel._cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = set(result.stderr.split())
    assert f"ipfs_accel._cli.{module}" in loaded
    assert not loaded & {
        "click",
        "httpx",
        "attrs",
        "attr",
        "cattrs",
        "pluggy",
        "structlog",
        "rich",
        "ipfs_accel._client.clients",
        "ipfs_accel_openai",
        "anyio",
    }


@pytest.mark.parametrize("columns", [None, "30", "61", "200", "wide"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_the_same_whether_click_was_loaded_for_it(columns: str | None, option: str) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    environ |= {} if columns is None else {"COLUMNS": columns}
    pages = [
        subprocess.run(
            [sys.executable, "-m", "ipfs_accel", *arguments], capture_output=True, text=True, check=True, env=environ
        ).stdout
        for arguments in ([option], ["--quiet", option])
    ]
    assert pages[0] == pages[1]
    assert pages[0].startswith("Usage: ipfs-accel [OPTIONS] COMMAND [ARGUMENTS]...\n\n  Talk to every AI backend")
    assert max(len(line) for line in pages[0].splitlines()) <= 78


@pytest.fixture
def bad_plugins(install: Install, monkeypatch: pytest.MonkeyPatch) -> Path:
    install("crash", "raise RuntimeError('bad day')")
    install("sleepy", "import time\ntime.sleep(600)")
    install("leave", "import sys\nsys.exit(3)")
    install("twin", distribution="acme-twin-one")
    install("twin", distribution="acme-twin-two")
    old = "from ipfs_accel import BackendInfo, hookimpl\napi_version = 0\n"
    site = install("old", old)
    monkeypatch.delenv("IPFS_ACCEL_PLUGINS")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


@pytest.mark.usefixtures("bad_plugins")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("backends",), 0),
        (("doctor",), 1),
        (("config", "show"), 0),
        (("capabilities",), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_plugins_neither_break_nor_delay(start: Start, arguments: tuple[str, ...], code: int) -> None:
    process = start(*arguments)
    _, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    assert "Traceback" not in err


@pytest.mark.usefixtures("bad_plugins")
def test_doctor_tells_what_is_wrong_with_each(spawn: Spawn) -> None:
    patient = "from ipfs_accel._cli import inspect, main; inspect.LOAD_SECONDS = 10.0; main()"
    report = json.loads(spawn("doctor", "--json", command=[sys.executable, "-c", patient]).stdout)
    found = {each["name"]: (each["state"], each["reason"]) for each in report["plugins"]}
    assert found["studio"] == ("loaded", None)
    assert found["crash"] == ("broken", "RuntimeError: bad day")
    assert found["leave"] == ("broken", "SystemExit: 3")
    assert found["sleepy"] == ("slow", "the plugin 'sleepy' is still importing after 10 s")
    assert found["twin"][0] == "duplicate"
    assert found["old"] == (
        "incompatible",
        "it was written for plugin API 0, which this ipfs-accel with 1 does not take any more: upgrade the plugin",
    )
    named = {problem["message"].split(":")[0] for problem in report["problems"]}
    assert {"plugin crash", "plugin leave", "plugin sleepy", "plugin twin", "plugin old"} <= named


@pytest.fixture
def environ(install: Install, httpserver: HTTPServer) -> dict[str, str]:
    site = install("studio", (Path(__file__).parent / "studio.py").read_text())
    return {**os.environ, "PYTHONPATH": str(site), "STUDIO_BASE_URL": httpserver.url_for("").rstrip("/")}


def test_a_conversation_on_a_terminal_survives_ctrl_c_and_errors(
    environ: dict[str, str], endless: None, httpserver: HTTPServer
) -> None:
    with terminal(*COMMAND, "chat", "-m", "studio/m", "-i", environ=environ) as screen:
        screen.expect("> ")
        screen.type("first\n")
        screen.expect("so far")
        screen.type("\x03")
        screen.expect("(stopped)")
        screen.expect("> ")
        screen.type(".nonsense\n")
        screen.expect("there is no command .nonsense")
        screen.type("second\n")
        screen.expect("so far")
        screen.type("\x03")
        screen.expect("> ")
        screen.type("\x04")
    assert screen.process.returncode == 0
    assert httpserver.log[-1][0].json["messages"] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "so far"},
        {"role": "user", "content": "second"},
    ]


def test_a_key_is_typed_without_echo(environ: dict[str, str]) -> None:
    with terminal(*COMMAND, "keys", "set", "studio", environ=environ) as screen:
        screen.expect("key of studio (not shown): ")
        screen.type(f"{KEY}\n")
        screen.expect("stored the key of studio for")
    assert screen.process.returncode == 0
    assert KEY not in screen.text


def test_tables_are_aligned_on_a_terminal(environ: dict[str, str]) -> None:
    with terminal(*COMMAND, "backends", "--color", "never", environ=environ) as screen:
        screen.expect("1.2")
        screen.expect("\n")
    lines = [line for line in screen.text.splitlines() if "BACKEND" in line or "studio" in line]
    assert lines[0].index("STATE") == lines[1].index("available")
    assert "\t" not in screen.text


def test_a_model_cannot_steer_the_terminal(environ: dict[str, str], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_data(
        chat_stream("a\x1b[2Jb"), content_type="text/event-stream"
    )
    with terminal(*COMMAND, "chat", "-m", "studio/m", "q", environ=environ) as screen:
        screen.expect("a[2Jb")
    assert screen.process.returncode == 0
