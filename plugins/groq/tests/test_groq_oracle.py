"""Requests and answers held to Groq's own SDK: the same call made with both has to send and read the same.

The SDK is a development dependency only. Both talk to a server that records what it is sent. Where ours differs on
purpose the table says so, with the reason.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel.errors import APIStatusError
from ipfs_accel.types import Audio, BatchItem, ChatRequest, Reasoning, Refusal, ToolCall, Upload
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import form

groq = pytest.importorskip("groq", reason="Groq's SDK is the oracle of these tests")

PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt "
BIG, QWEN = "openai/gpt-oss-120b", "qwen/qwen3.8-27b"
USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WIRE_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": WEATHER}}
TOOL = Tool(name="get_weather", description="d", parameters=WEATHER)
WIRE_CALL = {"id": "ax9fskhev", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
CALL = ToolCall(id="ax9fskhev", name="get_weather", arguments='{"city":"Rome"}')
PARSED = {"reasoning_format": ("parsed", "what this model thinks would stand in its answer")}
SEARCH = {"type": "browser_search"}
MCP = {"type": "mcp", "server_label": "s", "server_url": "https://x.test/mcp", "require_approval": "never"}

Differs = dict[str, tuple[Any, str]]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def schema(**more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "r", "schema": WEATHER, **more}}


# (name, what the SDK is given, our messages, our options, where ours differs). The model is gpt-oss-120b for both
# unless an option names another.
CHATS: list[tuple[str, dict[str, Any], Any, dict[str, Any], Differs]] = [
    ("a plain question", {"messages": USER}, "hi", {}, {}),
    ("a system prompt", {"messages": [{"role": "system", "content": "be brief"}, *USER]}, [Message.system("be brief"), "hi"], {}, {}),
    ("a developer's prompt", {"messages": [{"role": "developer", "content": "be brief"}, *USER]}, [Message(role="developer", content="be brief"), "hi"], {}, {}),
    ("turns", {"messages": [*USER, {"role": "assistant", "content": "ho"}, *USER]}, ["hi", Message.assistant("ho"), "hi"], {}, {}),
    ("a limit", {"messages": USER, "max_completion_tokens": 5}, "hi", {"max_tokens": 5}, {}),
    ("a limit by its old name", {"messages": USER, "max_tokens": 5}, "hi", {"extra": {"max_tokens": 5}}, {}),
    ("temperature", {"messages": USER, "temperature": 0.6}, "hi", {"temperature": 0.6}, {}),
    ("no temperature", {"messages": USER, "temperature": 0}, "hi", {"temperature": 0}, {}),
    ("nucleus sampling", {"messages": USER, "top_p": 0.95}, "hi", {"top_p": 0.95}, {}),
    ("a seed", {"messages": USER, "seed": 7}, "hi", {"seed": 7}, {}),
    ("a stop", {"messages": USER, "stop": "x"}, "hi", {"stop": "x"}, {"stop": (["x"], "one stop is a list of one")}),
    ("stops", {"messages": USER, "stop": ["a", "b"]}, "hi", {"stop": ["a", "b"]}, {}),
    ("penalties", {"messages": USER, "frequency_penalty": 1, "presence_penalty": -1}, "hi", {"frequency_penalty": 1, "presence_penalty": -1}, {}),
    ("one answer", {"messages": USER, "n": 1}, "hi", {"n": 1}, {}),
    ("a bias, which Groq refuses, as its own field", {"messages": USER, "logit_bias": {"50256": -100}}, "hi", {"extra": {"logit_bias": {"50256": -100}}}, {}),
    ("log probabilities, likewise", {"messages": USER, "logprobs": True, "top_logprobs": 3}, "hi", {"extra": {"logprobs": True, "top_logprobs": 3}}, {}),
    ("a user", {"messages": USER, "user": "u-42"}, "hi", {"user": "u-42"}, {}),
    ("JSON", {"messages": USER, "response_format": {"type": "json_object"}}, "hi", {"response_format": "json"}, {}),
    ("text", {"messages": USER, "response_format": {"type": "text"}}, "hi", {"response_format": "text"}, {}),
    ("a schema", {"messages": USER, "response_format": schema()}, "hi", {"response_format": JsonSchema(name="r", schema=WEATHER)}, {}),
    ("a strict schema", {"messages": USER, "response_format": schema(strict=True, description="d")}, "hi",
     {"response_format": JsonSchema(name="r", schema=WEATHER, strict=True, description="d")}, {}),
    ("effort", {"messages": USER, "reasoning_effort": "low"}, "hi", {"reasoning_effort": "low"}, {}),
    ("thoughts or not", {"messages": USER, "include_reasoning": False}, "hi", {"extra": {"include_reasoning": False}}, {}),
    ("a model that thinks aloud", {"messages": USER, "model": QWEN}, "hi", {"model": QWEN}, PARSED),
    ("the same, as it is", {"messages": USER, "model": QWEN, "reasoning_format": "raw"}, "hi", {"model": QWEN, "extra": {"reasoning_format": "raw"}}, {}),
    ("the same, silent", {"messages": USER, "model": QWEN, "reasoning_format": "hidden", "reasoning_effort": "none"}, "hi",
     {"model": QWEN, "extra": {"reasoning_format": "hidden"}, "reasoning_effort": "none"}, {}),
    ("the same, told by the other field", {"messages": USER, "model": QWEN, "include_reasoning": True}, "hi", {"model": QWEN, "extra": {"include_reasoning": True}}, {}),
    ("tools", {"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [TOOL]}, {}),
    ("tools as dicts", {"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [WIRE_TOOL]}, {}),
    ("tools that follow their schemas", {"messages": USER, "tools": [{"type": "function", "function": {**WIRE_TOOL["function"], "strict": True}}]}, "hi",  # type: ignore[dict-item]
     {"tools": [Tool(name="get_weather", description="d", parameters=WEATHER, strict=True)]}, {}),
    ("tools or not", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": "auto"}, "hi", {"tools": [TOOL], "tool_choice": "auto"}, {}),
    ("no tool now", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": "none"}, "hi", {"tools": [TOOL], "tool_choice": "none"}, {}),
    ("any tool, and one at a time", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": "required", "parallel_tool_calls": False}, "hi",
     {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}, {}),
    ("this tool", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, "hi",
     {"tools": [TOOL], "tool_choice": "get_weather"}, {}),
    ("calls of tools that are not there", {"messages": USER, "tools": [WIRE_TOOL], "disable_tool_validation": True}, "hi",
     {"tools": [TOOL], "extra": {"disable_tool_validation": True}}, {}),
    ("a tool of the server", {"messages": USER, "tools": [SEARCH], "tool_choice": "required"}, "hi", {"extra": {"tools": [SEARCH]}, "tool_choice": "required"}, {}),
    ("tools of both sides", {"messages": USER, "tools": [WIRE_TOOL, {"type": "code_interpreter"}, MCP]}, "hi",
     {"tools": [TOOL], "extra": {"tools": [{"type": "code_interpreter"}, MCP]}}, {}),
    ("a tool's history", {"messages": [*USER, {"role": "assistant", "tool_calls": [WIRE_CALL]}, {"role": "tool", "tool_call_id": "ax9fskhev", "content": "17"}]},
     ["hi", Message.assistant(CALL), Message.tool("ax9fskhev", "17")], {}, {}),
    ("a tool's history with words", {"messages": [*USER, {"role": "assistant", "content": "ho", "tool_calls": [WIRE_CALL]}, {"role": "tool", "tool_call_id": "ax9fskhev", "content": "17"}]},
     ["hi", Message.assistant("ho", CALL), Message.tool("ax9fskhev", "17")], {}, {}),
    ("thoughts go back", {"messages": [*USER, {"role": "assistant", "content": "ho", "reasoning": "hm"}, *USER]},
     ["hi", Message.assistant(Reasoning(text="hm"), "ho"), "hi"], {}, {}),
    ("what another provider refused", {"messages": [*USER, {"role": "assistant", "content": "no"}, *USER]}, ["hi", Message.assistant(Refusal(text="no")), "hi"], {}, {}),
    ("a picture by URL", {"model": QWEN, "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}]}]},
     Message.user("?", Image(url="https://x.test/a.png", detail="low")), {"model": QWEN}, PARSED),
    ("a picture by value", {"model": QWEN, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}}]}]},
     Message.user(Image(data=PNG)), {"model": QWEN}, PARSED),
    ("documents", {"messages": [{"role": "user", "content": "?"}], "citation_options": "enabled",
                   "documents": [{"id": "a.txt", "source": {"type": "text", "text": "grün"}}, {"source": {"type": "json", "data": {"a": 1}}}]},
     Message.user(Document(data="grün".encode(), media_type="text/plain", name="a.txt"), Document(data=b'{"a":1}', media_type="application/json"), "?"),
     {"extra": {"citation_options": "enabled"}}, {}),
    ("a document of no known type", {"messages": USER, "documents": [{"id": "a.yaml", "source": {"type": "text", "text": "a: 1"}}]},
     Message.user(Document(data=b"a: 1", media_type="application/x-yaml", name="a.yaml"), "hi"), {}, {}),
    ("a document as a result", {"messages": [*USER, {"role": "assistant", "tool_calls": [{"id": "ax9fskhev", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                                             {"role": "tool", "tool_call_id": "ax9fskhev", "content": "\n<document>\na\n</document>\n"}]},
     ["hi", Message.assistant(ToolCall(id="ax9fskhev", name="f")), Message.tool("ax9fskhev", [Document(data=b"a")])], {}, {}),
    ("documents as Groq's own field", {"messages": USER, "documents": [{"source": {"type": "text", "text": "t"}}]}, "hi", {"extra": {"documents": [{"source": {"type": "text", "text": "t"}}]}}, {}),
    ("a document between the words", {"messages": [{"role": "user", "content": [{"type": "document", "document": {"data": {"a": 1}, "id": "d"}}]}]}, "hi",
     {"extra": {"messages": [{"role": "user", "content": [{"type": "document", "document": {"data": {"a": 1}, "id": "d"}}]}]}}, {}),
    ("a tier of service", {"messages": USER, "service_tier": "flex"}, "hi", {"extra": {"service_tier": "flex"}}, {}),
    ("a search", {"messages": USER, "search_settings": {"include_domains": ["x.test"], "country": "france", "include_images": True}}, "hi",
     {"extra": {"search_settings": {"include_domains": ["x.test"], "country": "france", "include_images": True}}}, {}),
    ("a search by its old names", {"messages": USER, "include_domains": ["x.test"], "exclude_domains": ["y.test"]}, "hi", {"extra": {"include_domains": ["x.test"], "exclude_domains": ["y.test"]}}, {}),
    ("a system's parts", {"messages": USER, "model": "some/system", "compound_custom": {"models": {"answering_model": "m"}, "tools": {"enabled_tools": ["web_search"], "wolfram_settings": {"authorization": "w"}}}}, "hi",
     {"model": "some/system", "extra": {"compound_custom": {"models": {"answering_model": "m"}, "tools": {"enabled_tools": ["web_search"], "wolfram_settings": {"authorization": "w"}}}}}, {}),
    ("notes", {"messages": USER, "metadata": {"a": "b"}, "store": True}, "hi", {"extra": {"metadata": {"a": "b"}, "store": True}}, {}),
    ("the old form of tools", {"messages": USER, "functions": [{"name": "f", "parameters": {}}], "function_call": "auto"}, "hi", {"extra": {"functions": [{"name": "f", "parameters": {}}], "function_call": "auto"}}, {}),
    ("the server's inner view", {"messages": USER, "extra_body": {"debug": True}}, "hi", {"extra": {"debug": True}}, {}),
]  # fmt: skip

USAGE: dict[str, Any] = {
    "queue_time": 0.179481775, "prompt_tokens": 218, "prompt_time": 0.01182836, "completion_tokens": 15, "completion_time": 0.044602289, "total_tokens": 233,
    "total_time": 0.056430649, "prompt_tokens_details": {"cached_tokens": 128}, "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1770770815, "model": BIG,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "reasoning": "hm"}, "logprobs": None, "finish_reason": "stop"}],
    "usage": USAGE, "usage_breakdown": None, "system_fingerprint": "fp_f8b414701e", "x_groq": {"id": "req_01kh", "seed": 1790130236}, "service_tier": "on_demand",
}  # fmt: skip
# The message has no content at all, not even null.
CALLED = {**ANSWER, "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [WIRE_CALL]}, "logprobs": None, "finish_reason": "tool_calls"}]}  # fmt: skip
RAN: dict[str, Any] = {"index": 0, "type": "browser_search", "arguments": '{"query":"q"}', "output": "o", "name": "browser.search",
                       "search_results": {"results": [{"title": "t", "url": "https://x.test", "content": "c", "score": 0.5}]}}  # fmt: skip
CITED = {"type": "document_citation", "document_citation": {"document_id": "a.txt", "start_index": 0, "end_index": 5}}
SEARCHED = {**ANSWER, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "executed_tools": [RAN], "annotations": [CITED]}, "logprobs": None, "finish_reason": "stop"}]}  # fmt: skip


@pytest.fixture
def both(httpserver: HTTPServer) -> Iterator[Callable[..., list[Any]]]:
    """Make the same call with both, compare what the server got, and return what each gave."""
    key, url = "gsk_test_0123456789", httpserver.url_for("").rstrip("/")
    sdk = groq.Groq(base_url=url, api_key=key, max_retries=0)
    endpoint = EndpointConfig(base_url=url, key=key, options={"catalogue": "on"})

    def compare(
        theirs: Callable[[Any], Any], ours: Callable[[Client], Any], differs: Differs | None = None
    ) -> list[Any]:
        found = [theirs(sdk), ours(client)]
        requests = [request for request, _ in httpserver.log]
        half = len(requests) // 2
        assert len(requests) == 2 * half > 0
        for expected, actual in zip(requests[:half], requests[half:], strict=True):
            same(expected, actual, differs or {})
        return found

    with sdk, Client(endpoints={"groq": endpoint}) as client:
        yield compare


def same(expected: Request, actual: Request, differs: Differs) -> None:
    where = ("method", "path", "query_string", "mimetype")
    # The SDK says that the body, which is not there, is JSON.
    where = where if expected.get_data() else where[:3]
    assert [getattr(actual, name) for name in where] == [getattr(expected, name) for name in where]
    for header in ("Authorization", "Accept"):
        changed, reason = differs.get(header, (expected.headers.get(header), "none"))
        assert reason
        assert actual.headers.get(header) == changed, header
    if expected.mimetype == "multipart/form-data":
        assert form(actual) == form(expected)
    elif expected.get_data():
        body = json.loads(expected.get_data())
        for name, (value, reason) in differs.items():
            assert reason
            if name not in {"Authorization", "Accept"}:
                body[name] = value
        assert json.loads(actual.get_data()) == body


def test_the_table_is_large_enough() -> None:
    assert len(CHATS) + len(OTHERS) >= 40


@pytest.mark.parametrize(
    ("theirs", "messages", "options", "differs"), [each[1:] for each in CHATS], ids=[each[0] for each in CHATS]
)
def test_a_chat_is_sent_as_the_sdk_sends_it(
    theirs: dict[str, Any],
    messages: Any,
    options: dict[str, Any],
    differs: Differs,
    both: Callable[..., list[Any]],
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(ANSWER)
    settings = dict(options)
    model = settings.pop("model", BIG)
    expected, actual = both(
        lambda sdk: sdk.chat.completions.create(**{"model": model, **theirs}),
        lambda client: client.chat(f"groq/{model}", messages, **settings),
        differs,
    )
    agree(expected, actual)


@pytest.mark.parametrize(
    ("theirs", "messages", "options", "differs"),
    [each[1:] for each in CHATS[::7]],
    ids=[each[0] for each in CHATS[::7]],
)
def test_a_stream_is_asked_for_as_the_sdk_asks_for_it(
    theirs: dict[str, Any],
    messages: Any,
    options: dict[str, Any],
    differs: Differs,
    both: Callable[..., list[Any]],
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_data(TEXT, content_type="text/event-stream")
    settings = dict(options)
    model = settings.pop("model", BIG)
    both(
        lambda sdk: list(sdk.chat.completions.create(**{"model": model, "stream": True, **theirs})),
        lambda client: client.stream(f"groq/{model}", messages, **settings).read(),
        differs,
    )


def agree(expected: Any, actual: Any) -> None:
    """Hold a typed answer to the SDK's object for the same JSON."""
    message, choice = expected.choices[0].message, expected.choices[0]
    assert (actual.id, actual.model, actual.text) == (expected.id, expected.model, message.content or "")
    assert actual.reasoning == message.reasoning
    assert calls(actual) == [
        (call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
    ]
    assert actual.finish_reason == choice.finish_reason
    assert actual.extra["x_groq"] == expected.x_groq.model_dump(exclude_none=True)
    assert actual.extra["system_fingerprint"] == expected.system_fingerprint
    agree_on_usage(expected.usage, actual)


def agree_on_usage(usage: Any, actual: Any) -> None:
    told = actual.usage
    assert (told.input_tokens, told.output_tokens, told.total_tokens) == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
    )
    assert told.cached_input_tokens == usage.prompt_tokens_details.cached_tokens
    assert told.reasoning_tokens == usage.completion_tokens_details.reasoning_tokens
    times = ("queue_time", "prompt_time", "completion_time", "total_time")
    assert actual.extra["usage"] == {name: getattr(usage, name) for name in times}


