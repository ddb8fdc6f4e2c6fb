"""What is checked before anything is sent, and what is written differently than for OpenAI."""

from __future__ import annotations

import json
import struct
from typing import Any

import attrs
import pytest
from ipfs_accel import Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool, UnsupportedParameterWarning
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import (
    Audio,
    BatchItem,
    BatchRequest,
    ChatRequest,
    EmbedRequest,
    SpeakRequest,
    ToolCall,
    TranscribeRequest,
    Upload,
    UploadRequest,
)
from ipfs_accel_groq import Options, backend
from pytest_httpserver import HTTPServer

HOSTED = Endpoint(name="groq", backend="groq", base_url="https://api.groq.com", options=Options())
BIG, QWEN = "openai/gpt-oss-120b", "qwen/qwen3.8-27b"
ORPHEUS = "canopylabs/orpheus-v1-english"
TOOLS = tuple([Tool(name=f"f{number}") for number in range(129)])


def png(width: int, height: int, size: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(size)


def request(*content: Any, model: str = BIG, **options: Any) -> ChatRequest:
    return ChatRequest(model=model, messages=(Message.user(*(content or ("hi",))),), **options)


def body(plan: Any) -> dict[str, Any]:
    return json.loads(plan.send.content)  # type: ignore[no-any-return]


PICTURE = Image(data=png(1, 1))
RESULT = (
    Message.user("q"),
    Message.assistant(ToolCall(id="c", name="f")),
    Message.tool("c", ["see", Document(data=b"%PDF-1.7")]),
)
REFUSED: list[tuple[str, ChatRequest]] = [
    ("tools: Groq takes up to 128, these are 129", request(tools=TOOLS)),
    ("stop: Groq takes up to 4, these are 5", request(stop=tuple("abcde"))),
    ("messages: Groq's chats take no sound", request(Audio(data=b"RIFF\0\0\0\0WAVEfmt "))),
    ("pictures: Groq takes up to 5, these are 6", request(*[PICTURE] * 6, model=QWEN)),
    ("4.0 MiB as base64, and Groq takes up to 4", request(Image(data=png(1, 1, 3 << 20)), model=QWEN)),
    ("of 6000 by 6000 pixels; Groq takes 33 megapixels", request(Image(data=png(6000, 6000)), model=QWEN)),
    ("it or include_reasoning, not both", request(extra={"reasoning_format": "parsed", "include_reasoning": True})),
    ("'raw' does not go with tools", request(model=QWEN, tools=TOOLS[:1], extra={"reasoning_format": "raw"})),
    ("'raw' does not go with .* JSON", request(model=QWEN, response_format="json", extra={"reasoning_format": "raw"})),
    ("reasoning_format: openai/gpt-oss-120b does not know it", request(extra={"reasoning_format": "hidden"})),
    ("takes low, medium, high, not 'none'", request(reasoning_effort="none")),
    ("takes none, default, low, medium, high, not 'max'", request(model=QWEN, reasoning_effort="max")),
    ("takes none, default, not 'low'", request(model="qwen/qwen3.6-27b", reasoning_effort="low")),
    ("messages.0.: document: Groq takes text and JSON as data, not application/pdf", request(Document(data=b"%PDF-1"))),
    ("messages.0.: document: .* not URLs", request(Document(url="https://x.test/a.txt"))),
    ("document: it is not application/json", request(Document(data=b"{", media_type="application/json"))),
    (
        "document: it is said to be text/plain, and is not UTF-8",
        request(Document(data=b"\xff", media_type="text/plain")),
    ),
    ("image: this API takes no picture that the provider keeps", request(Image(file_id="f"), model=QWEN)),
    (r"messages\[2\]: Groq takes no document as the result", ChatRequest(model=BIG, messages=RESULT)),
    ("tools.0.: Groq takes names of 1 to 64 .* not 'wetter_für'", request(tools=(Tool(name="wetter_für"),))),
    ("tools.1.: Groq takes names of 1 to 64", request(tools=(Tool(name="f"), Tool(name="f" * 65)))),
    ("model: Groq wants one", request(model="")),
]


@pytest.mark.parametrize(("message", "asked"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_chat_that_groq_would_refuse_is_not_sent(message: str, asked: ChatRequest) -> None:
    for plan in (backend.chat, backend.stream):
        with pytest.raises(e.InvalidRequestError, match=message):
            plan(HOSTED, asked)


def test_what_an_unknown_model_takes_is_not_known() -> None:
    asked = request(*[PICTURE] * 5, model="brand/new", reasoning_effort="max", extra={"reasoning_format": "raw"})
    assert body(backend.chat(HOSTED, asked))["reasoning_effort"] == "max"


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({"top_k": 4}, ("top_k",)),
        ({"n": 2}, ("n",)),
        ({"logit_bias": {"1": 2.0}}, ("logit_bias",)),
        ({"logprobs": True, "top_logprobs": 2}, ("logprobs", "top_logprobs")),
        ({"temperature": 0.0, "seed": 1, "frequency_penalty": 1.0, "presence_penalty": 1.0, "n": 1, "user": "u"}, ()),
    ],
)
def test_what_groq_does_not_have_is_named(options: dict[str, Any], lost: tuple[str, ...]) -> None:
    plan: Any = backend.chat(HOSTED, request(**options))
    assert plan.unsupported == lost
    assert not set(lost) & set(body(plan))


def test_a_speakers_name_is_refused_or_left_out(httpserver: HTTPServer) -> None:
    answer = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(answer)
    named = ["hi", Message(role="user", content="ho", name="Ann")]
    with Client(endpoints={"groq": EndpointConfig(base_url=httpserver.url_for(""), key="")}) as client:
        with pytest.raises(e.UnsupportedParameterError, match=r"messages\[1\].name"):
            client.chat("groq/m", named)
        assert not httpserver.log
        with pytest.warns(UnsupportedParameterWarning, match=r"messages\[1\].name"):
            client.chat("groq/m", named, on_unsupported="warn")
    sent = json.loads(httpserver.log[0][0].get_data())["messages"]
    assert sent == [{"role": "user", "content": "hi"}, {"role": "user", "content": "ho"}]


def test_no_member_of_a_message_is_null_and_no_list_of_tools_empty() -> None:
    from ipfs_accel.types import ToolCall

    history = (Message.user("hi"), Message.assistant(ToolCall(id="c", name="f")), Message.tool("c", "17"))
    plan = backend.chat(HOSTED, ChatRequest(model=BIG, messages=history, extra={"tools": []}))
    assert body(plan)["messages"][1] == {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert "tools" not in body(plan)


def test_parallel_calls_are_spoken_of_where_there_are_tools() -> None:
    search = {"tools": [{"type": "browser_search"}]}
    assert "parallel_tool_calls" not in body(backend.chat(HOSTED, request(parallel_tool_calls=False)))
    for options in ({"tools": TOOLS[:1]}, {"extra": search}, {"tools": TOOLS[:1], "extra": search}):
        assert body(backend.chat(HOSTED, request(parallel_tool_calls=False, **options)))["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        ({"reasoning_format": "parsed"}, {}),
        ({"reasoning_format": "raw"}, {"extra": {"reasoning_format": "raw"}}),
        ({"include_reasoning": False}, {"extra": {"include_reasoning": False}}),
    ],
)
def test_a_model_that_thinks_aloud_is_asked_to_keep_its_thoughts_apart(
    expected: dict[str, Any], options: dict[str, Any]
) -> None:
    found = body(backend.chat(HOSTED, request(model=QWEN, **options)))
    assert {name: value for name, value in found.items() if "reasoning" in name} == expected
    local = attrs.evolve(HOSTED, base_url="http://127.0.0.1:1")
    assert "reasoning_format" not in body(backend.chat(local, request(model=QWEN)))


def test_a_stream_does_not_ask_for_the_usage_that_comes_anyway() -> None:
    assert body(backend.stream(HOSTED, request())) == {
        "model": BIG,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }


FLAC = b"fLaC"
SOUNDS: list[tuple[str, dict[str, Any]]] = [
    ("audio: 'a.aac' has no extension that Groq takes", {"audio": Upload(name="a.aac", data=b"x", size=1)}),
    ("audio: it has 101 MiB, and Groq takes up to 100", {"audio": Upload(name="a.flac", data=b"x", size=101 << 20)}),
    ("response_format: Groq gives json, text, verbose_json, not 'srt'", {"response_format": "srt"}),
    ("response_format: .* not 'vtt'", {"response_format": "vtt"}),
    ("timestamps: they need response_format='verbose_json'", {"response_format": "json", "timestamps": ("word",)}),
]


@pytest.mark.parametrize(("message", "options"), SOUNDS)
def test_a_sound_that_groq_would_refuse_is_not_sent(message: str, options: dict[str, Any]) -> None:
    asked = TranscribeRequest(model="whisper-large-v3", **{"audio": Upload.of(FLAC), **options})
    for plan in (backend.transcribe, backend.translate):
        if plan == backend.translate and "timestamps" in options:
            continue
        with pytest.raises(e.InvalidRequestError, match=message):
            plan(HOSTED, asked)


def test_timestamps_are_repeated_with_brackets_and_translations_have_none() -> None:
    options: dict[str, Any] = {"language": "de", "timestamps": ("word", "segment")}
    asked = TranscribeRequest(model="whisper-large-v3", audio=Upload.of(FLAC), **options)
    written: Any = backend.transcribe(HOSTED, asked)
    form = b"".join(written.send.content).decode("latin-1")
    assert form.count('name="timestamp_granularities[]"') == 2
    assert 'name="response_format"\r\n\r\nverbose_json' in form
    translated: Any = backend.translate(HOSTED, asked)
    assert translated.unsupported == ("language", "timestamps")
    assert b"language" not in b"".join(translated.send.content)


SPEECHES: list[tuple[str, dict[str, Any]]] = [
    ("voice: Groq wants one, for this model one of autumn, diana", {"voice": None}),
    ("output_format: Groq gives flac, mp3, mulaw, ogg, wav, not 'aac'", {"output_format": "aac"}),
    ("output_format: .* not 'opus'", {"output_format": "opus"}),
    ("output_format: .* not 'pcm'", {"output_format": "pcm"}),
    ("sample_rate: Groq gives 8000 to 48000 hertz, not 7999", {"sample_rate": 7999}),
    ("text: .* reads up to 200 letters at once, these are 201", {"text": "a" * 201}),
]


@pytest.mark.parametrize(("message", "options"), SPEECHES)
def test_a_text_that_groq_would_not_read_is_not_sent(message: str, options: dict[str, Any]) -> None:
    asked = SpeakRequest(**{"model": ORPHEUS, "text": "hi", "voice": "troy", **options})
    for plan in (backend.speak, backend.stream_speak):
        with pytest.raises(e.InvalidRequestError, match=message):
            plan(HOSTED, asked)


def test_speech_has_no_instructions() -> None:
    plan: Any = backend.speak(HOSTED, SpeakRequest(model=ORPHEUS, text="hi", voice="troy", instructions="calm"))
    assert plan.unsupported == ("instructions",)
    assert body(plan) == {"model": ORPHEUS, "input": "hi", "voice": "troy", "response_format": "wav"}


def test_a_file_is_one_of_lines() -> None:
    with pytest.raises(e.InvalidRequestError, match=r"'a.txt' is no .jsonl file"):
        backend.upload_file(HOSTED, UploadRequest(file=Upload(name="a.txt", data=b"x", size=1)))
    with pytest.raises(e.InvalidRequestError, match="101 MiB"):
        backend.upload_file(HOSTED, UploadRequest(file=Upload(name="a.jsonl", data=b"x", size=101 << 20)))
    plan: Any = backend.upload_file(
        HOSTED, UploadRequest(file=Upload(name="a.jsonl", data=b"x", size=1), expires_after=60)
    )
    assert plan.unsupported == ("expires_after",)


def test_a_batch_is_of_chats_and_not_too_many() -> None:
    vectors = BatchRequest(items=(BatchItem(id="a", request=EmbedRequest(model="m", inputs=("a",))),))
    with pytest.raises(e.InvalidRequestError, match="batches are of chats"):
        backend.create_batch(HOSTED, vectors)
    many = (BatchItem(id="a", request=request()),) * 50_001
    with pytest.raises(e.InvalidRequestError, match="up to 50000, these are 50001"):
        backend.create_batch(HOSTED, BatchRequest(items=many))


def test_structured_output_is_asked_for_as_it_is() -> None:
    found = body(backend.chat(HOSTED, request(response_format=JsonSchema(schema={"type": "object"}, strict=True))))
    assert found["response_format"]["json_schema"]["strict"] is True
