"""Stores that nobody here wrote and that a package registry has: how each is got and run.

What takes minutes to install is installed once, into `.cache`, and only if that is asked for. MinIO and Garage are left
out for their licence, SeaweedFS and Ceph for what their builds and clusters take.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from conftest import HERE, free_port, started

__all__ = ["STORES", "Missing", "Running", "rclone", "versitygw_program"]

ID, SECRET = "AKIATESTTESTTEST", "s3cr3t-of-the-tests-0123456789"
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
RCLONE = "v1.76.0"
S3MOCK = "com.adobe.testing:s3mock:5.2.0:jar:exec"
S3PROXY = "org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies"
S3RVER = "s3rver@3.7.1"
LOCALSTACK = ("localstack-core[base-runtime]==4.14.0", "moto-ext[s3]")

_MAIN = """package main

import (
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() { cmd.Main() }
"""


class Missing(Exception):  # noqa: N818 - a reason, not a failure
    """Why a store cannot be run here."""


class Running(NamedTuple):
    """A store that runs: where, and with which key it is spoken to."""

    url: str
    version: str
    key: str = f"{ID}:{SECRET}"


Recipe = Callable[[bool], AbstractContextManager[Running]]


def _needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"it needs {program}")


def _install(path: Path, commands: list[list[str]], *, may: bool, folder: Path | None = None, **env: str) -> Path:
    """Return what is at a path, made by commands if it is not there and may be."""
    if path.exists():
        return path
    if not may:
        raise Missing(f"it is not in {path.parent.relative_to(HERE)}; make test-peers puts it there")
    path.parent.mkdir(parents=True, exist_ok=True)
    for command in commands:
        where = folder or path.parent
        done = subprocess.run(
            command, cwd=where, env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Missing(f"{command[0]} cannot install it: {(done.stderr or done.stdout)[-300:]}")
    return path


@contextmanager
def moto(_install: bool) -> Iterator[Running]:
    """moto, in this process."""
    from importlib.metadata import version

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Running("http://{}:{}".format(*server.get_host_and_port()), version("moto"))
    finally:
        server.stop()


def versitygw_program(*, may: bool) -> Path:
    """Return versitygw's program."""
    path = HERE / ".cache" / "versitygw" / "versitygw"
    if not path.exists():
        _needs("go")
    return _install(path, [["go", "install", VERSITYGW]], may=may, GOBIN=str(path.parent))


@contextmanager
def versitygw(may: bool) -> Iterator[Running]:
    """versitygw over a folder, with its metadata beside it."""
    program, port = versitygw_program(may=may), free_port()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("data", "meta"):
            (Path(folder) / name).mkdir()
        address = f"127.0.0.1:{port}"
        common = ["--port", address, "--access", ID, "--secret", SECRET, "--health", "/health", "--quiet"]
        command = [str(program), *common, "posix", "--sidecar", f"{folder}/meta", f"{folder}/data"]
        with started(command, f"http://{address}/health"):
            yield Running(f"http://{address}", VERSITYGW.rpartition("@v")[2])


@contextmanager
def rclone(may: bool, *flags: str, scheme: str = "http") -> Iterator[Running]:
    """`rclone serve s3` over a folder; built with that alone."""
    source = HERE / ".cache" / "rclone"
    if not (source / "rclone").exists():
        _needs("go")
        if may:
            source.mkdir(parents=True, exist_ok=True)
            (source / "main.go").write_text(_MAIN)
            (source / "go.mod").write_text(f"module rclone\n\ngo 1.25\n\nrequire github.com/rclone/rclone {RCLONE}\n")
    build = [["go", "mod", "tidy"], ["go", "build", "-o", "rclone", "."]]
    program, port = _install(source / "rclone", build, may=may), free_port()
    with tempfile.TemporaryDirectory() as folder:
        address = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{ID},{SECRET}"]
        with _serving([str(program), "serve", "s3", *address, *flags, folder], port, scheme):
            yield Running(f"{scheme}://127.0.0.1:{port}", RCLONE.removeprefix("v"))


def _jar(artifact: str, *, may: bool) -> Path:
    _group, name, version, _kind, classifier = artifact.split(":")
    path = HERE / ".cache" / "jars" / f"{name}-{version}-{classifier}.jar"
    if not path.exists():
        _needs("java", "mvn")
    copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={path.parent}"]
    return _install(path, [copy], may=may)


@contextmanager
def s3mock(may: bool) -> Iterator[Running]:
    """Adobe's S3Mock."""
    jar, port, other = _jar(S3MOCK, may=may), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"-Dserver.port={other}", f"-Dcom.adobe.testing.s3mock.httpPort={port}"]
        command = ["java", *settings, f"-Dcom.adobe.testing.s3mock.store.root={folder}", "-jar", str(jar)]
        with _serving(command, port):
            yield Running(f"http://127.0.0.1:{port}", S3MOCK.split(":")[2])


