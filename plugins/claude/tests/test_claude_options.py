"""Every option that Anthropic's own SDK has, one by one: both have to send the same.

A table says what each option is given and how ours is called; a test holds the tables to the SDK's own lists of
options, so that one that the SDK gains is missed here.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest
from ipfs_accel import Client, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import BatchItem, BatchRequest, ChatRequest, Opaque, Upload, UploadRequest
from ipfs_accel_claude import Options, _limits, backend, block
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

MODEL = "claude-opus-5-5"
USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
TOOL = Tool(name="f", parameters=SCHEMA)
WIRE_TOOL = {"name": "f", "input_schema": SCHEMA}
RICH_TOOL = {
    **WIRE_TOOL, "type": "custom", "cache_control": {"type": "ephemeral"}, "input_examples": [{}], "defer_loading": True,
    "allowed_callers": ["code_execution_20260120"], "eager_input_streaming": True,
}  # fmt: skip
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
CACHED = {"type": "ephemeral", "ttl": "1h"}

Case = tuple[dict[str, Any], dict[str, Any]]
"""What the SDK is given, and what ours is."""


def own(**fields: Any) -> Case:
    """An option that only this provider has: ours takes it in `extra`, under the same name."""
    return fields, {"extra": fields}


MESSAGE: dict[str, Case] = {
    "cache_control": own(cache_control=CACHED),
    "container": own(container="c1"),
    "diagnostics": own(diagnostics={"previous_message_id": "msg_0"}),
    "inference_geo": own(inference_geo="us"),
    "max_tokens": ({"max_tokens": 5}, {"max_tokens": 5}),
    "metadata": ({"metadata": {"user_id": "u"}}, {"user": "u"}),
    "output_config": ({"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
                      {"reasoning_effort": "low", "response_format": JsonSchema(schema=SCHEMA)}),
    "service_tier": own(service_tier="auto"),
    "speed": own(speed="fast"),
    "stop_sequences": ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
    "thinking": own(thinking={"type": "adaptive", "display": "omitted"}),
    "tool_choice": ({"tool_choice": {"type": "auto"}, "tools": [WIRE_TOOL]}, {"tool_choice": "auto", "tools": [TOOL]}),
    "tools": ({"tools": [WIRE_TOOL, RICH_TOOL, SEARCH]}, {"tools": [TOOL], "extra": {"tools": [RICH_TOOL, SEARCH]}}),
    "user_profile_id": ({"user_profile_id": "up_1"}, {}),
    "workspace_id": ({"workspace_id": "w_1"}, {}),
}  # fmt: skip
# Messages and system are the subject of another table; these two are settings of the endpoint.
SETTINGS = {"user_profile_id": {"user_profile": "up_1"}, "workspace_id": {"workspace": "w_1"}}
COUNTED = ("cache_control", "output_config", "speed", "thinking", "tool_choice", "tools", "user_profile_id", "workspace_id")  # fmt: skip


def with_beta(name: str, **fields: Any) -> Case:
    return {"betas": [name, "b-2"], **fields}, {"extra": {"betas": [name, "b-2"], **fields}}


BETA: dict[str, Case] = {
    "betas": with_beta("a-1"),
    "billing_policy": with_beta("a-1", billing_policy={"type": "x"}),
    "compaction": with_beta("compact-2026-09-04", compaction={"type": "auto"}),
    "context_management": with_beta("context-management-2025-06-27", context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}),
    "fallback_credit_token": with_beta("server-side-fallback-2026-07-01", fallback_credit_token="t"),
    "fallbacks": with_beta("server-side-fallback-2026-07-01", fallbacks=[{"model": "claude-haiku-5-5"}]),
    "mcp_servers": with_beta("mcp-client-2025-11-20", mcp_servers=[{"type": "url", "url": "https://x.test", "name": "s"}]),
    "thread": with_beta("message-threads-2026-08-12", thread={"id": "t"}),
}  # fmt: skip

ANSWER: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [{"type": "text", "text": "ho"}], "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 9}}  # fmt: skip
HEADERS = ("Authorization", "X-Api-Key", "Accept", "Anthropic-Version", "Anthropic-Beta", "Anthropic-Workspace-Id", "Anthropic-User-Profile-Id")  # fmt: skip


def answer(request: Request) -> Response:
    whole: Any = ANSWER
    if request.path.endswith("/count_tokens"):
        whole = {"input_tokens": 5}
    elif request.path.endswith("/batches"):
        whole = {"id": "b", "processing_status": "in_progress", "request_counts": {"processing": 1}}
    elif request.path.endswith("/models"):
        whole = {"data": [], "has_more": False, "first_id": None, "last_id": None}
    return Response(json.dumps(whole), content_type="application/json")


Both = Callable[..., None]


@pytest.fixture
def both(anthropic: Any, httpserver: HTTPServer) -> Both:
    """Make the same call with both and compare what the server got."""
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    url = httpserver.url_for("").rstrip("/")

    def compare(theirs: Callable[[Any], Any], ours: Callable[[Client], Any], **options: Any) -> None:
        endpoint = EndpointConfig(base_url=url, key="sk-test", options=options)
        with (
            anthropic.Anthropic(base_url=url, api_key="sk-test", max_retries=0) as sdk,
            Client(endpoints={"claude": endpoint}) as client,
        ):
            theirs(sdk)
            ours(client)
        expected, actual = [request for request, _ in httpserver.log]
        assert (actual.method, actual.path) == (expected.method, expected.path)
        # The SDK says of what is called beta that it is; the API goes by the header.
        asked = [pair for pair in sorted(expected.args.items(multi=True)) if pair != ("beta", "true")]
        assert sorted(actual.args.items(multi=True)) == asked
        if expected.get_data():
            assert json.loads(actual.get_data()) == json.loads(expected.get_data())
        for header in HEADERS:
            assert actual.headers.get(header) == expected.headers.get(header), header

    return compare


@pytest.mark.parametrize("name", MESSAGE)
def test_messages(name: str, both: Both) -> None:
    theirs, ours = MESSAGE[name]
    both(
        lambda sdk: sdk.messages.create(**{"model": MODEL, "max_tokens": 16_384, "messages": USER, **theirs}),
        lambda client: client.chat(f"claude/{MODEL}", "hi", **ours),
        **SETTINGS.get(name, {}),
    )


@pytest.mark.parametrize("name", COUNTED)
def test_counts(name: str, both: Both) -> None:
    theirs, ours = MESSAGE[name]
    both(
        lambda sdk: sdk.messages.count_tokens(**{"model": MODEL, "messages": USER, **theirs}),
        lambda client: client.count_tokens(f"claude/{MODEL}", "hi", **ours),
        **SETTINGS.get(name, {}),
    )


@pytest.mark.parametrize("name", BETA)
def test_what_is_called_beta(name: str, both: Both) -> None:
    theirs, ours = BETA[name]
    both(
        lambda sdk: sdk.beta.messages.create(model=MODEL, max_tokens=16_384, messages=USER, **theirs),
        lambda client: client.chat(f"claude/{MODEL}", "hi", **ours),
    )


def test_betas_of_a_batch(both: Both) -> None:
    params = {"model": MODEL, "max_tokens": 5, "messages": USER}
    both(
        lambda sdk: sdk.beta.messages.batches.create(requests=[{"custom_id": "a", "params": params}], betas=["a-1"]),
        lambda client: client.create_batch(f"claude/{MODEL}", {"a": "hi"}, max_tokens=5, extra={"betas": ["a-1"]}),
    )


@pytest.mark.parametrize("stages", [["active"], ["active", "deprecated"]])
def test_models_by_their_lifecycle(stages: list[str], both: Both) -> None:
    both(
        lambda sdk: list(sdk.models.list(lifecycle=stages, limit=3)),
        lambda client: client.call("claude", "models", lifecycle=stages, limit=3),
    )


def names_of(path: str) -> set[str]:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    return set(get_type_hints(getattr(import_module(f"anthropic.types.{module}"), name))) - {"model", "messages", "system"}  # fmt: skip


@pytest.mark.usefixtures("anthropic")
def test_no_option_of_the_sdk_is_missing() -> None:
    assert names_of("message_create_params.MessageCreateParamsBase") - MESSAGE.keys() == set()
    assert names_of("message_count_tokens_params.MessageCountTokensParams") - set(COUNTED) == set()
    beta = names_of("beta.message_create_params.MessageCreateParamsBase")
    assert beta - MESSAGE.keys() - BETA.keys() == set()


# Long answers


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ho"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"claude": EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")}) as client:
        yield client


def test_a_long_answer_is_streamed_where_the_sdk_refuses_to_wait(
    anthropic: Any, client: Client, httpserver: HTTPServer
) -> None:
    def respond(request: Request) -> Response:
        is_stream = json.loads(request.get_data()).get("stream")
        return Response(sse(*STREAM), content_type="text/event-stream") if is_stream else answer(request)

    httpserver.expect_request("/v1/messages").respond_with_handler(respond)
    sdk = anthropic.Anthropic(base_url=httpserver.url_for(""), api_key="sk-test", max_retries=0)
    short = client.chat(f"claude/{MODEL}", "hi", max_tokens=21_333)
    sdk.messages.create(model=MODEL, max_tokens=21_333, messages=USER)
    assert [json.loads(request.get_data()).get("stream") for request, _ in httpserver.log] == [None, None]
    with pytest.raises(ValueError, match="Streaming is required"):
        sdk.messages.create(model=MODEL, max_tokens=21_400, messages=USER)
    for options in ({"max_tokens": 21_400}, {"extra": {"max_tokens": 64_000}}):
        assert client.chat(f"claude/{MODEL}", "hi", **options) == short
        assert json.loads(httpserver.log[-1][0].get_data())["stream"] is True


@pytest.mark.parametrize("count", range(len(STREAM)))
def test_a_long_answer_that_is_cut_is_no_answer(count: int, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_data(sse(*STREAM[:count]), content_type="text/event-stream")
    with pytest.raises(e.StreamIncomplete):
        client.chat(f"claude/{MODEL}", "hi", max_tokens=64_000)


def test_errors_of_a_long_answer(client: Client, httpserver: HTTPServer) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    httpserver.expect_oneshot_request("/v1/messages").respond_with_data(sse(*STREAM[:3], error), content_type="text/event-stream")  # fmt: skip
    httpserver.expect_oneshot_request("/v1/messages").respond_with_json(error, status=529)
    httpserver.expect_oneshot_request("/v1/messages").respond_with_json(ANSWER)
    for _ in range(2):
        with pytest.raises(e.OverloadedError, match="Overloaded"):
            client.chat(f"claude/{MODEL}", "hi", max_tokens=64_000)
    assert client.chat(f"claude/{MODEL}", "hi", max_tokens=64_000).text == "ho"  # a server that does not stream


# What is refused before anything is sent


def at(url: str) -> Any:
    from ipfs_accel.plans import Endpoint

    return Endpoint(name="claude", backend="claude", base_url=url, options=Options())


HOSTED, LOCAL = at("https://api.anthropic.com"), at("http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("model", "is_taken"),
    [("claude-haiku-4-5", True), ("claude-sonnet-4-6", False), ("claude-opus-5-5", False), ("claude-new", False)],
)
def test_an_answer_to_go_on_with(model: str, is_taken: bool) -> None:
    request = ChatRequest(model=model, messages=(Message.user("hi"), Message.assistant("It is")))
    if is_taken:
        backend.chat(HOSTED, request)
    else:
        with pytest.raises(e.InvalidRequestError, match=rf"messages\[1\]: {model} does not go on") as caught:
            backend.chat(HOSTED, request)
        assert "JsonSchema" in str(caught.value.hint)
    # After a pause the answer so far is sent back, whatever the model; other models decide for themselves.
    paused = Message.assistant("Let me see", Opaque(backend="claude", data={"type": "server_tool_use", "id": "s"}))
    backend.chat(HOSTED, ChatRequest(model=model, messages=(Message.user("hi"), paused)))
    backend.chat(LOCAL, ChatRequest(model="tiny", messages=request.messages))


def png(width: int, height: int) -> Image:
    return Image(data=b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height))


@pytest.mark.parametrize(
    ("model", "content", "message"),
    [
        ("claude-opus-5-5", (png(8001, 9),), r"messages\[0\]: a picture has 8001 by 9 pixels, and Claude takes up to 8000"),
        ("claude-opus-5-5", (png(2001, 9),) * 21, r"messages\[0\]: a picture has 2001 by 9 pixels, and Claude takes up to 2000"),
        ("claude-opus-5-5", (png(9, 9),) * 601, "messages: they have 601 pictures, and Claude takes up to 600"),
        ("claude-haiku-4-5", (png(9, 9),) * 101, "they have 101 pictures, and Claude takes up to 100"),
    ],
)  # fmt: skip
def test_pictures_that_are_too_large_or_too_many(model: str, content: Any, message: str) -> None:
    request = ChatRequest(model=model, messages=(Message.user(*content),))
    for call in (backend.chat, backend.stream, backend.count_tokens):
        with pytest.raises(e.InvalidRequestError, match=message):
            call(HOSTED, request)
        call(LOCAL, request)
    within = ChatRequest(model="claude-opus-5-5", messages=(Message.user(*[png(2000, 9)] * 21, Image(file_id="f")),))
    backend.chat(HOSTED, within)


def test_a_picture_in_a_result_counts_and_one_with_a_wish_does_not() -> None:
    result = ChatRequest(model=MODEL, messages=(Message.tool("t", [png(9000, 9)]),))
    with pytest.raises(e.InvalidRequestError, match=r"messages\[0\]: a picture has 9000"):
        backend.chat(HOSTED, result)
    wish = block(png(9000, 9), transformations={"oversized_image": "downsize"})
    backend.chat(HOSTED, ChatRequest(model=MODEL, messages=(Message.user(wish),)))


def test_requests_batches_and_files_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    long = ChatRequest(model=MODEL, messages=(Message.user("x" * (33 << 20)),))
    for call in (backend.chat, backend.stream, backend.count_tokens):
        with pytest.raises(e.InvalidRequestError, match="the request has 33 MiB, and Claude takes up to 32"):
            call(HOSTED, long)
    backend.create_batch(HOSTED, BatchRequest(items=(BatchItem(id="a", request=long),)))  # a batch may be larger
    monkeypatch.setattr(_limits, "_REQUESTS", 1)
    two = tuple(BatchItem(id=name, request=ChatRequest(model=MODEL, messages=(Message.user("x"),))) for name in "ab")
    with pytest.raises(e.InvalidRequestError, match="items: Claude takes up to 1 a batch, these are 2"):
        backend.create_batch(HOSTED, BatchRequest(items=two))
    huge = UploadRequest(file=Upload(name="a", size=501 << 20, data=b""))
    with pytest.raises(e.InvalidRequestError, match="file: it has 501 MiB"):
        backend.upload_file(HOSTED, huge)
