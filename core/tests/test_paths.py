"""Where this user's files are: what platformdirs says, which is asked only where the environment does not say it plainly."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest
from ipfs_accel._config import paths

HOMES = ["/home/one", "", None, "relative"]
GIVEN = [None, "", "/given/here", "/given/here/", "relative", "~/here"]


@pytest.mark.parametrize("home", HOMES, ids=repr)
@pytest.mark.parametrize("given", GIVEN, ids=repr)
def test_folders_are_those_of_platformdirs(
    home: str | None, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = dict.fromkeys(["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"], given) | {"HOME": home}
    for name, value in values.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert paths.config_dir() == Path(platformdirs.user_config_dir("ipfs-accel", appauthor=False))
    assert paths.data_dir() == Path(platformdirs.user_data_dir("ipfs-accel", appauthor=False))
    assert paths.cache_dir() == Path(platformdirs.user_cache_dir("ipfs-accel", appauthor=False))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_a_plain_environment_is_not_asked_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_platformdirs", None)
    monkeypatch.setenv("HOME", "/home/one")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert paths.config_dir() == Path("/home/one/.config/ipfs-accel")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    with pytest.raises(TypeError):
        paths.config_dir()
