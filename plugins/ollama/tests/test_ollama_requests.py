"""What is sent, and what is refused before anything is."""

from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel import Client
from ipfs_accel import errors as e
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    JsonSchema,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ipfs_accel_ollama._requests import keep_alive
from pytest_httpserver import HTTPServer

from .conftest import END, Sent, chat, generated, ndjson

PNG = b"\x89PNG\r\n\x1a\n0"
PNG64 = "iVBORw0KGgow"
WAV = b"RIFF\0\0\0\0WAVE"
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
TOOL = Tool(name="get_weather", description="Tells it.", parameters=SCHEMA)


@pytest.fixture(autouse=True)
def _server(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_data(ndjson({**chat(), **END}))
    httpserver.expect_request("/api/generate").respond_with_data(ndjson({**generated(), **END}))
    httpserver.expect_request("/api/embed").respond_with_json({"model": "m", "embeddings": [[1.0]]})


def test_a_call_always_says_whether_to_stream(client: Client, sent: Sent) -> None:
    client.chat("ollama/m", "hi")
    assert sent() == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False, "truncate": False}
    client.complete("ollama/m", "hi")
    assert sent() == {"model": "m", "prompt": "hi", "stream": False, "truncate": False}
    client.stream("ollama/m", "hi").read()
    assert sent()["stream"] is True
    client.stream_complete("ollama/m", "hi").read()
    assert sent()["stream"] is True


# What a chat is given beside its messages, and what that adds to the body.
CHATS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 5}, {"options": {"num_predict": 5}}),
    ({"temperature": 0, "top_p": 0.9, "top_k": 40, "seed": 1}, {"options": {"temperature": 0, "top_p": 0.9, "top_k": 40, "seed": 1}}),
    ({"stop": ["a", "b"]}, {"options": {"stop": ["a", "b"]}}),
    ({"frequency_penalty": 0.1, "presence_penalty": 0.2}, {"options": {"frequency_penalty": 0.1, "presence_penalty": 0.2}}),
    ({"n": 1, "tool_choice": "auto"}, {}),
    ({"response_format": "text"}, {}),
    ({"response_format": "json"}, {"format": "json"}),
    ({"response_format": JsonSchema(schema=SCHEMA, strict=True)}, {"format": SCHEMA}),
    ({"reasoning_effort": "none"}, {"think": False}),
    ({"reasoning_effort": "on"}, {"think": True}),
    ({"reasoning_effort": "low"}, {"think": "low"}),
    ({"reasoning_effort": "medium"}, {"think": "medium"}),
    ({"reasoning_effort": "high"}, {"think": "high"}),
    ({"reasoning_effort": "max"}, {"think": "max"}),
    ({"extra": {"think": True}}, {"think": True}),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": {"name": "get_weather", "description": "Tells it.", "parameters": SCHEMA}}]}),
    ({"tools": [TOOL], "tool_choice": "none"}, {}),
    ({"extra": {"num_ctx": 9, "min_p": 0.1, "mirostat": 1}}, {"options": {"num_ctx": 9, "min_p": 0.1, "mirostat": 1}}),
    ({"extra": {"options": {"num_ctx": 9}}, "seed": 1}, {"options": {"num_ctx": 9, "seed": 1}}),
    ({"extra": {"options": {"seed": 2}}, "seed": 1}, {"options": {"seed": 2}}),
    ({"extra": {"keep_alive": "10m", "truncate": False, "shift": False}}, {"keep_alive": "10m", "truncate": False, "shift": False}),
    ({"extra": {"keep_alive": "300"}}, {"keep_alive": 300}),
    ({"extra": {"_debug_render_only": True}}, {"_debug_render_only": True}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), CHATS)
def test_options_of_a_chat(options: dict[str, Any], expected: dict[str, Any], client: Client, sent: Sent) -> None:
    client.chat("ollama/m", "hi", **options)
    body = sent()
    usual = {"truncate": False}
    assert {name: body[name] for name in body if name not in {"model", "messages", "stream"}} == usual | expected


