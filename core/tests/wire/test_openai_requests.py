"""Bodies of OpenAI's dialect: what is sent for what was asked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ipfs_accel import BackendInfo
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpStream
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    CompletionRequest,
    Document,
    EmbedRequest,
    Image,
    JsonSchema,
    Message,
    Reasoning,
    Refusal,
    Tool,
    ToolCall,
    ToolResult,
)
from ipfs_accel.wire.openai import OpenAICompatible


class Acme(OpenAICompatible):
    api_version = 1
    info = BackendInfo(name="acme", base_url="https://api.acme.example/v1", key_env=("ACME_API_KEY",), needs_key=True)


acme = Acme()
ENDPOINT = Endpoint(name="acme", backend="acme", base_url="https://api.acme.example/v1")
PNG = b"\x89PNG\r\n\x1a\n0123"
WAV = b"RIFF0000WAVEfmt "
MP3 = b"ID30123"
PDF = b"%PDF-1.7"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
HI = (Message.user("hi"),)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(plan: Any) -> Any:
    assert isinstance(plan, Http | HttpStream)
    assert plan.send.content is not None
    return json.loads(plan.send.content)


MESSAGES: list[tuple[Any, Message]] = [
    ([{"role": "system", "content": "Be brief."}], Message.system("Be brief.")),
    ([{"role": "developer", "content": "Be brief."}], Message(role="developer", content="Be brief.")),
    ([{"role": "user", "content": "hi"}], Message.user("hi")),
    ([{"role": "user", "content": "hi", "name": "ada"}], Message(role="user", content="hi", name="ada")),
    ([{"role": "user", "content": ""}], Message.user()),
    (
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        Message.user("a", "b"),
    ),
    (
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}},
                ],
            }
        ],
        Message.user("look", Image(url="https://x.example/a.png", detail="high")),
    ),
    (
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}}],
            }
        ],
        Message.user(Image(data=PNG)),
    ),
    (
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}}]}],
        Message.user(Audio(data=WAV)),
    ),
    (
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": b64(MP3), "format": "mp3"}}]}],
        Message.user(Audio(data=MP3)),
    ),
    (
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{b64(PDF)}"},
                    }
                ],
            }
        ],
        Message.user(Document(data=PDF, name="a.pdf")),
    ),
    # Chat completions take no other files than PDF: a text is told as one, whatever its type is called.
    (
        [{"role": "user", "content": '\n<document name="a &amp; b.yaml">\na: ä\n</document>\nWhat is a?'}],
        Message.user(
            Document(data="\ufeffa: ä\n".encode(), media_type="application/x-yaml", name="a & b.yaml"), "What is a?"
        ),
    ),
    (
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "\n<document>\n1\n</document>\n"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
                ],
            }
        ],
        Message.user(Document(data=b"1"), Image(data=PNG)),
    ),
    (
        [{"role": "tool", "tool_call_id": "c1", "content": 'see\n<document name="a">\n1\n</document>\n'}],
        Message.tool("c1", ["see", Document(data=b"1", name="a")]),
    ),
    (
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            }
        ],
        Message.assistant(ToolCall(id="c1", name="f", arguments='{"x":1}'), ToolCall(id="c2", name="g")),
    ),
    (
        [
            {
                "role": "assistant",
                "content": "calling",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "reasoning_content": "hm",
            }
        ],
        Message.assistant(Reasoning(text="hm"), "calling", ToolCall(id="c1", name="f")),
    ),
    (
        [{"role": "assistant", "content": "a", "reasoning": "hm"}],
        Message.assistant(Reasoning(text="hm", field="reasoning"), "a"),
    ),
    ([{"role": "assistant", "content": None, "refusal": "No."}], Message.assistant(Refusal(text="No."))),
    # An answer that was cut while the model still thought: servers refuse null where nothing else is said.
    ([{"role": "assistant", "content": "", "reasoning_content": "hm"}], Message.assistant(Reasoning(text="hm"))),
    ([{"role": "assistant", "content": ""}], Message.assistant()),
    (
        [{"role": "assistant", "content": None, "audio": {"id": "a1"}}],
        Message.assistant(Audio(data=b"\0\1", media_type="audio/pcm", id="a1", transcript="hello")),
    ),
    ([{"role": "tool", "tool_call_id": "c1", "content": "17 C"}], Message.tool("c1", "17 C")),
    ([{"role": "tool", "tool_call_id": "c1", "content": "ab"}], Message.tool("c1", ["a", "b"])),
    ([{"role": "tool", "tool_call_id": "c1", "content": ""}], Message.tool("c1", "")),
    (
        [
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "tool", "tool_call_id": "c2", "content": "2"},
            {"role": "user", "content": "and now?"},
        ],
        Message.user(
            ToolResult(tool_call_id="c1", content="1"), ToolResult(tool_call_id="c2", content="2"), "and now?"
        ),
    ),
]


@pytest.mark.parametrize(("expected", "message"), MESSAGES)
def test_messages(expected: Any, message: Message) -> None:
    request = ChatRequest(model="m", messages=(message,))
    assert body(acme.chat(ENDPOINT, request)) == {"model": "m", "messages": expected}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("messages\\[0\\]: audio: .* as data", Message.user(Audio(url="https://x.example/a.wav"))),
        ("messages\\[0\\]: audio: .* not audio/flac", Message.user(Audio(data=b"fLaC0"))),
        ("messages\\[0\\]: image: .* provider keeps", Message.user(Image(file_id="file-1"))),
        ("messages\\[0\\]: document: .* as data", Message.user(Document(url="https://x.example/a.pdf"))),
        (
            "messages\\[0\\]: document: a.txt is said to be text/plain, and is not UTF-8",
            Message.user(Document(data=b"gr\xfcn", media_type="text/plain", name="a.txt")),
        ),
        (
            "messages\\[0\\]: document: a.md is said to be text/markdown, and has null bytes in it, as UTF-16 does",
            Message.user(Document(data="green".encode("utf-16-le"), media_type="text/markdown", name="a.md")),
        ),
        ("messages\\[0\\]: a tool message", Message(role="tool", content="17 C")),
        ("messages\\[0\\]: a tool message", Message(role="tool", content=())),
        ("messages\\[0\\]: .* hold a ToolCall", Message.tool("c1", [ToolCall(id="c2", name="f")])),
    ],
)
def test_a_part_that_the_wire_has_no_form_for_is_named(expected: str, message: Message) -> None:
    with pytest.raises(InvalidRequestError, match=expected):
        acme.chat(ENDPOINT, ChatRequest(model="m", messages=(message,)))


TOOL = Tool(name="f", description="does", parameters=SCHEMA, strict=True)
WIRE_TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "does", "parameters": SCHEMA, "strict": True},
}
BARE_TOOL = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}
CHAT_OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"max_tokens": 5}, {"max_tokens": 5}),
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.5, "seed": 0, "n": 2}, {"top_p": 0.5, "seed": 0, "n": 2}),
    ({"stop": ["a"]}, {"stop": ("a",)}),
    ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
    ({"frequency_penalty": -1, "presence_penalty": 1}, {"frequency_penalty": -1, "presence_penalty": 1}),
    ({"logit_bias": {"50": -100}, "user": "u"}, {"logit_bias": {"50": -100}, "user": "u"}),
    ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ({"logprobs": False}, {"logprobs": False}),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ({"tools": [WIRE_TOOL, BARE_TOOL]}, {"tools": (TOOL, Tool(name="g"))}),
    (
        {"tools": [BARE_TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": (Tool(name="g"),), "tool_choice": "required", "parallel_tool_calls": False},
    ),
    (
        {"tools": [BARE_TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        {"tools": (Tool(name="g"),), "tool_choice": "g"},
    ),
    ({"response_format": {"type": "text"}}, {"response_format": "text"}),
    ({"response_format": {"type": "json_object"}}, {"response_format": "json"}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}},
        {"response_format": JsonSchema(schema=SCHEMA)},
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": False},
            }
        },
        {"response_format": JsonSchema(schema=SCHEMA, name="n", description="d", strict=False)},
    ),
    # OpenAI answers 400 to it without tools, where it means nothing (sheet 5.1) …
    ({}, {"parallel_tool_calls": True}),
    ({}, {"parallel_tool_calls": True, "tools": ()}),
    # … but tools may come through extra, and what extra says is sent.
    (
        {"parallel_tool_calls": True, "tools": [{"type": "custom"}]},
        {"parallel_tool_calls": True, "extra": {"tools": [{"type": "custom"}]}},
    ),
    ({"parallel_tool_calls": True}, {"extra": {"parallel_tool_calls": True}}),
    ({"temperature": 2, "verbosity": "low"}, {"temperature": 1, "extra": {"temperature": 2, "verbosity": "low"}}),
    ({"top_k": 5}, {"extra": {"top_k": 5}}),
    ({"max_tokens": None}, {"max_tokens": 3, "extra": {"max_tokens": None}}),
]


@pytest.mark.parametrize(("expected", "options"), CHAT_OPTIONS)
def test_chat_options(expected: dict[str, Any], options: dict[str, Any]) -> None:
    plan = acme.chat(ENDPOINT, ChatRequest(model="m", messages=HI, **options))
    assert body(plan) == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **expected}
    assert isinstance(plan, Http)
    assert (plan.send.method, plan.send.path, plan.unsupported) == ("POST", "/chat/completions", ())


def test_without_a_model_the_key_is_absent() -> None:
    assert body(acme.chat(ENDPOINT, ChatRequest(messages=HI))) == {"messages": [{"role": "user", "content": "hi"}]}


def test_a_request_that_json_has_no_form_for() -> None:
    with pytest.raises(InvalidRequestError, match="JSON"):
        acme.chat(ENDPOINT, ChatRequest(model="m", messages=HI, extra={"x": float("nan")}))


def test_streams_ask_for_their_usage() -> None:
    expected = {"stream": True, "stream_options": {"include_usage": True}}
    chat = body(acme.stream(ENDPOINT, ChatRequest(model="m", messages=HI)))
    assert chat == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **expected}
    completion = body(acme.stream_complete(ENDPOINT, CompletionRequest(model="m", prompt=("a",))))
    assert completion == {"model": "m", "prompt": "a", **expected}
    options = {"include_usage": False, "include_obfuscation": False}
    request = ChatRequest(model="m", messages=HI, extra={"stream_options": options})
    assert body(acme.stream(ENDPOINT, request))["stream_options"] == options


COMPLETIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"prompt": "a"}, {"prompt": ("a",)}),
    ({"prompt": ["a", "b"]}, {"prompt": ("a", "b")}),
    ({"prompt": [1, 2]}, {"prompt": ((1, 2),)}),
    ({"prompt": [[1, 2], [3]]}, {"prompt": ((1, 2), (3,))}),
    (
        {"prompt": "a", "max_tokens": 3, "echo": True, "suffix": "z", "logprobs": 0, "stop": ["."], "n": 2, "seed": 1},
        {"prompt": ("a",), "max_tokens": 3, "echo": True, "suffix": "z", "logprobs": 0, "stop": (".",), "n": 2}
        | {"seed": 1},
    ),
    ({"prompt": "a", "best_of": 3}, {"prompt": ("a",), "extra": {"best_of": 3}}),
]


@pytest.mark.parametrize(("expected", "fields"), COMPLETIONS)
def test_completions(expected: dict[str, Any], fields: dict[str, Any]) -> None:
    plan = acme.complete(ENDPOINT, CompletionRequest(model="m", **fields))
    assert body(plan) == {"model": "m", **expected}
    assert isinstance(plan, Http)
    assert plan.send.path == "/completions"


EMBEDDINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"input": "a", "encoding_format": "base64"}, {"inputs": ("a",)}),
    ({"input": ["a", "b"], "encoding_format": "base64"}, {"inputs": ("a", "b")}),
    ({"input": [1, 2], "encoding_format": "base64"}, {"inputs": ((1, 2),)}),
    ({"input": [[1], [2]], "encoding_format": "base64"}, {"inputs": ((1,), (2,))}),
    (
        {"input": "a", "encoding_format": "base64", "dimensions": 8, "user": "u"},
        {"inputs": ("a",), "dimensions": 8, "user": "u"},
    ),
    ({"input": "a", "encoding_format": "float"}, {"inputs": ("a",), "extra": {"encoding_format": "float"}}),
]


@pytest.mark.parametrize(("expected", "fields"), EMBEDDINGS)
def test_embeddings(expected: dict[str, Any], fields: dict[str, Any]) -> None:
    plan = acme.embed(ENDPOINT, EmbedRequest(model="m", **fields))
    assert body(plan) == {"model": "m", **expected}
    assert isinstance(plan, Http)
    assert plan.send.path == "/embeddings"


def test_an_option_that_is_refused_is_left_out_and_named_as_the_caller_knows_it() -> None:
    chat = ChatRequest(model="m", messages=HI, top_k=5, temperature=1)
    completion = CompletionRequest(model="m", prompt=("a",), top_k=5)
    for plan in (
        acme.chat(ENDPOINT, chat),
        acme.stream(ENDPOINT, chat),
        acme.complete(ENDPOINT, completion),
        acme.stream_complete(ENDPOINT, completion),
    ):
        assert isinstance(plan, Http | HttpStream)
        assert plan.unsupported == ("top_k",)
        assert "top_k" not in body(plan)