@contextmanager
def s3proxy(may: bool) -> Iterator[Running]:
    """S3Proxy over a folder."""
    jar, port = _jar(S3PROXY, may=may), free_port()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        settings = {
            "s3proxy.endpoint": f"http://127.0.0.1:{port}",
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": ID,
            "s3proxy.credential": SECRET,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": f"{folder}/data",
        }
        file = Path(folder) / "s3proxy.conf"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        with _serving(["java", "-jar", str(jar), "--properties", str(file)], port):
            yield Running(f"http://127.0.0.1:{port}", S3PROXY.split(":")[2])


@contextmanager
def s3rver(may: bool) -> Iterator[Running]:
    """s3rver: an old store, which knows neither conditions nor checksums."""
    script = HERE / ".cache" / "s3rver" / "node_modules" / "s3rver" / "bin" / "s3rver.js"
    if not script.exists():
        _needs("node", "npm")
    top = HERE / ".cache" / "s3rver"
    top.mkdir(parents=True, exist_ok=True)
    install = ["npm", "install", "--silent", "--no-save", "--prefix", str(top), S3RVER]
    script, port = _install(script, [install], may=may, folder=top), free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", str(script), "-d", folder, "-a", "127.0.0.1", "-p", str(port)]
        with _serving(command, port):
            yield Running(f"http://127.0.0.1:{port}", S3RVER.partition("@")[2], "S3RVER:S3RVER")


def _python(minor: str) -> str:
    """Return a Python of a version that runs: a name on the path may be a shim of one that is not there."""
    for name in (f"python{minor}", f"{Path.home()}/.pyenv/versions/{minor}.0/bin/python"):
        found = shutil.which(name)
        if found and not subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
            return found
    raise Missing(f"it needs Python {minor}")


@contextmanager
def localstack(may: bool) -> Iterator[Running]:
    """LocalStack's S3: the last version that needs no account, with the dependencies of its day."""
    top = HERE / ".cache" / "localstack"
    python, done = top / "bin" / "python", top / "complete"
    if not done.exists():
        # Newer dependencies do not fit, and of the packages' many versions only uv can leave out those of after a day.
        pip, uv = [str(python), "-m", "pip", "install", "-q"], [str(top / "bin" / "uv"), "pip", "install", "-q"]
        commands = [
            [_python("3.13"), "-m", "venv", "--clear", str(top)],
            [*pip, "uv"],
            [*uv, "--python", str(python), "--exclude-newer", "2026-02-28", *LOCALSTACK],
            [str(python), "-c", f"open({str(done)!r}, 'w').close()"],
        ]
        _install(done, commands, may=may)
    port = free_port()
    settings = {"SERVICES": "s3", "GATEWAY_LISTEN": f"127.0.0.1:{port}", "DNS_ADDRESS": "0", "DISABLE_EVENTS": "1"}
    settings["SKIP_SSL_CERT_DOWNLOAD"] = "1"
    command = ["env", *(f"{name}={value}" for name, value in settings.items())]
    url = f"http://127.0.0.1:{port}"
    with started([*command, str(python), "-m", "localstack.runtime.main"], f"{url}/_localstack/health"):
        yield Running(url, LOCALSTACK[0].rpartition("==")[2], "test:test")


def _serving(command: list[str], port: int, scheme: str = "http") -> AbstractContextManager[None]:
    """Run a server that has no page for that; it has begun when it answers at all, be it with a refusal."""
    return started(command, f"{scheme}://127.0.0.1:{port}/", refused=True)


STORES: Mapping[str, Recipe] = {
    "moto": moto,
    "versitygw": versitygw,
    "rclone": rclone,
    "S3Mock": s3mock,
    "S3Proxy": s3proxy,
    "LocalStack": localstack,
    "s3rver": s3rver,
}
