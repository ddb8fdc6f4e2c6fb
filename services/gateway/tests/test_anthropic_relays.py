"""What goes through a gateway to Claude as the bytes that it is, and what cannot."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from ipfs_accel import EndpointConfig
from pytest_httpserver import HTTPServer
from werkzeug import Response

from .gateways import Start

EVENTS = b"".join(
    b"event: %b\ndata: %b\n\n" % (name.encode(), data)
    for name, data in (
        ("message_start", b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}} }'),
        ("content_block_start", b'{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}'),
        ("ping", b'{"type": "ping"}'),
        ("content_block_delta", b'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq/+=="}}'),
        ("content_block_stop", b'{"type":"content_block_stop","index":0 }'),
        ("message_delta", b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":89}}'),
        ("message_stop", b'{"type":"message_stop"   }'),
    )
)  # fmt: skip
BODY = b'{ "max_tokens" : 50, "model":"%b",\n "thinking": {"type":"adaptive"}, "unheard_of": 1e2, "stream": %b, "messages":[{"role":"user","content":"\\u0041"}]}'


@pytest.fixture(scope="module")
def url(running_once: Start, make_httpserver: HTTPServer) -> str:
    at = make_httpserver.url_for("")
    return running_once(
        endpoints={"claude": EndpointConfig(base_url=at, key="operators")},
        aliases={"best": "claude/claude-opus-5-5", "other": "claude/llama"},
    ).url


def test_a_stream_passes_byte_for_byte(url: str, httpserver: HTTPServer, http: Any) -> None:
    httpserver.expect_oneshot_request("/v1/messages").respond_with_data(EVENTS, content_type="text/event-stream")
    headers = {"authorization": "Bearer callers", "anthropic-version": "2023-06-01", "anthropic-beta": "x-1,y-2"}
    found = http.post(f"{url}/v1/messages?beta=true", content=BODY % (b"best", b"true"), headers=headers)
    assert found.content == EVENTS
    assert found.headers["x-ipfs-accel-lane"] == "relay"
    sent, _ = httpserver.log[-1]
    assert sent.data == BODY % (b"claude-opus-5-5", b"true")
    assert sent.query_string == b"beta=true"
    assert [sent.headers[name] for name in ("anthropic-version", "anthropic-beta")] == ["2023-06-01", "x-1,y-2"]
    assert sent.headers["authorization"] == "Bearer operators"
    assert b"callers" not in repr(sent.headers).encode()


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"], ids=["messages", "count"])
def test_a_whole_answer_passes_byte_for_byte(url: str, httpserver: HTTPServer, http: Any, path: str) -> None:
    answer = b'{"input_tokens" : 14, "usage":{"input_tokens":3,"output_tokens":4} }'
    httpserver.expect_oneshot_request(path).respond_with_data(answer, content_type="application/json")
    found = http.post(f"{url}{path}?key=stolen", content=BODY % (b"claude/claude-opus-5-5", b"false"))
    assert found.content == answer
    sent, _ = httpserver.log[-1]
    assert sent.data == BODY % (b"claude-opus-5-5", b"false")
    assert sent.query_string == b""


def test_errors_of_claude_are_those_of_the_gateway(url: str, httpserver: HTTPServer) -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}, "request_id": "req_theirs"}
    httpserver.expect_oneshot_request("/v1/messages").respond_with_json(body, status=429, headers={"retry-after": "7"})
    with (
        anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as sdk,
        pytest.raises(anthropic.RateLimitError, match="slow down") as caught,
    ):
        sdk.messages.create(model="best", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
    assert caught.value.response.headers["retry-after"] == "7"
    assert str(caught.value.request_id).startswith("req_")


def test_a_stream_that_is_cut_does_not_look_whole(url: str, httpserver: HTTPServer) -> None:
    cut = EVENTS[: EVENTS.index(b"event: message_stop")]
    httpserver.expect_oneshot_request("/v1/messages").respond_with_data(cut, content_type="text/event-stream")
    kinds = []
    with (
        anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as sdk,
        pytest.raises(anthropic.APIStatusError, match="without the event that ends it"),
    ):
        for event in sdk.messages.create(
            model="best", max_tokens=5, messages=[{"role": "user", "content": "hi"}], stream=True
        ):
            kinds.append(event.type)
    assert "message_stop" not in kinds


def test_for_another_model_it_is_written_anew(url: str, httpserver: HTTPServer) -> None:
    asked: list[Any] = []

    def answer(request: Any) -> Response:
        asked.append((json.loads(request.data), dict(request.headers)))
        return Response(
            json.dumps({"id": "m", "type": "message", "role": "assistant", "model": "llama", "content": [{"type": "text", "text": "Ho."}],
                        "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 4}}), content_type="application/json")  # fmt: skip

    httpserver.expect_oneshot_request("/v1/messages").respond_with_handler(answer)
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as sdk:
        said = sdk.beta.messages.create(
            model="other", max_tokens=5, thinking={"type": "adaptive"}, betas=["x-1"],
            messages=[{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}],
        )  # fmt: skip
    assert said.content[0].text == "Ho."  # type: ignore[union-attr]
    body, headers = asked[0]
    assert body == {"model": "llama", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    assert "anthropic-beta" not in {name.lower() for name in headers}
