from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import Run

NEW = ("plugin", "new")


@pytest.mark.parametrize(("wire", "name"), [("openai", "acme"), ("own", "acme-lab")])
def test_a_new_backend_passes_its_tests_as_it_is(run: Run, tmp_path: Path, wire: str, name: str) -> None:
    result = run(*NEW, name, "--wire", wire, "--into", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    folder = tmp_path / f"ipfs-accel-{name}"
    assert json.loads(result.stdout)["folder"] == str(folder)
    # Faults and worlds are the kit's own business, tested with the core.
    command = [sys.executable, "-m", "pytest", "-q", "-k", "it_answers or cut or no_io or shown or key or lost"]
    environ = {**os.environ, "PYTHONPATH": str(folder / "src")}
    environ.pop("IPFS_ACCEL_PLUGINS")
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "failed" not in done.stdout


def test_new_middleware_passes_its_tests_and_is_found_as_it_is(run: Run, tmp_path: Path) -> None:
    result = run(*NEW, "acme-guard", "--middleware", "--into", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "ipfs-accel-acme-guard"
    environ = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "3 passed" in done.stdout) == (0, True), done.stdout
    settings = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert settings["entry-points"] == {"ipfs_accel.middleware": {"acme-guard": "ipfs_accel_acme_guard:AcmeGuard"}}
    assert "[plugins.options.acme-guard]" in (folder / "README.md").read_text()


def test_one_that_speaks_openai_is_short(run: Run, tmp_path: Path) -> None:
    run(*NEW, "acme", "--into", str(tmp_path), "--base-url", "http://127.0.0.1:8080/")
    module = (tmp_path / "ipfs-accel-acme" / "src" / "ipfs_accel_acme" / "__init__.py").read_text()
    assert len(module.splitlines()) <= 40
    assert 'base_url="http://127.0.0.1:8080",' in module


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("openai",), 2, "'openai' belongs to the distribution ipfs-accel-openai"),
        (("Acme",), 2, "'Acme' is no name for a plugin"),
        (("../up",), 2, "'../up' is no name for a plugin"),
        (("class",), 2, "'class' is no name for a plugin"),
        (("acme", "--base-url", 'http://x"y'), 2, "is not a URL"),
        (("acme", "--middleware", "--wire", "own"), 2, "--middleware and --wire exclude each other"),
    ],
)
def test_names_that_cannot_be(run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    result = run(*NEW, *arguments, "--into", str(tmp_path))
    assert (result.exit_code, list(tmp_path.iterdir())) == (code, [])
    assert sentence in result.stderr


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ipfs-accel-acme").mkdir()
    result = run(*NEW, "acme", "--into", str(tmp_path))
    assert result.exit_code == 3
    assert "exists already" in result.stderr
    assert list((tmp_path / "ipfs-accel-acme").iterdir()) == []
