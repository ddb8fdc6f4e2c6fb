"""Runs: a model that calls tools until it has its answer, whole and streamed, in both worlds."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pickle
import threading
import time
import types
from collections.abc import Callable
from typing import Annotated, Any

import annotated_types
import anyio
import anyio.lowlevel
import pytest
from ipfs_accel import (
    AsyncClient,
    Client,
    Config,
    EndpointConfig,
    Image,
    Message,
    ModelOverride,
    RetryConfig,
    RouteConfig,
    Timeout,
    Tool,
)
from ipfs_accel._worlds.gather import MAX_GATHERED
from ipfs_accel._worlds.work import Job, Work
from ipfs_accel.errors import (
    AnswerFormatError,
    APITimeoutError,
    ConfigError,
    InternalServerError,
    InvalidRequestError,
    StreamIncomplete,
)
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel.types import RoundEnd, RunResult, TextDelta, ToolEnd, ToolStart
from ipfs_accel.wire import schema_check

Json = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n0"


def asks(*calls: tuple[str, Any]) -> Json:
    made = [
        {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for index, (name, arguments) in enumerate(calls)
    ]
    return {"content": None, "tool_calls": made}


class Host:
    """A model that says one thing after the other, whole or as a stream, and keeps what it was asked."""

    def __init__(self, *said: str | Json | bytes) -> None:
        self.left = list(said)
        self.asked: list[Json] = []

    def __call__(self, connection: Connection) -> None:
        while connection.request() is not None:
            body = connection.server.bodies[-1]
            if not body:  # who it is
                connection.send(answer(b'{"object":"list","data":[]}'))
                continue
            self.asked.append(json.loads(body))
            said = self.left.pop(0)
            if isinstance(said, bytes):
                connection.send(said)
                continue
            message = {"content": said} if isinstance(said, str) else said
            reason = "tool_calls" if message.get("tool_calls") else "stop"
            usage = {"prompt_tokens": 5, "completion_tokens": 3}
            if not self.asked[-1].get("stream"):
                choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
                connection.send(answer(json.dumps({"choices": [choice], "usage": usage}).encode()))
                continue
            delta = dict(message)
            if "tool_calls" in delta:
                delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(delta["tool_calls"])]
            last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}
            lines = [f"data: {json.dumps(each)}\n\n" for each in ({"choices": [{"index": 0, "delta": delta}]}, last)]
            connection.send(answer(("".join(lines) + "data: [DONE]\n\n").encode(), content_type="text/event-stream"))


def config(server: RawServer, **more: Any) -> dict[str, EndpointConfig]:
    return {
        "x": EndpointConfig(
            backend="openai", base_url=f"{server.url}/v1", key="k", retry=RetryConfig(attempts=1), **more
        )
    }


def sync_run(endpoints: Any, **options: Any) -> Any:
    with Client(Config(), endpoints=endpoints) as client:
        return client.run("x/m", "Go", **options)


def sync_stream(endpoints: Any, **options: Any) -> Any:
    with Client(Config(), endpoints=endpoints) as client, client.stream_run("x/m", "Go", **options) as stream:
        return stream.read()


def async_run(endpoints: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncClient(Config(), endpoints=endpoints) as client:
            return await client.run("x/m", "Go", **options)

    return anyio.run(main)


def async_stream(endpoints: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with (
            AsyncClient(Config(), endpoints=endpoints) as client,
            client.stream_run("x/m", "Go", **options) as stream,
        ):
            return await stream.read()

    return anyio.run(main, backend="trio")


RUNS: list[Callable[..., Any]] = [sync_run, sync_stream, async_run, async_stream]


@pytest.fixture(params=RUNS, ids=["sync", "sync-stream", "asyncio", "trio-stream"])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"21 degrees in {city}"


def boom() -> str:
    raise RuntimeError("no way")


@dataclasses.dataclass
class Verdict:
    city: str
    warm: bool


def test_a_model_calls_tools_until_it_has_its_answer(run: Any) -> None:
    host = Host(
        asks(("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})),
        asks(("get_weather", {"city": "Bonn"})),
        "Warm.",
    )
    with serve(host) as server:
        result: RunResult[None] = run(config(server), tools=[get_weather])
    assert (result.text, result.rounds, result.stopped) == ("Warm.", 3, None)
    assert [(each.round, each.call.arguments, each.outcome) for each in result.tool_runs] == [
        (1, '{"city": "Paris"}', "done"),
        (1, '{"city": "Rome"}', "done"),
        (2, '{"city": "Bonn"}', "done"),
    ]
    assert [message.role for message in result.messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert (result.usage.input_tokens, result.usage.output_tokens) == (15, 9)
    assert result.cost is None
    sent = host.asked[-1]
    assert sent["tools"][0]["function"]["name"] == "get_weather"
    assert [each["content"] for each in sent["messages"] if each["role"] == "tool"] == [
        "21 degrees in Paris",
        "21 degrees in Rome",
        "21 degrees in Bonn",
    ]


def test_what_a_tool_raises_and_what_cannot_be_called_the_model_is_told(run: Any) -> None:
    host = Host(asks(("boom", {}), ("nothing", {}), ("get_weather", {"city": 1}), ("get_wether", {})), "Sorry.")
    with serve(host) as server:
        result = run(config(server), tools=[get_weather, boom])
    told = [each["content"] for each in host.asked[-1]["messages"] if each["role"] == "tool"]
    assert told[0] == "RuntimeError: no way"
    assert told[1] == "There is no tool 'nothing'; known: boom, get_weather"
    assert (
        told[2]
        == "The arguments do not fit the tool's parameters; it was not called:\n- $.city: expected a text, got 1"
    )
    assert "did you mean 'get_weather'" in told[3]
    assert [each.outcome for each in result.tool_runs] == ["failed"] * 4
    assert all(each.result.is_error for each in result.tool_runs)
    assert isinstance(result.tool_runs[0].error, RuntimeError)


@pytest.mark.parametrize("arguments", ['{"city": "Pa', "true", '["Paris"]'])
def test_arguments_that_are_no_object_go_back_in_one(arguments: str, run: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    host = Host({"content": None, "tool_calls": [call]}, asks(("get_weather", {"city": "Paris"})), "Warm.")
    with serve(host) as server:
        result = run(config(server), tools=[get_weather])
    _, first, told, second, *_ = host.asked[-1]["messages"]
    assert json.loads(first["tool_calls"][0]["function"]["arguments"]) == {"INVALID_JSON": arguments}
    assert told["content"].startswith("The arguments do not fit the tool's parameters")
    assert json.loads(second["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert [(each.call.arguments, each.outcome) for each in result.tool_runs] == [
        (arguments, "failed"),
        ('{"city": "Paris"}', "done"),
    ]


def test_calls_of_one_round_are_made_side_by_side(run: Any) -> None:
    barrier = threading.Barrier(3, timeout=60)

    def meet(name: str) -> str:
        barrier.wait()
        return name

    host = Host(asks(("meet", {"name": "a"}), ("meet", {"name": "b"}), ("meet", {"name": "c"})), "All.")
    with serve(host) as server:
        result = run(config(server), tools=[meet])
    assert [each.result.content[0].text for each in result.tool_runs] == ["a", "b", "c"]


def test_a_rounds_limit_ends_a_run_with_what_there_is(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), asks(("get_weather", {"city": "b"})))
    with serve(host) as server:
        result = run(config(server), tools=[get_weather], max_rounds=2)
    assert (result.stopped, result.rounds) == ("rounds", 2)
    assert len(result.tool_runs) == 1  # what the last round asked for was not called
    with pytest.raises(ValueError, match="the limit of rounds ended the run"):
        _ = result.parsed


@pytest.mark.parametrize("run", [sync_run, async_run])
def test_a_blocking_tool_that_overruns_is_left_to_itself(run: Any) -> None:
    over = threading.Event()

    def wait() -> str:
        over.wait(60)
        return "late"

    host = Host(asks(("wait", {}), ("get_weather", {"city": "a"})))
    with serve(host) as server:
        try:
            result = run(config(server), tools=[wait, get_weather], max_seconds=5)
        finally:
            over.set()
    assert result.stopped == "time"
    assert [each.outcome for each in result.tool_runs] == ["late", "done"]
    assert "did not finish" in result.tool_runs[0].result.content[0].text


def test_an_awaited_tool_that_overruns_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def wait() -> str:
        try:
            await anyio.sleep(60)
        except anyio.get_cancelled_exc_class():
            cancelled.append(True)
            raise
        return "late"

    host = Host(asks(("wait", {})))
    with serve(host) as server:
        result = async_run(config(server), tools=[wait], max_seconds=0.5)
    assert (result.stopped, result.tool_runs[0].outcome, cancelled) == ("time", "late", [True])


@pytest.mark.parametrize("run", [sync_run, async_stream])
def test_a_question_that_overruns_ends_the_run_with_what_there_is(run: Any) -> None:
    gone = threading.Event()

    asked: list[Json] = []

    def stall(connection: Connection) -> None:
        while connection.request() is not None:
            body = connection.server.bodies[-1]
            if body and asked:
                gone.wait(60)
                return
            if not body:
                connection.send(answer(b'{"object":"list","data":[]}'))
                continue
            asked.append(json.loads(body))
            message = asks(("get_weather", {"city": "a"}))
            if asked[-1].get("stream"):
                delta = {"tool_calls": [{"index": 0, **message["tool_calls"][0]}]}
                lines = [
                    {"choices": [{"index": 0, "delta": delta}]},
                    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
                ]
                text = "".join([f"data: {json.dumps(each)}\n\n" for each in lines]) + "data: [DONE]\n\n"
                connection.send(answer(text.encode(), content_type="text/event-stream"))
            else:
                connection.send(answer(json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}]}).encode()))  # fmt: skip

    with serve(stall) as server:
        try:
            result = run(config(server), tools=[get_weather], max_seconds=4)
        finally:
            gone.set()
    assert (result.stopped, result.rounds, len(result.tool_runs)) == ("time", 1, 1)


PRICED = {"models": {"m": ModelOverride(input_price=1_000_000, output_price=1_000_000)}}  # a dollar a token


def test_a_limit_of_money_ends_a_run(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), asks(("get_weather", {"city": "b"})), "never")
    with serve(host) as server:
        result = run(config(server, **PRICED), tools=[get_weather], max_cost=10)
    assert (result.stopped, result.rounds, result.cost) == ("money", 2, 16)


def test_an_unknown_price_refuses_a_limit_of_money_before_anything_is_asked(run: Any) -> None:
    host = Host()
    with serve(host) as server, pytest.raises(InvalidRequestError, match="max_cost: the price of x/m is not known"):
        run(config(server), tools=[get_weather], max_cost=1)
    assert host.asked == []


def test_a_limit_of_money_takes_no_turn_of_a_route() -> None:
    config_of_both = Config(routes={"spread": RouteConfig(targets=("a/m", "b/m"), policy="round_robin")})

    async def awaited(both: dict[str, EndpointConfig]) -> list[str | None]:
        async with AsyncClient(config_of_both, endpoints=both) as client:
            return [(await client.run("spread", "Go", tools=[boom], max_cost=99)).response.endpoint for _ in range(4)]

    with serve(Host(*["Done."] * 8)) as server:
        both = dict.fromkeys("ab", config(server, **PRICED)["x"])
        with Client(config_of_both, endpoints=both) as client:
            served = [client.run("spread", "Go", tools=[boom], max_cost=99).response.endpoint for _ in range(4)]
        assert served == ["a", "b", "a", "b"]
        assert anyio.run(awaited, both) == served


def test_a_limit_of_money_needs_the_price_of_each_target_of_a_route() -> None:
    route = RouteConfig(targets=("a/m", "b/m"), max_hops=0)
    host = Host()
    with serve(host) as server:
        both = {"a": config(server, **PRICED)["x"], "b": config(server)["x"]}
        with (
            Client(Config(routes={"spread": route}), endpoints=both) as client,
            pytest.raises(InvalidRequestError, match="max_cost: the price of b/m is not known"),
        ):
            client.run("spread", "Go", tools=[boom], max_cost=1)
    assert host.asked == []


class TwoPartsError(Exception):
    """Goes into a pickle, and not out of it again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def test_what_tools_raised_does_not_keep_a_run_from_a_pickle(run: Any) -> None:
    class LocalError(Exception):
        pass

    def local() -> str:
        raise LocalError("no name")

    def parts() -> str:
        raise TwoPartsError("a", "b")

    def plain() -> str:
        raise KeyError("k")

    host = Host(asks(("local", {}), ("parts", {}), ("plain", {})), "Done.")
    with serve(host) as server:
        result = run(config(server), tools=[local, parts, plain])
    read = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own
    assert (read.messages, read.rounds, read.text) == (result.messages, 2, "Done.")
    errors = [(type(each.error), str(each.error)) for each in read.tool_runs]
    assert errors == [(Exception, "LocalError: no name"), (Exception, "TwoPartsError: ab"), (KeyError, "'k'")]
    assert [type(each.error) for each in result.tool_runs] == [LocalError, TwoPartsError, KeyError]


