"""Anthropic's SDK and our own backend of its dialect, at a gateway before other models."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message as SdkMessage
from ipfs_accel import Client, EndpointConfig, JsonSchema, Message, Tool, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Ready
from ipfs_accel.testing import Scripted
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TokenCount,
    ToolCall,
    ToolResult,
    Usage,
)
from ipfs_accel.wire import keepsakes
from ipfs_accel_gateway._callers import hash_of

from .gateways import Running, Start

CALL = ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}  # fmt: skip
TOOL = Tool(name="weather", description="d", parameters=SCHEMA, strict=True)
WIRE_TOOL: Any = {"name": "weather", "description": "d", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
PNG = b"\x89PNG\r\n\x1a\n0"
HI: Any = [{"role": "user", "content": "Hi"}]
USED = Usage(input_tokens=20, output_tokens=9, cached_input_tokens=5, cache_write_input_tokens=3, reasoning_tokens=4)


class Counting(Scripted):
    """A script that also counts tokens."""

    @hookimpl
    def count_tokens(self, request: ChatRequest) -> Ready[TokenCount]:
        self.requests.append(request)
        return Ready(value=TokenCount(input_tokens=14, exact=True))


class At:
    """A gateway before a script, and who asks it."""

    def __init__(self, running: Running) -> None:
        self.url = running.url
        self.sdk = anthropic.Anthropic(base_url=running.url, auth_token="any", api_key=None, max_retries=0)
        self.client = Client(endpoints={"claude": EndpointConfig(base_url=running.url, key="k")})
        self.said: Any = None
        self.requests: list[Any] = []

    def answers(self, *script: Any) -> None:
        """Answer what comes next by these, one after the other."""
        left = iter(script)
        self.requests.clear()
        self.said = lambda _request: next(left)

    @property
    def request(self) -> Any:
        return self.requests[-1]


@pytest.fixture(scope="module")
def at(running_once: Start) -> Iterator[At]:
    scripted = Counting(lambda request: found.said(request))
    found = At(running_once(scripted))
    found.requests = scripted.requests
    with found.sdk, found.client:
        yield found


def ask(at: At, **more: Any) -> SdkMessage:
    given: dict[str, Any] = {"model": "scripted/any", "max_tokens": 50, "messages": HI, **more}
    return at.sdk.messages.create(**given)  # type: ignore[no-any-return]


def whole(message: Message, reason: str, **more: Any) -> ChatResponse:
    return ChatResponse(choices=(Choice(message=message, finish_reason=reason),), usage=USED, **more)


# the SDK


def test_the_sdk_reads_a_whole_answer(at: At) -> None:
    at.answers(whole(Message.assistant(Reasoning(text="Hm."), "Hello.", CALL), "tool_calls", model="m-1"))
    answer = ask(at, system="Be brief.", stop_sequences=["END"], tools=[WIRE_TOOL], tool_choice={"type": "any"})
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
    assert answer.content[2].to_dict() == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}  # fmt: skip
    assert (answer.stop_reason, answer.stop_sequence, answer.model, answer.role) == ("tool_use", None, "m-1", "assistant")  # fmt: skip
    used = answer.usage
    assert (used.input_tokens, used.cache_read_input_tokens, used.cache_creation_input_tokens) == (12, 5, 3)
    assert (used.output_tokens, used.output_tokens_details.thinking_tokens) == (9, 4)  # type: ignore[union-attr]
    assert answer._request_id
    assert answer._request_id.startswith("req_")
    asked = at.request
    assert [message.role for message in asked.messages] == ["system", "user"]
    assert (asked.max_tokens, asked.stop, asked.tool_choice, asked.tools[0].name) == (50, ("END",), "required", "weather")  # fmt: skip
    SdkMessage.model_validate(answer.to_dict(), strict=True)


def test_the_sdk_puts_a_stream_together(at: At) -> None:
    other = ToolCall(id="call_2", name="weather", arguments="")
    at.answers([Reasoning(text="Hm.", signature="EqQB"), "Hello", " there", CALL, other])
    with at.sdk.messages.stream(model="scripted/any", max_tokens=50, messages=HI, tools=[WIRE_TOOL]) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_message()
    assert [block.to_dict() for block in answer.content] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
        {"type": "text", "text": "Hello there"},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}},
    ]
    assert answer.stop_reason == "tool_use"
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


def test_the_sdk_goes_on_with_what_a_tool_gave_back(at: At) -> None:
    at.answers(Message.assistant(Reasoning(text="Hm.", signature="EqQB"), CALL), "Sunny.")
    first = ask(at, tools=[WIRE_TOOL])
    result = {"type": "tool_result", "tool_use_id": "call_1", "is_error": True,
              "content": [{"type": "text", "text": "17 C"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64encode(PNG).decode()}}]}  # fmt: skip
    history = [*HI, {"role": "assistant", "content": first.to_dict()["content"]}]
    ask(
        at,
        tools=[WIRE_TOOL],
        messages=[*history, {"role": "user", "content": [result, {"type": "text", "text": "And?"}]}],
    )
    parts = (Text(text="17 C"), Image(data=PNG, media_type="image/png"))
    assert at.request.messages[1:] == (
        Message.assistant(Reasoning(text="Hm.", signature="EqQB"), ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')),
        Message(role="tool", content=ToolResult(tool_call_id="call_1", content=parts, is_error=True)),
        Message.user("And?"),
    )  # fmt: skip


BESIDE: list[tuple[str, Message]] = [
    ("a thought without a signature", Message.assistant(Reasoning(text="Hm.", field="reasoning"), "Ho.")),
    ("a part of another provider's", Message.assistant("Ho.", Opaque(backend="gemini", data={"thoughtSignature": "x"}))),
    ("what was said of a call", Message.assistant(ToolCall(id="c", name="weather", arguments="{}", extra={"signed": 1}))),
    ("what stands behind a call", Message.assistant("Ho.", ToolCall(id="c", name="weather", arguments="{}"), Opaque(backend="gemini", data={"thoughtSignature": "x"}))),
    ("what was said in a message", Message(role="assistant", content="Ho.", extra={"reasoning_details": [{"a": 1}]})),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("said", [each for _, each in BESIDE], ids=[name for name, _ in BESIDE])
def test_what_its_provider_alone_understands_comes_back(at: At, said: Message, streamed: bool) -> None:
    at.answers(said, "Well.")
    if streamed:
        with at.sdk.messages.stream(model="scripted/any", max_tokens=50, messages=HI, tools=[WIRE_TOOL]) as stream:
            answer = stream.get_final_message()
    else:
        answer = ask(at, tools=[WIRE_TOOL])
    content: Any = answer.to_dict()["content"]
    content.sort(key=lambda block: block["type"] == "tool_use")  # as Claude Code does
    ask(at, tools=[WIRE_TOOL], messages=[*HI, {"role": "assistant", "content": content}, *HI])
    back = at.request.messages[1]
    assert [type(part) for part in back.content] == [type(part) for part in said.content]
    assert back.extra == said.extra
    for part, expected in zip(back.content, said.content, strict=True):
        assert getattr(part, "field", None) == getattr(expected, "field", None)
        assert getattr(part, "signature", None) is None
        assert getattr(part, "extra", {}) == getattr(expected, "extra", {})
        assert getattr(part, "data", None) == getattr(expected, "data", None)


@pytest.mark.parametrize(
    "value",
    [{"backend": 1, "data": {}}, {"backend": "gemini", "data": [1]}, {"call": "c", "extra": "x"}, {"message": [1]}],
    ids=["backend", "data", "call", "message"],
)
def test_what_is_forged_there_is_refused(at: At, value: Any) -> None:
    block = {"type": "redacted_thinking", "data": keepsakes.written(value)}
    call = {"type": "tool_use", "id": "c", "name": "weather", "input": {}}
    with pytest.raises(anthropic.BadRequestError):
        ask(at, tools=[WIRE_TOOL], messages=[*HI, {"role": "assistant", "content": [block, call]}, *HI])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole(Message.assistant("a"), "length"), ("max_tokens", None)),
        (whole(Message.assistant("a"), "content_filter"), ("refusal", None)),
        (whole(Message.assistant(Refusal(text="no")), "stop"), ("refusal", None)),
        (whole(Message.assistant("a"), "stop", extra={"stop_reason": "stop_sequence", "stop_sequence": "END"}), ("stop_sequence", "END")),
        (ChatResponse(choices=(Choice(message=Message.assistant("a"), finish_reason="stop", extra={"stop_reason": "END"}),)), ("stop_sequence", "END")),
        (whole(Message.assistant("a"), "pause_turn"), ("pause_turn", None)),
        (whole(Message.assistant("a"), "tired"), ("end_turn", None)),
    ],
    ids=["limit", "filter", "refusal", "own_stop", "stop_of_vllm", "pause", "unknown"],
)  # fmt: skip
def test_why_an_answer_ended(at: At, answer: ChatResponse, expected: tuple[str, str | None]) -> None:
    at.answers(answer, answer)
    found = ask(at, stop_sequences=["END"])
    assert (found.stop_reason, found.stop_sequence) == expected
    with at.sdk.messages.stream(model="scripted/any", max_tokens=5, messages=HI, stop_sequences=["END"]) as stream:
        assert stream.get_final_message().stop_reason == expected[0]


ERRORS: list[tuple[e.AccelError, type[anthropic.APIStatusError], str]] = [
    (e.BadRequestError("m", status=400), anthropic.BadRequestError, "invalid_request_error"),
    (e.RateLimitError("m", status=429, retry_after=2.0), anthropic.RateLimitError, "rate_limit_error"),
    (e.ModelNotFoundError("m", status=404), anthropic.NotFoundError, "not_found_error"),
    (e.OverloadedError("m", status=529), anthropic.InternalServerError, "overloaded_error"),
    (e.AuthenticationError("m", status=401), anthropic.InternalServerError, "api_error"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("error", "kind", "word"), ERRORS, ids=[type(error).__name__ for error, _, _ in ERRORS])
def test_errors_are_those_of_the_sdk(
    at: At, error: e.AccelError, kind: type[anthropic.APIStatusError], word: str, streamed: bool
) -> None:
    at.answers(error)
    with pytest.raises(kind) as caught:
        ask(at, stream=streamed)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", word)
    assert body["request_id"] == caught.value.request_id == caught.value.response.headers["x-request-id"]
    assert caught.value.response.headers.get("retry-after") == ("2" if word == "rate_limit_error" else None)


def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_look_for(at: At) -> None:
    at.answers(e.ContextLengthExceededError("it has 9 tokens, and 8 are all", status=400))
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: it has 9 tokens"):
        ask(at)


def test_a_model_that_takes_no_instruction_between_the_turns_is_told_in_the_words_that_clients_look_for(at: At) -> None:
    at.answers(e.BadRequestError("Jinja Exception: System message must be at the beginning.", status=400))
    with pytest.raises(anthropic.BadRequestError, match=r"role 'system' behind others is not supported .* Jinja"):
        ask(at)


def test_a_stream_that_fails_in_the_middle_says_so(at: At) -> None:
    at.answers(["Hello", e.OverloadedError("too many", status=529)])
    text = ""
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in at.sdk.messages.create(model="scripted/any", max_tokens=5, messages=HI, stream=True):
            assert event.type != "message_stop"
            text += getattr(getattr(event, "delta", None), "text", "")
    assert text == "Hello"
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "overloaded_error")
    assert body["request_id"].startswith("req_")


def test_tokens_are_counted(at: At) -> None:
    at.requests.clear()
    found = at.sdk.messages.count_tokens(model="scripted/any", messages=HI, system="Be brief.", tools=[WIRE_TOOL])
    assert found.input_tokens == 14
    assert [message.role for message in at.request.messages] == ["system", "user"]
    assert at.sdk.beta.messages.count_tokens(model="scripted/any", messages=HI).input_tokens == 14


def test_models_are_listed_as_the_sdk_wants_them(at: At) -> None:
    found = at.sdk.models.retrieve("scripted/any")
    assert (found.id, found.display_name, found.type) == ("scripted/any", "scripted/any", "model")
    with pytest.raises(anthropic.NotFoundError) as caught:
        at.sdk.models.retrieve("other/any")
    body: Any = caught.value.body
    assert body["error"]["type"] == "not_found_error"


# what other models do not have


CLAUDE_CODE: dict[str, Any] = {
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.1c0; cch=36ee5;"},
        {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "Agents: none."},
    ],
    "tools": [{**WIRE_TOOL, "eager_input_streaming": True, "defer_loading": False}],
    "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "betas": ["claude-code-20250219", "effort-2025-11-24"],
}


def test_what_claude_code_sends_is_good_for_any_model(at: At) -> None:
    at.answers("Hello.")
    answer = at.sdk.beta.messages.create(model="scripted/any", max_tokens=20_000, **CLAUDE_CODE)
    assert answer.content[0].text == "Hello."  # type: ignore[union-attr]
    asked = at.request
    assert asked.messages == (
        Message.system("You are an agent.\n\nBe brief."),
        Message.user("Hi"),
        Message.system("Agents: none."),
    )
    assert asked.given_beside("messages", "tools", "max_tokens") == ()
    assert asked.tools == (Tool(name="weather", description="d", parameters=SCHEMA),)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("servers_tools", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type: "),
    ("citations", {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "citations": {"enabled": True}}]}]}, "messages.0.content.0.citations: "),
    ("container", {"container": "c"}, "container: "),
    ("mcp", {"mcp_servers": []}, "mcp_servers: "),
]  # fmt: skip


@pytest.mark.parametrize(("body", "place"), [each[1:] for each in REFUSED], ids=[name for name, _, _ in REFUSED])
def test_what_only_anthropic_can_do_is_refused(at: At, body: dict[str, Any], place: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(at, extra_body=body)
    found: Any = caught.value.body
    assert found["error"]["message"].startswith(place)


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages: expected"),
    ({"messages": ["a"]}, "messages.0.role: expected"),
    ({"messages": [{"role": "wizard", "content": "a"}]}, "messages.0.role: expected"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content: expected"),
    ({"messages": [{"role": "user", "content": ["a"]}]}, "messages.0.content.0: expected"),
    ({"messages": [{"role": "user", "content": [{"type": "sound"}]}]}, "messages.0.content.0.type: 'sound'"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text: expected"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source: expected"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}]}]}, "messages.0.content.0.source.data: it is not base64"),
    ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "disk"}}]}]}, "messages.0.content.0.source.type: 'disk'"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "thinking", "thinking": ""}]}]}]}, "messages.0.content.0.content.0.type: 'thinking'"),
    ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": [1]}]}]}, "messages.0.content.0.input: expected"),
    ({"system": [{"type": "image", "source": {"type": "url", "url": "http://a/b"}}]}, "system.0.type: only texts"),
    ({"tools": {"a": 1}}, "tools: expected"),
    ({"tools": [{"name": "a"}]}, "tools.0.input_schema: expected"),
    ({"tools": [WIRE_TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type: expected"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format: expected"),
    ({"output_config": [1]}, "output_config: expected"),
    ({"output_config": {"effort": 3}}, "output_config.effort: expected"),
    ({"stop_sequences": "END"}, "stop_sequences: expected"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "place"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_named(at: At, body: dict[str, Any], place: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(at, extra_body=body)
    found: Any = caught.value.body
    assert found["error"]["message"].startswith(place)


def test_what_is_nested_too_deeply_is_refused(at: At, http: Any) -> None:
    inner = '{"type":"document","source":{"type":"content","content":['
    body = f'{{"model":"scripted/any","max_tokens":5,"messages":[{{"role":"user","content":[{inner * 400}{"]}}" * 400}]}}]}}'
    found = http.post(f"{at.url}/v1/messages", content=body)
    assert found.status_code == 400
    assert "deep" in found.json()["error"]["message"]


def test_what_others_do_not_have_is_left_out_on_demand(running: Start) -> None:
    scripted = Scripted(["a", "b"])
    url = running(scripted, settings={"unsupported": "leave_out"}).url
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as sdk:
        for _, body, _ in REFUSED[:2]:
            sdk.messages.create(model="scripted/any", max_tokens=5, messages=HI, extra_body=body)
    assert scripted.requests[0].tools == ()
    assert scripted.requests[1].messages[0].content == (Document(data=b"a", media_type="text/plain"),)


def test_a_key_may_stand_beside_one_of_somebody_elses(running: Start, http: Any) -> None:
    keys = {"alice": {"hash": hash_of("good")}, "bob": {"hash": hash_of("old"), "expires": "2020-01-01T00:00:00Z"}}
    url = running(Scripted(["a", "b", "c"]), settings={"keys": keys}).url
    body = {"model": "scripted/any", "max_tokens": 5, "messages": HI}
    sent: list[tuple[dict[str, str], int]] = [
        ({"authorization": "Bearer theirs", "x-api-key": "good"}, 200),
        ({"authorization": "Bearer good", "x-api-key": "theirs"}, 200),
        ({"authorization": "Bearer old", "x-api-key": "good"}, 200),
        ({"authorization": "Bearer old", "x-api-key": "theirs"}, 401),
        ({"x-api-key": ""}, 401),
    ]
    assert [http.post(f"{url}/v1/messages", json=body, headers=each).status_code for each, _ in sent] == [
        status for _, status in sent
    ]


def test_further_blocks_are_texts_for_others(at: At) -> None:
    at.answers("Well.")
    blocks: list[Any] = [
        {"type": "search_result", "title": "T", "source": "http://s", "content": [{"type": "text", "text": "found"}]},
        {"type": "document", "context": "signed", "source": {"type": "content", "content": [{"type": "text", "text": "inner"}]}},
        {"type": "document", "title": "T", "source": {"type": "url", "url": "http://s/a.pdf"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
    ]  # fmt: skip
    result: Any = {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [{"type": "tool_reference", "tool_name": "weather"}],
    }
    search: Any = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    ask(at, messages=[{"role": "user", "content": [*blocks, result]}, {"role": "assistant", "content": [search]}, *HI])
    assert at.request.messages == (
        Message(role="tool", content=ToolResult(tool_call_id="a", content="weather")),
        Message.user("T\nhttp://s\n\nfound", "signed", "inner", Document(url="http://s/a.pdf", name="T"), Image(file_id="f")),
        Message.assistant(Opaque(backend="claude", data=search)),
        Message.user("Hi"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "adapts"),
    [(SCHEMA, True), ({**SCHEMA, "required": []}, False), ({"type": "array", "items": {"type": "object", "properties": {"a": {}}}}, False)],
    ids=["closed", "optional", "inner"],
)  # fmt: skip
def test_a_schema_is_enforced_where_all_services_could(at: At, schema: Any, adapts: bool) -> None:
    at.answers('{"city":"Rome"}')
    ask(at, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert at.request.response_format == JsonSchema(schema=schema, adapts=adapts)


def test_what_a_model_says_wrongly_of_a_call_is_an_error(at: At) -> None:
    at.answers(ToolCall(id="c", name="weather", arguments="{"), Image(data=PNG))
    with pytest.raises(anthropic.InternalServerError, match="as this API cannot say it"):
        ask(at, tools=[WIRE_TOOL])
    with pytest.raises(anthropic.InternalServerError, match="with image, for which"):
        ask(at)


# our own backend


def own(at: At, messages: Any, *, streamed: bool, **options: Any) -> ChatResponse:
    if not streamed:
        return at.client.chat("claude/scripted/any", messages, **options)
    with at.client.stream("claude/scripted/any", messages, **options) as stream:
        return stream.read()


ASKED: list[tuple[str, list[Message], dict[str, Any]]] = [
    ("a question", [Message.user("Hi")], {"max_tokens": 7, "temperature": 0.5, "top_p": 0.5, "top_k": 3, "stop": ("END",)}),
    ("instructions", [Message.system("a"), Message.user("b"), Message.assistant("c"), Message.user("d"), Message.system("e")], {}),
    ("media", [Message.user("See", Image(data=PNG), Image(url="http://a/b.png"), Document(data=b"%PDF-1", name="a.pdf"), Document(data=b"text", media_type="text/plain"))], {}),
    ("tools", [Message.user("a"), Message.assistant("b", ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}'), ToolCall(id="c2", name="weather")),
               Message(role="tool", content=(ToolResult(tool_call_id="c1", content="x"), ToolResult(tool_call_id="c2", content=(Text(text="y"), Image(data=PNG)), is_error=True))), Message.user("d")],
     {"tools": [TOOL], "tool_choice": "weather", "parallel_tool_calls": False}),
    ("thoughts", [Message.user("a"), Message.assistant(Reasoning(text="Hm.", signature="EqQB"), Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"}), "b"), Message.user("c")], {"reasoning_effort": "low"}),
    ("a schema", [Message.user("a")], {"response_format": JsonSchema(schema=SCHEMA, adapts=True)}),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("messages", "options"), [each[1:] for each in ASKED], ids=[each[0] for each in ASKED])
def test_what_our_own_backend_asks_is_understood(
    at: At, messages: list[Message], options: dict[str, Any], streamed: bool
) -> None:
    at.answers("Well.")
    assert own(at, messages, streamed=streamed, **options).text == "Well."
    asked = at.request
    assert asked.messages == tuple(messages)
    expected = {"max_tokens": 16_384, **options, "tools": tuple(options.get("tools", ()))}
    for name in asked.given_beside("messages"):
        assert getattr(asked, name) == expected.pop(name), name
    assert [name for name, value in expected.items() if value] == []


SAID: list[tuple[str, Message]] = [
    ("a text", Message.assistant("Héllo \U0001f600.")),
    ("a thought", Message.assistant(Reasoning(text="Hm.", signature="EqQB"), "Ho.")),
    ("a hidden thought", Message.assistant(Reasoning(text="", signature="EqQB"), "Ho.")),
    ("calls", Message.assistant("a", CALL, ToolCall(id="c2", name="weather"), ToolCall(id="c3", name="weather", arguments='{"a":1}'))),
    ("a block of Claude's", Message.assistant(Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"}), "Ho.")),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("said", [each[1] for each in SAID], ids=[each[0] for each in SAID])
def test_what_our_own_backend_is_answered_is_what_was_said(at: At, said: Message, streamed: bool) -> None:
    reason = "tool_calls" if said.tool_calls else "stop"
    at.answers(whole(said, reason))
    answer = own(at, "Hi", streamed=streamed, tools=[TOOL])
    assert [part if not isinstance(part, ToolCall) else part.parse_arguments() for part in answer.message.content] == [
        part if not isinstance(part, ToolCall) else part.parse_arguments() for part in said.content
    ]
    assert answer.finish_reason == reason
    assert answer.usage == USED


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_errors_reach_our_own_backend_as_they_were(at: At, streamed: bool) -> None:
    for error in (
        e.RateLimitError("m", status=429, retry_after=2.0),
        e.ContextLengthExceededError("m", status=400),
        e.OverloadedError("m", status=529),
    ):
        at.answers(error)
        with pytest.raises(type(error)):
            own(at, "Hi", streamed=streamed)


def test_an_answer_in_json_is_json(at: At, http: Any) -> None:
    at.answers("a")
    body = {"model": "scripted/any", "max_tokens": 5, "messages": HI}
    found = http.post(f"{at.url}/messages", content=json.dumps(body))
    assert found.headers["content-type"] == "application/json"
    assert found.json()["content"] == [{"type": "text", "text": "a"}]
