"""Messages in the forms of other SDKs than OpenAI's, as plain dicts; `tests/test_sdk_messages.py` asks the SDKs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ipfs_accel import Audio, Document, Image, Message
from ipfs_accel._convert.messages import checked_messages
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Opaque, Reasoning, Text, ToolCall, ToolResult

PNG = b"\x89PNG\r\n\x1a\n" + b"\xff" * 8
DATA = base64.b64encode(PNG).decode()


NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]


def parts(*messages: Any) -> tuple[Any, ...]:
    """Return the parts of the last message."""
    return checked_messages(messages)[-1].content


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


def test_ollamas_calls_have_arguments_as_an_object_and_no_ids() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [call("f", a=1.0, b="é"), call("g")]}
    first, second = checked_messages([asked])[0].tool_calls
    assert first == ToolCall(id="call_0", name="f", arguments='{"a":1.0,"b":"é"}')
    assert second == ToolCall(id="call_1", name="g", arguments="")


def test_a_result_that_has_only_the_tools_name_answers_its_first_call_without_one() -> None:
    asked = {"role": "assistant", "tool_calls": [call("f"), call("g"), call("f")]}
    results = [{"role": "tool", "tool_name": name, "content": name} for name in ("f", "f", "g")]
    found = checked_messages(["hi", asked, *results, asked, results[2]])
    assert [part.tool_call_id for message in found for part in message.content if isinstance(part, ToolResult)] == [
        *("call_0", "call_2", "call_1", "call_1"),
    ]


@pytest.mark.parametrize("given", [{"id": ""}, {"id": None}, {}])
def test_a_result_of_an_empty_id_answers_the_next_call(given: dict[str, Any]) -> None:
    calls = [{**given, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in ("f", "g")]
    results = [{"role": "tool", "tool_call_id": "", "content": "1"}] * 2
    found = checked_messages(["hi", {"role": "assistant", "content": None, "tool_calls": calls}, *results])
    assert [each.content[0].tool_call_id for each in found[2:]] == ["call_0", "call_1"]  # type: ignore[union-attr]


def test_ollamas_pictures() -> None:
    assert parts({"role": "user", "content": "?", "images": [DATA, PNG]}) == (Text(text="?"), *[Image(data=PNG)] * 2)
    wav = b"RIFF\x04\x00\x00\x00WAVE"  # Ollama's models hear what stands among the pictures
    assert parts({"role": "user", "content": "?", "images": [wav]}) == (Text(text="?"), Audio(data=wav))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "text", "text": "a", "citations": [{"type": "char_location"}]}, Text(text="a", annotations=({"type": "char_location"},))),
        ({"type": "thinking", "thinking": "a", "signature": "S"}, Reasoning(text="a", signature="S")),
        ({"type": "thinking", "thinking": "a", "signature": ""}, Reasoning(text="a")),
        ({"type": "redacted_thinking", "data": "x"}, Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"})),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": [], "caller": None}, Opaque(backend="claude", data={"type": "web_search_tool_result", "tool_use_id": "s", "content": []})),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 2**70}}, ToolCall(id="t", name="f", arguments='{"a":1180591620717411303424}')),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}}, ToolCall(id="t", name="f")),
        ({"type": "tool_result", "tool_use_id": "t", "content": "1", "is_error": True}, ToolResult(tool_call_id="t", content="1", is_error=True)),
        ({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}]}, ToolResult(tool_call_id="t", content=Image(data=PNG))),
        ({"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}, Image(url="https://x.test/a.png")),
        ({"type": "document", "source": {"type": "file", "file_id": "f1"}, "title": "a"}, Document(file_id="f1", name="a")),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}}, Document(data="ä".encode(), media_type="text/plain")),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_blocks_of_anthropics(block: dict[str, Any], expected: Any) -> None:
    assert parts({"role": "user", "content": [block]}) == (expected,)


def test_what_else_anthropic_says_of_a_call_stays_beside_it() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code", "tool_id": "s"}}
    assert parts({"role": "assistant", "content": [block]}) == (
        ToolCall(id="t", name="f"),
        Opaque(backend="claude", data={"type": "tool_use", "id": "t", "caller": {"type": "code", "tool_id": "s"}}),
    )


def test_a_message_of_anthropics_sdk_is_taken_whole() -> None:
    dumped = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1}}  # fmt: skip
    assert checked_messages(["hi", dumped])[1] == Message.assistant("a")


def test_a_message_of_the_responses_api_keeps_its_phase() -> None:
    content = [{"type": "output_text", "text": "a", "annotations": [], "logprobs": None}]
    dumped = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "phase": "commentary", "content": content}  # fmt: skip
    remark = Opaque(backend="openai", data={"type": "message", "phase": "commentary"})
    assert checked_messages(["hi", dumped])[1] == Message.assistant("a", remark)


GEMINI = {
    "role": "model",
    "parts": [
        {"text": "hm", "thought": True, "thought_signature": b"sig"},
        {"text": "so", "thought": None},
        {"function_call": {"id": None, "name": "f", "args": {"a_b": 1.0}, "will_continue": None}},
        {"function_call": {"id": "i", "name": "g", "args": None}, "thought_signature": b"\xff"},
        {"inline_data": {"mime_type": "image/png", "data": PNG, "display_name": None}},
        {"inline_data": {"mime_type": "audio/wav", "data": "AAA_"}},
        {"executable_code": {"code": "1", "language": "PYTHON"}},
        {"text": "", "thought_signature": b"end"},
    ],
}


def test_a_content_of_googles_sdk() -> None:
    def own(**data: Any) -> Opaque:
        return Opaque(backend="gemini", data=data)

    assert checked_messages(["hi", GEMINI])[1] == Message.assistant(
        Reasoning(text="hm"),
        own(thought=True, thoughtSignature="c2ln"),
        "so",
        ToolCall(id="call_0", name="f", arguments='{"a_b":1.0}'),
        ToolCall(id="i", name="g", arguments="{}"),
        own(thoughtSignature="/w=="),
        Image(data=PNG),
        Audio(data=b"\0\0\x3f", media_type="audio/wav"),
        own(executableCode={"code": "1", "language": "PYTHON"}),
        own(text="", thoughtSignature="ZW5k"),
    )


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"response": {"output": "17"}}, ToolResult(tool_call_id="call_0", content="17")),
        ({"response": {"error": "no"}}, ToolResult(tool_call_id="call_0", content="no", is_error=True)),
        ({"response": {"result": {"a": 1}}}, ToolResult(tool_call_id="call_0", content='{"a":1}')),
        ({"response": {"a": 1, "b": 2}}, ToolResult(tool_call_id="call_0", content='{"a":1,"b":2}')),
        ({"response": {"output": "17"}, "id": "i"}, ToolResult(tool_call_id="i", content="17")),
    ],
)
def test_results_in_googles_form(response: dict[str, Any], expected: ToolResult) -> None:
    given = {"role": "user", "parts": [{"functionResponse": {"name": "f", **response}}]}
    assert parts("hi", GEMINI, given) == (expected,)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": [{"type": "tool_use", "name": "f"}]}, r"content\[0\]\.id: missing"),
        ({"role": "user", "content": [{"type": "tool_result"}]}, r"content\[0\]\.tool_use_id: missing"),
        ({"role": "user", "content": [{"type": "image", "source": {"data": "?"}}]}, r"content\[0\]\.source: it is not base64"),
        ({"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": {1}}}]}, r"content\[0\]\.input: it cannot be written as JSON"),
        ({"role": "model", "parts": [5]}, r"parts\[0\]: expected a dict, got int"),
        ({"role": "model", "parts": 5}, r"parts: expected a list of dicts, got int"),
        ({"role": "model", "parts": [{"toolCall": NESTED}]}, r"parts\[0\]: it is nested too deeply"),
        ({"role": "user", "content": [{"type": ["text"]}]}, r"content\[0\]\.type: expected a string, got list"),
        ({"role": "model", "parts": [{"function_call": {"args": {}}}]}, r"parts\[0\]\.function_call\.name: missing"),
        ({"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}, "tool_name: no call of 'f' before it"),
        ({"role": "robot", "parts": []}, "role: 'robot' is not one of"),
        ({"type": "message", "content": "a"}, "role: None is not one of"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(message: Any, expected: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"^messages\[0\]\.{expected}"):
        checked_messages([message])