def test_what_only_the_options_know_never_stands_at_the_top_where_it_would_be_ignored(
    client: Client, sent: Sent
) -> None:
    client.embed("ollama/m", "a", extra={"num_ctx": 4, "num_thread": 1})
    assert sent() == {"model": "m", "input": "a", "options": {"num_ctx": 4, "num_thread": 1}, "truncate": False}


def test_an_endpoint_has_its_own_settings(client: Client, sent: Sent) -> None:
    usual = {"options": {"num_ctx": 8192}, "keep_alive": "10m", "truncate": False}
    client.chat("set/m", "hi")
    assert {name: sent()[name] for name in usual} == usual
    client.embed("set/m", "hi")
    assert {name: sent()[name] for name in usual} == usual
    client.complete("set/m", "hi", extra={"num_ctx": 1, "keep_alive": 0, "truncate": True})
    assert {name: sent()[name] for name in usual} == {"options": {"num_ctx": 1}, "keep_alive": 0, "truncate": True}


@pytest.mark.parametrize(
    ("given", "expected"),
    [(300, 300), (0, 0), (-1, -1), (1.5, 1.5), ("300", 300), (" -1 ", -1), ("1.5", 1.5), ("0", 0), ("10m", "10m"),
     ("1h30m", "1h30m"), ("-1m", "-1m"), ("1.5h", "1.5h"), ("100ms", "100ms")],
)  # fmt: skip
def test_how_long_a_model_stays_loaded(given: Any, expected: Any) -> None:
    assert keep_alive(given) == expected


@pytest.mark.parametrize("given", ["soon", "10 minutes", "m10", "", True, [1], "1d"])
def test_what_is_no_time_is_refused(given: Any, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match=r"keep_alive: .* is no time") as caught:
        client.chat("ollama/m", "hi", extra={"keep_alive": given})
    assert "10m" in str(caught.value.hint)
    assert httpserver.log == []


def test_a_conversation(client: Client, sent: Sent) -> None:
    call = ToolCall(id="call_a1", name="get_weather", arguments='{"city":"Paris"}')
    client.chat(
        "ollama/m",
        [
            Message.system("Be brief"),
            Message(role="developer", content="Really"),
            Message.user(Image(data=PNG), "Weather ", Text(text="here?"), Audio(data=WAV)),
            Message.assistant(Reasoning(text="need the "), Reasoning(text="tool"), call, ToolCall(id="b", name="f")),
            Message.tool("call_a1", "14 C"),
            Message(role="tool", content=(ToolResult(tool_call_id="b", content=("see", Image(data=PNG))), ToolResult(tool_call_id="z", content="?"))),
            Message.assistant(Refusal(text="No"), Opaque(backend="claude", data={"type": "x"})),
            Message.assistant(),
        ],
    )  # fmt: skip
    assert sent()["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "system", "content": "Really"},
        {"role": "user", "content": "Weather here?", "images": [PNG64, "UklGRgAAAABXQVZF"]},
        {"role": "assistant", "content": "", "thinking": "need the tool", "tool_calls": [
            {"id": "call_a1", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}},
            {"id": "b", "function": {"index": 1, "name": "f", "arguments": {}}},
        ]},
        {"role": "tool", "content": "14 C", "tool_name": "get_weather", "tool_call_id": "call_a1"},
        {"role": "tool", "content": "see", "images": [PNG64], "tool_name": "f", "tool_call_id": "b"},
        {"role": "tool", "content": "?", "tool_call_id": "z"},
        {"role": "assistant", "content": "No"},
        {"role": "assistant", "content": ""},
    ]  # fmt: skip


def test_a_file_of_text_is_text(client: Client, sent: Sent) -> None:
    client.chat("ollama/m", Message.user("Read:", Document(data=b"a,b", name="a.csv"), Image(data=PNG), "Sum?"))
    content = 'Read:\n<document name="a.csv">\na,b\n</document>\nSum?'
    assert sent()["messages"] == [{"role": "user", "content": content, "images": [PNG64]}]


