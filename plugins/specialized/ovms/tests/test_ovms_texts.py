"""Texts by OVMS's form of OpenAI's dialect, after its documentation and sources: a server that records and answers so."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipfs_accel import AsyncClient, Client, EndpointConfig, Image, JsonSchema, Message
from ipfs_accel import errors as e
from ipfs_accel.types import FinishEvent, ReasoningDelta, TextDelta, UsageEvent
from ipfs_accel.wire.assembler import build_chat
from ipfs_accel_ovms._streams import Trimming
from pytest_httpserver import HTTPServer
from werkzeug import Response

from conftest import sent

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
PNG = b"\x89PNG\r\n\x1a\n0"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
# No id and no system_fingerprint.
CHAT = {
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "logprobs": None,
            "message": {"content": "Hi there", "reasoning_content": "Hm", "role": "assistant", "tool_calls": []},
        }
    ],
    "created": 1,
    "model": "m",
    "object": "chat.completion",
    "usage": USAGE,
}


def chunk(delta: dict[str, Any], reason: str | None = None, usage: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return {"choices": [choice], "created": 1, "model": "m", "object": "chat.completion.chunk", "usage": usage}


FIRST = chunk({"role": "assistant", "content": None})
LAST = {"choices": [], "created": 1, "model": "m", "object": "chat.completion.chunk", "usage": USAGE}


def streamed(*parts: Any, done: bool = True) -> Response:
    text = "".join([f"data: {json.dumps(part)}\n\n" if isinstance(part, dict) else part for part in parts])
    return Response(text + ("data: [DONE]\n\n" if done else ""), content_type="text/event-stream")


def texts(pieces: list[str], reason: str = "stop") -> Response:
    return streamed(FIRST, *[chunk({"content": piece}) for piece in pieces], chunk({}, reason), LAST)


def endpoints(server: HTTPServer, suffix: str = "", **config: Any) -> dict[str, EndpointConfig]:
    url = server.url_for("").rstrip("/") + suffix
    return {"o": EndpointConfig(backend="ovms", base_url=url, **config)}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints=endpoints(httpserver)) as client:
        yield client


def chatting(server: HTTPServer, answer: Any = None, path: str = "/v3/chat/completions") -> None:
    answer = CHAT if answer is None else answer
    response = answer if isinstance(answer, Response) else Response(json.dumps(answer), content_type="application/json")
    server.expect_request(path, method="POST").respond_with_response(response)


def test_a_chat(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver)
    reply = client.chat("o/m", [Message.system("Be brief."), "Hi"])

    assert sent(httpserver) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    }
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hi there", "Hm", "stop")
    assert (reply.id, reply.model, reply.usage.total_tokens) == (None, "m", 7)


@pytest.mark.parametrize(
    ("suffix", "config", "path"),
    [
        ("", {}, "/v3/chat/completions"),
        ("/v3", {}, "/v3/chat/completions"),
        ("/v3/v1", {}, "/v3/v1/chat/completions"),
        ("/v1", {}, "/v1/chat/completions"),
        ("", {"options": {"openai_path": "/v1"}}, "/v1/chat/completions"),
    ],
)
def test_where_the_dialect_is(suffix: str, config: dict[str, Any], path: str, httpserver: HTTPServer) -> None:
    chatting(httpserver, path=path)
    with Client(endpoints=endpoints(httpserver, suffix, **config)) as client:
        assert client.chat("o/m", "Hi").text == "Hi there"


def test_the_place_of_tensors_has_no_chats(httpserver: HTTPServer) -> None:
    with (
        Client(endpoints=endpoints(httpserver, "/v2")) as client,
        pytest.raises(e.InvalidRequestError, match="is the place of tensors only"),
    ):
        client.chat("o/m", "Hi")
    assert httpserver.log == []


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "seed": 4294967295, "n": 2},
     {"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "seed": 4294967295, "n": 2}),
    ({"stop": "a", "frequency_penalty": 1.0, "presence_penalty": -1.0, "logprobs": True},
     {"stop": ["a"], "frequency_penalty": 1.0, "presence_penalty": -1.0, "logprobs": True}),
    ({"response_format": JsonSchema(schema=SCHEMA, name="r")},
     {"response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": SCHEMA}}}),
    ({"response_format": "json"},
     {"response_format": {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}}),
    ({"response_format": "text"}, {}),
    ({"response_format": "json", "extra": {"response_format": {"type": "structural_tag"}}}, {"response_format": {"type": "structural_tag"}}),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}], "tool_choice": "f"},
     {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
]  # fmt: skip
_OWN = {
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "best_of": 2,
    "length_penalty": 1.0,
    "ignore_eos": True,
    "include_stop_str_in_output": True,
    "chat_template_kwargs": {"enable_thinking": False},
    "skip_special_tokens": False,
    "num_assistant_tokens": 3,
    "assistant_confidence_threshold": 0.4,
    "max_ngram_size": 3,
    "modalities": ["text", "audio"],
    "audio": {"voice": "v", "format": "wav"},
}
OPTIONS.append(({"extra": _OWN}, _OWN))


@pytest.mark.parametrize(("options", "expected"), OPTIONS, ids=[", ".join(each[0]) for each in OPTIONS])
def test_options_of_a_chat(
    options: dict[str, Any], expected: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    chatting(httpserver)
    client.chat("o/m", "Hi", **options)

    assert sent(httpserver) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **expected}


REFUSED: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    (name, lambda client, **options: client.chat("o/m", "Hi", **options), {name: value})
    for name, value in (
        ("logit_bias", {"1": 1.0}),
        ("top_logprobs", 2),
        ("user", "u"),
        ("parallel_tool_calls", False),
        ("reasoning_effort", "low"),
    )
]
REFUSED += [
    ("suffix", lambda client, **options: client.complete("o/m", "Hi", **options), {"suffix": "x"}),
    ("user", lambda client, **options: client.stream_complete("o/m", "Hi", **options).read(), {"user": "u"}),
    ("dimensions", lambda client, **options: client.embed("o/m", "Hi", **options), {"dimensions": 8}),
    ("user", lambda client, **options: client.stream("o/m", "Hi", **options).read(), {"user": "u"}),
]


@pytest.mark.parametrize(("name", "ask", "options"), REFUSED)
def test_what_the_server_does_not_know_is_not_sent(
    name: str, ask: Callable[..., Any], options: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.UnsupportedParameterError, match=name):
        ask(client, **options)
    assert httpserver.log == []


def test_or_left_out_if_the_caller_wants_that(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver)
    with pytest.warns(UserWarning, match="'ovms' cannot honour: user"):
        client.chat("o/m", "Hi", user="u", on_unsupported="warn")

    assert "user" not in sent(httpserver)


def test_a_picture_goes_as_a_data_uri(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver)
    client.chat("o/m", Message.user("What?", Image(data=PNG)))

    _, picture = sent(httpserver)["messages"][0]["content"]
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def test_a_streamed_chat_is_the_whole_one(client: Client, httpserver: HTTPServer) -> None:
    chatting(
        httpserver,
        streamed(
            FIRST,
            chunk({"reasoning_content": "Hm"}),
            chunk({"content": "Hi "}),
            chunk({"content": "there"}),
            chunk({}, "stop"),
            LAST,
        ),
    )
    with client.stream("o/m", "Hi") as stream:
        events = list(stream)
    assert sent(httpserver)["stream_options"] == {"include_usage": True}
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["Hm"]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hi ", "there"]
    assert isinstance(events[-2], UsageEvent)
    assert events[-1] == FinishEvent(finish_reason="stop", finish_reasons=("stop",))

    httpserver.clear()
    chatting(httpserver)
    whole = client.chat("o/m", "Hi")
    assert (stream.response.choices, stream.response.usage, stream.response.model) == (whole.choices, whole.usage, "m")


def test_a_streamed_call_of_a_tool(client: Client, httpserver: HTTPServer) -> None:
    def call(function: dict[str, Any], **more: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": 0, "function": function, **more}]})

    chatting(
        httpserver,
        streamed(
            FIRST,
            chunk({"content": "en"}),
            call({"name": "f"}, id="x1", type="function"),
            call({"arguments": '{"a":'}),
            call({"arguments": " 1}"}),
            chunk({}, "tool_calls"),
            LAST,
        ),
    )
    reply = client.stream("o/m", "Hi", stop="end").read()
    assert (reply.text, reply.tool_calls[0].id, reply.tool_calls[0].arguments) == ("en", "x1", '{"a": 1}')
    assert [type(part).__name__ for part in reply.message.content] == ["Text", "ToolCall"]


# In a stream OVMS leaves the stop text in.

STOPS: list[tuple[list[str], str, str]] = [
    (["One", "END"], "stop", "One"),
    (["One", "E", "N", "D"], "stop", "One"),
    (["OneEND"], "stop", "One"),
    (["OneE", "xEND"], "stop", "OneEx"),
    (["One", "EN"], "stop", "OneEN"),
    (["One", "END"], "length", "OneEND"),
    (["EENEND"], "stop", "EEN"),
    (["END"], "stop", ""),
]


@pytest.mark.parametrize(("pieces", "reason", "expected"), STOPS)
def test_the_stop_text_is_no_part_of_a_streamed_answer(
    pieces: list[str], reason: str, expected: str, client: Client, httpserver: HTTPServer
) -> None:
    chatting(httpserver, texts(pieces, reason))
    with client.stream("o/m", "Hi", stop=["END", "\n\n"]) as stream:
        assert "".join(stream.text_stream) == expected
    assert (stream.response.text, stream.response.finish_reason) == (expected, reason)


def test_unless_it_is_wanted_there(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver, texts(["One", "END"]))
    reply = client.stream("o/m", "Hi", stop="END", extra={"include_stop_str_in_output": True}).read()

    assert reply.text == "OneEND"


@given(st.lists(st.text("abc", max_size=4), max_size=8), st.lists(st.text("abc", min_size=1, max_size=3), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_the_stop_text_is_lost(pieces: list[str], stop: list[str]) -> None:
    out = Trimming(build_chat, tuple(stop))
    for piece in pieces:
        out.text(piece)
    out.finish("length")
    out.done()

    assert out.conclude().text == "".join(pieces)


def test_what_was_held_back_is_in_what_came_of_a_cut_stream(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver, streamed(FIRST, chunk({"content": "One E"}), done=False))
    with pytest.raises(e.StreamIncomplete) as caught:
        client.stream("o/m", "Hi", stop="END").read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One E"


# Errors are texts, and within a stream no events.


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, "Mediapipe graph definition with requested name is not found", e.ModelNotFoundError),
        (404, "Mediapipe is not loaded yet", e.OverloadedError),
        (412, "The file is not valid json - model field is missing in JSON body", e.BadRequestError),
        (406, "Unsupported method", e.APIStatusError),
        (500, "Unauthorized request due to invalid or missing api-key", e.AuthenticationError),
        (400, "Mediapipe execution failed. MP status - INVALID_ARGUMENT: seed must be in range", e.BadRequestError),
        (400, "Mediapipe execution failed. MP status - INVALID_ARGUMENT: Number of prompt tokens: 9 exceeds model max length: 8", e.ContextLengthExceededError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_an_error_before_the_first_byte(
    status: int, text: str, kind: type[e.APIStatusError], client: Client, httpserver: HTTPServer, *, is_stream: bool
) -> None:
    httpserver.expect_request("/v3/chat/completions").respond_with_json({"error": text}, status)
    with pytest.raises(kind) as caught:
        client.stream("o/m", "Hi").read() if is_stream else client.chat("o/m", "Hi")
    assert (caught.value.message, caught.value.status) == (text, status)
    assert caught.value.retryable is (kind is e.OverloadedError)


IN_STREAM: list[tuple[str, type[Exception], str]] = [
    ('{"error":"Mediapipe execution failed. MP status - INVALID_ARGUMENT: too long"}', e.BadRequestError, "INVALID_ARGUMENT: too long"),
    ('{"error": "it says \\"no\\""}\n\n', e.InternalServerError, 'it says "no"'),
    ('{"error":"cut', e.InternalServerError, "cut"),
    ('{\n  "error": "Number of prompt tokens: 9 exceeds model max length: 8"\n}\n', e.ContextLengthExceededError, "prompt tokens: 9"),
    ('error: {"message": "Number of prompt tokens: 9 exceeds model max length: 8"}\n\n', e.ContextLengthExceededError, "prompt tokens: 9"),
    ('{"error":"Unauthorized request due to invalid or missing api-key"}', e.AuthenticationError, "Unauthorized"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "message"), IN_STREAM)
@pytest.mark.parametrize("head", [[], [FIRST, chunk({"content": "Hi"})]], ids=["at once", "later"])
def test_an_error_within_a_stream_is_no_event_and_is_seen(
    head: list[Any], text: str, kind: type[Exception], message: str, client: Client, httpserver: HTTPServer
) -> None:
    chatting(httpserver, streamed(*head, text, done=False))
    with pytest.raises(kind) as caught:
        client.stream("o/m", "Hi").read()
    assert message in str(caught.value)
    if head:
        assert caught.value.partial.text == "Hi"  # type: ignore[attr-defined]


def test_a_cut_stream_is_no_answer(client: Client, httpserver: HTTPServer) -> None:
    chatting(httpserver, streamed(FIRST, chunk({"content": "Hi"}), done=False))
    with pytest.raises(e.StreamIncomplete):
        client.stream("o/m", "Hi").read()


# Other texts.


def test_completions(client: Client, httpserver: HTTPServer) -> None:
    choice = {"text": "upon a time", "index": 0, "finish_reason": "length", "logprobs": None}
    body = {"choices": [choice], "created": 1, "model": "m", "object": "text_completion", "usage": USAGE}
    httpserver.expect_oneshot_request("/v3/completions").respond_with_json(body)
    whole = client.complete("o/m", "Once", max_tokens=3, echo=False, logprobs=1, top_k=2, extra={"min_p": 0.1})
    assert sent(httpserver) == {
        "model": "m",
        "prompt": "Once",
        "max_tokens": 3,
        "echo": False,
        "logprobs": 1,
        "top_k": 2,
        "min_p": 0.1,
    }

    pieces = [{**body, "choices": [{**choice, "text": text, "finish_reason": reason}], "usage": None}
              for text, reason in (("upon ", None), ("a time", None), ("STOP", "stop"))]  # fmt: skip
    chatting(httpserver, streamed(*pieces, {**body, "choices": []}), "/v3/completions")
    with client.stream_complete("o/m", "Once", stop="STOP") as stream:
        assert "".join(stream.text_stream) == "upon a time"
    assert stream.response.text == whole.text == "upon a time"
    assert stream.response.usage == whole.usage


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2]])
def test_a_completion_has_one_text(prompt: Any, client: Client, httpserver: HTTPServer) -> None:
    for ask in (client.complete, lambda *values: client.stream_complete(*values).read()):
        with pytest.raises(e.InvalidRequestError, match="prompt: this server takes one text at a time"):
            ask("o/m", prompt)
    assert httpserver.log == []


@pytest.mark.parametrize("encoded", [True, False])
def test_embeddings(client: Client, httpserver: HTTPServer, *, encoded: bool) -> None:
    vectors = [[0.5, 1.0], [2.0, 0.25]]
    data = [
        {"embedding": base64.b64encode(struct.pack("<2f", *vector)).decode() if encoded else vector, "index": index}
        for index, vector in enumerate(vectors)
    ]
    body = {"data": data, "model": "m", "object": "list", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    httpserver.expect_request("/v3/embeddings").respond_with_json(body)
    answer = client.embed("o/m", ["a", "b"])

    assert sent(httpserver) == {"model": "m", "input": ["a", "b"], "encoding_format": "base64"}
    assert [list(vector) for vector in answer.vectors] == vectors
    assert answer.usage.input_tokens == 4


def test_embeddings_are_of_texts(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match="inputs: this server takes texts, no token ids"):
        client.embed("o/m", [[1, 2]])
    assert httpserver.log == []


def test_rerank(client: Client, httpserver: HTTPServer) -> None:
    results = [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9, "document": "c"}]
    httpserver.expect_request("/v3/rerank").respond_with_json({"results": results})
    answer = client.rerank("o/m", "q", ["a", "b", "c"], top_n=2, extra={"return_documents": True})

    assert sent(httpserver) == {
        "model": "m",
        "query": "q",
        "documents": ["a", "b", "c"],
        "top_n": 2,
        "return_documents": True,
    }
    assert [(each.index, each.score, each.document) for each in answer.results] == [(2, 0.9, "c"), (0, 0.1, "a")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"results": [{"index": 3, "relevance_score": 1}]}, r"results\[0\]: its index is 3, and there are 1"),
        ({"results": [{"index": -1, "relevance_score": 1}]}, "its index is -1"),
        ({"results": [{"index": 0}]}, "'relevance_score' is null or missing instead of a finite number"),
        ({"results": []}, "ranks 0 documents, and 1 were asked for"),
        ({}, "'results' is missing"),
    ],
)
def test_a_broken_ranking_is_a_clear_error(body: Any, message: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/rerank").respond_with_json(body)
    with pytest.raises(e.InvalidResponseError, match=message):
        client.rerank("o/m", "q", ["a"])


def test_tokenize(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v3/tokenize").respond_with_json({"tokens": [1, 15]})
    httpserver.expect_ordered_request("/v3/tokenize").respond_with_json({"tokens": [[1], [15]]})

    assert client.tokenize("o/m", "hi", extra={"max_length": 9}).tokens == (1, 15)
    assert sent(httpserver) == {"model": "m", "text": "hi", "add_special_tokens": False, "max_length": 9}
    with pytest.raises(e.InvalidResponseError, match="no list of numbers"):
        client.tokenize("o/m", "hi", add_special=True)
    assert sent(httpserver)["add_special_tokens"] is True


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.chat("o/", "Hi"),
        lambda client: client.stream("o/", "Hi").read(),
        lambda client: client.complete("o/", "Hi"),
        lambda client: client.embed("o/", "Hi"),
        lambda client: client.rerank("o/", "q", ["a"]),
        lambda client: client.tokenize("o/", "a"),
        lambda client: client.generate_image("o/", "a"),
        lambda client: client.transcribe("o/", b"RIFF"),
        lambda client: client.speak("o/", "a"),
    ],
)
def test_the_server_wants_to_know_the_model(ask: Callable[[Client], Any], client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="model: this server needs one"):
        ask(client)


# The Responses API.

RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "status": "completed",
    "model": "m",
    "error": None,
    "incomplete_details": None,
    "output": [
        {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
        {"type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    "store": True,
}  # fmt: skip
CUT = {
    **RESPONSE,
    "status": "incomplete",
    "incomplete_details": {"reason": "max_tokens"},
    "output": RESPONSE["output"][:2],
}  # type: ignore[index]


@pytest.mark.parametrize(("body", "reason"), [(RESPONSE, "tool_calls"), (CUT, "length")])
def test_responses(body: Any, reason: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v3/responses").respond_with_json(body)
    answer = client.call("o", "responses", model="m", input="Hi", max_output_tokens=5, reasoning={"effort": "low"})

    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Hi", "Hm", reason)
    assert (answer.usage.total_tokens, answer.raw) == (7, body)
    assert sent(httpserver) == {
        "model": "m",
        "input": "Hi",
        "max_output_tokens": 5,
        "reasoning": {"effort": "low"},
        "stream": False,
    }


def test_streamed_responses(client: Client, httpserver: HTTPServer) -> None:
    items: list[Any] = RESPONSE["output"]  # type: ignore[assignment]
    events = [
        {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "Hm"},
        {"type": "response.output_item.done", "output_index": 0, "item": items[0]},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": items[1]},
        {"type": "response.output_item.added", "output_index": 2, "item": {**items[2], "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"},
        {"type": "response.output_item.done", "output_index": 2, "item": items[2]},
        {"type": "response.completed", "response": RESPONSE},
    ]
    chatting(httpserver, streamed(*events), "/v3/responses")
    with client.stream_call("o", "stream_responses", model="m", input="Hi") as stream:
        texts = [event.text for event in stream if isinstance(event, ReasoningDelta | TextDelta)]
    assert texts == ["Hm", "Hi"]
    assert sent(httpserver)["stream"] is True

    httpserver.clear()
    httpserver.expect_request("/v3/responses").respond_with_json(RESPONSE)
    assert stream.response.choices == client.call("o", "responses", model="m", input="Hi").choices


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "it broke"}}}, e.InternalServerError),
        ('{"error":"it broke"}', e.InternalServerError),
        ("", e.StreamIncomplete),
    ],
)  # fmt: skip
def test_streamed_responses_that_fail(end: Any, kind: type[Exception], client: Client, httpserver: HTTPServer) -> None:
    chatting(
        httpserver, streamed({"type": "response.output_text.delta", "delta": "Hi"}, end, done=False), "/v3/responses"
    )
    with pytest.raises(kind, match=None if kind is e.StreamIncomplete else "it broke"):
        client.stream_call("o", "stream_responses", model="m", input="Hi").read()


def test_the_same_awaited(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/v3/chat/completions").respond_with_json(CHAT)
    httpserver.expect_request("/v3/rerank").respond_with_json({"results": [{"index": 0, "relevance_score": 0.5}]})
    httpserver.expect_request("/v3/responses").respond_with_json(RESPONSE)
    chatting(httpserver, texts(["Hi ", "there", "END"]))

    async def run() -> None:
        async with AsyncClient(endpoints=endpoints(httpserver)) as client:
            assert (await client.chat("o/m", "Hi")).text == "Hi there"
            async with client.stream("o/m", "Hi", stop="END") as stream:
                assert (await stream.read()).text == "Hi there"
            assert (await client.rerank("o/m", "q", ["a"])).results[0].score == 0.5
            assert (await client.call("o", "responses", model="m", input="Hi")).text == "Hi"
            httpserver.clear()
            chatting(httpserver, streamed(FIRST, '{"error":"it broke"}', done=False))
            with pytest.raises(e.InternalServerError, match="it broke"):
                await client.stream("o/m", "Hi").read()

    anyio.run(run)
