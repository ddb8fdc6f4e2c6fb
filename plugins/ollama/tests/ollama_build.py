"""Ollama's own server, built from its source by `go install`; made once and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

VERSION = "v0.24.0"  # the last one that is complete in itself; later ones start a llama-server that is built otherwise

# Go leaves folders named vendor out of modules, and with them these headers, which Ollama's copy of llama.cpp includes.
HEADERS = ("nlohmann-json==3.12.0", "github.com/gen2brain/raylib-go/raylib@v0.55.1")


def ollama_program(cache: Path) -> Path:
    """Return the executable; it is built only where IPFS_ACCEL_PEERS is set, since that takes many minutes.

    Needs Go 1.26, a C++ compiler, and the registries of Go and Python.
    """
    folder = cache / f"ollama-{VERSION}"
    program = folder / ("ollama.exe" if os.name == "nt" else "ollama")
    if program.exists():
        return program
    if not os.environ.get("IPFS_ACCEL_PEERS"):
        pytest.skip(f"Ollama {VERSION} is not built in .cache; make test-peers does that")
    if shutil.which("go") is None:
        pytest.skip("Go, which builds Ollama's server, is not installed")
    headers = folder / "headers"
    _fetch_headers(headers)
    flags = {"CGO_ENABLED": "1", "CGO_CPPFLAGS": f"-I{headers}", "CGO_CFLAGS": "-O0 -g0", "CGO_CXXFLAGS": "-O0 -g0"}
    _run(["go", "install", f"github.com/ollama/ollama@{VERSION}"], {**flags, "GOBIN": str(folder)})
    return program


def _fetch_headers(headers: Path) -> None:
    wheel, module = HEADERS
    for name in ("stb", "miniaudio"):
        (headers / name).mkdir(parents=True, exist_ok=True)
    found = json.loads(_run(["go", "mod", "download", "-json", module]))
    external = Path(found["Dir"]) / "external"
    shutil.copy(external / "stb_image.h", headers / "stb")
    shutil.copy(external / "miniaudio.h", headers / "miniaudio")
    _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(headers), wheel])
    for path in headers.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(headers)
    shutil.copytree(headers / "nlohmann_json" / "include" / "nlohmann", headers / "nlohmann", dirs_exist_ok=True)


def _run(command: list[str], environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environ or {})}, cwd=Path.home()
    )
    if done.returncode:
        pytest.skip(f"Ollama {VERSION} cannot be built: {' '.join(command[:3])}: {done.stderr[-400:]}")
    return done.stdout
