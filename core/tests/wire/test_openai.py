"""OpenAI's dialect as servers really speak it: what is null, absent, renamed or wrong."""

from __future__ import annotations

import base64
import json
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import BackendInfo
from ipfs_accel import errors as e
from ipfs_accel._headers import Headers
from ipfs_accel.plans import Endpoint, HttpResponse
from ipfs_accel.types import ChatResponse, Reasoning, Refusal, Text, ToolCall, Usage
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire import openai_streams
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_errors import read_error
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder


def response(body: Any, status: int = 200) -> HttpResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers=Headers([]), body=data)


def read(message: dict[str, Any], **choice: Any) -> ChatResponse:
    return answers.read_chat(response({"choices": [{"message": message, **choice}]}))


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, (Text(text="a"),)),
        ({"content": None}, ()),
        ({"content": ""}, ()),
        ({}, ()),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, (Text(text="ab"),)),
        ({"content": "a", "reasoning_content": "r"}, (Reasoning(text="r"), Text(text="a"))),
        ({"content": "a", "reasoning": "r"}, (Reasoning(text="r"), Text(text="a"))),
        ({"content": None, "refusal": "no"}, (Refusal(text="no"),)),
        ({"content": None, "tool_calls": None}, ()),
        ({"content": None, "tool_calls": []}, ()),
        ({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}]}, (ToolCall(id="1", name="f"),)),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]},
            (ToolCall(id="call_0", name="f", arguments='{"x":1}'),),
        ),
        (
            {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f", "input": "free"}}]},
            (ToolCall(id="1", name="f", arguments="free"),),
        ),
        ({"function_call": {"name": "f", "arguments": "{}"}}, (ToolCall(id="call_0", name="f", arguments="{}"),)),
    ],
)
def test_messages(message: dict[str, Any], parts: tuple[Any, ...]) -> None:
    assert read(message).message.content == parts


@pytest.mark.parametrize(
    ("given", "reason"), [("stop", "stop"), ("", None), (None, None), ("eos", "stop"), ("length", "length")]
)
def test_finish_reasons(given: str | None, reason: str | None) -> None:
    assert read({"content": "a"}, finish_reason=given).finish_reason == reason
    call = {"tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    assert read(call, finish_reason="stop").finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({"prompt_tokens": 1}, Usage(input_tokens=1)),
        (
            {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None},
            Usage(input_tokens=1, output_tokens=2),
        ),
        ({"completion_tokens_details": {"reasoning_tokens": 3}}, Usage(reasoning_tokens=3)),
    ],
)
def test_usage(usage: Any, expected: Usage) -> None:
    assert answers.read_usage(usage) == expected


