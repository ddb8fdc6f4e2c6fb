"""Streams of the Responses API as gateways send them: the last event leaves out what came before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel._headers import Headers
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, Usage
from ipfs_accel.wire.openai_responses_answers import ResponseDecoder, assembler, read_response
from ipfs_accel.wire.sse import ServerSentEvent

Json = dict[str, Any]
MESSAGE: Json = {
    "type": "message",
    "phase": "final",
    "content": [{"type": "output_text", "text": "It works", "annotations": [{"type": "x"}]}],
}
CALL = {"type": "function_call", "call_id": 12, "name": "f", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "b3"}
USAGE = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 41, "output_tokens_details": {"reasoning_tokens": 28}}
END: Json = {"id": "r", "model": "m", "status": "completed", "usage": USAGE}


def run(*events: Json) -> ChatResponse:
    decode, out = ResponseDecoder(), assembler()
    for event in events:
        decode(ServerSentEvent(data=json.dumps(event)), out)
    return out.conclude()


def streamed(items: list[Json], end: Json) -> ChatResponse:
    events: list[Json] = [{"type": "response.created", "response": {"id": "r", "model": "m"}}]
    for index, item in enumerate(items):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}})
        if item is MESSAGE:
            events += [{"type": "response.output_text.delta", "delta": piece} for piece in ("It ", "works")]
        if item is CALL:
            events.append({"type": "response.function_call_arguments.delta", "output_index": index, "delta": "{}"})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return run(*events, {"type": "response.completed", "response": end})


def whole(items: list[Json], end: Json) -> ChatResponse:
    body = json.dumps({**end, "output": items}).encode()
    return read_response(HttpResponse(status=200, headers=Headers([]), body=body))


@pytest.mark.parametrize(
    "items", [[MESSAGE], [THOUGHT, CALL], [THOUGHT, MESSAGE, MESSAGE, CALL]], ids=["text", "call", "all"]
)
@pytest.mark.parametrize("end", [{**END, "output": []}, {**END, "output": None}, END], ids=["empty", "null", "missing"])
def test_what_came_is_what_the_whole_answer_would_have_been(items: list[Json], end: Json) -> None:
    found, expected = streamed(items, end), whole(items, end)
    assert (found.choices, found.usage, found.extra) == (expected.choices, expected.usage, expected.extra)
    assert found.usage == Usage(input_tokens=10, output_tokens=31, reasoning_tokens=28)


def test_text_without_any_item_is_kept() -> None:
    text = {"type": "response.output_text.delta", "delta": "Hi"}
    answer = run(text, {"type": "response.completed", "response": {**END, "output": []}})
    assert (answer.text, answer.finish_reason) == ("Hi", "stop")


def test_an_end_without_any_answer_is_none() -> None:
    with pytest.raises(InvalidResponseError, match="no answer in it"):
        run({"type": "response.completed", "response": END})


@pytest.mark.parametrize(
    ("expected", "details"),
    [
        ("incomplete", None),
        ("incomplete", {}),
        ("length", {"reason": "max_output_tokens"}),
        ("other", {"reason": "other"}),
    ],
    ids=["null", "empty", "length", "other"],
)
def test_an_incomplete_answer_says_so(expected: str, details: Any) -> None:
    end = {**END, "status": "incomplete", "incomplete_details": details}
    assert whole([MESSAGE], end).finish_reason == expected
    assert streamed([MESSAGE], {**end, "output": []}).finish_reason == expected
