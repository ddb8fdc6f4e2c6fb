"""Middleware around calls: what it sees, replaces and refuses, in both worlds and with all else that a call has."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import (
    AsyncClient,
    BatchingConfig,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    PluginPolicy,
    RetryConfig,
    RouteConfig,
    SemanticConfig,
    hookimpl,
)
from ipfs_accel import errors as e
from ipfs_accel.middleware import Ask, CallContext, map_texts
from ipfs_accel.types import CallRecord, ChatRequest, TextDelta

from .conftest import Install
from .echo import Echo
from .fake_clock import FakeClock


class Hidden:
    """Says `#` for `secret` on the way in, and the reverse on the way out."""

    api_version = 1

    def __init__(self) -> None:
        self.seen: list[CallContext] = []

    @hookimpl
    def rewrite_request(self, call: CallContext, request: Any) -> Any:
        self.seen.append(call)
        call.memo["word"] = "secret"
        return map_texts(request, lambda text: text.replace("secret", "#"))

    @hookimpl
    def rewrite_answer(self, call: CallContext, answer: Any) -> Any:
        return map_texts(answer, lambda text: text.replace("#", call.memo["word"]))

    @hookimpl
    def rewrite_event(self, call: CallContext, event: Any) -> Any:
        return [map_texts(event, lambda text: text.replace("#", call.memo["word"]))]


class Refused(e.AccelError):
    """Of a guard."""


class Ears:
    api_version = 1

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    @hookimpl
    def call_finished(self, record: CallRecord) -> None:
        self.records.append(record)


Call = tuple[str, dict[str, Any]]


def blocking(plugins: Any, *calls: Call, **more: Any) -> list[Any]:
    with Client(plugins=plugins, **more) as client:
        client._core.clock = FakeClock()
        return [client_call(client, *call) for call in calls]


def made(client: Any, name: str, arguments: dict[str, Any]) -> Any:
    given = dict(arguments)
    return getattr(client, name)(*given.pop("by_place", ()), **given)


def client_call(client: Client, name: str, arguments: dict[str, Any]) -> Any:
    try:
        found: Any = made(client, name, arguments)
        if not name.startswith("stream"):
            return found
        with found:
            return [*found], found.response
    except e.AccelError as error:
        return error


def awaiting(plugins: Any, *calls: Call, **more: Any) -> list[Any]:
    async def one(client: AsyncClient, name: str, arguments: dict[str, Any]) -> Any:
        try:
            found: Any = made(client, name, arguments)
            if not name.startswith("stream"):
                return await found
            async with found:
                return [event async for event in found], found.response
        except e.AccelError as error:
            return error

    async def run() -> list[Any]:
        async with AsyncClient(plugins=plugins, **more) as client:
            client._core.clock = FakeClock()
            return [await one(client, *call) for call in calls]

    return anyio.run(run)


World = Callable[..., list[Any]]


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> World:
    return request.param  # type: ignore[no-any-return]


def ask(text: str, operation: str = "chat", model: Any = "echo/m", **options: Any) -> Call:
    return operation, {"model": model, "messages": text, **options}


CHAT = ask("a secret")


# what it sees and replaces


def test_a_request_goes_out_and_an_answer_comes_back_rewritten(world: World) -> None:
    echo, hidden = Echo(), Hidden()
    (answer,) = world([echo], CHAT, middleware=[hidden])
    assert (echo.requests[0].messages[0].text, answer.text) == ("a #", "echo a secret")
    assert (hidden.seen[0].operation, hidden.seen[0].targets) == ("chat", ("echo/m",))
    assert answer.call.endpoint == "echo"


def test_the_events_of_a_stream_and_its_answer_come_back_rewritten(world: World) -> None:
    echo = Echo()
    ((events, answer),) = world([echo], ask("a secret", "stream"), middleware=[Hidden()])
    assert echo.requests[0].messages[0].text == "a #"
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "echo a secret"
    assert [each.part.text for each in events if hasattr(each, "part")] == ["echo a secret"]
    assert answer.text == "echo a secret"


def test_inputs_of_embeddings_are_rewritten_before_they_are_joined(world: World) -> None:
    echo = Echo()
    endpoints = {"echo": EndpointConfig(batching=BatchingConfig())}
    calls: Call = ("embed", {"model": "echo/m", "inputs": ["secret", "b"]})
    (answer,) = world([echo], calls, endpoints=endpoints, middleware=[Hidden()])
    assert echo.requests[0].inputs == ("#", "b")
    assert answer.vectors == (array("f", [1]), array("f", [1]))


def test_own_calls_and_operations_without_a_request_have_their_arguments(world: World) -> None:
    echo, hidden = Echo(), Hidden()
    own: Call = ("call", {"by_place": ("echo", "shout"), "text": "secret"})
    delete: Call = ("delete_file", {"endpoint": "echo", "file": "secret-1"})
    (said, nothing) = world([echo], own, delete, middleware=[hidden])
    assert said == {"said": "secret"}
    assert (nothing, echo.requests) == (None, ["#", "#-1"])
    assert [(each.operation, each.targets) for each in hidden.seen] == [
        ("shout", ("echo",)),
        ("delete_file", ("echo",)),
    ]


def test_the_first_is_outermost_on_both_ways(world: World) -> None:
    @attrs.frozen(eq=False)
    class Mark:
        sign: str
        api_version = 1

        @hookimpl
        def rewrite_request(self, request: Any) -> Any:
            return map_texts(request, lambda text: text + self.sign)

        @hookimpl
        def rewrite_answer(self, answer: Any) -> Any:
            return map_texts(answer, lambda text: text + self.sign)

    (answer,) = world([Echo()], ask("q"), middleware=[Mark("1"), Mark("2")])
    assert answer.text == "echo q1221"


def test_events_can_be_held_back_until_the_answer_is_accepted(world: World) -> None:
    class Patient:
        """Hands on nothing before all is known; then everything at once."""

        api_version = 1

        @hookimpl
        def rewrite_event(self, call: CallContext, event: Any) -> list[Any]:
            call.memo.setdefault("held", []).append(event)
            return []

        @hookimpl
        def rewrite_answer(self, answer: Any) -> None:
            if "bomb" in answer.text:
                raise Refused("not this")

        @hookimpl
        def end_stream(self, call: CallContext) -> Any:
            return call.memo["held"]

    good, bad = world([Echo()], ask("no secret", "stream"), ask("a bomb", "stream"), middleware=[Hidden(), Patient()])
    events, answer = good
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == answer.text == "echo no secret"
    assert type(events[-1]).__name__ == "FinishEvent"
    assert isinstance(bad, Refused)


# what it refuses


@attrs.frozen(eq=False)
class Guard:
    """Refuses at one of its hooks."""

    at: str
    api_version = 1

    def _may(self, hook: str) -> None:
        if hook == self.at:
            raise Refused("the guard says no", hint="ask for something else")

    @hookimpl
    def rewrite_request(self) -> None:
        self._may("request")

    @hookimpl
    def rewrite_answer(self) -> None:
        self._may("answer")

    @hookimpl
    def rewrite_event(self, event: Any) -> None:
        self._may(f"event {getattr(event, 'text', '')}")


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_a_refusal_reaches_the_caller_and_nothing_is_sent(world: World, operation: str) -> None:
    echo = Echo()
    (error,) = world([echo], ask("q", operation), middleware=[Guard("request")])
    assert isinstance(error, Refused)
    assert str(error) == "echo/m: the guard says no"
    assert (error.endpoint, error.model, error.hint) == ("echo", "m", "ask for something else")
    assert echo.requests == []


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_an_answer_can_be_refused_and_the_call_is_recorded_once(world: World, operation: str) -> None:
    ears = Ears()
    (error,) = world([Echo()], ask("q", operation), middleware=[Guard("answer"), ears])
    assert str(error) == "echo/m: the guard says no"
    assert [(each.error, each.usage and each.usage.total_tokens) for each in ears.records] == [(None, 7)]


@pytest.mark.parametrize("piece", ["echo", " ask", " me"])
def test_a_refused_event_ends_the_stream(world: World, piece: str) -> None:
    ears = Ears()
    (error,) = world([Echo()], ask("ask me", "stream"), middleware=[Guard(f"event {piece}"), ears])
    assert isinstance(error, Refused)
    assert [each.error for each in ears.records] == ["Refused"]


def test_nobody_gets_at_an_answer_that_was_refused() -> None:
    with Client(plugins=[Echo()], middleware=[Guard("answer")]) as client, client.stream("echo/m", "bomb") as stream:
        with pytest.raises(Refused):
            stream.read()
        with pytest.raises(e.StreamIncomplete) as caught:
            _ = stream.response
    assert caught.value.partial is None


def test_what_had_come_before_an_error_is_not_handed_on_unseen() -> None:
    with Client(plugins=[Echo()], middleware=[Hidden()]) as client, client.stream("echo/m", "a secret") as stream:
        next(stream)
        with pytest.raises(e.StreamIncomplete) as caught:
            _ = stream.response
    assert caught.value.partial is None


# its own mistakes


class Careless:
    api_version = 1

    def __init__(self, hook: str, result: Any) -> None:
        self.hook = hook
        self.result = result

    def _do(self, hook: str) -> Any:
        if hook != self.hook:
            return None
        return self.result() if callable(self.result) else self.result

    @hookimpl
    def rewrite_request(self) -> Any:
        return self._do("request")

    @hookimpl
    def rewrite_answer(self) -> Any:
        return self._do("answer")

    @hookimpl
    def rewrite_event(self) -> Any:
        return self._do("event")

    @hookimpl
    def end_stream(self) -> Any:
        return self._do("end")


def breaks() -> None:
    raise KeyError("oops")


def yields() -> Any:
    yield "text"


def asks() -> Any:
    yield Ask("levitate", "echo/m", "q")


@pytest.mark.parametrize(
    ("hook", "result", "message"),
    [
        ("request", breaks, "rewrite_request failed: KeyError: 'oops'"),
        ("answer", breaks, "rewrite_answer failed: KeyError: 'oops'"),
        ("event", breaks, "rewrite_event failed: KeyError: 'oops'"),
        ("request", "text", "rewrite_request returned str instead of ChatRequest"),
        ("answer", "text", "rewrite_answer returned str instead of ChatResponse"),
        ("event", TextDelta("x"), "rewrite_event returned TextDelta, not a list of events"),
        ("end", "text", "end_stream returned str, not a list of events"),
        ("request", lambda: ChatRequest(model="other", messages=()), "rewrite_request changed the model to 'other'"),
        ("request", yields, "rewrite_request yielded str; what it yields are Asks"),
        ("answer", asks, "rewrite_answer asks for 'levitate', which is no operation"),
    ],
)
def test_its_mistakes_are_errors_that_name_it(world: World, hook: str, result: Any, message: str) -> None:
    operation = "stream" if hook in {"event", "end"} else "chat"
    (error,) = world([Echo()], ask("q", operation), middleware=[Careless(hook, result)])
    assert isinstance(error, e.PluginError)
    assert error.message.startswith(f"the middleware 'Careless': {message}")
    assert "report it to its authors" in (error.hint or "")


# within it


def test_a_retry_sends_what_was_rewritten_once(world: World) -> None:
    echo, hidden = Echo(failures=2), Hidden()
    (answer,) = world([echo], CHAT, middleware=[hidden], config=Config(retry=RetryConfig(attempts=3)))
    assert [each.messages[0].text for each in echo.requests] == ["a #"] * 3
    assert (len(hidden.seen), answer.text, answer.call.attempts) == (1, "echo a secret", 3)


def test_a_fallback_is_sent_what_was_rewritten_once(world: World) -> None:
    broken, echo, hidden, ears = Echo("broken", failures=1), Echo(), Hidden(), Ears()
    config = Config(routes={"best": RouteConfig(targets=("broken/a", "echo/b"))}, retry=RetryConfig(attempts=1))
    (answer,) = world([broken, echo], ask("a secret", model="best"), middleware=[hidden, ears], config=config)
    assert [each.messages[0].text for each in (*broken.requests, *echo.requests)] == ["a #", "a #"]
    assert (answer.text, hidden.seen[0].targets) == ("echo a secret", ("broken/a", "echo/b"))
    assert len(hidden.seen) == 1
    assert [(each.endpoint, each.error) for each in ears.records] == [("broken", "InternalServerError"), ("echo", None)]


def test_the_cache_keeps_what_went_out_and_each_caller_gets_its_own_words(world: World, tmp_path: Any) -> None:
    echo, ears = Echo(), Ears()
    config = Config(cache=CacheConfig(path=str(tmp_path / "answers"), sampled=True))
    first, second = world([echo], CHAT, CHAT, middleware=[Hidden(), ears], config=config)
    assert (len(echo.requests), second.call.cached) == (1, "exact")
    assert (first.text, second.text) == ("echo a secret", "echo a secret")
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [(each.cached, each.cost) for each in ears.records] == [(None, None), ("exact", 0.0)]


def test_the_semantic_cache_compares_what_went_out(world: World, tmp_path: Any) -> None:
    echo, hidden = Echo(), Hidden()
    semantic = SemanticConfig(embed="echo/v")
    config = Config(cache=CacheConfig(path=str(tmp_path / "answers"), sampled=True, semantic=semantic))
    world([echo], CHAT, middleware=[hidden], config=config)
    assert echo.requests[0].inputs == ("a #",)
    assert [each.operation for each in hidden.seen] == ["chat"]


# its own questions


class Moderated:
    """Asks a model whether a text may go on."""

    api_version = 1

    @hookimpl
    def rewrite_request(self, request: Any) -> Any:
        try:
            verdict = yield Ask("moderate", "echo/guard", request.messages[-1].text, {"timeout": 5})
        except e.InternalServerError:
            raise Refused("the guard cannot be asked") from None
        if verdict.results[0].flagged:
            raise Refused("not this")
        return map_texts(request, str.title)

    @hookimpl
    def rewrite_answer(self, answer: Any) -> Any:
        verdict = yield Ask("moderate", "echo/guard", answer.text)
        return map_texts(answer, lambda text: f"{text} ({verdict.results[0].flagged})")


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_it_may_ask_other_endpoints(world: World, operation: str) -> None:
    echo, hidden = Echo(), Hidden()
    good, bad = world([echo], ask("a word", operation), ask("a bomb", operation), middleware=[Moderated(), hidden])
    answer = good if operation == "chat" else good[1]
    assert answer.text == "echo A Word (False)"
    assert isinstance(bad, Refused)
    assert [each.operation for each in hidden.seen] == ["moderate", operation, "moderate", "moderate"]


def test_what_it_asks_goes_through_those_further_in_only(world: World) -> None:
    echo, outer = Echo(), Hidden()
    world([echo], CHAT, middleware=[outer, Moderated(), inner := Hidden()])
    assert [each.operation for each in outer.seen] == ["chat"]
    assert [each.operation for each in inner.seen] == ["moderate", "chat", "moderate"]


def test_a_failure_of_what_it_asks_is_raised_in_it(world: World) -> None:
    (error,) = world([Echo(failures=1)], CHAT, middleware=[Moderated()], config=Config(retry=RetryConfig(attempts=1)))
    assert error.message == "the guard cannot be asked"


def test_it_may_ask_for_each_event(world: World) -> None:
    class Slow:
        api_version = 1

        @hookimpl
        def rewrite_event(self, event: Any) -> Any:
            if not isinstance(event, TextDelta):
                return None
            verdict = yield Ask("moderate", "echo/guard", event.text)
            return [attrs.evolve(event, text=f"{event.text}{len(verdict.results)}")]

    ((events, _),) = world([Echo()], ask("q", "stream"), middleware=[Slow()])
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "echo1 q1"


# what is told


def test_a_stream_that_is_left_early_is_told_of_once(world: World) -> None:
    ears = Ears()
    if world is blocking:
        with Client(plugins=[Echo()], middleware=[ears]) as client, client.stream("echo/m", "q") as stream:
            next(stream)
    else:

        async def leave() -> None:
            async with (
                AsyncClient(plugins=[Echo()], middleware=[ears]) as client,
                client.stream("echo/m", "q") as stream,
            ):
                await anext(stream)

        anyio.run(leave)
    (record,) = ears.records
    assert (record.is_abandoned, record.error, record.usage and record.usage.input_tokens) == (True, None, 3)


def test_a_cancelled_call_is_told_of() -> None:
    ears, begun, release = Ears(), threading.Event(), threading.Event()

    class Endless(Echo):
        def say(self, request: Any) -> None:
            begun.set()
            release.wait(60)

    async def cancel() -> None:
        async with AsyncClient(plugins=[Endless()], middleware=[ears]) as client, anyio.create_task_group() as group:
            group.start_soon(client.chat, "echo/m", "q")
            await anyio.to_thread.run_sync(begun.wait)
            group.cancel_scope.cancel()

    anyio.run(cancel)
    release.set()
    assert [(each.is_abandoned, each.error) for each in ears.records] == [(True, None)]


# finding and loading


SETTLED = """
import attrs
from ipfs_accel import hookimpl
from ipfs_accel.middleware import map_texts