@pytest.mark.parametrize("allows", [True, False])
def test_what_needs_approval_is_asked_for(allows: bool, run: Any) -> None:
    seen: list[str] = []

    def approve(call: Any) -> bool:
        seen.append(call.name)
        return allows

    host = Host(asks(("get_weather", {"city": "a"}), ("boom", {})), "Done.")
    with serve(host) as server:
        result = run(config(server), tools=[Tool.of(get_weather, needs_approval=True), boom], approve=approve)
    assert seen == ["get_weather"]
    assert [each.outcome for each in result.tool_runs] == ["done" if allows else "refused", "failed"]
    told = [each["content"] for each in host.asked[-1]["messages"] if each["role"] == "tool"]
    assert told[0] == ("21 degrees in a" if allows else "This call was not allowed by the user.")


def test_approval_and_tools_may_be_awaited() -> None:
    async def approve(call: Any) -> bool:
        await anyio.lowlevel.checkpoint()
        return bool(call.name == "look")

    async def look(where: str) -> Json:
        await anyio.lowlevel.checkpoint()
        return {"seen": where}

    host = Host(asks(("look", {"where": "there"})), "Done.")
    with serve(host) as server:
        result = async_run(config(server), tools=[Tool.of(look, needs_approval=True)], approve=approve)
    assert result.tool_runs[0].result.content[0].text == '{"seen":"there"}'