def test_results_of_calls_with_one_id_name_their_tools_in_order(client: Client, sent: Sent) -> None:
    calls = [ToolCall(id="c", name=name) for name in ("q", "r", "s")]
    results = [Message.tool("c", "one"), Message(role="tool", content=(ToolResult(tool_call_id="c", content="two"),))]
    again = [Message.assistant(ToolCall(id="c", name="t")), Message.tool("c", "four")]
    client.chat("ollama/m", ["hi", Message.assistant("So", *calls), *results, Message.tool("c", "three"), *again])
    messages = sent()["messages"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["c", "c_2", "c_3"]
    found = [(each["content"], each["tool_name"], each["tool_call_id"]) for each in messages if each["role"] == "tool"]
    assert found == [("one", "q", "c"), ("two", "r", "c_2"), ("three", "s", "c_3"), ("four", "t", "c")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message.user(Image(url="https://x.example/a.png")), r"messages\[0\]: image: Ollama takes data, not a URL"),
        (Message.user(Audio(url="https://x.example/a.wav")), r"messages\[0\]: audio: Ollama takes data"),
        (Message.user(Document(data=b"%PDF-1")), r"messages\[0\]: document: Ollama takes none but files of text"),
        (
            Message.assistant(ToolCall(id="a", name="f", arguments="{")),
            "arguments of tool call 'f' are not a JSON object",
        ),
        (Message.assistant(ToolCall(id="a", name="f", arguments="[1]")), "are not a JSON object"),
        (Message.assistant(ToolCall(id="a", name="f", arguments='{"a":' * 50_000)), "are not a JSON object"),
        (Message(role="tool", content="x"), "a tool message holds results of tools and nothing else"),
    ],
)
def test_what_a_message_cannot_hold(message: Message, expected: str, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match=expected) as caught:
        client.chat("ollama/m", [message])
    assert caught.value.hint
    assert httpserver.log == []


@pytest.mark.parametrize("name", ["ollama", "ollama/"])
@pytest.mark.parametrize(
    "call",
    [
        lambda client, name: client.chat(name, "hi"),
        lambda client, name: client.stream(name, "hi").read(),
        lambda client, name: client.complete(name, "hi"),
        lambda client, name: client.stream_complete(name, "hi").read(),
        lambda client, name: client.embed(name, "hi"),
        lambda client, name: client.transcribe(name, b"RIFF\0\0\0\0WAVEfmt "),
        lambda client, name: client.load_model(name),
        lambda client, name: client.show_model(name),
    ],
    ids=["chat", "stream", "complete", "stream_complete", "embed", "transcribe", "load_model", "show_model"],
)
def test_a_model_has_to_be_named(call: Any, name: str, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match=r"^ollama: model: (Ollama wants one|none is named)"):
        call(client, name)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"n": 2}, "n"),
        ({"user": "u", "logit_bias": {"1": 1}, "parallel_tool_calls": False}, "logit_bias, user, parallel_tool_calls"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "get_weather"}, "tool_choice"),
        ({"tools": [Tool(name="f", strict=True)]}, "tools.strict"),
    ],
)
def test_what_ollama_has_not_is_told(options: dict[str, Any], names: str, client: Client, sent: Sent) -> None:
    with pytest.raises(e.UnsupportedParameterError, match=rf"cannot honour: {names}\n"):
        client.chat("ollama/m", "hi", **options)
    with pytest.warns(UserWarning, match=names):
        client.chat("ollama/m", "hi", on_unsupported="warn", **options)
    assert set(sent()) <= {"model", "messages", "stream", "tools", "truncate"}


def test_further_options_that_ollama_has_not(client: Client) -> None:
    with pytest.raises(e.UnsupportedParameterError, match=r"messages\.name"):
        client.chat("ollama/m", [Message(role="user", content="hi", name="Ann")])
    with pytest.raises(e.UnsupportedParameterError, match="echo"):
        client.complete("ollama/m", "hi", echo=True)
    with pytest.raises(e.UnsupportedParameterError, match="user"):
        client.embed("ollama/m", "hi", user="u")


