"""Requests in Ollama's and Gemini's words that go on to servers which speak them, and the keys that come with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import EndpointConfig
from ipfs_accel_gateway._callers import hash_of
from pytest_httpserver import HTTPServer

from .stages import Stage, stage

KEY = "ia-0123456789"
BODY = b'{ "model" : "%b", "messages":[{"role":"user","content":"Hi \\u00e9"}], "keep_alive":"5m","unheard_of":[1.50] }'
LINES = (
    b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":7}\n'
)
CONTENTS = b'{ "contents":[{"parts":[{"text":"Hi"}]}],"safetySettings":[], "unheardOf":1.50}'
EVENTS = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}]}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP"}]}\r\n\r\n'
)
ARRAY = b'[{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]},\r\n{"candidates":[{"finishReason":"STOP"}]}]'


@pytest.fixture(scope="module")
def at(make_httpserver: HTTPServer) -> Iterator[Stage]:
    url = make_httpserver.url_for("").rstrip("/")
    settings = {"keys": {"alice": {"hash": hash_of(KEY)}}}
    with stage(
        settings=settings,
        ollama=EndpointConfig(base_url=url),
        kept=EndpointConfig(backend="ollama", base_url=url, options={"keep_alive": "10m", "num_ctx": 64}),
        gemini=EndpointConfig(base_url=url, key="upstream-key"),
    ) as found:
        yield found


def post(at: Stage, path: str, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{at.url}{path}", content=body, headers={"authorization": f"Bearer {KEY}", **headers}, timeout=20
    )


@pytest.mark.parametrize(
    "path",
    ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"],
    ids=["chat", "generate", "embed", "embeddings"],
)
def test_ollamas_words_go_to_ollama(at: Stage, httpserver: HTTPServer, path: str) -> None:
    httpserver.expect_request(path, method="POST").respond_with_data(LINES, content_type="application/x-ndjson")
    answer = post(at, path, BODY % b"ollama/llama3:8b")
    assert answer.content == LINES
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["x-ipfs-accel-lane"] == "relay"
    assert answer.headers["x-ipfs-accel-target"] == "ollama/llama3:8b"
    asked, _ = httpserver.log[-1]
    assert asked.get_data() == BODY % b"llama3:8b"
    assert "authorization" not in asked.headers


def test_a_model_is_loaded(at: Stage, httpserver: HTTPServer) -> None:
    loaded = {"model": "m", "response": "", "done": True, "done_reason": "load"}
    answer = json.dumps(loaded)
    httpserver.expect_request("/api/generate").respond_with_data(answer, content_type="application/json")
    found = post(at, "/api/generate", b'{"model":"ollama/m"}')
    assert found.json() == loaded
    assert found.headers["x-ipfs-accel-lane"] == "relay"


def test_what_an_endpoint_is_set_to_holds(at: Stage, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_data(LINES, content_type="application/x-ndjson")
    said = {"model": "kept/m", "messages": [{"role": "user", "content": "Hi"}]}
    answer = post(at, "/api/chat", json.dumps(said).encode())
    assert answer.headers["x-ipfs-accel-lane"] == "translate"
    sent = json.loads(httpserver.log[-1][0].get_data())
    assert (sent["keep_alive"], sent["options"]) == ("10m", {"num_ctx": 64})
    itself = {**said, "keep_alive": 0, "options": {"num_ctx": 9}}
    assert post(at, "/api/chat", json.dumps(itself).encode()).headers["x-ipfs-accel-lane"] == "relay"


def test_ollamas_errors_are_told(at: Stage, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_json({"error": "model 'm' not found"}, status=404)
    absent = post(at, "/api/chat", BODY % b"ollama/m")
    assert (absent.status_code, "not found" in absent.json()["error"]) == (404, True)
    httpserver.clear()
    httpserver.expect_request("/api/chat").respond_with_data(b'{"error":"server busy"}\n')
    assert post(at, "/api/chat", BODY % b"ollama/m").status_code == 503


@pytest.mark.parametrize(
    ("path", "model", "cut"),
    [
        ("/api/chat", b"ollama/m", LINES[:75]),
        ("/v1beta/models/gemini/m:streamGenerateContent?alt=sse", b"", EVENTS[:96]),
        ("/v1beta/models/gemini/m:streamGenerateContent", b"", ARRAY[:60]),
    ],
    ids=["ollama", "gemini", "array"],
)
def test_what_is_cut_never_looks_whole(at: Stage, httpserver: HTTPServer, path: str, model: bytes, cut: bytes) -> None:
    httpserver.expect_request(path.partition("?")[0].replace("gemini/", "")).respond_with_data(cut)
    found = post(at, path, BODY % model if model else CONTENTS)
    assert found.status_code == 502
    assert "ended without" in found.text


@pytest.mark.parametrize(
    ("method", "query", "answer"),
    [
        ("generateContent", "", b'{"candidates":[]}'),
        ("streamGenerateContent", "alt=sse", EVENTS),
        ("streamGenerateContent", "", ARRAY),
        ("countTokens", "", b'{"totalTokens":3}'),
    ],
    ids=["whole", "events", "array", "count"],
)
def test_geminis_words_go_to_gemini(at: Stage, httpserver: HTTPServer, method: str, query: str, answer: bytes) -> None:
    kind = "text/event-stream" if query else "application/json; charset=UTF-8"
    httpserver.expect_request(f"/v1beta/models/m:{method}").respond_with_data(answer, content_type=kind)
    found = post(at, f"/v1/models/gemini/m:{method}?{query}&key={KEY}", CONTENTS)
    assert found.content == answer
    assert found.headers["x-ipfs-accel-lane"] == "relay"
    asked, _ = httpserver.log[-1]
    assert asked.get_data() == CONTENTS
    assert asked.query_string == query.encode()
    assert asked.headers["x-goog-api-key"] == "upstream-key"
    assert KEY not in str(asked.headers)


def test_requests_within_geminis_name_the_model_again(at: Stage, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/models/m:batchEmbedContents").respond_with_json(
        {"embeddings": [{"values": [1]}]}
    )
    inner = {"model": "models/gemini/m", "content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}
    post(
        at, "/v1beta/models/gemini/m:batchEmbedContents", json.dumps({"requests": [inner]}).encode()
    ).raise_for_status()
    assert json.loads(httpserver.log[-1][0].get_data()) == {"requests": [{**inner, "model": "models/m"}]}
    httpserver.expect_request("/v1beta/models/m:embedContent").respond_with_json({"embedding": {"values": [1]}})
    post(at, "/v1beta/models/gemini/m:embedContent", json.dumps(inner).encode()).raise_for_status()
    assert json.loads(httpserver.log[-1][0].get_data()) == {**inner, "model": "models/m"}


def test_geminis_errors_are_told(at: Stage, httpserver: HTTPServer) -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    path = "/v1beta/models/m:streamGenerateContent"
    httpserver.expect_request(path).respond_with_data(b"data: %b\r\n\r\n" % json.dumps(error).encode())
    for query in ("?alt=sse", ""):
        found = post(at, f"/v1beta/models/gemini/m:streamGenerateContent{query}", CONTENTS)
        assert (found.status_code, found.json()["error"]["status"]) == (503, "UNAVAILABLE")
        httpserver.clear()
        httpserver.expect_request(path).respond_with_json([error])


@pytest.mark.parametrize("kind", ["authorization", "x-goog-api-key", "query"])
def test_googles_clients_may_send_the_key_anywhere(at: Stage, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    url = f"{at.url}/v1beta/models/scripted/any:generateContent"
    headers = {"authorization": f"Bearer {KEY}", "x-goog-api-key": KEY, "query": ""}
    query = f"?key={KEY}" if kind == "query" else ""
    at.plays("ok")
    sent: Any = {kind: headers[kind]} if kind != "query" else {}
    found = httpx.post(url + query, content=CONTENTS.replace(b', "unheardOf":1.50', b""), headers=sent)
    assert found.status_code == 200
    wrong = httpx.post(f"{url}?key={KEY}x", content=CONTENTS)
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert KEY not in wrong.text
    assert not any(KEY in record.getMessage() for record in caplog.records if record.name.startswith("ipfs_accel"))
