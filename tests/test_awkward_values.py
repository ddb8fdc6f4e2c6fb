"""Values that no JSON can be made of, and characters that streams cut in two: in each dialect, world and JSON library."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, JsonSchema, Message, Tool, strict_json
from ipfs_accel.errors import ConfigError, InvalidRequestError
from ipfs_accel.types import ReasoningDelta, TextDelta, ToolCall, ToolCallDelta
from pytest_httpserver import HTTPServer
from werkzeug import Response

BACKENDS = ("openai", "responses", "azure", "claude", "gemini", "groq", "hf", "ollama", "tgi")


@pytest.fixture(params=["orjson", "standard library"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "standard library":
        monkeypatch.setattr(strict_json, "loads", strict_json._std_loads)
        monkeypatch.setattr(strict_json, "dumps", strict_json._std_dumps)
    return str(request.param)


@pytest.fixture
def endpoints(httpserver: HTTPServer) -> dict[str, EndpointConfig]:
    place = {"base_url": httpserver.url_for("").removesuffix("/"), "key": "sk-test-0123"}
    made = {name: EndpointConfig(**place) for name in BACKENDS if name != "responses"}
    return {**made, "responses": EndpointConfig(**place, backend="openai", options={"api": "responses"})}


def nested() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(10_000):
        found = {"d": found}
    return found


CIRCLE: dict[str, Any] = {}
CIRCLE["again"] = CIRCLE
DEEP = '{"a":' * 50_000 + "1" + "}" * 50_000
OBJECTS = {"claude", "gemini", "ollama"}  # where arguments of calls are no text
# Name to messages, options, and what the error says.
WRONG: dict[str, tuple[Any, Callable[[], dict[str, Any]], str]] = {
    "half-a-character": (["hi", Message.assistant("a\ud83d"), "hi"], dict, r"messages\[1\]\.content\[0\]\.text: it has half"),
    "half-in-a-dict": (["hi", {"role": "assistant", "content": "\ude0ba"}, "hi"], dict, r"messages\[1\]\.content\[0\]\.text: it has"),
    "nested-extra": ("hi", lambda: {"extra": {"metadata": nested()}}, r"extra\.metadata\.d: it is nested too deeply"),
    "nested-tool": ("hi", lambda: {"tools": [Tool(name="f", parameters={"type": "object", "properties": nested()})]}, r"tools\[0\]\.parameters: it is nested too deeply"),
    "circle": ("hi", lambda: {"extra": {"x": CIRCLE}}, r"extra\.x\.again: it holds itself"),
    "set": ("hi", lambda: {"extra": {"x": [{"y": {1}}]}}, r"extra\.x\[0\]\.y: set is nothing that JSON has a form for"),
    "NaN": ("hi", lambda: {"extra": {"x": {"y": float("nan")}}}, r"extra\.x\.y: nan is no JSON value"),
    "half-in-arguments": (["hi", Message.assistant(ToolCall(id="t", name="f", arguments='{"a": "\\ud83d"}')), Message.tool("t", "1")], dict, r"messages\[1\]\.content\[0\]\.arguments\.a: it has half"),
    "nested-arguments": (["hi", Message.assistant(ToolCall(id="t", name="f", arguments=DEEP)), Message.tool("t", "1")], dict, r"messages\[1\]: .*(nested too deeply|not a JSON object)"),
}  # fmt: skip
PLACES = [(name, backend) for name in WRONG for backend in BACKENDS if "arguments" not in name or backend in OBJECTS]


@pytest.mark.parametrize(("wrong", "backend"), PLACES, ids=[f"{name}-{backend}" for name, backend in PLACES])
def test_what_cannot_be_sent_is_the_callers_error_and_named(
    wrong: str, backend: str, parser: str, endpoints: dict[str, EndpointConfig], httpserver: HTTPServer
) -> None:
    messages, options, expected = WRONG[wrong]
    model = f"{backend}/m"
    errors: list[InvalidRequestError] = []

    def caught(call: Callable[[], Any]) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            call()
        errors.append(caught.value)

    async def awaited() -> None:
        async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
            with pytest.raises(InvalidRequestError) as caught:
                await client.chat(model, messages, max_tokens=9, **options())
            errors.append(caught.value)
            with pytest.raises(InvalidRequestError) as caught:
                await client.stream(model, messages, max_tokens=9, **options()).read()
            errors.append(caught.value)

    with Client(Config(environ={}), endpoints=endpoints) as client:
        caught(lambda: client.chat(model, messages, max_tokens=9, **options()))
        caught(lambda: client.chat(model, messages, max_tokens=9, cache=True, **options()))
        caught(lambda: client.stream(model, messages, max_tokens=9, **options()).read())
    anyio.run(awaited)

    for error in errors:
        assert re.search(expected, str(error)), str(error)[:300]
        assert (error.endpoint, error.model) == (backend, "m")
        assert error.__cause__ is None
    assert httpserver.log == []


def test_a_form_that_is_nested_too_deeply(endpoints: dict[str, EndpointConfig], parser: str) -> None:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        for backend in ("openai", "claude", "gemini", "ollama"):
            with pytest.raises(InvalidRequestError, match=r"response_format\.schema\.d: it is nested too deeply"):
                client.chat(f"{backend}/m", "hi", response_format=JsonSchema(schema=nested()), max_tokens=9)


def test_other_operations_name_their_fields(endpoints: dict[str, EndpointConfig], httpserver: HTTPServer) -> None:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        calls: list[tuple[Callable[[], Any], str]] = [
            (lambda: client.embed("openai/m", ["a", "\ud83d"]), r"inputs\[1\]: it has half"),
            (lambda: client.complete("ollama/m", "\ud83d"), r"prompt\[0\]: it has half"),
            (lambda: client.speak("groq/m", "\ud83d", voice="v"), r"text: it has half"),
            (lambda: client.moderate("openai/m", ["a", "\ud83d"]), r"inputs\[1\]: it has half"),
            (lambda: client.transcribe("openai/m", b"RIFF\0\0\0\0WAVEfmt ", prompt="\ud83d"), r"prompt: it has half"),
            (
                lambda: client.create_batch("openai/m", {"a": "\ud83d"}),
                r"items\[0\]\.request\.messages\[0\]\..*: it has half",
            ),
            (
                lambda: client.create_batch("gemini/m", {"a": "\ud83d"}),
                r"items\[0\]\.request\.messages\[0\]\..*: it has half",
            ),
        ]
        for call, expected in calls:
            with pytest.raises(InvalidRequestError, match=expected):
                call()
    assert httpserver.log == []


def sse(*events: Any, done: bool = False) -> Response:
    body = "".join(f"event: {each.get('type', 'message')}\ndata: {json.dumps(each)}\n\n" for each in events)
    return Response(body + "data: [DONE]\n\n" * done, content_type="text/event-stream")


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def called(arguments: str) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": 0, "id": "t", "function": {"name": "f", "arguments": arguments}}])


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def block(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def lines(*messages: dict[str, Any]) -> Response:
    made = [{"model": "m", "message": {"role": "assistant", "content": "", **each}, "done": False} for each in messages]
    last = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    return Response("".join(json.dumps(each) + "\n" for each in [*made, last]), content_type="application/x-ndjson")


def gemini(*parts: dict[str, Any]) -> Response:
    made = [{"candidates": [{"content": {"role": "model", "parts": [each]}}]} for each in parts]
    return sse(*made, {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]})


A, B = "a\ud83d", "\ude0bb"
WHOLE = "a\U0001f60bb"
STREAMS: dict[str, Callable[[], Response]] = {
    "openai": lambda: sse(chunk(reasoning_content=A), chunk(reasoning_content=B), chunk(content=A), chunk(content=B), called(f'{{"x":"{A}'), called(f'{B}"}}'), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, done=True),
    "claude": lambda: sse(
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}},
        block(0, type="thinking", thinking="", signature=""), delta(0, "thinking_delta", thinking=A), delta(0, "thinking_delta", thinking=B), {"type": "content_block_stop", "index": 0},
        block(1, type="text", text=""), delta(1, "text_delta", text=A), delta(1, "text_delta", text=B), {"type": "content_block_stop", "index": 1},
        block(2, type="tool_use", id="t", name="f", input={}), delta(2, "input_json_delta", partial_json=f'{{"x":"{A}'), delta(2, "input_json_delta", partial_json=f'{B}"}}'), {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}),
    "gemini": lambda: gemini({"text": A, "thought": True}, {"text": B, "thought": True}, {"text": A}, {"text": B}, {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.x", "stringValue": A}], "willContinue": True}}, {"functionCall": {"partialArgs": [{"jsonPath": "$.x", "stringValue": B}]}}),
    "ollama": lambda: lines({"thinking": A}, {"thinking": B}, {"content": A}, {"content": B}, {"tool_calls": [{"function": {"name": "f", "arguments": {"x": A + B}}}]}),
}  # fmt: skip


@pytest.fixture(params=STREAMS)
def streamed(request: pytest.FixtureRequest, httpserver: HTTPServer) -> str:
    httpserver.expect_request(re.compile("/.*")).respond_with_response(STREAMS[request.param]())
    return str(request.param)


def test_a_character_that_two_pieces_have_halves_of_is_one(
    streamed: str, parser: str, endpoints: dict[str, EndpointConfig]
) -> None:
    async def awaited() -> Any:
        async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
            return await client.stream(f"{streamed}/m", "hi", max_tokens=9).read()

    with (
        Client(Config(environ={}), endpoints=endpoints) as client,
        client.stream(f"{streamed}/m", "hi", max_tokens=9) as stream,
    ):
        events = list(stream)
    for answer in (stream.response, anyio.run(awaited)):
        assert answer.text == answer.message.reasoning == WHOLE
        assert [call.parse_arguments() for call in answer.message.tool_calls] == [{"x": WHOLE}]
    for kind, name in ((TextDelta, "text"), (ReasoningDelta, "text"), (ToolCallDelta, "arguments")):
        pieces = [getattr(each, name) for each in events if isinstance(each, kind)]
        assert "".join(pieces).encode().decode() in {WHOLE, f'{{"x":"{WHOLE}"}}'}


HALF = "a\ud83d"
ARGUMENTS = {"x": HALF}
WHOLES: dict[str, Any] = {
    "openai": {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": HALF, "reasoning_content": HALF, "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": f'{{"x":"{HALF}"}}'}}]}, "finish_reason": "stop"}]},
    "responses": {"id": "r", "model": "m", "status": "completed", "output": [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a\ufffd"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": HALF}]},
        {"type": "function_call", "call_id": "t", "name": "f", "arguments": f'{{"x":"{HALF}"}}'}]},
    "claude": {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
        {"type": "thinking", "thinking": HALF, "signature": "S"}, {"type": "text", "text": HALF}, {"type": "tool_use", "id": "t", "name": "f", "input": ARGUMENTS}]},
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": HALF, "thought": True}, {"text": HALF}, {"functionCall": {"name": "f", "args": ARGUMENTS}}]}, "finishReason": "STOP"}]},
    "ollama": {"model": "m", "message": {"role": "assistant", "content": HALF, "thinking": HALF, "tool_calls": [{"function": {"name": "f", "arguments": ARGUMENTS}}]}, "done": True, "done_reason": "stop"},
}  # fmt: skip


@pytest.mark.parametrize("backend", WHOLES)
def test_half_a_character_of_a_whole_answer_is_replaced_too(
    backend: str, parser: str, endpoints: dict[str, EndpointConfig], httpserver: HTTPServer
) -> None:
    answer = Response(json.dumps(WHOLES[backend]), content_type="application/json")
    httpserver.expect_request(re.compile("/.*")).respond_with_response(answer)
    with Client(Config(environ={}), endpoints=endpoints) as client:
        message = client.chat(f"{backend}/m", "hi", max_tokens=9).message
        assert message.text == message.reasoning == "a\ufffd"
        assert [call.parse_arguments() for call in message.tool_calls] == [{"x": "a\ufffd"}]
        results = [Message.tool(call.id, "1") for call in message.tool_calls]
        client.chat(f"{backend}/m", ["hi", message, *results, "and?"], max_tokens=9)


@pytest.mark.parametrize(
    ("backend", "option", "value"),
    [
        ("claude", "max_tokens", 0),
        ("gemini", "server_timeout", -1.0),
        ("hf", "scale_up_timeout", -1),
        ("llvm", "context", -1),
        ("llvm", "parallel", 0),
        ("llvm", "threads", 0),
        ("ollama", "num_ctx", -1),
    ],
)
def test_a_negative_number_among_a_backends_settings_is_named(backend: str, option: str, value: float) -> None:
    endpoint = EndpointConfig(key="sk-test-0123", options={option: value})
    wrong = pytest.raises(ConfigError, match=rf"endpoint '{backend}', options: '{option}' must be >=? [01]: {value}")
    with Client(Config(environ={}), endpoints={backend: endpoint}) as client, wrong:
        client.chat(f"{backend}/m", "hi")