def test_the_time_of_a_run_leaves_an_endpoint_its_own(run: Any) -> None:
    go_on = threading.Event()

    def host(connection: Connection) -> None:
        while connection.request() is not None:
            if connection.server.bodies[-1]:
                go_on.wait(5)
            connection.send(answer(b'{"object":"list","data":[]}'))

    with serve(host) as server:
        try:
            with pytest.raises(APITimeoutError, match=r"was not over within 0\.3 s"):
                run(config(server, timeout=Timeout(total=0.3)), tools=[get_weather], max_seconds=60)
        finally:
            go_on.set()


async def awaited(city: str) -> str:
    return city


def passes_on(city: str) -> Any:
    return awaited(city)


async def says_no(_call: Any) -> bool:
    return False


@pytest.mark.parametrize("run", [async_run, async_stream], ids=["asyncio", "trio-stream"])
def test_what_plain_functions_are_given_by_async_ones_is_awaited(run: Any) -> None:
    tools = [passes_on, Tool.of(get_weather, needs_approval=True)]
    host = Host(asks(("passes_on", {"city": "Paris"}), ("get_weather", {"city": "Paris"})), "Done.")
    with serve(host) as server:
        result = run(config(server), tools=tools, approve=lambda call: says_no(call))
    assert [each.outcome for each in result.tool_runs] == ["done", "refused"]
    assert result.tool_runs[0].result.content[0].text == "Paris"


