"""Requests of others: which go to a Claude as they are, and what is known of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint, Relay
from ipfs_accel.types import RelayRequest, Usage
from ipfs_accel.wire import keepsakes
from ipfs_accel_claude import Options, backend

HOSTED, OTHER = "https://api.anthropic.com", "http://127.0.0.1:9/v1"
SAID = {"messages": [{"role": "user", "content": "hi"}]}
START: dict[str, Any] = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1}}}  # fmt: skip
DELTA: dict[str, Any] = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"usage":{"input_tokens":9} "message_stop"'}}  # fmt: skip
FINISH: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 0, "output_tokens": 89}}  # fmt: skip
STOP = {"type": "message_stop"}


def planned(
    dialect: str = "anthropic.messages",
    operation: str = "chat",
    *,
    model: str = "claude-opus-5-5",
    base_url: str = HOSTED,
    members: Any = None,
    **more: Any,
) -> Relay | None:
    endpoint = Endpoint(name="claude", backend="claude", base_url=base_url, options=Options())
    body = json.dumps({"model": "", **(members or SAID)}, indent=1).encode()
    before, _, after = body.partition(b'""')
    request = RelayRequest(dialect, operation, json.loads(body), (before, after), model=model, **more)
    return backend.relay(endpoint, request)


def relayed(*args: Any, **more: Any) -> Relay:
    found = planned(*args, **more)
    assert found is not None
    return found


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        [b"event: %b\ndata: %b\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in events]
    )


def test_a_request_goes_on_as_it_came() -> None:
    headers = (("anthropic-version", "2023-06-01"), ("anthropic-beta", "a,b"))
    send = relayed(headers=headers, query=(("beta", "true"),)).send
    assert (send.method, send.path, send.query) == ("POST", "/v1/messages", (("beta", "true"),))
    assert set(headers) < set(send.headers)
    assert send.content == json.dumps({"model": "claude-opus-5-5", **SAID}, indent=1).encode()


@pytest.mark.parametrize(
    ("model", "members", "version"),
    [("claude-opus-5-5", {}, "2026-10-21"), ("claude-sonnet-4-5", {"top_p": 1}, "2023-06-01")],
    ids=["newest", "with_sampling"],
)
def test_a_request_without_a_version_gets_the_one_that_takes_it(model: str, members: Any, version: str) -> None:
    send = relayed(model=model, members={**SAID, **members}).send
    assert dict(send.headers)["anthropic-version"] == version
    assert "anthropic-beta" not in dict(send.headers)


def test_counts_go_on_too() -> None:
    assert relayed("anthropic.count_tokens", "count_tokens").send.path == "/v1/messages/count_tokens"


KEPT = keepsakes.written({"field": None})


@pytest.mark.parametrize(
    "more",
    [
        {"dialect": "openai.chat"},
        {"base_url": OTHER, "model": "llama"},
        {"members": {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": KEPT}]}]}},
        {"members": {"messages": [*SAID["messages"], {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "redacted_thinking", "data": KEPT}]}]}},
    ],
    ids=["another_dialect", "another_model", "thoughts_of_another", "what_another_keeps"],
)  # fmt: skip
def test_what_a_claude_would_not_take_is_left_to_be_read(more: dict[str, Any]) -> None:
    assert planned(**more) is None


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": KEPT}]}, {"role": "assistant", "content": KEPT}],
        [{"role": "assistant", "content": [{"type": "thinking", "thinking": KEPT, "signature": "EqQB"}, KEPT]}, None],
        {"role": "assistant"},
    ],
    ids=["texts", "claudes_own", "malformed"],
)
def test_anything_else_is_a_claudes_business(messages: Any) -> None:
    assert planned(members={"messages": messages}) is not None


def test_a_claude_elsewhere_is_one_as_well() -> None:
    send = relayed(base_url=OTHER, model="anthropic/claude-sonnet-4.5").send
    assert (send.base_url, send.path) == ("http://127.0.0.1:9", "/v1/messages")


def test_too_large_a_request_is_refused_before_it_is_sent() -> None:
    with pytest.raises(e.InvalidRequestError, match="33 MiB"):
        planned(members={"messages": [{"role": "user", "content": "a" * (33 << 20)}]})


@pytest.mark.parametrize("cut", [None, 300], ids=["at_once", "in_two"])
def test_the_usage_of_a_stream_is_told_at_both_ends(cut: int | None) -> None:
    reads = relayed(operation="stream").reads
    stream = sse(START, DELTA, FINISH, STOP)
    head, tail = (stream, stream) if cut is None else (stream[:cut], stream[-cut:])
    assert reads.usage(head, tail) == Usage(input_tokens=30, output_tokens=89, cached_input_tokens=5)


def test_the_usage_of_a_whole_answer_is_at_its_end() -> None:
    call = {
        "type": "tool_use",
        "id": "a",
        "name": "b",
        "input": {"usage": {"input_tokens": 1, "cache_read_input_tokens": 7}},
    }
    body = json.dumps({"content": [call], "usage": {"input_tokens": 25, "output_tokens": 3}}).encode()
    assert relayed().reads.usage(body, body) == Usage(input_tokens=25, output_tokens=3)
    assert relayed("anthropic.count_tokens", "count_tokens").reads.usage(b'{"input_tokens":3}', b"") is None


def test_only_its_last_event_ends_a_stream() -> None:
    reads = relayed(operation="stream").reads
    assert reads.is_whole(sse(DELTA, FINISH, STOP))
    assert not reads.is_whole(sse(DELTA, FINISH))


def test_an_error_at_the_beginning_is_one() -> None:
    reads = relayed(operation="stream").reads
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}
    assert isinstance(reads.failure(sse(body)), e.OverloadedError)
    assert isinstance(reads.failure(json.dumps(body).encode()), e.OverloadedError)
    assert reads.failure(sse(START, {"type": "ping", "error": None})) is None
