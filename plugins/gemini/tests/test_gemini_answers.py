"""What the API sends: answers, streams in all their forms, errors, and what does not have the form it should.

Each answer is read in four ways: whole and as a stream, in the synchronous and in the asynchronous world.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Message
from ipfs_accel import errors as e
from ipfs_accel.types import ChatResponse, FinishEvent, Opaque, Text, TextDelta, UsageEvent
from pytest_httpserver import HTTPServer
from werkzeug import Response

MODEL = "gemini-3.8-flash"
KEY = "AIza-test-0123456789"
ANY = re.compile(".*")
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
Ask = Callable[..., ChatResponse]


def candidate(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": reason} if reason else {}), **more}


def answer(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {"candidates": list(candidates)} if candidates else {}
    return {**found, "usageMetadata": USAGE, "modelVersion": MODEL, "responseId": "r1", **more}


def say(text: str, **more: Any) -> dict[str, Any]:
    return answer(candidate({"text": text}, **more))


def sse(*bodies: Any) -> str:
    return "".join(f"data: {json.dumps(body)}\r\n\r\n" for body in bodies)


@pytest.fixture
def endpoints(httpserver: HTTPServer) -> dict[str, EndpointConfig]:
    return {"gemini": EndpointConfig(base_url=httpserver.url_for("/"), key=KEY)}


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.fixture(params=["whole", "stream", "whole, awaited", "stream, awaited"])
def ask(request: pytest.FixtureRequest, endpoints: dict[str, EndpointConfig], httpserver: HTTPServer) -> Ask:
    """Serve a body and ask for it in one of the four ways."""
    way: str = request.param

    def call(body: dict[str, Any], messages: Any = "hi", **options: Any) -> ChatResponse:
        httpserver.expect_request(re.compile(".*:generateContent")).respond_with_json(body)
        httpserver.expect_request(re.compile(".*:streamGenerateContent")).respond_with_data(
            sse(body), content_type="text/event-stream"
        )
        name = f"gemini/{MODEL}"

        async def awaited() -> ChatResponse:
            async with AsyncClient(endpoints=endpoints) as client:
                if way.startswith("whole"):
                    return await client.chat(name, messages, **options)
                return await client.stream(name, messages, **options).read()

        if way.endswith("awaited"):
            return anyio.run(awaited)
        with Client(endpoints=endpoints) as client:
            if way == "whole":
                return client.chat(name, messages, **options)
            return client.stream(name, messages, **options).read()

    return call


def test_a_prompt_that_was_blocked_is_an_error_with_its_reason(ask: Ask) -> None:
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "no such thing", "safetyRatings": []}
    with pytest.raises(e.ContentFilterError, match="the prompt was blocked: SAFETY: no such thing") as caught:
        ask(answer(promptFeedback=feedback))
    assert caught.value.code == "SAFETY"
    assert caught.value.endpoint == "gemini"
    assert caught.value.model == MODEL


def test_feedback_without_a_reason_says_nothing(ask: Ask) -> None:
    assert ask({**say("ho"), "promptFeedback": {"safetyRatings": []}}).text == "ho"


@pytest.mark.parametrize(
    ("reason", "content"),
    [
        *[
            (reason, {})
            for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
        ],
        *[("LANGUAGE", {"content": content}) for content in ({}, {"role": "model"}, None)],
    ],
)
def test_an_answer_that_was_blocked_is_empty_and_says_why(reason: str, content: dict[str, Any], ask: Ask) -> None:
    ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]
    reply = ask(answer({**content, "finishReason": reason, "safetyRatings": ratings}))
    assert (reply.text, reply.finish_reason) == ("", "content_filter")
    assert (reply.extra["finishReason"], reply.extra["safetyRatings"]) == (reason, ratings)


def test_thoughts_can_use_up_the_limit(ask: Ask) -> None:
    usage = {"promptTokenCount": 3, "thoughtsTokenCount": 64, "totalTokenCount": 67}
    reply = ask(answer({"finishReason": "MAX_TOKENS"}, usageMetadata=usage))
    assert (reply.text, reply.finish_reason, reply.usage.output_tokens) == ("", "length", 64)
    assert reply.usage.reasoning_tokens == 64


def test_calls_end_with_stop_and_are_calls_all_the_same(ask: Ask) -> None:
    reply = ask(answer(candidate({"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "g"}})))
    assert reply.finish_reason == "tool_calls"
    assert [(call.id, call.name, call.parse_arguments()) for call in reply.tool_calls] == [
        ("call_0", "f", {"a": 1}),
        ("call_1", "g", {}),
    ]


@pytest.mark.parametrize(
    ("reason", "retryable"),
    [
        ("MALFORMED_FUNCTION_CALL", True),
        ("OTHER", True),
        ("TOO_MANY_TOOL_CALLS", True),
        ("MISSING_THOUGHT_SIGNATURE", False),
    ],
)
def test_a_model_that_went_wrong_and_said_nothing_is_an_error(reason: str, retryable: bool, ask: Ask) -> None:
    with pytest.raises(e.InternalServerError, match=f"{reason}: sorry") as caught:
        ask(answer({"finishReason": reason, "finishMessage": "sorry"}))
    assert (caught.value.code, caught.value.retryable) == (reason, retryable)


def test_what_it_said_before_it_went_wrong_is_kept(ask: Ask) -> None:
    reply = ask(say("half", reason="MALFORMED_RESPONSE"))
    assert (reply.text, reply.finish_reason) == ("half", "MALFORMED_RESPONSE")


def test_what_is_new_is_kept(ask: Ask) -> None:
    part = {"hologram": {"depth": 3}}
    details = [{"modality": "SMELL", "tokenCount": 1}]
    reply = ask(
        answer(
            candidate({"text": "ho"}, part, reason="BORED", safetyRatings=[{"category": "HARM_CATEGORY_NEW"}]),
            usageMetadata={**USAGE, "promptTokensDetails": details},
            modelStatus={"modelStage": "LEGACY"},
        )
    )
    assert reply.message.content == (Text(text="ho"), Opaque(backend="gemini", data=part))
    assert reply.finish_reason == "BORED"
    assert reply.extra["modelStatus"] == {"modelStage": "LEGACY"}


def test_thoughts_are_no_answer(ask: Ask) -> None:
    reply = ask(answer(candidate({"text": "Let me see", "thought": True}, {"text": "17"})))
    assert (reply.text, reply.reasoning) == ("17", "Let me see")


def test_what_is_left_out_is_zero_and_numbers_may_be_text(ask: Ask) -> None:
    usage = {
        "promptTokenCount": "3",
        "cachedContentTokenCount": "2",
        "toolUsePromptTokenCount": 4,
        "totalTokenCount": "7",
    }
    usage |= {"promptTokensDetails": [{"modality": "AUDIO"}, {"modality": "TEXT", "tokenCount": "1"}]}
    reply = ask(answer(candidate({"text": ""}), usageMetadata=usage))
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_input_tokens) == (7, 0, 2)
    assert (reply.usage.audio_input_tokens, reply.choices[0].index) == (0, 0)


def test_several_answers_are_told_apart_by_their_index(ask: Ask) -> None:
    reply = ask(answer(candidate({"text": "a"}), candidate({"text": "b"}, index=1, reason="MAX_TOKENS")))
    assert [(each.message.text, each.finish_reason) for each in reply.choices] == [("a", "stop"), ("b", "length")]


def test_log_probabilities(ask: Ask) -> None:
    top = [{"token": "ho", "logProbability": -0.1}, {"token": "hi", "logProbability": -2}]
    reply = ask(say("ho", logprobsResult={"chosenCandidates": [top[0]], "topCandidates": [{"candidates": top}]}))
    assert reply.choices[0].logprobs is not None
    found = reply.choices[0].logprobs[0]
    assert (found.token, found.logprob, [each.token for each in found.top]) == ("ho", -0.1, ["ho", "hi"])


def test_sources_are_put_on_the_text_with_offsets_in_bytes(ask: Ask) -> None:
    support = {"segment": {"startIndex": 0, "endIndex": 5, "text": "grün"}, "groundingChunkIndices": [1, 7]}
    grounding = {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "a"}}, {"web": {"uri": "b"}}], "groundingSupports": [support]}  # fmt: skip
    cited = {"startIndex": 0, "endIndex": 5, "uri": "c"}
    reply = ask(say("grün", groundingMetadata=grounding, citationMetadata={"citationSources": [cited]}))
    part = reply.message.content[0]
    assert isinstance(part, Text)
    assert part.annotations == (cited, {**support, "groundingChunks": [{"web": {"uri": "b"}}]})
    assert reply.text.encode()[0:5].decode() == support["segment"]["text"]  # type: ignore[index]
    assert reply.extra["groundingMetadata"] == grounding


SOUND = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAD_/w=="}}


def test_sound_in_an_answer(ask: Ask) -> None:
    part = ask(answer(candidate(SOUND))).message.content[0]
    assert part.data == b"\0\0\xff\xff"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        [],
        "ho",
        {"candidates": [{"content": {"parts": ["ho"]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {}}]}}]},
    ],
)
def test_what_has_another_form_is_told(body: Any, ask: Ask) -> None:
    with pytest.raises((e.InvalidResponseError, e.StreamIncomplete)):
        ask(body)


# streams


def streaming(httpserver: HTTPServer, body: str | bytes, kind: str = "text/event-stream") -> None:
    httpserver.expect_request(re.compile(".*:streamGenerateContent"), query_string="alt=sse").respond_with_data(
        body, content_type=kind
    )


HEL, LO = answer(candidate({"text": "Hel"}, reason=None)), say("lo")
LATE = {"error": {"code": 503, "message": "The model is {over}loaded", "status": "UNAVAILABLE"}}
FORMS = {
    "events": (sse(HEL, LO), "text/event-stream"),
    "events without the last blank line": (sse(HEL, LO).rstrip(), "text/event-stream"),
    "events with comments": (": hello\r\n\r\n" + sse(HEL) + ": bye\r\n\r\n" + sse(LO), "text/event-stream"),
    "an array": (json.dumps([HEL, LO], indent=2), "application/json"),
    "an array, written as the API does": ("[" + json.dumps(HEL) + "\r\n,\r\n" + json.dumps(LO) + "\n]", "application/json; charset=UTF-8"),
    "one object": (json.dumps(say("Hello")), "application/json"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind"), FORMS.values(), ids=FORMS)
def test_a_stream_comes_in_several_forms(body: str, kind: str, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, body, kind)
    assert client.stream(f"gemini/{MODEL}", "hi").read().text == "Hello"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", FORMS)
def test_a_stream_may_be_cut_anywhere(name: str, size: int, client: Client, httpserver: HTTPServer) -> None:
    body = FORMS[name][0].encode()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    httpserver.expect_request(ANY).respond_with_response(Response(iter(pieces), content_type="text/event-stream"))
    assert client.stream(f"gemini/{MODEL}", "hi").read().text == "Hello"


def test_counts_of_a_stream_are_totals(client: Client, httpserver: HTTPServer) -> None:
    first = {"promptTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 8}
    last = {"promptTokenCount": 3, "thoughtsTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 14}
    streaming(httpserver, sse({**HEL, "usageMetadata": first}, {**LO, "usageMetadata": last}))
    events = list(client.stream(f"gemini/{MODEL}", "hi"))
    usage = next(each.usage for each in events if isinstance(each, UsageEvent))
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (3, 11, 9)
    assert [each.text for each in events if isinstance(each, TextDelta)] == ["Hel", "lo"]


ERRORS = {
    "an event": sse(HEL, LATE),
    "plain lines": sse(HEL) + json.dumps(LATE, indent=2),
    "plain lines in an array": sse(HEL) + json.dumps([LATE], indent=2),
    "plain lines with CRLF": sse(HEL) + json.dumps(LATE, indent=2).replace("\n", "\r\n"),
    "the end of an array": "[" + json.dumps(HEL) + ",\n" + json.dumps(LATE) + "]",
}


@pytest.mark.parametrize("body", ERRORS.values(), ids=ERRORS)
def test_an_error_may_come_late(body: str, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, body)
    with pytest.raises(e.OverloadedError, match=r"The model is \{over\}loaded") as caught:
        client.stream(f"gemini/{MODEL}", "hi").read()
    assert (caught.value.code, caught.value.retryable) == ("UNAVAILABLE", True)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


@pytest.mark.parametrize("body", [sse(HEL), sse(HEL) + "data: {", sse(HEL, {"usageMetadata": USAGE}), ""])
def test_a_stream_without_a_reason_for_its_end_is_cut(body: str, client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, body)
    with pytest.raises(e.StreamIncomplete):
        client.stream(f"gemini/{MODEL}", "hi").read()


def test_a_page_instead_of_a_stream(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, "<!DOCTYPE html><p>Log in", "text/html")
    with pytest.raises(e.InvalidResponseError, match="HTML page") as caught:
        client.stream(f"gemini/{MODEL}", "hi").read()
    assert "proxy" in str(caught.value.hint)


def test_a_long_signature_is_no_trouble(client: Client, httpserver: HTTPServer) -> None:
    signature = "A" * 5_000_000
    streaming(httpserver, sse(answer(candidate({"text": "ho", "thoughtSignature": signature}))))
    parts = client.stream(f"gemini/{MODEL}", "hi").read().message.content
    assert parts == (Text(text="ho"), Opaque(backend="gemini", data={"thoughtSignature": signature}))


def call(*pieces: dict[str, Any], goes_on: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "functionCall": {
            **({"partialArgs": list(pieces)} if pieces else {}),
            **({"willContinue": True} if goes_on else {}),
            **more,
        }
    }


def at(path: str, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **value}


@pytest.mark.parametrize("ends", [True, False])
def test_arguments_may_come_in_pieces(ends: bool, client: Client, httpserver: HTTPServer) -> None:
    pieces = [
        {**call(name="f", id="fc1"), "thoughtSignature": "c2ln"},
        call(at("$.city", stringValue="Par", willContinue=True)),
        call(at("$.city", stringValue="is"), at("$.days[1].hot", boolValue=True), at("$.days[0]", numberValue=3)),
        call(at("$['a b']", nullValue="NULL_VALUE")),
        *([call(goes_on=False), {"text": "so"}] if ends else []),
    ]
    chunks = [answer(candidate(each, reason=None)) for each in pieces]
    streaming(httpserver, sse(*chunks, answer(candidate())))
    reply = client.stream(f"gemini/{MODEL}", "hi").read()
    (made,) = reply.tool_calls
    assert (made.id, made.name) == ("fc1", "f")
    assert made.parse_arguments() == {"city": "Paris", "days": [3, {"hot": True}], "a b": None}
    assert reply.message.content[1] == Opaque(backend="gemini", data={"thoughtSignature": "c2ln"})
    assert reply.text == ("so" if ends else "")


@pytest.mark.parametrize(
    "pieces",
    [
        [at("city", stringValue="a")],
        [at("$.a")],
        [at("$.a", numberValue=1), at("$.a.b", numberValue=1)],
        [at("$.a[999999999]", numberValue=1)],
    ],
)
def test_pieces_that_do_not_fit_are_told(pieces: list[dict[str, Any]], client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(answer(candidate(call(*pieces, name="f")))))
    with pytest.raises(e.InvalidResponseError, match=r"pieces? of a call's arguments"):
        client.stream(f"gemini/{MODEL}", "hi").read()


# answers in instalments


def test_an_answer_in_instalments_is_fetched_whole(client: Client, httpserver: HTTPServer) -> None:
    first = say("Hel", reason="CONTINUATION", continuationToken="dG9r")
    second = say("lo ", reason="CONTINUATION", continuationToken="dG9rMg==")
    for body in (first, second, say("you")):
        httpserver.expect_ordered_request(ANY).respond_with_json(body)
    reply = client.chat(f"gemini/{MODEL}", "hi", max_tokens=100_000)
    assert (reply.text, reply.finish_reason) == ("Hello you", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 6)
    assert "continuationToken" not in reply.extra
    assert reply.raw == [first, second, say("you")]
    bodies = [json.loads(request.get_data()) for request, _ in httpserver.log]
    assert [each.pop("continuationToken", None) for each in bodies] == [None, "dG9r", "dG9rMg=="]
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_token_with_a_proper_end_is_no_reason_to_go_on(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(ANY).respond_with_json(say("ho", continuationToken="dG9r"))
    assert client.chat(f"gemini/{MODEL}", "hi").text == "ho"


def test_the_same_token_again_does_not_go_on(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(say("ho", reason="CONTINUATION", continuationToken="dG9r"))
    reply = client.chat(f"gemini/{MODEL}", "hi")
    assert (reply.text, reply.finish_reason, len(httpserver.log)) == ("hoho", "length", 2)
    assert reply.extra["continuationToken"] == "dG9r"


def test_what_came_before_a_failure_is_kept(client: Client, httpserver: HTTPServer) -> None:
    first = say("Hel", reason="CONTINUATION", continuationToken="dG9r")
    httpserver.expect_ordered_request(ANY).respond_with_json(first)
    httpserver.expect_ordered_request(ANY).respond_with_json(LATE, status=503)
    with pytest.raises(e.OverloadedError) as caught:
        client.chat(f"gemini/{MODEL}", "hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"
    assert caught.value.partial.extra["continuationToken"] == "dG9r"


def test_a_stream_in_instalments_is_one_stream(client: Client, httpserver: HTTPServer) -> None:
    hops = (
        sse(HEL, say("lo ", reason="CONTINUATION", continuationToken="dG9r")),
        sse(say("y", reason=None), say("ou", continuationToken="ignored")),
    )
    for body in hops:
        httpserver.expect_ordered_request(ANY).respond_with_data(body, content_type="text/event-stream")
    with client.stream(f"gemini/{MODEL}", "hi") as stream:
        events = list(stream)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo ", "y", "ou"]
    assert [event for event in events if isinstance(event, FinishEvent)] == events[-1:]
    reply = stream.response
    assert (reply.text, reply.finish_reason) == ("Hello you", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (6, 4)
    bodies = [json.loads(request.get_data()) for request, _ in httpserver.log]
    assert [each.pop("continuationToken", None) for each in bodies] == [None, "dG9r"]
    assert bodies[0] == bodies[1]


def test_a_stream_does_not_go_on_with_the_same_token(client: Client, httpserver: HTTPServer) -> None:
    streaming(httpserver, sse(say("ho", reason="CONTINUATION", continuationToken="dG9r")))
    reply = client.stream(f"gemini/{MODEL}", "hi").read()
    assert (reply.text, reply.finish_reason, len(httpserver.log)) == ("hoho", "length", 2)
    assert reply.extra["continuationToken"] == "dG9r"


def test_a_stream_that_cannot_go_on_tells_what_it_had(client: Client, httpserver: HTTPServer) -> None:
    first = sse(say("Hel", reason="CONTINUATION", continuationToken="dG9r"))
    httpserver.expect_ordered_request(ANY).respond_with_data(first, content_type="text/event-stream")
    httpserver.expect_ordered_request(ANY).respond_with_json(LATE, status=503)
    with pytest.raises(e.OverloadedError) as caught:
        client.stream(f"gemini/{MODEL}", "hi").read()
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.finish_reason) == ("Hel", None)
    assert caught.value.partial.extra["continuationToken"] == "dG9r"


# errors


def detail(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def quota(name: str) -> dict[str, Any]:
    return detail("QuotaFailure", violations=[{"quotaMetric": "m", "quotaId": name, "quotaValue": "10"}])


MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
INVALID = detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com")
FAILURES: dict[str, tuple[int, Any, type[e.APIError], bool]] = {
    "a wrong key": (400, error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", INVALID), e.AuthenticationError, False),
    "a bad request": (400, error(400, "INVALID_ARGUMENT", "Unknown name"), e.BadRequestError, False),
    "no billing": (400, error(400, "FAILED_PRECONDITION", "User location is not supported"), e.BadRequestError, False),
    "a long prompt": (400, error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."), e.ContextLengthExceededError, False),
    "no token": (401, error(401, "UNAUTHENTICATED", "no"), e.AuthenticationError, False),
    "no money": (402, error(402, "", "no"), e.PermissionDeniedError, False),
    "no right": (403, error(403, "PERMISSION_DENIED", "no"), e.PermissionDeniedError, False),
    "no such model": (404, error(404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported for generateContent."), e.ModelNotFoundError, False),
    "no such file": (404, error(404, "NOT_FOUND", "You do not have permission to access the File x or it may not exist."), e.NotFoundError, False),
    "a slow client": (408, error(408, "", "no"), e.APIStatusError, True),
    "a large body": (413, error(413, "", "no"), e.APIStatusError, False),
    "too many a minute": (429, error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", quota(MINUTE), detail("RetryInfo", retryDelay="34.074824224s")), e.RateLimitError, True),
    "too many a day": (429, error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", quota(DAY)), e.QuotaExceededError, False),
    "a cap on what is spent": (429, error(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."), e.QuotaExceededError, False),
    "a failure": (500, error(500, "INTERNAL", "no"), e.InternalServerError, True),
    "something that is not there": (501, error(501, "UNIMPLEMENTED", "no"), e.NotSupportedByServerError, False),
    "too much to do": (503, error(503, "UNAVAILABLE", "The model is overloaded."), e.OverloadedError, True),
    "too slow": (504, error(504, "DEADLINE_EXCEEDED", "no"), e.InternalServerError, True),
    "an error in an array": (503, [error(503, "UNAVAILABLE", "The model is overloaded.")], e.OverloadedError, True),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("status", "body", "kind", "retryable"), FAILURES.values(), ids=FAILURES)
def test_errors_have_their_class(
    status: int,
    body: Any,
    kind: type[e.APIError],
    retryable: bool,
    stream: bool,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request(ANY).respond_with_json(body, status=status)
    with pytest.raises(e.APIError) as caught:
        client.stream(f"gemini/{MODEL}", "hi").read() if stream else client.chat(f"gemini/{MODEL}", "hi")
    said = body[0] if isinstance(body, list) else body
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.message.startswith(said["error"]["message"])
    assert caught.value.body == body


def test_how_long_to_wait_stands_in_the_body(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(FAILURES["too many a minute"][1], status=429)
    with pytest.raises(e.RateLimitError) as caught:
        client.chat(f"gemini/{MODEL}", "hi")
    assert caught.value.retry_after == pytest.approx(34.0748, abs=0.001)


def test_a_model_may_be_in_another_version_of_the_api(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(FAILURES["no such model"][1], status=404)
    with pytest.raises(e.ModelNotFoundError) as caught:
        client.chat(f"gemini/{MODEL}", "hi")
    assert "v1beta" in str(caught.value.hint)


def test_which_field_is_wrong_is_told(client: Client, httpserver: HTTPServer) -> None:
    wrong = detail("BadRequest", fieldViolations=[{"field": "contents[0].parts", "description": "must not be empty"}])
    httpserver.expect_request(ANY).respond_with_json(error(400, "INVALID_ARGUMENT", "Bad", wrong), status=400)
    with pytest.raises(e.BadRequestError, match=r"Bad \(contents\[0\].parts: must not be empty\)"):
        client.chat(f"gemini/{MODEL}", "hi")


def test_an_error_of_the_edge_may_be_a_page(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_data("<html>502", status=502, content_type="text/html")
    with pytest.raises(e.InternalServerError, match="status 502 and no JSON"):
        client.chat(f"gemini/{MODEL}", "hi")


def test_the_key_is_in_no_url_and_no_error(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(
        error(400, "INVALID_ARGUMENT", f"API key not valid: {KEY}"), status=400
    )
    with pytest.raises(e.AuthenticationError) as caught:
        client.chat(f"gemini/{MODEL}", "hi")
    assert KEY not in f"{caught.value!r} {caught.value.body} {caught.value.__dict__}"
    request = httpserver.log[0][0]
    assert request.headers["x-goog-api-key"] == KEY
    assert KEY not in request.url


def test_an_answer_goes_into_the_next_call(client: Client, httpserver: HTTPServer) -> None:
    asked = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    httpserver.expect_request(ANY).respond_with_json(answer(candidate({"text": "", "thoughtSignature": "bmlj"}, asked)))
    first = client.chat(f"gemini/{MODEL}", "hi")
    client.chat(f"gemini/{MODEL}", ["hi", first.message, Message.tool("call_0", "17")])
    sent = json.loads(httpserver.log[1][0].get_data())["contents"]
    assert sent[1] == {"role": "model", "parts": [{"text": "", "thoughtSignature": "bmlj"}, asked]}
    assert sent[2]["parts"] == [{"functionResponse": {"name": "f", "response": {"output": "17"}}}]


def test_bytes_that_are_no_text_take_nothing_of_what_came_before(httpserver: HTTPServer) -> None:
    body = sse(say("blue", reason=None)).encode() + b"data: \xff\r\n\r\n"
    httpserver.expect_request(ANY).respond_with_data(body, content_type="text/event-stream")
    endpoints = {"gemini": EndpointConfig(base_url=httpserver.url_for(""), key=KEY)}

    with (
        Client(endpoints=endpoints) as client,
        pytest.raises(e.InvalidResponseError, match="not valid UTF-8") as caught,
    ):
        client.stream(f"gemini/{MODEL}", "q").read()

    assert caught.value.partial is not None
    assert caught.value.partial.text == "blue"
