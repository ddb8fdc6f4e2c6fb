"""The `hf` backend over a server that stands for the router, the Hub and dedicated endpoints."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Image, JsonSchema, Message
from ipfs_accel import errors as e
from ipfs_accel.types import Label, Segment, Usage
from pytest_httpserver import HTTPServer

KEY = "hf_test0123456789"
PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
CHAT = {
    "id": "c1",
    "model": "openai/gpt-oss-120b",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
PROVIDERS: list[dict[str, Any]] = [
    {"provider": "novita", "status": "live", "context_length": 1000, "pricing": {"input": 1.0, "output": 3.0}, "supports_tools": True, "supports_structured_output": False, "is_model_author": False},
    {"provider": "groq", "status": "live", "context_length": 500, "pricing": {"input": 2.0, "output": 3.0}, "supports_tools": True, "supports_structured_output": True, "is_model_author": False},
    {"provider": "together", "status": "error", "context_length": 9000, "is_model_author": False},
]  # fmt: skip
MODEL: dict[str, Any] = {
    "id": "a/m", "object": "model", "created": 1776837885, "owned_by": "a",
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]}, "providers": PROVIDERS,
}  # fmt: skip


def config(httpserver: HTTPServer, **options: Any) -> dict[str, EndpointConfig]:
    url = httpserver.url_for("").rstrip("/")
    hub = url.replace("localhost", "127.0.0.1") + "/"  # another origin, to which no key goes
    router = {"router": True, "hub": hub}
    return {
        "hf": EndpointConfig(base_url=f"{url}/v1", key=KEY, options={**router, **options}),
        "own": EndpointConfig(backend="hf", base_url=url, key=KEY, options=options),
    }


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(Config(), endpoints=config(httpserver)) as client:
        yield client


def sent(httpserver: HTTPServer, back: int = 1) -> Any:
    return json.loads(httpserver.log[-back][0].get_data())


def headers(httpserver: HTTPServer) -> Any:
    return httpserver.log[-1][0].headers


# chats


def test_a_chat_by_the_router(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    answer = client.chat("hf/openai/gpt-oss-120b:groq", "hi", max_tokens=5, top_k=3)
    assert (answer.text, answer.usage) == ("Hello", Usage(input_tokens=3, output_tokens=1))
    assert sent(httpserver) == {
        "model": "openai/gpt-oss-120b:groq",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "top_k": 3,
    }
    assert headers(httpserver)["authorization"] == f"Bearer {KEY}"


def test_the_model_is_the_first_field(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    client.chat("hf/a/m", Message.user("?", Image(data=PNG)))
    assert httpserver.log[-1][0].get_data().startswith(b'{"model":"a/m",')


@pytest.mark.parametrize(
    ("model", "said"),
    [("a/m", "a/m:cheapest"), ("a/m:groq", "a/m:groq")],
)
def test_a_provider_of_the_endpoint(model: str, said: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    with Client(Config(), endpoints=config(httpserver, provider="cheapest")) as client:
        client.chat(f"hf/{model}", "hi")
        assert sent(httpserver)["model"] == said
        client.chat("own/a/m", "hi")
        assert sent(httpserver)["model"] == "a/m"  # a dedicated endpoint has no providers


def test_headers_of_the_settings(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT, headers={"x-amzn-trace-id": "t1"})
    options = {"bill_to": "acme", "wait_for_model": True, "use_cache": False, "scale_up_timeout": 600}
    with Client(Config(), endpoints=config(httpserver, **options)) as client:
        assert client.chat("hf/a/m", "hi").request_id == "t1"
    found = headers(httpserver)
    names = ("x-hf-bill-to", "x-wait-for-model", "x-use-cache", "x-scale-up-timeout")
    assert [found.get(name) for name in names] == ["acme", "true", "false", "600"]
    with Client(Config(), endpoints=config(httpserver)) as client:
        client.chat("hf/a/m", "hi")
    assert [headers(httpserver).get(name) for name in names] == [None] * 4


def test_a_streamed_chat(client: Client, httpserver: HTTPServer) -> None:
    chunks = [
        {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
        {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
        {"id": "c1", "model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    ]
    text = "".join([f"data: {json.dumps(chunk)}\n\n" for chunk in chunks])
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        f"{text}data: [DONE]\n\n", content_type="text/event-stream"
    )
    answer = client.stream("hf/a/m", "hi").read()
    assert (answer.text, answer.usage.output_tokens) == ("Hello", 2)
    assert sent(httpserver)["stream_options"] == {"include_usage": True}
    httpserver.clear()
    cut = f"data: {json.dumps(chunks[0])}\n\n"
    httpserver.expect_request("/v1/chat/completions").respond_with_data(cut, content_type="text/event-stream")
    with pytest.raises(e.StreamIncomplete):
        client.stream("hf/a/m", "hi").read()


def test_a_chat_of_a_dedicated_endpoint(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    client.chat("own/", "hi", response_format=JsonSchema(schema={"type": "object"}))
    assert sent(httpserver)["response_format"]["type"] == "json_schema"
    assert "model" not in sent(httpserver)


def test_a_chat_by_the_responses_api(httpserver: HTTPServer) -> None:
    message = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
    }
    response = {
        "id": "r1",
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": [message],
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    httpserver.expect_request("/v1/responses").respond_with_json(response)
    with Client(Config(), endpoints=config(httpserver, api="responses", provider="groq")) as client:
        assert client.chat("hf/a/m", "hi", max_tokens=5).text == "Hello"
        assert (sent(httpserver)["model"], sent(httpserver)["max_output_tokens"]) == ("a/m:groq", 5)
        assert "store" not in sent(httpserver)
        httpserver.clear()
        events = [{"type": "response.created", "response": {**response, "output": [], "status": "in_progress"}},
                  {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
                  {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hello"},
                  {"type": "response.completed", "response": response}]  # fmt: skip
        text = "".join([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events])
        httpserver.expect_request("/v1/responses").respond_with_data(text, content_type="text/event-stream")
        assert client.stream("hf/a/m", "hi").read().text == "Hello"
        httpserver.clear()
        httpserver.expect_request("/v1/responses").respond_with_data(
            text.partition("event: response.completed")[0], content_type="text/event-stream"
        )
        with pytest.raises(e.StreamIncomplete):
            client.stream("hf/a/m", "hi").read()


# keys


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("chat", ("hf/a/m", "hi")),
        ("embed", ("hf/a/m", "hi")),
        ("classify", ("hf/a/m", "hi")),
        ("transcribe", ("hf/a/m", WAV)),
        ("generate_image", ("hf/a/m", "hi")),
    ],
)
def test_without_a_key_nothing_is_sent(operation: str, arguments: Any) -> None:
    with Client(Config(environ={})) as client, pytest.raises(e.MissingKeyError) as caught:
        getattr(client, operation)(*arguments)
    hint = caught.value.hint or ""
    assert "HF_TOKEN or HUGGING_FACE_HUB_TOKEN" in hint
    assert "ipfs-accel keys set hf" in hint


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_key_comes_from_its_variables(variable: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    url = httpserver.url_for("/v1")
    # A key of the usual variable is for the usual place only.
    for environ in ({variable: KEY}, {variable: f" {KEY}\n"}):
        endpoint = EndpointConfig(backend="hf", base_url=url, key_env=variable, options={"router": True})
        with Client(Config(environ=environ), endpoints={"mine": endpoint}) as client:
            client.chat("mine/a/m", "hi")
        assert headers(httpserver)["authorization"] == f"Bearer {KEY}"
        with Client(Config(environ=environ), endpoints={"hf": EndpointConfig(base_url=url)}) as client:  # noqa: SIM117 - the line would be too long
            with pytest.raises(e.ConfigError, match=r"belongs to https://router\.huggingface\.co"):
                client.chat("hf/a/m", "hi")


# vectors


def test_vectors_of_hf_inference(client: Client, httpserver: HTTPServer) -> None:
    path = "/hf-inference/models/a/m/pipeline/feature-extraction"
    httpserver.expect_request(path).respond_with_json([[0.5, 1.0], [0.25, 0.0]])
    answer = client.embed("hf/a/m", ["x", "y"], dimensions=2, extra={"normalize": True, "truncate": True})
    assert [list(vector) for vector in answer.vectors] == [[0.5, 1.0], [0.25, 0.0]]
    assert answer.vectors[0].typecode == "f"
    assert sent(httpserver) == {"inputs": ["x", "y"], "dimensions": 2, "normalize": True, "truncate": True}
    with pytest.raises(e.InvalidResponseError, match="2 vectors for 3 inputs"):
        client.embed("hf/a/m:hf-inference", ["x", "y", "z"])


@pytest.mark.parametrize("value", [[0.5, 1.0], [[0.5, 1.0]]])
def test_one_vector_comes_flat_or_in_a_list(value: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/m/pipeline/feature-extraction").respond_with_json(value)
    assert [list(vector) for vector in client.embed("hf/m", "x").vectors] == [[0.5, 1.0]]
    assert sent(httpserver) == {"inputs": "x"}


def test_vectors_of_tokens_are_no_vectors_of_texts(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/m/pipeline/feature-extraction").respond_with_json([[[0.5, 1.0]]])
    with pytest.raises(e.InvalidResponseError, match="a list of numbers"):
        client.embed("hf/m", "x")
    with pytest.raises(e.InvalidRequestError, match=r"inputs\[0\]: Hugging Face takes texts"):
        client.embed("hf/m", [[1, 2]])


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(("provider", "route"), [("together", "/v1"), ("scaleway", "/v1"), ("deepinfra", "/v1/openai")])
def test_vectors_of_a_provider_with_another_form(
    provider: str, route: str, as_list: bool, client: Client, httpserver: HTTPServer
) -> None:
    entry = {"status": "live", "providerId": "their/name", "task": "feature-extraction"}
    mapping: Any = [{"provider": provider, **entry}] if as_list else {provider: entry}
    httpserver.expect_request("/api/models/a/m").respond_with_json({"id": "a/m", "inferenceProviderMapping": mapping})
    answer = {
        "data": [{"index": 0, "embedding": [0.5, 1.0]}],
        "model": "their/name",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    httpserver.expect_request(f"/{provider}{route}/embeddings").respond_with_json(answer)
    for _ in range(2):
        found = client.embed(f"hf/a/m:{provider}", "x", dimensions=2)
        assert (list(found.vectors[0]), found.usage.input_tokens) == ([0.5, 1.0], 2)
    assert sent(httpserver) == {"model": "their/name", "input": "x", "dimensions": 2}
    asked, *calls = [request for request, _ in httpserver.log]
    assert (asked.path, dict(asked.args)) == ("/api/models/a/m", {"expand[]": "inferenceProviderMapping"})
    assert "authorization" not in asked.headers
    assert [request.headers["authorization"] for request in calls] == [f"Bearer {KEY}"] * 2


def test_a_provider_that_cannot(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match="'groq' is not known for feature-extraction") as caught:
        client.embed("hf/a/m:groq", "x")
    assert "hf-inference, deepinfra, scaleway, together" in (caught.value.hint or "")
    with pytest.raises(e.InvalidRequestError, match="one has to be named"):
        client.embed("hf/", "x")
    mapping = {
        "together": {"status": "live", "providerId": "t", "task": "conversational"},
        "scaleway": {"providerId": "s", "task": "feature-extraction"},
    }
    httpserver.expect_request("/api/models/a/m").respond_with_json({"inferenceProviderMapping": mapping})
    with pytest.raises(e.ModelNotFoundError, match="'together' serves 'a/m' for conversational, not") as missing:
        client.embed("hf/a/m:together", "x")
    assert "scaleway" in (missing.value.hint or "")
    with pytest.raises(e.ModelNotFoundError, match="'deepinfra' does not serve 'a/m'"):
        client.embed("hf/a/m:deepinfra", "x")


def test_vectors_of_a_dedicated_endpoint(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/", method="POST").respond_with_json([[0.5], [1.0]])
    assert len(client.embed("own/any", ["x", "y"]).vectors) == 2
    assert sent(httpserver) == {"inputs": ["x", "y"]}


# other tasks


def test_labels(client: Client, httpserver: HTTPServer) -> None:
    one = [{"label": "joy", "score": 0.25}, {"label": "anger", "score": 0.75}]
    ordered = (Label(label="anger", score=0.75), Label(label="joy", score=0.25))
    for value in (one, [one]):
        httpserver.clear()
        httpserver.expect_request("/hf-inference/models/a/m").respond_with_json(value)
        assert client.classify("hf/a/m", "x").results == (ordered,)
        assert sent(httpserver) == {"inputs": "x"}
    httpserver.clear()
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json([one, one])
    assert client.classify("hf/a/m", ["x", "y"], extra={"top_k": 2}).results == (ordered, ordered)
    assert sent(httpserver) == {"inputs": ["x", "y"], "parameters": {"top_k": 2}}
    with pytest.raises(e.InvalidRequestError, match="not pairs"):
        client.classify("hf/a/m", ("x", "y"))


def test_a_picture(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_data(PNG, content_type="image/png")
    answer = client.generate_image(
        "hf/a/m", "a cat", size="64x32", seed=3, negative_prompt="dogs", extra={"guidance_scale": 7}
    )
    assert (answer.images[0].data, answer.images[0].media_type) == (PNG, "image/png")
    assert sent(httpserver) == {
        "inputs": "a cat",
        "parameters": {"width": 64, "height": 32, "negative_prompt": "dogs", "seed": 3, "guidance_scale": 7},
    }
    assert headers(httpserver)["accept"] == "image/png"
    with pytest.raises(e.InvalidRequestError, match="size: expected WIDTHxHEIGHT"):
        client.generate_image("hf/a/m", "a cat", size="big")
    with pytest.raises(e.UnsupportedParameterError, match="quality, n"):
        client.generate_image("hf/a/m", "a cat", n=2, quality="high")
    with pytest.raises(e.InvalidRequestError, match="'fal-ai' is not known for text-to-image"):
        client.generate_image("hf/a/m:fal-ai", "a cat")


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("nscale", {"response_format": "b64_json", "size": "64x32"}),
        ("together", {"response_format": "base64", "width": 64, "height": 32}),
    ],
)
def test_a_picture_of_a_provider_with_another_form(
    provider: str, body: Any, client: Client, httpserver: HTTPServer
) -> None:
    mapping = {provider: {"status": "live", "providerId": "p", "task": "text-to-image"}}
    httpserver.expect_request("/api/models/a/m").respond_with_json({"inferenceProviderMapping": mapping})
    data = {"data": [{"b64_json": base64.b64encode(PNG).decode()}]}
    httpserver.expect_request(f"/{provider}/v1/images/generations").respond_with_json(data)
    answer = client.generate_image(f"hf/a/m:{provider}", "a cat", size="64x32", extra={"steps": 4})
    assert (answer.images[0].data, answer.images[0].media_type) == (PNG, "image/png")
    assert sent(httpserver) == {"model": "p", "prompt": "a cat", "steps": 4, **body}


def test_speech_to_text(client: Client, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json({"text": "hello"})
    file = tmp_path / "a.flac"
    file.write_bytes(b"fLaC0123")
    for audio, kind, data in ((WAV, "audio/wav", WAV), (file, "audio/flac", b"fLaC0123")):
        assert client.transcribe("hf/a/m", audio).text == "hello"  # type: ignore[arg-type]
        assert (headers(httpserver)["content-type"], httpserver.log[-1][0].get_data()) == (kind, data)
    with pytest.raises(e.UnsupportedParameterError, match="language, prompt"):
        client.transcribe("hf/a/m", WAV, language="en", prompt="p")


@pytest.mark.parametrize(("timestamps", "said"), [("segment", True), ("word", "word")])
def test_speech_to_text_with_times(timestamps: str, said: Any, client: Client, httpserver: HTTPServer) -> None:
    chunks = [{"text": "hel", "timestamp": [0.0, 0.5]}, {"text": "lo", "timestamp": [0.5, None]}]
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json({"text": "hello", "chunks": chunks})
    answer = client.transcribe("hf/a/m", WAV, timestamps=timestamps, extra={"generate_kwargs": {"language": "en"}})
    pieces = (Segment(start=0, end=0.5, text="hel"), Segment(start=0.5, end=0.5, text="lo"))
    assert (answer.segments, answer.words) == (((), pieces) if said == "word" else (pieces, ()))
    parameters = {"return_timestamps": said, "generate_kwargs": {"language": "en"}}
    assert sent(httpserver) == {"inputs": base64.b64encode(WAV).decode(), "parameters": parameters}


def test_text_to_speech(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_data(b"fLaC0", content_type="audio/flac")
    answer = client.speak("hf/a/m", "hello", extra={"do_sample": True})
    assert (answer.data, answer.media_type) == (b"fLaC0", "audio/flac")
    assert sent(httpserver) == {"inputs": "hello", "parameters": {"do_sample": True}}
    with pytest.raises(e.UnsupportedParameterError, match="voice"):
        client.speak("hf/a/m", "hello", voice="v")


def test_an_answer_that_is_no_sound_or_picture(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json({"status": "queued"})
    with pytest.raises(e.InvalidResponseError, match="instead of a picture"):
        client.generate_image("hf/a/m", "a cat")
    with pytest.raises(e.InvalidResponseError, match="instead of sound"):
        client.speak("hf/a/m", "hello")


def test_text_completions(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/gpt2").respond_with_json([{"generated_text": " world"}])
    assert client.complete("hf/gpt2", "hello", max_tokens=3, temperature=0).text == " world"
    assert sent(httpserver) == {"inputs": "hello", "parameters": {"max_new_tokens": 3, "details": True}}
    with pytest.raises(e.UnsupportedOperationError, match="'hf' has no 'stream_complete': use stream, or"):
        client.stream_complete("hf/gpt2", "hello").read()
    with pytest.raises(e.InvalidRequestError, match="prompt: hf-inference takes one text"):
        client.complete("hf/gpt2", ["a", "b"])
    choice = {"index": 0, "text": " world", "finish_reason": "stop"}
    httpserver.expect_request("/v1/completions").respond_with_json({"choices": [choice]})
    assert client.complete("own/m", "hello").text == " world"


# errors


ERRORS: list[tuple[int, Any, type[e.APIError], str]] = [
    (400, {"error": {"message": "The requested model 'X' is not supported by any provider you have enabled.", "code": "model_not_supported", "type": "invalid_request_error", "param": "model"}}, e.ModelNotFoundError, "not supported by any provider"),
    (400, {"error": "Model not supported by provider together"}, e.ModelNotFoundError, "not supported by provider together"),
    (401, {"error": "Invalid username or password."}, e.AuthenticationError, "Invalid username or password"),
    (401, {"error": "Invalid credentials in Authorization header"}, e.AuthenticationError, "Invalid credentials"),
    (402, {"error": "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO"}, e.QuotaExceededError, "monthly included credits"),
    (402, {"error": {"message": "NOT_ENOUGH_BALANCE"}}, e.QuotaExceededError, "NOT_ENOUGH_BALANCE"),
    (403, {"error": "This authentication method does not have sufficient permissions"}, e.PermissionDeniedError, "sufficient permissions"),
    (404, "Not Found", e.NotFoundError, "Not Found"),
    (415, {"error": "multipart wanted"}, e.APIStatusError, "multipart wanted"),
    (400, {"object": "error", "message": "This model's maximum context length is 8 tokens", "type": "BadRequestError", "code": 400}, e.ContextLengthExceededError, "maximum context length"),
    (418, {"error": "no", "error_type": "teapot"}, e.APIStatusError, "no"),
    (422, {"error": ["a", "b"]}, e.UnprocessableEntityError, "a; b"),
    (429, {"error": {"message": "slow down"}}, e.RateLimitError, "slow down"),
    (500, "<html>oops</html>", e.InternalServerError, "HTML page"),
    (504, "", e.InternalServerError, "504 and no body"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "message"), ERRORS)
def test_errors(
    status: int, body: Any, kind: type[e.APIError], message: str, client: Client, httpserver: HTTPServer
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    httpserver.expect_request("/v1/chat/completions").respond_with_data(text, status)
    for call in (client.chat, lambda *arguments: client.stream(*arguments).read()):
        with pytest.raises(kind, match=message) as caught:
            call("hf/a/m", "hi")
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert caught.value.retryable == (status in {429, 500, 504})
    if status == 504:
        assert "stream it" in (caught.value.hint or "")


def test_a_model_that_is_loading_says_for_how_long(client: Client, httpserver: HTTPServer) -> None:
    body = {"error": "Model a/m is currently loading", "estimated_time": 20.0}
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json(body, 503)
    with pytest.raises(e.OverloadedError, match="currently loading") as caught:
        client.classify("hf/a/m", "x")
    assert (caught.value.retry_after, caught.value.retryable) == (20.0, True)


def test_the_limit_of_the_hub_says_for_how_long(client: Client, httpserver: HTTPServer) -> None:
    headers = {"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    httpserver.expect_request("/api/models/a/m").respond_with_json({"error": "too many"}, 429, headers=headers)
    with pytest.raises(e.RateLimitError, match="too many") as caught:
        client.call("hf", "providers", model="a/m")
    assert (caught.value.retry_after, caught.value.retryable) == (56.0, True)


def test_no_error_shows_the_key(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json({"error": f"bad token {KEY}"}, 401)
    with pytest.raises(e.AuthenticationError) as caught:
        client.chat("hf/a/m", "hi")
    assert KEY not in f"{caught.value!r} {caught.value.body}"
    assert KEY.encode() not in pickle.dumps(caught.value)


# models and health


def test_models_of_the_router(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(
        {"object": "list", "data": [MODEL, {"id": "b/n", "object": "model"}]}
    )
    first, second = client.list_models("hf")
    assert (first.id, first.context_window, first.input_price, first.output_price) == ("a/m", 1000, None, 3.0)
    assert first.input_modalities == {"text", "image"}
    assert {name: support.value for name, support in first.features.items()} == {
        "tools": "yes",
        "json_schema": "unknown",
        "vision": "yes",
    }
    assert (second.id, second.context_window, second.features) == ("b/n", None, {})
    health = client.healthcheck("hf")
    assert (health.status, health.detail) == ("ok", "it lists 2 models")


def test_one_model_and_one_provider_of_it(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models/a/m").respond_with_json(MODEL)
    model = client.show_model("hf/a/m:groq")
    assert (model.id, model.context_window, model.input_price) == ("a/m:groq", 500, 2.0)
    assert client.capabilities("hf/a/m:groq").supports("json_schema").value == "yes"
    assert client.show_model("hf/a/m:fastest").context_window == 1000
    with pytest.raises(e.InvalidRequestError, match="part of a URL path"):
        client.show_model("hf/../m")


@pytest.mark.parametrize(
    ("info", "context", "can", "cannot"),
    [
        ({"model_id": "a/m", "router": "text-generation-router", "version": "3.3.7", "max_total_tokens": 2048}, 2048, "chat", "embed"),
        ({"model_id": "a/m", "version": "1.9.3", "model_type": {"embedding": {"pooling": "cls"}}, "max_input_length": 512}, 512, "embed", "chat"),
        ({"model_id": "a/m", "version": "1.9.3", "model_type": {"reranker": {}}, "max_input_length": 512}, 512, "classify", "embed"),
    ],
)  # fmt: skip
def test_a_dedicated_endpoint_tells_of_itself(
    info: Any, context: int, can: str, cannot: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/info").respond_with_json(info)
    (model,) = client.list_models("own")
    assert (model.id, model.context_window) == ("a/m", context)
    assert (model.features[can].value, model.features[cannot].value) == ("yes", "no")
    assert client.show_model("own/other") == model


def test_other_engines_list_their_models(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/info").respond_with_data("Not Found", 404)
    httpserver.expect_request("/v1/models").respond_with_json(
        {"data": [{"id": "a/m", "max_model_len": 4096}, {"id": "lora"}]}
    )
    assert [(model.id, model.context_window) for model in client.list_models("own")] == [("a/m", 4096), ("lora", None)]
    assert client.show_model("own/lora").id == "lora"


def test_a_dedicated_endpoint_that_scales_up(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/health").respond_with_data("503 Service Unavailable", 503)
    health = client.healthcheck("own")
    assert health.status == "loading"
    assert "503 Service Unavailable" in (health.detail or "")
    assert "X-Scale-Up-Timeout" in (health.detail or "")
    dead = {"error": "unhealthy", "error_type": "healthcheck"}  # of the engine itself, which starts with its model
    httpserver.expect_oneshot_request("/health").respond_with_json(dead, 503)
    assert client.healthcheck("own").status == "unhealthy"
    httpserver.expect_request("/health").respond_with_data("")
    assert client.healthcheck("own").ok


def test_what_tgi_does_not_say_is_not_its_word(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/info").respond_with_json({"model_id": "a/m", "max_total_tokens": 9})
    assert str(client.supports("own/a/m", "chat")) == "yes (hook)"
    assert str(client.supports("own/a/m", "embed")) == "no (hook)"
    assert client.supports("own/a/m", "tools").value == "unknown"


# calls of its own


def test_calls_of_tasks(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json([{"score": 0.5}])
    assert client.call("hf", "task", model="a/m", inputs="x", parameters={"candidate_labels": ["y"]}) == [
        {"score": 0.5}
    ]
    assert sent(httpserver) == {"inputs": "x", "parameters": {"candidate_labels": ["y"]}}
    client.call("hf", "task_of_file", model="a/m", file=PNG)
    assert (headers(httpserver)["content-type"], httpserver.log[-1][0].get_data()) == ("image/png", PNG)
    client.call("hf", "task_of_file", model="a/m", file=PNG, parameters={"top_k": 1})
    assert sent(httpserver) == {"inputs": base64.b64encode(PNG).decode(), "parameters": {"top_k": 1}}
    httpserver.expect_request("/hf-inference/models/a/m/pipeline/sentence-similarity").respond_with_json([0.5])
    assert client.call("hf", "similarity", model="a/m", source="x", sentences=["y"]) == [0.5]
    assert sent(httpserver) == {"inputs": {"source_sentence": "x", "sentences": ["y"]}}


def test_calls_of_the_hub(client: Client, httpserver: HTTPServer) -> None:
    mapping = {"groq": {"status": "live", "providerId": "p", "task": "conversational"}}
    httpserver.expect_request("/api/models/a/m").respond_with_json({"inferenceProviderMapping": mapping})
    assert client.call("hf", "providers", model="a/m") == mapping
    httpserver.expect_request("/api/models").respond_with_json([{"id": "a/m"}])
    assert client.call("hf", "find_models", provider=["groq", "novita"], task="text-generation", limit=3) == [
        {"id": "a/m"}
    ]
    assert dict(httpserver.log[-1][0].args) == {
        "inference_provider": "groq,novita",
        "pipeline_tag": "text-generation",
        "limit": "3",
    }


def test_calls_of_management(client: Client, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(e.InvalidRequestError, match="is not the API that manages") as caught:
        client.call("own", "endpoints", namespace="me")
    assert "api.endpoints.huggingface.cloud" in (caught.value.hint or "")
    monkeypatch.setattr("ipfs_accel_hf._hub_calls.MANAGEMENT", httpserver.url_for("").rstrip("/"))
    httpserver.expect_request("/v2/endpoint/me").respond_with_json({"items": []})
    httpserver.expect_request("/v2/endpoint/me/e1").respond_with_json({"status": {"state": "running"}})
    httpserver.expect_request("/v2/endpoint/me/e1/pause", method="POST").respond_with_json(
        {"status": {"state": "paused"}}
    )
    assert client.call("own", "endpoints", namespace="me") == {"items": []}
    assert client.call("own", "endpoints", namespace="me", deployment="e1")["status"]["state"] == "running"
    assert (
        client.call("own", "change_endpoint", namespace="me", deployment="e1", action="pause")["status"]["state"]
        == "paused"
    )
    with pytest.raises(e.InvalidRequestError, match="action"):
        client.call("own", "change_endpoint", namespace="me", deployment="e1", action="explode")


@pytest.mark.anyio
async def test_the_same_awaited(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    httpserver.expect_request("/hf-inference/models/a/m").respond_with_json({"text": "hello"})
    mapping = {"together": {"providerId": "p", "task": "feature-extraction"}}
    httpserver.expect_request("/api/models/a/m").respond_with_json({"inferenceProviderMapping": mapping})
    httpserver.expect_request("/together/v1/embeddings").respond_with_json({"data": [{"embedding": [1.0]}]})
    async with AsyncClient(Config(), endpoints=config(httpserver)) as client:
        assert (await client.chat("hf/a/m", "hi")).text == "Hello"
        assert (await client.transcribe("hf/a/m", WAV)).text == "hello"
        assert len((await client.embed("hf/a/m:together", "x")).vectors) == 1
