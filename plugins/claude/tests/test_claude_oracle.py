"""Requests and answers held to Anthropic's own SDK: the same call made with both has to send and read the same.

The SDK is a development dependency only. Both talk to a server that records what it is sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel.types import Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult
from ipfs_accel_claude import block
from pytest_httpserver import HTTPServer

PNG = b"\x89PNG\r\n\x1a\n0"
PDF = b"%PDF-1.7"
NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-6"
USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WIRE_TOOL = {"name": "get_weather", "description": "d", "input_schema": WEATHER, "strict": True}
TOOL = Tool(name="get_weather", description="d", parameters=WEATHER, strict=True)
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
CALL = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}}
CITED = {
    "type": "char_location",
    "cited_text": "c",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
SEARCHED = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [{"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}],
}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
# The SDK's newest version has no arguments for sampling; its way out is the older version of the API.
OLDER = {"extra_headers": {"anthropic-version": "2023-06-01"}}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def result(call: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


ASKED = ToolCall(id="t1", name="get_weather", arguments='{"city": "Paris"}')

# (name, what the SDK is given beside the limit, our messages, our options). The model is the newest one for both unless
# an option names another; the limit is 16384, the SDK's argument and our default.
CHATS: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("a plain question", {"messages": USER}, "hi", {}),
    ("a limit", {"messages": USER, "max_tokens": 5}, "hi", {"max_tokens": 5}),
    ("no answer but a warm cache", {"messages": USER, "max_tokens": 0}, "hi", {"extra": {"max_tokens": 0}}),
    ("a system message", {"system": "be brief", "messages": USER}, [Message.system("be brief"), "hi"], {}),
    ("a developer and a system message are one", {"system": "a\n\nb", "messages": USER},
     [Message(role="developer", content="a"), Message.system("b"), "hi"], {}),
    ("a cached system message", {"system": [{"type": "text", "text": "long", **CACHED}], "messages": USER},
     [Message(role="system", content=block(Text(text="long"), **CACHED)), "hi"], {}),
    ("an instruction between the turns", {"messages": [*USER, {"role": "assistant", "content": "ho"}, *USER, {"role": "system", "content": "b"}]},
     ["hi", Message.assistant("ho"), "hi", Message.system("b")], {}),
    ("the same for a model that takes none there", {"system": "b", "messages": [*USER, {"role": "assistant", "content": "ho"}, *USER], "model": OLD},
     ["hi", Message.assistant("ho"), Message.system("b"), "hi"], {"model": OLD}),
    ("turns", {"messages": [*USER, {"role": "assistant", "content": "ho"}, *USER]}, ["hi", Message.assistant("ho"), "hi"], {}),
    ("a user twice", {"messages": [*USER, *USER]}, ["hi", "hi"], {}),
    ("several texts", user({"type": "text", "text": "a"}, {"type": "text", "text": "b"}), Message.user("a", "b"), {}),
    ("stops", {"messages": USER, "stop_sequences": ["a", "b"]}, "hi", {"stop": ["a", "b"]}),
    ("a user's id", {"messages": USER, "metadata": {"user_id": "u1"}}, "hi", {"user": "u1"}),
    ("effort", {"messages": USER, "output_config": {"effort": "max"}}, "hi", {"reasoning_effort": "max"}),
    ("a schema", {"messages": USER, "output_config": {"format": {"type": "json_schema", "schema": WEATHER}}},
     "hi", {"response_format": JsonSchema(name="r", schema=WEATHER)}),
    ("a schema and effort", {"messages": USER, "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": WEATHER}}},
     "hi", {"response_format": WEATHER, "reasoning_effort": "low"}),
    ("text", {"messages": USER}, "hi", {"response_format": "text"}),
    ("one answer", {"messages": USER}, "hi", {"n": 1}),
    ("adaptive thinking", {"messages": USER, "thinking": {"type": "adaptive", "display": "summarized"}},
     "hi", {"extra": {"thinking": {"type": "adaptive", "display": "summarized"}}}),
    ("a budget to think", {"messages": USER, "model": OLD, "thinking": {"type": "enabled", "budget_tokens": 1024}},
     "hi", {"model": OLD, "extra": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}),
    ("automatic caching", {"messages": USER, **CACHED}, "hi", {"extra": CACHED}),
    ("the provider's own fields", {"messages": USER, "service_tier": "standard_only", "inference_geo": "us", "container": "c1", "diagnostics": {"previous_message_id": None}},
     "hi", {"extra": {"service_tier": "standard_only", "inference_geo": "us", "container": "c1", "diagnostics": {"previous_message_id": None}}}),
    ("sampling", {"messages": USER, "model": OLD, "extra_body": {"temperature": 0.5, "top_p": 0.9, "top_k": 4}, **OLDER},
     "hi", {"model": OLD, "temperature": 0.5, "top_p": 0.9, "top_k": 4}),
    ("sampling as the provider's own field", {"messages": USER, "model": OLD, "extra_body": {"temperature": 1}, **OLDER},
     "hi", {"model": OLD, "extra": {"temperature": 1}}),
    ("tools", {"messages": USER, "tools": [WIRE_TOOL]}, "hi", {"tools": [TOOL]}),
    ("a tool that says little", {"messages": USER, "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]}, "hi", {"tools": [Tool(name="f")]}),
    ("a server's tool", {"messages": USER, "tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 3}], "tool_choice": {"type": "auto"}},
     "hi", {"tool_choice": "auto", "extra": {"tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 3}]}}),
    ("tools or not", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "auto"}}, "hi", {"tools": [TOOL], "tool_choice": "auto"}),
    ("no tool now", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "none"}},
     "hi", {"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False}),
    ("any tool", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "any"}, "model": OLD},
     "hi", {"tools": [TOOL], "tool_choice": "required", "model": OLD}),
    ("this tool, and once", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}, "model": OLD},
     "hi", {"tools": [TOOL], "tool_choice": "get_weather", "parallel_tool_calls": False, "model": OLD}),
    ("no parallel calls", {"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
     "hi", {"tools": [TOOL], "parallel_tool_calls": False}),
    ("parallel calls without tools are not spoken of", {"messages": USER}, "hi", {"parallel_tool_calls": False, "tool_choice": "none"}),
    ("a tool's history", {"messages": [*USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result("t1", "17")]}], "tools": [WIRE_TOOL]},
     ["hi", Message.assistant(ASKED), Message.tool("t1", "17")], {"tools": [TOOL]}),
    ("results of parallel calls in one turn, before what the user adds",
     {"messages": [*USER, {"role": "assistant", "content": [CALL, {**CALL, "id": "t2", "input": {}}]},
                   {"role": "user", "content": [result("t1", "17"), result("t2", "no", is_error=True), {"type": "text", "text": "and now?"}]}]},
     ["hi", Message.assistant(ASKED, ToolCall(id="t2", name="get_weather")), Message.tool("t1", "17"), "and now?", Message.tool("t2", "no", is_error=True)], {}),
    ("results before text in the same message", {"messages": [*USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result("t1", "17"), {"type": "text", "text": "so?"}]}]},
     ["hi", Message.assistant(ASKED), Message.user("so?", ToolResult(tool_call_id="t1", content="17"))], {}),
    ("a result with a picture", {"messages": [*USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result("t1", [{"type": "text", "text": "see"}, {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}])]}]},
     ["hi", Message.assistant(ASKED), Message.tool("t1", ["see", Image(url="https://x.test/a.png")])], {}),
    ("a result that is empty", {"messages": [*USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]}]},
     ["hi", Message.assistant(ASKED), Message.tool("t1", "")], {}),
    ("an image by URL", user({"type": "text", "text": "?"}, {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}),
     Message.user("?", Image(url="https://x.test/a.png")), {}),
    ("an image by value", user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64(PNG)}}), Message.user(Image(data=PNG)), {}),
    ("an image under a wrong name", user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64(PNG)}}),
     Message.user(Image(url=f"data:image/jpeg;base64,{b64(PNG)}")), {}),
    ("an image that is kept", user({"type": "image", "source": {"type": "file", "file_id": "file_1"}}), Message.user(Image(file_id="file_1")), {}),
    ("a PDF", user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": b64(PDF)}, "title": "a.pdf"}),
     Message.user(Document(data=PDF, name="a.pdf")), {}),
    ("a PDF by URL", user({"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}}), Message.user(Document(url="https://x.test/a.pdf")), {}),
    ("a text file", user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "grün"}}),
     Message.user(Document(data="grün".encode(), media_type="text/markdown")), {}),
    ("a text file of a type of its own", user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a: 1"}, "title": "a.toml"}),
     Message.user(Document(data=b"a: 1", media_type="application/toml", name="a.toml")), {}),
    ("a document that is kept, cited and cached",
     user({"type": "document", "source": {"type": "file", "file_id": "file_1"}, "context": "old", "citations": {"enabled": True}, **CACHED}, {"type": "text", "text": "?"}),
     Message.user(block(Document(file_id="file_1"), context="old", citations={"enabled": True}, **CACHED), "?"), {}),
    ("a cached text", user({"type": "text", "text": "long", **CACHED}), Message.user(block(Text(text="long"), **CACHED)), {}),
    ("a search result of one's own", user({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "c"}]}),
     Message.user(Opaque(backend="claude", data={"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "c"}]})), {}),
    ("thinking goes back as it came", {"messages": [*USER, {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "x"}, CALL]}, {"role": "user", "content": [result("t1", "17")]}]},
     ["hi", Message.assistant(Reasoning(text="hm", signature="EqQB"), Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"}), ASKED), Message.tool("t1", "17")], {}),
    ("hidden thinking too", {"messages": [*USER, {"role": "assistant", "content": [{**THOUGHT, "thinking": ""}, {"type": "text", "text": "ho"}]}, *USER]},
     ["hi", Message.assistant(Reasoning(text="", signature="EqQB"), "ho"), "hi"], {}),
    ("what others thought does not", {"messages": [*USER, {"role": "assistant", "content": "ho"}, *USER]},
     ["hi", Message.assistant(Opaque(backend="gemini", data={"a": 1}), "ho"), "hi"], {}),
    ("searches and citations go back", {"messages": [*USER, {"role": "assistant", "content": [SEARCH, SEARCHED, {"type": "text", "text": "ho", "citations": [CITED]}]}, *USER]},
     ["hi", Message.assistant(Opaque(backend="claude", data=SEARCH), Opaque(backend="claude", data=SEARCHED), Text(text="ho", annotations=(CITED, {"type": "url_citation"}))), "hi"], {}),
    ("what was cited stays out of a question", user({"type": "text", "text": "a"}, {"type": "text", "text": "b"}), Message.user(Text(text="a", annotations=(CITED,)), "b"), {}),
    ("a call under another provider's name", {"messages": [*USER, {"role": "assistant", "content": [{**CALL, "id": "functions_f_0"}]}, {"role": "user", "content": [result("functions_f_0", "17")]}]},
     ["hi", Message.assistant(ToolCall(id="functions.f:0", name="get_weather", arguments='{"city": "Paris"}')), Message.tool("functions.f:0", "17")], {}),
    ("a call that code made", {"messages": [*USER, {"role": "assistant", "content": [{**CALL, "caller": {"type": "code_execution_20260120", "tool_id": "s1"}}]}, {"role": "user", "content": [result("t1", "17")]}]},
     ["hi", Message.assistant(ASKED, Opaque(backend="claude", data={"type": "tool_use", "id": "t1", "caller": {"type": "code_execution_20260120", "tool_id": "s1"}})), Message.tool("t1", "17")], {}),
    ("a refusal's history", {"messages": [*USER, {"role": "assistant", "content": "no"}, *USER]}, ["hi", Message.assistant(Refusal(text="no")), "hi"], {}),
    ("empty texts are left out", {"messages": [*USER, *USER]}, [Message.user("", "hi"), Message.assistant(""), "hi"], {}),
    ("an answer to go on with", {"messages": [*USER, {"role": "assistant", "content": "It is"}], "model": "claude-haiku-4-5"},
     ["hi", Message.assistant("It is ")], {"model": "claude-haiku-4-5"}),
]  # fmt: skip

USAGE: dict[str, Any] = {
    "input_tokens": 8, "output_tokens": 30, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
    "output_tokens_details": {"thinking_tokens": 20}, "service_tier": "standard", "inference_geo": "global",
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
    "content": [
        THOUGHT, {"type": "redacted_thinking", "data": "x"}, SEARCH, SEARCHED,
        {"type": "text", "text": "Hello", "citations": [CITED]}, {"type": "text", "text": " there", "citations": None},
        {**CALL, "caller": {"type": "direct"}},
    ],
    "stop_reason": "tool_use", "stop_sequence": None, "stop_details": None, "usage": USAGE,
    "container": {"id": "c1", "expires_at": "2026-11-24T00:00:00Z", "skills": None},
}  # fmt: skip

HEADERS = (
    *("Authorization", "X-Api-Key", "Content-Type", "Accept"),
    *("anthropic-version", "anthropic-beta", "anthropic-workspace-id"),
)


@pytest.fixture
def both(anthropic: Any, httpserver: HTTPServer) -> Callable[..., list[Any]]:
    """Make the same call with both, compare what the server got, and return what each gave."""

    def compare(
        theirs: Callable[[Any], Any], ours: Callable[[Client], Any], differing: tuple[str, ...] = ()
    ) -> list[Any]:
        url = httpserver.url_for("").rstrip("/")
        headers = {"anthropic-beta": "a-1,b-2", "anthropic-workspace-id": "w-1"}
        sdk = anthropic.Anthropic(base_url=url, api_key="sk-test", max_retries=0, default_headers=headers)
        endpoint = EndpointConfig(base_url=url, key="sk-test", options={"beta": "a-1,b-2", "workspace": "w-1"})
        with sdk, Client(endpoints={"claude": endpoint}) as client:
            found = [theirs(sdk)]
            middle = len(httpserver.log)
            found.append(ours(client))
        expected = [request for request, _ in httpserver.log[:middle]]
        actual = [request for request, _ in httpserver.log[middle:]]
        assert [(each.method, each.path, sorted(each.args.items(multi=True))) for each in actual] == [
            (each.method, each.path, sorted(each.args.items(multi=True))) for each in expected
        ]
        for left, right in zip(expected, actual, strict=True):
            if left.content_type == "application/json" and left.get_data():
                assert json.loads(right.get_data()) == json.loads(left.get_data())
            for name in HEADERS:
                if name not in differing:
                    assert right.headers.get(name) == left.headers.get(name), name
        return found

    return compare


@pytest.mark.parametrize(
    ("theirs", "messages", "options"), [each[1:] for each in CHATS], ids=[each[0] for each in CHATS]
)
def test_a_chat_is_sent_as_the_sdk_sends_it(
    theirs: dict[str, Any], messages: Any, options: dict[str, Any], both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json(ANSWER)
    given = {"model": NEW, "max_tokens": 16_384, **theirs}
    ours = {"model": NEW, **options}
    model = ours.pop("model")
    both(
        lambda sdk: sdk.messages.create(**given),
        lambda client: client.chat(f"claude/{model}", messages, **ours),
    )


def theirs_as_blocks(message: Any) -> list[dict[str, Any]]:
    """Return the SDK's content as plain JSON, without what is null."""
    return json.loads(message.to_json(exclude_none=True))["content"]  # type: ignore[no-any-return]


