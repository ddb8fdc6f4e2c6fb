"""Groq's Responses API, held to OpenAI's SDK, which Groq's documentation names as the client for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import Opaque, Reasoning, ToolCall
from pytest_httpserver import HTTPServer

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

BIG, QWEN = "openai/gpt-oss-120b", "qwen/qwen3.8-27b"
USER = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False}
WIRE_TOOL = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
TOOL = Tool(name="f", description="d", parameters=SCHEMA)
MCP = {"type": "mcp", "server_label": "s", "server_url": "https://x.test/mcp", "require_approval": "never"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
RAN = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "g", "arguments": "{}", "output": "o"}

CHATS: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("a question", {"input": USER}, "hi", {}),
    ("a system's prompt", {"input": [{"role": "system", "content": "a"}, *USER]}, [Message.system("a"), "hi"], {}),
    ("sampling", {"input": USER, "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 9, "user": "u"}, "hi", {"temperature": 0.5, "top_p": 0.9, "max_tokens": 9, "user": "u"}),
    ("effort", {"input": USER, "reasoning": {"effort": "low"}}, "hi", {"reasoning_effort": "low"}),
    ("instructions", {"input": USER, "instructions": "be brief"}, "hi", {"extra": {"instructions": "be brief"}}),
    ("tools", {"input": USER, "tools": [WIRE_TOOL], "tool_choice": "required", "parallel_tool_calls": False}, "hi", {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}),
    ("this tool", {"input": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "function", "name": "f"}}, "hi", {"tools": [TOOL], "tool_choice": "f"}),
    ("tools of both sides", {"input": USER, "tools": [WIRE_TOOL, MCP]}, "hi", {"tools": [TOOL], "extra": {"tools": [MCP]}}),
    ("a tool of the server", {"input": USER, "tools": [{"type": "browser_search"}]}, "hi", {"extra": {"tools": [{"type": "browser_search"}]}}),
    ("a schema", {"input": USER, "text": {"format": {"type": "json_schema", "name": "r", "schema": SCHEMA, "strict": True}}}, "hi", {"response_format": JsonSchema(name="r", schema=SCHEMA, strict=True)}),
    ("a picture", {"model": QWEN, "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.test/a.png", "detail": "auto"}]}]}, Message.user(Image(url="https://x.test/a.png")), {"model": QWEN}),
    ("files of text", {"input": [{"role": "user", "content": '\n<document name="a.yaml">\na: 1\n</document>\nRead it.'}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "\n<document>\nb\n</document>\n"}]},
     [Message.user(Document(data=b"a: 1", name="a.yaml"), "Read it."), Message.assistant(ToolCall(id="c", name="f")), Message.tool("c", [Document(data=b"b")])], {}),
    ("a tool's history with its thought", {"input": [*USER, THOUGHT, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "17"}]},
     ["hi", Message.assistant(Opaque(backend="groq", data=THOUGHT), Opaque(backend="openai", data=RAN), ToolCall(id="c", name="f")), Message.tool("c", "17")], {}),
]  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None, "incomplete_details": None, "model": BIG,
    "output": [
        THOUGHT, RAN, {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Hi there", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}', "status": "completed"}],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "service_tier": "default", "temperature": 1.0, "top_p": 1.0, "metadata": {},
    "usage": {"input_tokens": 8, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 12}, "total_tokens": 28},
}  # fmt: skip


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url, options = httpserver.url_for(""), {"catalogue": "on"}
    with Client(
        endpoints={
            "groq": EndpointConfig(base_url=url, key="gsk_test_0123456789", options={**options, "api": "responses"}),
            "auto": EndpointConfig(backend="groq", base_url=url, key="gsk_test_0123456789", options=options),
        }
    ) as client:
        yield client


@pytest.fixture
def both(client: Client, httpserver: HTTPServer) -> Iterator[Callable[..., Any]]:
    def compare(theirs: Callable[[Any], Any], ours: Callable[[Client], Any]) -> Any:
        found = theirs(sdk), ours(client)
        expected, actual = [request for request, _ in httpserver.log]
        assert (actual.method, actual.path) == (expected.method, expected.path)
        assert json.loads(actual.get_data()) == json.loads(expected.get_data())
        assert actual.headers["Authorization"] == expected.headers["Authorization"]
        return found

    url = httpserver.url_for("/openai/v1")
    with openai.OpenAI(base_url=url, api_key="gsk_test_0123456789", max_retries=0) as sdk:
        yield compare


@pytest.mark.parametrize(
    ("theirs", "messages", "options"), [each[1:] for each in CHATS], ids=[each[0] for each in CHATS]
)
def test_a_chat_is_sent_and_read_as_the_sdk_does(
    theirs: dict[str, Any], messages: Any, options: dict[str, Any], both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openai/v1/responses").respond_with_json(ANSWER)
    settings = dict(options)
    model = settings.pop("model", BIG)
    expected, actual = both(
        lambda sdk: sdk.responses.create(**{"model": model, **theirs}),
        lambda client: client.chat(f"groq/{model}", messages, **settings),
    )
    assert (actual.text, actual.id, actual.finish_reason) == (expected.output_text, expected.id, "tool_calls")
    assert actual.message.content[:3] == (
        Reasoning(text="hm"),
        Opaque(backend="groq", data=THOUGHT),
        Opaque(backend="groq", data=RAN),
    )
    assert actual.usage.cached_input_tokens == expected.usage.input_tokens_details.cached_tokens
    assert actual.usage.reasoning_tokens == expected.usage.output_tokens_details.reasoning_tokens
    assert actual.usage.total_tokens == expected.usage.total_tokens
    assert (actual.extra["server_tools"], actual.cost) == (["mcp_call"], None)


def events() -> str:
    thought, ran, message, call = ANSWER["output"]
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**ANSWER, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "content": []}},
        {"type": "response.reasoning_text.delta", "item_id": "rs_1", "output_index": 0, "content_index": 0, "delta": "hm"},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.done", "output_index": 1, "item": ran},
        {"type": "response.output_item.added", "output_index": 2, "item": {**message, "content": []}},
        {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 2, "content_index": 0, "part": {**message["content"][0], "text": ""}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 2, "content_index": 0, "delta": "Hi there", "logprobs": []},
        {"type": "response.output_item.done", "output_index": 2, "item": message},
        {"type": "response.output_item.added", "output_index": 3, "item": {**call, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 3, "delta": '{"a":1}'},
        {"type": "response.output_item.done", "output_index": 3, "item": call},
        {"type": "response.completed", "response": ANSWER},
    ]  # fmt: skip
    lines = [{**event, "sequence_number": number} for number, event in enumerate(found)]
    return "".join([f"event: {line['type']}\ndata: {json.dumps(line)}\n\n" for line in lines])


def test_a_stream_gives_the_same_answer(both: Callable[..., Any], client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/responses").respond_with_data(events(), content_type="text/event-stream")
    expected, streamed = both(
        lambda sdk: [event.type for event in sdk.responses.create(model=BIG, input=USER, stream=True)],
        lambda client: client.stream(f"groq/{BIG}", "hi").read(),
    )
    assert expected[-1] == "response.completed"
    httpserver.clear()
    httpserver.expect_request("/openai/v1/responses").respond_with_json(ANSWER)
    assert streamed == client.chat(f"groq/{BIG}", "hi")


def test_fields_of_that_api_choose_it(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/responses").respond_with_json(ANSWER)
    assert client.chat(f"auto/{BIG}", "hi", extra={"reasoning": {"effort": "low"}}).text == "Hi there"


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "store", "background"])
def test_groq_keeps_no_answers(field: str, client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match=f"{field}: Groq keeps no answers"):
        client.chat(f"groq/{BIG}", "hi", extra={field: "resp_0"})
    assert not httpserver.log


def test_what_that_api_does_not_have(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="stop, seed"):
        client.chat(f"groq/{BIG}", "hi", stop="x", seed=1)
    with pytest.raises(e.InvalidRequestError, match="document: Groq takes text and JSON"):
        client.chat(f"groq/{BIG}", Message.user(Document(data=b"%PDF-1.7")))
    with pytest.raises(e.InvalidRequestError, match="category audio and does not chat"):
        client.chat("groq/whisper-large-v3", "hi")
    assert not httpserver.log
