"""The gateway behind servers that nobody here wrote, by the files that the documentation gives for them."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.testing.raw_server import Connection, answer, serve

from .gateways import Running
from .wires import CHAT, CHUNKED, PATIENCE, Gradual, asked, chunk, framed

FILES = Path(__file__).parents[3] / "examples" / "deployment"
END = b"data: [DONE]\n\n"
KINDS = ("nginx", "caddy")
STREAMS = {
    "openai": ("/v1/chat/completions", "text/event-stream"),
    "ollama": ("/api/chat", "application/x-ndjson"),
}

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the examples stand in the repository alone")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        return int(sock.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    made, key = folder / "certificate.pem", folder / "key.pem"
    what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-days", "2", *what, "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True, timeout=PATIENCE
    )
    return made, key


def nginx(folder: Path, port: int, upstream: str) -> list[str]:
    made, key = certificate(folder)
    site = (FILES / "nginx.conf").read_text()
    for old, new in (
        ("127.0.0.1:4242", upstream),
        ("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2"),
        ("ai.example.org;", "localhost;"),
        ("/etc/ssl/ai.example.org.pem", str(made)),
        ("/etc/ssl/ai.example.org.key", str(key)),
    ):
        assert old in site
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    paths = "".join(
        [f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    )
    user = "user root;" if Path("/root").owner() == Path.home().owner() else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1; events {{}}"
        f" http {{ access_log off; {paths} include {folder}/site.conf; }}"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, upstream: str) -> list[str]:
    made, key = certificate(folder)
    site = (FILES / "Caddyfile").read_text()
    assert "ai.example.org {" in site
    assert "127.0.0.1:4242" in site
    site = site.replace("ai.example.org {", f"https://localhost:{port} {{\n\ttls {made} {key}")
    site = site.replace("127.0.0.1:4242", upstream)
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


COMMANDS: dict[str, Callable[[Path, int, str], list[str]]] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def behind(kind: str, folder: Path, handler: Callable[[Connection], Any]) -> Iterator[httpx.Client]:
    """Give a client of a server that stands before a gateway."""
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    port = free_port()
    with serve(handler) as server:
        up = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="sk-of-the-operator")
        running = Running(Config(endpoints={"up": up}, environ={}), {})
        command = COMMANDS[kind](folder, port, running.url.removeprefix("http://"))
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}
            )
        context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
        try:
            with httpx.Client(
                base_url=f"https://localhost:{port}", verify=context, timeout=PATIENCE, trust_env=False
            ) as client:
                _wait(client, process, folder)
                yield client
        finally:
            process.terminate()
            process.wait(PATIENCE)
            running.close()


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            assert client.get("/health/ready").json() == {"status": "ok"}
        except httpx.TransportError:
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_request_and_its_answer(kind: str, tmp_path: Path) -> None:
    def handler(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(CHAT))

    with behind(kind, tmp_path, handler) as client:
        for _ in range(2):
            told = client.post("/v1/chat/completions", content=asked(user="x" * 3_000_000))
            assert told.status_code == 200
            assert told.headers["x-ipfs-accel-lane"] == "relay"
            assert told.json()["choices"][0]["message"]["content"] == "Hello."
        refused = client.post("/v1/chat/completions", content=b"{}")
        assert refused.json()["error"]["message"] == "model: expected the name of a model"


@pytest.mark.parametrize("dialect", STREAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_comes_as_it_is_made(kind: str, dialect: str, tmp_path: Path) -> None:
    first, last = framed(chunk("Hello")), framed(chunk(" there", "stop")) + framed(END) + b"0\r\n\r\n"
    upstream = Gradual(CHUNKED, first, last)
    path, media_type = STREAMS[dialect]
    body = json.loads(asked(stream=True))
    with behind(kind, tmp_path, upstream.handle) as client, client.stream("POST", path, json=body) as told:
        assert told.headers["content-type"].startswith(media_type)
        pieces = told.iter_text()
        assert "Hello" in next(pieces)  # before the rest was made
        upstream.may_go_on.set()
        assert " there" in "".join(pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_leaves_ends_the_upstream_call(kind: str, tmp_path: Path) -> None:
    upstream = Gradual(CHUNKED, framed(chunk("Hello")), b"")
    with behind(kind, tmp_path, upstream.handle) as client:
        with client.stream("POST", "/v1/chat/completions", content=asked(stream=True)) as told:
            next(told.iter_text())
        client.close()
        upstream.may_go_on.set()
        assert upstream.left.wait(PATIENCE)


def test_the_unit_is_one(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (FILES / "ipfs-accel-gateway.service").read_text()
    assert "/opt/ipfs-accel/bin/ipfs-accel " in unit
    path = tmp_path / "ipfs-accel-gateway.service"
    path.write_text(unit.replace("/opt/ipfs-accel/bin/ipfs-accel ", "/bin/true "))
    checked = subprocess.run(
        [shutil.which("systemd-analyze") or "", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (checked.returncode, "ipfs-accel" in checked.stderr) == (0, False), checked.stderr
