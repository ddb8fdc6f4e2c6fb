"""What is known of answers that are passed on unread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel.errors import APIError, OverloadedError
from ipfs_accel_gemini._relays import _EVENTS, _ITEMS

USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 12}
ERROR = {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}
SOURCES = [{"web": {"uri": "https://example.com/" + "a" * 500, "title": "t"}} for _ in range(20)]


def piece(parts: list[Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    ended = {"finishReason": reason} if reason else {}
    candidate = {"content": {"parts": parts, "role": "model"}, **ended, "index": 0, **more}
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "m"}


def events(*values: Any) -> bytes:
    return b"".join([b"data: %b\r\n\r\n" % json.dumps(value).encode() for value in values])


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (events(piece([{"text": "a"}]), piece([{"text": "b"}], "STOP")), True),
        (events(piece([{"text": "a"}])), False),
        (events({"promptFeedback": {"blockReason": "SAFETY"}}), True),
        (events(piece([{"text": "", "thoughtSignature": "a" * 9000}], "STOP")), True),
        (events(piece([{"text": "b"}], "STOP", groundingMetadata={"groundingChunks": SOURCES})), True),
        (events(piece([{"text": "b"}], "STOP", groundingMetadata={"groundingChunks": SOURCES}))[:-300], False),
        (events(piece([{"inlineData": {"mimeType": "image/png", "data": "a" * 9000}}])), False),
        (events(piece([{"text": '"finishReason"'}])), False),
    ],
    ids=["whole", "open", "blocked", "signature", "sources", "cut_sources", "picture", "said"],
)
def test_the_end_of_a_stream_of_events_is_known(text: bytes, whole: bool) -> None:
    assert _EVENTS.is_whole(text[-4096:]) is whole


@pytest.mark.parametrize("form", [events, lambda *values: json.dumps(values).encode()], ids=["events", "array"])
def test_the_counts_are_known(form: Any) -> None:
    text = form(piece([{"text": "a"}]) | {"usageMetadata": {"promptTokenCount": 5}}, piece([{"text": "b"}], "STOP"))
    found = _EVENTS.usage(text, text)
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.reasoning_tokens) == (5, 7, 3)


def test_the_end_of_an_array_is_known() -> None:
    text = json.dumps([piece([{"text": "a"}]), piece([], "STOP")]).encode()
    assert _ITEMS.is_whole(text + b"\n")
    assert not _ITEMS.is_whole(text[:-1])


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (events(ERROR), OverloadedError),
        (json.dumps([ERROR]).encode(), OverloadedError),
        (json.dumps(ERROR).encode(), OverloadedError),
        (events(piece([{"text": "error"}])), None),
        (json.dumps([piece([{"text": "error"}])]).encode(), None),
        (b'[{"error":', None),
    ],
    ids=["event", "array", "object", "said", "said_in_array", "cut"],
)
def test_an_error_at_the_beginning_is_known(first: bytes, kind: type[APIError] | None) -> None:
    for reads in (_EVENTS, _ITEMS):
        found = reads.failure(first)
        assert found is None if kind is None else isinstance(found, kind)
