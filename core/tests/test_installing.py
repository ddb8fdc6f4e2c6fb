"""The command that hints name is the one that works where the process runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ipfs_accel.installing import develop_command, install_command, reinstall_command, upgrade_command

Environment = Callable[..., Path]
UV = {"pyvenv.cfg": "home = /usr/bin\nimplementation = CPython\nuv = 0.13.9\nversion_info = 3.13.0\n"}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Let this process run in an environment of these files; nothing else of it is looked at."""

    def make(place: str = "env", files: Mapping[str, str] = {}, *, pip: bool = False) -> Path:
        prefix = tmp_path / place
        prefix.mkdir(parents=True)
        for name, text in files.items():
            (prefix / name).write_text(text)
        monkeypatch.setattr(sys, "prefix", str(prefix))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: pip or None)
        monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
        return prefix

    return make


def said() -> tuple[str, str, str]:
    return (
        install_command("ipfs-accel[groq]", "ipfs-accel-groq"),
        upgrade_command("ipfs-accel-groq"),
        reinstall_command("ipfs-accel-groq", "0.1.0"),
    )


PIP = (
    'pip install "ipfs-accel[groq]"',
    "pip install --upgrade ipfs-accel-groq",
    "pip install --force-reinstall --no-deps ipfs-accel-groq==0.1.0",
)


def test_an_environment_of_the_standard_library_has_pip(environment: Environment) -> None:
    environment("env", {"pyvenv.cfg": "home = /usr/bin\nversion = 3.13.0\n"})
    assert said() == PIP
    assert develop_command() == 'pip install -e ".[test]" && pytest'


def test_a_system_has_pip(environment: Environment) -> None:
    environment()
    assert said() == PIP


def test_an_environment_that_uv_made_has_pip_if_it_was_asked_for(environment: Environment) -> None:
    environment("env", UV, pip=True)
    assert said() == PIP


def test_an_environment_that_uv_made(environment: Environment) -> None:
    environment("env", UV)
    assert said() == (
        'uv pip install "ipfs-accel[groq]"',
        "uv pip install --upgrade ipfs-accel-groq",
        "uv cache clean ipfs-accel-groq && uv pip install --reinstall --no-deps ipfs-accel-groq==0.1.0",
    )
    assert develop_command() == "uv run --extra test pytest"


def test_the_environment_of_a_project_of_uv(environment: Environment) -> None:
    (environment("project/.venv", UV).parent / "uv.lock").touch()
    assert said() == (
        'uv add "ipfs-accel[groq]"',
        "uv sync --upgrade-package ipfs-accel-groq",
        "uv cache clean ipfs-accel-groq && uv sync --reinstall-package ipfs-accel-groq",
    )


RECEIPT = """
[tool]
requirements = [
    { name = "ipfs-accel", extras = ["pretty", "fast"], specifier = ">=0.1" },
    { name = "ipfs-accel-openai" },
    { name = "ipfs-accel-budget", editable = "/home/ada/my budget" },
    { name = "ipfs-accel-acme", git = "https://ada:canary@acme.example/it?subdirectory=plugins%2Facme&rev=v1" },
    { name = "ipfs-accel-zulu", directory = "/home/ada/zulu" },
    { name = "six", marker = "python_full_version < '3.20'" },
    { name = "wheely", path = "/home/ada/wheely-1.0-py3-none-any.whl" },
]
entrypoints = []
"""


def test_a_tool_of_uv_keeps_what_was_added_before(environment: Environment) -> None:
    environment("tools/ipfs-accel", UV | {"uv-receipt.toml": RECEIPT})
    install, *others = said()
    assert install == (
        'uv tool install "ipfs-accel[pretty,fast]>=0.1" --with ipfs-accel-openai'
        ' --with-editable "/home/ada/my budget"'
        ' --with "ipfs-accel-acme @ git+https://***@acme.example/it@v1#subdirectory=plugins/acme"'
        " --with /home/ada/zulu"
        " --with \"six ; python_full_version < '3.20'\""
        ' --with "wheely @ /home/ada/wheely-1.0-py3-none-any.whl"'
        " --with ipfs-accel-groq"
    )
    assert others == [
        "uv tool upgrade ipfs-accel",
        "uv cache clean ipfs-accel-groq && uv tool upgrade --reinstall-package ipfs-accel-groq ipfs-accel",
    ]


def test_a_tool_of_uv_that_runs_from_a_folder(environment: Environment) -> None:
    receipt = '[tool]\nrequirements = [{ name = "ipfs-accel", extras = ["fast"], editable = "/home/ada/core" }]\n'
    environment("tools/ipfs-accel", {"uv-receipt.toml": receipt})
    assert said()[0] == 'uv tool install --editable "/home/ada/core[fast]" --with ipfs-accel-groq'


@pytest.mark.parametrize("receipt", ["", "[tool", "[tool]\nrequirements = 3\n", "[tool]\nrequirements = [{}]\n"])
def test_a_receipt_of_another_form_names_the_tool_by_its_folder(environment: Environment, receipt: str) -> None:
    environment("tools/llm", {"uv-receipt.toml": receipt})
    assert said()[0] == "uv tool install llm --with ipfs-accel-groq"


def test_what_uvx_runs_is_run_with_more(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment("uv/archive-v0/GPDw8ftimNP", UV)
    assert said() == (
        "uvx --with ipfs-accel-groq ipfs-accel",
        "uvx --refresh --with ipfs-accel-groq ipfs-accel",
        "uv cache clean ipfs-accel-groq && uv cache prune",
    )
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    assert said()[0] == "uv run --with ipfs-accel-groq …"


def test_pipx(environment: Environment) -> None:
    environment("pipx/venvs/ipfs-accel", UV | {"pipx_metadata.json": "{}"})
    assert said() == (
        "pipx inject ipfs-accel ipfs-accel-groq",
        "pipx upgrade --include-injected ipfs-accel",
        "pipx reinstall ipfs-accel",
    )
    embedded = install_command("ipfs-accel-llvm[embedded]")
    assert embedded == 'pipx inject --force ipfs-accel "ipfs-accel-llvm[embedded]"'


def test_what_pipx_runs_is_run_with_more(environment: Environment) -> None:
    environment("pipx/.cache/b607fc138ba3d2a", {"pipx_metadata.json": "{}"})
    assert said()[0] == "pipx run --with ipfs-accel-groq ipfs-accel"


def test_what_cannot_be_read_is_no_reason_to_fail(environment: Environment) -> None:
    (environment() / "pyvenv.cfg").write_bytes(b"\xff")
    assert said() == PIP
