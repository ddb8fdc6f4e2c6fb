"""Streams of OpenAI's dialect: what came is what the whole answer would have been."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import BackendInfo
from ipfs_accel import errors as e
from ipfs_accel._headers import Headers
from ipfs_accel.plans import Endpoint, Http, HttpResponse, HttpStream
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    FinishEvent,
    Message,
    Reasoning,
    Refusal,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    Usage,
    UsageEvent,
)
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.openai import OpenAICompatible


class Acme(OpenAICompatible):
    api_version = 1
    info = BackendInfo(name="acme", base_url="https://api.acme.example/v1")


ENDPOINT = Endpoint(name="acme", backend="acme", base_url="https://api.acme.example/v1")
CHAT = ChatRequest(model="m", messages=(Message.user("hi"),))
COMPLETION = CompletionRequest(model="m", prompt=("a",))
DONE = "data: [DONE]\n\n"


def feed(stream: str, plan: Any, size: int = 0) -> Assembler[Any]:
    """Decode a stream that comes in pieces of this size."""
    assert isinstance(plan, HttpStream)
    frames, decode, out = plan.frames(), plan.decoder(), plan.assembler()
    raw = stream.encode()
    size = size or len(raw) or 1
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    for event in [*[event for piece in pieces for event in frames.feed(piece)], *frames.flush()]:
        if out.is_done:
            break
        decode(event, out)
    return out


def chat(stream: str, size: int = 0) -> ChatResponse:
    answer = feed(stream, Acme().stream(ENDPOINT, CHAT), size).conclude()
    assert isinstance(answer, ChatResponse)
    return answer


def completion(stream: str) -> CompletionResponse:
    answer = feed(stream, Acme().stream_complete(ENDPOINT, COMPLETION)).conclude()
    assert isinstance(answer, CompletionResponse)
    return answer


def event(value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def chunk(*choices: dict[str, Any], **fields: Any) -> str:
    return event({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": list(choices), **fields})


def delta(reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"index": index, "delta": fields, "logprobs": None, "finish_reason": reason}


def call(index: int | None = None, **fields: Any) -> dict[str, Any]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return ({} if index is None else {"index": index}) | fields | {"function": function}


FIRST = chunk(delta(role="assistant", content="", refusal=None), usage=None, obfuscation="a1B2")
LAST = chunk(delta("stop"), usage=None)
USAGE = chunk(usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})


def test_the_stream_of_openai_itself() -> None:
    stream = FIRST + chunk(delta(content="Hel"), service_tier="default") + chunk(delta(content="lo")) + LAST + USAGE
    out = feed(stream + DONE, Acme().stream(ENDPOINT, CHAT))
    answer = out.conclude()
    assert (answer.id, answer.model, answer.text, answer.finish_reason) == ("c1", "m", "Hello", "stop")
    assert answer.usage == Usage(input_tokens=9, output_tokens=2)
    assert answer.extra == {"service_tier": "default"}
    events = out.take()
    assert [each.text for each in events if isinstance(each, TextDelta)] == ["Hel", "lo"]
    assert [type(each) for each in events[-2:]] == [UsageEvent, FinishEvent]


TEXTS: list[tuple[str, str]] = [
    ("", FIRST + LAST + DONE),
    ("ab", chunk(delta(content="a")) + chunk(delta("stop", content="b")) + DONE),
    (" \n", chunk(delta(content=" ")) + chunk(delta(content="\n")) + LAST + DONE),
    ("a", chunk(delta(content=None)) + chunk(delta(content="a")) + LAST + DONE),
    ("a", chunk({"index": 0, "delta": None}) + chunk({"delta": {"content": "a"}}) + LAST + DONE),
    ("a\u2028\u2029\x85b", chunk(delta(content="a\u2028\u2029\x85b")) + LAST + DONE),
    ("ab", chunk(delta(content=[{"type": "text", "text": "a"}])) + chunk(delta(content="b")) + LAST + DONE),
    # Without [DONE], but after the finish reason (sheet 4).
    ("a", chunk(delta(content="a")) + LAST),
    ("a", chunk(delta(content="a")) + LAST + USAGE),
    # Comments, other fields, events without data.
    ("a", ": PROCESSING\n\nid: 7\nretry: 10\n\n" + chunk(delta(content="a")) + ": ping\n\n" + LAST + DONE),
    ("a", chunk(delta(content="a")) + "data:\n\n" + LAST + "data: [DONE] \n\n"),
    ("a", chunk(delta(content="a")).replace("data: ", "data:") + LAST.replace("\n", "\r\n") + "data:[DONE]"),
    # What follows [DONE] is not read.
    ("a", chunk(delta(content="a")) + LAST + DONE + "data: what?\n\n"),
    # Azure's first chunk, an inline moderation, chunks without choices.
    ("a", chunk(prompt_filter_results=[]) + chunk(delta(content="a")) + event({"choices": None}) + event({}) + LAST),
]


@pytest.mark.parametrize(("expected", "stream"), TEXTS)
@pytest.mark.parametrize("size", [0, 1, 7])
def test_texts(expected: str, stream: str, size: int) -> None:
    answer = chat(stream, size)
    assert (answer.text, answer.finish_reason) == (expected, "stop")


def test_reasoning_under_either_name_and_a_refusal() -> None:
    stream = (
        chunk(delta(role="assistant", content=None, reasoning_content="a"))
        + chunk(delta(reasoning="b", content=""))
        + chunk(delta(reasoning={"not": "text"}))
        + chunk(delta(content="c", reasoning_content=None))
        + chunk(delta(refusal="d"))
        + chunk(delta(refusal="e"))
        + LAST
    )
    assert chat(stream).message.content == (Reasoning(text="ab"), Text(text="c"), Refusal(text="de"))


CALLS: list[tuple[list[ToolCall], list[list[dict[str, Any]]]]] = [
    (
        [ToolCall(id="a", name="f", arguments='{"x":1}')],
        [[call(0, id="a", name="f", arguments="")], [call(0, arguments='{"x"')], [call(0, arguments=":1}")]],
    ),
    # Later fragments repeat the id and the name, or say null.
    (
        [ToolCall(id="a", name="f", arguments="{}")],
        [
            [call(0, id="a", name="f", arguments="{")],
            [call(0, id=None, name=None, arguments="")],
            [call(0, id="a", name="f", arguments="}")],
        ],
    ),
    (
        [ToolCall(id="a", name="f", arguments="12"), ToolCall(id="b", name="g", arguments="34")],
        [
            [call(0, id="a", name="f", arguments="1"), call(1, id="b", name="g", arguments="3")],
            [call(1, arguments="4")],
            [call(0, arguments="2")],
        ],
    ),
    # Two fragments of one call in one chunk.
    (
        [ToolCall(id="a", name="f", arguments="12")],
        [[call(0, id="a", name="f", arguments="1"), call(0, arguments="2")]],
    ),
    # Without index: by id, and what has neither goes on with the last one.
    (
        [ToolCall(id="a", name="f", arguments="12"), ToolCall(id="b", name="g", arguments="34")],
        [
            [call(id="a", name="f", arguments="1")],
            [call(arguments="2")],
            [call(id="b", name="g", arguments="3")],
            [call(arguments="4")],
        ],
    ),
    # Whole calls at once, arguments as an object, no id.
    ([ToolCall(id="call_0", name="f", arguments='{"x":1}')], [[call(0, name="f", arguments={"x": 1})]]),
    ([ToolCall(id="call_0", name="f")], [[call(name="f")]]),
    ([ToolCall(id="call_0", name="f")], [[call(0, name="f", arguments=None)]]),
    # Without index and id: a name begins the next call, unless it is only repeated.
    (
        [ToolCall(id="call_0", name="f", arguments="{}"), ToolCall(id="call_1", name="g", arguments="{}")],
        [[call(name="f", arguments="{}"), call(name="g", arguments="{}")]],
    ),
    (
        [ToolCall(id="call_0", name="f", arguments='{"x":1}'), ToolCall(id="call_1", name="f", arguments='{"x":2}')],
        [[call(name="f", arguments='{"x"')], [call(arguments=":1}")], [call(name="f", arguments='{"x":2}')]],
    ),
    (
        [ToolCall(id="call_0", name="f", arguments='{"x":1}')],
        [[call(name="f", arguments="")], [call(name="f", arguments='{"x"')], [call(name="f", arguments=":1}")]],
    ),
    # The name comes late.
    ([ToolCall(id="a", name="f", arguments="{}")], [[call(0, id="a")], [call(0, name="f", arguments="{}")]]),
]


@pytest.mark.parametrize(("expected", "deltas"), CALLS)
@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
def test_tool_calls(expected: list[ToolCall], deltas: list[list[dict[str, Any]]], reason: str) -> None:
    first = chunk(delta(role="assistant", content=None, tool_calls=deltas[0]))
    answer = chat(first + "".join([chunk(delta(tool_calls=each)) for each in deltas[1:]]) + chunk(delta(reason)) + DONE)
    assert list(answer.tool_calls) == expected
    assert answer.finish_reason == "tool_calls"


def test_an_old_function_call() -> None:
    pieces = [{"name": "f", "arguments": ""}, {"arguments": "{"}, {"arguments": "}"}]
    stream = "".join([chunk(delta(function_call=piece)) for piece in pieces]) + chunk(delta("function_call"))
    answer = chat(stream)
    assert answer.tool_calls == (ToolCall(id="call_0", name="f", arguments="{}"),)
    assert answer.finish_reason == "tool_calls"


def test_several_choices_come_interleaved() -> None:
    stream = (
        chunk(delta(index=1, content="B"))
        + chunk(delta(index=0, content="A"), delta(index=1, content="b"))
        + chunk(delta("length", index=1))
        + chunk(delta("stop", index=0, content="a"))
        + DONE
    )
    answer = chat(stream)
    assert [(choice.index, choice.message.text, choice.finish_reason) for choice in answer.choices] == [
        (0, "Aa", "stop"),
        (1, "Bb", "length"),
    ]


@pytest.mark.parametrize(
    ("expected", "stream"),
    [
        (Usage(input_tokens=9, output_tokens=2), LAST + USAGE + DONE),
        (Usage(), LAST + DONE),
        # Cumulative in every chunk: the last one counts; or in the chunk that finishes.
        (
            Usage(input_tokens=1, output_tokens=3),
            chunk(delta(content="a"), usage={"prompt_tokens": 1, "completion_tokens": 1})
            + chunk(delta("stop"), usage={"prompt_tokens": 1, "completion_tokens": 3})
            + chunk(usage=None)
            + DONE,
        ),
        (Usage(input_tokens=1), LAST + chunk(usage={"prompt_tokens": 1, "prompt_tokens_details": None}) + DONE),
    ],
)
def test_usage(expected: Usage, stream: str) -> None:
    assert chat(FIRST + stream).usage == expected


def test_what_a_usage_says_beside_tokens_is_kept() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "queue_time": 0.25, "cost": None}
    answer = chat(FIRST + LAST + chunk(usage=usage) + DONE)
    assert (answer.usage, answer.extra["usage"]) == (Usage(input_tokens=9, output_tokens=2), {"queue_time": 0.25})


def test_log_probabilities() -> None:
    def one(token: str) -> dict[str, Any]:
        return {"content": [{"token": token, "logprob": -1.0, "bytes": None, "top_logprobs": []}], "refusal": None}

    choices = [{"index": 0, "delta": {"content": text}, "logprobs": one(text)} for text in "ab"]
    answer = chat("".join([chunk(choice) for choice in choices]) + LAST)
    expected = (TokenLogprob(token="a", logprob=-1.0), TokenLogprob(token="b", logprob=-1.0))
    assert answer.choices[0].logprobs == expected


ERROR = {"message": "engine died", "type": "server_error", "param": None, "code": None}


@pytest.mark.parametrize(
    ("expected", "frame"),
    [
        (e.InternalServerError, event({"error": ERROR})),
        (e.InternalServerError, event({"error": "engine died"})),
        (e.InternalServerError, "event: error\n" + event({"error": ERROR})),
        (e.InternalServerError, "event: error\n" + event({"message": "engine died"})),
        (e.OverloadedError, event({"error": {**ERROR, "type": "unavailable_error", "code": 503}})),
        (e.RateLimitError, event({"error": {**ERROR, "code": 429, "type": "x"}})),
        (e.InternalServerError, event({"id": "c1", "choices": [], "error": ERROR})),
        (e.InternalServerError, "event: error\ndata: engine died\n\n"),
        (e.InternalServerError, 'event: error\ndata: "engine died"\n\n'),
        (e.InternalServerError, event({"object": "error", "message": "engine died", "code": 500})),
        (e.BadRequestError, event({"error": {**ERROR, "type": "invalid_request_error", "code": "invalid_prompt"}})),
    ],
)
@pytest.mark.parametrize("before", ["", FIRST, chunk(delta(content="a")), chunk(delta("stop", content="a"))])
def test_an_error_in_the_stream_is_raised_although_done_follows(
    expected: type[e.APIError], frame: str, before: str
) -> None:
    with pytest.raises(expected, match="engine died") as caught:
        chat(before + frame + DONE)
    assert type(caught.value) is expected
    with pytest.raises(expected, match="engine died"):
        completion(frame + DONE)


@pytest.mark.parametrize(
    "stream",
    [
        "",
        FIRST,
        chunk(delta(content="half")),
        chunk(delta(content="half")) + USAGE,
        chunk(delta(tool_calls=[call(0, id="a", name="f", arguments='{"x')])),
        chunk(delta("stop", content="a")) + chunk(delta(index=1, content="half")),
        chunk(delta("stop", content="a")) + chunk(delta(index=1, role="assistant", content="")),
    ],
)
def test_a_stream_that_is_cut_is_incomplete(stream: str) -> None:
    with pytest.raises(e.StreamIncomplete):
        chat(stream)


def test_nothing_is_partial_before_anything_came() -> None:
    with pytest.raises(e.StreamIncomplete) as caught:
        chat(FIRST)
    assert caught.value.partial is None


def test_azures_first_chunk_names_nothing() -> None:
    first = event({"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []})
    answer = chat(first + chunk(delta(content="a")) + LAST)
    assert (answer.id, answer.model) == ("c1", "m")


def test_a_choice_without_text_and_reason_is_still_one() -> None:
    answer = chat(FIRST + chunk(delta("")) + DONE)
    assert (answer.text, answer.finish_reason, len(answer.choices)) == ("", None, 1)


def test_an_answer_without_any_choice_is_none() -> None:
    for stream in (DONE, USAGE + DONE):
        with pytest.raises(e.InvalidResponseError, match="without any choice"):
            chat(stream)


@pytest.mark.parametrize("data", ["{", "[]", "1", '"x"'])
def test_a_chunk_of_another_form(data: str) -> None:
    with pytest.raises((ValueError, e.InvalidResponseError)):
        chat(f"data: {data}\n\n")


def test_completions() -> None:
    logprobs = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": None, "text_offset": [0]}
    stream = (
        event({"id": "t1", "model": "m", "choices": [{"index": 0, "text": "a", "logprobs": logprobs}]})
        + event({"id": "t1", "choices": [{"index": 1, "text": "B", "finish_reason": None}]})
        + event({"id": "t1", "choices": [{"index": 0, "text": "b", "finish_reason": "length"}]})
        + event({"id": "t1", "choices": [{"index": 1, "text": None, "finish_reason": "stop"}]})
        + event({"id": "t1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        + DONE
    )
    answer = completion(stream)
    assert (answer.id, answer.model) == ("t1", "m")
    assert [(each.index, each.text, each.finish_reason) for each in answer.choices] == [
        (0, "ab", "length"),
        (1, "B", "stop"),
    ]
    assert answer.choices[0].logprobs == (TokenLogprob(token="a", logprob=-1.0),)
    assert answer.usage == Usage(input_tokens=1, output_tokens=2)
    with pytest.raises(e.StreamIncomplete):
        completion(event({"choices": [{"index": 0, "text": "half"}]}))


# Any answer, whole and streamed.

NAMES = st.text("abc_", min_size=1, max_size=3)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TOOLS = st.lists(
    st.builds(
        lambda key, name, arguments: {"id": key, "function": {"name": name, "arguments": arguments}},
        NAMES,
        NAMES,
        TEXT,
    ),
    max_size=3,
)
MESSAGES = st.fixed_dictionaries(
    {"content": st.none() | TEXT, "refusal": st.none() | TEXT, "tool_calls": TOOLS},
    optional={"reasoning_content": TEXT.filter(bool)},
)
TOKENS = st.lists(st.builds(lambda token: {"token": token, "logprob": -1.0, "bytes": None}, NAMES), max_size=3)
CHOICES = st.builds(
    lambda message, reason, tokens: {"message": message, "finish_reason": reason, "logprobs": {"content": tokens}},
    MESSAGES,
    st.sampled_from(["stop", "length", "tool_calls", "content_filter", "eos"]),
    TOKENS,
)
ANSWERS = st.builds(
    lambda choices, usage: {
        "id": "c1",
        "model": "m",
        "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
        "usage": usage,
    },
    st.lists(CHOICES, min_size=1, max_size=3),
    st.none() | st.just({"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": None}),
)


def cut(data: st.DataObject, text: str) -> list[str]:
    """Return the text in pieces, of which some are empty."""
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def deltas(data: st.DataObject, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a server could stream for a message, in an order that servers use."""
    found: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "content", "refusal"):
        if message.get(name):
            found += [{name: piece} for piece in cut(data, message[name])]
    for index, tool in enumerate(message["tool_calls"]):
        first, *rest = cut(data, tool["function"]["arguments"])
        head = {"index": index, "id": tool["id"], "function": {"name": tool["function"]["name"], "arguments": first}}
        found.append({"tool_calls": [head]})
        found += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in rest]
    return found


@given(value=ANSWERS, data=st.data())
def test_a_stream_assembles_to_the_whole_answer(value: dict[str, Any], data: st.DataObject) -> None:
    queues = []
    for choice in value["choices"]:
        queue = [{"index": choice["index"], "delta": each} for each in deltas(data, choice["message"])]
        queue[-1]["logprobs"] = choice["logprobs"]
        queue.append({"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]})
        queues.append(queue)
    stream = ""
    while queues:
        queue = data.draw(st.sampled_from(queues))
        stream += chunk(queue.pop(0))
        queues = [each for each in queues if each]
    stream += chunk(usage=value["usage"]) + data.draw(st.sampled_from(["", DONE]))
    plan = Acme().chat(ENDPOINT, CHAT)
    assert isinstance(plan, Http)
    response = HttpResponse(status=200, headers=Headers([]), body=json.dumps(value).encode())
    assert chat(stream, data.draw(st.integers(0, 40))) == plan.parse(response)
