"""Answers that have to fit a type: asked for, checked, mended, streamed and kept, in both worlds."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import annotated_types
import anyio
import pytest
from ipfs_accel import AsyncClient, CacheConfig, Client, Config, EndpointConfig, RetryConfig, Tool, hookimpl
from ipfs_accel.errors import AnswerFormatError, ConfigError, InvalidRequestError, SchemaViolationError
from ipfs_accel.middleware import map_texts
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel.types import ParsedResponse
from ipfs_accel.wire import schema_check

Json = dict[str, Any]


@dataclasses.dataclass
class Trip:
    city: str
    days: int = 3


Rating = Annotated[int, annotated_types.Interval(ge=1, le=5)]
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


class Host:
    """A server that says one thing after the other, in whichever way it is asked to, and keeps what it was sent."""

    def __init__(self, *said: str | Json) -> None:
        self.left = [{"content": each} if isinstance(each, str) else dict(each) for each in said]
        self.asked: list[Json] = []

    def __call__(self, connection: Connection) -> None:
        while connection.request() is not None:
            if not connection.server.bodies[-1]:  # who it is
                connection.send(answer(b'{"object":"list","data":[]}'))
                continue
            self.asked.append(json.loads(connection.server.bodies[-1]))
            message = self.left.pop(0)
            reason = message.pop("finish_reason", "stop")
            connection.send(
                self._stream(message, reason) if self.asked[-1].get("stream") else self._whole(message, reason)
            )

    def _whole(self, message: Json, reason: str) -> bytes:
        choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]
        if "also" in message:
            choices.append(
                {"index": 1, "message": {"role": "assistant", "content": message["also"]}, "finish_reason": "stop"}
            )
        return answer(json.dumps({"id": "a", "model": "m", "choices": choices, "usage": USAGE}).encode())

    def _stream(self, message: Json, reason: str) -> bytes:
        text = message["content"]
        pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
        chunks: list[Json] = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": USAGE})
        lines = "".join([f"data: {json.dumps(each)}\n\n" for each in chunks])
        return answer(f"{lines}data: [DONE]\n\n".encode(), content_type="text/event-stream")


def endpoint(server: RawServer, **more: Any) -> EndpointConfig:
    return EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="k", retry=RetryConfig(attempts=1), **more)


def sync_chat(config: Config, endpoints: dict[str, EndpointConfig], model: Any, **options: Any) -> Any:
    with Client(config, endpoints=endpoints) as client:
        return client.chat(model, "Go", **options)


def async_chat(config: Config, endpoints: dict[str, EndpointConfig], model: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(config, endpoints=endpoints) as client:
            return await client.chat(model, "Go", **options)

    return anyio.run(run)


@pytest.fixture(params=[sync_chat, async_chat], ids=["sync", "async"])
def chat(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def host() -> Iterator[Any]:
    """Give a function that starts a server with what it says and returns it with its endpoint."""
    with ExitStack() as stack:

        def start(*said: str | Json) -> tuple[Host, EndpointConfig]:
            made = Host(*said)
            return made, endpoint(stack.enter_context(serve(made)))

        yield start


def test_an_answer_is_a_value(host: Any, chat: Any) -> None:
    server, where = host('{"city": "Rome", "days": null}')
    reply = chat(Config(), {"x": where}, "x/m", response_format=Trip)
    assert isinstance(reply, ParsedResponse)
    assert reply.parsed == Trip("Rome")
    assert reply.text == '{"city": "Rome", "days": null}'
    sent = server.asked[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["name"]) == ("json_schema", "Trip")
    assert sent["json_schema"]["schema"]["required"] == ["city", "days"]


def test_what_is_no_object_is_put_into_one_and_taken_out(host: Any, chat: Any) -> None:
    _server, where = host('{"value": [{"city": "Rome", "days": 1}]}')
    assert chat(Config(), {"x": where}, "x/m", response_format=list[Trip]).parsed == [Trip("Rome", 1)]


def test_what_does_not_fit_is_an_error_with_all_of_it(host: Any, chat: Any) -> None:
    _server, where = host('{"city": 1, "days": "soon"}')
    with pytest.raises(AnswerFormatError) as caught:
        chat(Config(), {"x": where}, "x/m", response_format=Trip)
    error = caught.value
    assert (
        str(error)
        == "x/m: the answer is no Trip: $.city: expected a text, got 1; $.days: expected an integer, got 'soon'"
    )
    assert [each.path for each in error.faults] == ["$.city", "$.days"]
    assert error.text == '{"city": 1, "days": "soon"}'
    assert error.usage is not None
    assert error.usage.total_tokens == 8
    assert error.partial is not None
    assert error.partial.text == error.text
    assert isinstance(error, SchemaViolationError)
    assert error.maybe_billed


def test_a_repair_is_an_attempt_of_the_same_call(host: Any, chat: Any) -> None:
    server, where = host('{"city": "Rome", "days": "x"}', '{"city": "Rome", "days": 2}')
    reply = chat(Config(), {"x": where}, "x/m", response_format=Trip, repair=1)
    assert reply.parsed == Trip("Rome", 2)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (10, 6)
    assert reply.call.attempts == 2
    assert [each.error for each in reply.call.tried] == ["AnswerFormatError"]
    question, said, again = server.asked[1]["messages"]
    assert question["content"] == "Go"
    assert said == {"role": "assistant", "content": '{"city": "Rome", "days": "x"}'}
    assert "- $.days: expected an integer, got 'x'" in again["content"]


def test_a_repair_tells_of_many_faults_the_first(host: Any, chat: Any) -> None:
    server, where = host(json.dumps({"value": ["a"] * 5000}), '{"value": [1]}')
    chat(Config(), {"x": where}, "x/m", response_format=list[int], repair=1)
    told = server.asked[-1]["messages"][-1]["content"]
    assert "- $[19]: expected an integer, got 'a'\n- and 4980 more\n" in told
    assert "$[20]" not in told


def test_repairs_end(host: Any, chat: Any) -> None:
    server, where = host("no", "no", "no")
    with pytest.raises(AnswerFormatError, match="it is not JSON") as caught:
        chat(Config(), {"x": where}, "x/m", response_format=Trip, repair=2)
    assert len(server.asked) == 3
    assert [each.error for each in caught.value.tried] == ["AnswerFormatError"] * 3
    assert caught.value.usage is not None
    assert caught.value.usage.total_tokens == 24


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"content": '{"city": "Ro', "finish_reason": "length"}, "the answer is not whole: it was cut at the limit of its length"),
        ({"content": "", "finish_reason": "content_filter"}, "the provider's filter took it back"),
        ({"content": None, "refusal": "I will not."}, "the model refused to answer: I will not."),
    ],
    ids=["cut", "filtered", "refused"],
)  # fmt: skip
def test_what_no_repair_mends_is_not_asked_for_again(said: Json, message: str, host: Any, chat: Any) -> None:
    server, where = host(said)
    with pytest.raises(AnswerFormatError, match=message):
        chat(Config(), {"x": where}, "x/m", response_format=Trip, repair=3)
    assert len(server.asked) == 1


def test_calls_of_tools_come_before_the_value(host: Any, chat: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    _server, where = host({"content": None, "tool_calls": [call], "finish_reason": "tool_calls"})
    reply = chat(Config(), {"x": where}, "x/m", response_format=Trip, tools=[Tool(name="look")])
    assert reply.tool_calls[0].name == "look"
    with pytest.raises(ValueError, match="asks for tools"):
        _ = reply.parsed


def test_each_of_several_answers_has_its_value(host: Any, chat: Any) -> None:
    _server, where = host({"content": '{"city": "a"}', "also": '{"city": "b"}'})
    reply = chat(Config(), {"x": where}, "x/m", response_format=Trip, n=2)
    assert reply.parsed_choices == (Trip("a"), Trip("b"))


def test_a_fallback_serves_where_nothing_fits(host: Any, chat: Any) -> None:
    _one, there = host("no")
    _two, here = host('{"city": "Rome"}')
    reply = chat(Config(), {"x": there, "y": here}, ["x/m", "y/m"], response_format=Trip)
    assert reply.parsed == Trip("Rome")
    assert reply.call.endpoint == "y"
    assert [each.error for each in reply.call.tried] == ["AnswerFormatError"]


def test_only_what_fits_is_kept(host: Any, chat: Any, tmp_path: Path) -> None:
    server, where = host("no", '{"city": "bad", "days": "x"}', '{"city": "Rome"}')
    config = Config(cache=CacheConfig(path=str(tmp_path / "kept"), sampled=True))
    with pytest.raises(AnswerFormatError):
        chat(config, {"x": where}, "x/m", response_format=Trip)
    first = chat(config, {"x": where}, "x/m", response_format=Trip, repair=1)
    again = chat(config, {"x": where}, "x/m", response_format=Trip)
    assert (first.parsed, again.parsed) == (Trip("Rome"), Trip("Rome"))
    assert (first.cached, again.cached) == (None, "exact")
    assert len(server.asked) == 3


def test_bounds_are_checked(host: Any, chat: Any) -> None:
    server, where = host('{"value": 9}', '{"value": 4}')
    reply = chat(Config(), {"x": where}, "x/m", response_format=Rating, repair=1)
    assert reply.parsed == 4
    assert "- $: 9 is greater than the maximum of 5" in server.asked[1]["messages"][-1]["content"]


def test_bounds_that_nothing_checks_are_refused(chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "_packages", lambda: None)
    with pytest.raises(ConfigError, match="to check the bounds of its values needs the package jsonschema") as caught:
        chat(
            Config(),
            {"x": EndpointConfig(backend="openai", base_url="http://127.0.0.1:9/v1", key="k")},
            "x/m",
            response_format=Rating,
        )
    assert "ipfs-accel[schema]" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({"pattern": "("}, r"response_format: \$\.pattern: '\(' is not a 'regex'"),
        ({"$ref": "http://127.0.0.1:9/x"}, r"\$: \$ref leads out of the type"),
        ({"minLength": "x"}, r"response_format: \$\.minLength: 'x' is not of type 'integer'"),
    ],
)
def test_bounds_that_are_none_are_refused(note: Json, message: str, host: Any, chat: Any) -> None:
    server, where = host()
    with pytest.raises(InvalidRequestError, match=message):
        chat(Config(), {"x": where}, "x/m", response_format=Annotated[str, note])
    assert server.asked == []


def test_bounds_that_lead_elsewhere_are_the_callers_error(host: Any, chat: Any) -> None:
    _server, where = host('{"value": "a"}')
    with pytest.raises(InvalidRequestError, match="response_format: its bounds cannot be checked"):
        chat(Config(), {"x": where}, "x/m", response_format=Annotated[str, {"$dynamicRef": "http://127.0.0.1:9/x"}])


def test_a_value_is_made_once(host: Any, chat: Any) -> None:
    made: list[str] = []

    @dataclasses.dataclass
    class Counted:
        city: str

        def __post_init__(self) -> None:
            made.append(self.city)

    _server, where = host('{"city": "Rome"}', '{"city": "Bonn"}')
    chat(Config(), {"x": where}, "x/m", response_format=Counted)
    with Client(Config(), endpoints={"x": where}) as client:
        stream = client.stream("x/m", "Go", response_format=Counted)
        stream.read()
        assert stream.response.parsed is stream.response.parsed
    assert made == ["Rome", "Bonn"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response_format": list[bytes]}, r"\$\[\]: bytes cannot be written as JSON Schema"),
        ({"response_format": 3}, "3 cannot be written as JSON Schema"),
        ({"response_format": Trip, "repair": -1}, "repair: expected a number"),
        ({"response_format": "json", "repair": 1}, "repair: only an answer that has to fit a type"),
        ({"repair": 1}, "repair: only an answer that has to fit a type"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    options: Json, message: str, host: Any, chat: Any
) -> None:
    server, where = host()
    with pytest.raises(InvalidRequestError, match=message):
        chat(Config(), {"x": where}, "x/m", **options)
    assert server.asked == []


def test_a_stream_gives_what_has_come_and_the_value_at_its_end(host: Any) -> None:
    _server, where = host('{"value": [{"city": "Rome", "days": 12}]}')
    with (
        Client(Config(), endpoints={"x": where}) as client,
        client.stream("x/m", "Go", response_format=list[Trip]) as stream,
    ):
        seen: list[Any] = []
        for _ in stream:
            if not seen or stream.partial != seen[-1]:
                seen.append(stream.partial)
        assert stream.response.parsed == [Trip("Rome", 12)]
    assert seen[0] is None
    assert [{"city": "Rome"}] in seen
    assert [{"city": "Rome", "days": 1}] not in seen
    assert seen[-1] == [{"city": "Rome", "days": 12}]


def test_a_stream_gives_the_same_where_it_is_awaited(host: Any) -> None:
    _server, where = host('{"city": "Rome", "days": 12}')

    async def run() -> None:
        async with AsyncClient(Config(), endpoints={"x": where}) as client:
            async with client.stream("x/m", "Go", response_format=Trip) as stream:
                seen = [stream.partial async for _ in stream]
            assert stream.response.parsed == Trip("Rome", 12)
            assert {"city": "Ro"} in seen or {"city": "Rome"} in seen

    anyio.run(run)


def test_a_stream_that_does_not_fit_ends_with_the_error(host: Any) -> None:
    _server, where = host('{"city": 1}')
    with Client(Config(), endpoints={"x": where}) as client, pytest.raises(AnswerFormatError) as caught:
        client.stream("x/m", "Go", response_format=Trip).read()
    assert str(caught.value) == "x/m: the answer is no Trip: $.city: expected a text, got 1"
    assert caught.value.text == '{"city": 1}'


def test_a_stream_cannot_be_mended() -> None:
    with Client(Config()) as client, pytest.raises(InvalidRequestError, match="repair: what has begun to come"):
        client.stream("openai/m", "Go", response_format=Trip, repair=1)  # type: ignore[call-overload]


def test_a_partial_value_is_there_for_any_json(host: Any) -> None:
    _server, where = host('{"a": [1, 2]}')
    with (
        Client(Config(), endpoints={"x": where}) as client,
        client.stream("x/m", "Go", response_format="json") as stream,
    ):
        stream.read()
        assert stream.partial == {"a": [1, 2]}


class Shout:
    """Middleware that makes of an answer's text another one."""

    api_version = 1

    @hookimpl
    def rewrite_answer(self, answer: Any) -> Any:
        return map_texts(answer, lambda text: text.replace("Rome", "Paris"))

    @hookimpl
    def rewrite_event(self, event: Any) -> Any:
        return [map_texts(event, lambda text: text.replace("R", "P"))]


