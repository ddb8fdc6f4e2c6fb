"""Fallback chains and routes over several endpoints, in both worlds."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from ipfs_accel import (
    AsyncClient,
    BreakerConfig,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    RetryConfig,
    RouteConfig,
    load_config,
)
from ipfs_accel import errors as e
from ipfs_accel._calls.routes import failure_class
from ipfs_accel._resilience.places import Place, Places
from ipfs_accel.errors import AccelError
from ipfs_accel.testing.raw_server import Connection, RawServer

from .acme import Acme
from .both_worlds import fault, fine, scripted, streamed
from .fake_clock import FakeClock
from .http_worlds import settle

Ask = Callable[..., Any]


def blocking(servers: dict[str, RawServer], model: Any, operation: str = "chat", times: int = 1, **more: Any) -> Any:
    options = more.pop("options", {})
    found: Any = None
    with _client(Client, servers, more) as client:
        for _ in range(times):
            try:
                found = getattr(client, operation)(model, "q", **options)
                found = found.read() if operation == "stream" else found
            except AccelError as error:
                found = error
    return found


def awaiting(servers: dict[str, RawServer], model: Any, operation: str = "chat", times: int = 1, **more: Any) -> Any:
    async def run() -> Any:
        options = more.pop("options", {})
        found: Any = None
        async with _client(AsyncClient, servers, more) as client:
            for _ in range(times):
                try:
                    found = getattr(client, operation)(model, "q", **options)
                    found = await (found.read() if operation == "stream" else found)
                except AccelError as error:
                    found = error
        return found

    return anyio.run(run)


def _client(kind: Any, servers: dict[str, RawServer], more: dict[str, Any]) -> Any:
    endpoint = more.pop("endpoint", {})
    endpoints = {
        name: EndpointConfig(backend="acme", base_url=server.url, key="", **endpoint)
        for name, server in servers.items()
    }
    config = Config(endpoints=endpoints, retry=RetryConfig(attempts=1), **more.pop("config", {}))
    client = kind(config, plugins=[Acme("http://127.0.0.1:9")], **more)
    client._core.clock = FakeClock()
    return client


@pytest.fixture(params=[blocking, awaiting])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_next_target_is_asked_when_one_fails(ask: Ask) -> None:
    with scripted(fault(503)) as bad, scripted(fine()) as good:
        found = ask({"bad": bad, "good": good}, ["bad/m1", "good/m2"], endpoint={"retry": RetryConfig(attempts=2)})
    assert found.text == "blue"
    assert (found.endpoint, found.call.model, found.call.attempts) == ("good", "m2", 3)
    assert [(tried.endpoint, tried.model, tried.status) for tried in found.call.tried] == [("bad", "m1", 503)] * 2
    assert b'"model":"m2"' in good.bodies[0].replace(b" ", b"")


def test_when_all_fail_the_last_error_tells_all(ask: Ask) -> None:
    with scripted(fault(503)) as first, scripted(fault(500)) as second:
        error = ask({"a": first, "b": second}, ["a/m", "b/m"])
    assert (type(error), error.endpoint) == (e.InternalServerError, "b")
    assert [(tried.endpoint, tried.status) for tried in error.tried] == [("a", 503), ("b", 500)]
    assert error.attempts == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_another_target_would_refuse_likewise_is_final(status: int, ask: Ask) -> None:
    with scripted(fault(status)) as bad, scripted(fine()) as good:
        error = ask({"bad": bad, "good": good}, ["bad/m", "good/m"])
    assert (error.status, good.heads) == (status, [])


def test_reasons_can_be_configured(ask: Ask) -> None:
    route = RouteConfig(targets=["bad/m", "good/m"], fallback_on=["bad_request"])
    config = {"config": {"routes": {"safe": route}}}
    with scripted(fault(400), fault(503)) as bad, scripted(fine()) as good:
        servers = {"bad": bad, "good": good}
        assert ask(servers, "safe", **config).endpoint == "good"
        assert ask(servers, "safe", **config).status == 503


def test_a_stream_falls_back_before_its_first_event_and_never_after(ask: Ask) -> None:
    def break_off(connection: Connection) -> None:
        connection.send(streamed("a", end=False))

    with scripted(streamed("..."), break_off) as bad, scripted(streamed("b", "END")) as good:
        servers = {"bad": bad, "good": good}
        found = ask(servers, ["bad/m", "good/m"], "stream")
        error = ask(servers, ["bad/m", "good/m"], "stream")
    assert (found.text, found.endpoint, found.call.tried[0].error) == ("b", "good", "StreamIncomplete")
    assert (type(error), error.endpoint, error.partial.text) == (e.StreamInterrupted, "bad", "a")


def test_all_targets_share_one_deadline(ask: Ask) -> None:
    with scripted(Connection.wait) as silent, scripted(fine()) as good:
        error = ask({"silent": silent, "good": good}, ["silent/m", "good/m"], options={"timeout": 0.2})
    assert (type(error), good.heads) == (e.DeadlineExceededError, [])


def test_a_target_that_counts_as_down_is_passed_over(ask: Ask) -> None:
    with scripted(fault(500)) as bad, scripted(fine()) as good:
        found = ask(
            {"bad": bad, "good": good},
            ["bad/m", "good/m"],
            times=6,
            endpoint={"breaker": BreakerConfig(min_calls=3)},
        )
    assert (len(bad.heads), len(good.heads)) == (3, 6)
    assert found.call.tried[0].error == "CircuitOpenError"


def test_the_last_target_is_tried_even_if_it_counts_as_down(ask: Ask) -> None:
    with scripted(fault(500)) as first, scripted(fault(500)) as second:
        ask({"a": first, "b": second}, ["a/m", "b/m"], times=6, endpoint={"breaker": BreakerConfig(min_calls=3)})
    assert (len(first.heads), len(second.heads)) == (3, 6)


def test_a_target_without_its_key_is_passed_over_and_the_answer_says_so() -> None:
    class Keyed(Acme):
        from ipfs_accel import hookimpl

        @hookimpl
        def describe(self) -> Any:
            import attrs

            return attrs.evolve(Acme.describe(self), needs_key=True)

    with scripted(fine()) as server:
        endpoints = {"own": EndpointConfig(backend="acme", base_url=server.url, key="")}
        with Client(Config(environ={}), endpoints=endpoints, plugins=[Keyed("http://127.0.0.1:9")]) as client:
            found = client.chat(["acme/m", "own/m"], "q")
    assert (found.endpoint, found.call.tried[0].error) == ("own", "MissingKeyError")


def test_hops_are_bounded(ask: Ask) -> None:
    with ExitStack() as stack:
        servers = {f"s{number}": stack.enter_context(scripted(fault(500))) for number in range(8)}
        error = ask(servers, [f"{name}/m" for name in servers])
    assert error.attempts == 6


@pytest.mark.parametrize(
    ("policy", "order"),
    [("ordered", ["a"] * 6), ("round_robin", ["a", "b", "c"] * 2), ("random", ["b"] * 6), ("least_busy", ["a"] * 6)],
)
def test_policies(policy: Any, order: list[str]) -> None:
    route = RouteConfig(targets=["a/m", "b/m", "c/m"], policy=policy)
    served = []
    with ExitStack() as stack:
        servers = {name: stack.enter_context(scripted(fine())) for name in "abc"}
        with _client(Client, servers, {"config": {"routes": {"spread": route}}}) as client:
            for _ in range(6):
                served.append(client.chat("spread", "q").endpoint)
    assert served == order


def test_the_least_busy_target_is_the_one_with_fewest_calls_under_way() -> None:
    route = RouteConfig(targets=["a/m", "b/m"], policy="least_busy")
    many = streamed("a", *["b" * 100_000] * 20, "END")
    with ExitStack() as stack:
        servers = {name: stack.enter_context(scripted(lambda connection: connection.send(many))) for name in "ab"}
        with _client(Client, servers, {"config": {"routes": {"spread": route}}}) as client:
            streams = []
            for _ in range(4):
                streams.append(client.stream("spread", "q"))
                next(streams[-1])
            busy = Counter({name: state.active for name, state in client.states().items()})
            for stream in streams:
                stream.close()
            assert busy == {"a": 2, "b": 2}
            assert {state.active for state in client.states().values()} == {0}


CALLS = 20
BALANCED = RouteConfig(targets=["a/m", "b/m"], policy="least_busy")


def _at_once(kind: Any, cache: Any, run: Callable[[Any, Callable[[Any], Any]], None], operation: str = "chat") -> Any:
    """Have so many calls begin at once on a new client; return how many each of two servers was asked."""
    all_are_there = threading.Barrier(CALLS)

    def hold(connection: Connection) -> None:
        all_are_there.wait(60)
        connection.send(fine() if operation == "chat" else streamed("a", "END"))

    config = {"routes": {"spread": BALANCED}, "cache": cache}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(scripted(hold)) for name in "ab"}
        client = _client(kind, servers, {"config": config})
        run(client, lambda client: getattr(client, operation)("spread", "q", temperature=0))
        assert all(not taken for taken in client._core.places._taken.values())
        assert {state.active for state in client.states().values()} == {0}
        return {name: len(server.heads) for name, server in servers.items()}


@pytest.fixture(params=[False, True], ids=["no cache", "cache"])
def cache(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    return CacheConfig(path=str(tmp_path / "answers.sqlite3")) if request.param else None


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_threads_that_begin_at_once_are_spread(operation: str, cache: Any) -> None:
    def run(client: Any, ask: Callable[[Any], Any]) -> None:
        asked = [ask] * CALLS if operation == "chat" else [ask(client).read for _ in range(CALLS)]
        threads = [threading.Thread(target=each, args=(client,) if each is ask else ()) for each in asked]
        with client:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    assert _at_once(Client, cache, run, operation) == {"a": CALLS // 2, "b": CALLS // 2}


@pytest.mark.parametrize("library", ["asyncio", "trio"])
@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_tasks_that_begin_at_once_are_spread(operation: str, library: str, cache: Any) -> None:
    def run(client: Any, ask: Callable[[Any], Any]) -> None:
        async def together() -> None:
            async with client, anyio.create_task_group() as group:
                for _ in range(CALLS):
                    if operation == "chat":
                        group.start_soon(ask, client)
                    else:
                        group.start_soon(ask(client).read)

        anyio.run(together, backend=library)

    assert _at_once(AsyncClient, cache, run, operation) == {"a": CALLS // 2, "b": CALLS // 2}


def _refuse(connection: Connection) -> None:
    connection.send(fault(400))


@pytest.mark.parametrize("end", ["answered", "refused", "kept", "never tried", "dropped", "cancelled"])
def test_a_place_is_given_back_however_the_call_ends(end: str, tmp_path: Any) -> None:
    config = {
        "routes": {"spread": BALANCED},
        "cache": CacheConfig(path=str(tmp_path / "answers.sqlite3"), sampled=True),
    }

    async def run(servers: dict[str, RawServer]) -> None:
        async with _client(AsyncClient, servers, {"config": config}) as client:
            if end == "never tried":
                await client.chat("spread", "q", cache=False)
                await client.isolate("a")
            if end == "cancelled":
                async with anyio.create_task_group() as group:
                    group.start_soon(client.chat, "spread", "q")
                    await settle(lambda: servers["a"].heads)
                    group.cancel_scope.cancel()
            elif end == "dropped":
                client.stream("spread", "q")
                await client.chat("b/m", "q")
            else:
                for _ in range(2 if end == "kept" else 1):
                    with contextlib.suppress(e.BadRequestError):
                        await client.chat("spread", "q")
            assert all(not taken for taken in client._core.places._taken.values())
            assert {state.active for state in client.states().values()} == {0}

    steps = {"refused": _refuse, "cancelled": Connection.wait}
    with scripted(steps.get(end, fine())) as first, scripted(fine()) as second:
        anyio.run(run, {"a": first, "b": second})
        assert len(first.heads) == (0 if end == "dropped" else 1)


def test_a_call_counts_once_where_it_is_going_and_under_way() -> None:
    places, place, under_way = Places(), Place(), {"a": set[int](), "b": set[int]()}
    assert places.choose(place, "ab", under_way.__getitem__) == 0
    under_way["a"].add(id(place))
    other, third = Place(), Place()
    assert places.choose(other, "ab", under_way.__getitem__) == 1
    assert places.choose(third, "ab", under_way.__getitem__) == 0
    del other
    assert places.choose(Place(), "ab", under_way.__getitem__) == 1
    third.leave()
    third.leave()
    place.leave()
    assert places.choose(third, "ab", under_way.__getitem__) == 1


def test_routes_come_from_the_file_and_may_be_the_default(tmp_path: Any, ask: Ask) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'default_model = "fast"\n[routes.fast]\ntargets = ["a/m", "b/m"]\npolicy = "round_robin"\nmax_hops = 1\n'
    )
    loaded = load_config(path, {})
    assert loaded.routes["fast"] == RouteConfig(targets=("a/m", "b/m"), policy="round_robin", max_hops=1)
    with scripted(fault(500)) as bad, scripted(fine()) as good:
        config = {"routes": loaded.routes, "default_model": loaded.default_model}
        assert ask({"a": bad, "b": good}, None, config=config).endpoint == "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[routes.a]\ntargets = []", "targets: expected a list of endpoint/model names"),
        ('[routes.a]\ntargets = ["x/m", "x/m"]', "targets: 'x/m' is named twice"),
        ('[routes.a]\ntargets = ["x/m"]\nfallback_on = ["bad_luck"]', "fallback_on"),
        ('[routes.a]\ntargets = ["x/m"]\npolicy = "fair"', "policy"),
        ('[routes."a/b"]\ntargets = ["x/m"]', "routes.a/b: the name has a slash"),
        ('[aliases]\na = "x/m"\n[routes.a]\ntargets = ["x/m"]', "name of an alias or an endpoint"),
        ('[routes.a]\ntargets = ["x/m"]\n[routes.b]\ntargets = ["a"]', "'a' is itself a route"),
    ],
)
def test_bad_routes_are_named(text: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(e.ConfigError, match=message):
        Client(path)


@pytest.mark.parametrize(
    ("chain", "message"),
    [([], "model: expected a list"), (["a/m", "a/m"], "model: 'a/m' is named twice"), (["nothing"], "no endpoint")],
)
def test_bad_chains_are_named(chain: Any, message: str) -> None:
    with scripted(fine()) as server:
        error = blocking({"a": server}, chain)
        assert message in str(error)
        assert server.heads == []


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (e.APITimeoutError("slow"), "timeout"),
        (e.APIConnectionError("gone"), "connection"),
        (e.PoolTimeoutError("all in use"), None),
        (e.PermissionDeniedError("pay", status=402), "quota"),
        (e.PermissionDeniedError("no", status=403), "authentication"),
        (e.NotSupportedByServerError("no", status=501), "server"),
        (e.APIStatusError("slow", status=408, retryable=True), "timeout"),
        (e.APIStatusError("early", status=425, retryable=True), "server"),
        (e.ConflictError("locked", status=409, retryable=True), "server"),
        (e.APIStatusError("no", status=418), "bad_request"),
        (e.ModelNotFoundError("what?"), "not_found"),
        (e.StreamIncomplete("cut"), "invalid_response"),
        (e.ContextLengthExceededError("long"), "context_length"),
        (e.UnsupportedParameterError("top_k"), "bad_request"),
        (e.InvalidRequestError("wrong"), None),
        (e.PluginError("broken"), None),
    ],
)
def test_classes_of_failures(error: AccelError, name: str | None) -> None:
    assert failure_class(error) == name