def test_a_completion(client: Client, sent: Sent) -> None:
    client.complete(
        "ollama/m",
        "def add(",
        suffix="return c",
        logprobs=2,
        max_tokens=9,
        extra={"raw": True, "system": "s", "template": "{{ .Prompt }}", "context": [1, 2], "format": SCHEMA, "think": False,
               "images": [Image(data=PNG), PNG, PNG64, f"data:image/png;base64,{PNG64}"], "num_ctx": 7, "width": 64},
    )  # fmt: skip
    assert sent() == {
        "model": "m", "prompt": "def add(", "suffix": "return c", "stream": False, "logprobs": True, "top_logprobs": 2,
        "raw": True, "system": "s", "template": "{{ .Prompt }}", "context": [1, 2], "format": SCHEMA, "think": False,
        "images": [PNG64] * 4, "options": {"num_predict": 9, "num_ctx": 7}, "width": 64, "truncate": False,
    }  # fmt: skip
    client.complete("ollama/m", "a", logprobs=0, extra={"images": Image(data=PNG)})
    assert sent() == {
        "model": "m",
        "prompt": "a",
        "stream": False,
        "logprobs": True,
        "images": [PNG64],
        "truncate": False,
    }
    with pytest.raises(e.InvalidRequestError, match=r"extra\.images\[0\]: expected an Image"):
        client.complete("ollama/m", "a", extra={"images": [1]})
    with pytest.raises(e.InvalidRequestError, match=r"extra\.options: expected a mapping"):
        client.complete("ollama/m", "a", extra={"options": [1]})


def test_several_prompts_are_several_requests(client: Client, httpserver: HTTPServer) -> None:
    answer = client.complete("ollama/m", ["a", "b", "c"])
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "Hi."), (1, "Hi."), (2, "Hi.")]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (78, 24)
    assert sorted(request.json["prompt"] for request, _ in httpserver.log) == ["a", "b", "c"]
    with pytest.raises(e.InvalidRequestError, match="streams the continuation of one text"):
        client.stream_complete("ollama/m", ["a", "b"]).read()
    with pytest.raises(e.InvalidRequestError, match=r"prompt\[0\]: Ollama takes texts"):
        client.complete("ollama/m", [[1, 2]])


def test_embeddings(client: Client, sent: Sent, httpserver: HTTPServer) -> None:
    client.embed("ollama/m", "a", dimensions=1, extra={"truncate": False, "keep_alive": 5})
    assert sent() == {"model": "m", "input": "a", "dimensions": 1, "truncate": False, "keep_alive": 5}
    httpserver.clear()
    httpserver.expect_request("/api/embed").respond_with_json(
        {"model": "m", "embeddings": [[1.0, 0.0], [0.0, 1.0]], "prompt_eval_count": 4}
    )
    answer = client.embed("ollama/m", ["a", "b"])
    assert sent() == {"model": "m", "input": ["a", "b"], "truncate": False}
    assert [list(vector) for vector in answer.vectors] == [[1.0, 0.0], [0.0, 1.0]]
    assert (answer.model, answer.usage.input_tokens) == ("m", 4)
    with pytest.raises(e.InvalidResponseError, match="2 vectors for 1 inputs"):
        client.embed("ollama/m", "a")
    with pytest.raises(e.InvalidRequestError, match="no vector for an empty text"):
        client.embed("ollama/m", "")
    with pytest.raises(e.InvalidRequestError, match=r"inputs\[1\]: Ollama takes texts, not token ids"):
        client.embed("ollama/m", ["a", [1]])


