from __future__ import annotations

import json
from pathlib import Path

import pytest
from ipfs_accel import Secret
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
    assert run("config", "path").stdout == f"{usual}\n"
    assert json.loads(run("config", "path", "--json", "--config", str(config)).stdout) == {
        "path": str(config),
        "exists": True,
    }
    monkeypatch.setenv("IPFS_ACCEL_CONFIG", "/x/y.toml")
    assert run("config", "path").stdout == "/x/y.toml\n"
    missing = run("config", "show")
    assert (missing.exit_code, missing.stderr) == (3, "error: the configuration file /x/y.toml does not exist\n")


def test_a_wrong_file_is_named_with_its_line(run: Run, config: Path) -> None:
    config.write_text('\ndefault_modle = "x"\n')
    result = run("--config", str(config), "backends")
    assert result.exit_code == 3
    assert result.stderr == (
        f"error: {config}:2: default_modle: unknown setting\nhint: did you mean 'default_model'?\n"
    )
