from __future__ import annotations

import json
from array import array
from enum import Enum
from pathlib import Path

import pytest
from ipfs_accel import Secret, Support
from ipfs_accel._cli.values import event_name, plain
from ipfs_accel.types import (
    BlockEnd,
    BlockStart,
    ChatResponse,
    Choice,
    EmbedResponse,
    Image,
    Message,
    ModelInfo,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class Colour(Enum):
    BLUE = "blue"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1, 1),
        (1.5, 1.5),
        (float("nan"), None),
        (float("-inf"), None),
        ("é", "é"),
        (b"\x00\xff", "AP8="),
        (array("f", [1.0, 0.5]), [1.0, 0.5]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        ({"a": (1,), 2: None}, {"a": [1], "2": None}),
        (Path("a") / "b", str(Path("a") / "b")),
        (Colour.BLUE, "blue"),
        (Secret("sk-canary"), "***"),
        (Support("yes", "server"), {"value": "yes", "source": "server"}),
        (TextDelta("hi"), {"event": "text_delta", "text": "hi", "choice": 0, "block": 0}),
        (
            BlockStart(type="tool_call", id="1", name="f"),
            {"event": "block_start", "choice": 0, "block": 0, "type": "tool_call", "id": "1", "name": "f"},
        ),
        (
            BlockEnd(part=Text(text="hi")),
            {"event": "block_end", "choice": 0, "block": 0, "part": {"type": "text", "text": "hi", "annotations": []}},
        ),
    ],
)
def test_what_each_value_becomes(value: object, expected: object) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_raw_is_left_out_unless_it_is_wanted() -> None:
    answer = EmbedResponse(vectors=(array("f", [1.0]),), raw={"a": 1})
    assert "raw" not in plain(answer)
    assert plain(answer, raw=True)["raw"] == {"a": 1}
    assert "raw" not in plain((ModelInfo(id="m", raw=1),))[0]


def test_an_answer_can_be_read_without_knowing_the_classes() -> None:
    call = ToolCall(id="1", name="f", arguments="{}")
    answer = ChatResponse(choices=(Choice(message=Message.assistant("hi", call, Image(data=b"\x89PNG\r\n\x1a\n"))),))
    content = plain(answer)["choices"][0]["message"]["content"]
    assert [part["type"] for part in content] == ["text", "tool_call", "image"]
    assert content[2]["data"] == "iVBORw0KGgo="


def test_event_names() -> None:
    assert event_name(ToolCallDelta) == "tool_call_delta"