def test_speech_is_written_down(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/audio/transcriptions").respond_with_json({"text": "hello"})
    assert client.transcribe("ollama/m", WAV, language="en", prompt="a name").text == "hello"
    request = httpserver.log[-1][0]
    form = dict(request.form)
    request.close()
    assert {name: form[name] for name in ("model", "language", "prompt")} == {
        "model": "m",
        "language": "en",
        "prompt": "a name",
    }
    with pytest.raises(e.UnsupportedParameterError, match="temperature"):
        client.transcribe("ollama/m", WAV, temperature=0)


def test_a_chat_that_only_loads_comes_as_a_document(client: Client, httpserver: HTTPServer) -> None:
    httpserver.clear()
    loaded = {**generated(""), "done": True, "done_reason": "load"}
    httpserver.expect_request("/api/generate").respond_with_data(ndjson(loaded), content_type="application/json")
    assert client.complete("ollama/m", "").finish_reason == "load"
    assert client.stream_complete("ollama/m", "").read().finish_reason == "load"
    httpserver.clear()
    httpserver.expect_request("/api/generate").respond_with_data(
        ndjson({**loaded, "done_reason": "unload"}), content_type="application/x-ndjson"
    )
    assert client.complete("ollama/m", "", extra={"keep_alive": 0}).finish_reason == "unload"


MODELS: list[tuple[str, Any, Any]] = [
    ("blind", Image(data=PNG), "vision"),
    ("blind", Audio(data=WAV), "audio"),
    ("deaf", Audio(data=WAV), "audio"),
]


@pytest.mark.parametrize(("model", "part", "missing"), MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_model_is_given_nothing_that_it_has_no_sense_for(
    model: str, part: Any, missing: str, streamed: bool, client: Client, httpserver: HTTPServer
) -> None:
    known = ["completion", *(["vision"] if model == "deaf" else [])]
    httpserver.expect_request("/api/show").respond_with_json({"capabilities": known})
    for message in (Message.user("what is it?", part), Message.tool("call", ["see", part])):
        with pytest.raises(e.NotSupportedByServerError, match=f"has no {missing}") as caught:
            if streamed:
                client.stream(f"ollama/{model}", [message]).read()
            else:
                client.chat(f"ollama/{model}", [message])
        assert "show_model" in str(caught.value.hint)
    assert [request.path for request, _ in httpserver.log] == ["/api/show"]  # once for each model


@pytest.mark.parametrize("shown", [{"capabilities": ["completion", "vision"]}, {}], ids=["sees", "does not say"])
def test_a_model_that_sees_or_may_see_is_given_pictures(shown: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/show").respond_with_json(shown)
    assert client.chat("ollama/m", Message.user("what is it?", Image(data=PNG))).text == "Hi."
    assert client.stream("ollama/m", Message.user("what is it?", Image(data=PNG))).read().text == "Hi."


def test_the_server_may_cut_where_the_user_says_so(client: Client, sent: Sent) -> None:
    for call in (client.chat, client.complete, client.embed):
        call("ollama/m", "hi", extra={"truncate": True})
        assert sent()["truncate"] is True


def test_a_schema_that_is_not_enforced_is_warned_of(client: Client) -> None:
    form = JsonSchema(schema={"type": "object", "properties": {"n": {"type": "number", "minimum": 1}}})
    with (
        pytest.warns(UserWarning, match=r"Ollama does not enforce minimum"),
        pytest.raises(e.SchemaViolationError, match="not JSON"),
    ):
        client.chat("ollama/m", "hi", response_format=form)
    with pytest.raises(e.UnsupportedParameterError, match="minimum"):
        client.stream("ollama/m", "hi", response_format=JsonSchema(schema=form.schema, strict=True)).read()
    with pytest.raises(e.UnsupportedParameterError, match="does not enforce"):
        client.complete("strict/m", "hi", extra={"format": form.schema})


def test_a_schema_without_a_grammar_is_asked_for_once(client: Client, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/api/chat").respond_with_json({"error": "invalid JSON schema in format"}, status=500)
    with pytest.raises(e.BadRequestError) as caught:
        client.chat("ollama/m", "hi", response_format=JsonSchema(schema={"type": "object"}))
    assert not caught.value.retryable
    assert "no grammar" in str(caught.value.hint)
