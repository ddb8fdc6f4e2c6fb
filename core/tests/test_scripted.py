"""A backend that answers by a script: each kind of entry, in each world, whole and streamed."""

from __future__ import annotations

import functools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Image, Message, RetryConfig
from ipfs_accel import errors as e
from ipfs_accel.testing import Scripted, UnexpectedCallError
from ipfs_accel.testing.stream_rules import check
from ipfs_accel.types import (
    Audio,
    ChatResponse,
    Choice,
    CompletionChoice,
    CompletionResponse,
    ImageResponse,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    Usage,
)

from .fake_clock import FakeClock

CALL = ToolCall(id="c1", name="weather", arguments='{"city": "Rome"}')
PNG = b"\x89PNG\r\n\x1a\n..."
RICH = ChatResponse(
    id="r1",
    model="m-1",
    choices=(
        Choice(
            message=Message(
                role="assistant",
                content=(
                    Reasoning(text="Let me think.", signature="s", field="thoughts"),
                    Text(text="It is sunny.", annotations=({"url": "https://example.com"},)),
                    Text(text="And warm.", extra={"note": "u"}),
                    CALL,
                    ToolCall(id="c2", name="time", extra={"signature": "t"}),
                    Audio(data=b"RIFF....WAVE", id="a", transcript="hi"),
                    Image(data=PNG),
                    Opaque(backend="scripted", data={"type": "x"}),
                ),
                extra={"note": "n"},
            ),
            finish_reason="tool_calls",
            logprobs=(TokenLogprob(token="It", logprob=-0.5),),
            extra={"e": 1},
        ),
        Choice(index=1, message=Message(role="assistant", content=(Refusal(text="I would rather not."),))),
    ),
    usage=Usage(input_tokens=3, output_tokens=4),
    extra={"tier": "x"},
)


def blocking(plugins: Any, *calls: Any, **more: Any) -> list[Any]:
    with Client(plugins=plugins, **more) as client:
        client._core.clock = FakeClock()
        return [_call(client, *call) for call in calls]


def _call(client: Client, name: str, *arguments: Any) -> Any:
    try:
        found = getattr(client, name)(*arguments)
        return ([*found], found.response) if name.startswith("stream") else found
    except e.AccelError as error:
        return error


def awaiting(plugins: Any, *calls: Any, library: str = "asyncio", **more: Any) -> list[Any]:
    async def one(client: AsyncClient, name: str, *arguments: Any) -> Any:
        try:
            found = getattr(client, name)(*arguments)
            if name.startswith("stream"):
                return [event async for event in found], found.response
            return await found
        except e.AccelError as error:
            return error

    async def run() -> list[Any]:
        async with AsyncClient(plugins=plugins, **more) as client:
            client._core.clock = FakeClock()
            return [await one(client, *call) for call in calls]

    return anyio.run(run, backend=library)


WORLDS = {"sync": blocking, "asyncio": awaiting, "trio": functools.partial(awaiting, library="trio")}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Any:
    return WORLDS[request.param]


CHAT = ("chat", "scripted/any", "q")
STREAM = ("stream", "scripted/any", "q")


@pytest.mark.parametrize(
    ("entry", "content", "reason"),
    [
        ("It is sunny.", (Text(text="It is sunny."),), "stop"),
        ("", (), "stop"),
        (CALL, (CALL,), "tool_calls"),
        (
            [Reasoning(text="Hm."), "Let me", " see.", CALL],
            (Reasoning(text="Hm."), Text(text="Let me see."), CALL),
            "tool_calls",
        ),
        (Message.assistant("Hi", CALL), (Text(text="Hi"), CALL), "tool_calls"),
        (lambda request: f"you said {request.messages[0].text}", (Text(text="you said q"),), "stop"),
        (lambda _request: [CALL], (CALL,), "tool_calls"),
    ],
    ids=["text", "empty", "call", "list", "message", "function", "function of a list"],
)
def test_an_entry_serves_a_whole_call_and_a_stream_alike(world: Any, entry: Any, content: Any, reason: str) -> None:
    scripted = Scripted([entry, entry])
    whole, (events, streamed) = world([scripted], CHAT, STREAM)
    assert (whole.message.content, whole.finish_reason) == (content, reason)
    assert streamed == whole
    check(events, streamed)
    assert [type(request).__name__ for request in scripted.requests] == ["ChatRequest"] * 2
    assert scripted.left == ()


