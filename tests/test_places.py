"""Pictures where a provider has texts alone are refused by name; batches and counts hold what they say and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, Message
from ipfs_accel import errors as e
from ipfs_accel.types import Image
from pytest_httpserver import HTTPServer

PNG = b"\x89PNG\r\n\x1a\n"
MODELS = {"claude": "claude-opus-5-5", "gemini": "gemini-3.5-flash", "groq": "qwen/qwen3.6-27b"}
BATCH = {"id": "b", "type": "message_batch", "processing_status": "ended", "created_at": "2026-08-21T20:48:10Z", "expires_at": "2026-08-22T20:48:10Z"}  # fmt: skip


def made(backend: str, httpserver: HTTPServer) -> Client:
    base = httpserver.url_for("").rstrip("/") + ("/v1beta" if backend == "gemini" else "")
    return Client(Config(), endpoints={"x": EndpointConfig(backend=backend, base_url=base, key="k")})


@pytest.mark.parametrize("backend", MODELS)
def test_a_picture_in_an_instruction(backend: str, httpserver: HTTPServer) -> None:
    messages = [Message(role="system", content=("a", Image(data=PNG))), Message.user("b")]
    with made(backend, httpserver) as client:
        for call in (client.chat, lambda *args: client.stream(*args).read()):
            with pytest.raises(
                e.InvalidRequestError, match=r"messages\[0\]: \w+ takes text .* role system, and no image"
            ):
                call(f"x/{MODELS[backend]}", messages)
    assert not httpserver.log


@pytest.mark.parametrize("more", [{"note": "x"}, {"retried": 5}, {"new": None}])
def test_counts_of_claudes_batches_are_those_of_its_states(more: dict[str, Any], httpserver: HTTPServer) -> None:
    counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 3, **more}
    httpserver.expect_request("/v1/messages/batches/b").respond_with_json({**BATCH, "results_url": "x", "request_counts": counts})  # fmt: skip
    lines = [json.dumps({"custom_id": f"c{index}", "result": {"type": "expired"}}) for index in range(3)]
    httpserver.expect_request("/v1/messages/batches/b/results").respond_with_data("\n".join(lines))
    with made("claude", httpserver) as client:
        assert client.get_batch("x", "b").total == 3
        with client.batch_results("x", "b") as results:
            assert len(list(results)) == 3


@pytest.mark.parametrize("code", [3, 8, 13])
def test_a_file_that_could_not_be_processed_is_an_answer(code: int, httpserver: HTTPServer) -> None:
    file = {"name": "files/x", "state": "FAILED", "error": {"code": code, "message": "m"}}
    httpserver.expect_request("/v1beta/files/x").respond_with_json(file)
    with made("gemini", httpserver) as client:
        assert client.get_file("x", "files/x").status == "FAILED"
    httpserver.clear()
    httpserver.expect_request("/v1beta/files/x").respond_with_json({"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}})  # fmt: skip
    with made("gemini", httpserver) as client, pytest.raises(e.BadRequestError):
        client.get_file("x", "files/x")


ANSWER = {"response": {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"}]}}  # fmt: skip


def gemini_batch(entries: list[Any]) -> dict[str, Any]:
    about = {"name": "batches/b", "state": "BATCH_STATE_SUCCEEDED", "batchStats": {"requestCount": "2"}}
    return {"name": "batches/b", "metadata": about, "done": True, "response": {"inlinedResponses": {"inlinedResponses": entries}}}  # fmt: skip


def test_results_without_keys_have_their_places(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/batches/b").respond_with_json(gemini_batch([ANSWER, {**ANSWER, "metadata": {"key": "k"}}]))  # fmt: skip
    with made("gemini", httpserver) as client, client.batch_results("x", "b") as results:
        assert [result.id for result in results] == ["0", "k"]


def test_no_result_is_not_all_of_two(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/batches/b").respond_with_json(gemini_batch([]))
    with made("gemini", httpserver) as client, pytest.raises(e.StreamIncomplete, match="none of the results of its 2"):
        client.batch_results("x", "b").read()


def test_what_a_count_does_not_take_is_not_sent(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/messages/count_tokens").respond_with_json({"input_tokens": 1})
    extra = {"fallbacks": [{"model": "m"}], "thread": {"id": "t"}, "tools": [{"type": "web_search"}]}
    with made("claude", httpserver) as client:
        client.count_tokens("x/claude-opus-5-5", "x", extra=extra)
    assert json.loads(httpserver.log[0][0].get_data()).keys() == {"model", "messages", "tools"}


TOKENS = [{"token": "a"}, {"logprob": -1.0}, "b", {"token": "c", "logprob": -0.5, "top_logprobs": [{"token": "d"}]}]


@pytest.mark.parametrize("backend", ["ollama", "openai"])
def test_a_token_without_number_loses_no_answer(backend: str, httpserver: HTTPServer) -> None:
    message = {"role": "assistant", "content": "a"}
    httpserver.expect_request("/api/chat").respond_with_json({"model": "m", "done": True, "done_reason": "stop", "message": message, "logprobs": TOKENS})  # fmt: skip
    httpserver.expect_request("/chat/completions").respond_with_json({"choices": [{"message": message, "logprobs": {"content": TOKENS}}]})  # fmt: skip
    with made(backend, httpserver) as client:
        found = client.chat("x/m", "x").choices[0].logprobs
    assert [(each.token, each.logprob, each.top) for each in found or ()] == [("c", -0.5, ())]


def test_models_of_ollama_under_either_name(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/tags").respond_with_json({"models": [{"model": "a"}, {"name": "b", "model": "b"}]})
    httpserver.expect_request("/api/ps").respond_with_json({"models": [{"model": "a"}]})
    with made("ollama", httpserver) as client:
        assert [model.id for model in client.list_models("x")] == ["a", "b"]
        assert [model.id for model in client.running_models("x")] == ["a"]


def test_sound_that_begins_like_a_picture_is_sound(httpserver: HTTPServer) -> None:
    sound = {"id": "s", "data": "/9j/AA==", "transcript": "hi"}
    reply = {"choices": [{"message": {"role": "assistant", "content": None, "audio": sound}}]}
    httpserver.expect_request("/chat/completions").respond_with_json(reply)
    with made("openai", httpserver) as client:
        message = client.chat("x/m", "x").message
        assert message.content[0].media_type == "audio/pcm"  # type: ignore[union-attr]
        client.chat("x/m", [Message.user("x"), message, Message.user("y")])
