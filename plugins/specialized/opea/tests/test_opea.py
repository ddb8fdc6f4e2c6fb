"""Requests, and answers and streams in every form that OPEA's services have, over a server that records."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import Client, Config, EndpointConfig, Image, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel_opea._answers import Frames, StreamDecoder
from pytest_httpserver import HTTPServer

from conftest import sent

MEGA = {"id": "chatcmpl-1", "object": "chat.completion", "model": "chatqna", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "audio": None}, "finish_reason": "stop", "metadata": None}],
        "usage": {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0}}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n0"


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    endpoint = EndpointConfig(backend="opea", base_url=httpserver.url_for("/v1"))
    chatty = EndpointConfig(backend="opea", base_url=httpserver.url_for(""), options={"service": "chatqna"})
    with Client(Config(), endpoints={"x": endpoint, "qna": chatty}) as client:
        yield client


def sse(*data: str) -> str:
    return "".join(f"data: {each}\n\n" for each in data)


BODIES: list[tuple[str, Any, dict[str, Any], str, dict[str, Any]]] = [
    ("x/llm", "hi", {}, "/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "stream": False}),
    ("x/m", "hi", {"seed": 1, "stop": "a", "top_k": 3}, "/v1/chat/completions",
     {"model": "m", "messages": [{"role": "user", "content": "hi"}], "seed": 1, "stop": ["a"], "top_k": 3, "stream": False}),
    ("x/chatqna", "hi", {"max_tokens": 5}, "/v1/chatqna", {"messages": "hi", "max_tokens": 5, "stream": False}),
    ("qna/", "hi", {"extra": {"k": 8, "index_name": "docs"}}, "/v1/chatqna", {"messages": "hi", "k": 8, "index_name": "docs", "stream": False}),
    ("x/chatqna", [Message(role="developer", content="a"), "hi"], {}, "/v1/chatqna",
     {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "hi"}], "stream": False}),
    ("x/docsum", "long", {}, "/v1/docsum", {"messages": "long", "type": "text", "stream": False}),
    ("x/visualqna", Message.user("?", Image(url="https://x.test/a.png")), {}, "/v1/visualqna",
     {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}], "stream": False}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "messages", "options", "path", "body"), BODIES)
def test_what_is_sent(
    model: str, messages: Any, options: dict[str, Any], path: str, body: Any, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openapi.json").respond_with_json({"paths": {"/v1/chat/completions": {"post": {}}}})
    httpserver.expect_request(path).respond_with_json(MEGA)
    assert client.chat(model, messages, **options).text == "Hello"
    assert sent(httpserver) == body


REFUSED: list[dict[str, Any]] = [
    {"temperature": 0}, {"top_p": 0}, {"stop": "a"}, {"seed": 1}, {"n": 2}, {"logprobs": True},
    {"tools": [Tool(name="f")]}, {"response_format": "json"}, {"user": "u"}, {"logit_bias": {"1": 1}},
]  # fmt: skip


@pytest.mark.parametrize("options", REFUSED)
def test_what_a_megaservice_would_drop_or_replace_is_refused(options: dict[str, Any], client: Client) -> None:
    with pytest.raises(e.UnsupportedParameterError, match=next(iter(options))):
        client.chat("x/chatqna", "hi", **options)


def test_roles_that_a_megaservice_fails_on_are_refused(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match=r"messages\[1\].role: a megaservice knows no 'tool'"):
        client.chat("x/chatqna", ["hi", Message.tool("c", "17")])


@pytest.mark.parametrize(
    ("paths", "path"),
    [
        ({"/v1/chat/completions": {"post": {}}, "/v1/chatqna": {"post": {}}}, "/v1/chat/completions"),
        ({"/v1/graphrag": {"post": {}}}, "/v1/graphrag"),
        ({}, "/v1/chat/completions"),
    ],
)
def test_a_chat_goes_to_what_the_server_has(paths: Any, path: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openapi.json").respond_with_json({"paths": paths})
    httpserver.expect_request(path).respond_with_json(MEGA)
    assert client.chat("x/", "a").text == client.chat("x/", "b").text == "Hello"
    assert [request.path for request, _ in httpserver.log] == ["/openapi.json", path, path]


def test_a_server_without_a_list_of_paths_gets_chats_where_they_usually_go(
    client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openapi.json").respond_with_data("no", status=403)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(MEGA)
    assert client.chat("x/", "a").text == "Hello"


def test_a_service_that_takes_no_chats_says_what_it_has(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openapi.json").respond_with_json(
        {"paths": {"/v1/embeddings": {"post": {}}, "/x": {"get": {}}}}
    )
    with pytest.raises(e.UnsupportedOperationError) as caught:
        client.chat("x/", "a")
    assert "it has: /v1/embeddings;" in str(caught.value.hint)


WHOLE: list[Any] = [
    MEGA,
    {"choices": [{"text": "Hello", "finish_reason": "stop"}], "object": "text_completion"},
    {"id": "1", "text": "Hello", "prompt": "hi"},
    "Hello",
]


@pytest.mark.parametrize("body", WHOLE)
def test_every_form_of_a_whole_answer(body: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chatqna").respond_with_json(body)
    assert client.chat("x/chatqna", "hi").text == "Hello"
    assert client.stream("x/chatqna", "hi").read().text == "Hello"
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body)
    assert client.complete("x/llm", "hi").text == "Hello"


def patch(path: str, value: Any) -> str:
    return json.dumps({"ops": [{"op": "add", "path": path, "value": value}]})


STREAMS: dict[str, str] = {
    "chat chunks": sse('{"choices":[{"index":0,"delta":{"content":"Hé"}}]}', '{"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"stop"}]}', "[DONE]"),
    "text chunks": sse('{"choices":[{"index":0,"text":"Hé"}]}', '{"choices":[{"index":0,"text":"llo","finish_reason":"stop"}]}', "[DONE]"),
    "bytes": sse(r"b'H\xc3\xa9'", "b''", 'b"llo"', "[DONE]"),
    "bytes that are cut inside a letter": sse(r"b'H\xc3'", r"b'\xa9llo'", "[DONE]"),
    "log patches": sse(patch("/logs/a/streamed_output_str/-", "Hé"), patch("/logs/a/streamed_output/-", "Hé"), patch("/streamed_output/-", "Héllo"),
                       patch("/logs/a/streamed_output_str/-", "llo"), patch("/logs/a/streamed_output_str/-", "</s>"), patch("/final_output", {"output": "Héllo"}), "[DONE]"),
    "raw text": sse("Hé", "llo", "[DONE]"),
    "text in objects": sse('{"text": "Hé"}', '{"text": "llo"}', "[DONE]"),
    "lines that are no events": "--- CALL node ---\n" + sse("Hé", "llo", "[DONE]"),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_every_form_of_a_stream(name: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chatqna").respond_with_data(STREAMS[name], content_type="text/event-stream")
    with client.stream("x/chatqna", "hi") as stream:
        assert "".join(stream.text_stream) == "Héllo"
    assert stream.response.finish_reason == "stop"
    # Some services stream whatever they are asked for.
    assert client.chat("x/chatqna", "hi").text == "Héllo"


@given(st.text(min_size=1), st.integers(1, 7))
def test_bytes_come_through_whatever_is_in_them(text: str, size: int) -> None:
    raw = text.encode()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    frames, decode, out = Frames(), StreamDecoder(), chat_assembler()
    for event in frames.feed(sse(*map(repr, pieces), "[DONE]").encode()):
        decode(event, out)
    assert out.conclude().text == text


def test_a_guardrails_sentence_is_not_escaped(client: Client, httpserver: HTTPServer) -> None:
    body = sse("b'Violated policies: it's bad, please check your input.'", "[DONE]")
    httpserver.expect_request("/v1/chatqna").respond_with_data(body, content_type="text/event-stream")
    assert client.stream("x/chatqna", "hi").read().text == "Violated policies: it's bad, please check your input."


OVERFLOW = {"code": 400, "message": "the request exceeds the available context size", "type": "invalid_request_error"}
FAILED = [
    f"error: {json.dumps(OVERFLOW)}\n\n",
    f"error: {json.dumps(OVERFLOW)}\n\ndata: [DONE]\n\n",
    f"event: error\ndata: {json.dumps({'error': OVERFLOW})}\n\n",
    json.dumps({"error": OVERFLOW}),
    json.dumps({"error": OVERFLOW}, indent=2) + "\n",
    sse(json.dumps({"error": OVERFLOW})),
]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (sse("[DONE]"), e.InternalServerError),
        (sse("b'Hel'"), e.StreamIncomplete),
        (sse('{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":"stop"}]}'), e.StreamIncomplete),
        (sse('{"detail": "no"}'), e.InternalServerError),
        (sse('{"error": {"message": "no"}}'), e.InternalServerError),
        *[(body, e.ContextLengthExceededError) for body in FAILED],
        *[(sse("b'Hel'") + body, e.ContextLengthExceededError) for body in FAILED],
    ],
)
def test_streams_that_are_no_answer(body: str, kind: type[Exception], client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chatqna").respond_with_data(body, content_type="text/event-stream")
    with pytest.raises(kind):
        client.stream("x/chatqna", "hi").read()


ERRORS: list[tuple[int, Any, type[Exception], str]] = [
    (422, {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]}, e.UnprocessableEntityError, "body.messages: Field required"),
    (400, {"detail": "Must provide either a file or a string list."}, e.BadRequestError, "Must provide"),
    (500, "Internal Server Error", e.InternalServerError, "does not say why"),
    (429, {"detail": "slow"}, e.RateLimitError, "slow"),
    (502, "<html>Bad gateway</html>", e.InternalServerError, "HTML page"),
    (200, {"detail": "odd"}, e.InternalServerError, "odd"),
    (200, {"error": OVERFLOW}, e.ContextLengthExceededError, "available context"),
    (200, {"what": 1}, e.InvalidResponseError, "no text in any of the forms"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "message"), ERRORS)
def test_errors(
    status: int, body: Any, kind: type[Exception], message: str, client: Client, httpserver: HTTPServer
) -> None:
    if isinstance(body, str):
        httpserver.expect_request("/v1/chatqna").respond_with_data(body, status, content_type="text/plain")
    else:
        httpserver.expect_request("/v1/chatqna").respond_with_json(body, status)
    with pytest.raises(kind, match=message):
        client.chat("x/chatqna", "hi")


def test_reranking_asks_for_all_and_finds_the_places(client: Client, httpserver: HTTPServer) -> None:
    ranked = [{"text": "b", "score": 0.1}, {"text": "a", "score": 0.9}, {"text": "a", "score": 0.5}]
    httpserver.expect_request("/v1/reranking").respond_with_json({"reranked_docs": ranked})
    answer = client.rerank("x/", "q", ["a", "b", "a"])
    assert [(each.index, each.score, each.document) for each in answer.results] == [
        (0, 0.9, "a"),
        (2, 0.5, "a"),
        (1, 0.1, "b"),
    ]
    assert sent(httpserver) == {
        "input": "q",
        "retrieved_docs": [{"text": "a"}, {"text": "b"}, {"text": "a"}],
        "top_n": 3,
    }
    with pytest.raises(e.InvalidResponseError, match="was not sent"):
        client.rerank("x/", "q", ["c"])


def test_guardrails_block_with_status_200(client: Client, httpserver: HTTPServer) -> None:
    blocked = {
        "id": "1",
        "text": "Violated policies: S1, S2, please check your input.",
        "downstream_black_list": [".*"],
    }
    httpserver.expect_request("/v1/guardrails", json={"text": "bad"}).respond_with_json(blocked)
    httpserver.expect_request("/v1/guardrails", json={"text": "good"}).respond_with_json(
        {"id": "2", "text": "good", "downstream_black_list": []}
    )
    httpserver.expect_request("/v1/toxicity").respond_with_json({"text": "x"})
    first, second = client.moderate("x/", ["bad", "good"]).results
    assert (first.flagged, first.categories, second.flagged) == (True, {"S1": True, "S2": True}, False)
    with pytest.raises(e.InvalidResponseError, match="no judgement"):
        client.moderate("x/toxicity", "x")
    with pytest.raises(e.InvalidRequestError, match="judge texts"):
        client.moderate("x/", [Image(data=PNG)])


def test_sound_and_pictures(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/audio/transcriptions").respond_with_json({"text": "hello"})
    httpserver.expect_request("/v1/audio/speech").respond_with_data(b"RIFF\0\0\0\0WAVE", content_type="audio/mpeg")
    httpserver.expect_request("/v1/text2image").respond_with_json({"images": [base64.b64encode(PNG).decode()]})
    assert client.transcribe("x/", b"RIFF\0\0\0\0WAVE", language="english").text == "hello"
    assert client.speak("x/", "hello", voice="default").media_type == "audio/wav"
    assert client.generate_image("x/", "a cat", size="64x32", n=1, seed=3).images[0].data == PNG
    assert sent(httpserver) == {"prompt": "a cat", "width": 64, "height": 32, "num_images_per_prompt": 1, "seed": 3}
    with pytest.raises(e.InvalidRequestError, match="size: expected WIDTHxHEIGHT"):
        client.generate_image("x/", "a cat", size="big")


def test_the_calls(client: Client, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/v1/retrieval").respond_with_json({"retrieved_docs": [{"text": "a"}]})
    httpserver.expect_request("/v1/dataprep/ingest").respond_with_json({"status": 200})
    httpserver.expect_request("/v1/dataprep/get").respond_with_json([{"name": "a.txt"}])
    httpserver.expect_request("/v1/dataprep/delete").respond_with_json({"status": True})
    httpserver.expect_request("/v1/docsum").respond_with_json({"text": "short"})
    httpserver.expect_request("/v1/lvm").respond_with_json({"text": "a cat", "prompt": "?"})
    for path in ("/v1/codetrans", "/v1/translation"):
        httpserver.expect_request(path).respond_with_data(STREAMS["text chunks"], content_type="text/event-stream")
    source = tmp_path / "a.txt"
    source.write_text("text")
    assert client.call("x", "retrieve", text="q", embedding=[1.0])["retrieved_docs"] == [{"text": "a"}]
    assert sent(httpserver) == {"input": "q", "embedding": [1.0], "k": 4}
    assert client.call("x", "ingest", files=[source], links=["https://x.test"], extra={"chunk_size": 9}) == {
        "status": 200
    }
    form = httpserver.log[-1][0].get_data()
    assert b'name="files"; filename="a.txt"' in form
    assert b'name="link_list"\r\n\r\n["https://x.test"]' in form
    assert client.call("x", "documents") == [{"name": "a.txt"}]
    assert client.call("x", "delete_documents", path="all") == {"status": True}
    assert client.call("x", "summarize", files=source) == "short"
    assert client.call("x", "describe_image", image=PNG, prompt="?") == "a cat"
    assert client.call("x", "translate_code", source="a", language_from="Go", language_to="Python") == "Héllo"
    assert client.call("x", "translate_text", text="a", language_from="en", language_to="fr") == "Héllo"


def test_without_any_address_of_chats_it_says_so() -> None:
    services = {"options": {"services": {"embeddings": "http://127.0.0.1:9"}}}
    with Client(
        Config(), endpoints={"x": EndpointConfig(backend="opea", base_url="http://127.0.0.1:9", **services)}
    ) as client:
        assert client.healthcheck("x").status in {"unreachable", "unhealthy"}
        with pytest.raises(e.APIConnectionError):
            client.chat("x/", "hi")


@pytest.mark.parametrize("bad", ["http://[bad", "http://me:s3cret@embeddings"])
def test_a_service_whose_address_is_none_is_named_without_its_password(bad: str) -> None:
    services = {"options": {"services": {"embeddings": bad}}}
    with Client(Config(), endpoints={"x": EndpointConfig(backend="opea", **services)}) as client:
        with pytest.raises(e.ConfigError, match="endpoint 'x': where this request goes") as caught:
            client.embed("x/", "a")
        assert "s3cret" not in repr(caught.value)
        health = client.healthcheck("x")
        assert not health.ok
        assert "s3cret" not in repr(health)


def test_it_says_what_it_can_do(client: Client) -> None:
    can = client.capabilities("x")
    assert {name: can.supports(name).value for name in ("chat", "rerank", "tokenize")} == {
        "chat": "yes",
        "rerank": "yes",
        "tokenize": "no",
    }
    assert "ingest" in can.calls
