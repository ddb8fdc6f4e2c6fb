"""What the tests of all distributions share: llama.cpp's real server, which nobody here wrote."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
pytest_plugins = ["anyio"] if importlib.util.find_spec("anyio") else []

settings.register_profile("shared", deadline=None)  # the machine's speed is not what these tests are about
settings.load_profile("shared")

POOLED = {"embedding": True, "pooling_type": "LLAMA_POOLING_TYPE_MEAN"}


class LlamaServer(NamedTuple):
    """A running server; `log` is the file that its own log goes to."""

    url: str
    key: str | None
    log: Path
    pid: int


@contextmanager
def serve(model: Path, **settings: Any) -> Iterator[LlamaServer]:
    """Run a server with these settings of xllamacpp's `CommonParams`; stops it in the end."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "tests" / "serve_llama.py"), str(model), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                pytest.fail(f"llama.cpp's server did not start: {Path(log.name).read_text()[-2000:]}")
            yield LlamaServer(url, next(iter(settings.get("api_keys", ())), None), Path(log.name), process.pid)
        finally:
            process.stdin.close()
            process.stdout.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def tiny_gguf() -> Path:
    """A model of half a megabyte with random weights; made once and kept."""
    pytest.importorskip("gguf", reason="the package gguf writes the test model")
    path = HERE / ".cache" / "tiny.gguf"
    script = HERE / "scripts" / "make_tiny_gguf.py"
    if not path.exists() or path.stat().st_mtime < script.stat().st_mtime:
        path.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, str(script), str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


def _needs_server() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp, which has llama.cpp's server, has no wheel for this platform")


@pytest.fixture(scope="session")
def llama(tiny_gguf: Path) -> Iterator[LlamaServer]:
    """A server without keys: two slots of 2048 tokens, chat and embeddings, metrics and slots readable."""
    _needs_server()
    with serve(tiny_gguf, n_ctx=4096, n_parallel=2, endpoint_metrics=True, model_alias=["tiny"], **POOLED) as server:
        yield server


@pytest.fixture(scope="session")
def llama_keyed(tiny_gguf: Path) -> Iterator[LlamaServer]:
    """A server that wants a key."""
    _needs_server()
    with serve(tiny_gguf, n_ctx=1024, n_parallel=1, api_keys=["sk-test-one", "sk-test-two"]) as server:
        yield server


@pytest.fixture(scope="session")
def llama_plain(tiny_gguf: Path) -> Iterator[LlamaServer]:
    """A server without embeddings and with a context of 256 tokens."""
    _needs_server()
    with serve(tiny_gguf, n_ctx=256, n_parallel=1) as server:
        yield server
