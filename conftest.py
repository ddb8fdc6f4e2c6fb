"""What the tests of all distributions share: llama.cpp's real server, which nobody here wrote."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib.util
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from ipfs_accel import RetryConfig
from ipfs_accel._endpoints import resolve

HERE = Path(__file__).parent
pytest_plugins = ["anyio"] if importlib.util.find_spec("anyio") else []

# The machine's speed is not what these tests are about.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# A test of a plugin wants to see the first failure, at once; those of retries bring their own settings. The variable is
# for commands as processes, the other for configurations that see no variables.
os.environ["IPFS_ACCEL_RETRY_ATTEMPTS"] = "1"
resolve.RetryConfig = functools.partial(RetryConfig, attempts=1)  # type: ignore[assignment,misc]


# They install, and wait for that: what is begun last would be waited for by all workers.
FIRST = {"test_wheels.py", "test_uv.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests against peers the time that installing one takes; an install cut short leaves half a peer."""
    items.sort(key=lambda item: item.path.name not in FIRST)
    for item in items:
        if item.get_closest_marker("peer") is not None:
            item.add_marker(pytest.mark.timeout(3600))


# Threads of servers and clients free blocks of megabytes all the time. glibc would keep an arena for each thread, and
# such blocks inside of it: half of the memory that a worker of pytest had.
with suppress(AttributeError, TypeError):  # where there is another library, it has no such function
    ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX
    ctypes.CDLL(None).mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD, in bytes


gc.disable()  # until all is collected: what modules and tests are made of stays, and would be walked through in vain


def pytest_collection_finish() -> None:
    """Leave modules and tests out of garbage collections, which are then cheap, and come before garbage piles up."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.collect()  # whose count of what lives long, now nothing, decides when the next one comes


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
                process.wait(60)
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


def peer_python(name: str, *requirements: str) -> Path:
    """Return the Python of a virtual environment for a server that nobody here wrote; made once and kept.

    It is made only where IPFS_ACCEL_PEERS is set, since it takes minutes and hundreds of megabytes.
    """
    folder = HERE / ".cache" / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (folder / "complete").exists():
        return python
    if not os.environ.get("IPFS_ACCEL_PEERS"):
        pytest.skip(f"{', '.join(requirements)} is not installed in .cache/{name}; make test-peers does that")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{', '.join(requirements)} cannot be installed: {done.stderr[-300:]}")
    (folder / "complete").touch()
    return python


def peer_node(name: str, *packages: str) -> Path:
    """Return the folder of `node_modules` with packages of npm that nobody here wrote; made once and kept, likewise."""
    folder = HERE / ".cache" / name
    if not (folder / "complete").exists():
        if not os.environ.get("IPFS_ACCEL_PEERS"):
            pytest.skip(f"{', '.join(packages)} is not installed in .cache/{name}; make test-peers does that")
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm, which installs it, is not here")
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{', '.join(packages)} cannot be installed: {done.stderr[-300:]}")
        (folder / "complete").touch()
    return folder / "node_modules"


def peer_debian(package: str) -> Path:
    """Return the folder with what a package of Debian's holds, which is not installed; unpacked once, likewise."""
    folder = HERE / ".cache" / f"debian-{package}"
    if not (folder / "complete").exists():
        if not os.environ.get("IPFS_ACCEL_PEERS"):
            pytest.skip(f"Debian's {package} is not in .cache; make test-peers gets it")
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            pytest.skip("apt-get and dpkg-deb, which get it, are not here")
        folder.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", package], ["sh", "-c", "dpkg-deb --extract *.deb ."]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"Debian's {package} cannot be had: {done.stderr[-300:]}")
        (folder / "complete").touch()
    return folder


def sent(httpserver: Any) -> Any:
    """Return the JSON of the last request that pytest-httpserver recorded."""
    return json.loads(httpserver.log[-1][0].get_data())


def form(request: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str | None, str, bytes]]]:
    """Return the fields and the files of a form that pytest-httpserver recorded."""
    from werkzeug.formparser import FormDataParser  # noqa: PLC0415 - not every test has a form

    data = request.get_data()
    _, fields, files = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO()).parse(
        io.BytesIO(data), request.mimetype, len(data), dict(request.mimetype_params)
    )
    found = [(name, file.filename, file.content_type or "", file.read()) for name, file in files.items(multi=True)]
    return sorted(fields.items(multi=True)), found


def free_port() -> int:
    """Return a port that nobody listens on, for a server that takes no 0; another program may be quicker to take it."""
    with deaf_port() as port:
        return port


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port on which nobody listens, nor can, until the block ends."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def started(command: list[str], url: str, seconds: float = 300.0, *, refused: bool = False) -> Iterator[None]:
    """Run a server until the block ends; it has begun when the URL answers, be it with a refusal if that is enough."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            until = time.monotonic() + seconds
            while True:
                try:
                    urllib.request.urlopen(url, timeout=60).close()  # noqa: S310 - a server of our own
                    break
                except OSError as error:
                    if refused and isinstance(error, urllib.error.HTTPError):
                        break
                    if process.poll() is not None or time.monotonic() > until:
                        pytest.fail(f"{command[1:3]} did not start: {Path(log.name).read_text()[-2000:]}")
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError):  # whatever it left behind
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()


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


def pytest_configure(config: pytest.Config) -> None:
    """Hold all requests to the vendors' specifications, where a folder has them."""
    folder = os.environ.get("IPFS_ACCEL_SPECS")
    if folder:
        from tests.specifications import Specifications  # noqa: PLC0415 - as it says

        config.pluginmanager.register(Specifications(Path(folder).resolve()), "specifications")
