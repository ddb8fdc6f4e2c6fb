"""Usage in OpenAI's dialect, under every host's names and in every place where it may stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel._headers import Headers
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, Usage
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.openai_answers import read_chat
from ipfs_accel.wire.openai_streams import ChatDecoder
from ipfs_accel.wire.sse import ServerSentEvent

Json = dict[str, Any]


def whole(usage: Any, *, in_choice: bool = False) -> ChatResponse:
    choice: Json = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}
    body: Json = {"choices": [{**choice, "usage": usage}]} if in_choice else {"choices": [choice], "usage": usage}
    return read_chat(HttpResponse(status=200, headers=Headers([]), body=json.dumps(body).encode()))


def streamed(usage: Any, *, in_choice: bool = False) -> ChatResponse:
    end: Json = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
    chunks = (
        [{"choices": [{**end, "usage": usage}]}] if in_choice else [{"choices": [end]}, {"choices": [], "usage": usage}]
    )
    out, decode = chat_assembler(merge=True), ChatDecoder()
    for chunk in chunks:
        decode(ServerSentEvent(data=json.dumps(chunk)), out)
    return out.conclude()


def beside(prompt: int, completion: int, total: int | None, thought: int) -> Json:
    found = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**found, "completion_tokens_details": {"reasoning_tokens": thought}}


TEN = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
TOLD = {"input_tokens": 10, "output_tokens": 2}
USAGES: list[tuple[Usage, Json]] = [
    (Usage(input_tokens=40, output_tokens=100, reasoning_tokens=88), beside(40, 12, 140, 88)),
    (Usage(input_tokens=20, output_tokens=60, reasoning_tokens=60), beside(20, 0, 80, 60)),
    (Usage(input_tokens=20, output_tokens=7, reasoning_tokens=3), beside(20, 4, 27, 3)),
    (Usage(input_tokens=20, output_tokens=13, reasoning_tokens=9), beside(20, 4, None, 9)),
    (Usage(input_tokens=10, output_tokens=100, reasoning_tokens=64), beside(10, 100, 110, 64)),
    (Usage(input_tokens=10, output_tokens=100, reasoning_tokens=64), beside(10, 100, None, 64)),
    (Usage(input_tokens=10, output_tokens=2, reasoning_tokens=0), beside(10, 2, 12, 0)),
    (Usage(**TOLD, cached_input_tokens=6), {**TEN, "prompt_tokens_details": {"cached_tokens": 6}}),
    (Usage(**TOLD, cached_input_tokens=6), {**TEN, "cached_tokens": 6}),
    (Usage(**TOLD, cached_input_tokens=6), {**TEN, "prompt_cache_hit_tokens": 6}),
    (Usage(**TOLD, cached_input_tokens=6), {**TEN, "prompt_tokens_details": None, "cache_read_input_tokens": 6}),
    (Usage(**TOLD, cached_input_tokens=0), {**TEN, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 6}),
    (Usage(**TOLD, cache_write_input_tokens=4), {**TEN, "prompt_tokens_details": {"cache_creation_tokens": 4}}),
    (Usage(**TOLD, cache_write_input_tokens=4), {**TEN, "cache_creation_input_tokens": 4}),
    (Usage(**TOLD, reasoning_tokens=1), {**TEN, "reasoning_tokens": 1}),
    (Usage(**TOLD), {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}),
]


@pytest.mark.parametrize(("expected", "usage"), USAGES, ids=range(len(USAGES)))
@pytest.mark.parametrize("in_choice", [False, True])
def test_a_usage_under_any_hosts_names(expected: Usage, usage: Json, in_choice: bool) -> None:
    answers = whole(usage, in_choice=in_choice), streamed(usage, in_choice=in_choice)
    assert [answer.usage for answer in answers] == [expected] * 2
    assert [answer.extra for answer in answers] == [{}] * 2


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        ({"num_sources_used": 3}, {"num_sources_used": 3}),
        ({"prompt_cache_miss_tokens": 4}, {"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4}),
        (
            {"prompt_tokens_details": {"image_tokens": 9}},
            {"prompt_tokens_details": {"image_tokens": 9, "video_tokens": 0}},
        ),
        ({"cost": 0.5}, {"cost": 0.5, "upstream": None}),
        ({"total_tokens": 320}, {"total_tokens": 320}),
    ],
    ids=["sources", "missed", "pictures", "cost", "a total of more"],
)
def test_what_has_no_place_is_kept(expected: Json, more: Json) -> None:
    for answer in (whole({**TEN, **more}), streamed({**TEN, **more})):
        assert answer.extra == {"usage": expected}
