"""Errors of OpenAI's dialect, as the many servers write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import errors as e
from ipfs_accel._headers import Headers
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked, error_in_body, read_error


def read(status: int, value: Any) -> ErrorDetail:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_error(HttpResponse(status=status, headers=Headers([]), body=body))


def kind(status: int, value: Any) -> type[e.APIStatusError]:
    return read(status, value).kind or e.class_for_status(status)


def error(message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


CLASSES: list[tuple[type[e.APIStatusError], int, Any]] = [
    (e.AuthenticationError, 401, error(type="invalid_request_error", param=None, code="invalid_api_key")),
    (e.AuthenticationError, 401, error(type="invalid_request_error", code=None)),
    (e.AuthenticationError, 401, {"error": "Unauthorized"}),
    (e.AuthenticationError, 401, {"detail": "Invalid API Key"}),
    (e.PermissionDeniedError, 403, error(code="unsupported_country_region_territory")),
    (e.BadRequestError, 400, error(type="invalid_request_error", code="unsupported_parameter", param="max_tokens")),
    (e.BadRequestError, 400, error(type="BadRequestError", code=400)),
    (e.ContextLengthExceededError, 400, error(type="invalid_request_error", code="context_length_exceeded")),
    (e.ContextLengthExceededError, 400, error(type="exceed_context_size_error", code=400, n_prompt_tokens=9, n_ctx=4)),
    (
        e.ContextLengthExceededError,
        400,
        error("This model's maximum context length is 2048 tokens. However, …", type="BadRequestError", code=400),
    ),
    (e.ContentFilterError, 400, error(code="content_policy_violation")),
    (e.ContentFilterError, 400, error(type="image_generation_user_error", code="moderation_blocked")),
    (e.ContentFilterError, 400, error(code="content_filter")),
    (e.NotFoundError, 404, error("File Not Found", type="not_found_error", code=404)),
    (e.NotFoundError, 404, error("Invalid URL (POST /v1/x)", type="invalid_request_error", code=None)),
    (e.ModelNotFoundError, 404, error(type="invalid_request_error", code="model_not_found")),
    (e.ModelNotFoundError, 404, error("The model `x` does not exist.", type="NotFoundError", param="model", code=404)),
    (e.UnprocessableEntityError, 422, {"detail": [{"loc": ["body", "n"], "msg": "bad", "type": "int_type"}]}),
    (e.RateLimitError, 429, error(type="tokens", code="rate_limit_exceeded")),
    (e.RateLimitError, 429, error(type="rate_limit_error", code="slow_down")),
    (e.RateLimitError, 429, b""),
    (e.QuotaExceededError, 429, error(type="insufficient_quota", code="insufficient_quota")),
    (e.QuotaExceededError, 429, error(type="insufficient_quota", code="credit_balance_exhausted")),
    (e.QuotaExceededError, 429, error(type="insufficient_quota", code="some_new_limit")),
    (e.InternalServerError, 500, error(type="server_error", code=None)),
    (e.InternalServerError, 502, b"<html>bad gateway</html>"),
    (e.NotSupportedByServerError, 501, error(type="not_supported_error", code=501)),
    (e.NotSupportedByServerError, 501, error(type="NotImplementedError", code=501)),
    (e.OverloadedError, 503, error("Loading model", type="unavailable_error", code=503)),
    (e.OverloadedError, 503, error(type="service_unavailable_error", code="server_is_overloaded")),
]


@pytest.mark.parametrize(("expected", "status", "value"), CLASSES)
def test_classes(expected: type[e.APIStatusError], status: int, value: Any) -> None:
    assert kind(status, value) is expected


@pytest.mark.parametrize(
    ("expected", "code", "value"),
    [
        ("no", "invalid_api_key", error(type="invalid_request_error", code="invalid_api_key")),
        ("no", "server_error", error(type="server_error", code=500)),
        ("no", "500", error(code=500)),
        ("no", None, error(code=None, type=None)),
        ("Unauthorized", None, {"error": "Unauthorized"}),
        ("full", "QUEUE_FULL", {"error": "full", "code": "QUEUE_FULL"}),
        ("Invalid API Key", None, {"detail": "Invalid API Key"}),
        ("gone", None, {"message": "gone"}),
        ("gone", None, {"error": None, "message": "gone"}),
        ("gone", None, b'"gone"'),
        ("some_type", "some_type", {"error": {"message": None, "type": "some_type"}}),
        ("the server answered with status 400 and does not say why", None, {}),
        ("the server answered with status 400 and does not say why", None, b"null"),
        ("bad \u2028 thing", None, {"message": "bad \u2028 thing"}),
        ("body.n: bad", None, {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}),
        ("body.0: bad; worse", None, {"detail": [{"loc": ["body", 0], "msg": "bad"}, {"msg": "worse"}]}),
        ("Unsupported (parameter stop)", "x", error("Unsupported", code="x", param="stop")),
        ("'stop' is unsupported", "x", error("'stop' is unsupported", code="x", param="stop")),
        (
            "too long (300 tokens in a context of 256)",
            "exceed_context_size_error",
            error("too long", type="exceed_context_size_error", code=400, n_prompt_tokens=300, n_ctx=256),
        ),
        # MLC writes JSON into a JSON string (sheet llvm 4).
        ("no such model", "400", json.dumps({"object": "error", "message": "no such model", "code": 400})),
        ("upstream request timeout", None, b"upstream   request\ntimeout"),
        ("the server answered with status 400 and no body", None, b""),
        ("the server answered with status 400 and no body", None, b" \n"),
        ("the server answered with status 400 and an HTML page", None, b"<!DOCTYPE html><title>502</title>"),
    ],
)
def test_messages(expected: str, code: str | None, value: Any) -> None:
    detail = read(400, value)
    assert (detail.message, detail.code) == (expected, code)


def test_a_long_text_is_cut() -> None:
    assert len(read(500, b"x " * 5000).message) <= 200


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("Incorrect API key provided: ***", "Incorrect API key provided: sk-proj-abc_DEF123456789"),
        ("Incorrect API key provided: *** You can", "Incorrect API key provided: sk-12**********90. You can"),
        ("Incorrect API key provided: ***", "Incorrect API key provided: my-own-key"),
        ("the key *** is wrong", "the key gsk_0123456789abcdef is wrong"),
        ("the key *** is wrong", "the key hf_abcdefGHIJKL is wrong"),
        ("the key *** is wrong", "the key AIzaSyA1234567890abcdefghijklmnop is wrong"),
        ("the key *** is wrong", "the key 0123456789abcdef0123456789ABCDEF is wrong"),
        ("Bearer *** is refused", "Bearer abc.def-ghi_jkl+mno is refused"),
        ("Invalid value provided: seven", "Invalid value provided: seven"),
        ("hf-internal-testing/tiny is unknown", "hf-internal-testing/tiny is unknown"),
        ("risk-averse task-force desk-lamps", "risk-averse task-force desk-lamps"),
        ("The model gpt-5.4-mini-2026-03-17 is gone", "The model gpt-5.4-mini-2026-03-17 is gone"),
    ],
)
def test_a_key_in_a_message_is_masked(expected: str, message: str) -> None:
    assert read(401, error(message)).message == expected
    assert read(401, {"detail": message}).message == expected
    assert read(401, message.encode()).message == expected


IN_SUCCESS: list[tuple[type[e.APIStatusError], Any]] = [
    (e.InternalServerError, error(type="server_error", code=None)),
    (e.InternalServerError, error()),
    (e.InternalServerError, {"error": "something broke"}),
    (e.InternalServerError, error(code=500)),
    (e.RateLimitError, error(code="rate_limit_exceeded")),
    (e.RateLimitError, error(code=429)),
    (e.QuotaExceededError, error(type="insufficient_quota")),
    (e.ContextLengthExceededError, error(code="context_length_exceeded")),
    (e.ContextLengthExceededError, error(type="exceed_context_size_error", code=400)),
    (e.AuthenticationError, error(code="invalid_api_key", type="invalid_request_error")),
    (e.ModelNotFoundError, error(code="model_not_found")),
    (e.ContentFilterError, error(code="content_policy_violation")),
    (e.ContentFilterError, error(code="moderation_blocked")),
    (e.OverloadedError, error(type="unavailable_error", code=503)),
    (e.OverloadedError, error(type="overloaded_error")),
    (e.OverloadedError, error(code="overloaded")),
    (e.RateLimitError, error(code="429")),
    (e.BadRequestError, error(type="invalid_request_error", code="invalid_prompt")),
    # The flat form of MLC and older vLLM.
    (e.NotFoundError, {"object": "error", "message": "no", "type": "NotFoundError", "code": 404}),
    (e.InternalServerError, {"object": "error", "message": "no"}),
    (e.BadRequestError, error(type="invalid_request_error")),
    (e.BadRequestError, error(type="BadRequestError", code=400)),
]


@pytest.mark.parametrize(("expected", "value"), IN_SUCCESS)
def test_an_error_in_a_success(expected: type[e.APIStatusError], value: Any) -> None:
    with pytest.raises(expected) as caught:
        checked(value)
    assert type(caught.value) is expected
    assert caught.value.body == value
    assert caught.value.message


def test_a_success_is_none() -> None:
    assert checked({"error": None, "id": "x"}) == {"error": None, "id": "x"}
    with pytest.raises(e.InvalidResponseError, match="str instead of an object"):
        checked("x")


def test_fields() -> None:
    assert field({"a": [1]}, "a", list) == [1]
    with pytest.raises(e.InvalidResponseError, match="'a' is missing"):
        field({}, "a", list)
    with pytest.raises(e.InvalidResponseError, match="'a' is int instead of list"):
        field({"a": 1}, "a", list)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-600, 600) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "param", "detail", "n_ctx"]), inner)
    ),
    max_leaves=12,
)


@given(status=st.sampled_from([400, 401, 404, 422, 429, 500, 503]), value=JSON)
def test_every_body_is_readable(status: int, value: Any) -> None:
    detail = read(status, value)
    assert isinstance(detail.message, str)
    assert detail.code is None or isinstance(detail.code, str)
    if isinstance(value, dict):
        assert isinstance(error_in_body(value), e.APIStatusError)


@given(body=st.binary(max_size=60))
def test_every_other_body_too(body: bytes) -> None:
    assert read(500, body).message


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (578.016, "Limit 100000, Used 97050. Please try again in 9m38.016s. Need more tokens?"),
        (0.12, "Rate limit reached. Please try again in 120ms."),
        (None, "Please try again in a while."),
        (None, "Please try again in 20 years."),
    ],
)
def test_how_long_to_wait_may_be_said_in_words(expected: float | None, message: str) -> None:
    assert read(429, error(message)).retry_after == (None if expected is None else pytest.approx(expected))
    assert error_in_body(error(message)).retry_after == (None if expected is None else pytest.approx(expected))


def test_the_header_says_it_better() -> None:
    body = json.dumps(error("Please try again in 1s")).encode()
    assert read_error(HttpResponse(status=429, headers=Headers([("Retry-After", "7")]), body=body)).retry_after is None


def test_an_error_in_a_stream_may_tell_its_status() -> None:
    found = error_in_body(error("no", type="invalid_request_error", code="tool_use_failed", status_code=400))
    assert (type(found), found.status, found.code) == (e.BadRequestError, 400, "tool_use_failed")