def test_the_value_is_what_middleware_makes_of_the_answer(host: Any) -> None:
    _server, where = host('{"city": "Rome"}', '{"city": "R"}', '{"city": 1, "x": "secret"}')
    with Client(Config(), endpoints={"x": where}, middleware=[Shout()]) as client:
        assert client.chat("x/m", "Go", response_format=Trip).parsed == Trip("Paris")
        with client.stream("x/m", "Go", response_format=Trip) as stream:
            stream.read()
        assert stream.partial == {"city": "P"}
        with pytest.raises(AnswerFormatError) as caught:
            client.chat("x/m", "Go", response_format=Trip)
    assert (caught.value.text, caught.value.partial) == ("", None)
    assert "secret" not in str(caught.value)


PROGRAM = """
import sys
from ipfs_accel import Client, Config, EndpointConfig
with Client(Config(), endpoints={"x": EndpointConfig(backend="openai", base_url=sys.argv[1] + "/v1", key="k")}) as client:
    client.chat("x/m", "Go")
    client.stream("x/m", "Go").read()
print(*[name for name in sys.modules if "_typed" in name or name.endswith("_calls.typed") or name.split(".")[0] in {"cattrs", "pydantic"}])
"""


def test_who_asks_for_no_type_loads_nothing_of_it() -> None:
    with serve(Host("a", "b")) as server:
        done = subprocess.run([sys.executable, "-c", PROGRAM, server.url], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
