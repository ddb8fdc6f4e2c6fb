from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from ipfs_accel import Config, Secret, load_config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._url import masked_url

from .conftest import Run

CONFIG = """\
default_model = "lab/"
proxy = "http://user:canary@proxy:3128"

[aliases]
fast = "studio/m"

[endpoints.lab]
backend = "studio"
base_url = "http://gpu1:8000"
key_env = "LAB_KEY"
timeout = 20

[endpoints.lab.headers]
x-team = "canary"

[endpoints.lab.models."m"]
context_window = 5
features = { vision = "yes" }

[endpoints.lab.limits]
tokens_per_minute = 1000

[endpoints.gone]
backend = "nowhere"

[routes.safe]
targets = ["lab/m", "studio/m"]

[cache.semantic]
embed = "lab/m"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def test_every_setting_has_its_source(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-canary-lab")
    monkeypatch.setenv("IPFS_ACCEL_TIMEOUT", "30")
    result = run("config", "show", "--json", "--config", str(config))
    assert result.exit_code == 0, result.stderr
    found = {name: (each["value"], each["source"]) for name, each in json.loads(result.stdout)["settings"].items()}
    assert found["default_model"] == ("lab/", f"{config}:1")
    assert found["timeout"] == ("30.0", "IPFS_ACCEL_TIMEOUT")
    assert found["on_unsupported"] == ("raise", "default")
    assert found["proxy"] == ("http://***@proxy:3128", f"{config}:2")
    assert found["aliases.fast"] == ("studio/m", f"{config}:5")
    assert found["plugins.allow"] == ("studio, acme-studio", "IPFS_ACCEL_PLUGINS")
    assert found["endpoints.lab.base_url"] == ("http://gpu1:8000", f"{config}:9")
    assert found["endpoints.lab.key"] == ("set", "LAB_KEY")
    assert found["endpoints.lab.key_env"] == ("LAB_KEY", f"{config}:10")
    assert found["endpoints.lab.limits.tokens_per_minute"] == ("1000.0", f"{config}:21")
    assert found["routes.safe.targets"] == ("lab/m, studio/m", f"{config}:27")
    assert found["cache.semantic.embed"] == ("lab/m", f"{config}:30")
    assert found["retry.attempts"] == ("1", "IPFS_ACCEL_RETRY_ATTEMPTS")
    assert found["endpoints.lab.timeout"][1] == f"{config}:11"
    assert found["endpoints.lab.headers.x-team"] == ("set", f"{config}:14")
    assert found["endpoints.lab.models.m.context_window"][0] == "5"
    assert found["endpoints.lab.models.m.features.vision"][0] == "yes"
    assert found["endpoints.studio.base_url"] == ("http://127.0.0.1:9", "default")
    assert "endpoints.gone.error" in found
    assert "canary" not in result.output


def test_a_stored_key_shows_as_set(run: Run) -> None:
    KeyFile.default().set("studio", Secret("sk-canary-stored"), "http://127.0.0.1:9")
    result = run("config", "show")
    assert f"endpoints.studio.key\tset\t{KeyFile.default().path}\n" in result.stdout
    assert "canary" not in result.output


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://user:canary@proxy:3128", "http://***@proxy:3128"),
        ("http://canary@proxy", "http://***@proxy"),
        ("http://user:can@ry@proxy/p@th", "http://***@proxy/p@th"),
        ("user:canary@proxy:3128", "***@proxy:3128"),
        ("http://user:can/ary@proxy:3128", "http://***@proxy:3128"),
        ("http://user:canary@[::1", "http://***@[::1"),
        ("user:can/ary@proxy", "***@proxy"),
        ("http://proxy/p@th", "http://proxy/p@th"),
        ("http://[::1", "http://[::1"),
        ("studio/me@home:7b", "studio/me@home:7b"),
    ],
)
def test_credentials_in_urls(url: str, masked: str) -> None:
    assert masked_url(url) == masked


def test_path(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = KeyFile.default().path.with_name("config.toml")
    assert not usual.parent.exists()
    assert run("config", "path").stdout == f"{usual}\n"
    assert (usual.parent.stat().st_mode & 0o777, usual.exists()) == (0o700, False)
    assert json.loads(run("config", "path", "--json", "--config", str(config)).stdout) == {
        "path": str(config),
        "exists": True,
    }
    monkeypatch.setenv("IPFS_ACCEL_CONFIG", "/x/y.toml")
    assert run("config", "path").stdout == "/x/y.toml\n"
    assert not Path("/x").exists()
    missing = run("config", "show")
    assert (missing.exit_code, missing.stderr) == (3, "error: the configuration file /x/y.toml does not exist\n")


def test_a_wrong_file_is_named_with_its_line(run: Run, config: Path) -> None:
    config.write_text('\ndefault_modle = "x"\n')
    result = run("--config", str(config), "backends")
    assert result.exit_code == 3
    assert result.stderr == (
        f"error: {config}:2: default_modle: unknown setting\nhint: did you mean 'default_model'?\n"
    )


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the editor: one that writes each of the texts in its turn, and ends with a code."""

    def editor(*texts: str | None, variable: str = "EDITOR", code: int = 0) -> None:
        for number, text in enumerate(texts):
            if text is not None:
                (tmp_path / f"text-{number}").write_text(text)
        script = tmp_path / "editor.sh"
        script.write_text(
            f"""cd {tmp_path}; count=$(cat count || echo 0); echo $((count + 1)) > count
            if [ -f text-$count ]; then cat text-$count > "$1"; fi; exit {code}
            """
        )
        monkeypatch.setenv(variable, f"sh {script}")

    monkeypatch.delenv("VISUAL", raising=False)
    return editor