@pytest.mark.parametrize("run", [sync_run, sync_stream], ids=["sync", "sync-stream"])
def test_what_nobody_awaits_is_no_answer_and_no_approval(run: Any) -> None:
    tool = Tool.of(get_weather, needs_approval=True)
    asked = asks(("get_weather", {"city": "Paris"}))
    with serve(Host(asked)) as server, pytest.raises(InvalidRequestError, match="approve returned what has to be"):
        run(config(server), tools=[tool], approve=lambda call: says_no(call))
    asked = asks(("passes_on", {"city": "Paris"}))
    with serve(Host(asked)) as server, pytest.raises(InvalidRequestError, match="'passes_on' returned what has to be"):
        run(config(server), tools=[passes_on])


def test_a_tool_that_is_cancelled_from_within_has_failed_alone() -> None:
    async def cancels() -> None:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner

    async def works() -> str:
        await anyio.lowlevel.checkpoint()
        return "done"

    with serve(Host(asks(("cancels", {}), ("works", {})), "Done.")) as server:
        result = async_run(config(server), tools=[cancels, works])
    assert (result.text, result.stopped) == ("Done.", None)
    assert [each.outcome for each in result.tool_runs] == ["failed", "done"]
    assert "cancelled from within" in str(result.tool_runs[0].error)


