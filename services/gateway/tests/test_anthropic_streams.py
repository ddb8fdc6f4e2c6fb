"""What is written of streams: the order of events, whatever ours come in."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic.types import RawMessageStreamEvent
from ipfs_accel import EndpointConfig
from ipfs_accel.testing.raw_server import serve
from ipfs_accel.types import (
    Audio,
    AudioDelta,
    BlockEnd,
    BlockStart,
    ChatResponse,
    Choice,
    FinishEvent,
    Image,
    Message,
    Opaque,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageEvent,
)
from ipfs_accel.wire.sse import SSEDecoder
from ipfs_accel_gateway._errors import Refusal
from ipfs_accel_gateway.dialects.anthropic_messages import MESSAGES
from pydantic import TypeAdapter

from .gateways import Start
from .wires import CHUNKED, Gradual, framed

NOTE = {"type": "char_location", "cited_text": "c", "document_index": 0, "document_title": None, "file_id": None, "start_char_index": 0, "end_char_index": 1}  # fmt: skip


def call(block: int, name: str) -> BlockStart:
    return BlockStart(block=block, type="tool_call", id=name, name=name)


def given(block: int, *pieces: str) -> list[Any]:
    return [ToolCallDelta(piece, 0, block) for piece in pieces]


def over(block: int, name: str, arguments: str, **more: Any) -> BlockEnd:
    return BlockEnd(block=block, part=ToolCall(id=name, name=name, arguments=arguments, **more))


def written(*events: Any, reason: str = "stop", extra: Any = None) -> list[dict[str, Any]]:
    """Return the events of a stream; each is one of the SDK's."""
    parts = [event.part for event in events if isinstance(event, BlockEnd)]
    message = Message(role="assistant", content=tuple(parts), extra=extra or {})
    answer = ChatResponse(choices=(Choice(message=message, finish_reason=reason),), usage=Usage(input_tokens=3, output_tokens=4))  # fmt: skip
    writer = MESSAGES.writer({}, "m")
    last = [UsageEvent(usage=answer.usage), FinishEvent(finish_reason=reason, finish_reasons=(reason,))]
    text = b"".join([writer.begin(), *[writer.event(event) for event in (*events, *last)], writer.end(answer)])
    found = []
    for frame in SSEDecoder().feed(text):
        body = json.loads(frame.data)
        assert frame.event == body["type"]
        if body["type"] != "ping":
            TypeAdapter(RawMessageStreamEvent).validate_python(body, strict=True)
        found.append(body)
    return found


def blocks(events: list[dict[str, Any]]) -> list[tuple[Any, str]]:
    """Return each block with what its pieces come to; no two of them are under way at once."""
    found: list[tuple[Any, str]] = []
    inner = [event for event in events if event["type"].startswith("content_block_")]
    for number, (index, group) in enumerate(groupby(inner, lambda event: event["index"])):
        begun, *pieces, ended = list(group)
        assert index == number
        assert (begun["type"], ended["type"]) == ("content_block_start", "content_block_stop")
        assert all(piece["type"] == "content_block_delta" for piece in pieces)
        texts = [piece["delta"].get("text", "") + piece["delta"].get("partial_json", "") for piece in pieces]
        found.append((begun["content_block"], "".join(texts)))
    return found


def test_events_come_in_their_order() -> None:
    events = written(
        BlockStart(block=0, type="reasoning"),
        ReasoningDelta("Hm", 0, 0),
        BlockEnd(block=0, part=Reasoning(text="Hm", signature="EqQB")),
        BlockStart(block=1, type="text"),
        TextDelta("Ho", 0, 1),
        BlockEnd(block=1, part=Text(text="Ho", annotations=(NOTE, {"type": "url_citation"}))),
    )
    assert [event["type"] for event in events] == [
        "message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
        "content_block_stop", "content_block_start", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "signature_delta", "signature": "EqQB"},
        {"type": "text_delta", "text": "Ho"},
        {"type": "citations_delta", "citation": NOTE},
    ]
    assert events[0]["message"]["stop_reason"] is None
    assert events[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None}
    assert (events[-2]["usage"]["input_tokens"], events[-2]["usage"]["output_tokens"]) == (3, 4)


@pytest.mark.parametrize(
    "events",
    [
        [call(0, "a"), *given(0, '{"x"', ":1}"), call(1, "b"), *given(1, "{}"), over(0, "a", '{"x":1}'), over(1, "b", "{}")],
        [call(0, "a"), *given(0, '{"x"'), call(1, "b"), *given(1, "{"), *given(0, ":1}"), *given(1, "}"), over(0, "a", '{"x":1}'), over(1, "b", "{}")],
        [call(0, "a"), *given(0, '{"x"'), call(1, "b"), *given(0, ":1}"), over(0, "a", '{"x":1}'), *given(1, "{}"), over(1, "b", "{}")],
        [call(0, "a"), *given(0, '{"x":1}'), call(1, "b"), *given(0, "\n"), *given(1, "{}"), over(1, "b", "{}"), over(0, "a", '{"x":1}')],
    ],
    ids=["one_after_the_other", "in_turns", "begun_early", "white_space_late"],
)  # fmt: skip
def test_calls_are_told_one_after_the_other(events: list[Any]) -> None:
    found = blocks(written(*events, reason="tool_calls"))
    assert [(block["id"], text) for block, text in found] == [("a", '{"x":1}'), ("b", "{}")]