def ours_as_blocks(message: Message) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Text):
            cited = {"citations": [dict(each) for each in part.annotations]} if part.annotations else {}
            found.append({"type": "text", "text": part.text, **cited})
        elif isinstance(part, Reasoning):
            found.append({"type": "thinking", "thinking": part.text, "signature": part.signature})
        elif isinstance(part, ToolCall):
            found.append({"type": "tool_use", "id": part.id, "name": part.name, "input": part.parse_arguments()})
        else:
            assert isinstance(part, Opaque)
            found.append(dict(part.data))
    return found


def agree(expected: Any, actual: Any) -> None:
    """Compare what both read of an answer."""
    blocks = theirs_as_blocks(expected)
    for each in blocks:
        if each.get("caller") == {"type": "direct"}:  # says nothing, and is not kept
            del each["caller"]
        for citation in each.get("citations", ()):  # the SDK's JSON leaves out what is null
            citation.setdefault("document_title", None)
    assert ours_as_blocks(actual.message) == [each for each in blocks if each != {"type": "text", "text": ""}]
    assert (actual.id, actual.model) == (expected.id, expected.model)
    assert actual.extra["stop_reason"] == expected.stop_reason
    assert actual.extra.get("stop_sequence") == expected.stop_sequence
    usage = expected.usage
    cached, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    assert actual.usage.input_tokens == usage.input_tokens + (cached or 0) + (written or 0)
    assert (actual.usage.output_tokens, actual.usage.cached_input_tokens) == (usage.output_tokens, cached)
    assert actual.usage.cache_write_input_tokens == written
    details = usage.output_tokens_details
    assert actual.usage.reasoning_tokens == (details.thinking_tokens if details else None)


