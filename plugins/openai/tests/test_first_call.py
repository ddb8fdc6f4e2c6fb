"""What the first chat of a process loads: what it uses, and what it needs if it fails, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

PROGRAM = """
import sys
from ipfs_accel import Client, EndpointConfig
endpoint = EndpointConfig(backend="openai", base_url=sys.argv[1], key="sk-first")
with Client(endpoints={"first": endpoint}) as client:
    if sys.argv[2] == "chat":
        assert client.chat("first/m", "hi").text == "hello"
    else:
        with client.stream("first/m", "hi") as stream:
            assert "".join(stream.text_stream) == "hello"
print(*sys.modules, sep="\\n")
"""
BODY = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}}]}
EVENTS = (
    'data: {"choices": [{"index": 0, "delta": {"content": "hello"}}]}\n\n'
    'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)
UNUSED = {
    *("asyncio", "email", "email.utils", "importlib.metadata", "logging", "ssl", "tempfile", "tomllib", "zipfile"),
    *("anyio", "cattrs", "click", "httpcore", "httpx", "platformdirs", "structlog", "tenacity", "trio"),
    *(f"ipfs_accel.types.{name}" for name in ("_files", "_jobs", "_local", "_media", "_objects", "_predict")),
    *(f"ipfs_accel.types.{name}" for name in ("_abilities", "_options", "_pieces", "_tensors", "_text_answers")),
    *("ipfs_accel._calls.stores", "ipfs_accel._client.find", "ipfs_accel._convert.media", "ipfs_accel.plans._flows"),
    *("ipfs_accel._resilience.optional", "ipfs_accel.wire.multipart", "ipfs_accel_openai._azure"),
}
FOR_FAILURES = {"ipfs_accel._http.faults", "ipfs_accel.errors", "ipfs_accel.hints", "ipfs_accel.wire.openai_errors"}


@pytest.mark.parametrize("kind", ["chat", "stream"])
def test_the_first_call_loads_what_it_uses_and_what_its_failure_needs(
    kind: str, httpserver: HTTPServer, tmp_path: Path
) -> None:
    asked = httpserver.expect_request("/v1/chat/completions")
    if kind == "chat":
        asked.respond_with_json(BODY)
    else:
        asked.respond_with_data(EVENTS, content_type="text/event-stream")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("IPFS_ACCEL_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, httpserver.url_for("/v1"), kind],
        capture_output=True,
        text=True,
        check=True,
        env=environ | {"HOME": str(tmp_path)},
    )
    loaded = set(done.stdout.splitlines())
    # What the environment itself loads at its start, as a folder of an editable installation may, is not ours.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules, sep='\\n')"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert loaded & UNUSED.difference(bare) == set()
    assert loaded >= FOR_FAILURES
    assert ("ipfs_accel.wire.assembler" in loaded) == (kind == "stream")
