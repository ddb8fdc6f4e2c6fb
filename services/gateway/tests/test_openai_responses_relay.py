"""Responses that are passed on: to servers that have the API, in the very bytes but for the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from ipfs_accel import Config, EndpointConfig
from pytest_httpserver import HTTPServer
from werkzeug import Request

from .gateways import Running

WHOLE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None, "model": "m",
    "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "final_answer",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
    "tools": [{"type": "function", "name": "f", "description": "long " * 2000}],
    "usage": {"input_tokens": 8, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 20,
              "output_tokens_details": {"reasoning_tokens": 12}, "total_tokens": 28},
    "metadata": {},
}  # fmt: skip
BODY = b'{ "model" : "up/m",  "input":"Hi", "previous_response_id":"resp_0", "unknown": [1.0, "\\u00e9"]%b}'


def stream(*, until: int | None = None) -> bytes:
    begun = {**WHOLE, "status": "in_progress", "usage": None, "output": []}
    events = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "output_index": 0,
         "content_index": 0, "delta": 'say "output_tokens"', "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": WHOLE},
    ]  # fmt: skip
    return b"".join([f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events[:until]])


class Upstream:
    def __init__(self, server: HTTPServer, url: str) -> None:
        self.server = server
        self.url = url

    def answers(self, path: str, body: bytes, kind: str = "application/json") -> None:
        self.server.clear()
        self.server.expect_request(path, method="POST").respond_with_data(body, content_type=kind)

    @property
    def sent(self) -> Request:
        return self.server.log[-1][0]


@pytest.fixture(scope="module")
def gateway(make_httpserver: HTTPServer) -> Iterator[Running]:
    url = make_httpserver.url_for("/v1")
    has_it = EndpointConfig(backend="openai", base_url=url, key="secret", options={"api": "responses"})
    has_not = EndpointConfig(backend="openai", base_url=url, key="secret")
    found = Running(Config(endpoints={"up": has_it, "chats": has_not}, environ={}), {})
    yield found
    found.close()


@pytest.fixture
def up(gateway: Running, httpserver: HTTPServer) -> Upstream:
    return Upstream(httpserver, gateway.url)


def test_a_request_goes_through_but_for_the_model(up: Upstream, http: Any) -> None:
    written = json.dumps(WHOLE).encode()
    up.answers("/v1/responses", written)
    found = http.post(f"{up.url}/v1/responses", content=BODY % b"")
    assert found.content == written
    assert up.sent.get_data() == (BODY % b"").replace(b'"up/m"', b'"m"')
    assert up.sent.headers["authorization"] == "Bearer secret"
    assert found.headers["x-ipfs-accel-lane"] == "relay"


def test_a_stream_goes_through(up: Upstream, http: Any) -> None:
    up.answers("/v1/responses", stream(), "text/event-stream")
    found = http.post(f"{up.url}/responses", content=BODY % b',"stream":true')
    assert found.content == stream()
    assert found.headers["x-ipfs-accel-lane"] == "relay"


@pytest.mark.parametrize("sent", [stream(until=2), stream()[:-30], stream()[:-40]], ids=["event", "usage", "counts"])
def test_a_stream_that_ends_early_never_looks_whole(up: Upstream, sent: bytes) -> None:
    up.answers("/v1/responses", sent, "text/event-stream")
    with openai.OpenAI(base_url=f"{up.url}/v1", api_key="any", max_retries=0) as client:
        events: list[Any] = []
        with (
            pytest.raises(openai.APIError),
            client.responses.create(model="up/m", input="Hi", stream=True) as answer,
        ):
            events += list(answer)
    assert not any(event.type == "response.completed" for event in events)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/responses/input_tokens", {"object": "response.input_tokens", "input_tokens": 11}),
        (
            "/responses/compact",
            {"id": "resp_1", "object": "response.compaction", "output": [], "created_at": 1, "usage": WHOLE["usage"]},
        ),
    ],
    ids=["input_tokens", "compact"],
)
def test_what_belongs_to_it_goes_through(up: Upstream, http: Any, path: str, answer: Any) -> None:
    up.answers(f"/v1{path}", json.dumps(answer).encode())
    found = http.post(f"{up.url}/v1{path}", content=BODY % b"")
    assert found.json() == answer
    assert up.sent.get_data() == (BODY % b"").replace(b'"up/m"', b'"m"')


def test_a_server_without_it_gets_a_chat(up: Upstream, http: Any) -> None:
    chat = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    }  # fmt: skip
    up.answers("/v1/chat/completions", json.dumps(chat).encode())
    found = http.post(f"{up.url}/v1/responses", json={"model": "chats/m", "input": "Hi"})
    assert found.json()["output"][0]["content"][0]["text"] == "Hi"
    assert found.headers["x-ipfs-accel-lane"] == "translate"


def test_an_error_in_place_of_an_answer_is_one(up: Upstream, http: Any) -> None:
    failed = {**WHOLE, "status": "failed", "error": {"code": "server_error", "message": "it broke"}}
    up.answers("/v1/responses", json.dumps(failed).encode())
    found = http.post(f"{up.url}/v1/responses", content=BODY % b"")
    assert (found.status_code, found.json()["error"]["message"]) == (502, "it broke")