def test_sound_in_an_answer() -> None:
    wav = b"RIFF\0\0\0\0WAVE"
    message = {"content": None, "audio": {"id": "a1", "data": base64.b64encode(wav).decode(), "transcript": "hi"}}
    (part,) = read(message).message.content
    assert (part.data, part.id, part.transcript, part.media_type) == (wav, "a1", "hi", "audio/wav")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ([], e.InvalidResponseError, "a JSON list instead of an object"),
        ({}, e.InvalidResponseError, "'choices' is missing"),
        ({"choices": []}, e.InvalidResponseError, "empty list of choices"),
        ({"choices": {}}, e.InvalidResponseError, "'choices' is dict instead of list"),
        ({"choices": [None]}, e.InvalidResponseError, "'message' is missing"),
        ({"choices": [{"message": "x"}]}, e.InvalidResponseError, "'message' is str instead of dict"),
        ({"error": {"message": "boom", "type": "server_error"}}, e.InternalServerError, "boom"),
        ({"error": {"message": "bad", "type": "invalid_request_error", "code": None}}, e.BadRequestError, "bad"),
        ({"error": {"message": "slow", "code": 429}}, e.RateLimitError, "slow"),
        ({"error": "text"}, e.InternalServerError, "text"),
    ],
)
def test_a_success_that_is_none(body: Any, kind: type[e.APIError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        answers.read_chat(response(body))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (
            400,
            {"error": {"message": "m", "type": "invalid_request_error", "param": "n", "code": "x"}},
            None,
            "x",
            r"m \(parameter n\)",
        ),
        (
            400,
            {"error": {"message": "m", "code": "context_length_exceeded"}},
            e.ContextLengthExceededError,
            "context_length_exceeded",
            "m",
        ),
        (
            400,
            {"error": {"message": "This model's maximum context length is 8 tokens", "code": 400}},
            e.ContextLengthExceededError,
            "400",
            "8 tokens",
        ),
        (
            400,
            {
                "error": {
                    "message": "too long",
                    "type": "exceed_context_size_error",
                    "code": 400,
                    "n_prompt_tokens": 9,
                    "n_ctx": 4,
                }
            },
            e.ContextLengthExceededError,
            "exceed_context_size_error",
            r"too long \(9 tokens in a context of 4\)",
        ),
        (
            400,
            {"error": {"message": "m", "code": "content_policy_violation"}},
            e.ContentFilterError,
            "content_policy_violation",
            "m",
        ),
        (
            401,
            {"error": {"message": "Incorrect API key provided: sk-abc12345678.", "code": "invalid_api_key"}},
            e.AuthenticationError,
            "invalid_api_key",
            r"provided: \*\*\*",
        ),
        (401, {"error": "Unauthorized"}, None, None, "^Unauthorized$"),
        (
            404,
            {"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}},
            e.ModelNotFoundError,
            "model_not_found",
            "x",
        ),
        (
            404,
            {"error": {"message": "The model x does not exist.", "type": "NotFoundError", "code": 404}},
            e.ModelNotFoundError,
            "NotFoundError",
            "x",
        ),
        (404, {"detail": "Not Found"}, None, None, "^Not Found$"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "not an int"}]}, None, None, r"^body\.n: not an int$"),
        (
            429,
            {"error": {"message": "m", "type": "requests", "code": "rate_limit_exceeded"}},
            None,
            "rate_limit_exceeded",
            "m",
        ),
        (
            429,
            {"error": {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}},
            e.QuotaExceededError,
            "insufficient_quota",
            "m",
        ),
        (500, {"message": "m"}, None, None, "^m$"),
        (500, b"", None, None, "status 500 and no body"),
        (502, b"<html><body>Bad gateway</body></html>", None, None, "status 502 and an HTML page"),
        (400, json.dumps('{"object":"error","message":"twice","code":400}').encode(), None, "400", "^twice$"),
        (500, [1], None, None, "1"),
        (500, "null", None, None, "."),
    ],
)
def test_error_bodies(status: int, body: Any, kind: type[e.APIError] | None, code: str | None, message: str) -> None:
    import re

    detail = read_error(response(body, status))
    assert (detail.kind, detail.code) == (kind, code)
    assert re.search(message, detail.message)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"index": 0, "embedding": [0.5, 1]}], [[0.5, 1.0]]),
        ([{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2]}], [[2.0], [1.0]]),
        ([{"embedding": base64.b64encode(array("f", [1.5, -2]).tobytes()).decode()}], [[1.5, -2.0]]),
    ],
)
def test_embeddings(items: list[Any], expected: list[list[float]]) -> None:
    reply = answers.read_embeddings(response({"data": items}), len(items))
    assert [list(vector) for vector in reply.vectors] == expected


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "0 vectors for 1 inputs"),
        ([{"embedding": "AAA="}], "not base64 of 32-bit floats"),
        ([{"embedding": "?"}], "not base64"),
        ([{"embedding": None}], "neither base64 nor"),
    ],
)
def test_bad_embeddings(items: list[Any], message: str) -> None:
    with pytest.raises(e.InvalidResponseError, match=message):
        answers.read_embeddings(response({"data": items}), 1)


@pytest.mark.parametrize("body", [[{"id": "a"}], {"data": [{"id": "a", "owned_by": None}]}])
def test_models(body: Any) -> None:
    assert [model.id for model in answers.read_models(response(body))] == ["a"]


def chunk(delta: Any, reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": reason}], **more}


def stream(*chunks: Any, done: bool = True) -> ChatResponse:
    out = chat_assembler(merge=True)
    decode = openai_streams.ChatDecoder()
    data = b"".join(
        b"data: " + (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n\n" for each in chunks
    )
    decoder = SSEDecoder()
    for event in [*decoder.feed(data + (b"data: [DONE]\n\n" if done else b"")), *decoder.flush()]:
        decode(event, out)
        if out.is_done:
            break
    return out.conclude()


@pytest.mark.parametrize("delta", [None, {}, {"content": None}, {"content": ""}, {"role": "assistant"}])
def test_empty_deltas_mean_nothing(delta: Any) -> None:
    assert stream(chunk(delta), chunk({"content": "a"}), chunk(delta, "stop")).text == "a"


def test_usage_comes_in_many_places_and_the_last_counts() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    last = {"prompt_tokens": 1, "completion_tokens": 2}
    for chunks in (
        [chunk({"content": "a"}, "stop"), {"choices": [], "usage": last}],
        [chunk({"content": "a"}, "stop", usage=last)],
        [chunk({"content": "a"}, usage=usage), chunk({}, "stop", usage=last), chunk({}, usage=None)],
    ):
        assert stream(*chunks).usage.output_tokens == 2


def test_the_first_chunk_may_have_no_choices() -> None:
    assert stream({"choices": [], "prompt_filter_results": [1]}, chunk({"content": "a"}, "stop")).extra == {
        "prompt_filter_results": [1]
    }


@pytest.mark.parametrize(
    "calls",
    [
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
            {"index": 0, "function": {"arguments": "{}"}},
        ],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}},
        ],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"index": 0, "id": None, "function": {"name": None}},
        ],
        [{"id": "a", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}}],
        [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    ],
)
def test_fragments_of_a_tool_call(calls: list[Any]) -> None:
    reply = stream(*[chunk({"tool_calls": [call]}) for call in calls], chunk({}, "tool_calls"))
    assert reply.tool_calls == (ToolCall(id="a", name="f", arguments="{}"),)
    assert stream(chunk({"tool_calls": calls}), chunk({}, "stop")).tool_calls == reply.tool_calls


