from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import Message, Reasoning, Text, ToolCall
from pytest_httpserver import HTTPServer

from conftest import sent

Serve = Callable[..., HTTPServer]

LLAMACPP = {
    "object": "list",
    "data": [
        {
            "id": "tiny",
            "object": "model",
            "owned_by": "llamacpp",
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "meta": {"n_ctx": 2048, "n_ctx_train": 4096},
        }
    ],
}
VLLM = {"object": "list", "data": [{"id": "big", "owned_by": "vllm", "max_model_len": 32768, "permission": []}]}
MLC = {"object": "list", "data": [{"id": "small", "owned_by": "MLC-LLM"}]}
LCP = {"object": "list", "data": [{"id": "small", "owned_by": "me", "permissions": []}]}
OTHER = {"object": "list", "data": [{"id": "x", "owned_by": "organization_owner"}]}

CHAT = {
    "id": "c1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("").rstrip("/")
    endpoints = {
        "lab": EndpointConfig(backend="llvm", base_url=url),
        "lab1": EndpointConfig(backend="llvm", base_url=f"{url}/v1"),
        "set": EndpointConfig(backend="llvm", base_url=url, options={"server": "vllm"}),
    }
    with Client(endpoints=endpoints) as client:
        yield client


def paths(httpserver: HTTPServer) -> list[str]:
    return [f"{request.method} {request.path}" for request, _ in httpserver.log]


@pytest.mark.parametrize("owner", ["llamacpp", "me", "organization_owner"])
@pytest.mark.parametrize("model", ["x-Q6_K.gguf", "/models/a/x-00001-of-00005.gguf", "me/x-GGUF/x.gguf", "./here.gguf"])
def test_ids_are_the_servers_own_where_it_has_an_address(
    model: str, owner: str, client: Client, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.gguf").write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    listed = {"data": [{"id": model, "owned_by": owner}]}
    httpserver.expect_request("/props").respond_with_json({})
    httpserver.expect_request("/v1/models").respond_with_json(listed)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    (found,) = client.list_models("lab")
    assert client.chat(f"lab/{found.id}", "hi").text == "hi"
    assert sent(httpserver)["model"] == model
    assert client.show_model(f"lab/{found.id}").id == model


@pytest.mark.parametrize(
    ("models", "kind"),
    [
        (LLAMACPP, "llama.cpp"),
        (VLLM, "vllm"),
        (MLC, "mlc"),
        (LCP, "llama-cpp-python"),
        (OTHER, "other"),
        ({"data": []}, "other"),
    ],
)
def test_the_owner_of_the_models_names_the_server(
    models: Any, kind: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(models)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    for _ in range(2):
        assert client.chat("lab/m", "hi").text == "hi"
    assert paths(httpserver) == ["GET /v1/models", "POST /v1/chat/completions", "POST /v1/chat/completions"]
    assert client._core._targets["lab"].endpoint.memo == {"server": kind}


def test_a_server_that_is_configured_is_not_asked(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    client.chat("set/m", "hi")
    assert paths(httpserver) == ["POST /v1/chat/completions"]


def test_a_base_url_may_end_with_v1(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(VLLM)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    assert client.chat("lab1/m", "hi").text == "hi"


@pytest.mark.parametrize(
    ("routes", "kind"),
    [
        ({"/openapi.json": {"paths": {"/health": {}, "/generate": {}}}}, "shortfin"),
        ({"/models": [{"id": "a"}]}, "infer"),
        ({"/openapi.json": {"paths": {}}, "/models": {"models": []}}, "infer"),
        ({"/openapi.json": {"paths": {}}, "/models": {"hello": 1}}, None),
        ({}, None),
    ],
)
def test_servers_without_openais_list_are_told_apart(
    routes: dict[str, Any], kind: str | None, client: Client, httpserver: HTTPServer
) -> None:
    for path, answer in routes.items():
        httpserver.expect_request(path).respond_with_json(answer)
    for path in {"/v1/models", "/openapi.json", "/models"} - routes.keys():
        httpserver.expect_request(path).respond_with_data(status=404)
    with pytest.raises(e.UnsupportedOperationError) as caught:
        client.rerank("lab/m", "q", ["a"])
    if kind is None:
        assert "is none of models that this plugin knows (GET /v1/models:" in caught.value.message
        assert "GET /models:" in caught.value.message
    else:
        assert f"is {kind}, which has no rerank" in caught.value.message
        assert client._core._targets["lab"].endpoint.memo["server"] == kind
    assert all(path.startswith("GET") for path in paths(httpserver))


@pytest.mark.parametrize("call", ["embed", "healthcheck", "list_models"])
def test_openais_dialect_without_v1_is_the_business_of_another_backend(
    call: str, client: Client, httpserver: HTTPServer
) -> None:
    listed = {"object": "list", "data": [{"id": "x", "object": "model", "owned_by": "infinity"}]}
    httpserver.expect_request("/models").respond_with_json(listed)
    for path in ("/v1/models", "/openapi.json"):
        httpserver.expect_request(path).respond_with_data(status=404)
    with pytest.raises(e.UnsupportedOperationError, match="speaks OpenAI's dialect without /v1") as caught:
        client.embed("lab/x", "a") if call == "embed" else getattr(client, call)("lab")
    assert "backend openai" in (caught.value.hint or "")


def test_a_missing_key_is_the_real_calls_error(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_data('{"error":"Unauthorized"}', status=401)
    httpserver.expect_request("/v1/chat/completions").respond_with_data('{"error":"Unauthorized"}', status=401)
    with pytest.raises(e.AuthenticationError, match="Unauthorized"):
        client.chat("lab/m", "hi")


def test_a_server_that_loads_says_so(client: Client, httpserver: HTTPServer) -> None:
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    httpserver.expect_request("/v1/models").respond_with_json(loading, status=503)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(loading, status=503)
    httpserver.expect_request("/health").respond_with_json(loading, status=503)
    with pytest.raises(e.OverloadedError, match="Loading model") as caught:
        client.chat("lab/m", "hi")
    assert caught.value.retryable
    assert client.healthcheck("lab").status == "loading"


def test_nobody_there_says_how_to_start_one() -> None:
    with Client(endpoints={"lab": EndpointConfig(backend="llvm", base_url="http://127.0.0.1:1")}) as client:
        with pytest.raises(e.APIConnectionError) as caught:
            client.chat("lab/m", "hi")
        assert "llama-server -m model.gguf" in (caught.value.hint or "")
        assert client.healthcheck("lab").status == "unreachable"


@pytest.mark.parametrize(
    ("models", "extra", "expected"),
    [
        (
            VLLM,
            {"guided_regex": "a+", "guided_whitespace_pattern": " "},
            {"structured_outputs": {"regex": "a+", "whitespace_pattern": " "}},
        ),
        (VLLM, {"guided_json": {}, "guided_decoding_backend": "x"}, {"structured_outputs": {"json": {}}}),
        (LLAMACPP, {"guided_regex": "a+"}, {"guided_regex": "a+"}),
        (LLAMACPP, {"min_p": 0.1}, {"min_p": 0.1}),
    ],
)
def test_removed_fields_are_translated_where_they_would_be_ignored(
    models: Any, extra: dict[str, Any], expected: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(models)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    client.chat("lab/m", "hi", extra=extra)
    body = sent(httpserver)
    del body["model"], body["messages"]
    assert body == expected


def test_mlc_gets_its_schema_as_text_and_never_a_user(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(MLC)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    client.chat("lab/m", "hi", response_format={"type": "object"})
    assert sent(httpserver)["response_format"] == {"type": "json_object", "json_schema": '{"type":"object"}'}
    with pytest.raises(e.UnsupportedParameterError, match="user, top_k"):
        client.chat("lab/m", "hi", user="u", top_k=3)
    with pytest.raises(e.UnsupportedParameterError, match="tool_choice"):
        client.chat("lab/m", "hi", tools=[Tool(name="f")], tool_choice="required")
    with pytest.warns(UserWarning, match="user"):
        client.chat("lab/m", "hi", user="u", on_unsupported="warn")
    assert "user" not in sent(httpserver)


def test_mlc_gives_arguments_as_an_object_and_errors_as_text_in_text(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(MLC)
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"x": 1}}}],
    }
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer)
    assert client.chat("lab/m", "hi").message == Message.assistant(ToolCall(id="1", name="f", arguments='{"x":1}'))
    httpserver.expect_request("/v1/completions").respond_with_data(
        json.dumps('{"object":"error","message":"not served","code":400}'), status=400
    )
    with pytest.raises(e.BadRequestError, match=r": not served$"):
        client.complete("lab/m", "hi")


@pytest.mark.parametrize(
    ("models", "place"),
    [
        (LLAMACPP, "reasoning_content"),
        (OTHER, "reasoning_content"),
        (VLLM, "reasoning"),
        (MLC, None),
        (LCP, None),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_goes_back_where_the_server_reads_it_or_is_named(
    models: Any, place: str | None, streamed: bool, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(models)
    if streamed:
        choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
        body = f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\ndata: [DONE]\n\n"
        httpserver.expect_request("/v1/chat/completions").respond_with_data(body, content_type="text/event-stream")
    else:
        httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    thought = Message(role="assistant", content=(Reasoning(text="hm"), Text(text="a")))
    history = [Message.user("q"), thought, Message.user("b")]
    ask = (lambda *given: client.stream(*given).read()) if streamed else client.chat
    if place is None:
        with pytest.warns(UserWarning, match=r"is not told .*messages\[1\]\.reasoning"):
            ask("lab/m", history)
    else:
        ask("lab/m", history)
    expected = {"role": "assistant", "content": "a"} | ({} if place is None else {place: "hm"})
    assert sent(httpserver)["messages"][1] == expected


def test_reasoning_has_two_names(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(VLLM)
    for name in ("reasoning", "reasoning_content"):
        message = {"role": "assistant", "content": "a", name: "r"}
        httpserver.clear()
        httpserver.expect_request("/v1/models").respond_with_json(VLLM)
        httpserver.expect_request("/v1/chat/completions").respond_with_json({"choices": [{"message": message}]})
        assert client.chat("lab/m", "hi").reasoning == "r"


def test_only_what_a_server_said_is_the_servers_word(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(LLAMACPP)
    said = {"chat_template": "t", "chat_template_caps": {"supports_tools": False}, "modalities": {"vision": True}}
    httpserver.expect_request("/props").respond_with_json(said)
    httpserver.expect_request("/v1/rerank").respond_with_json({"error": {"message": "no", "code": 501}}, 501)
    with pytest.raises(e.NotSupportedByServerError):
        client.rerank("lab/tiny", "q", ["a"])
    for feature, expected in {
        "chat": "yes (server)",
        "tools": "no (server)",
        "vision": "yes (server)",
        "rerank": "no (server)",  # as it has answered
        "json_schema": "yes (catalogue)",
        "classify": "no (hook)",
    }.items():
        assert str(client.supports("lab/tiny", feature)) == expected


def streamed(client: Client, *arguments: Any, **options: Any) -> Any:
    return client.stream(*arguments, **options).read()


TOOLS = [Tool(name="f"), Tool(name="g")]
CHUNKS = (
    'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}\n\n'
    "data: [DONE]\n\n"
)


@pytest.mark.parametrize("call", [Client.chat, streamed], ids=["whole", "streamed"])
def test_a_choice_of_tools_holds_or_is_named(call: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(LLAMACPP)
    chat = httpserver.expect_request("/v1/chat/completions")
    if call is streamed:
        chat.respond_with_data(CHUNKS, content_type="text/event-stream")
    else:
        chat.respond_with_json(CHAT)
    with pytest.warns(UserWarning, match=r"the other tools \(f\) cannot be called"):
        call(client, "lab/m", "hi", tools=TOOLS, tool_choice="g")
    body = sent(httpserver)
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["g"], "required")
    with (
        pytest.raises(e.UnsupportedParameterError, match="parallel_tool_calls"),
        pytest.warns(UserWarning, match="alone"),
    ):
        call(client, "lab/m", "hi", tools=TOOLS, tool_choice="g", parallel_tool_calls=True)
    httpserver.expect_request("/v1/chat/completions/input_tokens").respond_with_json({"input_tokens": 5})
    assert client.count_tokens("lab/m", "hi", tools=TOOLS, tool_choice="g").input_tokens == 5
    assert len(sent(httpserver)["tools"]) == 1  # as it is asked
    call(client, "lab/m", "hi", tools=TOOLS, tool_choice="required")
    assert len(sent(httpserver)["tools"]) == 2
    call(client, "set/m", "hi", tools=TOOLS, tool_choice="g")  # vLLM heeds names
    assert sent(httpserver)["tool_choice"]["function"]["name"] == "g"


def test_a_server_of_ollamas_heeds_no_choice(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m", "owned_by": "library"}]})
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    with pytest.raises(e.UnsupportedParameterError, match="tool_choice"):
        client.chat("lab/m", "hi", tools=TOOLS, tool_choice="g")
    client.chat("lab/m", "hi", tools=TOOLS, tool_choice="none")
    assert "tools" not in sent(httpserver)


def test_models_tell_their_context(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/models").respond_with_json(LLAMACPP)
    httpserver.expect_ordered_request("/v1/models").respond_with_json(LLAMACPP)
    (model,) = client.list_models("lab")
    assert (model.id, model.context_window, model.input_modalities) == ("tiny", 2048, frozenset({"text", "image"}))
    httpserver.clear()
    httpserver.expect_request("/v1/models").respond_with_json(VLLM)
    assert client.list_models("set")[0].context_window == 32768
    with pytest.raises(e.ModelNotFoundError, match="'small'") as caught:
        client.show_model("set/small")
    assert caught.value.hint == "it has: big"


def test_vllm_health_and_tokens(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("")
    httpserver.expect_request("/version").respond_with_json({"version": "0.33.0"})
    httpserver.expect_request(
        "/tokenize", json={"prompt": "a b", "add_special_tokens": True, "model": "big"}
    ).respond_with_json({"count": 2, "max_model_len": 9, "tokens": [1, 2], "token_strs": None})
    httpserver.expect_request(
        "/tokenize", json={"model": "big", "messages": [{"role": "user", "content": "hi"}]}
    ).respond_with_json({"count": 7, "tokens": []})
    httpserver.expect_request("/detokenize", json={"model": "big", "tokens": [1]}).respond_with_json({"prompt": "a"})
    assert client.healthcheck("set").server == "vLLM 0.33.0"
    assert client.tokenize("set/big", "a b", add_special=True).tokens == (1, 2)
    assert client.count_tokens("set/big", "hi").input_tokens == 7
    assert client.detokenize("set/big", [1]).text == "a"


def test_rerank(client: Client, httpserver: HTTPServer) -> None:
    answer = {
        "model": "big",
        "results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}],
        "usage": {"prompt_tokens": 5},
    }
    httpserver.expect_request(
        "/v1/rerank", json={"query": "q", "documents": ["a", "b"], "model": "big", "top_n": 1}
    ).respond_with_json(answer)
    reply = client.rerank("set/big", "q", ["a", "b"], top_n=1)
    assert [(each.index, each.document) for each in reply.results] == [(1, "b")]
    assert reply.usage.input_tokens == 5


def test_a_call_that_the_server_does_not_have(client: Client) -> None:
    with pytest.raises(e.UnsupportedOperationError, match="is vllm, which has no /props") as caught:
        client.call("set", "props")
    assert caught.value.hint == "/props needs llama.cpp"


def test_the_alias_has_its_own_place_and_key() -> None:
    environ = {"VLLM_API_URL": "http://gpu:9", "VLLM_API_KEY": "sk-v"}
    from ipfs_accel import load_config

    with Client(load_config(None, environ)) as client:
        from ipfs_accel._worlds.perform import perform

        target = perform(client._core.target("vllm"), client._world)
        assert (target.endpoint.base_url, target.endpoint.at_default_url) == ("http://gpu:9", False)
        assert target.key_headers("http://gpu:9") == (("authorization", "Bearer sk-v"),)
