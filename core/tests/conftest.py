"""What the core's tests share."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the configuration, keys or environment of who runs it."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, str(home))
    for variable in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "LLVM_BASE_URL",
        "LLVM_API_URL",
        "LLVM_API_KEY",
        "LLAMA_API_KEY",
    ):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Let SIGINT be a KeyboardInterrupt, here and in processes, which it is not if a shell ran pytest in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


GOOD_PLUGIN = """
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Ready
from ipfs_accel.types import Health

api_version = 1

@hookimpl
def describe():
    return BackendInfo(name="{name}", base_url="http://127.0.0.1:9")

@hookimpl
def healthcheck(endpoint):
    return Ready(value=Health(status="ok", server="{name}"))
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a plugin as a distribution would be: a module and a dist-info folder on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules: list[str] = []

    def add(
        name: str, source: str = GOOD_PLUGIN, *, distribution: str | None = None, module: str | None = None
    ) -> Path:
        distribution = distribution or f"acme-{name}"
        module = module or f"plugin_{distribution.replace('-', '_')}"
        modules.append(module)
        (site / f"{module}.py").write_text(textwrap.dedent(source).replace("{name}", name))
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ipfs_accel.backends]\n{name} = {module}\n")
        return site

    yield add
    for module in modules:
        sys.modules.pop(module, None)