def test_an_error_in_a_stream_is_raised_with_its_class_and_done_after_it_saves_nothing() -> None:
    for error, kind in [
        ({"message": "m", "type": "server_error"}, e.InternalServerError),
        ({"message": "m", "code": "context_length_exceeded"}, e.ContextLengthExceededError),
        ({"message": "m", "code": 503, "type": "unavailable_error"}, e.OverloadedError),
    ]:
        with pytest.raises(kind):
            stream(chunk({"content": "a"}), {"error": error})
    decode = openai_streams.ChatDecoder()
    with pytest.raises(e.InternalServerError):
        decode(ServerSentEvent("error", '{"message": "flat"}'), chat_assembler())


def test_the_end_of_a_stream() -> None:
    assert stream(chunk({"content": "a"}, "stop"), done=False).text == "a"
    assert stream(chunk({"content": "a"}), b"[DONE]  ", chunk({"content": "b"})).text == "a"
    with pytest.raises(e.StreamIncomplete):
        stream(chunk({"content": "a"}), done=False)


def test_answers_with_several_choices_may_be_interleaved() -> None:
    reply = stream(
        chunk({"content": "B"}, index=1),
        chunk({"content": "A"}),
        chunk({"content": "b"}, "length", 1),
        chunk({"content": "a"}, "stop"),
    )
    assert [(each.message.text, each.finish_reason) for each in reply.choices] == [("Aa", "stop"), ("Bb", "length")]


def test_completion_chunks() -> None:
    out = completion_assembler()
    for data in (
        '{"choices":[{"text":"a","index":0,"finish_reason":null}]}',
        '{"choices":[{"text":"b","index":0,"finish_reason":"stop"}]}',
        "[DONE]",
    ):
        openai_streams.decode_completion(ServerSentEvent(data=data), out)
    assert (out.conclude().text, out.is_done) == ("ab", True)


PIECES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4), max_size=5)


@given(text=PIECES, reasoning=PIECES, calls=st.lists(PIECES, max_size=3), order=st.randoms(use_true_random=False))
def test_a_streamed_answer_equals_the_whole_one(
    text: list[str], reasoning: list[str], calls: list[list[str]], order: Any
) -> None:
    chunks = [chunk({"content": piece}) for piece in text]
    thoughts = [chunk({"reasoning_content": piece}) for piece in reasoning]
    functions = [
        chunk(
            {
                "tool_calls": [
                    {
                        "index": index,
                        **({"id": f"c{index}"} if position == 0 else {}),
                        "function": {"name": "f", "arguments": piece},
                    }
                ]
            }
        )
        for index, pieces in enumerate(calls)
        for position, piece in enumerate(["", *pieces])
    ]
    streams = [chunks, thoughts, functions]
    mixed = []
    while any(streams):
        mixed.append(order.choice([each for each in streams if each]).pop(0))
    streamed = stream(*mixed, chunk({}, "stop"))
    message: dict[str, Any] = {"content": "".join(text), "reasoning_content": "".join(reasoning) or None}
    message["tool_calls"] = [
        {"id": f"c{index}", "function": {"name": "f", "arguments": "".join(pieces)}}
        for index, pieces in enumerate(calls)
    ]
    assert streamed.choices == read(message, finish_reason="stop").choices


def test_a_backend_of_this_dialect_is_a_few_lines() -> None:
    class Acme(OpenAICompatible):
        api_version = 1
        info = BackendInfo(name="acme", base_url="https://api.acme.test/v1")
        embed = None  # type: ignore[assignment]

    from ipfs_accel._config.config import PluginPolicy
    from ipfs_accel._plugins.registry import Registry

    backend = Registry(PluginPolicy(), (Acme(),)).load("acme")
    assert "chat" in backend.operations
    assert "embed" not in backend.operations
    plan = backend.plan("show_model", endpoint=Endpoint(name="acme", backend="acme"), model="../a/b")
    assert plan.send.path == "/models/..%2Fa%2Fb"
