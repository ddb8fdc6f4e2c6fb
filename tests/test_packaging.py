"""What the distributions carry and say of themselves."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import ipfs_accel
import pytest

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = [
    ROOT / "core",
    *sorted((ROOT / "plugins").glob("*/")),
    *sorted((ROOT / "plugins" / "specialized").glob("*/")),
]
FOLDERS = [folder for folder in DISTRIBUTIONS if (folder / "pyproject.toml").exists()]
SERVICES = [path.parent for path in sorted((ROOT / "services").glob("*/pyproject.toml"))]
EXAMPLES = [path.parent for path in sorted((ROOT / "examples").glob("*/pyproject.toml"))]


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("folder", [*FOLDERS, *SERVICES, *EXAMPLES], ids=lambda folder: folder.name)
def test_each_distribution_is_complete(folder: Path) -> None:
    settings = project(folder)
    package = settings["name"].replace("-", "_")
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert len((folder / "README.md").read_text()) > 500
    assert (folder / "src" / package / "py.typed").exists()
    assert settings["version"] == ipfs_accel.__version__ == metadata.version(settings["name"])
    assert settings["license"] == "Apache-2.0"


def test_the_index_shows_the_same_readme_as_the_repository() -> None:
    assert (ROOT / "core" / "README.md").read_text() == (ROOT / "README.md").read_text()


def included(extras: dict[str, list[str]], name: str) -> set[str]:
    """Return the extras that an extra stands for."""
    found: set[str] = set()
    for wanted in extras[name]:
        inner = re.fullmatch(r"ipfs-accel\[(.*)\]", wanted)
        for each in inner[1].split(",") if inner else ():
            found |= {each} | included(extras, each)
    return found


def test_every_backend_and_host_is_in_an_extra_of_the_core_and_a_reserved_name() -> None:
    from ipfs_accel._plugins.names import RESERVED

    extras = project(ROOT / "core")["optional-dependencies"]
    for folder in FOLDERS[1:]:
        settings = project(folder)
        wanted = f"{settings['name']}>=0.1,<0.2"
        assert extras[folder.name] == [wanted]
        group = "specialized" if folder.parent.name == "specialized" else "all"
        assert folder.name in included(extras, group)
        assert folder.name in included(extras, "all")
        for names in settings["entry-points"].values():
            for name in names:
                assert RESERVED[name] == settings["name"]


def test_uv_finds_every_distribution_in_the_workspace_and_sdists_say_nothing_of_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {project(folder)["name"] for folder in [*FOLDERS, *SERVICES, *EXAMPLES]}
    assert settings["tool"]["uv"]["sources"] == {name: {"workspace": True} for name in names}
    for folder in [*FOLDERS, *SERVICES, *EXAMPLES]:
        assert "uv" not in tomllib.loads((folder / "pyproject.toml").read_text())["tool"]


def test_no_plugin_imports_a_sibling() -> None:
    packages = {folder: project(folder)["name"].replace("-", "_") for folder in FOLDERS[1:]}
    for folder, own in packages.items():
        for path in (folder / "src").rglob("*.py"):
            text = path.read_text()
            assert not [other for other in packages.values() if other != own and other in text], path


def test_plugins_use_what_every_plugin_may_use() -> None:
    for folder in [*FOLDERS[1:], *SERVICES, *EXAMPLES]:
        for path in (folder / "src").rglob("*.py"):
            private = re.findall(r"from ipfs_accel(?:\.\w+)*\._\w+|from ipfs_accel import _\w+", path.read_text())
            assert private == [], path


def test_modules_stay_short() -> None:
    for folder in [*FOLDERS, *SERVICES, *EXAMPLES]:
        for path in (folder / "src").rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path
