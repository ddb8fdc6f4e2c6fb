"""The metadata of installed distributions are read once, and again when something was installed."""

from __future__ import annotations

import os
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from ipfs_accel._plugins import distributions, entry_points
from ipfs_accel._plugins.distributions import installed
from ipfs_accel._plugins.entry_points import EntryPoint, Installed
from ipfs_accel._plugins.registry import BACKENDS

from .conftest import Install


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A path of one folder, so that nothing else is found or changes; and which groups were read."""
    groups: list[str] = []
    read = entry_points.find

    def counted(*wanted: str) -> list[Installed]:
        groups.extend(wanted)
        return read(*wanted)

    monkeypatch.setattr(entry_points, "find", counted)
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


# the reader against importlib.metadata


def both(group: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What our reader finds, and what the library does."""
    ours = [(each.entry_point.name, each.entry_point.value, each.distribution) for each in entry_points.find(group)]
    found = metadata.entry_points(group=group)
    return ours, [(each.name, each.value, each.dist.name if each.dist else "") for each in found]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups that the library is asked for."""
    groups: list[str] = []
    read = entry_points._by_the_library
    monkeypatch.setattr(entry_points, "_by_the_library", lambda group: groups.append(group) or read(group))
    return groups


def write(folder: Path, distribution: str, registered: str | None, *, file: str = "METADATA") -> None:
    folder.mkdir(parents=True)
    (folder / file).write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n\nName: of the README\n")
    if registered is not None:
        (folder / "entry_points.txt").write_text(registered)


@pytest.mark.parametrize("group", ["console_scripts", "pytest11", BACKENDS, "ipfs_accel.middleware", "none.such"])
def test_this_environment_is_read_as_the_library_reads_it(group: str, asked: list[str]) -> None:
    ours, theirs = both(group)
    assert (sorted(ours), asked) == (sorted(theirs), [])
    assert ours == theirs
    assert bool(ours) == (group != "none.such")


def test_what_comes_first_on_the_path_counts_with_and_without_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(
        first / "Acme.Studio-2.dist-info", "Acme.Studio", "[a.group]\nx = one : attr [extra]\n # y = z\n[other]\ny=two"
    )
    write(second / "acme_studio-1.dist-info", "acme-studio", "[a.group]\nx = old\n")
    write(first / "silent-1.dist-info", "silent", None)
    write(second / "silent-2.dist-info", "silent", "[a.group]\nz = hidden\n")
    write(
        second / "egg-1.egg-info",
        "egg",
        "before = any\n[a.group]\n\n  e=egg.module:a.b  \n[]\nno = name\n",
        file="PKG-INFO",
    )
    monkeypatch.setattr(sys, "path", [str(first), str(tmp_path / "absent"), str(second), str(first)])
    ours, theirs = both("a.group")
    assert ours == theirs == [("x", "one : attr [extra]", "Acme.Studio"), ("e", "egg.module:a.b", "egg")]
    assert [each.version for each in entry_points.find("a.group")] == ["1.2", "1.2"]
    assert asked == []


def test_the_working_directory_is_read_where_the_path_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    write(tmp_path / "here-1.dist-info", "here", "[a.group]\nx = one\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [""])
    assert both("a.group") == ([("x", "one", "here")], [("x", "one", "here")])
    assert asked == []


def test_the_library_reads_archives_eggs_odd_names_and_what_others_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    archive = tmp_path / "archive.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped-1.dist-info/METADATA", "Name: zipped\nVersion: 3\n")
        file.writestr("zipped-1.dist-info/entry_points.txt", "[a.group]\nx = one\n")
    write(tmp_path / "some.egg" / "EGG-INFO", "some", "[a.group]\ny = two\n", file="PKG-INFO")
    write(tmp_path / "odd" / "Odd-1.DIST-INFO", "odd", "[a.group]\nz = three\n")
    for folder, found in ((archive, ("x", "one", "zipped")), ("some.egg", ("y", "two", "some"))):
        monkeypatch.setattr(sys, "path", [str(tmp_path / folder)])
        assert both("a.group") == ([found], [found])
    monkeypatch.setattr(sys, "path", [str(tmp_path / "odd")])
    assert both("a.group") == ([("z", "three", "odd")], [("z", "three", "odd")])
    assert len(asked) == 3

    class Finder:
        @staticmethod
        def find_distributions(*_: object) -> list[metadata.Distribution]:
            return [metadata.Distribution.at(tmp_path / "odd" / "Odd-1.DIST-INFO")]

    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert both("a.group")[0] == [("z", "three", "odd")]
    assert [(each.distribution, each.version) for each in entry_points.find("a.group")] == [("odd", "1.2")]


def test_an_entry_point_is_loaded_as_the_library_loads_it() -> None:
    for value in ("os.path", "os.path:join", "os : path.join [extra]"):
        there = metadata.EntryPoint(name="x", value=value, group="g").load()
        assert EntryPoint("x", value).load() is there
    for value in ("", "os path", "os:", "os.path:join.", "os.path:join nonsense"):
        with pytest.raises((ValueError, AttributeError)):
            EntryPoint("x", value).load()
