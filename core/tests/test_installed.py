"""The metadata of installed distributions are read once, and again when something was installed."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel._plugins import distributions
from ipfs_accel._plugins.distributions import installed
from ipfs_accel._plugins.registry import BACKENDS

from .conftest import Install


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A path of one folder, so that nothing else is found or changes; and which groups were read."""
    groups: list[str] = []
    read = metadata.entry_points

    def counted(*, group: str) -> Any:
        groups.append(group)
        return read(group=group)

    monkeypatch.setattr(distributions.metadata, "entry_points", counted)
    monkeypatch.setattr(distributions, "_known", {})
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    return groups


def long_ago(site: Path, seconds: int = 100) -> None:
    """Make a folder one that did not change lately."""
    now = site.stat().st_mtime - seconds
    os.utime(site, (now, now))


def names() -> list[str]:
    return sorted(each.entry_point.name for each in installed(BACKENDS))


def test_a_second_look_reads_nothing(install: Install, readings: list[str]) -> None:
    long_ago(install("one"))
    assert (names(), names(), readings) == (["one"], ["one"], [BACKENDS])
    (found,) = installed(BACKENDS)
    assert (found.distribution, found.version) == ("acme-one", "1.2")


def test_what_is_installed_later_is_found(install: Install, readings: list[str]) -> None:
    long_ago(install("one"), seconds=200)
    assert names() == ["one"]
    long_ago(install("two"))
    assert (names(), len(readings)) == (["one", "two"], 2)


def test_a_folder_that_changed_a_moment_ago_may_change_again_unseen(install: Install, readings: list[str]) -> None:
    install("one")
    assert (names(), names(), len(readings)) == (["one"], ["one"], 2)


def test_another_path_is_another_environment(
    install: Install, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago(install("one"))
    assert names() == ["one"]
    monkeypatch.setattr(sys, "path", [])
    assert names() == []
    assert len(readings) == 2


def test_what_no_folder_tells_of_is_read_with_its_finder(
    install: Install, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        find_distributions = staticmethod(lambda *_: [])

    long_ago(install("one"))
    assert names() == ["one"]
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert (names(), len(readings)) == (["one"], 2)
