"""What comes back, whole and in lines, in both worlds; and what the server can do wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config
from ipfs_accel import errors as e
from ipfs_accel.types import (
    BlockEnd,
    ChatResponse,
    FinishEvent,
    Message,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    UsageEvent,
)
from ipfs_accel_ollama import Durations, durations
from pytest_httpserver import HTTPServer

from .conftest import COUNTS, END, TIMES, chat, generated, ndjson

CALL = {"id": "call_x7k2m9qp", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Tokyo"}}}
LOGPROBS = [
    {"token": " The", "logprob": -0.1, "bytes": [32, 84, 104, 101], "top_logprobs": [{"token": " A", "logprob": -2.5}]}
]


def stream(httpserver: HTTPServer, *lines: Any, path: str = "/api/chat") -> None:
    httpserver.expect_request(path).respond_with_data(ndjson(*lines), content_type="application/x-ndjson")


# The lines of a stream, and the same answer whole.
CHATS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "text": ([chat("The"), chat(" sky\u2028"), {**chat(""), **END}], {**chat("The sky\u2028"), **END}),
    "nothing": ([{**chat(""), **END}], {**chat(""), **END}),
    "thinking": (
        [chat("", thinking="h"), chat("", thinking="m"), chat("17"), {**chat(""), **END}],
        {**chat("17", thinking="hm"), **END},
    ),
    "thinking after text is one thought": (
        [chat("a", thinking="h"), chat("", thinking="m"), {**chat("b"), **END}],
        {**chat("ab", thinking="hm"), **END},
    ),
    "calls in several lines, numbered anew": (
        [chat("", tool_calls=[CALL]), chat("", tool_calls=[{**CALL, "id": "call_2"}]), {**chat(""), **END}],
        {**chat("", tool_calls=[CALL, {**CALL, "id": "call_2"}]), **END},
    ),
    "calls without ids, of older servers": (
        [chat("", tool_calls=[{"function": {"name": "f", "arguments": {}}}, {"function": {"name": "g"}}]), {**chat(""), **END}],
        {**chat("", tool_calls=[{"function": {"name": "f", "arguments": {}}}, {"function": {"name": "g"}}]), **END},
    ),
    "logprobs": (
        [{**chat(" The"), "logprobs": LOGPROBS}, {**chat(""), **END}],
        {**chat(" The"), "logprobs": LOGPROBS, **END},
    ),
    "length": ([chat("a"), {**chat(""), **END, "done_reason": "length"}], {**chat("a"), **END, "done_reason": "length"}),
    "no reason, of older servers": ([chat("a"), {**chat(""), "done": True}], {**chat("a"), "done": True}),
    "a model of the cloud": (
        [{**chat("a"), "remote_model": "big", "remote_host": "https://ollama.com:443"}, {**chat(""), **END, "remote_model": "big"}],
        {**chat("a"), **END, "remote_model": "big"},
    ),
}  # fmt: skip


ARGUMENTS = {"query": "SELECT 1"}


def called(name: str, **function: Any) -> dict[str, Any]:
    return {"function": {"name": name, **function}}


CALLS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, Any]]]] = {
    "an object": ([called("q", arguments=ARGUMENTS)], [("call_0", "q", ARGUMENTS)]),
    "text": ([called("q", arguments=json.dumps(ARGUMENTS))], [("call_0", "q", ARGUMENTS)]),
    "text of an empty object": ([called("q", arguments="{}")], [("call_0", "q", {})]),
    "empty text": ([called("q", arguments="")], [("call_0", "q", {})]),
    "null": ([called("q", arguments=None)], [("call_0", "q", {})]),
    "none": ([called("q")], [("call_0", "q", {})]),
    "one index": ([called("q", index=0), called("r", index=0)], [("call_0", "q", {}), ("call_1", "r", {})]),
    "one id": ([{**called("q"), "id": "c"}, {**called("r"), "id": "c"}], [("c", "q", {}), ("c_1", "r", {})]),
    "the same call twice": ([{**called("q"), "id": "c"}, {**called("q"), "id": "c"}], [("c", "q", {}), ("c_1", "q", {})]),
}  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), CALLS.values(), ids=CALLS.keys())
def test_calls_of_tools_in_every_form(
    said: list[dict[str, Any]], wanted: list[tuple[str, str, Any]], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request("/api/chat").respond_with_json({**chat("", tool_calls=said), **END})
    whole = client.chat("ollama/m", "hi")
    stream(httpserver, *[chat("", tool_calls=[each]) for each in said], {**chat(""), **END})
    streamed = client.stream("ollama/m", "hi").read()
    for answer in (whole, streamed):
        assert [(call.id, call.name, call.parse_arguments()) for call in answer.tool_calls] == wanted


@pytest.mark.parametrize(("lines", "whole"), CHATS.values(), ids=CHATS.keys())
def test_a_stream_gives_the_same_answer_as_the_whole(
    lines: list[Any], whole: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request("/api/chat").respond_with_json(whole)
    expected = client.chat("ollama/m", "hi")
    stream(httpserver, *lines)
    actual = client.stream("ollama/m", "hi").read()
    assert actual == expected
    assert actual.extra == expected.extra
    assert expected.raw == whole


def test_what_an_answer_says(client: Client, httpserver: HTTPServer) -> None:
    body = {**chat("17", thinking="hm", tool_calls=[CALL]), "logprobs": LOGPROBS, **END, "remote_model": "big"}
    httpserver.expect_request("/api/chat").respond_with_json(body)
    answer = client.chat("ollama/m", "hi")
    assert answer.message == Message.assistant(
        Reasoning(text="hm"),
        Text(text="17"),
        ToolCall(id="call_x7k2m9qp", name="get_weather", arguments='{"city":"Tokyo"}'),
    )
    assert answer.finish_reason == "tool_calls"
    assert (answer.model, answer.usage.input_tokens, answer.usage.output_tokens) == ("m", 26, 8)
    assert answer.choices[0].logprobs == (
        TokenLogprob(token=" The", logprob=-0.1, bytes=b" The", top=(TokenLogprob(token=" A", logprob=-2.5),)),
    )
    assert answer.extra == {"created_at": "2025-07-07T20:22:19.184789Z", **TIMES, "remote_model": "big"}
    assert durations(answer) == Durations(total=5.0, load=1.0, prompt=0.5, generation=2.0, tokens_per_second=4.0)


def test_counts_and_times_may_be_missing(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_json({**chat(), "done": True, "done_reason": "stop"})
    answer = client.chat("ollama/m", "hi")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (None, 0)
    assert durations(answer) == Durations()


def test_events_come_as_the_lines_do(client: Client, httpserver: HTTPServer) -> None:
    stream(httpserver, chat("", thinking="hm"), chat("Hi"), {**chat("", tool_calls=[CALL]), **END})
    with client.stream("ollama/m", "hi") as events:
        found = list(events)
    assert [event for event in found if isinstance(event, ReasoningDelta | TextDelta)] == [
        ReasoningDelta("hm"),
        TextDelta("Hi", 0, 1),
    ]
    parts = [event.part for event in found if isinstance(event, BlockEnd)]
    assert [type(part) for part in parts] == [Reasoning, Text, ToolCall]
    assert isinstance(found[-2], UsageEvent)
    assert found[-1] == FinishEvent(finish_reason="tool_calls", finish_reasons=("tool_calls",))


def test_a_completion_and_its_stream(client: Client, httpserver: HTTPServer) -> None:
    whole = {**generated("ab", thinking="hm"), "context": [1, 2], "logprobs": LOGPROBS, **END}
    httpserver.expect_oneshot_request("/api/generate").respond_with_json(whole)
    expected = client.complete("ollama/m", "hi")
    assert (expected.text, expected.finish_reason, expected.usage.output_tokens) == ("ab", "stop", 8)
    assert (expected.extra["thinking"], expected.extra["context"]) == ("hm", [1, 2])
    assert durations(expected).total == 5.0
    lines = [
        generated("", thinking="h"),
        generated("", thinking="m"),
        {**generated("a"), "logprobs": LOGPROBS},
        generated("b"),
    ]
    stream(httpserver, *lines, {**generated(""), "context": [1, 2], **END}, path="/api/generate")
    with client.stream_complete("ollama/m", "hi") as events:
        assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["h", "m"]
    assert events.response == expected
    assert events.response.extra == expected.extra


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(endpoints: Any, httpserver: HTTPServer) -> None:
    stream(httpserver, chat("Hi"), {**chat(""), **END})
    stream(httpserver, {**generated("ab"), **END}, path="/api/generate")
    httpserver.expect_request("/api/embed").respond_with_json({"model": "m", "embeddings": [[1.0]]})
    async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
        async with client.stream("ollama/m", "hi") as events:
            assert [event.text async for event in events if isinstance(event, TextDelta)] == ["Hi"]
        assert events.response.usage.output_tokens == 8
        assert (await client.complete("ollama/m", ["a", "b"])).choices[1].text == "ab"
        assert (await client.stream_complete("ollama/m", "a").read()).text == "ab"
        assert [list(vector) for vector in (await client.embed("ollama/m", "a")).vectors] == [[1.0]]


def test_an_error_within_a_stream_that_began_well(client: Client, httpserver: HTTPServer) -> None:
    stream(httpserver, chat("Hi"), {"error": "an error was encountered while running the model"})
    with pytest.raises(e.InternalServerError, match="an error was encountered") as caught:
        client.stream("ollama/m", "hi").read()
    assert isinstance(caught.value.partial, ChatResponse)
    assert caught.value.partial.text == "Hi"


def test_a_stream_without_its_end_is_cut(client: Client, httpserver: HTTPServer) -> None:
    stream(httpserver, chat("Hi"), chat(" there"))
    with pytest.raises(e.StreamIncomplete) as caught:
        client.stream("ollama/m", "hi").read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi there"


def test_a_whole_answer_that_is_not_done_is_cut(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_json({**chat("a a a a"), "done": False})
    httpserver.expect_request("/api/generate").respond_with_json({**generated("b b"), "done": False})
    for call, text in ((client.chat, "a a a a"), (client.complete, "b b")):
        with pytest.raises(e.StreamIncomplete, match="before it was done") as caught:
            call("ollama/m", "hi")
        assert caught.value.partial is not None
        assert caught.value.partial.text == text


def test_a_rendered_prompt_is_whole(client: Client, httpserver: HTTPServer) -> None:
    body = {**chat(""), "done": False, "_debug_info": {"rendered_template": "hi"}}
    httpserver.expect_request("/api/chat").respond_with_json(body)
    assert client.chat("ollama/m", "hi").extra["_debug_info"] == {"rendered_template": "hi"}


def test_a_long_line_is_read_and_an_endless_one_is_not(client: Client, httpserver: HTTPServer) -> None:
    long = "a" * (5 * 1024 * 1024)
    stream(httpserver, {**chat(long), **END})
    assert client.stream("ollama/m", "hi").read().text == long
    httpserver.clear()
    stream(httpserver, chat("a" * (9 * 1024 * 1024)))
    with pytest.raises(e.InvalidResponseError, match="longer than the limit"):
        client.stream("ollama/m", "hi").read()


@pytest.mark.parametrize(
    "line", ["[1]", "{", '{"message": 1}', "<html>", '{"message": {"tool_calls": [{"function": {}}]}}']
)
def test_what_is_no_answer(line: str, client: Client, httpserver: HTTPServer) -> None:
    stream(httpserver, line)
    httpserver.expect_request("/api/generate").respond_with_data(line, content_type="application/json")
    with pytest.raises((e.InvalidResponseError, e.StreamIncomplete)):
        client.stream("ollama/m", "hi").read()
    with pytest.raises(e.InvalidResponseError):
        client.complete("ollama/m", "hi")


# Status, body, class, whether the same call may succeed later, and a part of the hint.
ERRORS: list[tuple[int, Any, type[e.APIStatusError], bool, str | None]] = [
    (400, {"error": "missing request body"}, e.BadRequestError, False, None),
    (400, {"error": "registry.ollama.ai/library/gemma:2b does not support tools"}, e.NotSupportedByServerError, False, None),
    (400, {"error": '"x" does not support thinking'}, e.NotSupportedByServerError, False, None),
    (400, {"error": '"x" does not support chat'}, e.NotSupportedByServerError, False, None),
    (400, {"error": "raw mode does not support template, system, or context"}, e.BadRequestError, False, None),
    (400, {"error": "image generation models are not currently supported"}, e.NotSupportedByServerError, False, None),
    (400, {"error": "the input length exceeds the context length"}, e.ContextLengthExceededError, False, "num_ctx"),
    (400, {"error": "the prompt is longer than the context length currently available to the model; x"}, e.ContextLengthExceededError, False, "num_ctx"),
    (400, {"error": 'invalid think value: "xx"'}, e.BadRequestError, False, None),
    (401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect?x"}, e.AuthenticationError, False, "sign in at https://ollama.com/connect?x"),
    (403, "", e.PermissionDeniedError, False, "set Host to localhost"),
    (403, {"error": "ollama cloud is disabled: remote inference"}, e.PermissionDeniedError, False, None),
    (404, {"error": "model 'm' not found"}, e.ModelNotFoundError, False, "ipfs-accel pull ollama/m"),
    (404, {"error": 'model "m" not found, try pulling it first'}, e.ModelNotFoundError, False, "ipfs-accel pull ollama/m"),
    (404, {"error": "in other words"}, e.ModelNotFoundError, False, "ipfs-accel pull ollama/m"),
    (404, {"error": {"message": "model 'm' not found", "type": "not_found_error", "param": None, "code": None}}, e.ModelNotFoundError, False, "ipfs-accel pull"),
    (404, "404 page not found", e.NotFoundError, False, None),
    (405, "405 method not allowed", e.APIStatusError, False, None),
    (429, {"error": "too many requests"}, e.RateLimitError, True, None),
    (499, {"error": "request canceled"}, e.APIStatusError, False, None),
    (500, {"error": 'option "num_ctx" must be of type integer'}, e.BadRequestError, False, None),
    (500, {"error": "model requires more system memory (9 GiB) than is available (1 GiB)"}, e.InternalServerError, False, "smaller"),
    (500, {"error": "model runner has unexpectedly stopped, this may be due to resource limitations"}, e.InternalServerError, True, None),
    (500, "", e.InternalServerError, True, None),
    (502, {"error": "cloud"}, e.InternalServerError, True, None),
    (503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, e.OverloadedError, True, None),
    (500, "<html>", e.InternalServerError, True, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "retryable", "hint"), ERRORS)
def test_errors(
    status: int, body: Any, kind: type[Any], retryable: bool, hint: str | None, client: Client, httpserver: HTTPServer
) -> None:
    if isinstance(body, str):
        httpserver.expect_request("/api/chat").respond_with_data(body, status=status, content_type="text/plain")
    else:
        httpserver.expect_request("/api/chat").respond_with_json(body, status=status)
    for call in (lambda: client.chat("ollama/m", "hi"), lambda: client.stream("ollama/m", "hi").read()):
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.retryable) == (status, retryable)
        assert hint is None or hint in str(caught.value.hint)
        if isinstance(body, dict) and isinstance(body["error"], str):
            assert caught.value.message == body["error"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("model runner has unexpectedly stopped", e.InternalServerError),
        ("server busy, please try again.  maximum pending requests exceeded", e.OverloadedError),
        ("unauthorized", e.AuthenticationError),
        ("the prompt is longer than the context length currently available", e.ContextLengthExceededError),
        ("model 'm' not found", e.ModelNotFoundError),
    ],
)
def test_an_error_with_status_200(text: str, kind: type[Any], client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/chat").respond_with_data(
        json.dumps({"error": text}), content_type="application/json"
    )
    for call in (lambda: client.chat("ollama/m", "hi"), lambda: client.stream("ollama/m", "hi").read()):
        with pytest.raises(kind):
            call()


def test_a_schema_constrains_what_follows_the_thought(client: Client, httpserver: HTTPServer) -> None:
    answer = {**chat('{"a": 1}', thinking="not { json"), **END, **COUNTS}
    httpserver.expect_request("/api/chat").respond_with_json(answer)
    assert json.loads(client.chat("ollama/m", "hi", response_format="json").text) == {"a": 1}
