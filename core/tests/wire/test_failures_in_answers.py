"""What hosts of OpenAI's dialect answer with status 200 although it failed, and what they say of it in their own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import errors as e
from ipfs_accel._headers import Headers
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler
from ipfs_accel.wire.openai_answers import read_chat, read_completion, read_embeddings, read_models
from ipfs_accel.wire.openai_errors import error_in_body, event_object, read_error
from ipfs_accel.wire.openai_streams import ChatDecoder, decode_completion
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder

Json = dict[str, Any]
BUSY = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
OWN = {"code": 502, "message": "Upstream provider disconnected"}


def whole(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, headers=Headers([]), body=json.dumps(value).encode())


def told(value: Any, status: int = 400) -> ErrorDetail:
    return read_error(whole(value, status))


def ended(**choice: Any) -> Json:
    return {"id": "g", "choices": [{"index": 0, "finish_reason": "error", **choice}]}


FAILURES: list[tuple[type[e.APIStatusError], str, Any]] = [
    (e.InternalServerError, "Upstream provider disconnected", ended(error=OWN)),
    (e.InternalServerError, "Upstream provider disconnected", ended(error=OWN, finish_reason=None)),
    (e.InternalServerError, "finish_reason 'error'", ended()),
    (e.InternalServerError, "MALFORMED_FUNCTION_CALL", ended(native_finish_reason="MALFORMED_FUNCTION_CALL")),
    (
        e.InternalServerError,
        "UNEXPECTED_TOOL",
        ended(finish_reason="stop", native_finish_reason="UNEXPECTED_TOOL_CALL"),
    ),
    (e.InternalServerError, "network_error", ended(finish_reason="network_error")),
    (e.OverloadedError, "insufficient_system", ended(finish_reason="insufficient_system_resource")),
    (e.OverloadedError, "The model is overloaded.", [{"error": BUSY}]),
    (
        e.QuotaExceededError,
        "insufficient balance",
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
    ),
    (e.InternalServerError, "404 NOT_FOUND", {"code": 500, "msg": "404 NOT_FOUND", "success": False}),
    (
        e.BadRequestError,
        "no such account",
        {"success": False, "errors": [{"code": 400, "message": "no such account"}], "code": 400},
    ),
]
IDS = [f"{index}-{kind.__name__}" for index, (kind, _, _) in enumerate(FAILURES)]


@pytest.mark.parametrize(("kind", "words", "body"), FAILURES, ids=IDS)
def test_a_failure_in_a_success_is_an_error(kind: type[e.APIStatusError], words: str, body: Any) -> None:
    with pytest.raises(kind, match=words) as caught:
        read_chat(whole(body))
    assert type(caught.value) is kind
    with pytest.raises(kind, match=words):
        read_completion(whole(body))
    event = ServerSentEvent(data=json.dumps(body))
    with pytest.raises(kind, match=words):
        ChatDecoder()(event, chat_assembler(merge=True))
    with pytest.raises(kind, match=words):
        decode_completion(event, completion_assembler())


def test_what_came_before_a_failure_is_kept() -> None:
    out, decode = chat_assembler(merge=True), ChatDecoder()
    decode(ServerSentEvent(data=json.dumps({"choices": [{"index": 0, "delta": {"content": "Once"}}]})), out)
    with pytest.raises(e.InternalServerError) as caught:
        decode(ServerSentEvent(data=json.dumps(ended(error=OWN, delta={"content": ""}))), out)
    partial = out.partial()
    assert partial is not None
    assert partial.text == "Once"
    assert caught.value.body["id"] == "g"


@pytest.mark.parametrize(
    "read", [read_models, lambda response: read_embeddings(response, 1)], ids=["models", "vectors"]
)
def test_an_error_in_a_list_is_one_everywhere(read: Any) -> None:
    with pytest.raises(e.OverloadedError):
        read(whole([{"error": BUSY}]))


def test_an_event_of_the_newer_routes_may_be_a_list_too() -> None:
    with pytest.raises(e.OverloadedError):
        event_object(ServerSentEvent(data=json.dumps([{"error": BUSY}])))


@pytest.mark.parametrize(
    "sent",
    [
        b'{"error": {"code": 503, "message": "busy"}}\n',
        b'{\n  "error": {\n    "code": 503,\n    "message": "busy"\n  }\n}\n',
        b'[{"error": {"code": 503, "message": "busy"}}]\n\n',
        b'error: {"code": 503, "message": "busy"}\n\n',
        b'error: {"error": {"code": 503, "message": "busy"}}\n\n',
        b'event: error\ndata: {"code": 503, "message": "busy"}\n\n',
    ],
    ids=["a line", "lines", "a list", "a field", "a field with an object", "an event"],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_error_without_a_frame_is_read(sent: bytes, size: int) -> None:
    frames, decode = SSEDecoder(), ChatDecoder()
    first = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    out = chat_assembler(merge=True)
    events = [
        event for at in range(0, len(first + sent), size) for event in frames.feed((first + sent)[at : at + size])
    ]
    with pytest.raises(e.OverloadedError, match=r"^busy"):
        for event in [*events, *frames.flush()]:
            decode(event, out)


def test_a_line_of_an_unknown_name_still_says_nothing() -> None:
    assert [event.data for event in SSEDecoder().feed(b"note: {}\ndata: a\n{b}\n\n")] == ["a"]


TOO_LONG = [
    {"code": "…", "error": "This model's maximum prompt length is 131072 but the request contains 140001 tokens."},
    {"error": {"message": "Invalid request: Your request exceeded model token limit: 262144 (requested: 270001)"}},
    {"object": "error", "message": "The input (9 tokens) is longer than the model's context length (8 tokens)."},
    {"error": {"code": "invalid_request_error", "message": "prompt is too long: 210001 tokens > 200000 maximum"}},
    {"error": {"code": "1261", "message": "Prompt exceeds max length"}},
    [
        {
            "error": {
                "code": 400,
                "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            }
        }
    ],
    {"object": "error", "message": "Prompt contains 9 tokens, too large for model with 8 maximum context length"},
    {"error": {"message": "Your input exceeds the context window of this model."}},
    {"error": {"message": "the input length exceeds the context length"}},
    # of servers of one's own, by the words that their users report
    {"object": "error", "message": "Input length (9 tokens) exceeds the maximum allowed length (8 tokens). Use less"},
    {"error": "Trying to keep the first 9 tokens when context the overflows. However, the model is loaded with 8"},
    {"error": "The number of tokens to keep is greater than the context length (n_keep: 9>= n_ctx: 8)."},
    {"error": "Context size has been exceeded."},
    {"error": {"code": 500, "message": "input (9 tokens) is too large to process. increase the physical batch size"}},
    {"detail": "[address=0.0.0.0:1] The decoder prompt (length 9) is longer than the maximum model length of 8."},
    {"error": {"message": "Requested tokens (9) exceed context window of 8", "type": "internal_server_error"}},
    {"error": {"message": "Prompt too long: 9 tokens exceeds max context window of 8 tokens"}},
    {"message": "Prompt sequence length is greater than 8, perhaps consider using `truncate_sequence`?"},
    {
        "object": "error",
        "message": "The sum of prompt length (9.0), query length (0) should not exceed max_num_tokens (8)",
    },
    {"object": "error", "message": "Request prompt has 9 tokens in total, larger than the model input length limit 8."},
    {"error": {"message": "Request length 7 + 2 is greater than max_seq_len 8"}},
    {"error": {"message": "Number of prompt tokens: 9 exceeds model max length: 8"}},
    {
        "error": {
            "message": "Provider returned error",
            "metadata": {"raw": '{"error": {"message": "Input is too long"}}'},
        }
    },
]


@pytest.mark.parametrize("body", TOO_LONG, ids=range(len(TOO_LONG)))
def test_too_long_a_prompt_in_everybodys_words(body: Any) -> None:
    assert told(body).kind is e.ContextLengthExceededError
    assert type(error_in_body(body)) is e.ContextLengthExceededError


@pytest.mark.parametrize("status", [400, 500])
def test_too_long_a_prompt_is_not_sent_again_whatever_the_status(status: int) -> None:
    body = {
        "error": {
            "code": status,
            "message": "input (9 tokens) is too large to process. increase the physical batch size",
        }
    }
    detail = told(body, status)
    assert detail.kind is not None
    assert not detail.kind.retryable
    assert "--ubatch-size" in (detail.hint or "")
    assert error_in_body(body).hint == detail.hint


CALLERS: list[tuple[type[e.APIStatusError] | None, bool | None, str, Json]] = [
    (e.NotSupportedByServerError, None, "--mmproj", {"message": "image input is not supported - hint: if this is unexpected"}),
    (e.NotSupportedByServerError, None, "--mmproj", {"message": "audio input is not supported - hint: if this is unexpected"}),
    (e.BadRequestError, None, "keywords", {"message": "invalid JSON schema in format", "type": "api_error"}),
    (e.BadRequestError, None, "", {"message": 'invalid format: "true"; expected "json" or a valid JSON Schema object'}),
    (e.BadRequestError, None, "", {"message": 'option "num_ctx" must be of type integer'}),
    (e.BadRequestError, None, "", {"message": "system message must be at the beginning"}),
    (None, False, "smaller model", {"message": "model requires more system memory (9 GiB) than is available (8 GiB)"}),
    (None, False, "", {"message": 'template: :1:2: executing "" at <index .Messages 9>: index out of range'}),
    (None, False, "", {"message": "failed to encode response: json: unsupported value: NaN", "type": "api_error"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "retryable", "hint", "error"), CALLERS, ids=range(len(CALLERS)))
def test_a_status_of_500_that_another_try_meets_again(
    kind: type[e.APIStatusError] | None, retryable: bool | None, hint: str, error: Json
) -> None:
    for body in ({"error": error}, {"error": error["message"]}):
        detail, found = told(body, 500), error_in_body(body)
        assert (detail.kind, detail.retryable) == (kind, retryable)
        assert (type(found), found.retryable) == (kind or e.InternalServerError, False)
        assert hint in (detail.hint or "")


def test_a_server_that_failed_is_asked_again() -> None:
    detail = told({"error": {"message": "llama runner process has terminated", "type": "api_error"}}, 500)
    assert (detail.kind, detail.retryable) == (None, None)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens must be at least 1",
        "n is too large",
        "the image is too long",
        "context must be a list",
        "too long a name",
    ],
)
def test_other_mistakes_are_none_about_the_context(words: str) -> None:
    assert told({"error": {"message": words, "type": "invalid_request_error"}}).kind is None


@pytest.mark.parametrize(
    "error",
    [
        {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."},
        {"message": "insufficient balance (1008)", "type": "insufficient_balance_error", "http_code": "429"},
        {"message": "Rate limited: Insufficient credits", "type": "rate_limit_error"},
        {"message": "no", "code": "Arrearage"},
    ],
    ids=["balance", "type", "under the name of a rate", "code"],
)
@pytest.mark.parametrize("status", [400, 402, 429, 500])
def test_an_empty_account_is_no_passing_limit(error: Json, status: int) -> None:
    assert told({"error": error}, status).kind is e.QuotaExceededError
    assert error_in_body({"error": error}).retryable is False


@pytest.mark.parametrize(
    "raw", ["at most 1 image", '{"error": {"message": "at most 1 image"}}', {"detail": "at most 1 image"}]
)
def test_a_gateways_error_says_the_providers_reason(raw: Any) -> None:
    body = {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": raw}}}
    assert told(body).message == error_in_body(body).message == "Provider returned error: at most 1 image"


def test_what_was_flagged_is_said() -> None:
    body = {"error": {"code": 403, "message": "Input was flagged", "metadata": {"reasons": ["violence", "hate"]}}}
    assert told(body, 403).message == "Input was flagged: violence; hate"


def test_a_key_in_a_passed_on_reason_is_masked() -> None:
    raw = "Incorrect API key provided: sk-abcdefghijkl"
    assert "sk-abc" not in told({"error": {"message": "no", "metadata": {"raw": raw}}}).message


NESTED = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777550442000"}
WAITS: list[tuple[float | None, float | None, Json]] = [
    (7.5, None, {"message": "Rate limit reached. Please try again in 7.5s."}),
    (26.0, None, {"message": "Please retry after 26 seconds."}),
    (12.0, None, {"message": "Please retry in 12s."}),
    (0.25, None, {"message": "try again in 250 milliseconds"}),
    (120.0, None, {"message": "retry after 2 minutes"}),
    (None, None, {"message": "Please try again later."}),
    (34.07, None, {"message": "no", "details": [{"reason": "x"}, {"retryDelay": "34.07s"}]}),
    (9.0, None, {"message": "no", "metadata": {"retry_after_seconds": 9}}),
    (3.0, None, {"message": "no", "headers": {"Retry-After": "3"}}),
    (
        50.5,
        None,
        {"message": "no", "headers": {"x-ratelimit-reset-tokens": "50.5s", "x-ratelimit-reset-requests": "1s"}},
    ),
    (
        1.0,
        None,
        {
            "message": "no",
            "headers": {
                "x-ratelimit-remaining-tokens": "5",
                "x-ratelimit-reset-tokens": "50s",
                "x-ratelimit-reset-requests": "1s",
            },
        },
    ),
    (None, 1777550442.0, {"message": "no", "metadata": {"headers": NESTED}}),
    (None, 1777550442.0, {"message": "no", "metadata": {"headers": {"x-ratelimit-reset": "1777550442"}}}),
    (None, None, {"message": "no", "headers": {"x-ratelimit-reset": "soon"}, "retry_after": True}),
]


@pytest.mark.parametrize(("after", "at", "error"), WAITS, ids=range(len(WAITS)))
def test_how_long_to_wait_is_read_wherever_it_stands(after: float | None, at: float | None, error: Json) -> None:
    detail, found = told({"error": error}, 429), error_in_body({"error": error})
    assert (detail.retry_after, detail.retry_at) == (found.retry_after, found.retry_at) == (after, at)


@pytest.mark.parametrize(
    "code", ["invalid_prompt", "image_too_large", "failed_to_download_image", "data_residency_mismatch"]
)
def test_a_callers_mistake_in_a_failed_response_is_not_the_servers(code: str) -> None:
    found = error_in_body({"error": {"code": code, "message": "no"}})
    assert (type(found), found.retryable) == (e.BadRequestError, False)


@pytest.mark.parametrize("code", ["server_error", "vector_store_timeout"])
def test_the_servers_own_failures_are_tried_again(code: str) -> None:
    found = error_in_body({"error": {"code": code, "message": "no"}})
    assert (type(found), found.retryable) == (e.InternalServerError, True)


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (e.ModelNotFoundError, 404, {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}),
        (e.AuthenticationError, 400, {"code": 400, "message": "no", "details": [{"reason": "API_KEY_INVALID"}]}),
        (e.ContentFilterError, 400, {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}),
    ],
    ids=["deployment", "key", "filter"],
)
def test_names_that_stand_further_inside(kind: type[e.APIStatusError], status: int, error: Json) -> None:
    assert told({"error": error}, status).kind is kind


def test_a_text_that_is_too_long_for_a_vector_is_told_as_that() -> None:
    message = "input (904 tokens) is too large to process. increase the physical batch size (current batch size: 512)"
    detail = told({"error": {"code": 500, "message": message, "type": "server_error"}}, 500)
    assert detail.kind is e.ContextLengthExceededError
    assert "--ubatch-size" in (detail.hint or "")


def test_a_server_that_knows_only_numbers_gets_the_way_out() -> None:
    detail = told({"error": {"message": "Unsupported encoding_format: base64"}})
    assert detail.hint is not None
    assert "encoding_format" in detail.hint


def test_an_answer_of_nothing_may_be_had_the_next_time() -> None:
    with pytest.raises(e.InvalidResponseError) as caught:
        read_chat(HttpResponse(status=200, headers=Headers([]), body=b"\n\n"))
    assert caught.value.retryable
    with pytest.raises(e.InvalidResponseError) as caught:
        read_chat(HttpResponse(status=200, headers=Headers([]), body=b"no"))
    assert not caught.value.retryable


def test_vectors_that_are_all_numbered_0_are_in_order() -> None:
    data = [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}]
    assert [list(each) for each in read_embeddings(whole({"data": data}), 2).vectors] == [[1.0], [2.0]]
