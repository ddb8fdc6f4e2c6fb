from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from ipfs_accel._cli.command import State
from ipfs_accel._cli.progress import Bar
from ipfs_accel.types import Progress
from pytest_httpserver import HTTPServer

from conftest import sent

from ..depot import Depot  # noqa: TID252 - a backend for the tests of both levels
from .conftest import Run

LINES = (
    '{"status": "fetching", "item": "a", "completed": 1000, "total": 2000}\n'
    '{"status": "fetching", "item": "a", "completed": 2000, "total": 2000}\n{"status": "success"}\n'
)


@pytest.fixture
def keep(run: Run, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DEPOT_HOST", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "depot")
    for path in ("/pull", "/push", "/create"):
        httpserver.expect_request(path).respond_with_data(LINES)
    for path in ("/copy", "/models", "/load", "/unload"):
        httpserver.expect_request(path).respond_with_data("")
    httpserver.expect_request("/running").respond_with_json(
        [{"id": "m", "size": 2000, "gpu_size": 500, "context_window": 4096, "expires": 0}, {"id": "n"}]
    )
    httpserver.expect_request("/models/m").respond_with_json(
        {"id": "m", "context_window": 4096, "created": 0, "input_modalities": ["text"]}
    )
    return lambda *arguments, **settings: run(*arguments, plugins=[Depot()], **settings)


@pytest.mark.parametrize("name", ["pull", "push"])
def test_a_transfer_writes_lines_where_there_is_no_terminal(name: str, keep: Run, httpserver: HTTPServer) -> None:
    result = keep(name, "depot/m", "-O", "insecure=true")
    assert (result.exit_code, result.stdout) == (0, "depot/m\n")
    assert result.stderr.splitlines() == [
        "fetching a [############............]  50% of 2.0 kB",
        "fetching a [########################] 100% of 2.0 kB",
        "success",
    ]
    assert sent(httpserver) == {"model": "m", "insecure": True}
    document = json.loads(keep(name, "depot/m", "--json").stdout)
    assert document == {"name": "depot/m", "model": "m", "status": "success", "call": document["call"]}
    assert keep(name, "depot/m", "-q").stderr == ""


def test_a_model_is_made(keep: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    weights, template = tmp_path / "w.gguf", tmp_path / "t.txt"
    weights.write_bytes(b"GGUF")
    template.write_text("{{ .Prompt }}")
    arguments = ("create", "depot/new", "--from", "m", "-f", str(weights), "-s", "brief", "-p", "num_ctx=9")
    result = keep(*arguments, "--template", str(template), "--quantize", "q8_0", "--license", "free")
    assert (result.exit_code, result.stdout) == (0, "depot/new\n")
    assert sent(httpserver) == {
        "model": "new", "base": "m", "files": ["w.gguf"], "adapters": [], "messages": [], "system": "brief",
        "template": "{{ .Prompt }}", "parameters": {"num_ctx": 9}, "license": ["free"], "quantize": "q8_0",
    }  # fmt: skip
    assert keep("create", "depot/new").exit_code == 2
    assert "--template none.txt: cannot read the file" in keep("create", "depot/new", "--template", "none.txt").stderr
    keep("create", "depot/new", "--from", "m", "--template", "{{ .System }}")
    assert sent(httpserver)["template"] == "{{ .System }}"


def test_names_are_copied_and_deleted(keep: Run, httpserver: HTTPServer) -> None:
    assert keep("cp", "depot/m", "mine").stdout == "depot/mine\n"
    assert sent(httpserver) == ["m", "mine"]
    result = keep("rm", "depot/mine", "depot/m")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "depot/mine is deleted\ndepot/m is deleted\n"
    assert json.loads(keep("rm", "depot/m", "--json").stdout) == {"deleted": ["depot/m"]}
    assert keep("rm").exit_code == 2


def test_models_are_loaded_listed_and_unloaded(keep: Run, httpserver: HTTPServer) -> None:
    assert keep("load", "depot/m", "-O", "keep_alive=1h").stderr == "depot/m is loaded\n"
    assert sent(httpserver) == {"model": "m", "keep_alive": "1h"}
    assert keep("ps", "depot").stdout == "depot/m\t2.0 kB\t25%\t4096\t1970-01-01 00:00\ndepot/n\t\t\t\t\n"
    assert [each["name"] for each in json.loads(keep("ps", "--json").stdout)["models"]] == ["depot/m", "depot/n"]
    assert keep("unload", "depot/m").stderr == "depot/m is unloaded\n"
    result = keep("ps", "depot", "nowhere")
    assert result.exit_code == 1
    assert "skipped nowhere" in result.stderr


def test_a_model_is_shown(keep: Run) -> None:
    assert keep("show", "depot/m").stdout.splitlines() == [
        "id\tm",
        "created\t1970-01-01 00:00",
        "context window\t4096",
        "input modalities\ttext",
    ]
    assert json.loads(keep("show", "depot/m", "--json").stdout)["context_window"] == 4096


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("ipfs_accel._cli.progress.is_terminal", lambda *, err: err)
    with Bar(State()) as bar:
        bar.show(Progress(status="fetching", item="a", completed=1000, total=2000))
        bar.show(Progress(status="fetching", item="a", completed=2000, total=2000))
        bar.show(Progress(status="success"))
    assert capsys.readouterr().err == (
        "\r\x1b[Kfetching a [############............]  50% of 2.0 kB"
        "\r\x1b[Kfetching a [########################] 100% of 2.0 kB\nsuccess\n"
    )


@pytest.mark.parametrize("is_terminal", [False, True])
def test_layers_that_come_side_by_side_do_not_flood(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ipfs_accel._cli.progress.is_terminal", lambda *, err: is_terminal)
    now = [0.0]
    with Bar(State(), clock=lambda: now[0]) as bar:
        for step in range(100):
            now[0] += 0.001
            for item in ("a", "b"):
                bar.show(Progress(status="pulling", item=item, completed=step, total=1000))
    written = capsys.readouterr().err
    assert (written.count("pulling a"), written.count("pulling b")) == (1, 1)
    assert written.count("\n") == 2


def test_the_doctor_looks_for_the_server(keep: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = json.loads(keep("doctor", "--json").stdout)
    assert report["endpoints"][0]["local"] == {"listens": True, "program": None, "advice": None}
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("DEPOT_HOST", f"http://127.0.0.1:{server.getsockname()[1]}")
    lines = [" ".join(line.split()) for line in keep("doctor").stdout.splitlines()]
    assert "server depot does not listen (no executable found) - install it from https://depot.example/get" in lines
    program = tmp_path / "depotd"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = [" ".join(line.split()) for line in keep("doctor").stdout.splitlines()]
    assert f"server depot does not listen ({program}) - start it: depotd serve" in lines
    monkeypatch.setenv("DEPOT_HOST", "https://gpu1")
    assert "server depot" not in " ".join(keep("doctor").stdout.split())
