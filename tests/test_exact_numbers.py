"""Numbers of any size travel exactly: from a model's tool calls to the caller and back, with and without orjson."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, Message, strict_json
from ipfs_accel.types import ToolCall
from pytest_httpserver import HTTPServer

NUMBERS = (
    "12345678901234567890123",
    "-9223372036854775809",
    "18446744073709551616",
    "0.1",
    "1e+22",
    "9007199254740993",
)
ARGUMENTS = json.dumps({"ids": [json.loads(number) for number in NUMBERS]})
INPUT = json.loads(ARGUMENTS)

ANSWERS: dict[str, Any] = {
    "claude": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": INPUT}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "gemini": {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"functionCall": {"name": "look", "args": INPUT}}]},
                "finishReason": "STOP",
            }
        ]
    },
    "ollama": {
        "model": "m",
        "message": {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "look", "arguments": INPUT}}],
        },
        "done": True,
        "done_reason": "stop",
    },
    "openai": {
        "id": "c1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "t1", "type": "function", "function": {"name": "look", "arguments": ARGUMENTS}}
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
    },
}


def numbers_in(value: Any) -> list[Any]:
    """Return every `ids` list below a JSON value, those that are written as text included."""
    if isinstance(value, str):
        return numbers_in(json.loads(value)) if value.startswith("{") else []
    if isinstance(value, dict):
        return [*([value["ids"]] if "ids" in value else []), *(n for each in value.values() for n in numbers_in(each))]
    return [n for each in value for n in numbers_in(each)] if isinstance(value, list) else []


@pytest.fixture(params=["orjson", "standard library"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "standard library":
        monkeypatch.setattr(strict_json, "loads", strict_json._std_loads)
        monkeypatch.setattr(strict_json, "dumps", strict_json._std_dumps)
    return str(request.param)


@pytest.mark.parametrize("backend", ANSWERS)
def test_arguments_of_tools_travel_exactly(backend: str, parser: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/.*")).respond_with_data(
        json.dumps(ANSWERS[backend]), content_type="application/json"
    )
    endpoints = {backend: EndpointConfig(base_url=httpserver.url_for(""), key="sk-test-12345")}
    history = [
        Message.user("q"),
        Message.assistant(ToolCall(id="t0", name="look", arguments=ARGUMENTS)),
        Message.tool("t0", "done"),
    ]

    with Client(Config(environ={}), endpoints=endpoints) as client:
        (call,) = client.chat(f"{backend}/m", history, max_tokens=9).tool_calls

    assert repr(call.parse_arguments()) == repr(INPUT)
    sent = json.loads(httpserver.log[-1][0].get_data())
    assert [repr(found) for found in numbers_in(sent)] == [repr(INPUT["ids"])]
