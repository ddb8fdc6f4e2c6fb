"""Shortfin's LLM server: what it answers, what it refuses, and what makes it hang."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.types import FinishEvent, TextDelta
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def endpoint(httpserver: HTTPServer, **options: Any) -> EndpointConfig:
    url = httpserver.url_for("").rstrip("/")
    return EndpointConfig(backend="llvm", base_url=url, options={"server": "shortfin", **options})


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"lab": endpoint(httpserver, serves="tiny")}) as client:
        yield client


def generate(request: Request) -> Response:
    """Answer as the server does: equal prompts together, ids without their prompt, no content type."""
    body = json.loads(request.get_data())
    name = "text" if "text" in body else "input_ids"
    given = body[name]
    is_one = isinstance(given, str) or (name == "input_ids" and not isinstance(given[0], list))
    entries: dict[Any, list[dict[str, str]]] = {}
    for prompt in [given] if is_one else given:
        beams = body.get("sampling_params", {}).get("num_beams", 1)
        key = prompt if name == "text" else None
        entries.setdefault(key, []).extend({"text": f"{prompt}!{beam or ''}"} for beam in range(beams))
    answer = {"responses": [{"prompt": prompt, "responses": texts} for prompt, texts in entries.items()]}
    response = Response(json.dumps(answer))
    del response.headers["Content-Type"]
    return response


def sent(httpserver: HTTPServer) -> list[Any]:
    return [json.loads(request.get_data()) for request, _ in httpserver.log]


def test_a_text(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_handler(generate)
    reply = client.complete("lab/tiny", "a b", max_tokens=3, temperature=0.5, top_p=0.9, top_k=4)
    assert (reply.text, reply.finish_reason, reply.usage.input_tokens, reply.model) == ("a b!", None, None, "tiny")
    sampling = {"max_completion_tokens": 3, "temperature": 0.5, "top_p": 0.9, "top_k": 4}
    assert sent(httpserver) == [{"text": "a b", "sampling_params": sampling}]
    client.complete("lab/tiny", "a", extra={"rid": "7"})
    assert sent(httpserver)[-1] == {"text": "a", "rid": "7"}


@pytest.mark.parametrize(
    ("prompt", "n", "body", "texts"),
    [
        (["a", "b"], None, {"text": ["a", "b"]}, ["a!", "b!"]),
        (["a", "b", "a"], None, {"text": ["a", "b", "a"]}, ["a!", "b!", "a!"]),
        ("a", 2, {"text": ["a", "a"]}, ["a!", "a!"]),
        (["b", "a"], 2, {"text": ["b", "b", "a", "a"]}, ["b!", "b!", "a!", "a!"]),
        ([[1, 2], [3]], None, {"input_ids": [[1, 2], [3]]}, ["[1, 2]!", "[3]!"]),
        ([1, 2], None, {"input_ids": [1, 2]}, ["[1, 2]!"]),
    ],
)
def test_several_texts_come_back_in_their_order_and_n_is_never_sent(
    prompt: Any, n: int | None, body: dict[str, Any], texts: list[str], client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/generate").respond_with_handler(generate)
    reply = client.complete("lab/tiny", prompt, **({} if n is None else {"n": n}))
    assert [choice.text for choice in reply.choices] == texts
    assert sent(httpserver) == [body]


def test_beams_give_several_texts_each(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_handler(generate)
    reply = client.complete("lab/tiny", ["a", "b"], extra={"sampling_params": {"num_beams": 2}})
    assert [choice.text for choice in reply.choices] == ["a!", "a!1", "b!", "b!1"]


def test_options_that_it_ignores_are_named(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="seed, stop"):
        client.complete("lab/tiny", "a", seed=1, stop=["x"])
    with pytest.raises(e.InvalidRequestError, match="not both at once"):
        client.complete("lab/tiny", ["a", [1]])
    assert httpserver.log == []


FULL = {"error": "Server queue is full. Please try again later.", "code": "QUEUE_FULL", "max_size": 2}


def test_a_batch_beyond_the_queue_is_split_and_that_is_remembered(client: Client, httpserver: HTTPServer) -> None:
    def respond(request: Request) -> Response:
        given = json.loads(request.get_data())["text"]
        if isinstance(given, list) and len(given) > 2:
            return Response(json.dumps({**FULL, "current_size": 0}), 503)
        return generate(request)

    httpserver.expect_request("/generate").respond_with_handler(respond)
    prompts = ["a", "b", "c", "a", "d"]
    expected = [f"{prompt}!" for prompt in prompts]
    assert [choice.text for choice in client.complete("lab/tiny", prompts).choices] == expected
    assert [body["text"] for body in sent(httpserver)] == [prompts, ["a", "b"], ["c", "a"], "d"]
    httpserver.clear_log()
    assert [choice.text for choice in client.complete("lab/tiny", prompts).choices] == expected
    assert [body["text"] for body in sent(httpserver)] == [["a", "b"], ["c", "a"], "d"]


def test_a_batch_beyond_the_memory_is_split_for_this_once(client: Client, httpserver: HTTPServer) -> None:
    def respond(request: Request) -> Response:
        given = json.loads(request.get_data())["text"]
        if isinstance(given, list) and len(given) > 3:
            body = {"error": "x", "code": "KVCACHE_PAGES_FULL", "available_page": 7, "requested_page": 2 * len(given)}
            return Response(json.dumps(body), 503)
        return generate(request)

    httpserver.expect_request("/generate").respond_with_handler(respond)
    for _ in range(2):
        httpserver.clear_log()
        reply = client.complete("lab/tiny", ["a", "b", "c", "d"])
        assert [choice.text for choice in reply.choices] == ["a!", "b!", "c!", "d!"]
        assert [body["text"] for body in sent(httpserver)] == [["a", "b", "c", "d"], ["a", "b", "c"], "d"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "retryable"),
    [
        (503, {**FULL, "current_size": 2}, e.OverloadedError, "QUEUE_FULL", True),
        (503, {"error": "Not enough memory pages available.", "code": "KVCACHE_PAGES_FULL", "available_page": 16, "requested_page": 189}, e.OverloadedError, "KVCACHE_PAGES_FULL", True),
        (400, {"error": "top_k", "code": "INVALID_REQUEST_ARGS", "exported_topk": 1, "requested_topk": 4}, e.BadRequestError, "INVALID_REQUEST_ARGS", False),
        (422, {"detail": [{"loc": ["body", "text"], "msg": "wrong", "type": "x"}]}, e.UnprocessableEntityError, None, False),
    ],
)  # fmt: skip
def test_errors(
    status: int, body: Any, kind: type[e.APIError], code: str | None, retryable: bool, client: Client, httpserver: HTTPServer
) -> None:  # fmt: skip
    httpserver.expect_request("/generate").respond_with_json(body, status=status)
    with pytest.raises(e.APIStatusError) as caught:
        client.complete("lab/tiny", "a")
    assert (type(caught.value), caught.value.code, caught.value.retryable) == (kind, code, retryable)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("body", [b"Internal Server Error", b""])
def test_errors_without_json(body: bytes, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_data(body, status=500, content_type="text/plain")
    with pytest.raises(e.InternalServerError):
        client.complete("lab/tiny", "a")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"responses": []},
        {"responses": [{"prompt": "b", "responses": [{"text": "x"}]}]},
        {"responses": [{"prompt": "a", "responses": []}]},
        {"responses": [{"prompt": "a", "responses": [{}]}]},
    ],
)
def test_answers_of_another_form(answer: Any, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_json(answer)
    with pytest.raises(e.InvalidResponseError):
        client.complete("lab/tiny", "a")


def test_a_stream_is_one_piece_since_the_server_ignores_the_wish(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_handler(generate)
    with client.stream_complete("lab/tiny", ["a", "b"]) as stream:
        events = list(stream)
    assert [(event.text, event.choice) for event in events if isinstance(event, TextDelta)] == [("a!", 0), ("b!", 1)]
    assert isinstance(events[-1], FinishEvent)
    assert stream.response == client.complete("lab/tiny", ["a", "b"])
    assert all("stream" not in body for body in sent(httpserver))


def test_what_it_does_not_have(client: Client, httpserver: HTTPServer) -> None:
    for call in (
        lambda: client.chat("lab/tiny", "hi"),
        lambda: client.embed("lab/tiny", "a"),
        lambda: client.tokenize("lab/tiny", "a"),
        lambda: client.stream("lab/tiny", "hi").read(),
        lambda: client.predict("lab/tiny", [1]),
    ):
        with pytest.raises(e.UnsupportedOperationError, match="is shortfin, which has no"):
            call()
    assert httpserver.log == []


def test_models_and_health(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data(b"")
    (model,) = client.list_models("lab")
    assert (model.id, str(model.features["chat"]), model.features.get("complete")) == ("tiny", "no (hook)", None)
    assert str(client.supports("lab/tiny", "chat")) == "no (hook)"
    assert str(client.supports("lab/tiny", "complete")) == "yes (hook)"
    health = client.healthcheck("lab")
    assert (health.status, health.server) == ("ok", "shortfin")
    assert "hangs" in str(health.detail)
    with Client(endpoints={"lab": endpoint(httpserver)}) as other:
        assert other.list_models("lab") == ()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(anyio_backend: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/generate").respond_with_handler(generate)
    async with AsyncClient(endpoints={"lab": endpoint(httpserver)}) as client:
        assert (await client.complete("lab/", "a")).text == "a!"
        assert (await client.stream_complete("lab/", "a").read()).text == "a!"