def test_all_of_an_answer_comes_by_a_stream_too(world: Any) -> None:
    whole, (events, streamed) = world([Scripted([RICH, RICH])], CHAT, STREAM)
    check(events, streamed)
    assert whole == streamed == RICH
    for mine, theirs in zip(streamed.choices, RICH.choices, strict=True):
        assert (mine.extra, mine.message.extra) == (theirs.extra, theirs.message.extra)
    assert (streamed.extra, streamed.tool_calls[1].extra) == (RICH.extra, {"signature": "t"})
    assert [part.extra for part in streamed.message.content if isinstance(part, Text)] == [{}, {"note": "u"}]


def test_a_text_comes_in_pieces_and_a_list_as_it_is_cut(world: Any) -> None:
    (first, _), (second, _) = world([Scripted(["It is sunny.", ["It is ", "sunny."]])], STREAM, STREAM)
    assert [each.text for each in first if isinstance(each, TextDelta)] == ["It i", "s su", "nny."]
    assert [each.text for each in second if isinstance(each, TextDelta)] == ["It is ", "sunny."]


@pytest.mark.parametrize("call", [CHAT, STREAM], ids=["chat", "stream"])
def test_an_error_is_tried_again_with_the_next_entry(world: Any, call: Any) -> None:
    slow = e.RateLimitError("slow down", status=429)
    scripted = Scripted([slow, slow, "at last"])
    (answer,) = world([scripted], call, config=Config(retry=RetryConfig(attempts=3)))
    answer = answer[1] if call is STREAM else answer
    assert (answer.text, answer.call.attempts) == ("at last", 3)
    assert [each.error for each in answer.call.tried] == ["RateLimitError"] * 2
    assert (slow.endpoint, slow.tried, len(scripted.requests)) == (None, (), 3)


def test_an_error_may_be_there_twice_and_stays_as_it_is_written(world: Any) -> None:
    down = e.OverloadedError("down", status=503)
    first, second = world([Scripted([down, down])], CHAT, STREAM, config=Config(retry=RetryConfig(attempts=1)))
    assert [type(each) for each in (first, second)] == [e.OverloadedError] * 2
    assert (len(first.tried), len(second.tried)) == (1, 1)
    assert (down.endpoint, down.tried) == (None, ())


def test_a_fallback_takes_over_from_a_backend_of_another_name(world: Any) -> None:
    down = Scripted([e.OverloadedError("down", status=503)], name="openai")
    (answer,) = world(
        [down, Scripted(["here"])],
        ("chat", ["openai/gpt-5.4-mini", "scripted/any"], "q"),
        config=Config(retry=RetryConfig(attempts=1)),
    )
    assert (answer.text, answer.endpoint) == ("here", "scripted")
    assert down.requests[0].model == "gpt-5.4-mini"


def test_a_stream_breaks_off_at_an_error_in_a_list(world: Any) -> None:
    broken = ["Hel", e.APIConnectionError("gone")]
    cut, whole = world([Scripted([broken, broken])], STREAM, CHAT, config=Config(retry=RetryConfig(attempts=1)))
    assert isinstance(cut, e.StreamInterrupted)
    assert (cut.partial.text, str(whole)) == ("Hel", "scripted/any: gone")


def test_other_operations_get_their_answers(world: Any) -> None:
    pictures = ImageResponse(images=())
    continued = CompletionResponse(choices=(CompletionChoice(text=" time", finish_reason="length"),))
    scripted = Scripted([[[1, 2.5], [3, 4]], pictures, "spoken", "Once", continued, continued])
    vectors, image, heard, first, second, (_, third) = world(
        [scripted],
        ("embed", "scripted/any", ["a", "b"]),
        ("generate_image", "scripted/any", "a cat"),
        ("transcribe", "scripted/any", b"RIFF....WAVE"),
        ("complete", "scripted/any", "q"),
        ("complete", "scripted/any", "q"),
        ("stream_complete", "scripted/any", "q"),
    )
    assert [list(vector) for vector in vectors.vectors] == [[1, 2.5], [3, 4]]
    assert (image, heard.text, first.choices[0].text) == (pictures, "spoken", "Once")
    assert second == third == continued


