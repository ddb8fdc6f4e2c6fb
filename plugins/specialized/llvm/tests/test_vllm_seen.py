"""What a real vLLM 0.32 answered, through every backend that can be pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, JsonSchema
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer

LISTED = {"object": "list", "data": [{"id": "llama", "object": "model", "owned_by": "vllm", "max_model_len": 512}]}
NO_ROUTE = {"detail": "Not Found"}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("").rstrip("/")
    endpoints = {
        "vllm": EndpointConfig(base_url=url),
        "llvm": EndpointConfig(base_url=url),
        "openai": EndpointConfig(base_url=f"{url}/v1", key="k"),
        "claude": EndpointConfig(base_url=url, key="k"),
    }
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


@pytest.fixture
def seen(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/v1/models").respond_with_json(LISTED)
    for path in ("/v1/models/llama", "/v1/models/other"):
        httpserver.expect_request(path).respond_with_json(NO_ROUTE, status=404)
    return httpserver


@pytest.mark.parametrize("backend", ["openai", "claude", "llvm", "vllm"])
def test_a_model_that_is_only_listed_is_shown(backend: str, client: Client, seen: HTTPServer) -> None:
    if backend in {"llvm", "vllm"}:
        seen.expect_request("/openapi.json").respond_with_json(NO_ROUTE, status=404)
    assert client.show_model(f"{backend}/llama").id == "llama"
    assert client.supports(f"{backend}/llama", "vision").value in {"unknown", "no"}
    with pytest.raises(e.NotFoundError):
        client.show_model(f"{backend}/other")


def test_llama_cpp_answers_to_any_name(client: Client, httpserver: HTTPServer) -> None:
    one = {"data": [{"id": "tiny.gguf", "owned_by": "llamacpp"}]}
    httpserver.expect_request("/v1/models").respond_with_json(one)
    gone = {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}
    httpserver.expect_request("/v1/models/x").respond_with_json(gone, status=404)
    for backend in ("openai", "claude"):
        assert client.show_model(f"{backend}/x").id == "x"
        assert client.supports(f"{backend}/x", "vision").value == "unknown"


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
        "max_tokens=600 cannot be greater than max_model_len=512. Please request fewer output tokens.",
        "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens",
    ],
)
@pytest.mark.parametrize("backend", ["openai", "claude", "llvm", "vllm"])
def test_too_long_is_known_in_all_its_words(backend: str, said: str, client: Client, seen: HTTPServer) -> None:
    error = {"message": said, "type": "BadRequestError", "param": None, "code": 400}
    seen.expect_request("/v1/chat/completions").respond_with_json({"error": error}, status=400)
    body = {"type": "error", "error": {"type": "BadRequestError", "message": said}}
    seen.expect_request("/v1/messages").respond_with_json(body, status=400)
    with pytest.raises(e.ContextLengthExceededError):
        client.chat(f"{backend}/llama", "hi", max_tokens=600)


def test_an_unknown_model_of_the_messages_route(client: Client, seen: HTTPServer) -> None:
    said = "The model `x` does not exist. Valid aliases: llama."
    body = {"type": "error", "error": {"type": "NotFoundError", "message": said}}
    seen.expect_request("/v1/messages").respond_with_json(body, status=404)
    with pytest.raises(e.ModelNotFoundError):
        client.chat("claude/x", "hi")


@pytest.mark.parametrize("backend", ["vllm", "llvm"])
def test_a_missing_key_is_one_in_every_operation(backend: str, client: Client, httpserver: HTTPServer) -> None:
    for path in ("/v1/models", "/v1/chat/completions"):
        httpserver.expect_request(path).respond_with_json({"error": "Unauthorized"}, status=401)
    httpserver.expect_request("/tokenize").respond_with_json({"count": 1, "max_model_len": 9, "tokens": [5]})
    with pytest.raises(e.AuthenticationError):
        client.chat(f"{backend}/llama", "hi")
    if backend == "vllm":  # whose /tokenize wants no key
        assert client.tokenize("vllm/llama", "hi").tokens == (5,)
        return
    for call in (client.tokenize, client.count_tokens):
        with pytest.raises(e.AuthenticationError):
            call("llvm/llama", "hi")


def test_a_stream_to_a_model_without_such_a_route_says_why(client: Client, seen: HTTPServer) -> None:
    for path in ("/v1/chat/completions", "/v1/completions"):
        seen.expect_request(path).respond_with_json(NO_ROUTE, status=404)
    for call in (client.stream, client.stream_complete):
        with pytest.raises(e.NotFoundError) as caught:
            call("vllm/bert", "hi").read()
        assert "what the model that it has loaded can do" in str(caught.value.hint)
    with pytest.raises(e.NotFoundError) as caught:
        client.chat("vllm/bert", "hi")
    assert caught.value.hint == "the model that this server has loaded cannot chat"
    assert caught.value.__notes__ == [f"hint: {caught.value.hint}"]


@pytest.mark.parametrize("backend", ["openai", "llvm", "vllm"])
def test_what_its_usual_converter_drops_is_refused_where_it_has_to_hold(
    backend: str, client: Client, seen: HTTPServer
) -> None:
    part: dict[str, Any] = {"allOf": [{"type": "integer"}, {"maximum": 3}]}
    form = JsonSchema(schema={"type": "object", "properties": {"p": part}}, strict=True)
    with pytest.raises(e.UnsupportedParameterError, match=r"vLLM does not enforce .*allOf") as caught:
        client.chat(f"{backend}/llama", "hi", response_format=form)
    assert caught.value.hint is not None
    assert not [request for request, _ in seen.log if request.method == "POST"]
