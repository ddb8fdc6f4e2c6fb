"""What holds the suite's requests to the vendors' specifications finds what is wrong with one, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .specifications import Judges, Sent

FOLDER = os.environ.get("IPFS_ACCEL_SPECS")
needs_documents = pytest.mark.skipif(
    not FOLDER,
    reason="IPFS_ACCEL_SPECS names no folder with the vendors' specifications, so no request is held to them",
)
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
FORM = b'content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges(Path(FOLDER or "."))


def sent(backend: str, path: str, body: Any = None, **more: Any) -> Sent:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    usual: dict[str, Any] = {
        "method": "POST",
        "query": (),
        "kind": "application/json",
        "beta": False,
        "is_own": True,
        "extra": frozenset(),
    }
    return Sent(backend=backend, path=path, body=content, **{**usual, **more})


@needs_documents
@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (sent("openai", "/v1/chat/completions", CHAT), None),
        (sent("openai", "/v1/chat/completions", {**CHAT, "temperature": "hot"}), "temperature: 'hot'"),
        (
            sent("openai", "/v1/chat/completions", {**CHAT, "temprature": 1}),
            "temprature: the schema has no such member",
        ),
        (sent("openai", "/v1/chat/completions", {**CHAT, "x": 1}, is_own=False), None),
        (sent("openai", "/v1/chat/completions", {**CHAT, "x": 1}, extra=frozenset({"x"})), None),
        (sent("openai", "/v1/chat/completions", {"model": "m"}), "'messages' is a required property"),
        (sent("openai", "/v1/chat/completions", {**CHAT, "messages": [{"role": "user"}]}), "messages.[]"),
        (sent("openai", "/v1/files", method="GET", query=(("limit", "3"),)), None),
        (sent("openai", "/v1/files", method="GET", query=(("lmit", "3"),)), "the query has 'lmit'"),
        (sent("openai", "/v1/no/such/route", {"a": 1}), "the document has no such route"),
        (sent("openai", "/v1/audio/transcriptions", FORM + FILE, kind="multipart/form-data"), None),
        (
            sent("openai", "/v1/audio/transcriptions", FORM + b"--b--\r\n", kind="multipart/form-data"),
            "file: the form has no",
        ),
        (sent("azure", "/openai/v1/embeddings", {"model": "m"}), "'input' is a required property"),
        (sent("ollama", "/api/chat", {**CHAT, "options": 1}), "options: 1 is not"),
        (sent("ollama", "/api/chat", {**CHAT, "options": {"seed": 1}}), None),
        (sent("tgi", "/generate", {"inputs": "a", "parameters": {"seed": "x"}}), "seed: 'x'"),
        (sent("tgi", "/generate", {"inputs": "a", "parameters": {"seed": None}}), None),
        (sent("tei", "/rerank", {"query": "a"}), "'texts' is a required property"),
        (sent("ovms", "/v2/models/m/versions/1/infer", {"inputs": [{"name": "x"}]}), "inputs.[]"),
    ],
    ids=lambda value: value.path if isinstance(value, Sent) else str(value).partition(":")[0].replace(" ", "_"),
)
def test_documents_are_held(judges: Judges, request_: Sent, fault: str | None) -> None:
    found = judges.judge(request_)
    assert (not found) if fault is None else any(fault in each for each in found), found
    assert judges.judge(request_) is found


CLAUDE = {**CHAT, "max_tokens": 9}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (sent("claude", "/v1/messages", CLAUDE), None),
        (sent("claude", "/v1/messages", CHAT), "'max_tokens' is a required property"),
        (sent("claude", "/v1/messages", {**CLAUDE, "seed": 1}), "seed: the schema has no such member"),
        (sent("claude", "/v1/messages", {**CLAUDE, "system": [{"type": "image"}]}), "system"),
        (sent("claude", "/v1/messages", {**CLAUDE, "mcp_servers": []}), "mcp_servers: the schema has no such member"),
        (sent("claude", "/v1/messages", {**CLAUDE, "mcp_servers": []}, beta=True), None),
        (sent("claude", "/v1/messages/count_tokens", CHAT), None),
        (sent("claude", "/v1/messages/count_tokens", CLAUDE), "max_tokens: the schema has no such member"),
        (sent("groq", "/openai/v1/chat/completions", CHAT), None),
        (sent("groq", "/openai/v1/chat/completions", {**CHAT, "top_k": 1}), "top_k: the schema has no such member"),
        (sent("gemini", "/v1beta/models/m:generateContent", GEMINI), None),
        (sent("gemini", "/v1beta/models/m:generateContent", {**GEMINI, "tools": [{"fn": []}]}), "tools.[]"),
        (sent("gemini", "/v1beta/models/m:generateContent", {"contents": [{"parts": [{"txt": "a"}]}]}), "contents.[]"),
        (sent("s3", "/", b"<a/>"), None),
    ],
    ids=lambda value: value.path if isinstance(value, Sent) else str(value).partition(":")[0].replace(" ", "_"),
)
def test_types_of_sdks_are_held(judges: Judges, request_: Sent, fault: str | None) -> None:
    found = judges.judge(request_)
    assert (not found) if fault is None else any(fault in each for each in found), found


@needs_documents
def test_every_request_of_the_suite_is_held(request: pytest.FixtureRequest) -> None:
    """The plugin of the suite listens; a test whose requests are wrong fails, as this one makes one do."""
    listening = request.config.pluginmanager.get_plugin("specifications")
    assert listening is not None
    assert {each.name for each in Path(FOLDER or "").iterdir()} >= {
        "openai.json",
        "ollama.yaml",
        "tgi.json",
        "tei.json",
    }
    from ipfs_accel import Client
    from ipfs_accel.errors import APIConnectionError
    from ipfs_accel.plans import Http, post_json
    from ipfs_accel.types import EmbedResponse
    from ipfs_accel_ollama import Ollama

    class Wrong(Ollama):
        def embed(self, endpoint: Any, request: Any) -> Any:
            return Http(send=post_json("/api/embed", {"input": 1}), parse=lambda _: EmbedResponse(vectors=()))

        embed.ipfs_accel_impl = Ollama.embed.ipfs_accel_impl  # type: ignore[attr-defined]

    with (
        Client(plugins=[Wrong()], endpoints={"ollama": {"base_url": "http://127.0.0.1:9"}}) as client,
        pytest.raises(APIConnectionError),
    ):
        client.embed("ollama/m", "a")
    (wrong,) = listening.sent
    assert any("input: 1 is not" in each for each in listening.judges.judge(wrong))
    listening.sent.clear()  # it was on purpose