@pytest.mark.parametrize("call", [CHAT, STREAM], ids=["chat", "stream"])
def test_a_script_at_its_end_fails_the_test_and_nothing_is_repeated(world: Any, call: Any) -> None:
    scripted = Scripted(["one"])
    models = ("chat" if call is CHAT else "stream", ["scripted/any", "scripted/other"], "q")
    _, error = world([scripted], CHAT, models, config=Config(retry=RetryConfig(attempts=3)))
    assert isinstance(error, UnexpectedCallError)
    assert isinstance(error, AssertionError)
    assert error.message.startswith("the script of 'scripted' has come to its end: it had 1 entry, and this ")
    assert (error.endpoint, len(scripted.requests)) == ("scripted", 2)


@pytest.mark.parametrize("call", [CHAT, STREAM], ids=["chat", "stream"])
def test_an_entry_for_another_operation_fails_the_test(world: Any, call: Any) -> None:
    (error,) = world([Scripted([ImageResponse(images=())])], call)
    assert isinstance(error, UnexpectedCallError)
    assert "the script's next entry is ImageResponse, of which no ChatResponse can be made" in error.message
    (error,) = world([Scripted(["text"])], ("embed", "scripted/any", "q"))
    assert "the script's next entry is str, of which no EmbedResponse" in error.message


@pytest.mark.parametrize("call", [CHAT, STREAM], ids=["chat", "stream"])
def test_an_assertion_in_a_function_is_one_of_the_test(world: Any, call: Any) -> None:
    def judge(request: Any) -> str:
        assert request.temperature == 0, "the temperature is not 0"
        return "fine"

    (error,) = world([Scripted(judge)], call)
    assert isinstance(error, UnexpectedCallError)
    assert "judge failed: AssertionError: the temperature is not 0" in error.message
    (error,) = world([Scripted(lambda _request: 7)], call)
    assert "failed: InvalidValueError: what it returned: expected a text" in error.message


def test_a_function_answers_every_call_and_nothing_is_left() -> None:
    scripted = Scripted(lambda request: request.messages[-1].text.upper())
    found = blocking([scripted], CHAT, CHAT, CHAT)
    assert ([each.text for each in found], scripted.left) == (["Q"] * 3, ())
    assert Scripted(["a", CALL]).left == ("a", [CALL])


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("text", r"a script is a list of entries, not str: \['text'\]"),
        ([7], r"script\[0\]: expected a text, message, part"),
        (["a", e.RateLimitError], r"script\[1\]: expected .* got the class RateLimitError"),
        ([["a", 7]], r"script\[0\]\[1\]: expected a text, a part or an error, got int"),
        ([[[1.0, "x"]]], r"script\[0\]\[0\]: expected a vector of numbers"),
    ],
    ids=["text", "number", "class", "piece", "vector"],
)
def test_what_is_no_entry_is_refused_at_once(script: Any, message: str) -> None:
    with pytest.raises(e.InvalidValueError, match=message):
        Scripted(script)


def test_threads_each_get_an_entry_of_their_own() -> None:
    scripted = Scripted([str(number) for number in range(64)])
    with Client(plugins=[scripted]) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat("scripted/any", "q").text, range(64)))
    assert sorted(answers, key=int) == [str(number) for number in range(64)]
    assert (len(scripted.requests), scripted.left) == (64, ())


def test_it_answers_a_configured_endpoint_of_its_backend() -> None:
    work = EndpointConfig(backend="openai", key="sk-work-key", base_url="https://example.com/v1")
    (answer,) = blocking([Scripted(["hi"], name="openai")], ("chat", "work/gpt", "q"), endpoints={"work": work})
    assert (answer.text, answer.endpoint) == ("hi", "work")


def test_pytest_is_not_needed() -> None:
    code = (
        "import sys\nsys.modules['pytest'] = None\nfrom ipfs_accel import Client\nfrom ipfs_accel.testing import Scripted\n"
        "with Client(plugins=[Scripted(['a'])]) as client: print(client.chat('scripted/m', 'q').text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a\n"
