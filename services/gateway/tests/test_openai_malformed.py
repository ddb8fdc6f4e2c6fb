"""Bodies with something wrong at any place: they are refused, as what is the caller's fault, or asked."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from ipfs_accel import AccelError
from ipfs_accel._calls.relays import OPERATIONS
from ipfs_accel.types import BlockStart, ChatResponse, Choice, Message, ToolCall
from ipfs_accel.wire import keepsakes
from ipfs_accel_gateway._errors import Refusal
from ipfs_accel_gateway._forms import File
from ipfs_accel_gateway.dialects import ROUTES, spoken

PICTURE = "data:image/png;base64,iVBORw0KGgo="
FUNCTION = {"type": "function", "name": "w", "parameters": {"type": "object"}, "strict": False, "description": "d"}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "d"}
PARTS = [
    {"type": "input_text", "text": "a", "annotations": []},
    {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
    {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a"},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
]
ITEMS = [
    {"role": "user", "content": PARTS},
    {"type": "message", "role": "assistant", "phase": "x", "content": [{"type": "output_text", "text": "b"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "c"}]},
    {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "x"}],
        "encrypted_content": keepsakes.written({"signature": "s"}),
    },
    {"type": "reasoning", "summary": [], "encrypted_content": keepsakes.written({"call": "c", "extra": {"a": 1}})},
    {"type": "reasoning", "summary": [], "encrypted_content": keepsakes.written({"backend": "a", "data": {}})},
    {"type": "function_call", "call_id": "c", "name": "w", "arguments": "{}", "namespace": "n"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "z"}]},
    {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "x"},
    {"type": "compaction", "encrypted_content": keepsakes.written({"summary": "a"})},
]
RESPONSE = {
    "model": "m",
    "input": ITEMS,
    "instructions": "s",
    "tools": [
        FUNCTION,
        {"type": "custom", "name": "p", "format": GRAMMAR},
        {"type": "namespace", "name": "n", "description": "q", "tools": [FUNCTION]},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "w"}]},
    "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}, "verbosity": "medium"},
    "reasoning": {"effort": "low", "summary": "auto", "mode": "standard"},
    "include": ["message.output_text.logprobs"],
    "max_output_tokens": 4,
    "stream_options": {"include_usage": True},
}
BODIES: dict[str, dict[str, Any]] = {
    "/responses": RESPONSE,
    "/chat/completions": {**RESPONSE, "messages": []},
    "/completions": {"model": "m", "prompt": ["a", [1, 2]], "suffix": "b", "stop": ["x"], "logprobs": 1, "best_of": 1},
    "/moderations": {
        "model": "m",
        "input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PICTURE}}],
    },
    "/rerank": {"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1},
    "/images/generations": {"model": "m", "prompt": "q", "n": 1, "size": "a", "response_format": "url"},
    "/audio/speech": {"model": "m", "input": "q", "voice": "v", "response_format": "mp3", "stream_format": "audio"},
    "/audio/transcriptions": {
        "model": "m",
        "file": File("a", "audio/wav", b"RIFF"),
        "temperature": "1",
        "timestamp_granularities": ["word"],
        "response_format": "srt",
    },
}
WRONG: tuple[Any, ...] = (None, 1, -1.5, True, "", [], {}, [1], ["a"], {"a": 1}, [[]], {"type": "x"}, {"type": []})
ANSWER = ChatResponse(
    choices=(
        Choice(
            message=Message(role="assistant", content=(ToolCall(id="1", name="p", arguments="x"),)),
            finish_reason="stop",
        ),
    )
)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*before, name)
        yield from places(each, (*before, name))


def put(value: Any, place: tuple[Any, ...], wrong: Any) -> Any:
    made = inner = deepcopy(value)
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = wrong
    return made


@pytest.mark.parametrize("path", BODIES)
def test_what_is_wrong_is_the_callers_fault(path: str) -> None:
    body, asked = BODIES[path], 0
    for place in places(body):
        for wrong in WRONG:
            members = put(body, place, wrong)
            dialect = spoken(ROUTES[path], members)
            for lenient in (False, True):
                try:
                    value, options = dialect.read(members, lenient=lenient)
                    OPERATIONS[dialect.operation(members)].build("m", value, options)
                except (Refusal, AccelError):
                    continue
                asked += 1
                if path in {"/responses", "/chat/completions"}:
                    dialect.write(ANSWER, members, "m")
                    dialect.writer(members, "m").event(BlockStart(type="tool_call", id="1", name="p"))
    assert asked