@attrs.frozen(eq=False)
class Shout:
    sign: str = "!"
    times: int = 1
    api_version = 1

    @hookimpl
    def rewrite_request(self, request):
        return map_texts(request, lambda text: text.upper() + self.sign * self.times)
"""


@pytest.fixture
def shout(install: Install) -> None:
    site = install("shout", SETTLED)
    (entry_points,) = site.glob("acme_shout*.dist-info/entry_points.txt")
    entry_points.write_text("[ipfs_accel.middleware]\nshout = plugin_acme_shout:Shout\n")


def policy(**more: Any) -> Config:
    return Config(plugins=PluginPolicy(**{"middleware": ("shout",), **more}))


@pytest.mark.usefixtures("shout")
def test_what_is_installed_is_active_only_if_it_is_named(world: World) -> None:
    (answer,) = world([Echo()], ask("q"), config=policy(middleware=()))
    assert answer.text == "echo q"
    (answer,) = world([Echo()], ask("q"), config=policy(options={"shout": {"times": 3}}))
    assert answer.text == "echo Q!!!"
    (answer,) = world([Echo()], ask("q"), config=policy(deny=("shout",)))
    assert answer.text == "echo q"


@pytest.mark.usefixtures("shout")
def test_objects_stand_outside_of_what_is_named_and_all_are_shown() -> None:
    with Client(policy(), middleware=[Hidden()]) as client:
        before = [(each.name, each.state) for each in client.middleware()[:2]]
    with Client(policy(), plugins=[Echo()], middleware=[Hidden()]) as client:
        assert client.chat("echo/m", "secret").text == "echo secret!"  # hidden before it was shouted
        after = [(each.name, each.state, each.distribution) for each in client.middleware()[:2]]
    assert before == [("Hidden", "available"), ("shout", "available")]
    assert after == [("Hidden", "loaded", ""), ("shout", "loaded", "acme-shout")]
    with Client(policy(middleware=())) as client:
        (record,) = [each for each in client.middleware() if each.name == "shout"]
    assert (record.state, record.reason) == ("blocked", "plugins.middleware does not name it")
    with Client(policy(deny=("acme-shout",))) as client:
        record = client.middleware()[0]
    assert (record.state, record.reason) == ("blocked", "plugins.deny or IPFS_ACCEL_DISABLE_PLUGINS names it")


@pytest.mark.usefixtures("shout")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"middleware": ("nobody",)}, "'nobody' is broken: the configuration names it, but it is not installed"),
        ({"options": {"shout": {"tims": 3}}}, "plugins.options.shout: tims: unknown setting"),
        ({"options": {"shout": {"times": "many"}}}, "plugins.options.shout: times: "),
    ],
)
def test_without_all_that_is_named_no_call_goes_out(world: World, settings: dict[str, Any], message: str) -> None:
    echo = Echo()
    first, second = world([], ask("q"), ask("q"), config=policy(**settings), middleware=[])
    assert isinstance(first, e.PluginError)
    assert str(first) == str(second)
    assert message in str(first)
    assert echo.requests == []


def test_settings_of_what_nobody_names_are_refused() -> None:
    with pytest.raises(e.ConfigError, match=r"plugins\.options\.shut: plugins\.middleware does not name") as caught:
        Client(policy(options={"shut": {}}))
    assert caught.value.hint == "did you mean 'shout'?"


class Nothing:
    api_version = 1


class Ageless:
    @hookimpl
    def rewrite_request(self) -> None: ...


class Misspelt:
    api_version = 1

    @hookimpl
    def rewrite_requests(self) -> None: ...


@pytest.mark.parametrize(
    ("given", "state", "message"),
    [
        (Nothing(), "broken", "it implements no hook; are they marked @hookimpl?"),
        (Hidden, "broken", "it is a class; give an instance: Hidden()"),
        (Ageless(), "incompatible", "it does not say which plugin API it was written for"),
        (Misspelt(), "broken", "unknown hook 'rewrite_requests'"),
        (Echo(), "broken", "it describes a backend"),
    ],
)
def test_an_object_that_is_no_middleware_says_why(given: Any, state: str, message: str) -> None:
    with Client(plugins=[], middleware=[given]) as client:
        with pytest.raises(e.PluginError, match=state) as caught:
            client.chat("openai/m", "q")
        assert message in caught.value.message
        assert client.middleware()[0].state == state
