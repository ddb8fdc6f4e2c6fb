"""What Prometheus itself says of the metrics: its linter, and its server, which scrapes them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel.testing import Scripted

from conftest import peer_debian

from .gateways import Running, Start

pytestmark = pytest.mark.peer
PATIENCE = 60.0


@pytest.fixture
def programs() -> Path:
    """Prometheus, as Debian has it."""
    return peer_debian("prometheus") / "usr" / "bin"


@pytest.fixture
def busy(running: Start, http: httpx.Client) -> Running:
    """A gateway that was asked, whole and streamed."""
    at = running(Scripted(lambda _request: "Hello."), aliases={"fast": "scripted/any"}, settings={"metrics_port": 0})
    for is_stream in (False, True):
        body = {"model": "fast", "stream": is_stream, "messages": [{"role": "user", "content": "Hi"}]}
        http.post(f"{at.url}/v1/chat/completions", json=body)
    return at


def place(at: Running) -> str:
    host, port = at.gateway.metrics_address or ("", 0)
    return f"{host}:{port}"


def test_its_linter_has_nothing_to_say(programs: Path, busy: Running, http: httpx.Client) -> None:
    told = http.get(f"http://{place(busy)}/metrics").text
    command = [programs / "promtool", "check", "metrics"]
    found = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_its_server_reads_them(programs: Path, busy: Running, http: httpx.Client, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    static = f"  static_configs:\n  - targets: [{json.dumps(place(busy))}]\n"
    config.write_text(f"scrape_configs:\n- job_name: gateway\n  scrape_interval: 1s\n{static}")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    where = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]
    process = subprocess.Popen([programs / "prometheus", *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        api = f"http://{address}/api/v1"
        (series,) = asked(http, f"{api}/query", query="ipfs_accel_gateway_requests_total")["result"]
        assert (series["metric"]["model"], series["value"][1]) == ("fast", "2")
        metadata = asked(http, f"{api}/metadata", metric="ipfs_accel_gateway_own_duration_seconds")
        assert metadata["ipfs_accel_gateway_own_duration_seconds"][0]["unit"] == "seconds"  # only OpenMetrics has it
    finally:
        process.terminate()
        process.wait(PATIENCE)


def asked(http: httpx.Client, url: str, **query: str) -> Any:
    """Return what it answers, once it has scraped."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            answer = http.get(url, params=query)
        except httpx.TransportError:  # it does not listen yet
            answer = httpx.Response(503)
        data = answer.json()["data"] if answer.status_code == 200 else {}  # nor is it ready as soon as it does
        if data and data.get("result") != []:
            return data
        time.sleep(0.2)
    raise AssertionError(f"Prometheus knows nothing of {query}")
