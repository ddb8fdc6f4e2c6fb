"""Whole answers of OpenAI's dialect, from many servers."""

from __future__ import annotations

import base64
import json
import struct
from array import array
from typing import Any

import pytest
from ipfs_accel import errors as e
from ipfs_accel._headers import Headers
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import (
    Audio,
    ChatResponse,
    Choice,
    CompletionChoice,
    CompletionResponse,
    Message,
    ModelInfo,
    Part,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.openai_answers import (
    read_chat,
    read_completion,
    read_embeddings,
    read_model,
    read_models,
    read_usage,
)
from ipfs_accel.wire.openai_streams import ChatDecoder, decode_completion
from ipfs_accel.wire.sse import ServerSentEvent


def response(value: Any) -> HttpResponse:
    return HttpResponse(status=200, headers=Headers([]), body=json.dumps(value).encode())


def chat(message: dict[str, Any], **choice: Any) -> ChatResponse:
    return read_chat(response({"choices": [{"message": {"role": "assistant", **message}, **choice}]}))


def test_the_answer_of_openai_itself() -> None:
    usage = {
        "prompt_tokens": 8,
        "completion_tokens": 3,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0, "accepted_prediction_tokens": 0},
    }
    message: dict[str, Any] = {"role": "assistant", "content": "Hi!", "refusal": None, "annotations": []}
    value = {
        "id": "chatcmpl-AbC",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "gpt-5.4-mini-2026-03-17",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": None,
        "moderation": {"input": {"type": "moderation_results"}},
    }
    answer = read_chat(response(value))
    assert answer == ChatResponse(
        id="chatcmpl-AbC",
        model="gpt-5.4-mini-2026-03-17",
        choices=(Choice(message=Message.assistant("Hi!"), finish_reason="stop"),),
        usage=Usage(
            input_tokens=8,
            output_tokens=3,
            cached_input_tokens=4,
            cache_write_input_tokens=2,
            reasoning_tokens=1,
            audio_input_tokens=0,
            audio_output_tokens=0,
        ),
    )
    assert answer.usage.total_tokens == 11
    assert answer.extra == {"service_tier": "default", "moderation": {"input": {"type": "moderation_results"}}}
    assert answer.raw == value


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
CITED = {"type": "url_citation", "url_citation": {"url": "https://x.example", "start_index": 0, "end_index": 1}}
# What test_openai.py does not have already.
MESSAGES: list[tuple[tuple[Part, ...], dict[str, Any]]] = [
    ((), {"content": None, "tool_calls": None, "refusal": None, "annotations": None, "audio": None}),
    ((Text(text=" \n"),), {"content": " \n"}),
    ((Text(text="a\u2028b"),), {"content": "a\u2028b"}),
    ((Text(text="ab"),), {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "x"}]}),
    ((Text(text="a", annotations=(CITED,)),), {"content": "a", "annotations": [CITED]}),
    ((Reasoning(text="hm"), Text(text="a")), {"content": "a", "reasoning": "hm", "reasoning_content": None}),
    ((Text(text="a"),), {"content": "a", "reasoning": {"effort": "low"}}),
    ((Text(text="a"),), {"content": "a", "reasoning": "", "reasoning_content": ""}),
    ((ToolCall(id="c1", name="f", arguments='{"x":1}'),), {"content": None, "tool_calls": [CALL]}),
    ((ToolCall(id="c1", name="f"),), {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": None}}]}),
    # A model's mistake, or a cut by the limit of tokens: kept as it is.
    (
        (ToolCall(id="c1", name="f", arguments='{"x'),),
        {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"x'}}]},
    ),
    # MLC gives an object (sheet llvm 4), and some servers no id.
    (
        (ToolCall(id="call_0", name="f", arguments='{"x":"ü"}'), ToolCall(id="call_1", name="g", arguments="{}")),
        {
            "tool_calls": [
                {"function": {"name": "f", "arguments": {"x": "ü"}}},
                {"function": {"name": "g"} | {"arguments": {}}},
            ]
        },
    ),
    (
        (ToolCall(id="c1", name="sql", arguments="select 1"),),
        {"tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}]},
    ),
    (
        (Audio(data=b"RIFF0000WAVE", media_type="audio/wav", id="a1", transcript="hello"),),
        {"content": None, "audio": {"id": "a1", "data": "UklGRjAwMDBXQVZF", "transcript": "hello", "expires_at": 1}},
    ),
    ((Audio(data=b"\0\1", media_type="audio/pcm", id="a1"),), {"audio": {"id": "a1", "data": "AAE="}}),
]


@pytest.mark.parametrize(("expected", "message"), MESSAGES)
def test_messages(expected: tuple[Part, ...], message: dict[str, Any]) -> None:
    assert chat(message).message == Message(role="assistant", content=expected)


@pytest.mark.parametrize(
    ("expected", "reason", "calls"),
    [
        ("stop", "stop", []),
        ("length", "length", []),
        ("stop", "eos", []),
        (None, None, []),
        (None, "", []),
        ("content_filter", "content_filter", []),
        # A forced function ends with `stop`, an old one with `function_call` (sheet 5.4).
        ("tool_calls", "tool_calls", [CALL]),
        ("tool_calls", "stop", [CALL]),
        ("tool_calls", "function_call", [CALL]),
        ("tool_calls", None, [CALL]),
        ("tool_calls", "", [CALL]),
        ("length", "length", [CALL]),
    ],
)
def test_finish_reasons(expected: str | None, reason: str | None, calls: list[Any]) -> None:
    assert chat({"content": None, "tool_calls": calls}, finish_reason=reason).finish_reason == expected


def test_a_missing_index_is_the_position() -> None:
    choices = [{"message": {"content": "a"}}, {"index": None, "message": {"content": "b"}}]
    answer = read_chat(response({"choices": choices}))
    assert [(choice.index, choice.message.text) for choice in answer.choices] == [(0, "a"), (1, "b")]


def test_totals_count_their_parts_once() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 9},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert read_usage(usage).total_tokens == 15


def test_log_probabilities_of_a_chat() -> None:
    token = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    other = {"token": "e", "logprob": -1.0, "bytes": None}
    logprobs = {"content": [{**token, "top_logprobs": [token, other]}], "refusal": None}
    best = TokenLogprob(token="é", logprob=-0.5, bytes=b"\xc3\xa9")
    expected = TokenLogprob(
        token="é", logprob=-0.5, bytes=b"\xc3\xa9", top=(best, TokenLogprob(token="e", logprob=-1.0))
    )
    assert chat({"content": "é"}, logprobs=logprobs).choices[0].logprobs == (expected,)
    refused = {"content": None, "refusal": [token]}
    assert chat({"refusal": "é"}, logprobs=refused).choices[0].logprobs == (best,)
    empty: list[Any] = [None, {}, {"content": None}, {"content": []}]
    for nothing in empty:
        assert chat({"content": "é"}, logprobs=nothing).choices[0].logprobs is None


def test_a_completion() -> None:
    logprobs = {
        "tokens": ["the", " world"],
        "token_logprobs": [None, -0.1],
        "top_logprobs": [None, {" sky": -2.0, " world": -0.1}],
        "text_offset": [0, 3],
    }
    value = {
        "id": "cmpl-1",
        "object": "text_completion",
        "model": "m",
        "choices": [{"text": "the world", "index": 0, "finish_reason": "stop", "logprobs": logprobs}, {"text": ""}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        "system_fingerprint": "fp",
    }
    top = (TokenLogprob(token=" world", logprob=-0.1), TokenLogprob(token=" sky", logprob=-2.0))
    tokens = (TokenLogprob(token="the", logprob=0.0), TokenLogprob(token=" world", logprob=-0.1, top=top))
    answer = read_completion(response(value))
    assert answer == CompletionResponse(
        id="cmpl-1",
        model="m",
        choices=(
            CompletionChoice(text="the world", finish_reason="stop", logprobs=tokens),
            CompletionChoice(index=1, text=""),
        ),
        usage=Usage(input_tokens=1, output_tokens=1),
    )
    assert answer.extra == {"system_fingerprint": "fp"}


def test_log_probabilities_of_a_completion_without_alternatives() -> None:
    choice = {"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": None}}
    answer = read_completion(response({"choices": [choice]}))
    assert answer.choices[0].logprobs == (TokenLogprob(token="a", logprob=-1),)


@pytest.mark.parametrize(
    ("expected", "read", "value"),
    [
        ("'choices' is missing", read_chat, {"choices": None}),
        ("'message' is missing", read_chat, {"choices": [{"index": 0}]}),
        ("'message' is missing", read_chat, {"choices": ["hi"]}),
        ("JSON NoneType instead of an object", read_chat, None),
        ("'choices' is missing", read_completion, {}),
        ("empty list of choices", read_completion, {"choices": []}),
        ("'text' is missing", read_completion, {"choices": [{"message": {}}]}),
        ("'text' is missing", read_completion, {"choices": [None]}),
        ("'data' is missing", read_models, {"models": []}),
        ("'id' is missing", read_models, {"data": [{"name": "m"}]}),
        ("'id' is int instead of str", read_model, {"id": 1}),
    ],
)
def test_an_answer_of_another_form_is_named(expected: str, read: Any, value: Any) -> None:
    with pytest.raises(e.InvalidResponseError, match=expected):
        read(response(value))


@pytest.mark.parametrize("read", [read_chat, read_completion, read_model, read_models])
def test_an_error_in_a_success(read: Any) -> None:
    error = {"message": "too many", "type": "requests", "code": "rate_limit_exceeded"}
    with pytest.raises(e.RateLimitError, match="too many") as caught:
        read(response({"error": error}))
    assert (caught.value.code, caught.value.retryable) == ("rate_limit_exceeded", True)


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


@pytest.mark.parametrize(
    "embeddings",
    [
        [{"index": 0, "embedding": packed(0.5, -2)}, {"index": 1, "embedding": packed(1, 0.25)}],
        [{"index": 1, "embedding": packed(1, 0.25)}, {"index": 0, "embedding": packed(0.5, -2)}],
        [{"embedding": packed(0.5, -2)}, {"embedding": packed(1, 0.25)}],
        # Servers may ignore the wish for base64 (sheet 8), and say integers for whole numbers.
        [{"index": 0, "embedding": [0.5, -2]}, {"index": 1, "embedding": [1, 0.25]}],
        [{"index": None, "embedding": [0.5, -2]}, {"index": None, "embedding": [1, 0.25]}],
        [{"index": 0, "embedding": [0.5, -2.0]}, {"index": 1, "embedding": packed(1, 0.25)}],
    ],
)
def test_vectors(embeddings: list[Any]) -> None:
    value = {"data": embeddings, "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    answer = read_embeddings(response(value), 2)
    assert answer.vectors == (array("f", [0.5, -2]), array("f", [1, 0.25]))
    assert {vector.typecode for vector in answer.vectors} == {"f"}
    assert (answer.model, answer.usage) == ("m", Usage(input_tokens=2))


def test_base64_is_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.byteorder", "big")
    (vector,) = read_embeddings(response({"data": [{"embedding": packed(0.5)}]}), 1).vectors
    vector.byteswap()
    assert vector[0] == 0.5


@pytest.mark.parametrize(
    ("expected", "count", "data"),
    [
        ("1 vectors for 2 inputs", 2, [{"embedding": [1.0]}]),
        ("2 vectors for 1 inputs", 1, [{"embedding": [1.0]}, {"embedding": [1.0]}]),
        ("neither base64 nor a list", 1, [{"embedding": None}]),
        ("neither base64 nor a list", 1, [{}]),
        ("not base64 of 32-bit floats", 1, [{"embedding": "AAA="}]),
        ("not base64 of 32-bit floats", 1, [{"embedding": "A"}]),
    ],
)
def test_vectors_of_another_form(expected: str, count: int, data: list[Any]) -> None:
    with pytest.raises(e.InvalidResponseError, match=expected):
        read_embeddings(response({"data": data}), count)


def test_vectors_that_are_an_error() -> None:
    with pytest.raises(e.ModelNotFoundError):
        read_embeddings(response({"error": {"message": "no", "code": "model_not_found"}}), 1)


GPT = {"id": "gpt", "object": "model", "created": 1759000000, "owned_by": "openai", "shutdown_date": "2027-01-14"}


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (
            (ModelInfo(id="gpt", owned_by="openai", created=1759000000, retired="2027-01-14"),),
            {"object": "list", "data": [GPT]},
        ),
        ((ModelInfo(id="a"), ModelInfo(id="b")), {"data": [{"id": "a"}, {"id": "b", "created": None}]}),
        ((ModelInfo(id="a"),), [{"id": "a"}]),
        ((), {"data": []}),
        ((), {"object": "list", "data": None}),
    ],
)
def test_models(expected: tuple[ModelInfo, ...], value: Any) -> None:
    assert read_models(response(value)) == expected


def test_a_model() -> None:
    model = read_model(response(GPT))
    assert (model.id, model.retired, model.raw) == ("gpt", "2027-01-14", GPT)


def test_what_a_usage_says_beside_tokens_is_kept() -> None:
    usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1}, "queue_time": 0.25}
    answer = read_chat(response({"choices": [{"message": {"content": "a"}}], "usage": usage}))
    assert (answer.usage.cached_input_tokens, answer.extra) == (1, {"usage": {"queue_time": 0.25}})


ENDLESS = b'{"choices":[{"index":1e400,"text":"x","message":{"content":"x"},"delta":{"content":"x"}}]}'


@pytest.mark.parametrize("read", [read_chat, read_completion], ids=["chat", "completion"])
def test_an_index_that_is_no_number(read: Any) -> None:
    with pytest.raises(e.InvalidResponseError, match="the index of a choice is inf"):
        read(HttpResponse(status=200, headers=Headers(()), body=ENDLESS))


@pytest.mark.parametrize("decode", [ChatDecoder(), decode_completion], ids=["chat", "completion"])
def test_an_index_that_is_no_number_in_a_stream(decode: Any) -> None:
    with pytest.raises(e.InvalidResponseError, match="the index of a choice is inf"):
        decode(ServerSentEvent(data=ENDLESS.decode()), chat_assembler())


def test_a_count_that_is_no_number_is_unknown() -> None:
    body = b'{"choices":[{"index":0,"message":{"content":"x"}}],"usage":{"prompt_tokens":1e400}}'
    assert read_chat(HttpResponse(status=200, headers=Headers(()), body=body)).usage.input_tokens is None