def test_three_calls_of_which_the_first_has_no_input() -> None:
    events = [call(0, "a"), call(1, "b"), *given(1, "{}"), call(2, "c"), *given(2, "{}")]
    ends = [over(0, "a", ""), over(1, "b", "{}"), over(2, "c", "{}")]
    found = blocks(written(*events, *ends, reason="tool_calls"))
    assert [(block["id"], text) for block, text in found] == [("a", ""), ("b", "{}"), ("c", "{}")]


def test_a_call_that_goes_on_after_its_end_is_an_error() -> None:
    with pytest.raises(Refusal, match="went on"):
        written(call(0, "a"), *given(0, "{}"), call(1, "b"), *given(0, "{}"))


def test_what_was_said_of_a_call_comes_behind_the_blocks_that_are_under_way() -> None:
    more = {"extra": {"signed": 1}}
    events = [call(0, "a"), *given(0, "{}"), call(1, "b"), over(0, "a", "{}", **more), *given(1, "{}"), over(1, "b", "{}")]  # fmt: skip
    found = [block["type"] for block, _ in blocks(written(*events, extra={"beside": 1}, reason="tool_calls"))]
    assert found == ["tool_use", "tool_use", "redacted_thinking", "redacted_thinking"]


def test_what_is_spoken_is_told_as_text() -> None:
    sound = Audio(data=b"a", media_type="audio/wav", transcript="Ho")
    events = [BlockStart(block=0, type="audio"), AudioDelta(b"a", "Ho", 0, 0), BlockEnd(block=0, part=sound)]
    assert blocks(written(*events)) == [({"type": "text", "text": ""}, "Ho")]


def test_a_part_that_says_nothing_here_leaves_no_block() -> None:
    about = Opaque(backend="claude", data={"type": "tool_use", "id": "a", "caller": {}})
    assert blocks(written(BlockStart(block=0, type="opaque"), BlockEnd(block=0, part=about))) == []


@pytest.mark.parametrize("part", [Image(data=b"\x89PNG\r\n\x1a\n0"), Audio(data=b"a", media_type="audio/wav")], ids=["image", "audio"])  # fmt: skip
def test_what_has_no_place_is_an_error(part: Any) -> None:
    with pytest.raises(Refusal, match="has no place"):
        written(BlockStart(block=0, type=part.kind), BlockEnd(block=0, part=part))


GEMINIS = (
    {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}}],
     "usageMetadata": {"promptTokenCount": 30, "cachedContentTokenCount": 10, "candidatesTokenCount": 1}},
    {"candidates": [{"content": {"parts": [{"text": "."}], "role": "model"}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 30, "cachedContentTokenCount": 10, "candidatesTokenCount": 7}},
)  # fmt: skip
OPENAIS = (
    {"choices": [{"index": 0, "delta": {"content": "Hi."}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37,
                              "prompt_tokens_details": {"cached_tokens": 10}}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told", "begun"),
    [("gemini", GEMINIS, 20), ("openai", OPENAIS, 0)],
    ids=["told-at-once", "told-at-the-end"],
)
def test_tokens_of_the_input_are_told_once_they_are_known(
    running: Start, name: str, told: tuple[Any, ...], begun: int
) -> None:
    first, last = [framed(b"data: %b\n\n" % json.dumps(each).encode()) for each in told]
    end = framed(b"data: [DONE]\n\n") if name == "openai" else b""
    upstream = Gradual(CHUNKED, first, last + end + b"0\r\n\r\n")
    with serve(upstream.handle) as server:
        url = f"{server.url}/v1" if name == "openai" else server.url
        at = running(endpoints={name: EndpointConfig(base_url=url, key="k")}).url
        asked: Any = {"model": f"{name}/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        with Anthropic(base_url=at, api_key="any", max_retries=0) as sdk, sdk.messages.stream(**asked) as stream:
            start: Any = next(iter(stream))
            upstream.may_go_on.set()
            stream.until_done()
            used = stream.get_final_message().usage
    assert (start.message.usage.input_tokens, start.message.usage.cache_read_input_tokens) == (begun, begun // 2)
    assert (used.input_tokens, used.cache_read_input_tokens, used.output_tokens) == (20, 10, 7)
