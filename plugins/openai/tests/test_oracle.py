"""Requests and answers held to OpenAI's own SDK: the same call made with both has to send and read the same.

The SDK is a development dependency only. Both talk to a server that records what it is sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Audio, Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel.types import Refusal, ToolCall
from pytest_httpserver import HTTPServer

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt "
PDF = b"%PDF-1.7"
USER = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WIRE_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "d", "parameters": WEATHER, "strict": True},
}
TOOL = Tool(name="get_weather", description="d", parameters=WEATHER, strict=True)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# (name, what the SDK is given, our messages, our options). The model is gpt-4o for both unless an option names another.
CHATS: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("a plain question", {"messages": USER}, "hi", {}),
    ("a developer and a system", {"messages": [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}, *USER]},
     [Message(role="developer", content="a"), Message.system("b"), "hi"], {}),
    ("a name", {"messages": [{"role": "user", "content": "hi", "name": "Ann"}]}, Message(role="user", content="hi", name="Ann"), {}),
    ("a limit", {"messages": USER, "max_completion_tokens": 5}, "hi", {"max_tokens": 5}),
    ("sampling", {"messages": USER, "temperature": 0.5, "top_p": 0.9, "seed": 7}, "hi", {"temperature": 0.5, "top_p": 0.9, "seed": 7}),
    ("penalties", {"messages": USER, "frequency_penalty": 1, "presence_penalty": -1}, "hi", {"frequency_penalty": 1, "presence_penalty": -1}),
    ("stops", {"messages": USER, "stop": ["a", "b"]}, "hi", {"stop": ["a", "b"]}),
    ("several answers", {"messages": USER, "n": 3}, "hi", {"n": 3}),
    ("bias", {"messages": USER, "logit_bias": {"50256": -100}}, "hi", {"logit_bias": {"50256": -100}}),
    ("log probabilities", {"messages": USER, "logprobs": True, "top_logprobs": 3}, "hi", {"logprobs": True, "top_logprobs": 3}),
    ("a user", {"messages": USER, "user": "u1"}, "hi", {"user": "u1"}),
    ("effort", {"messages": USER, "model": "gpt-5.4", "reasoning_effort": "low"}, "hi", {"model": "gpt-5.4", "reasoning_effort": "low"}),
    ("JSON", {"messages": USER, "response_format": {"type": "json_object"}}, "hi", {"response_format": "json"}),
    ("text", {"messages": USER, "response_format": {"type": "text"}}, "hi", {"response_format": "text"}),
    ("a schema", {"messages": USER, "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": WEATHER, "strict": True, "description": "d"}}},
     "hi", {"response_format": JsonSchema(name="r", schema=WEATHER, strict=True, description="d")}),
    ("tools", {"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [TOOL]}),
    ("tools as dicts", {"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [WIRE_TOOL]}),
    ("a choice of tool", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
     "hi", {"tools": [TOOL], "tool_choice": "get_weather"}),
    ("no parallel calls", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": "required", "parallel_tool_calls": False},
     "hi", {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}),
    ("an image by URL", {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}]}]},
     Message.user("?", Image(url="https://x.test/a.png", detail="low")), {}),
    ("an image by value", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}}]}]},
     Message.user(Image(data=PNG)), {}),
    ("a sound", {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}}]}]},
     Message.user(Audio(data=WAV)), {}),
    ("a document", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{b64(PDF)}"}}]}]},
     Message.user(Document(data=PDF, name="a.pdf")), {}),
    ("a tool's history", {"messages": [*USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                                       {"role": "tool", "tool_call_id": "c1", "content": "17"}]},
     ["hi", Message.assistant(ToolCall(id="c1", name="f")), Message.tool("c1", "17")], {}),
    ("a refusal's history", {"messages": [*USER, {"role": "assistant", "content": None, "refusal": "no"}, *USER]},
     ["hi", Message.assistant(Refusal(text="no")), "hi"], {}),
    ("the provider's own fields", {"messages": USER, "store": True, "metadata": {"a": "b"}, "service_tier": "flex", "verbosity": "low"},
     "hi", {"extra": {"store": True, "metadata": {"a": "b"}, "service_tier": "flex", "verbosity": "low"}}),
]  # fmt: skip

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                 "logprobs": {"content": [{"token": "Hello", "logprob": -0.1, "bytes": [72], "top_logprobs": []}], "refusal": None}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
              "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0}},
    "service_tier": "default", "system_fingerprint": "fp",
}  # fmt: skip


@pytest.fixture
def both(hosted: str, httpserver: HTTPServer) -> Callable[..., None]:
    """Make the same call with both and compare what the server got."""

    def compare(theirs: Callable[[Any], Any], ours: Callable[[Client], Any]) -> None:
        sdk = openai.OpenAI(base_url=hosted, api_key="sk-test", organization="org-1", project="p-1", max_retries=0)
        endpoint = EndpointConfig(base_url=hosted, key="sk-test", options={"organization": "org-1", "project": "p-1"})
        with sdk, Client(endpoints={"openai": endpoint}) as client:
            theirs(sdk)
            ours(client)
        expected, actual = [request for request, _ in httpserver.log]
        assert (actual.method, actual.path, actual.query_string) == (
            expected.method,
            expected.path,
            expected.query_string,
        )
        if expected.get_data():
            assert json.loads(actual.get_data()) == json.loads(expected.get_data())
        for name in ("Authorization", "Content-Type", "Accept", "OpenAI-Organization", "OpenAI-Project"):
            assert actual.headers.get(name) == expected.headers.get(name), name

    return compare


@pytest.mark.parametrize(
    ("theirs", "messages", "options"), [each[1:] for each in CHATS], ids=[each[0] for each in CHATS]
)
def test_a_chat_is_sent_as_the_sdk_sends_it(
    theirs: dict[str, Any], messages: Any, options: dict[str, Any], both: Callable[..., None], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(ANSWER)
    model = options.pop("model", "gpt-4o")
    both(
        lambda sdk: sdk.chat.completions.create(**{"model": model, **theirs}),
        lambda client: client.chat(f"openai/{model}", messages, **options),
    )


def sse(*chunks: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


TEXT_STREAM = sse(
    chunk({"role": "assistant", "content": "", "refusal": None}, obfuscation="x"),
    chunk({"content": "Hel"}),
    chunk({"content": "lo\u2028"}),
    chunk({}, "stop"),
    {**chunk({}), "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}},
)
TOOL_STREAM = sse(
    chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
    chunk({"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}),
    chunk({}, "tool_calls"),
)  # fmt: skip


def other(index: int, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return chunk({}) | {"choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}]}


def probable(text: str) -> dict[str, Any]:
    found = chunk({"content": text})
    tokens = {"content": [{"token": text, "logprob": -0.5, "bytes": [72], "top_logprobs": []}], "refusal": None}
    found["choices"][0]["logprobs"] = tokens
    return found


FIRST = chunk({"role": "assistant", "content": "", "refusal": None})
STREAMS: dict[str, str] = {
    "text": TEXT_STREAM,
    "tools": TOOL_STREAM,
    "a refusal": sse(chunk({"role": "assistant", "content": None, "refusal": ""}), chunk({"refusal": "I can"}), chunk({"refusal": "not"}), chunk({}, "stop")),
    "two choices": sse(FIRST, other(1, {"role": "assistant", "content": "B"}), chunk({"content": "A"}), other(1, {"content": "b"}), other(1, {}, "stop"), chunk({}, "length")),
    "log probabilities": sse(FIRST, probable("Hel"), probable("lo"), chunk({}, "stop")),
    "nothing before the limit": sse(FIRST, chunk({}, "length"), {**chunk({}), "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "completion_tokens_details": {"reasoning_tokens": 5}}}),
    "the last text with the reason": sse(FIRST, chunk({"content": "Hel"}), chunk({"content": "lo"}, "stop")),
    "a tier and a fingerprint": sse({**FIRST, "service_tier": "flex", "system_fingerprint": "fp"}, chunk({"content": "a"}), chunk({}, "stop")),
    "CRLF": sse(FIRST, chunk({"content": "a"}), chunk({}, "stop")).replace("\n", "\r\n"),
    "comments": ": PROCESSING\n\n" + sse(FIRST, chunk({"content": "a"}), chunk({}, "stop")).replace("data: {", ": ping\n\ndata: {"),
}  # fmt: skip


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_asked_for_and_read_as_the_sdk_does(
    stream: str, both: Callable[..., None], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(stream, content_type="text/event-stream")
    found: list[Any] = []

    def theirs(sdk: Any) -> None:
        with sdk.chat.completions.stream(
            model="gpt-4o", messages=USER, stream_options={"include_usage": True}
        ) as events:
            try:
                for _ in events:
                    pass
                found.append(events.get_final_completion())
            except openai.LengthFinishReasonError as error:  # what the SDK refuses, ours calls `length`
                found.append(error.completion)

    def ours(client: Client) -> None:
        found.append(client.stream("openai/gpt-4o", "hi").read())

    both(theirs, ours)
    expected, actual = found
    for theirs_of, ours_of in zip(expected.choices, actual.choices, strict=True):
        message = theirs_of.message
        assert ours_of.message.text == (message.content or "")
        assert [part.text for part in ours_of.message.content if isinstance(part, Refusal)] == (
            [message.refusal] if message.refusal else []
        )
        assert [(call.id, call.name, call.arguments) for call in ours_of.message.tool_calls] == [
            (call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
        ]
        assert ours_of.finish_reason == theirs_of.finish_reason
        tokens = theirs_of.logprobs.content if theirs_of.logprobs else ()
        assert [each.token for each in ours_of.logprobs or ()] == [each.token for each in tokens]
    assert (actual.id, actual.model) == (expected.id, expected.model)
    assert actual.extra.get("service_tier") == expected.service_tier
    assert actual.usage.total_tokens == (expected.usage.total_tokens if expected.usage else None)


def test_an_answer_is_read_as_the_sdk_reads_it(both: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(ANSWER)
    found: list[Any] = []
    both(
        lambda sdk: found.append(sdk.chat.completions.create(model="gpt-4o", messages=USER)),
        lambda client: found.append(client.chat("openai/gpt-4o", "hi")),
    )
    expected, actual = found
    assert (actual.id, actual.model, actual.text) == (expected.id, expected.model, expected.choices[0].message.content)
    assert (actual.usage.input_tokens, actual.usage.output_tokens) == (
        expected.usage.prompt_tokens,
        expected.usage.completion_tokens,
    )
    assert actual.usage.cached_input_tokens == expected.usage.prompt_tokens_details.cached_tokens
    assert actual.usage.reasoning_tokens == expected.usage.completion_tokens_details.reasoning_tokens
    assert actual.choices[0].logprobs[0].logprob == expected.choices[0].logprobs.content[0].logprob
    assert actual.extra == {"service_tier": expected.service_tier, "system_fingerprint": expected.system_fingerprint}


@pytest.mark.parametrize("inputs", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_embeddings(inputs: Any, both: Callable[..., None], httpserver: HTTPServer) -> None:
    vectors = [b64(b"\0\0\x80\x3f\0\0\0\x40"), b64(b"\0\0\0\x3f\0\0\0\0")]
    count = 2 if isinstance(inputs, list) and not isinstance(inputs[0], int) else 1
    data = [{"object": "embedding", "index": index, "embedding": vectors[index]} for index in range(count)]
    answer = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    httpserver.expect_request("/v1/embeddings").respond_with_json(answer)
    found: list[Any] = []
    both(
        lambda sdk: found.append(sdk.embeddings.create(model="text-embedding-3-small", input=inputs, dimensions=2)),
        lambda client: found.append(client.embed("openai/text-embedding-3-small", inputs, dimensions=2)),
    )
    assert [list(vector) for vector in found[1].vectors] == [list(item.embedding) for item in found[0].data]


def test_completions(both: Callable[..., None], httpserver: HTTPServer) -> None:
    logprobs = {"tokens": [" world"], "token_logprobs": [-0.1], "top_logprobs": [{" world": -0.1}], "text_offset": [5]}
    choice = {"text": " world", "index": 0, "finish_reason": "stop", "logprobs": logprobs}
    httpserver.expect_request("/v1/completions").respond_with_json(
        {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
    )
    options: dict[str, Any] = {"suffix": "s", "echo": True, "logprobs": 1, "max_tokens": 3, "n": 1, "stop": ["x"]}
    found: list[Any] = []
    both(
        lambda sdk: found.append(sdk.completions.create(model="m", prompt="hello", best_of=2, **options)),
        lambda client: found.append(client.complete("openai/m", "hello", extra={"best_of": 2}, **options)),
    )
    assert found[1].text == found[0].choices[0].text
    assert found[1].choices[0].logprobs[0].logprob == found[0].choices[0].logprobs.token_logprobs[0]


def test_models(both: Callable[..., None], httpserver: HTTPServer) -> None:
    item = {"id": "a/b:c", "object": "model", "created": 1, "owned_by": "openai"}
    httpserver.expect_request("/v1/models").respond_with_json({"object": "list", "data": [item]})
    found: list[Any] = []
    both(lambda sdk: found.append(list(sdk.models.list())), lambda client: found.append(client.list_models("openai")))
    assert [model.id for model in found[1]] == [model.id for model in found[0]]


def test_one_model(both: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models/gpt-4o").respond_with_json(
        {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "o"}
    )
    both(lambda sdk: sdk.models.retrieve("gpt-4o"), lambda client: client.show_model("openai/gpt-4o"))
