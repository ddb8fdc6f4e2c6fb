"""The distributions as users get them: built, installed into clean environments, found, used and uninstalled."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest

from .test_packaging import EXAMPLES, FOLDERS, project

pytest.importorskip("hatchling", reason="hatchling builds the distributions")
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(1800)]  # they install many distributions

MOST_MEGABYTES = 20  # of the core with what it needs, as installed
MOST_DISTRIBUTIONS = 18


def run(*command: str | Path, cwd: Path | None = None, check: bool = True, **environ: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IPFS_ACCEL_", "PYTHON"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout if check else done.stdout + done.stderr


def build(folder: Path, into: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-d", into, cwd=folder)


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels and source distributions of everything here."""
    into = tmp_path_factory.mktemp("wheelhouse")
    for folder in [*FOLDERS, *EXAMPLES]:
        build(folder, into)
    return into


STRANGER = """
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Ready
from ipfs_accel.types import ChatResponse, Choice, Health, Message, Usage

api_version = 1

@hookimpl
def describe():
    return BackendInfo(name="{name}", base_url="http://127.0.0.1:9")

@hookimpl
def chat(request):
    text = "seen: " + request.messages[-1].text
    choice = Choice(message=Message.assistant(text, text.swapcase()), finish_reason="stop")
    return Ready(value=ChatResponse(choices=(choice,), usage=Usage(input_tokens=30, output_tokens=12)))

@hookimpl
def healthcheck(endpoint):
    return Ready(value=Health(status="ok", server="{distribution}"))
"""


@pytest.fixture(scope="session")
def stranger(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Build a distribution of somebody else that registers a backend; gives its name."""

    def make(name: str, distribution: str) -> str:
        folder = tmp_path_factory.mktemp(distribution)
        package = distribution.replace("-", "_")
        (folder / f"{package}.py").write_text(STRANGER.format(name=name, distribution=distribution))
        (folder / "pyproject.toml").write_text(
            textwrap.dedent(f"""
            [build-system]
            requires = ["hatchling"]
            build-backend = "hatchling.build"
            [project]
            name = "{distribution}"
            version = "3.0"
            dependencies = ["ipfs-accel>=0.1,<0.2"]
            [project.entry-points."ipfs_accel.backends"]
            {name} = "{package}"
            [tool.hatch.build.targets.wheel]
            only-include = ["{package}.py"]
            """)
        )
        build(folder, wheelhouse)
        return distribution

    return make


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but pip, to copy, as making one costs seconds."""
    folder = tmp_path_factory.mktemp("blank") / "env"
    run(sys.executable, "-m", "venv", folder)
    return folder


class Environment:
    """A clean virtual environment."""

    def __init__(self, folder: Path, blank: Path, wheelhouse: Path) -> None:
        self.python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        self._home = str(folder)
        self._wheelhouse = wheelhouse
        shutil.copytree(blank, folder, symlinks=True)

    def pip(self, *arguments: str, check: bool = True) -> str:
        return run(self.python, "-m", "pip", "--disable-pip-version-check", *arguments, check=check)

    def install(self, *requirements: str) -> None:
        out = self.pip("install", "--quiet", "--find-links", str(self._wheelhouse), *requirements, check=False)
        missing = re.search(r"No matching distribution found for (\S+)", out)
        if missing is not None and not missing[1].startswith(("ipfs-accel", "stranger")):
            pytest.skip(f"what the distributions need cannot be had: {missing[1]}")
        assert "ERROR" not in out, out

    def accel(self, *arguments: str) -> Any:
        return json.loads(run(self.python, "-m", "ipfs_accel", "--json", *arguments, HOME=self._home))

    def backends(self) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.accel("backends")["backends"]}

    def distributions(self) -> set[str]:
        return {line.partition("==")[0].lower() for line in self.pip("freeze").split()}


@pytest.fixture
def environment(tmp_path: Path, blank: Path, wheelhouse: Path) -> Environment:
    return Environment(tmp_path / "env", blank, wheelhouse)


