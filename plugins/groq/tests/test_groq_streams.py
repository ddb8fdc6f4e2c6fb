"""What Groq's streams do that others do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.types import BlockEnd, ChatResponse, Reasoning, Text, TextDelta, ToolCall, UsageEvent
from pytest_httpserver import HTTPServer

BIG = "openai/gpt-oss-120b"
USAGE = {"queue_time": 0.04, "prompt_tokens": 45, "prompt_time": 0.004, "completion_tokens": 6, "completion_time": 0.02}
DONE = "data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    return f"data: {json.dumps({'id': 'chatcmpl-1', 'model': BIG, 'choices': choices, **more})}\n\n"


FIRST = chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_01kh", "seed": 7})
HELLO = chunk({"content": "Hello"})


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    endpoint = EndpointConfig(base_url=httpserver.url_for(""), key="gsk_test_0123456789")
    with Client(endpoints={"groq": endpoint}) as client:
        yield client


@pytest.fixture
def read(client: Client, httpserver: HTTPServer) -> Any:
    def read(*events: str) -> tuple[ChatResponse, list[Any]]:
        httpserver.expect_request("/openai/v1/chat/completions").respond_with_data(
            "".join(events), content_type="text/event-stream"
        )
        with client.stream(f"groq/{BIG}", "hi") as stream:
            got = list(stream)
        return stream.response, got

    return read


FAILED: dict[str, Any] = {
    "error": {"message": "Failed to call a function. See 'failed_generation'.", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<f>", "status_code": 400}
}  # fmt: skip
LIMITED = {
    "error": {
        "message": "Rate limit reached. Please try again in 9m38.016s.",
        "type": "tokens",
        "code": "rate_limit_exceeded",
    }
}
FULL = {"error": {"message": "no capacity", "code": "capacity_exceeded", "status_code": 498}}


@pytest.mark.parametrize(
    ("event", "kind", "status", "retryable"),
    [
        (f"event: error\ndata: {json.dumps(FAILED)}\n\n", e.BadRequestError, 400, True),
        (f"data: {json.dumps(FAILED)}\n\n", e.BadRequestError, 400, True),
        (f"event: error\ndata: {json.dumps(LIMITED)}\n\n", e.RateLimitError, None, True),
        (f"data: {json.dumps(FULL)}\n\n", e.OverloadedError, 498, True),
        ('data: {"error": {"message": "bad", "type": "invalid_request_error"}}\n\n', e.BadRequestError, None, False),
        ("event: error\ndata: broken\n\n", e.InternalServerError, None, True),
        (chunk({}, x_groq={"id": "r", "error": "over_capacity"}), e.InternalServerError, None, True),
    ],
)
def test_an_error_inside_of_a_stream(
    event: str, kind: type[e.APIError], status: int | None, retryable: bool, read: Any
) -> None:
    with pytest.raises(kind) as caught:
        read(FIRST, HELLO, event, DONE)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.body is not None
    if kind is e.RateLimitError:
        assert caught.value.retry_after == pytest.approx(578.016)
    if event.startswith("event: error\ndata: {") and status == 400:
        assert caught.value.body["error"]["failed_generation"] == "<f>"
        assert "failed_generation" in (caught.value.hint or "")


def test_a_usage_that_comes_twice_counts_once(read: Any) -> None:
    answer, got = read(FIRST, HELLO, chunk({}, "stop", x_groq={"id": "req_01kh", "usage": USAGE}, usage=USAGE), DONE)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (45, 6)
    assert len([event for event in got if isinstance(event, UsageEvent)]) == 1
    assert answer.extra["usage"] == {"queue_time": 0.04, "prompt_time": 0.004, "completion_time": 0.02}
    assert (answer.extra["x_groq"]["id"], answer.extra["x_groq"]["seed"]) == ("req_01kh", 7)


def test_a_usage_that_older_servers_give_in_one_place_only(read: Any) -> None:
    breakdown = {"models": [{"model": "m", "usage": USAGE}]}
    last = chunk({}, "stop", x_groq={"id": "req_01kh", "usage": USAGE, "usage_breakdown": breakdown})
    answer, _ = read(FIRST, HELLO, last, DONE)
    assert (answer.usage.input_tokens, answer.extra["usage"]["queue_time"]) == (45, 0.04)
    assert answer.extra["usage_breakdown"] == breakdown
    assert answer.cost is None


def test_a_last_chunk_without_choices(read: Any) -> None:
    answer, _ = read(FIRST, HELLO, chunk({}, "stop"), chunk(None, usage=USAGE), DONE)
    assert (answer.text, answer.usage.total_tokens) == ("Hello", 51)


def test_reasoning_comes_first_and_under_either_name(read: Any) -> None:
    pieces = [chunk({"reasoning": "h"}), chunk({"reasoning_content": "m"})]
    answer, got = read(FIRST, *pieces, HELLO, chunk({}, "stop"), DONE)
    assert answer.message.content == (Reasoning(text="hm"), Text(text="Hello"))
    assert [event.part for event in got if isinstance(event, BlockEnd)] == list(answer.message.content)


def test_thoughts_that_were_asked_for_as_they_are_stay_where_they_are(read: Any) -> None:
    answer, got = read(FIRST, chunk({"content": "<think>hm</think>"}), HELLO, chunk({}, "stop"), DONE)
    assert answer.text == "<think>hm</think>Hello" == "".join([e.text for e in got if isinstance(e, TextDelta)])


@pytest.mark.parametrize("index", [{"index": 0}, {"index": 5}, {}])
@pytest.mark.parametrize("ids", [("tk85n1k4m", "ax9fskhev"), ("", "")])
def test_tool_calls_come_whole_and_are_told_apart(index: dict[str, int], ids: tuple[str, str], read: Any) -> None:
    def called(number: int, name: str) -> dict[str, Any]:
        where = {"index": index["index"] + number} if index else {}
        return {"id": ids[number], "type": "function", "function": {"name": name, "arguments": "{}"}, **where}

    first = chunk({"role": "assistant", "content": None}, x_groq={"id": "r", "seed": 1})
    answer, _ = read(
        first,
        chunk({"tool_calls": [called(0, "f")]}),
        chunk({"tool_calls": [called(1, "g")]}),
        chunk({}, "tool_calls"),
        DONE,
    )
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == (
        ToolCall(id=ids[0] or "call_0", name="f", arguments="{}"),
        ToolCall(id=ids[1] or "call_1", name="g", arguments="{}"),
    )


RAN = {"index": 0, "type": "browser_search", "arguments": "{}", "output": "o"}


def test_tools_that_ran_at_the_server_need_no_answer(read: Any, client: Client, httpserver: HTTPServer) -> None:
    streamed, _ = read(FIRST, chunk({"executed_tools": [RAN]}), HELLO, chunk({}, "tool_calls"), DONE)
    httpserver.clear()
    message = {"role": "assistant", "content": "Hello", "executed_tools": [RAN]}
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(
        {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": USAGE}
    )
    whole = client.chat(f"groq/{BIG}", "hi")
    for answer in (streamed, whole):
        assert (answer.finish_reason, answer.tool_calls, answer.extra["executed_tools"]) == ("stop", (), [RAN])
        assert answer.cost is None


def test_a_stream_that_ends_early_is_no_answer(read: Any) -> None:
    with pytest.raises(e.StreamIncomplete) as caught:
        read(FIRST, HELLO)
    assert caught.value.partial.text == "Hello"
