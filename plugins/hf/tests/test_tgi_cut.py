"""Answers of TGI that are cut, or of another generation, in the forms that its real router gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, RetryConfig, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import ToolCallDelta
from pytest_httpserver import HTTPServer
from werkzeug import Response

TOOL = Tool(name="f", parameters={"type": "object", "properties": {}})


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("").rstrip("/")
    with Client(
        Config(environ={}), endpoints={"tgi": EndpointConfig(base_url=url, retry=RetryConfig(attempts=3))}
    ) as client:
        yield client


def tokens(*texts: str) -> list[dict[str, Any]]:
    return [{"id": n, "text": text, "logprob": -0.5, "special": False} for n, text in enumerate(texts)]


def generated(text: str, reason: str, *texts: str) -> dict[str, Any]:
    made = tokens(*texts)
    details = {"finish_reason": reason, "generated_tokens": len(made), "seed": None, "prefill": [], "tokens": made}
    return {"generated_text": text, "details": details}


def chatted(content: str | None, reason: str, made: int, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": reason, **more}
    usage = {"prompt_tokens": 8, "completion_tokens": made, "total_tokens": 8 + made}
    return {"object": "chat.completion", "id": "", "model": "m", "choices": [choice], "usage": usage}


def events(*chunks: Any) -> str:
    return "".join([f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n" for chunk in chunks])


def delta(text: str, reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "",
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}],
    }


def test_more_tokens_than_were_asked_for_are_cut_off(client: Client, httpserver: HTTPServer) -> None:
    many = ["a"] * 2048
    httpserver.expect_request("/generate").respond_with_json(generated("".join(many), "length", *many))
    answer = client.complete("tgi/", "q", max_tokens=1025)
    assert (len(answer.text), answer.finish_reason) == (1025, "length")
    assert answer.usage.output_tokens == 2048  # they were made
    httpserver.expect_request("/generate_stream").respond_with_data(
        events(
            *[
                {"index": n, "token": each, "generated_text": None, "details": None}
                for n, each in enumerate(tokens(*many))
            ]
        ),
        content_type="text/event-stream",
    )
    streamed = client.stream_complete("tgi/", "q", max_tokens=1025).read()
    assert (len(streamed.text), streamed.finish_reason) == (1025, "length")


def test_a_chat_that_is_longer_than_asked_for_says_so_and_its_stream_ends(
    client: Client, httpserver: HTTPServer
) -> None:
    at = "/v1/chat/completions"
    httpserver.expect_ordered_request(at).respond_with_json(chatted("a" * 2048, "length", 2048))
    with pytest.warns(UserWarning, match=r"TGI made 2048 tokens and not the 1025 of max_tokens"):
        client.chat("tgi/", "q", max_tokens=1025)
    many = events(*[delta("a")] * 2048, "[DONE]")
    httpserver.expect_ordered_request(at).respond_with_data(many, content_type="text/event-stream")
    answer = client.stream("tgi/", "q", max_tokens=1025).read()
    assert (len(answer.text), answer.finish_reason, answer.usage.output_tokens) == (1025, "length", 1025)


@pytest.mark.parametrize("echo", [None, True], ids=["text", "echo"])
def test_a_text_that_ends_inside_a_character_is_made_of_its_tokens(
    echo: bool | None, client: Client, httpserver: HTTPServer
) -> None:
    prompt = "say" if echo else ""
    made = generated(prompt, "length", "hello", " ", "日", "", "")
    httpserver.expect_request("/generate").respond_with_json(made)
    options = {"echo": True} if echo else {}
    assert client.complete("tgi/", "say", max_tokens=5, **options).text == f"{prompt}hello 日"


def test_a_chat_that_ends_inside_a_character_has_its_tokens_or_says_so(client: Client, httpserver: HTTPServer) -> None:
    logprobs = {"content": [{"token": each, "logprob": -1.0, "top_logprobs": []} for each in ("hello", " ", "日", "")]}
    at = "/v1/chat/completions"
    httpserver.expect_ordered_request(at).respond_with_json(chatted("", "length", 4, logprobs=logprobs))
    assert client.chat("tgi/", "q", max_tokens=4, logprobs=True).text == "hello 日"
    httpserver.expect_ordered_request(at).respond_with_json(chatted("", "length", 4))
    with pytest.warns(UserWarning, match="ends inside a character"):
        assert client.chat("tgi/", "q", max_tokens=4).text == ""


@pytest.mark.parametrize(("second", "reason"), [(30, "length"), (12, None)], ids=["cut", "ended"])
def test_what_is_told_of_a_hidden_generation_is_dropped(
    second: int, reason: str | None, client: Client, httpserver: HTTPServer
) -> None:
    logprobs = {"content": [{"token": "{", "logprob": -1.0, "top_logprobs": []}]}
    body = chatted("the text", "stop", 25, logprobs=logprobs)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        body, headers={"x-generated-tokens": str(second)}
    )
    answer = client.chat("tgi/", "q", tools=[TOOL], max_tokens=30, logprobs=True)
    assert (answer.finish_reason, answer.usage.output_tokens) == (reason, second)
    assert answer.choices[0].logprobs is None
    same = client.chat("tgi/", "q", max_tokens=30, logprobs=True)  # without tools there is but one
    assert (same.finish_reason, same.usage.output_tokens) == ("stop", 25)


@pytest.mark.parametrize(
    ("said", "attempts"),
    [("EOF while parsing a string at line 1", 1), ("expected value at line 1", 3)],
    ids=["cut", "slip"],
)
def test_a_call_that_the_limit_cut_is_not_asked_for_again(
    said: str, attempts: int, client: Client, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._core.clock, "random", lambda: 0.0, raising=False)
    body = {"error": f"Tool error: Failed to parse generated text: {said}", "error_type": "tool_error"}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=422)
    with pytest.raises(e.UnprocessableEntityError) as caught:
        client.chat("tgi/", "q", tools=[TOOL], max_tokens=5)
    assert caught.value.attempts == attempts
    assert ("max_tokens" in str(caught.value.hint)) is (attempts == 1)


@pytest.mark.parametrize(("made", "attempts"), [(5, 1), (3, 3)], ids=["cut", "slip"])
def test_a_stream_without_a_call_is_the_same_error(
    made: int, attempts: int, client: Client, httpserver: HTTPServer
) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": made, "total_tokens": 8 + made}}

    def answer(_request: Any) -> Response:
        return Response(events(usage, "[DONE]"), content_type="text/event-stream")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    with pytest.raises(e.UnprocessableEntityError, match="without a tool call") as caught:
        client.stream("tgi/", "q", tools=[TOOL], max_tokens=5).read()
    assert caught.value.attempts == attempts
    assert ("max_tokens" in str(caught.value.hint)) is (attempts == 1)


def test_a_stop_text_whose_token_goes_on_with_a_line_break_is_no_part_of_the_answer(
    client: Client, httpserver: HTTPServer
) -> None:
    made = generated("one Human:\n", "stop_sequence", "one", " ", "Human:\n")
    httpserver.expect_request("/generate").respond_with_json(made)
    assert client.complete("tgi/", "q", stop="Human:").text == "one "
    pieces = tokens("one", " ", "Human:\n")
    steps = [{"index": n, "token": each, "generated_text": None, "details": None} for n, each in enumerate(pieces)]
    steps[-1] |= {
        "generated_text": "one Human:\n",
        "details": {"finish_reason": "stop_sequence", "generated_tokens": 3},
    }
    httpserver.expect_request("/generate_stream").respond_with_data(events(*steps), content_type="text/event-stream")
    assert client.stream_complete("tgi/", "q", stop="Human:").read().text == "one "
    at = "/v1/chat/completions"
    httpserver.expect_ordered_request(at).respond_with_json(chatted("one Human:\n", "stop_sequence", 3))
    assert client.chat("tgi/", "q", stop="Human:").text == "one "
    chunks = events(delta("one "), delta("Human:\n", "stop_sequence"), "[DONE]")
    httpserver.expect_ordered_request(at).respond_with_data(chunks, content_type="text/event-stream")
    assert client.stream("tgi/", "q", stop="Human:").read().text == "one "


def calling(name: str | None, arguments: str) -> dict[str, Any]:
    call = {"index": 0, "id": "0", "type": "function", "function": {"name": name, "arguments": arguments}}
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": None}
    return {"id": "", "model": "m", "choices": [choice]}


PIECES = [
    # what the router sends after the name, and the arguments
    (["{", ",", " ", '"', "city", '"', ": ", '"', "Paris", '"', "}"], '{ "city": "Paris"}'),
    (["{", " ", ",", ' "a": 1, "b": [1, 2]', "}"], '{  "a": 1, "b": [1, 2]}'),
    (["{", ', "a": ","}'], '{ "a": ","}'),
    (["{ ,", '"a": 1}'], '{ "a": 1}'),
    (["{", '"a": 1', ",", '"b": 2}'], '{"a": 1,"b": 2}'),
    (["{", "}"], "{}"),
    (['{"a": [1', ",", "2]}"], '{"a": [1,2]}'),
]


@pytest.mark.parametrize(("pieces", "arguments"), PIECES, ids=range(len(PIECES)))
def test_a_comma_before_the_arguments_is_none_of_theirs(
    pieces: list[str], arguments: str, client: Client, httpserver: HTTPServer
) -> None:
    first, *rest = pieces
    sent = events(calling("f", first), *[calling(None, piece) for piece in rest], "[DONE]")
    httpserver.expect_request("/v1/chat/completions").respond_with_data(sent, content_type="text/event-stream")
    with client.stream("tgi/", "q", tools=[TOOL]) as stream:
        deltas = [event.arguments for event in stream if isinstance(event, ToolCallDelta)]
        answer = stream.response
    assert "".join(deltas) == answer.tool_calls[0].arguments == arguments
    assert isinstance(answer.tool_calls[0].parse_arguments(), dict)


@pytest.fixture
def by_openai(httpserver: HTTPServer) -> Iterator[Client]:
    endpoint = EndpointConfig(base_url=httpserver.url_for("").rstrip("/"), options={"completions": "openai"})
    with Client(Config(environ={}), endpoints={"tgi": endpoint}) as client:
        yield client


def piece(index: int, reason: str = "", made: int | None = None) -> dict[str, Any]:
    choice = {"index": index, "text": "a", "logprobs": None, "finish_reason": reason}
    usage = {} if made is None else {"usage": {"prompt_tokens": 3, "completion_tokens": made, "total_tokens": 3 + made}}
    return {"object": "text_completion", "id": "", "model": "m", "choices": [choice], **usage}


@pytest.mark.parametrize("ends_early", [False, True])
def test_texts_by_the_other_route_are_cut_where_they_are_streamed(
    ends_early: bool, by_openai: Client, httpserver: HTTPServer
) -> None:
    first = [piece(0) for _ in range(2047)] + [piece(0, "length", 2048)]
    second = [piece(1), piece(1, "stop_sequence", 2)] if ends_early else [piece(1) for _ in range(1100)]
    mixed = [each for pair in zip(first, second, strict=False) for each in pair] + first[len(second) :]
    httpserver.expect_request("/v1/completions").respond_with_data(events(*mixed), content_type="text/event-stream")
    answer = by_openai.stream_complete("tgi/", ["q", "r"], max_tokens=1025).read()
    lengths = [1025, 2 if ends_early else 1025]
    assert [len(choice.text) for choice in answer.choices] == lengths
    assert [choice.finish_reason for choice in answer.choices] == ["length", "stop" if ends_early else "length"]
    assert answer.usage.output_tokens == sum(lengths)


@pytest.mark.parametrize(("made", "is_told"), [(2050, False), (4096, True)])
def test_texts_that_come_whole_are_told_of(
    made: int, is_told: bool, by_openai: Client, httpserver: HTTPServer, recwarn: pytest.WarningsRecorder
) -> None:
    choices = [{**piece(index, "length")["choices"][0]} for index in (1, 0)]
    usage = {"prompt_tokens": 6, "completion_tokens": made, "total_tokens": 6 + made}
    body = {"object": "text_completion", "id": "", "model": "m", "choices": choices, "usage": usage}
    httpserver.expect_request("/v1/completions").respond_with_json(body)
    assert len(by_openai.complete("tgi/", ["q", "r"], max_tokens=1025).choices) == 2
    told = [each for each in recwarn if "TGI made 4096 tokens and not the 2050 of max_tokens" in str(each.message)]
    assert bool(told) is is_told
