"""Traps of OpenAI's API that no other test has: what is easily sent, read or waited for in the wrong way."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from ipfs_accel import Client, Timeout
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import sent

CHAT: dict[str, Any] = {"id": "c", "model": "gpt-5.4-2026-03-05", "system_fingerprint": None, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}  # fmt: skip


def answering(httpserver: HTTPServer, **fields: Any) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json({**CHAT, **fields})


def test_options_that_are_refused_alone_are_not_sent_alone(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver)
    client.chat("openai/gpt-4o", "hi", parallel_tool_calls=True, tools=[])
    assert sent(httpserver) == {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def test_hidden_reasoning_may_eat_the_whole_limit(client: Client, httpserver: HTTPServer) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 16, "completion_tokens_details": {"reasoning_tokens": 16}}
    choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}
    answering(httpserver, choices=[choice], usage=usage)
    reply = client.chat("openai/gpt-5.4", "hi", max_tokens=16)
    assert (reply.text, reply.finish_reason) == ("", "length")
    assert reply.usage.output_tokens == reply.usage.reasoning_tokens == 16


def test_arguments_may_be_anything(client: Client, httpserver: HTTPServer) -> None:
    calls = [
        {"id": str(index), "type": "function", "function": {"name": "f", "arguments": arguments}}
        for index, arguments in enumerate(("", "{}", '{"a": 1', "[1]"))
    ]
    answering(httpserver, choices=[{"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": "stop"}])  # fmt: skip
    none, empty, cut, other = client.chat("openai/gpt-4o", "hi").tool_calls
    assert none.parse_arguments() == empty.parse_arguments() == {}
    for call in (cut, other):
        with pytest.raises(ValueError, match=r"JSON|Expecting"):
            call.parse_arguments()


def test_a_model_answers_under_its_dated_name_and_is_priced_by_it(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, usage={"prompt_tokens": 1_000_000, "completion_tokens": 0})
    reply = client.chat("openai/gpt-5.4", "hi")
    assert (reply.model, reply.cost) == ("gpt-5.4-2026-03-05", 2.5)
    assert "system_fingerprint" not in reply.extra  # it may be null


def test_a_model_that_nobody_knows_is_asked_all_the_same(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver)
    assert client.chat("openai/brand-new", "hi").text == "Hello"


def test_what_is_not_known_is_ignored_or_kept(client: Client, httpserver: HTTPServer) -> None:
    answering(httpserver, moderation={"input": {}}, brand_new={"a": 1})
    assert client.chat("openai/gpt-4o", "hi").extra == {"moderation": {"input": {}}, "brand_new": {"a": 1}}


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"type": "tokens", "code": "rate_limit_exceeded"}, e.RateLimitError, True),
        ({"type": "rate_limit_error", "code": "slow_down"}, e.RateLimitError, True),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, e.QuotaExceededError, False),
        ({"type": "insufficient_quota", "code": "some_new_limit"}, e.QuotaExceededError, False),
    ],
)
def test_429_has_two_meanings(
    error: dict[str, str], kind: type[e.APIStatusError], *, retryable: bool, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        {"error": {"message": "no", **error}}, status=429, headers={"retry-after": "9", "retry-after-ms": "1500"}
    )
    with pytest.raises(e.RateLimitError) as caught:
        client.chat("openai/gpt-4o", "hi")
    assert (type(caught.value), caught.value.retryable, caught.value.retry_after) == (kind, retryable, 1.5)


def test_a_whole_answer_may_be_long_in_coming(client: Client, httpserver: HTTPServer) -> None:
    released = threading.Event()

    def respond(_request: Request) -> Response:
        released.wait(0.4)
        return Response(json.dumps(CHAT), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(respond)
    # The limits on the silence of a stream do not hold for it: a model may think for minutes.
    assert client.chat("openai/o3", "hi", timeout=Timeout(first_event=0.1, idle=0.1)).text == "Hello"
    assert (Timeout().connect, Timeout().total) == (5, 600)