def test_what_has_not_begun_when_the_time_is_over_never_does() -> None:
    go_on, begun = threading.Event(), []
    world: Any = types.SimpleNamespace(clock=types.SimpleNamespace(now=time.monotonic))
    jobs = [*[Job(go_on.wait)] * MAX_GATHERED, Job(lambda: begun.append(1))]
    before = set(threading.enumerate())
    outcomes = Work(jobs, 0.05).sync(world)
    workers = set(threading.enumerate()) - before
    go_on.set()
    for each in workers:
        each.join()
    assert all(each.is_late for each in outcomes)
    assert begun == []


def test_no_tool_is_called_when_there_is_no_time() -> None:
    begun: list[int] = []
    world: Any = types.SimpleNamespace(clock=types.SimpleNamespace(now=time.monotonic), threads=None)
    job = Job(lambda: begun.append(1))
    assert Work([job], 0.0).sync(world)[0].is_late
    assert anyio.run(Work([job], 0.0).asynchronous, world)[0].is_late
    assert begun == []


def no_name(city: str) -> str:
    return city


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tools": [awaited]}, r"tools\[0\]: 'awaited' has to be awaited"),
        ({"tools": [Tool(name="a")]}, r"tools\[0\]: 'a' has no function to call"),
        ({"tools": [get_weather, get_weather]}, r"tools\[1\]: there is another tool with the name 'get_weather'"),
        ({"tools": [Tool.of(get_weather, needs_approval=True)]}, "approve: the tool 'get_weather' needs approval, and nobody is asked"),
        ({"tools": [get_weather], "approve": 3}, "approve: expected a function, got int"),
        ({"tools": [Tool.of(get_weather, needs_approval=True)], "approve": awaited}, "approve: the function has to be awaited"),
        ({"tools": get_weather}, "tools: expected a list of tools"),
        ({}, "tools: expected a list of tools, got NoneType"),
        ({"tools": [get_weather], "max_rounds": 0}, "max_rounds: expected a number above 0, got 0"),
        ({"tools": [get_weather], "max_rounds": None}, "max_rounds: expected a number above 0"),
        ({"tools": [get_weather], "max_seconds": -1}, "max_seconds: expected a number above 0"),
        ({"tools": [get_weather], "max_seconds": float("nan")}, "max_seconds: expected a number above 0, got nan"),
        ({"tools": [get_weather], "max_seconds": 5, "timeout": "3"}, "timeout: expected seconds above 0 or a Timeout, got '3'"),
        ({"tools": [get_weather], "max_cost": True}, "max_cost: expected a number above 0"),
        ({"tools": [get_weather], "sed": 1}, "sed: unknown option"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_asked(options: Json, message: str) -> None:
    host = Host()
    with serve(host) as server, pytest.raises(InvalidRequestError, match=message):
        sync_run(config(server), **options)
    assert host.asked == []


def test_bounds_of_arguments_are_checked(run: Any) -> None:
    def rate(stars: Annotated[int, annotated_types.Le(5)]) -> str:
        return f"{stars} stars"

    host = Host(asks(("rate", {"stars": 9}), ("rate", {"stars": 4})), "Done.")
    with serve(host) as server:
        result = run(config(server), tools=[rate])
    assert [each.outcome for each in result.tool_runs] == ["failed", "done"]
    assert "- $.stars: 9 is greater than the maximum of 5" in result.tool_runs[0].result.content[0].text


def test_what_is_left_out_breaks_no_bounds(run: Any) -> None:
    def rate(stars: Annotated[int, annotated_types.Le(5)] = 3) -> str:
        return f"{stars} stars"

    empty = asks(("rate", {}))
    empty["tool_calls"][0]["function"]["arguments"] = ""
    host = Host(asks(("rate", {"stars": None})), empty, "Done.")
    with serve(host) as server:
        result = run(config(server), tools=[rate])
    assert [each.result.content[0].text for each in result.tool_runs] == ["3 stars", "3 stars"]


def test_bounds_that_are_none_are_refused() -> None:
    def rate(stars: Annotated[str, {"pattern": "("}]) -> str:
        return stars

    with pytest.raises(InvalidRequestError, match=r"tools\[0\]: \$\.properties\.stars\.pattern: '\(' is not a 'regex'"):
        sync_run({}, tools=[rate])


def test_bounds_that_nothing_checks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def rate(stars: Annotated[int, annotated_types.Le(5)]) -> str:
        return f"{stars} stars"

    monkeypatch.setattr(schema_check, "_packages", lambda: None)
    with pytest.raises(
        ConfigError, match=r"tools\[0\]: to check the bounds of its arguments needs the package jsonschema"
    ):
        sync_run({}, tools=[rate])


def test_a_run_may_end_in_a_value(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), '{"city": "a", "warm": true}')
    with serve(host) as server:
        result = run(config(server), tools=[get_weather], response_format=Verdict)
    assert result.parsed == Verdict("a", warm=True)


