from __future__ import annotations

import json

import pytest
from ipfs_accel import strict_json
from ipfs_accel.types import RelayRequest
from ipfs_accel.wire.openai_usage_events import UsageEvents, asking, may_ask


def event(text: str, usage: object = None, *, end: bytes = b"\n\n", choices: bool = True, **members: object) -> bytes:
    value = {"id": "c", **members, "choices": [{"index": 0, "delta": {"content": text}}] if choices else []}
    return b"data: " + json.dumps({**value, "usage": usage}, ensure_ascii=False).encode() + end


COUNTS = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
DONE = b"data: [DONE]"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"], ids=["lf", "crlf"])
def test_the_event_of_the_usage_is_taken_out_wherever_it_is_cut(end: bytes) -> None:
    before = event("", end=end) + event('a "usage":{} and "choices":[] and 漢字', end=end) + b": ping" + end
    told = event("", COUNTS, end=end, choices=False)
    whole = before + told + DONE + end
    for first in range(len(whole)):
        for second in range(first, len(whole), 7):
            trim = UsageEvents()
            got = [trim.feed(piece) for piece in (whole[:first], whole[first:second], whole[second:]) if piece]
            assert b"".join([*got, trim.flush()]) == before + DONE + end
            assert all(piece.endswith(end) for piece in got if piece)


@pytest.mark.parametrize(
    ("piece", "kept"),
    [
        (first := event("", choices=False, prompt_filter_results=[{"prompt_index": 0}]), first),
        (last := event("last words", COUNTS), last),
        (open_end := b"data: [DONE]\n", open_end),
        (b'data: {"choices":[],"usage":{', b""),
    ],
    ids=["first of Azure", "with a text", "no blank line", "cut off"],
)
def test_all_else_stays(piece: bytes, kept: bytes) -> None:
    trim = UsageEvents()
    assert trim.feed(b"data: 1\n\n" + piece) + trim.flush() == b"data: 1\n\n" + kept


def test_an_event_that_never_ends_is_not_kept() -> None:
    trim = UsageEvents()
    piece = b"x" * 400_000
    assert sum(len(trim.feed(piece)) for _ in range(10)) > 2_000_000


@pytest.mark.parametrize(
    ("members", "operation", "wanted", "may"),
    [
        ({}, "stream", True, True),
        ({}, "chat", True, False),
        ({}, "stream", False, False),
        ({"stream_options": {"include_usage": False}}, "stream", True, False),
    ],
)
def test_what_may_be_asked(members: dict[str, object], operation: str, *, wanted: bool, may: bool) -> None:
    body = {"messages": [], **members}
    request = RelayRequest("openai.chat", operation, body, (b' {"model":', b',"messages":[]}'), wants_usage=wanted)
    assert may_ask(request.at("m")) is may
    sent = strict_json.loads(asking(request.at("m").content))
    assert sent == {"stream_options": {"include_usage": True}, "model": "m", "messages": []}
