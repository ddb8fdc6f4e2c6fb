"""Whatever fails on the way: the answer or a true error, once, in time."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import RetryConfig, Secret, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Http, Local, post_json
from ipfs_accel.testing.raw_server import Connection, RawServer, chunked
from ipfs_accel.types import EmbedResponse

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, outcome, scripted, streamed
from .fake_clock import FakeClock

RETRY = {"retry": RetryConfig()}
World = Callable[..., Any]


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_server_that_recovers_is_asked_again(world: World) -> None:
    clock = FakeClock()
    with scripted(fault(503, x_id="r1"), fault(500, "bad_luck"), fine(x_id="r3")) as server:
        found = outcome(world, server, clock=clock, endpoint=RETRY)
    assert found.text == "blue"
    assert clock.slept == [0.125, 0.25]
    assert (found.call.attempts, found.request_id) == (3, "r3")
    first, second = found.call.tried
    assert (first.endpoint, first.model, first.error, first.status) == ("acme", "m", "OverloadedError", 503)
    assert (first.request_id, first.waited, first.maybe_billed) == ("r1", 0.125, False)
    assert (second.error, second.code, second.request_id) == ("InternalServerError", "bad_luck", None)


def test_after_three_attempts_the_last_error_tells_all(world: World) -> None:
    with scripted(fault(503)) as server:
        error = outcome(world, server, endpoint=RETRY)
    assert type(error) is e.OverloadedError
    assert len(server.heads) == error.attempts == len(error.tried) == 3
    assert [tried.status for tried in pickle.loads(pickle.dumps(error)).tried]  # noqa: S301 - our own == [503, 503, 503]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 501])
def test_a_refusal_is_final(status: int) -> None:
    with scripted(fault(status)) as server:
        error = outcome(blocking, server, endpoint=RETRY)
    assert (error.status, error.attempts, len(server.heads)) == (status, 1, 1)


@pytest.mark.parametrize(
    ("status", "wish", "requests"), [(400, "true", 3), (503, "false", 1), (503, "maybe", 3), (409, "true", 3)]
)
def test_the_servers_own_word_on_retries_counts(status: int, wish: str, requests: int, world: World) -> None:
    with scripted(fault(status, x_should_retry=wish)) as server:
        outcome(world, server, endpoint=RETRY)
    assert len(server.heads) == requests


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"x_ms_retry_after_ms": "700"}, 0.7),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:10 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 10.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry_after": "inf"}, 0.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "soon"}, 0.0),
    ],
)
def test_hints_of_every_form(headers: dict[str, str], wait: float, world: World) -> None:
    clock = FakeClock(chance=0.0)
    with scripted(fault(429, **headers), fine()) as server:
        assert outcome(world, server, clock=clock, endpoint=RETRY).text == "blue"
    assert sum(clock.slept) == wait


def test_a_server_that_asks_for_too_much_patience_is_not_waited_for(world: World) -> None:
    clock = FakeClock()
    with scripted(fault(429, retry_after="121")) as server:
        error = outcome(world, server, clock=clock, endpoint=RETRY)
    assert (type(error), error.retry_after, clock.slept) == (e.RateLimitError, 121.0, [])


def test_a_refused_connection_is_tried_again_free_of_charge(world: World) -> None:
    clock = FakeClock()
    with scripted(fine()) as server:
        pass
    error = outcome(world, server, clock=clock, endpoint={"retry": RetryConfig(budget=0)})
    assert (type(error), error.attempts, error.sent, error.maybe_billed) == (e.APIConnectionError, 3, False, False)
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "part", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"]
)
def test_a_connection_that_breaks_is_tried_again(part: bytes, world: World) -> None:
    def break_off(connection: Connection) -> None:
        connection.send(part)

    with scripted(break_off, fine()) as server:
        found = outcome(world, server, endpoint=RETRY)
    assert (found.text, found.call.attempts, found.call.tried[0].maybe_billed) == ("blue", 2, True)


def test_a_silent_server_is_asked_twice_and_the_error_says_that_it_may_be_billed(world: World) -> None:
    with scripted(Connection.wait) as server:
        error = outcome(world, server, "stream", endpoint=RETRY, timeout=Timeout(first_event=0.1))
    assert (type(error), error.phase, error.attempts) == (e.APITimeoutError, "read", 2)
    assert error.maybe_billed
    assert [tried.maybe_billed for tried in error.tried] == [True, True]


def test_an_unreadable_success_is_not_paid_for_twice(world: World) -> None:
    with scripted(chunked(b"nonsense")) as server:
        error = outcome(world, server, endpoint=RETRY)
    assert (type(error), len(server.heads), error.maybe_billed) == (e.InvalidResponseError, 1, True)


def test_the_deadline_holds_over_all_attempts(world: World) -> None:
    clock = FakeClock(chance=1.0)
    with scripted(fault(503)) as server:
        error = outcome(world, server, clock=clock, endpoint={"retry": RetryConfig(attempts=9)}, timeout=1.5)
    assert type(error) is e.OverloadedError
    assert error.retry_after == 1.0
    assert clock.slept == [0.25, 0.5]
    assert len(server.heads) == 3


def test_what_the_total_limit_cuts_off_is_not_tried_again(world: World) -> None:
    with scripted(Connection.wait) as server:
        error = outcome(world, server, endpoint=RETRY, timeout=0.2)
    assert (type(error), error.phase, error.attempts) == (e.DeadlineExceededError, "total", 1)
    assert len(server.heads) <= 1


def test_retries_can_be_switched_off(world: World) -> None:
    with scripted(fault(503)) as server:
        error = outcome(world, server, endpoint={"retry": RetryConfig(attempts=1)})
    assert (error.attempts, len(server.heads)) == (1, 1)


def test_a_budget_that_is_used_up_ends_retries_for_everybody(world: World) -> None:
    call = ("chat", {"model": "acme/m", "messages": "q"})
    with scripted(fault(503)) as server:
        results = world(server, *[call] * 6, endpoint={"retry": RetryConfig(budget=60)})
    assert [result.error.attempts for result in results] == [3, 3, 1, 1, 1, 1]
    assert len(server.heads) == 10


# streams


def test_a_stream_is_opened_again_before_its_first_event(world: World) -> None:
    broken = streamed("...", end=False)

    def break_off(connection: Connection) -> None:
        connection.send(broken)

    with scripted(fault(529), break_off, streamed("a", "END")) as server:
        found = outcome(world, server, "stream", endpoint=RETRY)
    assert found.text == "a"
    assert [tried.error for tried in found.call.tried] == ["OverloadedError", "APIConnectionError"]


def test_a_stream_that_ends_without_a_word_is_opened_again(world: World) -> None:
    with scripted(streamed("..."), streamed("a", "END")) as server:
        found = outcome(world, server, "stream", endpoint=RETRY)
    assert (found.text, found.call.tried[0].error) == ("a", "StreamIncomplete")


def test_after_its_first_event_a_stream_is_never_repeated(world: World) -> None:
    def break_off(connection: Connection) -> None:
        connection.send(streamed("a", end=False))

    with scripted(break_off, streamed("b", "END")) as server:
        error = outcome(world, server, "stream", endpoint=RETRY)
    assert (type(error), error.partial.text, len(server.heads)) == (e.StreamInterrupted, "a", 1)
    assert error.maybe_billed


# what may be repeated


class Careful(Acme):
    """Has an operation that must not happen twice, a blocking one, and a header that makes it safe."""

    header: str | None = None
    runs = 0

    @hookimpl
    def describe(self) -> Any:
        import attrs

        return attrs.evolve(Acme.describe(self), idempotency_header=self.header)

    @hookimpl
    def calls(self) -> Any:
        return {"create": lambda endpoint: Http(send=post_json("/things", {}), parse=lambda response: response.json())}

    @hookimpl
    def embed(self, endpoint: Any, request: Any) -> Any:
        def run(job: Any) -> EmbedResponse:
            self.runs += 1
            if self.runs < 3:
                raise e.OverloadedError("later", status=503)
            return EmbedResponse(vectors=())

        return Local(run=run)


class Idempotent(Careful):
    header = "idempotency-key"


CREATE = ("call", ("acme", "create"))


def break_off(connection: Connection) -> None:
    connection.reset()


def test_an_effect_that_may_have_happened_unseen_is_not_repeated(world: World) -> None:
    with scripted(break_off, fine()) as server:
        (found,) = world(server, CREATE, plugin=Careful, endpoint=RETRY)
    assert (type(found.error), len(server.heads)) == (e.APIConnectionError, 1)


def test_an_effect_that_the_server_refused_is_tried_again(world: World) -> None:
    with scripted(fault(503), fine()) as server:
        (found,) = world(server, CREATE, plugin=Careful, endpoint=RETRY)
    assert found.error is None
    assert len(server.heads) == 2


def keys_of(server: RawServer, name: str) -> list[str | None]:
    found = []
    for head in server.heads:
        fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:])
        found.append(fields.get(name))
    return found


def test_an_idempotency_key_is_the_same_on_all_attempts_and_another_for_each_request(world: World) -> None:
    with scripted(break_off, fine()) as server:
        results = world(server, CREATE, CREATE, plugin=Idempotent, endpoint=RETRY)
    assert [result.error for result in results] == [None, None]
    first, second, third = keys_of(server, "idempotency-key")
    assert first is not None
    assert first == second != third


def test_no_idempotency_key_is_sent_where_the_backend_declares_none(world: World) -> None:
    with scripted(fine()) as server:
        outcome(world, server)
    assert keys_of(server, "idempotency-key") == [None]


def test_blocking_libraries_are_retried_by_the_errors_that_their_plugin_maps(world: World) -> None:
    clock = FakeClock()
    with scripted(fine()) as server:
        (found,) = world(
            server, ("embed", {"model": "acme/m", "inputs": "q"}), plugin=Careful, endpoint=RETRY, clock=clock
        )
    assert found.answer.call.attempts == 3
    assert clock.slept == [0.125, 0.25]


def test_a_health_check_tells_how_it_is_now(world: World) -> None:
    with scripted(fault(503)) as server:
        (found,) = world(server, ("healthcheck", {"endpoint": "acme"}), endpoint=RETRY)
    assert (found.answer.status, len(server.heads)) == ("loading", 1)


# keys


def test_a_key_at_its_limit_is_put_aside_and_the_next_one_tried_at_once(world: World) -> None:
    clock = FakeClock()
    with scripted(fault(429, retry_after="60"), fine()) as server:
        call = ("chat", {"model": "acme/m", "messages": "q"})
        results = world(server, call, call, clock=clock, endpoint={"key": ["sk-first-key", "sk-second-key"], **RETRY})
    assert keys_of(server, "authorization") == ["bearer sk-first-key", "bearer sk-second-key", "bearer sk-second-key"]
    assert clock.slept == []
    first = results[0].answer.call
    assert (first.key, first.tried[0].key, results[1].answer.call.key) == ("key-2", "key-1", "key-2")
    assert "sk-" not in repr([result.answer.call for result in results])


def test_all_keys_refused_is_an_error_that_says_so(world: World) -> None:
    with scripted(fault(401)) as server:
        error = outcome(world, server, endpoint={"key": ["sk-first-key", "sk-second-key"], **RETRY})
    assert type(error) is e.AuthenticationError
    assert len(server.heads) == 2
    assert [tried.key for tried in error.tried] == ["key-1", "key-2"]


def test_all_keys_at_their_limit_are_waited_for(world: World) -> None:
    clock = FakeClock(chance=0.0)
    with scripted(fault(429, retry_after="7"), fault(429, retry_after="9"), fine()) as server:
        found = outcome(world, server, clock=clock, endpoint={"key": ["sk-first-key", "sk-second-key"], **RETRY})
    assert found.text == "blue"
    assert sum(clock.slept) >= 7


def test_a_key_of_the_call_itself(world: World) -> None:
    with scripted(fine()) as server:
        call = {"model": "acme/m", "messages": "q"}
        keys = ["sk-own", Secret("sk-own"), lambda: "sk-own"]
        results = world(
            server, *[("chat", {**call, "key": key}) for key in keys], ("chat", call), endpoint={"key": "sk-usual"}
        )
    assert keys_of(server, "authorization") == ["bearer sk-own"] * 3 + ["bearer sk-usual"]
    assert [result.answer.call.key for result in results] == ["call", "call", "call", "key-1"]


@pytest.mark.parametrize("key", ["", 5, []])
def test_a_wrong_key_of_a_call(key: Any) -> None:
    with scripted(fine()) as server:
        error = outcome(blocking, server, options={"key": key})
    assert isinstance(error, e.InvalidRequestError)
    assert server.heads == []


def test_a_key_that_a_function_gives_is_asked_for_once_more_when_it_is_refused(world: World) -> None:
    given = iter(["sk-old-token", "sk-new-token", "sk-new-token"])
    with scripted(fault(401), fine()) as server:
        found = outcome(world, server, endpoint={"key": lambda: next(given), **RETRY})
    assert found.text == "blue"
    assert keys_of(server, "authorization") == ["bearer sk-old-token", "bearer sk-new-token"]


def test_a_key_that_a_function_gives_again_is_not_tried_again(world: World) -> None:
    with scripted(fault(401)) as server:
        error = outcome(world, server, endpoint={"key": lambda: "sk-old-token", **RETRY})
    assert (type(error), len(server.heads)) == (e.AuthenticationError, 1)


def test_no_key_of_a_pool_shows_in_an_error(world: World) -> None:
    def repeat(connection: Connection) -> None:
        head = connection.server.heads[-1]
        connection.send(fault(401, head.partition("Bearer ")[2].split("\r\n")[0]))

    with scripted(repeat) as server:
        error = outcome(world, server, endpoint={"key": ["sk-first-key", "sk-second-key"], **RETRY})
    assert "sk-" not in repr(error.__dict__) + str(error) + repr(error.tried)