def test_a_run_without_a_type_has_no_value() -> None:
    with serve(Host("Hello.")) as server:
        result = sync_run(config(server), tools=[get_weather])
    with pytest.raises(ValueError, match="given no type"):
        _ = result.parsed


def test_a_forced_tool_is_forced_once(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "Done.")
    with serve(host) as server:
        run(config(server), tools=[get_weather], tool_choice="required")
    assert [each["tool_choice"] for each in host.asked] == ["required", "auto"]


def test_an_error_has_what_the_run_had_come_to(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), answer(b'{"error": {"message": "down"}}', "500 Down"))
    with serve(host) as server, pytest.raises(InternalServerError) as caught:
        run(config(server), tools=[get_weather])
    assert caught.value.run is not None
    assert [each.outcome for each in caught.value.run.tool_runs] == ["done"]
    assert caught.value.run.messages[-1].role == "tool"


def test_a_value_that_does_not_fit_has_the_run_too(run: Any) -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "no json")
    with serve(host) as server, pytest.raises(AnswerFormatError) as caught:
        run(config(server), tools=[get_weather], response_format=Verdict)
    assert caught.value.run is not None
    assert len(caught.value.run.tool_runs) == 1


def test_what_a_model_cannot_be_told_is_the_callers_error(run: Any) -> None:
    def strange() -> Any:
        return object()

    with serve(Host(asks(("strange", {})))) as server, pytest.raises(InvalidRequestError, match="the tool 'strange' returned what a model cannot be told: object has no form"):  # fmt: skip
        run(config(server), tools=[strange])


def test_what_ends_a_program_ends_the_run(run: Any) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with serve(Host(asks(("leave", {}), ("leave", {})))) as server, pytest.raises((SystemExit, BaseExceptionGroup)):
        run(config(server), tools=[leave])


