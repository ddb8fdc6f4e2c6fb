from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Ready
from ipfs_accel.types import Health, ModelInfo
from pytest_httpserver import HTTPServer

from .conftest import Run
from .studio import Studio


class Idle:
    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="idle")

    @hookimpl
    def healthcheck(self, endpoint: object) -> Ready[Health]:
        return Ready(value=Health(status="loading", server="idle 1", detail="reading\tweights"))


class Catalogued:
    """Lists one model, and has no check."""

    api_version = 1

    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name=self.name)

    @hookimpl
    def list_models(self, endpoint: object) -> Ready[tuple[ModelInfo, ...]]:
        return Ready(value=(ModelInfo(id="m3"),))


class Busy(Catalogued):
    """The same with a check that says that it does not serve yet."""

    @hookimpl
    def healthcheck(self, endpoint: object) -> Ready[Health]:
        return Ready(value=Health(status="loading", detail="reading weights"))


@pytest.fixture
def models(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/models").respond_with_json({"data": [{"id": "m2"}, {"id": "m1"}]})


@pytest.mark.usefixtures("models")
def test_models(run: Run, httpserver: HTTPServer) -> None:
    result = run("models", "studio")
    assert result.exit_code == 0
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["studio/m1", "studio/m2"]
    assert [line.count("\t") for line in result.stdout.splitlines()] == [4, 4]
    document = json.loads(run("models", "studio", "--json").stdout)
    assert [each["name"] for each in document["models"]] == ["studio/m1", "studio/m2"]
    assert document["skipped"] == {}


@pytest.mark.usefixtures("models")
def test_models_of_all_endpoints_tell_which_are_missing(run: Run) -> None:
    plugins = [Studio(), Idle()]
    result = run("models", plugins=plugins)
    assert (result.exit_code, result.stdout.count("\n")) == (0, 2)
    assert result.stderr == "skipped idle: the backend 'idle' cannot list its models\n"
    assert run("models", "--quiet", plugins=plugins).stderr == ""
    named = run("models", "studio", "idle", plugins=plugins)
    assert (named.exit_code, named.stdout.count("\n")) == (1, 2)


def test_an_unknown_endpoint(run: Run) -> None:
    result = run("models", "studoi")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: there is no endpoint 'studoi'")
    assert "hint: did you mean 'studio' or 'lm-studio'?" in result.stderr
    result = run("health", "studoi")
    assert (result.exit_code, result.stdout) == (3, "")


@pytest.mark.usefixtures("models")
def test_find(run: Run) -> None:
    result = run("find", "--operation", "chat", "--feature", "vision", "--min-context", "10")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split("\t")[:2] == ["studio/m1", "chat, vision, min_context"]
    document = json.loads(run("find", "--json", "-e", "studio").stdout)
    assert [each["model"]["id"] for each in document["matches"]] == ["m1", "m2"]
    nothing = run("find", "--operation", "rerank")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr.startswith("no model fits\n")
    assert run("find", "--operation", "fly").exit_code == 2


@pytest.mark.usefixtures("models")
def test_find_what_serves_now(run: Run) -> None:
    unchecked, busy = Catalogued("unchecked"), Busy("busy")
    found = run("find", "--healthy", plugins=[Studio(), busy, unchecked])
    assert [line.split("\t")[:2] for line in found.stdout.splitlines()] == [
        ["studio/m1", ""],
        ["studio/m2", ""],
        ["unchecked/m3", "healthy"],
    ]
    assert found.stderr == "skipped busy: it is loading: reading weights\n"
    assert run("find", "--healthy", "-e", "busy", plugins=[busy]).exit_code == 1
    assert "busy/m3" in run("find", plugins=[busy]).stdout


def test_capabilities(run: Run) -> None:
    lines = run("capabilities", "studio").stdout.splitlines()
    assert lines[0] == "studio\tchat\tyes\thook"
    assert "studio\trerank\tno\thook" in lines
    assert "studio\tcall add\tyes\thook" in lines
    document = json.loads(run("capabilities", "--json", plugins=[Studio(), Idle()]).stdout)
    assert list(document["capabilities"]) == ["idle", "studio"]
    assert document["capabilities"]["studio"]["operations"]["chat"] == {"value": "yes", "source": "hook"}
    assert run("capabilities", "nobody").exit_code == 2


def test_capabilities_side_by_side_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("capabilities", "output"):
        monkeypatch.setattr(f"ipfs_accel._cli.{module}.is_terminal", lambda **_: True)
    lines = run("capabilities", plugins=[Studio(), Idle()]).stdout.splitlines()
    assert lines[0].split() == ["IDLE", "STUDIO"]
    assert lines[1].split() == ["chat", "no", "yes"]
    assert lines[-1] == "studio, own calls: add, colours"


@pytest.mark.usefixtures("models")
def test_health(run: Run) -> None:
    result = run("health", "studio")
    assert (result.exit_code, result.stdout.split("\t")[:2]) == (0, ["studio", "ok"])
    plugins = [Studio(), Idle()]
    everything = run("health", plugins=plugins)
    assert (everything.exit_code, everything.stdout.count("\n")) == (0, 2)
    named = run("health", "studio", "idle", "--json", plugins=plugins)
    assert named.exit_code == 6
    found = json.loads(named.stdout)["health"]
    assert {name: each["ok"] for name, each in found.items()} == {"studio": True, "idle": False}
    assert {name: each["state"]["is_isolated"] for name, each in found.items()} == {"studio": False, "idle": False}
    assert run("health", "idle", plugins=plugins).stdout.endswith("\treading weights\n")


def test_an_endpoint_that_is_down(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_BASE_URL", "http://127.0.0.1:9")
    result = run("health", "studio")
    assert (result.exit_code, result.stdout.split("\t")[1]) == (6, "unreachable")
    assert run("models", "studio").exit_code == 6
    assert run("chat", "-m", "studio/m", "q").exit_code == 6


def test_backends_imports_none(run: Run, install: Callable[..., Path]) -> None:
    install("studio", "raise RuntimeError('imported')", distribution="acme-studio")
    result = run("backends", plugins=[])
    assert result.exit_code == 0
    assert "studio\tavailable\tacme-studio\t1.2\t\n" in result.stdout
    found = json.loads(run("backends", "--json", plugins=[]).stdout)["backends"]
    assert [each["distribution"] for each in found if each["name"] == "studio"] == ["acme-studio"]


def test_backends_shows_the_middleware_too(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[plugins]\nmiddleware = ["redaction", "nobody"]\n')
    result = run("backends", "--config", str(config))
    assert result.stderr == "middleware, outermost first: redaction (loaded), nobody (broken)\n"
    assert "redaction" not in result.stdout
    found = json.loads(run("backends", "--json", "--config", str(config)).stdout)["middleware"]
    assert [(each["name"], each["state"]) for each in found[:2]] == [("redaction", "loaded"), ("nobody", "broken")]
    assert {(each["name"], each["state"]) for each in found[2:]} >= {("audit", "blocked"), ("budget", "blocked")}


def test_own_calls(run: Run) -> None:
    assert run("call", "studio").stdout == "add\ncolours\n"
    assert json.loads(run("call", "studio", "--json").stdout) == {"calls": ["add", "colours"]}
    assert json.loads(run("call", "studio", "add", "-a", "left=2").stdout) == {"endpoint": "studio", "sum": 3}
    assert json.loads(run("call", "studio", "colours").stdout) == ["blue", "red"]
    wrong = run("call", "studio", "add", "-a", "lft=2")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    unknown = run("call", "studio", "ad")
    assert (unknown.exit_code, "did you mean 'add'?" in unknown.stderr) == (2, True)
    assert run("call", "studio", "-a", "left=2").exit_code == 2


@pytest.fixture
def shelf_of_one(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend `studio`, installed, and a hosted one that wants a key; nobody has configured either."""
    install("studio", (Path(__file__).parent / "studio.py").read_text())
    install("acme-studio", KEYLESS)
    monkeypatch.delenv("STUDIO_BASE_URL", raising=False)


KEYLESS = """
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.wire.openai import OpenAICompatible

api_version = 1


class Hosted(OpenAICompatible):
    info = BackendInfo(
        name="acme-studio", base_url="https://acme.invalid", key_env=("ACME_STUDIO_KEY",), needs_key=True
    )


_hosted = Hosted()
describe, chat, list_models, healthcheck = _hosted.describe, _hosted.chat, _hosted.list_models, _hosted.healthcheck
"""
IDLE = (
    "not configured: acme-studio, studio - ipfs-accel keys set acme-studio; ipfs-accel doctor tells what each needs\n"
)


@pytest.mark.usefixtures("shelf_of_one")
@pytest.mark.parametrize("command", ["models", "find", "health"])
def test_what_nobody_configured_is_one_line(run: Run, command: str) -> None:
    result = run(command, plugins=())
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.removeprefix("no model fits\n") == IDLE


@pytest.mark.usefixtures("shelf_of_one")
def test_what_somebody_named_or_means_is_told_by_itself(run: Run, tmp_path: Path) -> None:
    result = run("models", "studio", "acme-studio", plugins=())
    assert result.exit_code == 1
    assert "skipped studio: could not connect to 127.0.0.1:9" in result.stderr
    assert "not configured" not in result.stderr
    assert run("health", "studio", plugins=()).stdout.startswith("studio\tunreachable")
    (tmp_path / "config.toml").write_text('default_model = "studio/m"\n[endpoints.acme-studio]\n')
    result = run("models", "--config", str(tmp_path / "config.toml"), plugins=())
    assert "skipped studio: could not connect" in result.stderr
    assert "skipped acme-studio: endpoint 'acme-studio' needs a key" in result.stderr
