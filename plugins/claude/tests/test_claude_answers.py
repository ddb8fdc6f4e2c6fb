"""What servers send: every event of a stream, streams that are cut, errors, and what does not have the form it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, Message
from ipfs_accel import errors as e
from ipfs_accel.types import (
    BlockEnd,
    BlockStart,
    FinishEvent,
    Opaque,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageEvent,
)
from pytest_httpserver import HTTPServer

MODEL = "claude-opus-5-5"
USAGE = {"input_tokens": 25, "output_tokens": 1}
START: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "stop_reason": None, "usage": USAGE}}  # fmt: skip
STOP = {"type": "message_stop"}
TEXT = {"type": "text", "text": ""}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
ANSWER: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [{"type": "text", "text": "ho"}], "stop_reason": "end_turn", "usage": USAGE}  # fmt: skip


def start(index: int, block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: Any, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 9, **usage}}  # fmt: skip


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


HO = [start(0, TEXT), delta(0, "text_delta", text="ho"), stop(0)]


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"claude": EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")}) as client:
        yield client


def streaming(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/v1/messages").respond_with_data(body, content_type="text/event-stream")


def test_every_event_of_a_stream(client: Client, httpserver: HTTPServer) -> None:
    cited = {"type": "page_location", "cited_text": "c"}
    streaming(
        httpserver,
        sse(
            {"type": "ping"},
            START,
            start(0, {"type": "thinking", "thinking": "", "signature": ""}),
            {"type": "ping"},
            delta(0, "thinking_delta", thinking="hm"),
            delta(0, "signature_delta", signature="Eq"),
            stop(0),
            start(1, {"type": "redacted_thinking", "data": "x"}),
            stop(1),
            start(2, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}),
            delta(2, "input_json_delta", partial_json='{"q": '),
            delta(2, "input_json_delta", partial_json="1}"),
            stop(2),
            start(3, {**TEXT, "citations": []}),
            delta(3, "text_delta", text="ho"),
            delta(3, "citations_delta", citation=cited),
            stop(3),
            start(4, {**CALL, "caller": {"type": "code_execution_20260521", "tool_id": "s1"}}),
            delta(4, "input_json_delta", partial_json=""),
            delta(4, "input_json_delta", partial_json='{"a"'),
            delta(4, "input_json_delta", partial_json=": 1}"),
            stop(4),
            finish("tool_use", input_tokens=100, cache_read_input_tokens=900),
            STOP,
            {"type": "ping"},
        ),
    )
    with client.stream(f"claude/{MODEL}", "hi") as stream:
        events = list(stream)
    search = Opaque(
        backend="claude", data={"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": 1}}
    )
    caller = Opaque(
        backend="claude",
        data={"type": "tool_use", "id": "t1", "caller": {"type": "code_execution_20260521", "tool_id": "s1"}},
    )
    parts = (
        Reasoning(text="hm", signature="Eq"),
        Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"}),
        search,
        Text(text="ho", annotations=(cited,)),
        ToolCall(id="t1", name="f", arguments='{"a": 1}'),
        caller,
    )
    usage = Usage(input_tokens=1000, output_tokens=9, cached_input_tokens=900)
    assert events == [
        BlockStart(block=0, type="reasoning"),
        ReasoningDelta("hm", 0, 0),
        BlockEnd(block=0, part=parts[0]),
        BlockStart(block=1, type="opaque"),
        BlockEnd(block=1, part=parts[1]),
        BlockStart(block=2, type="opaque"),
        BlockEnd(block=2, part=parts[2]),
        BlockStart(block=3, type="text"),
        TextDelta("ho", 0, 3),
        BlockEnd(block=3, part=parts[3]),
        BlockStart(block=4, type="tool_call", id="t1", name="f"),
        ToolCallDelta('{"a"', 0, 4),
        ToolCallDelta(": 1}", 0, 4),
        BlockEnd(block=4, part=parts[4]),
        BlockStart(block=5, type="opaque"),
        BlockEnd(block=5, part=parts[5]),
        UsageEvent(usage=usage),
        FinishEvent(finish_reason="tool_calls", finish_reasons=("tool_calls",)),
    ]
    reply = stream.response
    assert (reply.message, reply.usage, reply.id, reply.model) == (Message.assistant(*parts), usage, "msg_1", MODEL)


SAME: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "nothing": ([START, finish(), STOP], {"content": []}),
    "hidden thinking": (
        [START, start(0, {"type": "thinking", "thinking": "", "signature": ""}), delta(0, "signature_delta", signature="Eq"), stop(0), finish(), STOP],
        {"content": [{"type": "thinking", "thinking": "", "signature": "Eq"}]},
    ),
    "thinking that is nothing": (
        [START, start(0, {"type": "thinking", "thinking": "", "signature": ""}), stop(0), finish(), STOP],
        {"content": [{"type": "thinking", "thinking": "", "signature": None}]},
    ),
    "two texts and no arguments": (
        [START, *HO, start(1, TEXT), delta(1, "text_delta", text="!"), stop(1), start(2, CALL), stop(2), finish("tool_use"), STOP],
        {"content": [{"type": "text", "text": "ho"}, {"type": "text", "text": "!"}, CALL], "stop_reason": "tool_use"},
    ),
    "a call although it says that it stopped": (
        [START, start(0, CALL), stop(0), finish("end_turn"), STOP],
        {"content": [CALL]},
    ),
    "a refusal": (
        [START, *HO, {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": None}}, "usage": {"output_tokens": 9}}, STOP],
        {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": None}},
    ),
    "a pause": ([START, *HO, finish("pause_turn"), STOP], {"stop_reason": "pause_turn"}),
    "a full context": ([START, *HO, finish("model_context_window_exceeded"), STOP], {"stop_reason": "model_context_window_exceeded"}),
    "a reason that is not known": ([START, *HO, finish("new_reason"), STOP], {"stop_reason": "new_reason"}),
    "blocks that are not known": (
        [START, start(0, {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}), delta(0, "text_delta", text="no"), stop(0), *[{**each, "index": 1} for each in HO], finish(), STOP],
        {"content": [{"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, {"type": "text", "text": "ho"}]},
    ),
    "compaction": (
        [START, start(0, {"type": "compaction", "content": None}), delta(0, "compaction_delta", content="s", encrypted_content="e"), stop(0), finish(), STOP],
        {"content": [{"type": "compaction", "content": "s", "encrypted_content": "e"}]},
    ),
    "blocks that nobody ends": (
        [START, start(0, {"type": "server_tool_use", "id": "s", "name": "n", "input": {}}), delta(0, "input_json_delta", partial_json='{"q":1}'), start(1, CALL), start(2, TEXT), delta(2, "text_delta", text="ho"), finish(), STOP],
        {"content": [CALL, {"type": "text", "text": "ho"}, {"type": "server_tool_use", "id": "s", "name": "n", "input": {"q": 1}}]},
    ),
    "a container and more": (
        [START, *HO, {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": {"id": "c"}}, "usage": {"output_tokens": 9, "server_tool_use": {"web_search_requests": 1}}, "context_management": {"applied_edits": []}}, STOP],
        {"container": {"id": "c"}, "context_management": {"applied_edits": []}, "usage": {"input_tokens": 25, "output_tokens": 9, "server_tool_use": {"web_search_requests": 1}}},
    ),
    "a container from the start": (
        [{**START, "message": {**START["message"], "container": {"id": "c"}}}, *HO, finish(), STOP],
        {"container": {"id": "c"}},
    ),
    "texts that nobody ends": (
        [START, start(0, TEXT), delta(0, "text_delta", text="ho"), start(1, TEXT), delta(1, "text_delta", text="!"), finish(), STOP],
        {"content": [{"type": "text", "text": "ho"}, {"type": "text", "text": "!"}]},
    ),
    "events and deltas that are not known": (
        [START, {"type": "news", "a": 1}, start(0, TEXT), delta(0, "glow_delta", glow=1), delta(0, "text_delta", text="ho"), delta(0, "thinking_delta", thinking="no"), stop(0), stop(7), finish(), STOP],
        {},
    ),
    "usage that grows": (
        [START, *HO, finish(None, output_tokens=3), finish(output_tokens=9, cache_creation_input_tokens=None), STOP],
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("events", "answer"), SAME.values(), ids=SAME.keys())
def test_a_stream_gives_what_the_whole_answer_gives(
    events: list[dict[str, Any]], answer: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request("/v1/messages").respond_with_data(sse(*events), content_type="text/event-stream")
    whole = {**ANSWER, "usage": {"input_tokens": 25, "output_tokens": 9}, **answer}
    httpserver.expect_oneshot_request("/v1/messages").respond_with_json(whole)
    streamed = client.stream(f"claude/{MODEL}", "hi").read()
    reply = client.chat(f"claude/{MODEL}", "hi")
    assert streamed.extra == reply.extra
    if not reply.choices[0].message.content and not streamed.choices:
        assert reply.text == ""
    assert streamed == reply
    assert reply.raw == whole


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "pause_turn"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("brand_new", "brand_new"),
        (None, None),
    ],
)
def test_reasons(reason: str | None, expected: str | None, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json({**ANSWER, "stop_reason": reason})
    assert client.chat(f"claude/{MODEL}", "hi").finish_reason == expected


def test_the_whole_prompt_is_the_sum_of_three(client: Client, httpserver: HTTPServer) -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 3000,
        "output_tokens": 5,
    }
    usage["output_tokens_details"] = {"thinking_tokens": 4}  # type: ignore[assignment]
    httpserver.expect_request("/v1/messages").respond_with_json({**ANSWER, "usage": usage})
    found = client.chat(f"claude/{MODEL}", "hi").usage
    assert found == Usage(
        input_tokens=3210,
        output_tokens=5,
        cached_input_tokens=3000,
        cache_write_input_tokens=200,
        reasoning_tokens=4,
    )


def test_an_input_that_was_cut_is_kept_as_it_came(client: Client, httpserver: HTTPServer) -> None:
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    events = [START, start(0, search), delta(0, "input_json_delta", partial_json='{"q": "Par'), stop(0)]
    events += [start(1, CALL), delta(1, "input_json_delta", partial_json='{"a'), stop(1), finish("max_tokens"), STOP]
    streaming(httpserver, sse(*events))
    reply = client.stream(f"claude/{MODEL}", "hi").read()
    kept, call = reply.message.content
    assert isinstance(kept, Opaque)
    assert kept.data["input"] == '{"q": "Par'
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"a'
    assert reply.finish_reason == "length"


CUT = sse(START, *HO, finish(), STOP)


@pytest.mark.parametrize("end", [CUT.index(mark) for mark in ("event: message_delta", "event: message_stop", 'data: {"type": "message_stop', '_stop"}\n\n')])  # fmt: skip
def test_a_stream_without_its_end_is_incomplete(end: int, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, CUT[:end])
    with pytest.raises(e.StreamIncomplete) as caught:
        client.stream(f"claude/{MODEL}", "hi").read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "ho"


@pytest.mark.parametrize("end", range(0, len(CUT), 7))
def test_a_stream_that_is_cut_anywhere_is_never_whole(end: int, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, CUT[:end])
    with pytest.raises(e.StreamIncomplete):
        client.stream(f"claude/{MODEL}", "hi").read()


def test_the_last_blank_line_may_be_missing(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, CUT.rstrip("\n"))
    assert client.stream(f"claude/{MODEL}", "hi").read().text == "ho"


def error(kind: Any, message: Any = "no", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_9"}


SPENT = {"details": {"error_code": "enforced_spend_limit_reached"}}
# (HTTP status, error object, class, code, whether the same call may succeed later)
ERRORS: list[tuple[int, dict[str, Any], type[e.APIError], str | None, bool]] = [
    (400, error("invalid_request_error"), e.BadRequestError, "invalid_request_error", False),
    (400, error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), e.ContextLengthExceededError, "invalid_request_error", False),
    (400, error("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"), e.ContextLengthExceededError, "invalid_request_error", False),
    (400, error("invalid_request_error", "Output blocked by content filtering policy"), e.ContentFilterError, "invalid_request_error", False),
    (400, error("invalid_request_error", "Your credit balance is too low to access the API"), e.QuotaExceededError, "invalid_request_error", False),
    (400, error("invalid_request_error", details={"error_code": "image_dimensions_too_large", "paths": ["messages.0.content.1"]}), e.BadRequestError, "image_dimensions_too_large", False),
    (401, error("authentication_error"), e.AuthenticationError, "authentication_error", False),
    (402, error("billing_error"), e.PermissionDeniedError, "billing_error", False),
    (403, error("permission_error"), e.PermissionDeniedError, "permission_error", False),
    (404, error("not_found_error", "model: claude-none"), e.ModelNotFoundError, "not_found_error", False),
    (404, error("not_found_error"), e.NotFoundError, "not_found_error", False),
    (409, error("conflict_error"), e.ConflictError, "conflict_error", True),
    (429, error("rate_limit_error"), e.RateLimitError, "rate_limit_error", True),
    (429, error("rate_limit_error", details={"error_code": "ramp_limit_exceeded"}), e.RateLimitError, "ramp_limit_exceeded", True),
    (429, error("rate_limit_error", **SPENT), e.QuotaExceededError, "enforced_spend_limit_reached", False),
    (500, error("api_error"), e.InternalServerError, "api_error", True),
    (504, error("timeout_error"), e.InternalServerError, "timeout_error", True),
    (529, error("overloaded_error", "Overloaded"), e.OverloadedError, "overloaded_error", True),
    (500, error("brand_new_error"), e.InternalServerError, "brand_new_error", True),
    (500, error(None, None), e.InternalServerError, None, True),
    # other hosts of these routes
    (429, error("rate_limit_error", "[1113][Insufficient balance or no resource package.]", code="1113"), e.QuotaExceededError, "rate_limit_error", False),
    (500, error("api_error", "insufficient balance (1008)"), e.QuotaExceededError, "api_error", False),
    (400, error("invalid_request_error", code="context_length_exceeded"), e.ContextLengthExceededError, "invalid_request_error", False),
    (400, error("invalid_request_error", "This model's maximum context length is 9 tokens"), e.ContextLengthExceededError, "invalid_request_error", False),
    (500, error("api_error", details="x"), e.InternalServerError, "api_error", True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "code", "retryable"), ERRORS)
def test_errors(
    status: int,
    body: dict[str, Any],
    kind: type[e.APIError],
    code: str | None,
    retryable: bool,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    headers = {"request-id": "req_1", "retry-after": "7"}
    httpserver.expect_request("/v1/messages").respond_with_json(body, status=status, headers=headers)
    for call in (client.chat, lambda *args: client.stream(*args).read()):
        with pytest.raises(e.APIError) as caught:
            call(f"claude/{MODEL}", "hi")
        found = caught.value
        assert (type(found), found.status, found.code, found.retryable) == (kind, status, code, retryable)
        assert (found.request_id, found.retry_after, found.body) == ("req_1", 7, body)


@pytest.mark.parametrize(("status", "body", "kind", "code", "retryable"), ERRORS)
def test_errors_inside_a_stream_that_began_well(
    status: int,
    body: dict[str, Any],
    kind: type[e.APIError],
    code: str | None,
    retryable: bool,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    streaming(httpserver, sse(START, *HO, body))
    with pytest.raises(e.APIError) as caught:
        client.stream(f"claude/{MODEL}", "hi").read()
    found = caught.value
    assert (type(found), found.code, found.retryable, found.request_id) == (kind, code, retryable, "req_9")
    assert found.partial is not None
    assert found.partial.text == "ho"


def test_an_error_event_that_is_no_json(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START) + "event: error\ndata: upstream is gone\n\n")
    with pytest.raises(e.InternalServerError, match="upstream is gone"):
        client.stream(f"claude/{MODEL}", "hi").read()


def test_an_error_with_a_good_status(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json(error("overloaded_error", "Overloaded"))
    with pytest.raises(e.OverloadedError, match="Overloaded"):
        client.chat(f"claude/{MODEL}", "hi")
    with pytest.raises(e.APIError, match="Overloaded"):
        client.stream(f"claude/{MODEL}", "hi").read()


@pytest.mark.parametrize(
    ("status", "wish", "retryable"),
    [(529, "false", False), (400, "true", True), (529, "maybe", True), (413, None, False)],
)
def test_what_comes_from_the_edge(
    status: int,
    wish: str | None,
    retryable: bool,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    headers = {"x-should-retry": wish} if wish else {}
    httpserver.expect_request("/v1/messages").respond_with_data("<html>Too Large</html>", status, headers, "text/html")
    with pytest.raises(e.APIStatusError, match=f"status {status} and no JSON") as caught:
        client.chat(f"claude/{MODEL}", "hi")
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.hint


@pytest.mark.parametrize(("wish", "retryable"), [("false", False), ("true", True), (None, True)])
def test_the_servers_word_on_trying_again_counts(
    wish: str | None, *, retryable: bool, client: Client, httpserver: HTTPServer
) -> None:
    headers = {"x-should-retry": wish} if wish else {}
    httpserver.expect_request("/v1/messages").respond_with_json(error("api_error"), status=500, headers=headers)
    with pytest.raises(e.InternalServerError) as caught:
        client.chat(f"claude/{MODEL}", "hi")
    assert caught.value.retryable is retryable


WRONG_ANSWERS: list[Any] = [
    [],
    "text",
    None,
    {},
    {**ANSWER, "content": None},
    {**ANSWER, "content": "ho"},
    {**ANSWER, "content": ["ho"]},
    {**ANSWER, "content": [{}]},
    {**ANSWER, "content": [{"type": 1}]},
    {**ANSWER, "content": [{"type": "text"}]},
    {**ANSWER, "content": [{"type": "text", "text": 1}]},
    {**ANSWER, "content": [{"type": "text", "text": "a", "citations": 1}]},
    {**ANSWER, "content": [{"type": "tool_use", "name": "f", "input": {}}]},
    {**ANSWER, "content": [{"type": "tool_use", "id": "t", "input": {}}]},
    {**ANSWER, "usage": [1]},
    {**ANSWER, "usage": "x"},
    {**ANSWER, "usage": {"input_tokens": "5"}},
    {**ANSWER, "usage": {"output_tokens": 1.5}},
    {**ANSWER, "usage": {"output_tokens_details": "x"}},
    {**ANSWER, "stop_reason": ["a"]},
]


@pytest.mark.parametrize("body", WRONG_ANSWERS, ids=json.dumps)
def test_an_answer_of_another_form(body: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json(body)
    with pytest.raises(e.InvalidResponseError) as caught:
        client.chat(f"claude/{MODEL}", "hi")
    assert caught.value.status == 200


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}])
def test_usage_may_be_missing(usage: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages").respond_with_json({**ANSWER, "usage": usage})
    assert client.chat(f"claude/{MODEL}", "hi").usage == Usage()


WRONG_EVENTS: list[Any] = [
    {"type": "message_start"},
    {"type": "message_start", "message": []},
    {"type": "message_start", "message": {"usage": {"input_tokens": "x"}}},
    {"type": "content_block_start"},
    {"type": "content_block_start", "index": 0},
    {"type": "content_block_start", "index": "0", "content_block": TEXT},
    start(0, {}),
    start(0, {"type": "tool_use", "id": None, "name": "f"}),
    start(0, {"type": "tool_use", "id": "t", "name": 5}),
    {"type": "content_block_delta", "index": 0},
    delta(9, "text_delta", text="lost"),
    delta(None, "text_delta", text="lost"),
    delta([], "text_delta", text="lost"),
    {"type": "message_delta", "delta": "x"},
    finish(output_tokens="many"),
]


@pytest.mark.parametrize("event", WRONG_EVENTS, ids=json.dumps)
def test_an_event_of_another_form(event: Any, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START, event, finish(), STOP))
    with pytest.raises(e.InvalidResponseError):
        client.stream(f"claude/{MODEL}", "hi").read()


def test_a_piece_of_a_block_that_has_not_begun(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START, delta(9, "text_delta", text="lost"), finish(), STOP))
    with pytest.raises(e.InvalidResponseError, match="adds to a block 9 that it has not begun"):
        client.stream(f"claude/{MODEL}", "hi").read()


@pytest.mark.parametrize(
    "body", [{"error": {"code": 503, "message": "busy"}}, [{"error": {"code": 503, "message": "busy"}}]]
)
@pytest.mark.parametrize("frame", ["data: {}\n\n", "{}\n", "error: {}\n\n", "event: error\ndata: {}\n\n"])
def test_an_error_in_another_hosts_form(frame: str, body: Any, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START, *HO) + frame.format(json.dumps(body)))
    with pytest.raises(e.OverloadedError, match="busy") as caught:
        client.stream(f"claude/{MODEL}", "hi").read()
    assert caught.value.partial is not None
    httpserver.clear_all_handlers()
    httpserver.expect_request("/v1/messages").respond_with_json(body)
    with pytest.raises(e.OverloadedError, match="busy"):
        client.chat(f"claude/{MODEL}", "hi")


@pytest.mark.parametrize("frame", ["error: {}\n\n", "event: error\ndata: {}\n\n"])
def test_a_flat_error_says_its_sentence(frame: str, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START, *HO) + frame.format(json.dumps({"code": 503, "message": "busy"})))
    with pytest.raises(e.OverloadedError) as caught:
        client.stream(f"claude/{MODEL}", "hi").read()
    assert caught.value.message == "busy"


@pytest.mark.parametrize("place", ["message_delta", "its delta", "message_stop"])
def test_a_usage_that_is_whole_only_at_the_end(place: str, client: Client, httpserver: HTTPServer) -> None:
    used = {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 5, "server_time": 3}
    begun = {**START["message"], "usage": {"input_tokens": 0, "output_tokens": 0}}
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    (end if place == "message_delta" else end["delta"] if place == "its delta" else {})["usage"] = used
    last = {**STOP, "usage": used} if place == "message_stop" else STOP
    streaming(httpserver, sse({"type": "message_start", "message": begun}, *HO, end, last))
    answer = client.stream(f"claude/{MODEL}", "hi").read()
    assert (answer.usage.input_tokens, answer.usage.cached_input_tokens, answer.usage.output_tokens) == (9, 2, 5)
    assert answer.extra["server_time"] == 3
    assert "usage" not in answer.extra


def test_a_count_of_nothing_at_the_end_hides_none(client: Client, httpserver: HTTPServer) -> None:
    begun = {**START["message"], "usage": {"input_tokens": 7, "output_tokens": 1}}
    streaming(httpserver, sse({"type": "message_start", "message": begun}, *HO, finish(input_tokens=0), STOP))
    assert client.stream(f"claude/{MODEL}", "hi").read().usage.input_tokens == 7


@pytest.mark.parametrize(
    "block", [{"thinking": "", "signature": ""}, {"thinking": ""}, {}], ids=["signature", "text", "nothing"]
)
def test_an_empty_thought_is_one_whole_and_streamed(
    block: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    think = {"type": "thinking", **block}
    body = {**START["message"], "content": [think, {"type": "text", "text": "ho"}], "stop_reason": "end_turn"}
    signed = [delta(0, "signature_delta", signature="")] if block.get("signature") == "" else []
    text = [start(1, TEXT), delta(1, "text_delta", text="ho"), stop(1)]
    streaming(httpserver, sse(START, start(0, think), *signed, stop(0), *text, finish(), STOP))
    found = [client.stream(f"claude/{MODEL}", "hi").read()]
    httpserver.clear_all_handlers()
    httpserver.expect_request("/v1/messages").respond_with_json(body)
    found.append(client.chat(f"claude/{MODEL}", "hi"))
    assert [answer.message.content for answer in found] == [(Reasoning(text=""), Text(text="ho"))] * 2


def test_ids_that_are_numbers_are_texts(client: Client, httpserver: HTTPServer) -> None:
    use = {"type": "tool_use", "id": 12, "name": "f", "input": {}}
    body = {"id": 7, "type": "message", "role": "assistant", "model": "m", "content": [use], "stop_reason": "tool_use"}
    streaming(
        httpserver,
        sse(
            {"type": "message_start", "message": {**body, "content": []}},
            start(0, use),
            stop(0),
            finish("tool_use"),
            STOP,
        ),
    )
    found = [client.stream(f"claude/{MODEL}", "hi").read()]
    httpserver.clear_all_handlers()
    httpserver.expect_request("/v1/messages").respond_with_json(body)
    found.append(client.chat(f"claude/{MODEL}", "hi"))
    assert [(answer.id, answer.tool_calls[0].id) for answer in found] == [("7", "12")] * 2


@pytest.mark.parametrize("kind", ["text_delta", "citations_delta"])
@pytest.mark.parametrize("value", [None, 5, [], True])
def test_a_delta_of_another_form(kind: str, value: Any, client: Client, httpserver: HTTPServer) -> None:
    name = kind.removesuffix("_delta").removesuffix("s")
    streaming(httpserver, sse(START, start(0, TEXT), delta(0, kind, **{name: value}), stop(0), finish(), STOP))
    with pytest.raises(e.InvalidResponseError):
        client.stream(f"claude/{MODEL}", "hi").read()


def test_a_stream_that_is_no_json(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(START) + "event: content_block_delta\ndata: {\n\n")
    with pytest.raises(e.InvalidResponseError):
        client.stream(f"claude/{MODEL}", "hi").read()


def test_events_without_a_name_or_data_are_read_or_skipped(client: Client, httpserver: HTTPServer) -> None:
    bare = "".join(f"data: {json.dumps(event)}\n\n" for event in [START, *HO, finish(), STOP])
    streaming(httpserver, "event: ping\ndata:\n\n: comment\n\ndata: 5\n\n" + bare)
    assert client.stream(f"claude/{MODEL}", "hi").read().text == "ho"


OLLAMAS = "msg_0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("said", "context", "is_told"),
    [(OLLAMAS, 25, True), (OLLAMAS, 27, False), (OLLAMAS, None, False), ("msg_01XFDUDYJgAACzvnptvVoYEL", 25, None)],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_that_ollama_cut_is_told_of(
    said: str,
    context: int | None,
    is_told: bool | None,
    streamed: bool,
    client: Client,
    httpserver: HTTPServer,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """Its answers have ids of its own form; what has not is asked nothing, and another server once."""
    if context is None:
        httpserver.expect_request("/api/ps").respond_with_data(status=404)
    else:
        loaded = {"name": f"{MODEL}:latest", "context_length": context}
        httpserver.expect_request("/api/ps").respond_with_json({"models": [loaded]})
    if streamed:
        begun = {**START, "message": {**START["message"], "id": said}}
        streaming(httpserver, sse(begun, *HO, finish(), STOP))
    else:
        httpserver.expect_request("/v1/messages").respond_with_json({**ANSWER, "id": said})
    for _ in range(2):
        answer = client.stream("claude/m", "q").read() if streamed else client.chat("claude/m", "q")
        assert answer.text == "ho"
    asked = [request.path for request, _ in httpserver.log].count("/api/ps")
    assert asked == (0 if is_told is None else 1)
    told = [each for each in recwarn if f"fills the model's context of {context} tokens" in str(each.message)]
    assert bool(told) is bool(is_told)