def test_parts_go_back_as_parts() -> None:
    def picture() -> list[Any]:
        return ["Here:", Image(data=PNG)]

    host = Host(asks(("picture", {})), "Nice.")
    with serve(host) as server:
        result = sync_run(config(server), tools=[picture])
    assert [type(part).__name__ for part in result.tool_runs[0].result.content] == ["Text", "Image"]


def test_the_events_tell_of_each_call_before_and_after_it() -> None:
    host = Host(asks(("get_weather", {"city": "a"}), ("boom", {})), "Warm.")
    seen: list[str] = []

    def watched(city: str) -> str:
        seen.append("call")
        return city

    with serve(host) as server, Client(Config(), endpoints=config(server)) as client:
        with client.stream_run("x/m", "Go", tools=[Tool.of(watched, name="get_weather"), boom]) as stream:
            with pytest.raises(StreamIncomplete):
                _ = stream.result
            for event in stream:
                if isinstance(event, RoundEnd):
                    seen.append(f"round {event.round}")
                elif isinstance(event, ToolStart):
                    seen.append(f"start {event.call.name}")
                elif isinstance(event, ToolEnd):
                    seen.append(f"end {event.run.call.name} {event.run.outcome}")
                elif isinstance(event, TextDelta):
                    seen.append(event.text)
        assert seen == ["round 1", "start get_weather", "start boom", "call", "end get_weather done", "end boom failed", "Warm.", "round 2"]  # fmt: skip
        assert stream.result.text == "Warm."


def test_a_run_that_is_left_asks_no_more() -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "never")
    with serve(host) as server, Client(Config(), endpoints=config(server)) as client:
        with client.stream_run("x/m", "Go", tools=[get_weather]) as stream:
            next(stream)
        assert list(stream) == []
    assert len(host.asked) == 1


def test_a_run_that_is_left_has_no_result() -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "never")
    with serve(host) as server, Client(Config(), endpoints=config(server)) as client:
        with client.stream_run("x/m", "Go", tools=[get_weather]) as stream:
            assert any(isinstance(event, RoundEnd) for event in stream)
        with pytest.raises(StreamIncomplete):
            _ = stream.result


def test_a_run_that_its_caller_ended_calls_nothing_twice() -> None:
    asked: list[Any] = []

    def approve(call: Any) -> bool:
        asked.append(call)
        raise LookupError("nobody is there")

    host = Host(asks(("get_weather", {"city": "a"})))
    with serve(host) as server, Client(Config(), endpoints=config(server)) as client:
        tool = Tool.of(get_weather, needs_approval=True)
        with client.stream_run("x/m", "Go", tools=[tool], approve=approve) as stream:
            with pytest.raises(LookupError):
                stream.read()
            assert list(stream) == []
    assert len(asked) == 1


def test_only_the_text_of_a_run() -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "Warm.")
    with (
        serve(host) as server,
        Client(Config(), endpoints=config(server)) as client,
        client.stream_run("x/m", [Message.user("Go")], tools=[get_weather]) as stream,
    ):
        assert "".join(stream.text_stream) == "Warm."


def test_a_run_goes_on_from_another() -> None:
    host = Host(asks(("get_weather", {"city": "a"})), "Warm.", "You are welcome.")
    with serve(host) as server, Client(Config(), endpoints=config(server)) as client:
        first = client.run("x/m", "Go", tools=[get_weather])
        again = client.run(
            "x/m", [*first.messages, "Thanks"], tools=[get_weather], timeout=Timeout(total=60), max_seconds=60
        )
    assert again.text == "You are welcome."
    assert len(host.asked[-1]["messages"]) == 5


def test_tools_know_the_context_of_who_runs_them(run: Any) -> None:
    import contextvars

    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    def ask() -> str:
        return who.get()

    who.set("me")
    with serve(Host(asks(("ask", {}), ("ask", {})), "Done.")) as server:
        result = run(config(server), tools=[ask])
    assert [each.result.content[0].text for each in result.tool_runs] == ["me", "me"]