def named(folder: Path) -> tuple[str, set[str]]:
    settings = project(folder)
    return settings["name"], set(settings.get("entry-points", {}).get("ipfs_accel.backends", {}))


OURS = dict(named(folder) for folder in FOLDERS[1:])


# what is in them


@pytest.mark.parametrize("folder", [*FOLDERS, *EXAMPLES], ids=lambda folder: folder.name)
def test_a_wheel_has_its_package_and_nothing_else(wheelhouse: Path, folder: Path) -> None:
    package = project(folder)["name"].replace("-", "_")
    (path,) = wheelhouse.glob(f"{package}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        info = next(name for name in names if name.endswith("/METADATA"))
        metadata = HeaderParser().parsestr(wheel.read(info).decode())
    home = info.split("/")[0]
    beside = {home.replace(".dist-info", ".data")} if folder.name == "core" else set()  # the page for man
    assert {name.split("/")[0] for name in names} == {package, home, *beside}
    strays = [
        name
        for name in names
        if not re.search(r"\.(py|typed|json|txt|css|js|gguf|1)$|/(METADATA|WHEEL|RECORD|LICENSE)$", name)
    ]
    assert strays == []
    assert f"{package}/py.typed" in names
    assert f"{home}/licenses/LICENSE" in names
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    tests = [name for name in names if "/tests/" in name or "/test_" in name.rpartition("/")[2]]
    assert tests == []


@pytest.mark.parametrize("folder", [*FOLDERS, *EXAMPLES], ids=lambda folder: folder.name)
def test_a_source_distribution_builds_the_same_wheel(wheelhouse: Path, folder: Path, tmp_path: Path) -> None:
    package = project(folder)["name"].replace("-", "_")
    (path,) = wheelhouse.glob(f"{package}-*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (inner,) = tmp_path.iterdir()
    build(inner, tmp_path / "again")
    (first,) = wheelhouse.glob(f"{package}-*.whl")
    (second,) = (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


# what becomes of them


def test_the_core_alone_is_light(environment: Environment) -> None:
    environment.install("ipfs-accel")
    assert environment.backends() == {}
    assert (environment.python.parent.parent / "share" / "man" / "man1" / "ipfs-accel.1").is_file()
    assert len(environment.distributions()) <= MOST_DISTRIBUTIONS, environment.distributions()
    site = next(environment.python.parent.parent.glob("lib*/**/site-packages"))
    own = [
        path
        for path in site.rglob("*")
        if path.is_file() and not path.relative_to(site).parts[0].startswith(("pip", "setuptools"))
    ]
    megabytes = sum(path.stat().st_size for path in own if path.suffix != ".pyc") / 2**20
    assert megabytes <= MOST_MEGABYTES
    said = run(environment.python, "-m", "ipfs_accel", "chat", "-m", "groq/m", "hi", check=False)
    assert 'pip install "ipfs-accel[groq]"' in said


def test_extras_bring_their_backends(environment: Environment) -> None:
    environment.install("ipfs-accel[groq,ollama]")
    assert environment.backends() == {"groq": "available", "ollama": "available"}
    environment.pip("uninstall", "--yes", "ipfs-accel-groq")
    assert environment.backends() == {"ollama": "available"}


def test_hosts_come_with_openai_and_without_them_it_says_what_to_install(environment: Environment) -> None:
    environment.install("ipfs-accel[openai]")
    hosts = environment.accel("backends")["hosts"]
    assert {each["distribution"] for each in hosts} == {"ipfs-accel-hosts"}
    assert {each["state"] for each in hosts} == {"available"}
    ask = (environment.python, "-m", "ipfs_accel", "chat", "-m", "deepseek/deepseek-chat", "hi")
    assert "set the environment variable DEEPSEEK_API_KEY" in run(*ask, check=False, DEEPSEEK_API_KEY="")
    environment.pip("uninstall", "--yes", "ipfs-accel-hosts")
    assert 'pip install "ipfs-accel[hosts]"' in run(*ask, check=False)


def test_a_newcomer_without_a_key_gets_an_answer_from_the_model_that_comes_along(environment: Environment) -> None:
    environment.install("ipfs-accel-llvm[embedded]")
    said = environment.accel("chat", "how do I add Groq?")
    assert said["model"].endswith("guide.gguf")
    assert said["text"].startswith('Run pip install "ipfs-accel[groq]"')


def test_everything_together(environment: Environment) -> None:
    environment.install("ipfs-accel[all]")
    assert environment.backends() == dict.fromkeys(set().union(*OURS.values()), "available")
    plugins = environment.accel("doctor")["plugins"]
    assert {each["name"]: each["state"] for each in plugins} == dict.fromkeys(set().union(*OURS.values()), "loaded")


def test_a_strangers_backend_and_two_of_one_name(environment: Environment, stranger: Callable[[str, str], str]) -> None:
    environment.install("ipfs-accel", stranger("acme", "stranger-one"))
    assert environment.backends() == {"acme": "available"}
    assert environment.accel("health", "acme")["health"]["acme"]["server"] == "stranger-one"
    environment.install(stranger("acme", "stranger-two"))
    assert environment.backends() == {"acme": "duplicate"}
    said = run(environment.python, "-m", "ipfs_accel", "health", "acme", check=False)
    assert "stranger-one" in said
    assert "stranger-two" in said
    environment.pip("uninstall", "--yes", "stranger-one")
    assert environment.accel("health", "acme")["health"]["acme"]["server"] == "stranger-two"


def test_a_stranger_cannot_take_a_name_of_ours(environment: Environment, stranger: Callable[[str, str], str]) -> None:
    environment.install("ipfs-accel", stranger("openai", "stranger-openai"))
    assert environment.backends() == {"openai": "blocked"}


REDACTION_AND_BUDGET = """
[plugins]
middleware = ["redaction", "budget"]
[plugins.options.budget]
tokens = 80
file = "{file}"
[plugins.options.redaction]
patterns = {{ EMPLOYEE = "E-[0-9]+" }}
"""


def test_middleware_is_installed_named_used_and_uninstalled(
    environment: Environment, stranger: Callable[[str, str], str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    ask = ("chat", "-m", "acme/m", "--config", str(config), "--no-stream", "ada@example.com, E-7")

    def refused(**environ: str) -> str:
        return run(environment.python, "-m", "ipfs_accel", *ask, check=False, **environ)

    config.write_text("")
    environment.install("ipfs-accel", stranger("acme", "stranger-chat"), "ipfs-accel-redaction", "ipfs-accel-budget")
    plain = "seen: ada@example.com, E-7"
    assert environment.accel(*ask)["text"] == plain + plain.swapcase()
    shown = environment.accel("backends", "--config", str(config))["middleware"]
    assert [(each["name"], each["state"]) for each in shown] == [("budget", "blocked"), ("redaction", "blocked")]

    config.write_text(REDACTION_AND_BUDGET.format(file=tmp_path / "spent"))
    # What the backend wrote in the other case is not what was hidden, and shows what it saw.
    assert environment.accel(*ask)["text"] == plain + "SEEN: [email_1], [employee_1]"
    shown = environment.accel("doctor", "--config", str(config))["middleware"]
    assert [(each["name"], each["state"]) for each in shown] == [("redaction", "loaded"), ("budget", "loaded")]
    assert environment.accel(*ask)["usage"]["input_tokens"] == 30
    said = refused()
    assert "the budget of 80 tokens is used up: 84 were used" in said
    assert "raise the limit in [plugins.options.budget]" in said
    assert plain in refused(IPFS_ACCEL_DISABLE_PLUGINS="budget")

    environment.pip("uninstall", "--yes", "ipfs-accel-redaction")
    assert "the middleware 'redaction' is broken: the configuration names it, but it is not installed" in refused()
