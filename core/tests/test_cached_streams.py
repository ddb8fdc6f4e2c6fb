"""Streams out of the cache and into it: one entry for a chat in either form, one name for each target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import (
    AsyncClient,
    CacheConfig,
    Client,
    RetryConfig,
    RouteConfig,
    SemanticConfig,
    hookimpl,
    load_config,
)
from ipfs_accel import errors as e
from ipfs_accel.testing import Scripted
from ipfs_accel.testing.stream_rules import check, without_call
from ipfs_accel.types import (
    Audio,
    ChatResponse,
    Choice,
    Image,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TextDelta,
    ToolCall,
    Usage,
)

from .both_worlds import awaiting, blocking, fine, on_trio, scripted, streamed

SURE = {"temperature": 0}


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Any]:
    def make(routes: Any = None, **settings: Any) -> Any:
        cache = CacheConfig(**{"path": str(tmp_path / "answers"), **settings})
        return attrs.evolve(load_config(None, {}), cache=cache, retry=RetryConfig(attempts=1), routes=routes or {})

    return make


def asked(operation: str = "stream", text: str = "q", **options: Any) -> tuple[str, dict[str, Any]]:
    return operation, {"model": "acme/m", "messages": text, **SURE, **options}


@pytest.mark.parametrize(("first", "second"), [("stream", "stream"), ("stream", "chat"), ("chat", "stream")])
def test_one_entry_serves_a_chat_in_either_form(first: str, second: str, world: Any, config: Any) -> None:
    with scripted(streamed("bl", "ue", "END") if first == "stream" else fine()) as server:
        found, again = world(server, asked(first), asked(second), config=config())
        (later,) = world(server, asked("stream"), config=config())
    assert [each.answer.text for each in (found, again, later)] == ["blue"] * 3
    assert [each.answer.cached for each in (found, again, later)] == [None, "exact", "exact"]
    assert without_call(again.answer) == without_call(later.answer) == without_call(found.answer)
    assert (again.answer.cost, again.answer.call.attempts) == (0.0, 0)
    assert len(server.heads) == 1


RICH = ChatResponse(
    id="a1",
    model="m-1",
    choices=(
        Choice(
            message=Message(
                role="assistant",
                content=(
                    Reasoning(text="hm", signature="s"),
                    Text(text="Blue. " * 50, annotations=({"url": "u"},)),
                    ToolCall(id="1", name="look", arguments='{"a": 1}'),
                    ToolCall(id="2", name="look", arguments='{"a": 2}'),
                    Image(data=b"\x89PNG\r\n\x1a\n1"),
                    Opaque(backend="scripted", data={"k": 1}),
                ),
            ),
            finish_reason="tool_calls",
        ),
        Choice(index=1, message=Message.assistant(Refusal(text="No.")), finish_reason="stop"),
        Choice(
            index=2,
            message=Message.assistant(Audio(data=b"RIFF1234WAVE", id="s", transcript="La.")),
            finish_reason="stop",
        ),
    ),
    usage=Usage(input_tokens=5, output_tokens=7),
)


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_a_served_stream_keeps_the_whole_contract(operation: str, config: Any) -> None:
    plugin = Scripted([RICH])
    with Client(config(), plugins=[plugin]) as client:
        if operation == "chat":
            client.chat("scripted/m", "q", **SURE)
        else:
            client.stream("scripted/m", "q", **SURE).read()
        with client.stream("scripted/m", "q", **SURE) as stream:
            events = list(stream)
    check(events, stream.response)
    assert without_call(stream.response) == without_call(RICH)
    assert [event.part for event in events if type(event).__name__ == "BlockEnd"] == [
        part for choice in RICH.choices for part in choice.message.content
    ]
    assert (stream.response.cached, stream.response.usage) == ("exact", RICH.usage)


def test_a_served_stream_can_be_left_and_read_by_pieces(config: Any) -> None:
    plugin = Scripted(['{"a": [1, 2]}'])
    with Client(config(), plugins=[plugin]) as client:
        client.chat("scripted/m", "q", **SURE)
        with client.stream("scripted/m", "q", **SURE) as stream:
            assert stream.partial is None
            next(event for event in stream if isinstance(event, TextDelta))
            assert stream.partial == {"a": [1, 2]}
        assert "".join(client.stream("scripted/m", "q", **SURE).text_stream) == '{"a": [1, 2]}'
        (total,) = client.usage()
    assert (total.calls, total.failed, total.cached) == (1, 0, 2)


def test_completions_too(config: Any) -> None:
    plugin = Scripted(["and so on"])
    with Client(config(), plugins=[plugin]) as client:
        assert client.stream_complete("scripted/m", "once", **SURE).read().cached is None
        again = client.stream_complete("scripted/m", "once", **SURE).read()
        assert (again.text, again.cached) == ("and so on", "exact")
        assert client.complete("scripted/m", "once", **SURE).cached == "exact"


def test_what_is_not_whole_is_not_kept(world: Any, config: Any) -> None:
    with scripted(lambda each: each.send(streamed("bl", end=False)), streamed("bl", "!"), fine("whole")) as server:
        results = world(server, asked(), asked(), asked("chat"), config=config())
    assert [type(each.error) for each in results[:2]] == [e.StreamInterrupted, e.InvalidResponseError]
    assert (results[2].answer.text, results[2].answer.cached) == ("whole", None)


def test_a_stream_that_was_left_is_not_kept(config: Any) -> None:
    plugin = Scripted(["a text of some pieces", "another"])
    with Client(config(), plugins=[plugin]) as client:
        with client.stream("scripted/m", "q", **SURE) as stream:
            next(stream)
        assert client.chat("scripted/m", "q", **SURE).text == "another"


def test_a_stream_that_was_left_is_not_kept_awaited(config: Any) -> None:
    async def run() -> str:
        async with AsyncClient(config(), plugins=[Scripted(["a text of some pieces", "another"])]) as client:
            async with client.stream("scripted/m", "q", **SURE) as stream:
                await anext(stream)
            return (await client.chat("scripted/m", "q", **SURE)).text

    assert anyio.run(run) == "another"


@pytest.mark.parametrize(
    ("options", "settings", "requests"),
    [
        ({"temperature": None}, {}, 2),
        ({"temperature": None}, {"sampled": True}, 1),
        ({"temperature": None, "cache": True}, {}, 1),
        ({"cache": False}, {}, 2),
    ],
)
def test_the_rules_are_those_of_chats(options: Any, settings: Any, requests: int, config: Any) -> None:
    plugin = Scripted(lambda _request: "blue")
    options = {name: value for name, value in {**SURE, **options}.items() if value is not None}
    with Client(config(**settings), plugins=[plugin]) as client:
        for _ in range(2):
            client.stream("scripted/m", "q", **options).read()
    assert len(plugin.requests) == requests


def test_a_closed_client_serves_nothing(config: Any) -> None:
    client = Client(config(), plugins=[Scripted(["blue"])])
    client.chat("scripted/m", "q", **SURE)
    client.close()
    with pytest.raises(e.ClientClosedError):
        client.stream("scripted/m", "q", **SURE).read()


class Loud:
    """Tells of calls, and writes large what comes."""

    name = "loud"
    api_version = 1

    def __init__(self) -> None:
        self.records: list[Any] = []

    @hookimpl
    def rewrite_event(self, call: Any, event: Any) -> Any:
        return [TextDelta(event.text.upper(), event.choice, event.block)] if isinstance(event, TextDelta) else None

    @hookimpl
    def call_finished(self, record: Any) -> None:
        self.records.append(record)


def test_middleware_stands_outside_and_records_say_where_an_answer_is_from(config: Any) -> None:
    loud = Loud()
    with Client(config(), plugins=[Scripted(["blue"])], middleware=[loud]) as client:
        for _ in range(2):
            assert "".join(client.stream("scripted/m", "q", **SURE).text_stream) == "BLUE"
    with Client(config(), plugins=[Scripted()]) as client:
        assert client.chat("scripted/m", "q", **SURE).text == "blue"
    assert [(each.cached, each.is_stream, each.operation) for each in loud.records] == [
        (None, True, "stream"),
        ("exact", True, "stream"),
    ]


def test_a_question_that_means_the_same(config: Any) -> None:
    plugin = Scripted(["blue"])
    vectors = Scripted(lambda _request: [[1.0, 0.0]], name="vectors")
    settings = {"semantic": SemanticConfig(embed="vectors/m", threshold=0.9)}
    with Client(config(**settings), plugins=[plugin, vectors]) as client:
        assert client.stream("scripted/m", "the sky?", **SURE).read().cached is None
        assert client.stream("scripted/m", "the sky, please?", **SURE).read().cached == "semantic"


def test_a_type_is_served_as_a_value_and_what_does_not_fit_it_is_asked_for(config: Any) -> None:
    plugin = Scripted(['{"value": 7}', '{"value": 8}', '{"value": "no"}', '{"value": 9}'])
    with Client(config(), plugins=[plugin]) as client:
        for _ in range(2):
            stream = client.stream("scripted/m", "q", response_format=list[int] | int, **SURE)
            assert stream.read().parsed == 7
        schema = plugin.requests[0].response_format
        client.chat("scripted/m", "z", response_format=schema, **SURE)
        assert client.stream("scripted/m", "z", response_format=list[int] | int, **SURE).read().parsed == 8
        client.chat("scripted/m", "x", response_format=schema, **SURE)
        assert client.stream("scripted/m", "x", response_format=list[int] | int, **SURE).read().parsed == 9
    assert plugin.left == ()


def test_runs_are_served_round_for_round(config: Any) -> None:
    def look(where: str) -> str:
        """Look there."""
        return f"blue at {where}"

    plugin = Scripted([ToolCall(id="1", name="look", arguments='{"where": "up"}'), "It is blue."])
    with Client(config(), plugins=[plugin]) as client:
        for how in (client.run, lambda *a, **b: client.stream_run(*a, **b).read()):
            result = how("scripted/m", "the sky?", tools=[look], **SURE)
            assert result.text == "It is blue."
    assert (result.cost, plugin.left) == (0.0, ())


def test_a_fallbacks_answer_is_kept_under_its_own_name(world: Any, config: Any) -> None:
    bad = Scripted(lambda _request: e.InternalServerError("down", status=503), name="bad")
    with scripted(streamed("good", "END")) as server:
        ask = asked(model=["bad/m", "acme/m"])
        found, again, alone = world(server, ask, ask, asked(), config=config(), beside=[bad])
    assert [each.answer.cached for each in (found, again, alone)] == [None, "exact", "exact"]
    assert again.answer.endpoint == "acme"
    assert (again.answer.call.attempts, [each.endpoint for each in again.answer.call.tried]) == (1, ["bad"])
    assert (len(bad.requests), len(server.heads)) == (2, 1)


@pytest.mark.parametrize("policy", ["round_robin", "least_busy", "ordered"])
@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_each_target_of_a_route_has_answers_of_its_own(policy: str, operation: str, config: Any) -> None:
    plugins = [Scripted(lambda _request: "one", name="one"), Scripted(lambda _request: "two", name="two")]
    routes = {"both": RouteConfig(targets=("one/m", "two/m"), policy=policy)}  # type: ignore[arg-type]
    with Client(config(routes), plugins=plugins) as client:
        answers = []
        for _ in range(4):
            found = getattr(client, operation)("both", "q", **SURE)
            answers.append(found if operation == "chat" else found.read())
    served = ["one", "two"] * 2 if policy == "round_robin" else ["one"] * 4
    assert [answer.text for answer in answers] == [answer.endpoint for answer in answers] == served
    assert [len(plugin.requests) for plugin in plugins] == ([1, 1] if policy == "round_robin" else [1, 0])
