"""Groq's error answers: the class of each, whether to try again, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Response

BIG = "openai/gpt-oss-120b"
TPM = "Request too large for model `X` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again."
TPD = "Rate limit reached for model `X` in organization `org_1` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s."
GONE = "The model `llama-3.3-70b-versatile` has been decommissioned and is no longer supported."
ABSENT = "The model `openai/gpt-oss-12b` does not exist or you do not have access to it."


def error(message: str, kind: str | None = "invalid_request_error", code: str | None = None, **more: Any) -> Any:
    return {"error": {"message": message, "type": kind, "code": code, **more}}


BLOCKED = "<!DOCTYPE html><html><title>Access denied</title>error code: 1010</html>"
CASES: list[tuple[int, Any, type[e.APIStatusError], bool, str]] = [
    (400, error("bad"), e.BadRequestError, False, ""),
    (400, error("Failed to call a function.", code="tool_use_failed", failed_generation="<f>"), e.BadRequestError, True, "failed_generation"),
    (400, error("Failed to generate JSON.", code="json_validate_failed", failed_generation="{"), e.BadRequestError, True, "failed_generation"),
    (400, error(GONE, code="model_decommissioned"), e.ModelNotFoundError, False, "retired it by 2026-08-16; use 'openai/gpt-oss-120b'"),
    (400, error("Please reduce the length of the messages or completion.", code="context_length_exceeded", param="messages"), e.ContextLengthExceededError, False, ""),
    (400, error("The model `X` requires terms acceptance.", code="model_terms_required"), e.BadRequestError, False, "accept the model's terms"),
    (400, error("response_format `json_schema` does not support streaming"), e.BadRequestError, False, "use chat instead"),
    (400, error("response_format must be one of [flac mp3 mulaw ogg wav]"), e.BadRequestError, False, ""),
    (401, error("Invalid API Key", code="invalid_api_key"), e.AuthenticationError, False, ""),
    (403, error("no"), e.PermissionDeniedError, False, ""),
    (403, BLOCKED, e.PermissionDeniedError, False, "User-Agent"),
    (404, error(ABSENT, code="model_not_found"), e.ModelNotFoundError, False, "nearest models: openai/gpt-oss-120b, openai/gpt-oss-20b"),
    (404, error("Unknown request URL: POST /chat/completions.", code="unknown_url"), e.NotFoundError, False, "check the base URL"),
    (413, error(TPM, "tokens", "rate_limit_exceeded"), e.BadRequestError, False, "shorten the messages"),
    (413, "<html>413 Request Entity Too Large</html>", e.BadRequestError, False, "shorten the messages"),
    (422, error("no"), e.UnprocessableEntityError, False, ""),
    (424, error("MCP server: 401"), e.APIStatusError, False, "MCP server"),
    (429, error(TPD, "tokens", "rate_limit_exceeded"), e.RateLimitError, True, ""),
    (498, error("capacity", None, "capacity_exceeded"), e.OverloadedError, True, "the flex tier is full"),
    (499, error("closed"), e.APIStatusError, False, ""),
    (500, error("oops", "internal_server_error"), e.InternalServerError, True, ""),
    (502, "<html>Bad gateway</html>", e.InternalServerError, True, ""),
    (503, error("busy", "service_unavailable"), e.OverloadedError, True, ""),
    (524, "<html>A timeout occurred</html>", e.InternalServerError, True, ""),
]  # fmt: skip


@pytest.fixture
def client(httpserver: HTTPServer) -> Client:
    return Client(endpoints={"groq": EndpointConfig(base_url=httpserver.url_for(""), key="gsk_test_0123456789")})


@pytest.mark.parametrize(("status", "body", "kind", "retryable", "hint"), CASES)
def test_an_error_answer(
    status: int,
    body: Any,
    kind: type[e.APIStatusError],
    retryable: bool,
    hint: str,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    text, content_type = (body, "text/html") if isinstance(body, str) else (json.dumps(body), "application/json")
    response = Response(text, status, content_type=content_type, headers={"x-request-id": "req_01kh"})
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_response(response)
    with client:
        for call in (client.chat, lambda *given: client.stream(*given).read()):
            with pytest.raises(e.APIStatusError) as caught:
                call(f"groq/{BIG}", "hi")
            found = caught.value
            assert type(found) is kind
            assert (found.status, found.retryable, found.request_id) == (status, retryable, "req_01kh")
            assert hint in (found.hint or "")
            if isinstance(body, dict):
                assert found.code == (body["error"]["code"] or body["error"]["type"])
                assert found.body == body


def test_how_long_to_wait_is_told_however_long(client: Client, httpserver: HTTPServer) -> None:
    route = "/openai/v1/chat/completions"
    body = error(TPD, "tokens", "rate_limit_exceeded")
    httpserver.expect_ordered_request(route).respond_with_json(body, 429, {"retry-after": "1203"})
    httpserver.expect_ordered_request(route).respond_with_json(body, 429)
    for seconds in (1203, 578.016):
        with pytest.raises(e.RateLimitError, match="tokens per day") as caught:
            client.chat(f"groq/{BIG}", "hi")
        assert caught.value.retry_after == pytest.approx(seconds)
    client.close()


@pytest.mark.parametrize(
    ("status", "wish", "retryable"), [(500, "false", False), (400, "true", True), (500, "x", True)]
)
def test_the_server_may_say_itself_whether_to_try_again(
    status: int, wish: str, retryable: bool, client: Client, httpserver: HTTPServer
) -> None:
    route = "/openai/v1/chat/completions"
    httpserver.expect_request(route).respond_with_json(error("no"), status, {"x-should-retry": wish})
    with client, pytest.raises(e.APIStatusError) as caught:
        client.chat(f"groq/{BIG}", "hi")
    assert caught.value.retryable is retryable


def test_a_key_that_an_error_repeats_is_masked(client: Client, httpserver: HTTPServer) -> None:
    body = error("Invalid API Key gsk_test_0123456789", code="invalid_api_key")
    httpserver.expect_request("/openai/v1/models").respond_with_json(body, 401)
    with client, pytest.raises(e.AuthenticationError) as caught:
        client.list_models("groq")
    assert "gsk_test" not in repr(caught.value) + str(caught.value.body)
