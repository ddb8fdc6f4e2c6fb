"""A clone as uv, pip and pipx install it: every distribution of the workspace is had from the folder beside it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .test_packaging import EXAMPLES, FOLDERS, ROOT, project
from .test_wheels import run

pytest.importorskip("uv", reason="uv is a part of the group test")
pytest.importorskip("pipx", reason="pipx is a part of the group test")
pytestmark = [
    pytest.mark.packaging,
    pytest.mark.timeout(600),  # with an empty cache, a whole development environment is downloaded
    pytest.mark.skipif(shutil.which("git") is None, reason="a clone needs git"),
]

BIN = "Scripts" if os.name == "nt" else "bin"
UV = (sys.executable, "-m", "uv")
NOT_TRACKED = shutil.ignore_patterns(
    ".git", ".*venv*", ".cache", ".*_cache", ".hypothesis", "__pycache__", "_build", "_generated", "dist", "uv.lock"
)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as a repository of its own, as a contributor has it."""
    folder = tmp_path_factory.mktemp("clone") / "ipfs-accel"
    shutil.copytree(ROOT, folder, ignore=NOT_TRACKED)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "Everything")):
        run("git", *command, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def sources() -> dict[str, str]:
    """Where pip is told to get packages from, in the words of uv, and the cache that uv has already."""
    told = run(sys.executable, "-m", "pip", "config", "list") if find_spec("pip") else ""
    settings = {name.rpartition(".")[2]: value.strip("'\"") for name, value in re.findall(r"(?m)^(\S+?)=(.*)$", told)}
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    found = {variable: settings[name] for name, variable in names.items() if name in settings}
    found["UV_CACHE_DIR"] = run(*UV, "cache", "dir").strip()
    return {variable: value for variable, value in found.items() if variable not in os.environ}


class Programs:
    """uv, pipx and pip with folders of their own."""

    def __init__(self, home: Path, clone: Path, sources: dict[str, str]) -> None:
        self.home, self.clone = home, clone
        self.environ = sources | {
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "UV_PROJECT_ENVIRONMENT": ".venv",
            "UV_TOOL_DIR": str(home / "tools"),
            "UV_TOOL_BIN_DIR": str(home / "bin"),
            "PIPX_HOME": str(home / "pipx"),
            "PIPX_BIN_DIR": str(home / "bin"),
            "PIPX_MAN_DIR": str(home / "man"),
            "PIPX_DEFAULT_PYTHON": sys.executable,
        }

    def run(self, *command: str | Path, cwd: Path | None = None, code: int = 0, **environ: str) -> str:
        not_theirs = ("IPFS_ACCEL_", "PYTHON", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(not_theirs)}
        env = kept | self.environ | environ
        done = subprocess.run(
            [*map(str, command)], cwd=cwd or self.clone, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode and re.search("error sending request|dns error", done.stderr):
            pytest.skip(f"the package index cannot be reached: {done.stderr[-300:]}")
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def uv(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        return self.run(*UV, *arguments, cwd=cwd)

    def pipx(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "pipx", *arguments)

    def backends(self, *command: str | Path, cwd: Path | None = None) -> set[str]:
        found = json.loads(self.run(*command, "--json", "backends", cwd=cwd, HOME=str(self.home)))
        return {each["name"] for each in found["backends"]}

    def hint(self, *command: str | Path, cwd: Path | None = None) -> list[str]:
        """Return the command that is named where a backend is missing."""
        said = self.run(*command, "chat", "-m", "ollama/m", "hi", cwd=cwd, code=3, HOME=str(self.home))
        return shlex.split(said.partition("run: ")[2])


@pytest.fixture
def programs(tmp_path: Path, clone: Path, sources: dict[str, str]) -> Programs:
    return Programs(tmp_path, clone, sources)


def test_a_plain_sync_gives_all_distributions_and_groups(programs: Programs) -> None:
    programs.uv("sync")
    found = {each["name"] for each in json.loads(programs.uv("pip", "list", "-p", ".venv", "--format", "json"))}
    assert {project(folder)["name"] for folder in [*FOLDERS, *EXAMPLES]} <= found
    assert {"xllamacpp", "pytest", "mypy", "sphinx", "jax", "litellm"} <= found
    assert " passed" in programs.uv("run", "pytest", "-q", "core/tests/test_types.py")
    assert programs.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("arguments", "backends"),
    [
        ("./core", set()),
        ("-e core", set()),
        ("./core[groq]", {"groq"}),
        ("./plugins/groq", {"groq"}),
        ("-e plugins/groq[tokens]", {"groq"}),
        ("-e ./core[hf] -e plugins/specialized/llvm", {"hf", "tgi", "tei", "llvm", "vllm"}),
    ],
)
def test_uv_pip_takes_a_folder(programs: Programs, arguments: str, backends: set[str]) -> None:
    programs.uv("venv", programs.home / "env")
    programs.uv("pip", "install", "-p", programs.home / "env", *arguments.split())
    assert programs.backends(programs.home / "env" / BIN / "ipfs-accel") == backends


@pytest.mark.parametrize(
    ("wanted", "folder", "backends"),
    [
        ("ipfs-accel[groq]", "core", {"groq"}),
        ("ipfs-accel-claude", "plugins/claude", {"claude"}),
    ],
)
def test_a_project_takes_a_folder_of_the_repository(
    programs: Programs, wanted: str, folder: str, backends: set[str]
) -> None:
    theirs = programs.home / "theirs"
    programs.uv("init", "--bare", theirs)
    programs.uv("add", f"{wanted} @ git+{programs.clone.as_uri()}#subdirectory={folder}", cwd=theirs)
    assert programs.backends(*UV, "run", "ipfs-accel", cwd=theirs) == backends
    assert programs.hint(*UV, "run", "ipfs-accel", cwd=theirs) == ["uv", "add", "ipfs-accel[ollama]"]


def test_uvx_runs_the_command_and_names_how_to_run_it_with_more(programs: Programs) -> None:
    uvx = (*UV, "tool", "run", "--from", "./core")
    assert programs.run(*uvx, "ipfs-accel", "--version") == "ipfs-accel 0.1.0\n"
    hinted = programs.hint(*uvx, "ipfs-accel")
    assert hinted == ["uvx", "--with", "ipfs-accel-ollama", "ipfs-accel"]
    assert programs.backends(*uvx, "--with", "./plugins/ollama", "ipfs-accel") == {"ollama"}


def test_a_tool_is_installed_and_names_what_adds_to_it(programs: Programs) -> None:
    programs.uv("tool", "install", "./core[fast]", "--with", "./plugins/groq", "--with", "./plugins/claude")
    command = programs.home / "bin" / "ipfs-accel"
    assert programs.backends(command) == {"groq", "claude"}
    hinted = programs.hint(command)
    assert hinted[:3] == ["uv", "tool", "install"]
    assert hinted[-2:] == ["--with", "ipfs-accel-ollama"]
    # No index has it yet; what was there before has to stay.
    programs.uv(*hinted[1:-1], "./plugins/ollama")
    assert programs.backends(command) == {"groq", "claude", "ollama"}


def test_pipx_installs_it_and_is_named_for_more(programs: Programs) -> None:
    programs.pipx("install", "./core")
    command = programs.home / "bin" / "ipfs-accel"
    hinted = programs.hint(command)
    assert hinted == ["pipx", "inject", "ipfs-accel", "ipfs-accel-ollama"]
    programs.pipx(*hinted[1:-1], "./plugins/ollama")
    assert programs.backends(command) == {"ollama"}


def test_pip_takes_the_core_and_a_plugin_with_it(programs: Programs) -> None:
    programs.run(sys.executable, "-m", "venv", programs.home / "env")
    folder = programs.home / "env" / BIN
    programs.run(folder / "python", "-m", "pip", "install", "-q", "./core", "./plugins/groq")
    assert programs.backends(folder / "ipfs-accel") == {"groq"}
