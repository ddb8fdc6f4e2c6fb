"""Whatever one field of an answer becomes, the call ends with an answer of the right types or with an error of ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel.errors import APIError
from ipfs_accel.types import ChatResponse, Opaque, Reasoning, Text, ToolCall
from pytest_httpserver import HTTPServer

CITED = {"type": "page_location", "cited_text": "c"}
USAGE = {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 2, "output_tokens_details": {"thinking_tokens": 3}, "inference_geo": "us", "service_tier": "standard"}  # fmt: skip
BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "Eq"},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": 1}},
    {"type": "text", "text": "ho", "citations": [CITED]},
    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}, "caller": {"type": "x"}},
]
WHOLE: dict[str, Any] = {"id": "m", "type": "message", "model": "c", "content": BLOCKS, "stop_reason": "tool_use", "stop_details": {"type": "x"}, "usage": USAGE}  # fmt: skip


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "model": "c", "content": [], "usage": USAGE}},
    *block(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "Eq"}),
    *block(1, {"type": "server_tool_use", "id": "s1", "name": "n", "input": {}}, {"type": "input_json_delta", "partial_json": '{"q": 1}'}),
    *block(2, {"type": "text", "text": "", "citations": []}, {"type": "text_delta", "text": "ho"}, {"type": "citations_delta", "citation": CITED}),
    *block(3, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "input_json_delta", "partial_json": '{"a": 1}'}),
    *block(4, {"type": "compaction", "content": None}, {"type": "compaction_delta", "content": "s"}),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": USAGE},
    {"type": "message_stop"},
]  # fmt: skip
ERROR: dict[str, Any] = {"type": "error", "error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": "c"}}, "request_id": "r"}  # fmt: skip
OTHERS: list[Any] = [None, 5, -1.5, True, "x", "", [], [1], {}, {"type": 5}]


def changed(value: Any) -> Iterator[Any]:
    """Yield the value with each of its fields, at any depth, replaced by each of the others, and left out."""
    places = value.items() if isinstance(value, dict) else enumerate(value)
    for place, inner in places:
        for other in OTHERS:
            found = copy.copy(value)
            found[place] = other
            yield found
        if isinstance(value, dict):
            yield {name: each for name, each in value.items() if name != place}
        if isinstance(inner, dict | list):
            for deeper in changed(inner):
                found = copy.copy(value)
                found[place] = deeper
                yield found


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"c": EndpointConfig(backend="claude", base_url=httpserver.url_for("/"), key="")}) as client:
        yield client


def check(reply: ChatResponse) -> None:
    for part in reply.message.content if reply.choices else ():
        if isinstance(part, Text | Reasoning):
            assert isinstance(part.text, str)
        elif isinstance(part, ToolCall):
            assert all(isinstance(value, str) for value in (part.id, part.name, part.arguments))
        else:
            assert isinstance(part, Opaque)
    usage = reply.usage
    assert all(
        count is None or isinstance(count, int)
        for count in (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.reasoning_tokens)
    )
    assert all(choice.finish_reason is None or isinstance(choice.finish_reason, str) for choice in reply.choices)


def attempt(call: Any) -> bool:
    """Make a call and return whether it gave an answer."""
    try:
        check(call())
    except APIError:
        return False
    return True


def test_of_a_whole_answer(client: Client, httpserver: HTTPServer) -> None:
    bodies = list(changed(WHOLE))
    answers = iter(bodies)
    httpserver.expect_request("/v1/messages").respond_with_handler(lambda _: json_response(next(answers)))
    found = [attempt(lambda: client.chat("c/m", "hi")) for _ in bodies]
    assert 0 < sum(found) < len(found)


def test_of_a_stream(client: Client, httpserver: HTTPServer) -> None:
    streams = [[*EVENTS[:at], event, *EVENTS[at + 1 :]] for at, each in enumerate(EVENTS) for event in changed(each)]
    answers = iter(streams)
    httpserver.expect_request("/v1/messages").respond_with_handler(lambda _: stream_response(next(answers)))
    found = [attempt(lambda: client.stream("c/m", "hi").read()) for _ in streams]
    assert 0 < sum(found) < len(found)


@pytest.mark.parametrize("status", [200, 400, 529])
def test_of_an_error(status: int, client: Client, httpserver: HTTPServer) -> None:
    bodies = list(changed(ERROR))
    answers = iter(bodies)
    httpserver.expect_request("/v1/messages").respond_with_handler(lambda _: json_response(next(answers), status))
    found = [attempt(lambda: client.chat("c/m", "hi")) for _ in bodies]
    assert not any(found)


def json_response(body: Any, status: int = 200) -> Any:
    from werkzeug import Response

    return Response(json.dumps(body), status, content_type="application/json")


def stream_response(events: list[Any]) -> Any:
    from werkzeug import Response

    return Response("".join(f"data: {json.dumps(event)}\n\n" for event in events), content_type="text/event-stream")