def notes(answer: Any) -> list[dict[str, Any]]:
    return [dict(note) for part in answer.message.content for note in getattr(part, "annotations", ())]


def calls(answer: Any) -> list[tuple[str, str, str]]:
    return [(call.id, call.name, call.arguments) for call in answer.tool_calls]


@pytest.mark.parametrize("answer", [ANSWER, CALLED, SEARCHED], ids=["text", "tools", "tools of the server"])
def test_an_answer_is_read_as_the_sdk_reads_it(
    answer: dict[str, Any], both: Callable[..., list[Any]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_json(answer)
    expected, actual = both(
        lambda sdk: sdk.chat.completions.create(model=BIG, messages=USER),
        lambda client: client.chat(f"groq/{BIG}", "hi"),
    )
    agree(expected, actual)
    message = expected.choices[0].message
    ran = [tool.model_dump(exclude_none=True) for tool in message.executed_tools or ()]
    assert actual.extra.get("executed_tools", []) == ran
    assert notes(actual) == [note.model_dump(exclude_none=True) for note in message.annotations or ()]


def sse(*chunks: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1770770839,
        "model": BIG,
        "system_fingerprint": "fp",
    }
    return {**head, "choices": [choice], **more}


FIRST = {"x_groq": {"id": "req_01kh", "seed": 1535227698}}
LAST = {"x_groq": {"id": "req_01kh", "usage": USAGE}, "usage": USAGE}
TEXT = sse(
    chunk({"role": "assistant", "content": ""}, **FIRST),
    chunk({"content": "Hel"}),
    chunk({"content": "lo\u2028"}),
    chunk({}, "stop", **LAST),
)
THOUGHT = sse(
    chunk({"role": "assistant", "content": ""}, **FIRST),
    chunk({"reasoning": "h"}),
    chunk({"reasoning": "m"}),
    chunk({"content": "Hello"}),
    chunk({}, "stop", **LAST),
    {**chunk({}), "choices": [], "usage": USAGE},
)
TOOLS = sse(
    chunk({"role": "assistant", "content": None}, **FIRST),
    chunk({"tool_calls": [{**WIRE_CALL, "index": 0}]}),
    chunk({"tool_calls": [{**WIRE_CALL, "id": "tk85n1k4m", "index": 1}]}),
    chunk({}, "tool_calls", **LAST),
)
RUNNING = {"index": 0, "type": "browser_search", "arguments": '{"query":"q"}', "name": "browser.search"}
SEARCHING = sse(
    chunk({"role": "assistant", "content": ""}, **FIRST),
    chunk({"executed_tools": [RUNNING]}),
    chunk({"executed_tools": [{"index": 0, "type": "browser_search", "arguments": "", "output": "o", "search_results": RAN["search_results"]}]}),
    chunk({"annotations": [CITED]}),
    chunk({"content": "Hello"}),
    chunk({}, "stop", **LAST),
)  # fmt: skip
STREAMS = {"text": TEXT, "reasoning": THOUGHT, "tools": TOOLS, "tools of the server": SEARCHING}


def gathered(chunks: list[Any]) -> dict[str, Any]:
    """Put together what the SDK hands out piece by piece."""
    deltas = [each.choices[0].delta for each in chunks if each.choices]
    called = [call for delta in deltas for call in delta.tool_calls or ()]
    return {
        "text": "".join([delta.content or "" for delta in deltas]),
        "reasoning": "".join([delta.reasoning or "" for delta in deltas]) or None,
        "tools": [(call.id, call.function.name, call.function.arguments) for call in called],
        "reason": next(each.choices[0].finish_reason for each in reversed(chunks) if each.choices),
        "usage": next(each.usage for each in reversed(chunks) if each.usage),
        "notes": [note.model_dump(exclude_none=True) for delta in deltas for note in delta.annotations or ()],
    }


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_as_the_sdk_reads_it(
    stream: str, both: Callable[..., list[Any]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_data(stream, content_type="text/event-stream")
    chunks, actual = both(
        lambda sdk: list(sdk.chat.completions.create(model=BIG, messages=USER, stream=True)),
        lambda client: client.stream(f"groq/{BIG}", "hi").read(),
    )
    expected = gathered(chunks)
    assert (actual.text, actual.reasoning) == (expected["text"], expected["reasoning"])
    assert calls(actual) == expected["tools"]
    assert actual.finish_reason == expected["reason"]
    assert notes(actual) == expected["notes"]
    agree_on_usage(expected["usage"], actual)
    assert (actual.extra["x_groq"]["id"], actual.extra["x_groq"]["seed"]) == ("req_01kh", 1535227698)
    assert actual.extra.get("executed_tools", []) == ([RAN] if stream is SEARCHING else [])


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_asynchronous_client_reads_the_same(httpserver: HTTPServer, anyio_backend: str) -> None:
    route = "/openai/v1/chat/completions"
    httpserver.expect_ordered_request(route).respond_with_json(ANSWER)
    httpserver.expect_ordered_request(route).respond_with_data(THOUGHT, content_type="text/event-stream")
    endpoint = EndpointConfig(base_url=httpserver.url_for(""), key="gsk_test_0123456789")
    async with AsyncClient(endpoints={"groq": endpoint}) as client:
        whole = await client.chat(f"groq/{BIG}", "hi")
        async with client.stream(f"groq/{BIG}", "hi") as stream:
            async for _ in stream:
                pass
    assert stream.response.choices == whole.choices
    assert stream.response.usage == whole.usage
    assert stream.response.extra["usage"] == whole.extra["usage"]


SOUND = ("file.wav", WAV, "audio/wav")
HEARD = {"text": " Hello", "x_groq": {"id": "req_01kh"}}
WORDS = {
    "task": "transcribe", "language": "English", "duration": 3.5, "text": " Hello", "x_groq": {"id": "req_01kh"}, "words": [{"word": "Hello", "start": 0.1, "end": 0.9}],
    "segments": [{"id": 0, "seek": 0, "start": 0.0, "end": 3.5, "text": " Hello", "tokens": [1], "temperature": 0, "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01}],
}  # fmt: skip
FILE = {"id": "file_1", "object": "file", "bytes": 2, "created_at": 5, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {
    "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "completed", "input_file_id": "file_1", "output_file_id": "file_2", "error_file_id": None,
    "completion_window": "24h", "created_at": 1, "completed_at": 7, "request_counts": {"total": 2, "completed": 2, "failed": 0}, "errors": None, "metadata": {"a": "b"},
}  # fmt: skip
MODEL = {"id": BIG, "object": "model", "created": 1754408224, "owned_by": "OpenAI", "active": True, "context_window": 131072, "public_apps": None, "max_completion_tokens": 65536}  # fmt: skip
ANY_SOUND = {"Accept": ("application/octet-stream", "the sound may have another format than wav")}
ANY_FILE = {"Accept": ("application/binary", "as OpenAI's dialect has it; any bytes are welcome")}
Two = Callable[[Any], Any]
OTHERS: dict[str, tuple[Two, Two, Differs]] = {
    "a transcript": (lambda sdk: sdk.audio.transcriptions.create(model="whisper-large-v3-turbo", file=SOUND), lambda client: client.transcribe("groq/whisper-large-v3-turbo", WAV), {}),
    "a transcript with options": (
        lambda sdk: sdk.audio.transcriptions.create(model="whisper-large-v3", file=SOUND, language="de", prompt="Ada", temperature=0.2, response_format="verbose_json", timestamp_granularities=["word", "segment"]),
        lambda client: client.transcribe("groq/whisper-large-v3", WAV, language="de", prompt="Ada", temperature=0.2, timestamps=["word", "segment"]), {}),
    "a transcript as text": (lambda sdk: sdk.audio.transcriptions.create(model="whisper-large-v3", file=SOUND, response_format="text"),
                             lambda client: client.transcribe("groq/whisper-large-v3", WAV, response_format="text"), {}),
    "a transcript of a sound elsewhere": (lambda sdk: sdk.audio.transcriptions.create(model="whisper-large-v3", url="https://x.test/a.wav"),
                                          lambda client: client.transcribe("groq/whisper-large-v3", Audio(url="https://x.test/a.wav")), {}),
    "a translation": (lambda sdk: sdk.audio.translations.create(model="whisper-large-v3", file=SOUND, prompt="p", response_format="verbose_json", temperature=0.1),
                      lambda client: client.translate("groq/whisper-large-v3", WAV, prompt="p", response_format="verbose_json", temperature=0.1), {}),
    "a translation of a sound elsewhere": (lambda sdk: sdk.audio.translations.create(model="whisper-large-v3", url="https://x.test/a.wav"),
                                           lambda client: client.translate("groq/whisper-large-v3", Upload(name="a.wav", url="https://x.test/a.wav")), {}),
    "speech": (lambda sdk: sdk.audio.speech.create(model="canopylabs/orpheus-v1-english", input="[cheerful] hello", voice="hannah").read(),
               lambda client: client.speak("groq/canopylabs/orpheus-v1-english", "[cheerful] hello", voice="hannah"),
               {**ANY_SOUND, "response_format": ("wav", "the only format that every voice has")}),
    "speech with options": (
        lambda sdk: sdk.audio.speech.create(model="canopylabs/orpheus-v1-english", input="hello", voice="troy", response_format="flac", sample_rate=24000, speed=1.5).read(),
        lambda client: client.speak("groq/canopylabs/orpheus-v1-english", "hello", voice="troy", output_format="flac", sample_rate=24000, speed=1.5), ANY_SOUND),
    "vectors": (lambda sdk: sdk.embeddings.create(model="nomic-embed-text-v1_5", input=["a", "b"], user="u", encoding_format="base64"),
                lambda client: client.embed("groq/nomic-embed-text-v1_5", ["a", "b"], user="u"), {}),
    "models": (lambda sdk: sdk.models.list(), lambda client: client.list_models("groq"), {}),
    "a model": (lambda sdk: sdk.models.retrieve(BIG), lambda client: client.show_model(f"groq/{BIG}"), {}),
    "the end of a model": (lambda sdk: sdk.models.delete("my/tune"), lambda client: client.call("groq", "delete_model", model="my/tune"), {}),
    "a file": (lambda sdk: sdk.files.create(file=("a.jsonl", b"{}", "application/jsonl"), purpose="batch"), lambda client: client.upload_file("groq", b"{}", name="a.jsonl"), {}),
    "files": (lambda sdk: sdk.files.list(), lambda client: client.list_files("groq"), {}),
    "what is known of a file": (lambda sdk: sdk.files.info("file_1"), lambda client: client.get_file("groq", "file_1"), {}),
    "a file's content": (lambda sdk: sdk.files.content("file_1").read(), lambda client: client.stream_file("groq", "file_1").read(), ANY_FILE),
    "the end of a file": (lambda sdk: sdk.files.delete("file_1"), lambda client: client.delete_file("groq", "file_1"), {}),
    "a batch of lines": (lambda sdk: sdk.batches.create(input_file_id="file_1", endpoint="/v1/chat/completions", completion_window="7d", metadata={"a": "b"}),
                         lambda client: client.call("groq", "create_batch_of_file", file="file_1", completion_window="7d", metadata={"a": "b"}), {}),
    "batches": (lambda sdk: sdk.batches.list(), lambda client: client.list_batches("groq"), {}),
    "a batch's state": (lambda sdk: sdk.batches.retrieve("batch_1"), lambda client: client.get_batch("groq", "batch_1"), {}),
    "a batch's end": (lambda sdk: sdk.batches.cancel("batch_1"), lambda client: client.cancel_batch("groq", "batch_1"), {}),
    "a batch": (
        lambda sdk: (sdk.files.create(file=("batch.jsonl", LINE, "application/jsonl"), purpose="batch"),
                     sdk.batches.create(input_file_id="file_1", endpoint="/v1/chat/completions", completion_window="24h")),
        lambda client: client.create_batch(f"groq/{BIG}", [BatchItem(id="request-1", request=ChatRequest(messages=(Message.user("hi"),), max_tokens=5))]), {}),
}  # fmt: skip
LINE = json.dumps(
    {"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": BIG, "messages": USER, "max_completion_tokens": 5}},
    separators=(",", ":"),
).encode() + b"\n"  # fmt: skip


PLAIN = Response(" Hello", content_type="text/plain")


def answer(request: Request) -> Response:
    """Answer any route as the service does."""
    path = request.path.removeprefix("/openai/v1")
    if path == "/audio/speech":
        return Response(WAV, content_type="audio/wav")
    if path.startswith("/audio/"):
        shape = dict(form(request)[0]).get("response_format")
        return PLAIN if shape == "text" else _json(WORDS if shape == "verbose_json" else HEARD)
    if path == "/embeddings":
        vectors = [{"object": "embedding", "index": index, "embedding": b64(bytes(8))} for index in range(2)]
        return _json(
            {"object": "list", "data": vectors, "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
        )
    if path.endswith("/content"):
        return Response(b"{}", content_type="application/octet-stream")
    item: dict[str, Any] = MODEL if path.startswith("/models") else FILE if path.startswith("/files") else BATCH
    if request.method == "DELETE":
        return _json({"id": item["id"], "object": item["object"], "deleted": True})
    is_list = path.count("/") == 1 and request.method == "GET"
    return _json({"object": "list", "data": [item]} if is_list else item)


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


@pytest.mark.parametrize("name", OTHERS)
def test_a_call_is_sent_as_the_sdk_sends_it(name: str, both: Callable[..., list[Any]], httpserver: HTTPServer) -> None:

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    theirs, ours, differs = OTHERS[name]
    both(theirs, ours, differs)


@pytest.mark.parametrize("shape", ["json", "verbose_json"])
@pytest.mark.parametrize("name", ["transcriptions", "translations"])
def test_a_transcript_is_read_as_the_sdk_reads_it(
    name: str, shape: str, both: Callable[..., list[Any]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    ours = {"transcriptions": "transcribe", "translations": "translate"}[name]
    expected, actual = both(
        lambda sdk: getattr(sdk.audio, name).create(model="whisper-large-v3", file=SOUND, response_format=shape),
        lambda client: getattr(client, ours)("groq/whisper-large-v3", WAV, response_format=shape),
    )
    told = expected.model_dump()
    assert (actual.text, actual.language, actual.duration) == (told["text"], told.get("language"), told.get("duration"))
    assert [each.raw for each in actual.segments] == told.get("segments", [])
    assert [(each.text, each.start, each.end) for each in actual.words] == [
        (each["word"], each["start"], each["end"]) for each in told.get("words", [])
    ]
    assert actual.raw["x_groq"] == told["x_groq"]


def test_sound_files_batches_and_models_are_read_as_the_sdk_reads_them(
    both: Callable[..., list[Any]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    speech = {"model": "canopylabs/orpheus-v1-english", "input": "hi", "voice": "troy", "response_format": "wav"}
    expected, actual = both(
        lambda sdk: [
            sdk.files.info("file_1"),
            sdk.batches.retrieve("batch_1"),
            sdk.models.list().data[0],
            sdk.files.list().data[0],
            sdk.batches.list().data[0],
        ],
        lambda client: [
            client.get_file("groq", "file_1"),
            client.get_batch("groq", "batch_1"),
            client.list_models("groq")[0],
            client.list_files("groq")[0],
            client.list_batches("groq")[0],
        ],
    )
    for file, told in ((actual[0], expected[0]), (actual[3], expected[3])):
        assert (file.id, file.name, file.size) == (told.id, told.filename, told.bytes)
        assert (file.created, file.purpose) == (told.created_at, told.purpose)
    for batch, told in ((actual[1], expected[1]), (actual[4], expected[4])):
        assert (batch.id, batch.status, batch.created, batch.ended) == (
            told.id,
            told.status,
            told.created_at,
            told.completed_at,
        )
        assert (batch.total, batch.succeeded, batch.failed) == (
            told.request_counts.total,
            told.request_counts.completed,
            told.request_counts.failed,
        )
        assert batch.metadata == told.metadata
    assert (actual[2].id, actual[2].created, actual[2].owned_by) == (
        expected[2].id,
        expected[2].created,
        expected[2].owned_by,
    )
    httpserver.clear_log()
    heard, said = both(
        lambda sdk: sdk.audio.speech.create(**speech).read(),
        lambda client: client.speak("groq/canopylabs/orpheus-v1-english", "hi", voice="troy"),
        ANY_SOUND,
    )
    assert (said.data, said.media_type) == (heard, "audio/wav")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
def test_an_error_says_what_the_sdks_says(status: int, httpserver: HTTPServer) -> None:
    body = {"error": {"message": "no such thing", "type": "invalid_request_error", "code": "some_code"}}
    httpserver.expect_request(re.compile(".*")).respond_with_json(body, status, {"x-request-id": "req_01kh"})
    url = httpserver.url_for("").rstrip("/")
    with (
        groq.Groq(base_url=url, api_key="gsk_test_0123456789", max_retries=0) as sdk,
        pytest.raises(groq.APIStatusError) as theirs,
    ):
        sdk.chat.completions.create(model=BIG, messages=USER)
    with (
        Client(endpoints={"groq": EndpointConfig(base_url=url, key="gsk_test_0123456789")}) as client,
        pytest.raises(APIStatusError) as ours,
    ):
        client.chat(f"groq/{BIG}", "hi")
    assert type(ours.value).__name__ == type(theirs.value).__name__
    assert (ours.value.status, ours.value.body) == (theirs.value.status_code, theirs.value.body)
    assert ours.value.request_id == theirs.value.response.headers["x-request-id"]
    assert ours.value.message == "no such thing"