def test_a_file_that_is_made_has_the_settings_as_comments(run: Run, editor: Callable[..., None]) -> None:
    path = KeyFile.default().path.with_name("config.toml")
    editor(None)
    result = run("config", "edit")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{path} is well-formed\n")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    text = path.read_text()
    assert load_config(path, {}).sources == {}
    # Each setting of it holds as soon as the sign before it is gone, and all are there.
    path.write_text(re.sub(r"(?m)^#(?=[\[a-z])", "", text))
    loaded = load_config(path)
    assert loaded.endpoints["lab"].models["llama-3.3-70b"].context_window == 32768
    named = {name.partition(".")[0] for name in loaded.sources}
    left_out = {"path", "environ", "sources", "breaker", "stores"}
    assert named == {field.name for field in attrs.fields(Config)} - left_out


def test_an_edit(run: Run, editor: Callable[..., None], config: Path) -> None:
    config.chmod(0o644)
    editor("timeout = 5\n", variable="VISUAL")
    result = run("config", "edit", "--config", str(config), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"path": str(config), "created": False})
    assert config.read_text() == "timeout = 5\n"


@pytest.mark.parametrize("text", ['proxy = "http://me:canary@proxy:1"', "[endpoints.lab.headers]\nx-team = 'canary'"])
def test_what_others_may_read_is_told(run: Run, editor: Callable[..., None], config: Path, text: str) -> None:
    config.chmod(0o644)
    editor(text)
    result = run("config", "edit", "--config", str(config))
    assert (result.exit_code, f"run: chmod 600 {config}\n" in result.stderr) == (0, True)
    assert "canary" not in result.output
    config.chmod(0o600)
    assert "chmod" not in run("config", "edit", "--config", str(config)).stderr


def test_what_is_wrong_is_told_with_its_line(
    run: Run, editor: Callable[..., None], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "\ntimeuot = 5\n"
    editor(wrong, "timeout = ", "timeout = 5")
    result = run("config", "edit", "--config", str(config))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"error: {config}:2: timeuot: unknown setting\nhint: did you mean 'timeout'?\n")
    assert config.read_text() == wrong
    # Somebody who is there is asked.
    monkeypatch.setattr("ipfs_accel._cli.config.is_terminal", lambda **_: True)
    monkeypatch.setattr("ipfs_accel._cli.arguments.stdin_is_terminal", lambda: True)
    result = run("config", "edit", "--config", str(config), input="y\n")
    assert result.exit_code == 0
    assert "not valid TOML" in result.stderr
    editor(*[wrong] * 4)
    assert run("config", "edit", "--config", str(config), input="n\n").exit_code == 3


@pytest.mark.parametrize("named", [None, "", " "])
def test_without_a_terminal_and_an_editor_nobody_is_waited_for(
    named: str | None, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
        if named is not None:
            monkeypatch.setenv(name, named)
    path = tmp_path / "config.toml"
    result = run("config", "edit", "--config", str(path))
    assert (result.exit_code, result.stdout, path.exists()) == (2, "", False)
    assert result.stderr == (
        "error: there is no terminal to edit at, and no editor is named\n"
        f"hint: set EDITOR, or change the file otherwise: {path}\n"
    )


def test_an_editor_that_fails_and_a_folder_that_cannot_be(run: Run, editor: Callable[..., None], config: Path) -> None:
    editor("timeout = 5", code=1)
    result = run("config", "edit", "--config", str(config))
    assert (result.exit_code, "Editing failed" in result.stderr) == (1, True)
    result = run("config", "edit", "--config", str(config / "below" / "config.toml"))
    assert (result.exit_code, "cannot make the configuration file" in result.stderr) == (3, True)
