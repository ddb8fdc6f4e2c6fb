"""Requests and answers held to Ollama's own Python client: the same call made with both has to send and read the same.

The client is a development dependency only. Both talk to a server that records what it is sent.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, Image, JsonSchema, Message, Tool
from ipfs_accel.types import Reasoning, ToolCall, Upload
from ipfs_accel_ollama import durations
from ipfs_accel_ollama._host import read_host
from pytest_httpserver import HTTPServer

from .conftest import END, chat, generated, ndjson

vendor = pytest.importorskip("ollama", reason="Ollama's own client is the oracle of these tests")

PNG = b"\x89PNG\r\n\x1a\n0"
USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "d"}}, "required": ["city"]}
WIRE_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA}}
TOOL = Tool(name="get_weather", description="d", parameters=SCHEMA)
WIRE_CALL = {"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
CALL = ToolCall(id="call_1", name="get_weather", arguments='{"city": "Paris"}')
RUNNER = {
    "num_keep": 5, "seed": 42, "num_predict": 100, "top_k": 20, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.7, "repeat_last_n": 33,
    "temperature": 0.8, "repeat_penalty": 1.2, "presence_penalty": 1.5, "frequency_penalty": 1.0, "mirostat": 1, "mirostat_tau": 0.8,
    "mirostat_eta": 0.6, "penalize_newline": True, "stop": ["\n", "user:"], "numa": False, "num_ctx": 1024, "num_batch": 2, "num_gpu": 1,
    "main_gpu": 0, "use_mmap": True, "num_thread": 8, "tfs_z": 1.0, "low_vram": False, "f16_kv": True, "use_mlock": False,
    "vocab_only": False, "logits_all": False, "embedding_only": False, "draft_num_predict": 2,
}  # fmt: skip


def without_differences(body: Any) -> Any:
    """Take out of a body what differs on purpose.

    - The client says `tools: []` where there are none, and `insecure: false` where nobody asked; we say nothing.
    - It drops a message's empty content; we keep it.
    - Its messages have no ids: we send a tool call's id and position, and the id in the tool's result, which newer
      servers read and older ones ignore.
    """
    if not isinstance(body, dict):
        return body
    body = {name: value for name, value in body.items() if (name, value) not in (("tools", []), ("insecure", False))}
    if "messages" in body:
        body["messages"] = [_message(message) for message in body["messages"]]
    return body


def _message(message: dict[str, Any]) -> dict[str, Any]:
    message = {
        name: value for name, value in message.items() if name != "tool_call_id" and (name, value) != ("content", "")
    }
    for call in message.get("tool_calls", ()):
        call.pop("id", None)
        call["function"].pop("index", None)
    return message


@pytest.fixture(scope="module")
def sdk(make_httpserver: HTTPServer) -> Iterator[Any]:
    with vendor.Client(make_httpserver.url_for("").rstrip("/")) as sdk:
        yield sdk


@pytest.fixture
def both(sdk: Any, client: Client, httpserver: HTTPServer) -> Callable[..., Any]:
    """Make a call with both, compare what they sent, and return both answers."""

    def both(theirs: Callable[[Any], Any], ours: Callable[[Client], Any]) -> tuple[Any, Any]:
        answers, requests = [], []
        for call, caller in ((theirs, sdk), (ours, client)):
            before = len(httpserver.log)
            answer = call(caller)
            answers.append(list(answer) if isinstance(answer, Iterator) else answer)
            requests.append([_sent(request) for request, _ in httpserver.log[before:]])
        if len(requests[1]) > len(requests[0]):  # before pictures go out, we ask whether the model sees
            assert requests[1].pop(0)[1] == "/api/show"
        assert requests[1] == requests[0]
        assert requests[0]
        return answers[0], answers[1]

    return both


def _sent(request: Any) -> tuple[Any, ...]:
    data = request.get_data()
    body = without_differences(json.loads(data)) if data.startswith(b"{") else data
    if isinstance(body, dict) and body.get("truncate") is False:
        del body["truncate"]  # which we send of ourselves, as servers cut in silence
    return request.method, request.path, dict(request.args), body


# (what the client is given beside the model, our messages, our options)
CHATS: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"messages": USER}, "hi", {}),
    ({"messages": [{"role": "system", "content": "s"}, *USER, {"role": "assistant", "content": "a"}, *USER]}, [Message.system("s"), "hi", Message.assistant("a"), "hi"], {}),
    ({"messages": [{"role": "user", "content": "see", "images": [PNG]}]}, Message.user("see", Image(data=PNG)), {}),
    ({"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [TOOL]}),
    ({"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [WIRE_TOOL], "tool_choice": "auto"}),
    ({"messages": USER}, "hi", {"tools": [TOOL], "tool_choice": "none"}),
    ({"messages": [*USER, {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [WIRE_CALL]}, {"role": "tool", "tool_name": "get_weather", "content": "14 C"}]},
     ["hi", Message.assistant(Reasoning(text="t"), CALL), Message.tool("call_1", "14 C")], {}),
    ({"messages": USER, "format": "json"}, "hi", {"response_format": "json"}),
    ({"messages": USER, "format": SCHEMA}, "hi", {"response_format": JsonSchema(schema=SCHEMA)}),
    ({"messages": USER, "format": SCHEMA}, "hi", {"extra": {"format": SCHEMA}}),
    ({"messages": USER, "think": True}, "hi", {"reasoning_effort": "on"}),
    ({"messages": USER, "think": False}, "hi", {"reasoning_effort": "none"}),
    ({"messages": USER, "think": "low"}, "hi", {"reasoning_effort": "low"}),
    ({"messages": USER, "think": "medium"}, "hi", {"reasoning_effort": "medium"}),
    ({"messages": USER, "think": "high"}, "hi", {"reasoning_effort": "high"}),
    ({"messages": USER, "think": "max"}, "hi", {"reasoning_effort": "max"}),
    ({"messages": USER, "think": True}, "hi", {"extra": {"think": True}}),
    ({"messages": USER, "keep_alive": "10m"}, "hi", {"extra": {"keep_alive": "10m"}}),
    ({"messages": USER, "keep_alive": 300}, "hi", {"extra": {"keep_alive": "300"}}),
    ({"messages": USER, "keep_alive": -1}, "hi", {"extra": {"keep_alive": -1}}),
    ({"messages": USER, "keep_alive": 0}, "hi", {"extra": {"keep_alive": 0}}),
    ({"messages": USER, "logprobs": True, "top_logprobs": 3}, "hi", {"logprobs": True, "top_logprobs": 3}),
    ({"messages": USER, "options": {"num_predict": 5}}, "hi", {"max_tokens": 5}),
    ({"messages": USER, "options": {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "seed": 1}}, "hi", {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "seed": 1}),
    ({"messages": USER, "options": {"frequency_penalty": 0.1, "presence_penalty": 0.2}}, "hi", {"frequency_penalty": 0.1, "presence_penalty": 0.2}),
    ({"messages": USER, "options": {"stop": ["a", "b"]}}, "hi", {"stop": ["a", "b"]}),
    ({"messages": USER, "options": RUNNER}, "hi", {"extra": RUNNER}),
    ({"messages": USER, "options": RUNNER}, "hi", {"extra": {"options": RUNNER}}),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "messages", "options"), CHATS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_is_asked_for_as_the_client_does(
    theirs: dict[str, Any],
    messages: Any,
    options: dict[str, Any],
    streamed: bool,
    both: Callable[..., Any],
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/api/chat").respond_with_data(ndjson({**chat(), **END}))
    both(
        lambda sdk: sdk.chat("m", stream=streamed, **theirs),
        lambda client: (
            client.stream("ollama/m", messages, **options).read()
            if streamed
            else client.chat("ollama/m", messages, **options)
        ),
    )


# (what the client is given beside the model, our prompt, our options)
COMPLETIONS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"prompt": "hi"}, "hi", {}),
    ({"prompt": ""}, "", {}),
    ({"prompt": "", "keep_alive": 0}, "", {"extra": {"keep_alive": 0}}),
    ({"prompt": "def f(", "suffix": "return"}, "def f(", {"suffix": "return"}),
    ({"prompt": "hi", "system": "s", "template": "{{ .Prompt }}"}, "hi", {"extra": {"system": "s", "template": "{{ .Prompt }}"}}),
    ({"prompt": "hi", "raw": True}, "hi", {"extra": {"raw": True}}),
    ({"prompt": "hi", "context": [1, 2, 3]}, "hi", {"extra": {"context": [1, 2, 3]}}),
    ({"prompt": "hi", "images": [PNG]}, "hi", {"extra": {"images": [PNG]}}),
    ({"prompt": "hi", "images": [PNG, PNG]}, "hi", {"extra": {"images": [Image(data=PNG), PNG]}}),
    ({"prompt": "hi", "format": "json"}, "hi", {"extra": {"format": "json"}}),
    ({"prompt": "hi", "format": SCHEMA}, "hi", {"extra": {"format": SCHEMA}}),
    ({"prompt": "hi", "think": "high"}, "hi", {"extra": {"think": "high"}}),
    ({"prompt": "hi", "logprobs": True, "top_logprobs": 2}, "hi", {"logprobs": 2}),
    ({"prompt": "hi", "logprobs": True}, "hi", {"logprobs": 0}),
    ({"prompt": "hi", "keep_alive": "1h"}, "hi", {"extra": {"keep_alive": "1h"}}),
    ({"prompt": "hi", "width": 64, "height": 64, "steps": 4}, "hi", {"extra": {"width": 64, "height": 64, "steps": 4}}),
    ({"prompt": "hi", "options": {"num_predict": 5, "stop": ["a"]}}, "hi", {"max_tokens": 5, "stop": "a"}),
    ({"prompt": "hi", "options": RUNNER}, "hi", {"extra": RUNNER}),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "prompt", "options"), COMPLETIONS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_completion_is_asked_for_as_the_client_does(
    theirs: dict[str, Any],
    prompt: str,
    options: dict[str, Any],
    streamed: bool,
    both: Callable[..., Any],
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/api/generate").respond_with_data(ndjson({**generated(), **END}))
    both(
        lambda sdk: sdk.generate("m", stream=streamed, **theirs),
        lambda client: (
            client.stream_complete("ollama/m", prompt, **options).read()
            if streamed
            else client.complete("ollama/m", prompt, **options)
        ),
    )


# (what the client is given beside the model, our inputs, our options)
EMBEDDINGS: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"input": "a"}, "a", {}),
    ({"input": ["a", "b"]}, ["a", "b"], {}),
    ({"input": "a", "truncate": False}, "a", {"extra": {"truncate": False}}),
    ({"input": "a", "truncate": True, "dimensions": 2}, "a", {"dimensions": 2, "extra": {"truncate": True}}),
    ({"input": "a", "keep_alive": 5, "options": {"num_ctx": 9, "num_thread": 1}}, "a", {"extra": {"keep_alive": 5, "num_ctx": 9, "num_thread": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "inputs", "options"), EMBEDDINGS)
def test_vectors_are_asked_for_and_read_as_the_client_does(
    theirs: dict[str, Any], inputs: Any, options: dict[str, Any], both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    vectors = [[0.5, 0.25]] * (2 if isinstance(inputs, list) else 1)
    httpserver.expect_request("/api/embed").respond_with_json(
        {"model": "m", "embeddings": vectors, "prompt_eval_count": 3}
    )
    expected, actual = both(
        lambda sdk: sdk.embed("m", **theirs), lambda client: client.embed("ollama/m", inputs, **options)
    )
    assert [list(vector) for vector in actual.vectors] == expected.embeddings
    assert (actual.model, actual.usage.input_tokens) == (expected.model, expected.prompt_eval_count)


def test_the_old_route_for_one_vector(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/embeddings").respond_with_json({"embedding": [1.5, 2.5]})
    expected, actual = both(
        lambda sdk: sdk.embeddings("m", prompt="a", options={"num_ctx": 5}, keep_alive="1m"),
        lambda client: client.call("ollama", "embeddings", model="m", prompt="a", num_ctx=5, keep_alive="1m"),
    )
    assert actual["embedding"] == expected.embedding


TIMES = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
LOGPROBS = [{"token": "H", "logprob": -0.5, "top_logprobs": [{"token": "h", "logprob": -1.5}]}]
ANSWERS: list[list[dict[str, Any]]] = [
    [{**chat("Hi."), **END}],
    [{**chat(""), **END, "done_reason": "length"}],
    [{**chat("17", thinking="hm"), **END}],
    [{**chat("", tool_calls=[{"id": "c1", **WIRE_CALL}, WIRE_CALL]), **END}],
    [{**chat("H"), "logprobs": LOGPROBS, **END}],
    [{**chat("H"), "done": True, "done_reason": "stop"}],
    [chat("", thinking="h"), chat("", thinking="m"), chat("1"), chat("7"), {**chat(""), **END}],
    [chat("", tool_calls=[WIRE_CALL]), chat("", tool_calls=[WIRE_CALL]), {**chat(""), **END}],
]


@pytest.mark.parametrize("lines", ANSWERS)
def test_an_answer_is_read_as_the_client_does(
    lines: list[dict[str, Any]], both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/chat").respond_with_data(ndjson(*lines), content_type="application/x-ndjson")
    if len(lines) == 1:
        expected, actual = both(lambda sdk: sdk.chat("m", USER), lambda client: client.chat("ollama/m", "hi"))
        agree([expected], actual)
    expected, actual = both(
        lambda sdk: sdk.chat("m", USER, stream=True), lambda client: client.stream("ollama/m", "hi").read()
    )
    agree(expected, actual)


def agree(expected: list[Any], actual: Any) -> None:
    """Compare the parts of an answer that both have; the client hands out lines and does not join them."""
    last = expected[-1]
    assert actual.text == "".join([line.message.content or "" for line in expected])
    assert (actual.reasoning or "") == "".join([line.message.thinking or "" for line in expected])
    calls = [call.function for line in expected for call in line.message.tool_calls or ()]
    assert [(call.name, call.parse_arguments()) for call in actual.tool_calls] == [
        (call.name, call.arguments) for call in calls
    ]
    assert actual.finish_reason == ("tool_calls" if calls else last.done_reason)
    assert (actual.usage.input_tokens, actual.usage.output_tokens or None) == (last.prompt_eval_count, last.eval_count)
    assert [actual.extra.get(name) for name in TIMES] == [getattr(last, name) for name in TIMES]
    assert durations(actual).total == (last.total_duration and last.total_duration / 1e9)
    probable = [token for line in expected for token in line.logprobs or ()]
    assert [(each.token, each.logprob) for each in actual.choices[0].logprobs or ()] == [
        (each.token, each.logprob) for each in probable
    ]
    tops = [[(top.token, top.logprob) for top in each.top_logprobs or ()] for each in probable]
    assert [[(top.token, top.logprob) for top in each.top] for each in actual.choices[0].logprobs or ()] == tops


def test_a_completion_is_read_as_the_client_does(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    lines = [generated("a", thinking="t"), generated("b"), {**generated(""), "context": [1, 2], **END}]
    httpserver.expect_request("/api/generate").respond_with_data(ndjson(*lines), content_type="application/x-ndjson")
    expected, actual = both(
        lambda sdk: sdk.generate("m", "hi", stream=True), lambda client: client.stream_complete("ollama/m", "hi").read()
    )
    assert actual.text == "".join([line.response for line in expected])
    assert actual.extra["thinking"] == "".join([line.thinking or "" for line in expected])
    assert actual.extra["context"] == list(expected[-1].context)
    assert actual.finish_reason == expected[-1].done_reason


def test_models_are_listed_shown_and_told_when_loaded(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    details = {"family": "llama", "parameter_size": "1B", "quantization_level": "Q8_0"}
    item = {
        "name": "m:latest",
        "model": "m:latest",
        "modified_at": "2025-05-10T08:06:48.639712648-07:00",
        "size": 5,
        "digest": "d",
        "details": details,
    }
    httpserver.expect_request("/api/tags", method="GET").respond_with_json({"models": [item]})
    httpserver.expect_request("/api/ps", method="GET").respond_with_json(
        {"models": [{**item, "expires_at": "2026-01-01T00:00:00Z", "size_vram": 2, "context_length": 9}]}
    )
    facts = {"general.architecture": "llama", "llama.context_length": 2048}
    httpserver.expect_request("/api/show").respond_with_json(
        {"model_info": facts, "capabilities": ["completion"], "details": details, "template": "t"}
    )
    expected, (model,) = both(lambda sdk: sdk.list(), lambda client: client.list_models("ollama"))
    assert (model.id, model.created) == (expected.models[0].model, int(expected.models[0].modified_at.timestamp()))
    assert model.raw["size"] == expected.models[0].size
    expected, (running,) = both(lambda sdk: sdk.ps(), lambda client: client.running_models("ollama"))
    assert (running.id, running.size, running.gpu_size) == (
        expected.models[0].name,
        expected.models[0].size,
        expected.models[0].size_vram,
    )
    assert (running.context_window, running.expires) == (9, expected.models[0].expires_at.timestamp())
    expected, model = both(lambda sdk: sdk.show("m"), lambda client: client.show_model("ollama/m"))
    assert model.context_window == expected.modelinfo["llama.context_length"]
    assert model.features["chat"].value == "yes"
    assert model.raw["template"] == expected.template


@pytest.mark.parametrize("name", ["pull", "push"])
@pytest.mark.parametrize("insecure", [False, True])
def test_a_transfer_is_asked_for_and_followed_as_the_client_does(
    name: str, insecure: bool, both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    lines = [
        {"status": f"{name}ing 0a1b2c3d4e5f", "digest": "sha256:x", "total": 9, "completed": 4},
        {"status": "success"},
    ]
    httpserver.expect_request(f"/api/{name}").respond_with_data(ndjson(*lines), content_type="application/x-ndjson")
    options = {"extra": {"insecure": True}} if insecure else {}
    expected, actual = both(
        lambda sdk: getattr(sdk, name)("m", insecure=insecure, stream=True),
        lambda client: list(getattr(client, f"stream_{name}_model")("ollama/m", **options)),
    )
    assert [(each.completed, each.total) for each in actual] == [(each.completed, each.total) for each in expected]
    assert [" ".join(filter(None, (each.status, each.item))) for each in actual] == [each.status for each in expected]


def test_a_model_is_made_as_the_client_makes_it(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/create").respond_with_data(
        ndjson({"status": "success"}), content_type="application/x-ndjson"
    )
    made = {"template": "t", "system": "s", "parameters": {"num_ctx": 5}, "quantize": "q8_0", "license": ["a", "b"]}
    both(
        lambda sdk: sdk.create("new", from_="m", stream=True, messages=USER, **made),
        lambda client: client.create_model("ollama/new", base="m", messages="hi", **made),
    )


def test_files_are_sent_as_the_client_sends_them_but_only_if_they_are_missing(
    sdk: Any, client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF" * 1000)
    digest = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    httpserver.expect_request(f"/api/blobs/{digest}", method="HEAD").respond_with_data(status=404)
    httpserver.expect_request(f"/api/blobs/{digest}", method="POST").respond_with_data(status=201)
    httpserver.expect_request("/api/create").respond_with_data(
        ndjson({"status": "success"}), content_type="application/x-ndjson"
    )
    assert sdk.create_blob(weights) == digest
    list(sdk.create("new", files={"w.gguf": digest}, adapters={"a": digest}, stream=True))
    theirs = [_sent(request) for request, _ in httpserver.log]
    httpserver.clear_log()
    client.create_model("ollama/new", files=weights, adapters=Upload.of(weights, name="a"))
    ours = [_sent(request) for request, _ in httpserver.log]
    head = ("HEAD", f"/api/blobs/{digest}", {}, b"")
    # We ask first, as Ollama's command line does; the client sends what the server may have.
    assert ours == [head, theirs[0], head, theirs[0], theirs[1]]


def test_models_are_copied_and_deleted_as_the_client_does(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/copy", method="POST").respond_with_data("")
    httpserver.expect_request("/api/delete", method="DELETE").respond_with_data("")
    both(lambda sdk: sdk.copy("a", "b"), lambda client: client.copy_model("ollama/a", "b"))
    both(lambda sdk: sdk.delete("a"), lambda client: client.delete_model("ollama/a"))


def test_questions_are_asked_as_the_client_asks_them(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/systemone").respond_with_json(
        {"answers": {"a": {"type": "noul", "noul": 0.5}}, "model": "m"}
    )
    questions = {"a": {"type": "noul", "instructions": "Is it?"}}
    given = {"model": "m", "state": "s", "questions": questions, "keep_alive": 5}

    def theirs(sdk: Any) -> None:
        try:
            sdk.systemone(**given)
        except ValueError:  # how an answer looks is none of this test's business
            return

    both(theirs, lambda client: client.call("ollama", "systemone", **given))


@pytest.mark.parametrize("lines", [[{"error": "broken"}], [chat("a"), {"error": "broken"}]])
def test_what_the_client_calls_an_error_is_one(
    lines: list[Any], sdk: Any, client: Client, httpserver: HTTPServer
) -> None:
    from ipfs_accel.errors import APIStatusError

    httpserver.expect_request("/api/chat").respond_with_data(ndjson(*lines), content_type="application/x-ndjson")
    with pytest.raises(vendor.ResponseError, match="broken"):
        list(sdk.chat("m", USER, stream=True))
    with pytest.raises(APIStatusError, match="broken"):
        client.stream("ollama/m", "hi").read()


@pytest.mark.parametrize(
    "host",
    ["", "1.2.3.4", ":56789", "1.2.3.4:56789", "http://1.2.3.4", "https://1.2.3.4", "https://1.2.3.4:56789", "example.com", "example.com:56789",
     "http://example.com", "https://example.com", "https://example.com:56789", "example.com/", "example.com:56789/", "example.com/path",
     "example.com:56789/path", "https://example.com:56789/path", "example.com:56789/path/", "[0001:002:003:0004::1]", "[0001:002:003:0004::1]:56789",
     "http://[0001:002:003:0004::1]", "https://[0001:002:003:0004::1]", "https://[0001:002:003:0004::1]:56789", "[0001:002:003:0004::1]/",
     "[0001:002:003:0004::1]:56789/path/"],
)  # fmt: skip
def test_hosts_are_read_as_the_client_reads_them(host: str) -> None:
    from urllib.parse import urlsplit

    from ollama._client import _parse_host

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, actual = urlsplit(_parse_host(host)), urlsplit(read_host(host))
    # A scheme's own port is left out, so that the place is the one that a key was given for.
    usual = {"http": 80, "https": 443}
    assert (actual.scheme, actual.hostname, actual.port or usual[actual.scheme]) == (
        expected.scheme,
        expected.hostname,
        expected.port,
    )
    assert actual.path == expected.path