def test_an_answer_is_read_as_the_sdk_reads_it(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json(ANSWER, headers={"request-id": "req_1"})
    expected, actual = both(
        lambda sdk: sdk.messages.create(model=NEW, max_tokens=16_384, messages=USER),
        lambda client: client.chat(f"claude/{NEW}", "hi"),
    )
    agree(expected, actual)
    assert actual.request_id == expected._request_id == "req_1"
    assert actual.text == "Hello there"
    assert actual.reasoning == "hm"
    assert actual.finish_reason == "tool_calls"
    assert actual.extra["container"]["id"] == expected.container.id
    assert actual.extra["service_tier"] == expected.usage.service_tier
    assert actual.extra["server_tool_use"]["web_search_requests"] == expected.usage.server_tool_use.web_search_requests


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def test_an_answer_goes_back_as_the_sdk_sends_it_back(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "s1"}
    answer = {**ANSWER, "content": [*ANSWER["content"][:-1], {**CALL, "caller": caller}]}
    httpserver.expect_request("/v1/messages").respond_with_json(answer)

    def theirs(sdk: Any) -> None:
        given = {"model": NEW, "max_tokens": 16_384, "tools": [WIRE_TOOL]}
        first = sdk.messages.create(messages=USER, **given)
        back = {"role": "assistant", "content": without_nulls(first.to_dict()["content"])}
        sdk.messages.create(messages=[*USER, back, {"role": "user", "content": [result("t1", "17")]}], **given)

    def ours(client: Client) -> None:
        first = client.chat(f"claude/{NEW}", "hi", tools=[TOOL])
        history = ["hi", first.message, Message.tool(first.tool_calls[0].id, "17")]
        for part in first.message.content:
            for note in getattr(part, "annotations", ()):
                note.pop("document_title")  # the SDK's nulls are left out above
        client.chat(f"claude/{NEW}", history, tools=[TOOL])

    both(theirs, ours)


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def begin(**usage: Any) -> dict[str, Any]:
    usage = {"input_tokens": 25, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": NEW, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    return {"type": "message_start", "message": message}


def end(reason: str, **more: Any) -> list[dict[str, Any]]:
    usage = more.pop("usage", {"output_tokens": 89})
    delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": None, **more}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def content(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def piece(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def json_piece(text: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


EMPTY = {"type": "text", "text": ""}
EMPTY_CALL = {**CALL, "input": {}}
THINKING = content(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "Let me"},
                   {"type": "thinking_delta", "thinking": " see"}, {"type": "signature_delta", "signature": "EqQB"})  # fmt: skip
PING = {"type": "ping"}
STREAMS: dict[str, str] = {
    "text": sse(begin(), PING, *content(0, EMPTY, piece("Hel"), piece("lo\u2028")), *end("end_turn")),
    "nothing at all": sse(begin(), *end("end_turn")),
    "an empty text": sse(begin(), *content(0, EMPTY), *end("end_turn")),
    "two texts": sse(begin(), *content(0, EMPTY, piece("a")), *content(1, EMPTY, piece("b")), *end("end_turn")),
    "a stop sequence": sse(begin(), *content(0, EMPTY, piece("a")), *end("stop_sequence", stop_sequence="END")),
    "a refusal": sse(begin(), *content(0, EMPTY, piece("a")), *end("refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "no"})),
    "thinking, then a call": sse(begin(), *THINKING, *content(1, EMPTY_CALL, json_piece(""), json_piece('{"city": "Par'), json_piece('is"}')), *end("tool_use")),
    "hidden thinking": sse(begin(), *content(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "signature_delta", "signature": "x"}), *content(1, EMPTY, piece("a")), *end("end_turn")),
    "redacted thinking": sse(begin(), *content(0, {"type": "redacted_thinking", "data": "x"}), *content(1, EMPTY, piece("a")), *end("end_turn")),
    "calls without arguments": sse(begin(), *content(0, EMPTY_CALL, json_piece("")), *content(1, {**EMPTY_CALL, "id": "t2"}), *end("tool_use")),
    "a call of code": sse(begin(), *content(0, {**EMPTY_CALL, "caller": {"type": "direct"}}, json_piece("{}")), *end("tool_use")),
    "citations": sse(begin(), *content(0, {**EMPTY, "citations": []}, piece("a"), {"type": "citations_delta", "citation": CITED}, piece("b"), {"type": "citations_delta", "citation": CITED}), *end("end_turn")),
    "a search": sse(begin(), *content(0, {**SEARCH, "input": {}}, json_piece(""), json_piece('{"query"'), json_piece(': "q"}')), *content(1, SEARCHED), *content(2, EMPTY, piece("a")),
                    *end("end_turn", usage={"input_tokens": 9000, "output_tokens": 89, "cache_read_input_tokens": 7, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}})),
    "cached": sse(begin(cache_creation_input_tokens=100, cache_read_input_tokens=1000), *content(0, EMPTY, piece("a")), *end("max_tokens", usage={"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 3}})),
    "padding and comments": sse(begin(), *content(0, EMPTY, piece("a")), *end("end_turn")).replace("}\n\n", "   }\n\n: keep-alive\n\n"),
    "CRLF": sse(begin(), *content(0, EMPTY, piece("a")), *end("end_turn")).replace("\n", "\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_asked_for_and_read_as_the_sdk_does(
    stream: str, both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/messages").respond_with_data(stream, content_type="text/event-stream")

    def theirs(sdk: Any) -> Any:
        with sdk.messages.stream(model=NEW, max_tokens=16_384, messages=USER) as events:
            return events.get_final_message()

    expected, actual = both(theirs, lambda client: client.stream(f"claude/{NEW}", "hi").read())
    agree(expected, actual)


# (what the SDK is given, our messages, our options); what an answer needs and a count does not is left out.
COUNTS: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"messages": USER}, "hi", {"max_tokens": 5, "stop": ["x"], "user": "u1"}),
    ({"messages": USER, "system": "s"}, [Message.system("s"), "hi"], {"extra": {"service_tier": "auto"}}),
    ({"messages": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "auto"}}, "hi", {"tools": [TOOL], "tool_choice": "auto"}),
    ({"messages": USER, "output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}, "hi", {"reasoning_effort": "low", "extra": {"thinking": {"type": "adaptive"}}}),
    ({"messages": USER, "model": OLD}, "hi", {"model": OLD, "temperature": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "messages", "options"), COUNTS)
def test_tokens_are_counted_as_the_sdk_does(
    theirs: dict[str, Any], messages: Any, options: dict[str, Any], both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/messages/count_tokens").respond_with_json({"input_tokens": 14})
    given = {"model": NEW, **options}
    model = given.pop("model")
    expected, actual = both(
        lambda sdk: sdk.messages.count_tokens(**{"model": NEW, **theirs}),
        lambda client: client.count_tokens(f"claude/{model}", messages, **given),
    )
    assert actual.input_tokens == expected.input_tokens
    assert not actual.exact


def model(name: str) -> dict[str, Any]:
    yes, no = {"supported": True}, {"supported": False}
    told = {
        "image_input": yes,
        "pdf_input": no,
        "thinking": {**yes, "types": {}},
        "effort": yes,
        "batch": yes,
        "citations": no,
        "server_tools": {},
    }
    return {
        "type": "model", "id": name, "display_name": f"Claude {name}", "created_at": "2026-09-01T00:00:00Z", "lifecycle": "deprecated", "line": "opus",
        "max_input_tokens": 1_000_000, "max_tokens": 128_000, "deprecated_at": "2026-10-01T00:00:00Z", "retires_at": "2027-01-22T00:00:00Z", "capabilities": told,
    }  # fmt: skip


def page(*items: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"data": items, "has_more": more, "first_id": items[0]["id"], "last_id": items[-1]["id"]}


def test_models_come_page_by_page(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    first, second = {"limit": "1000"}, {"limit": "1000", "after_id": "b"}
    httpserver.expect_request("/v1/models", query_string=first).respond_with_json(
        page(model("a"), model("b"), more=True)
    )
    httpserver.expect_request("/v1/models", query_string=second).respond_with_json(page(model("c")))
    expected, actual = both(
        lambda sdk: list(sdk.models.list(limit=1000)), lambda client: client.list_models("claude"), ("Content-Type",)
    )
    assert [each.id for each in actual] == [each.id for each in expected] == ["a", "b", "c"]


def test_one_model(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models/a").respond_with_json(model("a"))
    expected, actual = both(
        lambda sdk: sdk.models.retrieve("a"), lambda client: client.show_model("claude/a"), ("Content-Type",)
    )
    assert (actual.description, actual.context_window) == (expected.display_name, expected.max_input_tokens)
    assert (actual.max_output_tokens, actual.retired) == (expected.max_tokens, expected.retires_at.date().isoformat())
    assert actual.created == expected.created_at.timestamp()
    assert actual.features["vision"].value == ("yes" if expected.capabilities.image_input.supported else "no")
    assert actual.features["documents"].value == ("yes" if expected.capabilities.pdf_input.supported else "no")
    assert actual.input_modalities == {"text", "image"}


def batch(status: str = "ended", **more: Any) -> dict[str, Any]:
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1}
    return {
        "id": "msgbatch_1", "type": "message_batch", "processing_status": status, "request_counts": counts, "created_at": "2026-11-01T00:00:00Z",
        "expires_at": "2026-11-02T00:00:00Z", "ended_at": "2026-11-01T01:00:00Z", "cancel_initiated_at": None, "archived_at": None, "results_url": None, **more,
    }  # fmt: skip


def test_a_batch_is_handed_in(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages/batches").respond_with_json(
        batch("in_progress", ended_at=None, request_counts={"processing": 2})
    )
    params = {"model": NEW, "max_tokens": 5, "messages": USER}
    requests = [{"custom_id": "a", "params": params}, {"custom_id": "b", "params": {**params, "system": "s"}}]
    items = {"a": "hi", "b": [Message.system("s"), "hi"]}
    expected, actual = both(
        lambda sdk: sdk.messages.batches.create(requests=requests),
        lambda client: client.create_batch(f"claude/{NEW}", items, max_tokens=5),
    )
    assert (actual.id, actual.status, actual.total) == (expected.id, expected.processing_status, 2)
    assert (actual.created, actual.expires) == (expected.created_at.timestamp(), expected.expires_at.timestamp())


def test_batches_are_told_of_listed_cancelled_and_deleted(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    path = "/v1/messages/batches"
    httpserver.expect_request(f"{path}/msgbatch_1", method="GET").respond_with_json(batch())
    httpserver.expect_request(f"{path}/msgbatch_1/cancel", method="POST").respond_with_json(batch("canceling"))
    httpserver.expect_request(f"{path}/msgbatch_1", method="DELETE").respond_with_json(
        {"id": "msgbatch_1", "type": "message_batch_deleted"}
    )
    httpserver.expect_request(path, method="GET").respond_with_json(page(batch(), batch()))

    def theirs(sdk: Any) -> list[Any]:
        calls = sdk.messages.batches
        return [calls.retrieve("msgbatch_1"), calls.cancel("msgbatch_1"), list(calls.list(limit=2)), calls.delete("msgbatch_1")]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        name = ("claude", "msgbatch_1")
        return [client.get_batch(*name), client.cancel_batch(*name), client.list_batches("claude", limit=2), client.delete_batch(*name)]  # fmt: skip

    # The SDK says that the body, which is not there, is JSON.
    expected, actual = both(theirs, ours, ("Content-Type",))
    assert (actual[0].status, actual[0].ended) == ("completed", expected[0].ended_at.timestamp())
    assert (actual[0].total, actual[0].succeeded, actual[0].failed, actual[0].is_over) == (4, 1, 3, True)
    assert actual[1].status == "cancelling"
    assert [each.id for each in actual[2]] == [each.id for each in expected[2]]
    assert actual[3] is None


RESULTS = [
    {"custom_id": "c", "result": {"type": "expired"}},
    {"custom_id": "a", "result": {"type": "succeeded", "message": ANSWER}},
    {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no\u2028"}, "request_id": "req_2"}}},
    {"custom_id": "d", "result": {"type": "canceled"}},
]  # fmt: skip


def test_results_of_a_batch_are_read_as_the_sdk_reads_them(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    path = "/v1/messages/batches/msgbatch_1"
    httpserver.expect_request(path).respond_with_json(batch(results_url=httpserver.url_for(f"{path}/results")))
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in RESULTS)
    httpserver.expect_request(f"{path}/results").respond_with_data(lines, content_type="application/x-jsonl")

    def ours(client: Client) -> Any:
        with client.batch_results("claude", "msgbatch_1") as stream:
            return [*stream, stream.response]

    # What the SDK accepts is any bytes.
    expected, (*actual, summary) = both(
        lambda sdk: list(sdk.messages.batches.results("msgbatch_1")), ours, ("Accept", "Content-Type")
    )
    assert [each.id for each in actual] == [each.custom_id for each in expected]
    agree(expected[1].result.message, actual[1].response)
    assert actual[2].error.message == expected[2].result.error.error.message
    assert actual[2].error.request_id == expected[2].result.error.request_id
    assert [each.error.code for each in (actual[0], actual[3])] == ["expired", "canceled"]
    assert (summary.succeeded, summary.failed) == (1, 3)


FILE = {"id": "file_1", "type": "file", "filename": "a.pdf", "mime_type": "application/pdf", "size_bytes": 8, "created_at": "2026-11-01T00:00:00Z", "downloadable": False, "expires_at": "2026-12-01T00:00:00Z"}  # fmt: skip


def test_a_file_is_sent_as_the_sdk_sends_it(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/files", method="POST").respond_with_json(FILE)
    # The boundaries differ.
    expected, actual = both(
        lambda sdk: sdk.files.upload(file=("a.pdf", PDF, "application/pdf"), expires_in_seconds=3600),
        lambda client: client.upload_file("claude", PDF, name="a.pdf", expires_after=3600),
        ("Content-Type",),
    )
    forms = [(dict(request.form), request.files["file"]) for request, _ in httpserver.log]
    assert forms[0][0] == forms[1][0] == {"expires_in_seconds": "3600"}
    assert [(each.filename, each.mimetype, each.read()) for _, each in forms] == [("a.pdf", "application/pdf", PDF)] * 2
    for request, _ in httpserver.log:
        request.close()
    assert (actual.id, actual.name, actual.size) == (expected.id, expected.filename, expected.size_bytes)
    assert (actual.media_type, actual.created) == (expected.mime_type, expected.created_at.timestamp())
    assert actual.expires == expected.expires_at.timestamp()


def test_files_are_told_of_listed_read_and_deleted(both: Callable[..., Any], httpserver: HTTPServer) -> None:
    first, second = {"limit": "1000"}, {"limit": "1000", "page": "page_2"}
    httpserver.expect_request("/v1/files", query_string=first).respond_with_json(
        {"data": [FILE], "next_page": "page_2"}
    )
    httpserver.expect_request("/v1/files", query_string=second).respond_with_json(
        {"data": [{**FILE, "id": "file_2"}], "next_page": None}
    )
    httpserver.expect_request("/v1/files/file_1", method="GET").respond_with_json(FILE)
    httpserver.expect_request("/v1/files/file_1/content").respond_with_data(PDF, content_type="application/pdf")
    httpserver.expect_request("/v1/files/file_1", method="DELETE").respond_with_json(
        {"id": "file_1", "type": "file_deleted"}
    )

    def theirs(sdk: Any) -> list[Any]:
        calls = sdk.files
        return [list(calls.list(limit=1000)), calls.retrieve_metadata("file_1"), calls.download("file_1").read(), calls.delete("file_1")]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        name = ("claude", "file_1")

        def content() -> bytes:
            with client.stream_file(*name) as stream:
                return b"".join([event.data for event in stream])

        return [client.list_files("claude"), client.get_file(*name), content(), client.delete_file(*name)]

    expected, actual = both(theirs, ours, ("Content-Type",))
    assert [each.id for each in actual[0]] == [each.id for each in expected[0]] == ["file_1", "file_2"]
    assert actual[1].name == expected[1].filename
    assert actual[2] == expected[2] == PDF
    assert actual[3] is None
