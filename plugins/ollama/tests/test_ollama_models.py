"""Models: what is told of them, and what is done with them, in both worlds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, ModelOverride
from ipfs_accel import errors as e
from ipfs_accel.types import Message, ModelResult, Progress, RunningModel, Upload
from ipfs_accel_ollama import same_model
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import Sent, generated, ndjson

DETAILS = {"parent_model": "", "format": "gguf", "family": "qwen2", "families": None, "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}  # fmt: skip
NEW = {**DETAILS, "context_length": 131072, "embedding_length": 3584}
TAGS = {
    "models": [
        {"name": "deepseek-r1:latest", "model": "deepseek-r1:latest", "modified_at": "2025-05-10T08:06:48.639712648-07:00",
         "size": 4683075271, "digest": "0a8c2669", "details": NEW, "capabilities": ["completion", "thinking"]},
        {"name": "old:7b", "model": "old:7b", "modified_at": "0001-01-01T00:00:00Z", "size": 1, "digest": "1", "details": DETAILS},
        {"name": "gpt-oss:120b-cloud", "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443"},
    ]
}  # fmt: skip
SHOW = {
    "parameters": 'num_keep 24\nstop "<|eot|>"\n',
    "template": "{{ .Prompt }}",
    "details": DETAILS,
    "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768, "qwen2.embedding_length": 3584},
    "capabilities": ["completion", "tools", "insert", "vision"],
    "modified_at": "2025-05-10T08:06:48Z",
}
PULL = [
    {"status": "pulling manifest"},
    {"status": "pulling 6a0746a1ec1a", "digest": "sha256:6a0746a1ec1a00", "total": 2000},
    {"status": "pulling 6a0746a1ec1a", "digest": "sha256:6a0746a1ec1a00", "total": 2000, "completed": 2000},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]
DIGEST = f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"


def lines(httpserver: HTTPServer, path: str, *events: Any) -> None:
    httpserver.expect_request(path).respond_with_data(ndjson(*events), content_type="application/x-ndjson")


def test_the_list_of_models(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/tags", method="GET").respond_with_json(TAGS)
    new, old, cloud = client.list_models("ollama")
    assert (new.id, new.context_window, new.created, new.description) == (
        "deepseek-r1:latest",
        131072,
        1746889608,
        "qwen2, 7.6B, Q4_K_M",
    )
    assert {name for name, support in new.features.items() if support.value == "yes"} == {
        *("chat", "stream", "complete", "stream_complete", "reasoning", "json_schema"),
    }
    assert str(new.features["tools"]) == "no (server)"
    assert (new.input_modalities, new.output_modalities) == (frozenset({"text"}), frozenset({"text"}))
    assert (old.context_window, old.created, old.features, old.input_modalities) == (None, None, {}, None)
    assert cloud.raw["remote_model"] == "gpt-oss:120b"


@pytest.mark.parametrize("models", [None, []])
def test_a_server_without_models(models: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/tags").respond_with_json({"models": models})
    httpserver.expect_request("/api/ps").respond_with_json({"models": models})
    assert client.list_models("ollama") == client.running_models("ollama") == ()


def test_one_model_and_what_it_can(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    httpserver.expect_request("/api/show").respond_with_json(SHOW)
    model = client.show_model("ollama/Qwen")
    assert sent() == {"model": "Qwen"}
    assert (model.id, model.context_window) == ("Qwen", 32768)
    assert model.input_modalities == {"text", "image"}
    assert model.raw["template"] == "{{ .Prompt }}"
    for what, expected in {
        "chat": "yes (server)", "tools": "yes (server)", "insert": "yes (server)", "vision": "yes (server)",
        "reasoning": "no (server)", "audio": "no (server)", "embed": "yes (hook)", "rerank": "no (hook)",
        "json_schema": "yes (catalogue)",
    }.items():  # fmt: skip
        assert str(client.supports("ollama/qwen", what)) == expected


def test_a_model_that_embeds_does_not_chat(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/show").respond_with_json({**SHOW, "capabilities": ["embedding"]})
    assert str(client.supports("ollama/e", "chat")) == "no (server)"
    assert str(client.supports("ollama/e", "embed")) == "yes (server)"
    assert client.show_model("ollama/e").output_modalities is None


@pytest.mark.parametrize(
    ("parameters", "endpoint", "expected"),
    [
        ("num_ctx 4096\n", "ollama", 4096),
        ("num_ctx                        99999999", "ollama", 32768),
        ("", "set", 8192),
        ("num_ctx 4096", "set", 4096),
    ],
)
def test_the_context_is_what_is_given_of_it(
    parameters: str, endpoint: str, expected: int, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/show").respond_with_json({**SHOW, "parameters": parameters})
    assert client.show_model(f"{endpoint}/m").context_window == expected


def test_what_a_server_does_not_tell_is_unknown(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/show").respond_with_json({"model_info": None, "parameters": "num_ctx 7"})
    assert client.show_model("ollama/m").context_window == 7
    httpserver.clear()
    httpserver.expect_request("/api/show").respond_with_json({})
    assert (client.show_model("ollama/m").context_window, client.show_model("ollama/m").features) == (None, {})


def test_queries_find_models_by_what_they_can(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/tags").respond_with_json(TAGS)
    found = client.find(["ollama"], operation="chat", features={"reasoning"}, min_context=100_000)
    assert next((match.name, match.unknown) for match in found) == ("ollama/deepseek-r1:latest", ())
    assert [match.model.id for match in client.find(["ollama"], features={"tools"})] == ["gpt-oss:120b-cloud", "old:7b"]


def test_names_that_are_one_model() -> None:
    assert same_model("llama3.2", "Llama3.2:latest")
    assert same_model("me/llama3.2:1b", "ME/LLAMA3.2:1B")
    assert same_model("host:5000/me/llama", "host:5000/me/llama:latest")
    assert not same_model("llama3.2", "llama3.2:1b")
    assert ModelOverride().context_window is None


def test_running_models(client: Client, httpserver: HTTPServer) -> None:
    item = {"name": "m:latest", "model": "m:latest", "size": 10, "digest": "d", "details": DETAILS,
            "expires_at": "2026-01-01T00:00:00.5Z", "size_vram": 5, "context_length": 4096}  # fmt: skip
    httpserver.expect_request("/api/ps").respond_with_json({"models": [item, {"name": "n", "context_length": 0}]})
    first, second = client.running_models("ollama")
    assert first == RunningModel(id="m:latest", size=10, gpu_size=5, context_window=4096, expires=1767225600)
    assert first.raw == item
    assert second == RunningModel(id="n")


def test_health(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/version").respond_with_json({"version": "0.32.15"})
    health = client.healthcheck("ollama")
    assert (health.status, health.server) == ("ok", "Ollama 0.32.15")
    assert client.call("ollama", "version") == {"version": "0.32.15"}


def test_a_pull_tells_how_far_it_is(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    lines(httpserver, "/api/pull", *PULL)
    with client.stream_pull_model("ollama/m", extra={"insecure": True}) as stream:
        assert list(stream) == [
            Progress(status="pulling manifest"),
            Progress(status="pulling", item="6a0746a1ec1a", completed=0, total=2000),
            Progress(status="pulling", item="6a0746a1ec1a", completed=2000, total=2000),
            Progress(status="verifying sha256 digest"),
            Progress(status="success"),
        ]
    assert stream.response == ModelResult(model="m", status="success")
    assert sent() == {"model": "m", "stream": True, "insecure": True}


@pytest.mark.parametrize(
    ("last", "kind", "message"),
    [
        ({"error": "pull model manifest: file does not exist"}, e.ModelNotFoundError, "file does not exist"),
        ({"error": "max retries exceeded: EOF"}, e.InternalServerError, "max retries exceeded"),
        ({"status": "writing manifest"}, e.StreamIncomplete, "without its terminal signal"),
    ],
)
def test_a_transfer_without_success_has_failed_whatever_its_status(
    last: Any, kind: type[Exception], message: str, client: Client, httpserver: HTTPServer
) -> None:
    for path in ("/api/pull", "/api/push", "/api/create"):
        lines(httpserver, path, PULL[0], last)
    for call in (client.pull_model, client.push_model, lambda name: client.create_model(name, base="b")):
        with pytest.raises(kind, match=message) as caught:
            call("ollama/m")
        assert "ipfs-accel pull" not in str(getattr(caught.value, "hint", None)) or call not in {
            client.pull_model,
            client.push_model,
        }


def test_a_pull_that_fails_at_once(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/pull").respond_with_json(
        {"error": "pull model manifest: file does not exist"}, status=500
    )
    with pytest.raises(e.ModelNotFoundError):
        client.pull_model("ollama/m")


def test_a_push(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    events = [
        {"status": "retrieving manifest"},
        {"status": "pushing 6a0746a1ec1a", "digest": "x", "total": 5, "completed": 5},
        {"status": "success"},
    ]
    lines(httpserver, "/api/push", *events)
    with client.stream_push_model("ollama/me/m") as stream:
        assert list(stream)[1] == Progress(status="pushing", item="6a0746a1ec1a", completed=5, total=5)
    assert sent() == {"model": "me/m", "stream": True}


def blobs(httpserver: HTTPServer, *, there: bool) -> list[tuple[str, bytes]]:
    seen: list[tuple[str, bytes]] = []

    def answer(request: Request) -> Response:
        seen.append((request.method, request.get_data()))
        return Response(status=(200 if there else 404) if request.method == "HEAD" else 201)

    httpserver.expect_request(f"/api/blobs/{DIGEST}").respond_with_handler(answer)
    return seen


def test_a_model_is_made_of_files_that_the_server_lacks(
    client: Client, httpserver: HTTPServer, sent: Sent, tmp_path: Path
) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF")
    seen = blobs(httpserver, there=False)
    lines(
        httpserver,
        "/api/create",
        {"status": "parsing GGUF"},
        {"status": "quantizing F16 model to Q4_K_M", "digest": "0", "total": 9, "completed": 3},
        {"status": "success"},
    )
    told: list[tuple[int, int]] = []
    with client.stream_create_model(
        "ollama/mine",
        files=weights,
        adapters=Upload.of(b"GGUF", name="lora.gguf"),
        template="{{ .Prompt }}",
        system="Be brief",
        messages=["hi", Message.assistant("yes?")],
        parameters={"num_ctx": 9, "stop": ["a"]},
        license=["MIT", "mine"],
        quantize="q4_K_M",
        extra={"renderer": "qwen3", "requires": "0.20"},
        on_upload=lambda done, total: told.append((done, total)),
    ) as stream:
        assert list(stream)[1] == Progress(status="quantizing F16 model to Q4_K_M", completed=3, total=9)
    assert seen == [("HEAD", b""), ("POST", b"GGUF")] * 2
    assert told == [(0, 4), (4, 4)] * 2
    assert sent() == {
        "model": "mine", "stream": True, "files": {"w.gguf": DIGEST}, "adapters": {"lora.gguf": DIGEST}, "template": "{{ .Prompt }}",
        "system": "Be brief", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}],
        "parameters": {"num_ctx": 9, "stop": ["a"]}, "license": ["MIT", "mine"], "quantize": "q4_K_M", "renderer": "qwen3", "requires": "0.20",
    }  # fmt: skip


def test_files_that_the_server_has_are_not_sent(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    seen = blobs(httpserver, there=True)
    lines(httpserver, "/api/create", {"status": "success"})
    client.create_model("ollama/mine", base="llama3.2", files=Upload.of(b"GGUF", name="w.gguf"))
    assert [method for method, _ in seen] == ["HEAD"]
    assert sent() == {"model": "mine", "stream": True, "from": "llama3.2", "files": {"w.gguf": DIGEST}}


def test_a_file_that_arrives_changed(client: Client, httpserver: HTTPServer) -> None:
    path = f"/api/blobs/{DIGEST}"
    httpserver.expect_request(path, method="HEAD").respond_with_data(status=404)
    httpserver.expect_request(path, method="POST").respond_with_json(
        {"error": 'digest mismatch, expected "x", got "y"'}, status=400
    )
    with pytest.raises(e.BadRequestError, match="digest mismatch"):
        client.create_model("ollama/mine", files=b"GGUF")


def test_blobs(client: Client, httpserver: HTTPServer) -> None:
    seen = blobs(httpserver, there=False)
    assert client.call("ollama", "create_blob", file=b"GGUF") == DIGEST
    assert client.call("ollama", "blob_exists", digest=DIGEST) is False
    assert [method for method, _ in seen] == ["HEAD", "POST", "HEAD"]
    httpserver.clear()
    blobs(httpserver, there=True)
    assert client.call("ollama", "blob_exists", digest=DIGEST) is True
    with pytest.raises(e.InvalidRequestError, match="digest: expected sha256"):
        client.call("ollama", "blob_exists", digest="../../etc")


def test_a_model_is_copied_and_deleted_by_a_body(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    httpserver.expect_request("/api/copy", method="POST").respond_with_data("")
    httpserver.expect_request("/api/delete", method="DELETE").respond_with_data("")
    client.copy_model("ollama/m", "me/mine")
    assert sent() == {"source": "m", "destination": "me/mine"}
    client.delete_model("ollama/me/mine")
    assert sent() == {"model": "me/mine"}
    httpserver.clear()
    httpserver.expect_request("/api/copy").respond_with_json({"error": 'model "x" not found'}, status=404)
    httpserver.expect_request("/api/delete").respond_with_json({"error": "model 'x' not found"}, status=404)
    for call in (lambda: client.copy_model("ollama/x", "y"), lambda: client.delete_model("ollama/x")):
        with pytest.raises(e.ModelNotFoundError):
            call()


def test_a_model_is_loaded_and_unloaded(client: Client, httpserver: HTTPServer, sent: Sent) -> None:
    httpserver.expect_request("/api/generate").respond_with_json({**generated(""), "done": True, "done_reason": "load"})
    client.load_model("set/m", extra={"keep_alive": "1h"})
    assert sent() == {
        "model": "m",
        "stream": False,
        "keep_alive": "1h",
        "options": {"num_ctx": 8192},
    }
    client.unload_model("ollama/m")
    assert sent() == {"model": "m", "stream": False, "keep_alive": 0}


def test_a_model_that_only_embeds_is_loaded_by_embedding_nothing(
    client: Client, httpserver: HTTPServer, sent: Sent
) -> None:
    httpserver.expect_request("/api/generate").respond_with_json({"error": '"e" does not support generate'}, status=400)
    httpserver.expect_request("/api/embed").respond_with_json({"model": "e", "embeddings": []})
    client.load_model("ollama/e", extra={"keep_alive": 60})
    assert sent() == {"model": "e", "input": [], "keep_alive": 60}


# A call of Ollama's own: its arguments, method, path and body.
CALLS: list[tuple[str, dict[str, Any], str, str, Any]] = [
    ("status", {}, "GET", "/api/status", None),
    ("show", {"model": "m"}, "POST", "/api/show", {"model": "m"}),
    ("show", {"model": "m", "verbose": True}, "POST", "/api/show", {"model": "m", "verbose": True}),
    ("embeddings", {"model": "m", "prompt": "a", "num_ctx": 5, "keep_alive": "5"}, "POST", "/api/embeddings", {"model": "m", "prompt": "a", "options": {"num_ctx": 5}, "keep_alive": 5}),
    ("me", {}, "POST", "/api/me", {}),
    ("signout", {}, "POST", "/api/signout", {}),
    ("web_search", {"query": "q", "max_results": 2}, "POST", "/api/experimental/web_search", {"query": "q", "max_results": 2}),
    ("web_search", {"query": "q"}, "POST", "/api/experimental/web_search", {"query": "q"}),
    ("web_fetch", {"url": "https://x.example"}, "POST", "/api/experimental/web_fetch", {"url": "https://x.example"}),
    ("recommendations", {}, "GET", "/api/experimental/model-recommendations", None),
    ("systemone", {"model": "m", "state": "s", "questions": {"a": {"type": "noul", "instructions": "i"}}}, "POST", "/v1/systemone", {"model": "m", "state": "s", "questions": {"a": {"type": "noul", "instructions": "i"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "method", "path", "body"), CALLS)
def test_calls_of_ollamas_own(
    name: str, arguments: dict[str, Any], method: str, path: str, body: Any, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(path, method=method).respond_with_json({"answer": name})
    assert client.call("ollama", name, **arguments) == {"answer": name}
    assert httpserver.log[-1][0].get_json(silent=True) == body


def test_an_account_that_is_not_signed_in(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/me").respond_with_json(
        {"error": "unauthorized", "signin_url": "https://ollama.com/x"}, status=401
    )
    with pytest.raises(e.AuthenticationError) as caught:
        client.call("ollama", "me")
    assert caught.value.hint == "sign in at https://ollama.com/x"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(endpoints: Any, httpserver: HTTPServer, tmp_path: Path) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF")
    blobs(httpserver, there=False)
    for path in ("/api/pull", "/api/push", "/api/create"):
        lines(httpserver, path, *PULL)
    httpserver.expect_request("/api/copy").respond_with_data("")
    httpserver.expect_request("/api/delete").respond_with_data("")
    httpserver.expect_request("/api/generate").respond_with_json({**generated(""), "done": True, "done_reason": "load"})
    httpserver.expect_request("/api/tags").respond_with_json(TAGS)
    httpserver.expect_request("/api/ps").respond_with_json({"models": []})
    httpserver.expect_request("/api/show").respond_with_json(SHOW)
    async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
        async with client.stream_pull_model("ollama/m") as stream:
            assert [event.completed async for event in stream] == [None, 0, 2000, None, None]
        assert (await client.push_model("ollama/m")).status == "success"
        assert (await client.create_model("ollama/mine", files=weights)).model == "mine"
        await client.copy_model("ollama/m", "n")
        await client.delete_model("ollama/n")
        await client.load_model("ollama/m")
        await client.unload_model("ollama/m")
        assert len(await client.list_models("ollama")) == 3
        assert await client.running_models("ollama") == ()
        assert (await client.show_model("ollama/m")).context_window == 32768
        assert await client.call("ollama", "create_blob", file=weights) == DIGEST
