"""The Responses API: what our own plugin of it sends is understood, and what is written is read by it and by the SDK."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import openai
import pytest
from ipfs_accel import Client, Config, EndpointConfig, hookimpl
from ipfs_accel.errors import InternalServerError, RateLimitError
from ipfs_accel.plans import Ready
from ipfs_accel.testing import Scripted
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    Document,
    Image,
    JsonSchema,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TokenCount,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)

from .gateways import Running

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FOLDER = os.environ.get("IPFS_ACCEL_SPECS")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MODEL = "scripted/any"
CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')
OTHER = ToolCall(id="call_2", name="clock")
WEATHER = Tool(
    name="weather", description="Tells it.", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
PATCH = {
    "type": "custom",
    "name": "patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
AGENTS = {"type": "namespace", "name": "agents", "description": "Helpers.", "tools": [{**FUNCTION, "name": "close"}]}


class Counting(Scripted):
    """Counts, which scripts do not."""

    @hookimpl
    def count_tokens(self, request: ChatRequest) -> Ready[TokenCount]:
        self.requests.append(request)
        return Ready(value=TokenCount(input_tokens=11, exact=True))


class At:
    """A gateway over a script, and clients of it."""

    def __init__(self) -> None:
        self.script: deque[Any] = deque()
        self.scripted = Counting(lambda _request: self.script.popleft())
        config = Config(endpoints={"scripted": EndpointConfig()}, environ={})
        self.running = Running(config, {}, (self.scripted,))
        base = f"{self.running.url}/v1"
        options = {"api": "responses"}
        ours = EndpointConfig(backend="openai", base_url=base, key="any", options=options)
        self.ours = Client(config=Config(endpoints={"gw": ours}, environ={}))
        self.sdk = openai.OpenAI(base_url=base, api_key="any", max_retries=0)

    @property
    def asked(self) -> Any:
        return self.scripted.requests[-1]

    def close(self) -> None:
        self.sdk.close()
        self.ours.close()
        self.running.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[At]:
    found = At()
    yield found
    found.close()


@pytest.fixture
def at(gateway: At) -> At:
    gateway.script.clear()
    gateway.scripted.requests.clear()
    return gateway


def answer(*parts: Any, reason: str = "stop", **fields: Any) -> ChatResponse:
    usage = Usage(input_tokens=7, output_tokens=5, cached_input_tokens=3, reasoning_tokens=2)
    extra = fields.pop("beside", {})
    message = Message(role="assistant", content=parts, extra=extra)
    logprobs = fields.pop("logprobs", None)
    choice = Choice(message=message, finish_reason=reason, logprobs=logprobs)
    return ChatResponse(choices=(choice,), usage=usage, **fields)


NOTE = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
SEEN = (Text, Refusal)
ANSWERS = {
    "text": (Text(text="Hello there."),),
    "cited": (Text(text="Hello", annotations=(NOTE,)),),
    "texts": (Text(text="One"), Text(text="Two")),
    "refusal": (Text(text="Well."), Refusal(text="I will not.")),
    "thought": (Reasoning(text="Hm, what?"), Text(text="Hello")),
    "place": (Reasoning(text="Hm", field="reasoning"), Text(text="Hello")),
    "signed": (Reasoning(text="Hm", signature="c2ln+/="), CALL),
    "hidden": (Reasoning(text="", signature="c2ln"), CALL),
    "redacted": (Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"}), Text(text="Hello")),
    "calls": (Text(text="Let me see."), CALL, OTHER),
    "beside": (ToolCall(id="call_3", name="weather", arguments="{}", extra={"extra_content": {"google": {"s": "x"}}}),),
}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_model_said_comes_back_as_it_was(at: At, name: str, is_streamed: bool) -> None:
    said = ANSWERS[name]
    at.script += [answer(*said, reason="tool_calls" if CALL in said else "stop"), answer(Text(text="Bye"))]
    history: list[Any] = [Message.user("Hi")]
    tools = [WEATHER, Tool(name="clock")]
    for results in ((), [Message.tool(part.id, "sunny") for part in said if isinstance(part, ToolCall)]):
        history += results
        if is_streamed:
            found = at.ours.stream(f"gw/{MODEL}", history, tools=tools).read()
        else:
            found = at.ours.chat(f"gw/{MODEL}", history, tools=tools)
        history.append(found.message)
    assert found.text == "Bye"
    assert found.usage == Usage(
        input_tokens=7, output_tokens=5, cached_input_tokens=3, reasoning_tokens=2, cache_write_input_tokens=0
    )
    # What people see is there at once; what only its provider understands is, once the conversation goes on.
    seen, kept = history[1].content, at.asked.messages[1].content
    assert [part for part in seen if isinstance(part, SEEN)] == [part for part in said if isinstance(part, SEEN)]
    assert told(kept) == told(said)


def told(parts: Any) -> list[Any]:
    """Return parts with what does not count when they are compared; no arguments are an empty object here."""
    found = [part for part in parts if not isinstance(part, SEEN)]
    return [
        (part.id, part.name, part.arguments or "{}", part.extra)
        if isinstance(part, ToolCall)
        else (part, getattr(part, "field", None))
        for part in found
    ]


def test_what_our_plugin_asks_is_understood(at: At) -> None:
    at.script.append(answer(Text(text='{"a":1}')))
    schema = JsonSchema(schema={"type": "object", "properties": {"a": {"type": "integer"}}}, name="form", strict=True)
    messages = [
        Message.system("Be brief."),
        Message.user(
            "See",
            Image(data=PNG),
            Document(data=b"%PDF-1", name="a.pdf"),
            Image(url="https://a.example/b.png", detail="low"),
        ),
        Message.assistant(Text(text="I see."), CALL),
        Message.tool("call_1", [Text(text="sunny"), Image(data=PNG)]),
        Message.user("And?"),
    ]
    found = at.ours.chat(
        f"gw/{MODEL}",
        messages,
        tools=[WEATHER],
        tool_choice="weather",
        parallel_tool_calls=False,
        response_format=schema,
        max_tokens=99,
        temperature=0.5,
        top_p=0.9,
        reasoning_effort="low",
        user="me",
    )
    asked = at.asked
    assert found.text == '{"a":1}'
    assert asked.messages[0].text == "Be brief."
    assert [type(part) for part in asked.messages[1].content] == [Text, Image, Document, Image]
    assert asked.messages[1].content[1].data == PNG
    assert (asked.messages[1].content[2].data, asked.messages[1].content[2].name) == (b"%PDF-1", "a.pdf")
    assert asked.messages[1].content[3].detail == "low"
    assert asked.messages[2].content == (Text(text="I see."), CALL)
    assert asked.messages[3].content == (
        ToolResult(tool_call_id="call_1", content=(Text(text="sunny"), Image(data=PNG, detail="auto"))),
    )
    assert (asked.tools[0].name, asked.tools[0].parameters, asked.tool_choice) == (
        "weather",
        WEATHER.parameters,
        "weather",
    )
    assert (asked.parallel_tool_calls, asked.max_tokens, asked.temperature, asked.top_p) == (False, 99, 0.5, 0.9)
    assert (asked.reasoning_effort, asked.user, asked.extra) == ("low", "me", {})
    assert asked.response_format == schema


def test_why_an_answer_ended_and_how_likely_it_was_is_told(at: At) -> None:
    likely = (
        TokenLogprob(token="Hi", logprob=-0.5, bytes=b"Hi", top=(TokenLogprob(token="Ho", logprob=-1.0, bytes=b"Ho"),)),
    )
    at.script += [
        answer(Text(text="Hi"), reason="length", logprobs=likely),
        answer(Text(text="Hi"), reason="content_filter"),
    ] * 2
    for ask in (at.ours.chat, lambda *given, **options: at.ours.stream(*given, **options).read()):
        cut = ask(f"gw/{MODEL}", "Hi", logprobs=True, top_logprobs=1)
        assert at.asked.logprobs
        assert (cut.finish_reason, cut.choices[0].logprobs) == ("length", likely)
        assert ask(f"gw/{MODEL}", "Hi").finish_reason == "content_filter"


def test_a_picture_that_a_model_made_is_told(at: At) -> None:
    at.script += [answer(Image(data=PNG), Text(text="There."))] * 2
    assert at.ours.chat(f"gw/{MODEL}", "Draw").message.content[0] == Image(data=PNG)
    assert at.ours.stream(f"gw/{MODEL}", "Draw").read().message.content[0] == Image(data=PNG)


# the SDK


def test_the_sdk_reads_a_whole_answer(at: At) -> None:
    at.script.append(answer(Reasoning(text="Hm."), Text(text="Hello"), CALL, reason="tool_calls"))
    tools: Any = [FUNCTION]
    found = at.sdk.responses.create(model=MODEL, input="Hi", instructions="Be brief.", tools=tools, metadata={"a": "b"})
    assert found.output_text == "Hello"
    assert found.status == "completed"
    assert [item.type for item in found.output] == ["reasoning", "message", "function_call"]
    assert (found.instructions, found.metadata) == ("Be brief.", {"a": "b"})
    assert found.to_dict()["store"] is False
    assert found.usage
    assert (found.usage.total_tokens, found.usage.input_tokens_details.cached_tokens) == (12, 3)
    assert [message.role for message in at.asked.messages] == ["system", "user"]


def test_the_sdk_reads_a_stream_and_goes_on(at: At) -> None:
    at.script += [[Reasoning(text="Hm."), "Hello", " there", CALL, OTHER], "Sunny."]
    tools: Any = [FUNCTION, {**FUNCTION, "name": "clock"}]
    items: list[Any] = [{"role": "user", "content": "Hi"}]
    with at.sdk.responses.stream(model=MODEL, input=items, tools=tools, store=False) as stream:
        events = list(stream)
        first = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join([event.delta for event in events if event.type == "response.output_text.delta"]) == "Hello there"
    assert events[-1].type == "response.completed"
    assert first.output_text == "Hello there"
    items += [item.to_dict() for item in first.output]
    items += [{"type": "function_call_output", "call_id": name, "output": "sunny"} for name in ("call_1", "call_2")]
    assert at.sdk.responses.create(model=MODEL, input=items, tools=tools).output_text == "Sunny."
    back = at.asked.messages
    assert [message.role for message in back] == ["user", "assistant", "tool", "tool"]
    assert back[1].content == (
        Reasoning(text="Hm."),
        Text(text="Hello there"),
        CALL,
        ToolCall(id="call_2", name="clock", arguments="{}"),
    )


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_tools_that_others_do_not_have_are_functions(at: At, is_streamed: bool) -> None:
    calls = [
        ToolCall(id="call_1", name="patch", arguments='{"input":"*** Begin"}'),
        ToolCall(id="call_2", name="patch", arguments="no JSON"),
        ToolCall(id="call_3", name="agents__close", arguments='{"id":"a"}'),
    ]
    at.script += [calls, "Done."]
    tools: Any = [PATCH, AGENTS]
    items: list[Any] = [{"role": "user", "content": "Hi"}]
    if is_streamed:
        with at.sdk.responses.stream(model=MODEL, input=items, tools=tools) as stream:
            inputs = [event.input for event in stream if event.type == "response.custom_tool_call_input.done"]
            found = stream.get_final_response()
        assert inputs == ["*** Begin", "no JSON"]
    else:
        found = at.sdk.responses.create(model=MODEL, input=items, tools=tools)
    asked = at.asked.tools
    assert [tool.name for tool in asked] == ["patch", "agents__close"]
    assert "start: /.+/" in asked[0].description
    assert asked[1].description == "Helpers."
    assert [(item.type, getattr(item, "input", None)) for item in found.output] == [
        ("custom_tool_call", "*** Begin"),
        ("custom_tool_call", "no JSON"),
        ("function_call", None),
    ]
    last: Any = found.output[-1]
    assert (last.namespace, last.name) == ("agents", "close")
    items += [item.to_dict() for item in found.output]
    items += [{"type": "custom_tool_call_output", "call_id": "call_1", "output": "ok"}]
    at.sdk.responses.create(model=MODEL, input=items, tools=tools)
    back = at.asked.messages[1].content
    assert (back[0], back[2]) == (calls[0], calls[2])
    assert json.loads(back[1].arguments) == {"input": "no JSON"}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "compaction", "encrypted_content": "gAAA"}]}, "input[0]"),
        ({"input": [{"type": ["x"]}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "input[0].content[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [3]}, "tools[0]"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"tool_choice": {"type": "mcp"}, "tools": [FUNCTION]}, "tool_choice"),
        ({"include": 3}, "include"),
        ({"frobnicate": 1}, "frobnicate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_needs_openais_own_servers_is_refused_by_its_name(at: At, more: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        at.sdk.responses.create(model=MODEL, input="Hi", extra_body=more)
    assert caught.value.param == param
    assert caught.value.request_id
    assert not at.scripted.requests


def test_only_the_tools_that_a_choice_allows_are_told_of(at: At) -> None:
    at.script.append("Hi")
    choice: Any = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]}
    tools: Any = [FUNCTION, {**FUNCTION, "name": "clock"}]
    at.sdk.responses.create(model=MODEL, input="Hi", tools=tools, tool_choice=choice)
    assert ([tool.name for tool in at.asked.tools], at.asked.tool_choice) == (["weather"], "required")


def test_what_was_said_is_made_short_by_the_model(at: At) -> None:
    at.script += [answer(Text(text="They want a bridge.")), "Yes."]
    short = at.sdk.responses.compact(model=MODEL, input=[{"role": "user", "content": "Build a bridge"}])
    assert [message.role for message in at.asked.messages] == ["user", "user"]
    assert [item.type for item in short.output] == ["compaction"]
    assert short.usage.total_tokens == 12
    items: Any = [*[item.to_dict() for item in short.output], {"role": "user", "content": "Go on"}]
    assert at.sdk.responses.create(model=MODEL, input=items).output_text == "Yes."
    assert at.asked.messages[0].text.endswith("They want a bridge.")


def test_what_a_request_would_have_is_counted(at: At) -> None:
    tools: Any = [FUNCTION]
    found = at.sdk.responses.input_tokens.count(model=MODEL, input="Hi", tools=tools)
    assert (found.object, found.input_tokens) == ("response.input_tokens", 11)
    assert [tool.name for tool in at.asked.tools] == ["weather"]


def test_errors_are_those_of_the_api(at: At) -> None:
    at.script.append(RateLimitError("slow down", status=429, retry_after=7))
    with pytest.raises(openai.RateLimitError) as caught:
        at.sdk.responses.create(model=MODEL, input="Hi")
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id


def test_a_stream_that_fails_says_so_and_never_looks_whole(at: At) -> None:
    at.script += [["Hel", InternalServerError("it broke", status=500)]] * 2
    events: list[Any] = []
    with at.sdk.responses.stream(model=MODEL, input="Hi") as stream, pytest.raises(openai.APIError):
        for event in stream:
            events.append(event)
    kinds = [event.type for event in events]
    assert kinds[-1] in {"error", "response.failed"}
    assert "response.completed" not in kinds
    with pytest.raises(InternalServerError, match="it broke"):
        at.ours.stream(f"gw/{MODEL}", "Hi").read()


def test_the_events_of_a_failure_say_what_there_is_of_the_answer(at: At, http: Any) -> None:
    at.script.append([Text(text="Well."), CALL, "Hel", InternalServerError("it broke", status=500)])
    came = b""
    body = {"model": MODEL, "input": "Hi", "stream": True}
    with (
        pytest.raises(httpx.RemoteProtocolError),
        http.stream("POST", f"{at.running.url}/v1/responses", json=body) as found,
    ):
        for piece in found.iter_raw():
            came += piece
    events = [json.loads(line[6:]) for line in came.splitlines() if line.startswith(b"data: ")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    error, failed = events[-2:]
    assert (error["type"], error["code"], error["message"]) == ("error", "server_error", "it broke")
    assert failed["type"] == "response.failed"
    assert failed["response"]["id"] == events[0]["response"]["id"]
    assert failed["response"]["error"] == {"code": "server_error", "message": "it broke"}
    assert [item["type"] for item in failed["response"]["output"]][:2] == ["message", "function_call"]


# requests of our own


def test_bodies_may_be_packed(at: At, http: Any) -> None:
    at.script += ["Hi"] * 2
    body = json.dumps({"model": MODEL, "input": "Hi"}).encode()
    for coding, pack in (("zstd", zstd.compress), ("gzip", gzip.compress)):
        headers = {"content-encoding": coding, "content-type": "application/json"}
        found = http.post(f"{at.running.url}/responses", content=pack(body), headers=headers)
        assert found.json()["output"][0]["content"][0]["text"] == "Hi"
        broken = http.post(f"{at.running.url}/responses", content=pack(body)[:-4], headers=headers)
        assert broken.status_code == 400


def test_a_websocket_is_told_to_post(at: At, http: Any) -> None:
    headers = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13", "sec-websocket-key": "x"}
    found = http.get(f"{at.running.url}/v1/responses", headers=headers)
    assert found.status_code == 426
    assert found.headers["upgrade"] == "HTTP/1.1"


def test_a_chat_whose_body_has_items_is_answered_as_a_chat(at: At, http: Any) -> None:
    call = ToolCall(id="call_1", name="patch", arguments='{"input":"*** Begin"}')
    at.script += [[Text(text="See"), call]] * 2
    body = {
        "model": MODEL,
        "messages": [],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "call_0", "name": "patch", "arguments": "*** Before"},
            {"type": "function_call_output", "call_id": "call_0", "output": "ok"},
        ],
        "tools": [PATCH],
    }
    whole = http.post(f"{at.running.url}/v1/chat/completions", json=body).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == "See"
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "patch", "arguments": "*** Begin"}
    assert json.loads(at.asked.messages[1].tool_calls[0].arguments) == {"input": "*** Before"}
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
    text = http.post(f"{at.running.url}/v1/chat/completions", json=streamed).text
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join([delta.get("content") or "" for delta in deltas]) == "See"
    pieces = [call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(pieces) == "*** Begin"
    assert "usage" in chunks[-1]


# the published document


NAMES = {
    "ResponseOutputTextDelta": "ResponseTextDeltaEvent",
    "ResponseOutputTextDone": "ResponseTextDoneEvent",
}


@pytest.mark.skipif(not FOLDER, reason="IPFS_ACCEL_SPECS names no folder with the vendors' specifications")
@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_what_the_document_says(at: At, http: Any, name: str) -> None:
    from tests.schemas import of_openapi

    document = of_openapi(Path(FOLDER or "") / "openai.json")

    def faults(value: Any, schema: str) -> list[str]:
        return [each.text for each in document.faults(value, f"components/schemas/{schema}") if not each.is_unknown]

    at.script += [answer(*ANSWERS[name])] * 2
    body = {"model": MODEL, "input": "Hi", "temperature": 1.0, "top_p": 1.0, "tools": [FUNCTION, PATCH]}
    whole = http.post(f"{at.running.url}/v1/responses", json=body).json()
    assert faults(whole, "Response") == []
    text = http.post(f"{at.running.url}/v1/responses", json={**body, "stream": True}).text
    for line in text.splitlines():
        if line.startswith("data: "):
            event = json.loads(line[6:])
            kind = "".join([word.capitalize() for word in event["type"].replace("_", ".").split(".")])
            assert faults(event, NAMES.get(kind, f"{kind}Event")) == [], kind
