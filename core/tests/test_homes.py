"""A home without a folder for configuration and keys: no folder at all, or one that this user may not look into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ipfs_accel import CacheConfig, Client, Config, Secret, load_config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel.errors import ConfigError

from .acme import Acme
from .both_worlds import fine, scripted

NOBODY = 65534
FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


@contextmanager
def nobody() -> Iterator[None]:
    """Have no rights beyond those of any user, which root always has."""
    if not hasattr(os, "geteuid"):
        pytest.skip("there are no modes of files here")
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


@pytest.fixture(params=["HOME is /dev/null", "a file", "closed"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Homes that hold nothing."""
    if request.param == "HOME is /dev/null":
        monkeypatch.setenv("HOME", os.devnull)
        for variable in FOLDERS:
            monkeypatch.delenv(variable, raising=False)
        yield
        return
    place = tmp_path / "home"
    if request.param == "a file":
        place.touch()
    else:
        place.mkdir(mode=0)
    for variable in ("HOME", *FOLDERS):
        monkeypatch.setenv(variable, str(place))
    with nobody():
        yield
    place.chmod(0o700)


@pytest.mark.usefixtures("home")
def test_it_is_a_home_without_configuration_and_keys() -> None:
    config = load_config()
    assert (config.path, config.endpoints) == (None, {})
    assert KeyFile.default().names() == []
    assert KeyFile.default().get("acme") is None
    assert KeyFile.default().remove("acme") is False


@pytest.mark.parametrize("home", ["HOME is /dev/null", "a file"], indirect=True)  # nobody could import modules late
@pytest.mark.usefixtures("home")
def test_calls_are_made_and_nothing_is_kept() -> None:
    with scripted(fine("one"), fine("two")) as server:
        config = Config(cache=CacheConfig(sampled=True))
        with Client(config, plugins=[Acme(server.url)]) as client:
            assert [client.chat("acme/m", "q").text for _ in range(2)] == ["one", "two"]


@pytest.mark.usefixtures("home")
def test_a_key_cannot_be_stored_and_the_error_says_where_else() -> None:
    with pytest.raises(ConfigError, match=r"keys\.json: cannot write the key file: ") as caught:
        KeyFile.default().set("acme", Secret("sk-canary"), "http://x")
    assert "XDG_CONFIG_HOME" in str(caught.value.hint)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [("backends",), ("doctor",), ("config", "path"), ("config", "show"), ("keys", "list"), ("health", "acme")],
)
def test_commands_work_there(command: tuple[str, ...], tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in FOLDERS} | {
        "HOME": os.devnull,
        "IPFS_ACCEL_PLUGINS": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "ipfs_accel", "--json", *command], env=env, capture_output=True, text=True, check=False
    )
    assert "/dev/null" not in done.stderr, done.stderr
    if command != ("health", "acme"):  # which there is none of
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)


def test_what_is_there_and_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.toml", "keys.json"):
        (tmp_path / "ipfs-accel" / name).mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot read the configuration file .*config\.toml: "):
        load_config()
    with pytest.raises(ConfigError, match=r"keys\.json: cannot read the key file: "):
        KeyFile.default().names()
