"""Ollama's API, as its own client and our own backend speak it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import ollama
import pytest
from ipfs_accel import Client, Config, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel.errors import APIError, ModelNotFoundError, OverloadedError
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    ChatResponse,
    Choice,
    CompletionRequest,
    EmbedResponse,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)

from .stages import Stage, stage

PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\x04\x00\x00\x00WAVE"
MODEL = "scripted/any:8b"
USER = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WIRE_TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
TOOL = Tool(name="weather", description="d", parameters=SCHEMA)
CALL = ToolCall(id="call_a", name="weather", arguments='{"city":"Rome"}')
USAGE = Usage(input_tokens=5, output_tokens=7)
HEY = TokenLogprob(token="Hey", logprob=-1.0, bytes=b"Hey")
FULL = ChatResponse(
    choices=(
        Choice(
            message=Message.assistant(Reasoning(text="Hm."), "Hello", CALL),
            finish_reason="tool_calls",
            logprobs=(TokenLogprob(token="Hello", logprob=-0.5, bytes=b"Hello", top=(HEY,)),),
        ),
    ),
    usage=USAGE,
)


@pytest.fixture(scope="module")
def at() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture(scope="module")
def sdk(at: Stage) -> Iterator[ollama.Client]:
    with ollama.Client(at.url) as client:
        yield client


@pytest.fixture(scope="module")
def ours(at: Stage) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints={"ollama": EndpointConfig(base_url=at.url)}) as client:
        yield client


def test_the_sdk_reads_a_whole_chat(at: Stage, sdk: ollama.Client) -> None:
    at.plays(FULL)
    options = {"temperature": 0.5, "num_predict": 7, "num_ctx": 4096, "stop": ["."], "min_p": 0.0}
    answer = sdk.chat(
        MODEL, USER, tools=[WIRE_TOOL], options=options, think="low", logprobs=True, top_logprobs=1, keep_alive="5m"
    )
    assert (answer.model, answer.done, answer.done_reason) == (MODEL, True, "stop")
    assert (answer.message.content, answer.message.thinking) == ("Hello", "Hm.")
    assert [(call.function.name, call.function.arguments) for call in answer.message.tool_calls or ()] == [
        ("weather", {"city": "Rome"})
    ]
    assert (answer.prompt_eval_count, answer.eval_count) == (5, 7)
    assert answer.total_duration
    assert answer.load_duration is None
    assert answer.logprobs
    assert (answer.logprobs[0].token, answer.logprobs[0].top_logprobs[0].token) == ("Hello", "Hey")
    asked: ChatRequest = at.asked
    assert (asked.temperature, asked.max_tokens, asked.stop, asked.reasoning_effort) == (0.5, 7, (".",), "low")
    assert (asked.logprobs, asked.top_logprobs, asked.tools, asked.extra) == (True, 1, (TOOL,), {})


def test_the_sdk_reads_a_streamed_chat(at: Stage, sdk: ollama.Client) -> None:
    at.plays(FULL)
    lines = list(sdk.chat(MODEL, USER, stream=True))
    assert "".join([line.message.content or "" for line in lines]) == "Hello"
    assert "".join([line.message.thinking or "" for line in lines]) == "Hm."
    calls = [call for line in lines for call in line.message.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("weather", {"city": "Rome"})]
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    assert (lines[-1].done_reason, lines[-1].prompt_eval_count, lines[-1].eval_count) == ("stop", 5, 7)


def test_the_sdk_goes_on_with_a_tools_answer(at: Stage, sdk: ollama.Client) -> None:
    at.plays(FULL, "It is sunny.")
    said = sdk.chat(MODEL, USER, tools=[WIRE_TOOL]).message
    history = [*USER, said, {"role": "tool", "tool_name": "weather", "content": "sunny"}]
    assert sdk.chat(MODEL, history, tools=[WIRE_TOOL]).message.content == "It is sunny."
    _, call, result = at.asked.messages
    assert (call.reasoning, call.text) == ("Hm.", "Hello")
    assert (call.tool_calls[0].name, call.tool_calls[0].parse_arguments()) == ("weather", {"city": "Rome"})
    assert result == Message.tool(call.tool_calls[0].id, "sunny")


@pytest.mark.parametrize("more", [{"name": "weather"}, {}], ids=["name", "nothing"])
def test_a_tools_answer_finds_its_call(at: Stage, more: dict[str, str]) -> None:
    at.plays("ok")
    calls = [{"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]}]
    messages = [*USER, *calls, {"role": "tool", "content": "sunny", **more}]
    httpx.post(f"{at.url}/api/chat", json={"model": MODEL, "messages": messages, "stream": False}).raise_for_status()
    assert at.asked.messages[2] == Message.tool(at.asked.messages[1].tool_calls[0].id, "sunny")


def test_pictures_and_sounds_are_told_apart(at: Stage, sdk: ollama.Client) -> None:
    at.plays("ok")
    sdk.chat(MODEL, [{"role": "user", "content": "see", "images": [PNG, WAV]}])
    parts = at.asked.messages[0].content
    assert parts == (Text(text="see"), Image(data=PNG), Audio(data=WAV))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("json", "json"), (SCHEMA, JsonSchema(schema=SCHEMA)), (None, None)],
    ids=["json", "schema", "any"],
)
def test_forms_are_asked_for(at: Stage, sdk: ollama.Client, given: Any, wanted: Any) -> None:
    at.plays('{"city":"Rome"}')
    sdk.chat(MODEL, USER, format=given)
    assert at.asked.response_format == wanted


@pytest.mark.parametrize(("given", "wanted"), [(True, "medium"), (False, "none"), ("high", "high"), (None, None)])
def test_thinking_is_asked_for(at: Stage, sdk: ollama.Client, given: Any, wanted: Any) -> None:
    at.plays("ok")
    sdk.chat(MODEL, USER, think=given)
    assert at.asked.reasoning_effort == wanted


def test_a_prompt_is_a_conversation(at: Stage, sdk: ollama.Client) -> None:
    at.plays(FULL, FULL)
    answer = sdk.generate(MODEL, "Hi", system="Be brief.", images=[PNG], options={"seed": 3})
    assert (answer.response, answer.thinking, answer.done_reason, answer.eval_count) == ("Hello", "Hm.", "stop", 7)
    assert at.asked.messages == (Message.system("Be brief."), Message.user("Hi", Image(data=PNG)))
    assert at.asked.seed == 3
    lines = list(sdk.generate(MODEL, "Hi", stream=True))
    assert "".join([line.response or "" for line in lines]) == "Hello"
    assert "".join([line.thinking or "" for line in lines]) == "Hm."
    assert lines[-1].done


def test_what_says_nothing_is_no_matter(at: Stage) -> None:
    at.plays("ok")
    empty: dict[str, Any] = {"suffix": "", "template": "", "context": [], "raw": False, "system": "", "images": None}
    body = {"model": MODEL, "prompt": "Hi", "options": {}, "format": "", "stream": False, **empty}
    assert httpx.post(f"{at.url}/api/generate", json=body).raise_for_status().json()["response"] == "ok"
    assert at.asked.messages == (Message.user("Hi"),)


def test_a_raw_prompt_is_continued(at: Stage, sdk: ollama.Client) -> None:
    at.plays("world", "wo")
    assert sdk.generate(MODEL, "Hello", raw=True, options={"num_predict": 3}).response == "world"
    assert at.asked == CompletionRequest(model="any:8b", prompt=("Hello",), max_tokens=3)
    lines = list(sdk.generate(MODEL, "Hello ", suffix="rld", stream=True))
    assert "".join([line.response or "" for line in lines]) == "wo"
    assert at.asked == CompletionRequest(model="any:8b", prompt=("Hello ",), suffix="rld")


def test_models_are_loaded_without_a_question(at: Stage, sdk: ollama.Client) -> None:
    at.plays()
    assert sdk.generate(MODEL, "").done_reason == "load"
    assert sdk.chat(MODEL, [], keep_alive=0).done_reason == "unload"
    assert [line.done for line in sdk.generate(MODEL, "", stream=True)] == [True]
    assert list(sdk.embed(MODEL, []).embeddings) == []
    assert at.scripted.requests == []


def test_the_sdk_reads_vectors(at: Stage, sdk: ollama.Client) -> None:
    at.plays(EmbedResponse(vectors=EmbedResponse(vectors=()).vectors, usage=Usage(input_tokens=4)), [[1.0, 2.0]])
    assert sdk.embed(MODEL, ["a", "b"], dimensions=2, truncate=True).prompt_eval_count == 4
    assert (at.asked.inputs, at.asked.dimensions) == (("a", "b"), 2)
    assert sdk.embed(MODEL, "a").embeddings == [[1.0, 2.0]]


def test_older_clients_read_a_vector(at: Stage, sdk: ollama.Client) -> None:
    at.plays([[1.0, 2.0]])
    assert sdk.embeddings(MODEL, "a", options={"num_ctx": 9}, keep_alive="5m").embedding == [1.0, 2.0]
    assert at.asked.inputs == ("a",)
    assert list(sdk.embeddings(MODEL, "").embedding) == []
    refused = httpx.post(f"{at.url}/api/embeddings", json={"model": MODEL, "prompt": ["a"]})
    assert (refused.status_code, refused.json()["error"]) == (400, "prompt: expected a text")


def test_the_sdk_reads_what_is_told_of_models(at: Stage, sdk: ollama.Client) -> None:
    shown = sdk.show(MODEL)
    assert set(shown.capabilities or ()) == {"completion", "tools", "vision", "thinking", "audio"}
    assert sdk.list().models == []  # the endpoint lists none
    assert sdk.ps().models == []
    assert httpx.head(at.url).status_code == 200
    assert httpx.get(f"{at.url}/api/version").json() == {"version": "0.24.0"}
    with pytest.raises(ollama.ResponseError, match="not served") as caught:
        sdk.show("absent")
    assert caught.value.status_code == 404


def test_errors_are_in_its_words(at: Stage, sdk: ollama.Client) -> None:
    at.plays(OverloadedError("too much", status=503))
    with pytest.raises(ollama.ResponseError, match="too much") as caught:
        sdk.chat(MODEL, USER)
    assert caught.value.status_code == 503
    with pytest.raises(ollama.ResponseError, match=r"options\.min_p") as caught:
        sdk.chat(MODEL, USER, options={"min_p": 0.1})
    assert caught.value.status_code == 400
    with pytest.raises(ollama.ResponseError, match="template"):
        sdk.generate(MODEL, "Hi", template="{{ .Prompt }}")
    with pytest.raises(ollama.ResponseError, match="not the JSON object of"):
        at.plays(ToolCall(id="1", name="f", arguments="{"))
        sdk.chat(MODEL, USER)
    found = httpx.post(f"{at.url}/api/chat", json={"messages": USER})
    assert found.status_code == 400
    assert found.json()["error"].startswith("model:")
    assert found.headers["x-request-id"]


def test_a_stream_that_fails_says_so(at: Stage, sdk: ollama.Client) -> None:
    at.plays(["Hel", OverloadedError("too much", status=503)])
    lines = []
    with pytest.raises(ollama.ResponseError, match="too much"):
        lines += sdk.chat(MODEL, USER, stream=True)
    at.plays(["Hel", OverloadedError("too much", status=503)])
    text = b""
    with (
        httpx.stream("POST", f"{at.url}/api/chat", json={"model": MODEL, "messages": USER}) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for piece in answer.iter_raw():
            text += piece
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert b'"done":true' not in text
    assert "too much" in json.loads(text.splitlines()[-1])["error"]


MESSAGES = [
    Message.system("Be brief."),
    Message.user("What is this?", Image(data=PNG)),
    Message.assistant(Reasoning(text="Hm."), "A look.", CALL),
    Message.tool("call_a", "sunny"),
]


def test_what_our_own_backend_asks_is_understood(at: Stage, ours: Client) -> None:
    at.plays(FULL, FULL)
    options: dict[str, Any] = {
        "tools": [TOOL], "response_format": JsonSchema(schema=SCHEMA), "temperature": 0.1, "top_p": 0.5, "top_k": 3,
        "seed": 4, "stop": ["x"], "max_tokens": 9, "frequency_penalty": 0.2, "presence_penalty": 0.3,
        "reasoning_effort": "high", "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip
    answer = ours.chat(f"ollama/{MODEL}", MESSAGES, **options)
    asked = at.asked
    assert asked.messages == tuple(MESSAGES)
    assert {name: getattr(asked, name) for name in options} == {**options, "tools": (TOOL,), "stop": ("x",)}
    with ours.stream(f"ollama/{MODEL}", MESSAGES, **options) as stream:
        streamed = stream.read()
    assert at.asked == asked
    for each in (answer, streamed):
        assert each.choices == FULL.choices
        assert each.usage == USAGE


def test_what_our_own_backend_asks_beside_chats(at: Stage, ours: Client) -> None:
    at.plays("world", [[1.0, 2.0], [3.0, 4.0]])
    assert ours.complete(f"ollama/{MODEL}", "Hello", suffix="!").text == "world"
    assert at.asked == CompletionRequest(model="any:8b", prompt=("Hello",), suffix="!")
    vectors = ours.embed(f"ollama/{MODEL}", ["a", "b"], dimensions=2).vectors
    assert [list(vector) for vector in vectors] == [[1.0, 2.0], [3.0, 4.0]]
    assert ours.healthcheck("ollama").ok
    assert ours.list_models("ollama") == ()
    assert ours.supports(f"ollama/{MODEL}", "tools").value == "yes"


def test_our_own_backend_reads_errors(at: Stage, ours: Client) -> None:
    with pytest.raises(ModelNotFoundError):
        ours.chat("ollama/absent", "Hi")
    at.plays(["Hel", OverloadedError("too much", status=503)])
    with pytest.raises(APIError, match="too much"), ours.stream(f"ollama/{MODEL}", "Hi") as it:
        it.read()


@pytest.mark.skipif(
    not os.environ.get("IPFS_ACCEL_SPECS"), reason="IPFS_ACCEL_SPECS names no folder with the vendors' specifications"
)
def test_answers_are_as_the_document_has_them(at: Stage) -> None:
    from tests.schemas import of_openapi

    document = of_openapi(Path(os.environ["IPFS_ACCEL_SPECS"]) / "ollama.yaml")

    def faults(kind: str, value: Any) -> list[str]:
        return [fault.text for fault in document.faults(value, f"components/schemas/{kind}")]

    at.plays(FULL, FULL, FULL, FULL, [[1.0]])
    for path, body, kind in (
        ("/api/chat", {"messages": USER}, "ChatResponse"),
        ("/api/generate", {"prompt": "Hi"}, "GenerateResponse"),
        ("/api/chat", {"messages": USER, "stream": True}, "ChatStreamEvent"),
        ("/api/generate", {"prompt": "Hi", "stream": True}, "GenerateStreamEvent"),
        ("/api/embed", {"input": "a"}, "EmbedResponse"),
        ("/api/show", {}, "ShowResponse"),
    ):
        answer = httpx.post(f"{at.url}{path}", json={"model": MODEL, "stream": False, **body})
        for line in map(json.loads, answer.raise_for_status().text.splitlines()):
            # The document has no counts in a stream, which servers tell in its last line.
            of = kind.replace("StreamEvent", "Response") if line.get("done") else kind
            assert faults(of, line) == []
    for path, kind in (("tags", "ListResponse"), ("ps", "PsResponse"), ("version", "VersionResponse")):
        assert faults(kind, httpx.get(f"{at.url}/api/{path}").raise_for_status().json()) == []
