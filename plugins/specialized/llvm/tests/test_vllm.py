"""What vLLM and MLC have beyond OpenAI's dialect. Requests are held to OpenAI's SDK, whose way to them is `extra_body`."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, JsonSchema
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import sent

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

USER = [{"role": "user", "content": "hi"}]
WAV = b"RIFF\0\0\0\0WAVEfmt "
CHAT: dict[str, Any] = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "big", "system_fingerprint": "vllm-0.33.0-abc", "kv_transfer_params": None, "prompt_token_ids": [1, 2],
    "prompt_logprobs": [None, {"5": {"logprob": -0.5, "rank": 1, "decoded_token": "a"}}],
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "reasoning": "hm"}, "finish_reason": "stop", "stop_reason": 7, "token_ids": [3]}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
}  # fmt: skip
TEXT = {"id": "t", "object": "text_completion", "created": 1, "model": "big", "choices": [{"index": 0, "text": "x", "finish_reason": "stop", "prompt_logprobs": [None]}]}  # fmt: skip

# What vLLM takes beside OpenAI's fields; the SDK sends it in `extra_body`, ours in `extra`.
FIELDS: dict[str, Any] = {
    "add_generation_prompt": False, "add_special_tokens": True, "allowed_token_ids": [1, 2], "bad_words": ["x"], "cache_salt": "s", "chat_template": "{{ x }}",
    "chat_template_kwargs": {"enable_thinking": False}, "continue_final_message": True, "documents": [{"title": "t", "text": "x"}], "echo": True, "ignore_eos": True,
    "include_reasoning": False, "include_stop_str_in_output": True, "kv_transfer_params": {"a": 1}, "length_penalty": 1.5, "logprob_token_ids": [1],
    "media_io_kwargs": {"video": {"num_frames": 4}}, "min_p": 0.1, "min_tokens": 2, "mm_processor_kwargs": {"a": 1}, "priority": 3, "prompt_logprobs": 2,
    "repetition_detection": {"max_pattern_size": 3}, "repetition_penalty": 1.1, "request_id": "r", "return_prompt_text": True, "return_token_ids": True,
    "return_tokens_as_token_ids": True, "session_id": "s", "skip_special_tokens": False, "spaces_between_special_tokens": False, "stop_token_ids": [1],
    "stream_interval": 2, "thinking_token_budget": 100, "truncate_prompt_tokens": 10, "truncation_side": "left", "use_beam_search": True, "vllm_xargs": {"a": 1},
    "structured_outputs": {"regex": "a+", "disable_any_whitespace": True},
}  # fmt: skip
SAMPLING = ("min_p", "repetition_penalty", "length_penalty", "min_tokens", "stop_token_ids", "ignore_eos", "prompt_logprobs", "structured_outputs", "return_token_ids", "priority", "cache_salt")  # fmt: skip


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("").rstrip("/")
    endpoints = {
        kind: EndpointConfig(backend="llvm", base_url=url, key="sk-test", options={"server": kind})
        for kind in ("vllm", "mlc", "llama.cpp", "llama-cpp-python")
    }
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.fixture
def both(client: Client, httpserver: HTTPServer) -> Iterator[Callable[..., None]]:
    """Make the same call with both and compare what the server got."""
    with openai.OpenAI(base_url=httpserver.url_for("/v1"), api_key="sk-test", max_retries=0) as sdk:

        def compare(theirs: Callable[[Any], Any], ours: Callable[[Client], Any]) -> None:
            theirs(sdk)
            ours(client)
            expected, actual = [request for request, _ in httpserver.log]
            assert (actual.method, actual.path) == (expected.method, expected.path)
            assert json.loads(actual.get_data()) == json.loads(expected.get_data())
            for header in ("Authorization", "Content-Type"):
                assert actual.headers[header] == expected.headers[header]

        yield compare


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_chat(name: str, both: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    own = {name: FIELDS[name]}
    both(
        lambda sdk: sdk.chat.completions.create(model="big", messages=USER, extra_body=own),
        lambda client: client.chat("vllm/big", "hi", extra=own),
    )


@pytest.mark.parametrize("name", SAMPLING)
def test_fields_of_a_completion(name: str, both: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/completions").respond_with_json(TEXT)
    own = {name: FIELDS[name]}
    both(
        lambda sdk: sdk.completions.create(model="big", prompt="x", max_tokens=5, extra_body=own),
        lambda client: client.complete("vllm/big", "x", max_tokens=5, extra=own),
    )


def test_options_that_openai_lacks_have_our_names(both: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    both(
        lambda sdk: sdk.chat.completions.create(model="big", messages=USER, max_tokens=5, reasoning_effort="low", extra_body={"top_k": 4}),
        lambda client: client.chat("vllm/big", "hi", max_tokens=5, reasoning_effort="low", top_k=4),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"guided_json": {"type": "object"}}, {"json": {"type": "object"}}),
        ({"guided_regex": "a+"}, {"regex": "a+"}),
        ({"guided_choice": ["a", "b"]}, {"choice": ["a", "b"]}),
        ({"guided_grammar": "root ::= x"}, {"grammar": "root ::= x"}),
        ({"guided_choice": ["a"], "guided_whitespace_pattern": " ", "guided_decoding_backend": "x"}, {"choice": ["a"], "whitespace_pattern": " "}),
    ],
)  # fmt: skip
def test_removed_fields_would_be_ignored_and_are_translated(
    old: dict[str, Any], new: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    httpserver.expect_request("/v1/completions").respond_with_json(TEXT)
    client.chat("vllm/big", "hi", extra=old)
    assert sent(httpserver)["structured_outputs"] == new
    client.complete("vllm/big", "hi", extra=old)
    assert sent(httpserver)["structured_outputs"] == new
    assert not [name for name in sent(httpserver) if name.startswith("guided")]


def test_what_answers_say_beyond_openai_is_kept(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    reply = client.chat("vllm/big", "hi")
    assert (reply.reasoning, reply.extra["prompt_token_ids"], reply.extra["prompt_logprobs"][0]) == ("hm", [1, 2], None)
    assert reply.raw["choices"][0]["stop_reason"] == 7


@pytest.mark.parametrize("reason", ["stop", "length", "abort", "repetition", "tool_calls"])
def test_reasons(reason: str, client: Client, httpserver: HTTPServer) -> None:
    choice = {**CHAT["choices"][0], "finish_reason": reason}
    httpserver.expect_request("/v1/chat/completions").respond_with_json({**CHAT, "choices": [choice]})
    assert client.chat("vllm/big", "hi").finish_reason == reason


def sse(*data: Any) -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in data) + "data: [DONE]\n\n"


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "model": "big", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def test_a_stream_with_usage_on_every_chunk_and_keepalives(client: Client, httpserver: HTTPServer) -> None:
    body = sse(
        chunk({"role": "assistant", "content": ""}, usage={"prompt_tokens": 2, "completion_tokens": 0}),
        chunk({"reasoning": "hm"}, usage={"prompt_tokens": 2, "completion_tokens": 1}),
        chunk({"content": "Hello"}, usage={"prompt_tokens": 2, "completion_tokens": 2}),
        chunk({}, "stop", usage={"prompt_tokens": 2, "completion_tokens": 3}),
    )
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        ": keep-alive\n\n" + body, content_type="text/event-stream"
    )
    options = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    reply = client.stream("vllm/big", "hi", extra=options).read()
    assert (reply.text, reply.reasoning, reply.usage.output_tokens) == ("Hello", "hm", 3)
    assert sent(httpserver)["stream_options"]["continuous_usage_stats"] is True


def test_an_error_in_a_stream_is_one_although_done_follows(client: Client, httpserver: HTTPServer) -> None:
    error = {"error": {"message": "engine died", "type": "InternalServerError", "param": None, "code": 500}}
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        sse(chunk({"content": "Hel"}), error), content_type="text/event-stream"
    )
    with pytest.raises(e.InternalServerError, match="engine died") as caught:
        client.stream("vllm/big", "hi").read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


ERRORS: list[tuple[int, Any, type[e.APIError], bool]] = [
    (400, {"error": {"message": "bad", "type": "BadRequestError", "param": None, "code": 400}}, e.BadRequestError, False),
    (400, {"error": {"message": "This model's maximum context length is 10 tokens.", "type": "BadRequestError", "code": 400}}, e.ContextLengthExceededError, False),
    (401, {"error": "Unauthorized"}, e.AuthenticationError, False),
    (404, {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}, e.ModelNotFoundError, False),
    (422, {"error": {"message": "no", "type": "UnprocessableEntityError", "code": 422}}, e.UnprocessableEntityError, False),
    (500, {"error": {"message": "no", "type": "InternalServerError", "code": 500}}, e.InternalServerError, True),
    (501, {"error": {"message": "no", "type": "NotImplementedError", "code": 501}}, e.NotSupportedByServerError, False),
    (503, {"error": {"message": "queue is full", "type": "ServiceUnavailableError", "code": 503}}, e.OverloadedError, True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "retryable"), ERRORS)
def test_errors(
    status: int, body: Any, kind: type[e.APIError], retryable: bool, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=status)
    with pytest.raises(e.APIStatusError) as caught:
        client.chat("vllm/x", "hi")
    assert (type(caught.value), caught.value.retryable) == (kind, retryable)


def test_a_route_that_is_not_there_is_remembered(client: Client, httpserver: HTTPServer) -> None:
    models = {"data": [{"id": "big", "owned_by": "vllm"}]}
    httpserver.expect_request("/v1/models").respond_with_json(models)
    httpserver.expect_request("/openapi.json").respond_with_data(status=404)
    httpserver.expect_request("/v1/embeddings").respond_with_json({"detail": "Not Found"}, status=404)
    gone = {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model"}}
    httpserver.expect_request("/v1/rerank").respond_with_json(gone, status=404)
    assert str(client.supports("vllm/big", "embed")) == "yes (hook)"
    with pytest.raises(e.NotFoundError) as caught:
        client.embed("vllm/big", "x")
    assert caught.value.hint == "the model that this server has loaded cannot embed"
    assert str(client.supports("vllm/big", "embed")) == "no (server)"
    with pytest.raises(e.ModelNotFoundError):
        client.rerank("vllm/x", "q", ["a"])
    assert str(client.supports("vllm/big", "rerank")) == "yes (hook)"


def test_the_document_of_routes_tells_what_the_model_can(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "big", "max_model_len": 9}]})
    paths = {"/v1/embeddings": {}, "/tokenize": {}, "/classify": {}}
    httpserver.expect_request("/openapi.json").respond_with_json({"paths": paths})
    features = client.show_model("vllm/big").features
    assert {name for name, support in features.items() if support.value == "yes"} == {"embed", "tokenize", "count_tokens", "classify"}  # fmt: skip
    assert str(features["chat"]) == "no (server)"


@pytest.mark.parametrize(
    ("kind", "has", "lacks"),
    [
        ("vllm", {"classify", "rerank", "tokenize", "transcribe", "count_tokens"}, {"predict"}),
        ("llama.cpp", {"rerank", "tokenize", "count_tokens", "transcribe"}, {"predict", "classify", "translate"}),
        ("llama-cpp-python", {"chat", "tokenize"}, {"rerank", "count_tokens", "classify", "predict"}),
        ("mlc", {"chat", "embed", "complete"}, {"rerank", "tokenize", "count_tokens", "transcribe", "predict"}),
    ],
)
def test_what_each_server_has(
    kind: str, has: set[str], lacks: set[str], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "big"}]})
    (model,) = client.list_models(kind)
    assert {name for name, support in model.features.items() if support.value == "no"} >= lacks
    assert not has & {name for name, support in model.features.items() if support.value == "no"}
    if "rerank" in lacks:
        with pytest.raises(e.UnsupportedOperationError, match=f"is {kind}, which has no rerank"):
            client.rerank(f"{kind}/big", "q", ["a"])
    with pytest.raises(e.UnsupportedOperationError, match="has no predict") as caught:
        client.predict(f"{kind}/big", [1])
    assert caught.value.hint == "predict needs infer"


def test_labels(client: Client, httpserver: HTTPServer) -> None:
    data = [
        {"index": 1, "label": "no", "probs": [0.9, 0.1], "num_classes": 2},
        {"index": 0, "label": None, "probs": [0.2, 0.8], "num_classes": 2},
    ]
    answer = {"id": "c", "object": "list", "model": "big", "data": data, "usage": {"prompt_tokens": 4}}
    httpserver.expect_request("/classify", json={"model": "big", "input": ["a", "b"]}).respond_with_json(answer)
    reply = client.classify("vllm/big", ["a", "b"])
    assert [(labels[0].label, labels[0].score) for labels in reply.results] == [("1", 0.8), ("no", 0.9)]
    assert (reply.usage.input_tokens, reply.raw) == (4, answer)
    with pytest.raises(e.InvalidRequestError, match="labels texts, not pairs"):
        client.classify("vllm/big", [("a", "b")])


def test_sound(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/audio/transcriptions").respond_with_json({"text": "hello"})
    httpserver.expect_request("/v1/audio/translations").respond_with_json({"text": "hello"})
    assert client.transcribe("vllm/big", WAV, language="de").text == "hello"
    assert client.translate("vllm/big", WAV, language="de", extra={"to_language": "en"}).text == "hello"
    with httpserver.log[-1][0] as request:
        assert dict(request.form) == {"model": "big", "language": "de", "to_language": "en"}
        assert request.files["file"].read() == WAV
    httpserver.log[0][0].close()


def test_vectors(client: Client, httpserver: HTTPServer) -> None:
    vector = base64.b64encode(b"\0\0\x80\x3f").decode()
    httpserver.expect_request("/v1/embeddings").respond_with_json({"data": [{"index": 0, "embedding": vector}]})
    own = {"messages": USER, "truncate_prompt_tokens": 5, "endianness": "little"}
    assert list(client.embed("vllm/big", "x", extra=own).vectors[0]) == [1.0]
    for wrong in ({"embed_dtype": "float16"}, {"endianness": "big"}, {"encoding_format": "bytes"}):
        with pytest.raises(e.InvalidRequestError, match=next(iter(wrong))):
            client.embed("vllm/big", "x", extra=wrong)


def test_tokens(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize").respond_with_json({"count": 2, "tokens": [1, 2], "token_strs": ["a", "b"]})
    reply = client.tokenize("vllm/big", "a b", extra={"return_token_strs": True})
    assert (reply.tokens, reply.raw["token_strs"]) == ((1, 2), ["a", "b"])
    assert sent(httpserver)["return_token_strs"] is True
    assert client.count_tokens("vllm/big", "hi", extra={"add_generation_prompt": False}).input_tokens == 2
    assert sent(httpserver) == {"model": "big", "messages": USER, "add_generation_prompt": False}


# (call, its arguments, method, path with query, body)
CALLS: list[tuple[str, str, dict[str, Any], str, str, Any]] = [
    ("vllm", "chat_batch", {"conversations": [USER, USER], "model": "big", "max_tokens": 5}, "POST", "/v1/chat/completions/batch", {"model": "big", "messages": [USER, USER], "max_tokens": 5}),
    ("vllm", "score", {"queries": "q", "documents": ["a", "b"], "model": "big"}, "POST", "/score", {"model": "big", "text_1": "q", "text_2": ["a", "b"]}),
    ("vllm", "pooling", {"model": "big", "input": "a", "task": "token_embed"}, "POST", "/pooling", {"model": "big", "input": "a", "task": "token_embed"}),
    ("vllm", "embed_cohere", {"model": "big", "texts": ["a"], "input_type": "x"}, "POST", "/v2/embed", {"model": "big", "texts": ["a"], "input_type": "x"}),
    ("vllm", "responses", {"model": "big", "input": "hi"}, "POST", "/v1/responses", {"model": "big", "input": "hi"}),
    ("vllm", "vllm_response", {"id": "r/1"}, "GET", "/v1/responses/r/1", None),
    ("vllm", "vllm_cancel_response", {"id": "r1"}, "POST", "/v1/responses/r1/cancel", None),
    ("vllm", "render", {"model": "big", "messages": USER}, "POST", "/v1/chat/completions/render", {"model": "big", "messages": USER}),
    ("vllm", "render_completion", {"model": "big", "prompt": "x"}, "POST", "/v1/completions/render", {"model": "big", "prompt": "x"}),
    ("vllm", "generate", {"model": "big", "token_ids": [1]}, "POST", "/inference/v1/generate", {"model": "big", "token_ids": [1]}),
    ("vllm", "decisions", {"model": "big", "a": 1}, "POST", "/v1/decisions", {"model": "big", "a": 1}),
    ("vllm", "systemone", {"model": "big", "a": 1}, "POST", "/v1/systemone", {"model": "big", "a": 1}),
    ("vllm", "invocations", {"model": "big", "prompt": "x"}, "POST", "/invocations", {"model": "big", "prompt": "x"}),
    ("vllm", "load_lora_adapter", {"lora_name": "l", "lora_path": "/l"}, "POST", "/v1/load_lora_adapter", {"lora_name": "l", "lora_path": "/l", "load_inplace": False}),
    ("vllm", "unload_lora_adapter", {"lora_name": "l"}, "POST", "/v1/unload_lora_adapter", {"lora_name": "l"}),
    ("vllm", "sleep", {"level": 2, "mode": "wait"}, "POST", "/sleep?level=2&mode=wait", None),
    ("vllm", "sleep", {}, "POST", "/sleep?level=1", None),
    ("vllm", "wake_up", {"tags": ["weights", "kv_cache"]}, "POST", "/wake_up?tags=weights&tags=kv_cache", None),
    ("vllm", "reset_prefix_cache", {}, "POST", "/reset_prefix_cache", None),
    ("vllm", "is_sleeping", {}, "GET", "/is_sleeping", None),
    ("vllm", "server_info", {}, "GET", "/server_info", None),
    ("vllm", "tokenizer_info", {}, "GET", "/tokenizer_info", None),
    ("vllm", "load", {}, "GET", "/load", None),
    ("vllm", "version", {}, "GET", "/version", None),
    ("vllm", "ping", {}, "GET", "/ping", None),
    ("vllm", "metrics", {}, "GET", "/metrics", None),
    ("mlc", "metrics", {}, "GET", "/metrics", None),
    ("mlc", "mlc_dump_engine_metrics", {"model": "m"}, "POST", "/debug/dump_engine_metrics", {"model": "m"}),
    ("mlc", "mlc_dump_event_trace", {"model": "m"}, "POST", "/debug/dump_event_trace", {"model": "m"}),
    ("mlc", "mlc_reset_engine", {"model": "m"}, "POST", "/debug/reset_engine", {"model": "m"}),
    ("mlc", "mlc_profiler_start", {}, "POST", "/debug/cuda_profiler_start", {}),
    ("mlc", "mlc_profiler_stop", {}, "POST", "/debug/cuda_profiler_stop", {}),
    ("mlc", "mlc_prep_recv", {"model": "m", "a": 1}, "POST", "/microserving/prep_recv", {"model": "m", "a": 1}),
    ("mlc", "mlc_remote_send", {"model": "m", "a": 1}, "POST", "/microserving/remote_send", {"model": "m", "a": 1}),
    ("mlc", "mlc_start_generate", {"model": "m", "a": 1}, "POST", "/microserving/start_generate", {"model": "m", "a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "arguments", "method", "path", "body"), CALLS)
def test_calls(
    kind: str, name: str, arguments: dict[str, Any], method: str, path: str, body: Any, client: Client, httpserver: HTTPServer
) -> None:  # fmt: skip
    httpserver.expect_request(re.compile(".*")).respond_with_json({"ok": True})
    found = client.call(kind, name, **arguments)
    assert (json.loads(found) if name == "metrics" else found) == {"ok": True}
    request = httpserver.log[-1][0]
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    assert (request.method, request.path + query) == (method, path)
    assert (json.loads(request.get_data()) if request.get_data() else None) == body


def test_answers_of_calls_may_be_sentences_or_nothing(client: Client, httpserver: HTTPServer) -> None:
    def respond(request: Request) -> Response:
        return Response(b"" if request.path == "/wake_up" else b"Success: LoRA adapter 'l' added.", content_type="text/plain")  # fmt: skip

    httpserver.expect_request(re.compile(".*")).respond_with_handler(respond)
    assert client.call("vllm", "load_lora_adapter", lora_name="l", lora_path="/l") == "Success: LoRA adapter 'l' added."
    assert client.call("vllm", "wake_up") is None


def test_calls_of_another_server_are_refused(client: Client, httpserver: HTTPServer) -> None:
    for kind, name, arguments in (("llama.cpp", "score", {"queries": "q", "documents": ["a"]}), ("vllm", "mlc_reset_engine", {}), ("mlc", "sleep", {}), ("vllm", "infer", {"model": "m", "input": 1})):  # fmt: skip
        with pytest.raises(e.UnsupportedOperationError, match=f"is {re.escape(kind)}, which has no"):
            client.call(kind, name, **arguments)
    assert httpserver.log == []


# MLC


def test_mlc_is_never_told_a_user_even_for_vectors(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/embeddings").respond_with_json({"data": [{"index": 0, "embedding": [1.0]}]})
    with pytest.warns(UserWarning, match="user"):
        client.embed("mlc/m", "x", user="u", on_unsupported="warn")
    assert "user" not in sent(httpserver)


def test_mlc_is_not_told_that_a_call_is_required(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    with pytest.warns(UserWarning, match="tool_choice"):
        client.chat("mlc/m", "hi", tools=[tool], tool_choice="required", on_unsupported="warn")
    assert "tool_choice" not in sent(httpserver)
    client.chat("mlc/m", "hi", tools=[tool], tool_choice="f", extra={"debug_config": {"ignore_eos": True}})
    assert sent(httpserver)["tool_choice"]["function"]["name"] == "f"
    assert sent(httpserver)["debug_config"] == {"ignore_eos": True}


def test_mlc_tells_of_its_engine_beside_the_tokens(client: Client, httpserver: HTTPServer) -> None:
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "extra": {"ttft_s": 0.1}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json({**CHAT, "usage": usage})
    assert client.chat("mlc/m", "hi").extra["usage"] == {"extra": {"ttft_s": 0.1}}


def test_a_stream_of_mlc_is_just_cut_when_it_fails(client: Client, httpserver: HTTPServer) -> None:
    body = f"data: {json.dumps(chunk({'content': 'Hel'}))}\n\n"
    httpserver.expect_request("/v1/chat/completions").respond_with_data(body, content_type="text/event-stream")
    with pytest.raises(e.StreamIncomplete) as caught:
        client.stream("mlc/m", "hi").read()
    assert caught.value.partial is not None


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, json.dumps({"object": "error", "message": 'The requested model "x" is not served.', "code": 400}), e.BadRequestError, "is not served"),
        (401, {"detail": "Invalid API Key"}, e.AuthenticationError, "Invalid API Key"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, e.UnprocessableEntityError, "body.n: bad"),
    ],
)  # fmt: skip
def test_errors_of_mlc(
    status: int, body: Any, kind: type[e.APIError], message: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=status)
    with pytest.raises(kind, match=message):
        client.chat("mlc/x", "hi")


@pytest.mark.parametrize("endpoint", ["vllm", "dialect"])
def test_a_schema_over_which_it_fails_is_written_otherwise(
    endpoint: str, client: Client, httpserver: HTTPServer
) -> None:
    pair = [{"type": "integer"}, {"type": "boolean"}]
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "big", "owned_by": "vllm"}]})
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    at = {"dialect": EndpointConfig(backend="openai", base_url=httpserver.url_for("/v1"), key="k")}
    with Client(Config(environ={}), endpoints=at) as other:
        asked = client if endpoint == "vllm" else other
        asked.chat(f"{endpoint}/big", "hi", response_format=JsonSchema(schema={"type": "array", "items": pair}))
    assert sent(httpserver)["response_format"]["json_schema"]["schema"] == {"type": "array", "prefixItems": pair}
