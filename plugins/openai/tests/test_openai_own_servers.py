"""Servers of one's own that answer with less than was asked for: what the caller is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel.errors import UnsupportedParameterError
from pytest_httpserver import HTTPServer

CHAT = "/v1/chat/completions"


@pytest.fixture
def url(httpserver: HTTPServer) -> str:
    return httpserver.url_for("/v1")


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    endpoints = {
        "own": EndpointConfig(backend="openai", base_url=url, key="k"),
        "responses": EndpointConfig(backend="openai", base_url=url, key="k", options={"api": "responses"}),
    }
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


def ollama(httpserver: HTTPServer, used: int, context: int = 64) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": used, "completion_tokens": 1, "total_tokens": used + 1}
    body = {"id": "c", "model": "m", "system_fingerprint": "fp_ollama", "choices": [choice], "usage": usage}
    httpserver.expect_request(CHAT).respond_with_json(body)
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m:latest", "owned_by": "library"}]})
    httpserver.expect_request("/api/ps").respond_with_json(
        {"models": [{"name": "m:latest", "context_length": context}]}
    )


def paths(httpserver: HTTPServer) -> list[str]:
    return [request.path for request, _ in httpserver.log]


def test_a_prompt_that_fills_ollamas_context_is_warned_of(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=64)
    for _ in range(2):
        with pytest.warns(UserWarning, match="fills the model's context of 64 tokens"):
            assert client.chat("own/m", "long").text == "ok"
    assert paths(httpserver).count("/api/ps") == 1


def test_one_that_does_not_is_not(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=62)
    assert client.chat("own/m", "short").text == "ok"


def test_what_ollama_ignores_is_named_once_it_is_known(client: Client, httpserver: HTTPServer) -> None:
    ollama(httpserver, used=3)
    with pytest.warns(UserWarning, match="the server gave 1 of the 2 answers"):
        client.chat("own/m", "q", n=2)
    with pytest.raises(UnsupportedParameterError, match="n, logit_bias, tool_choice"):
        client.chat("own/m", "q", n=2, logit_bias={"1": 2}, tool_choice="none")


def test_other_servers_are_asked_nothing_more(client: Client, httpserver: HTTPServer) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    httpserver.expect_request(CHAT).respond_with_json({"id": "c", "choices": [choice]})
    for _ in range(2):
        client.chat("own/m", "q", logit_bias={"1": 2})
    assert paths(httpserver) == [CHAT, CHAT]


@pytest.mark.parametrize(("made", "reason"), [(3, "length"), (2, "stop")])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_as_long_as_the_limit_was_cut_though_it_is_called_completed(
    made: int, reason: str, streamed: bool, client: Client, httpserver: HTTPServer
) -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a b c"}]}
    usage = {"input_tokens": 1, "output_tokens": made, "total_tokens": made + 1}
    body: dict[str, Any] = {"id": "r", "status": "completed", "model": "m", "output": [item], "usage": usage}
    if streamed:
        import json

        event = json.dumps({"type": "response.completed", "response": body})
        text = f"event: response.completed\ndata: {event}\n\n"
        httpserver.expect_request("/v1/responses").respond_with_data(text, content_type="text/event-stream")
        answer = client.stream("responses/m", "q", max_tokens=3).read()
    else:
        httpserver.expect_request("/v1/responses").respond_with_json(body)
        answer = client.chat("responses/m", "q", max_tokens=3)
    assert (answer.text, answer.finish_reason) == ("a b c", reason)
