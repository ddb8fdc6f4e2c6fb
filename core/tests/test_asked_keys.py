"""Keys that functions give: asked for anew, awaited if they are async, refused if they are no keys, never shown."""

from __future__ import annotations

import functools
import itertools
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from ipfs_accel import BatchingConfig, CacheConfig, Config, EndpointConfig, RetryConfig, Secret, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Job, Local, LocalStream
from ipfs_accel.testing.raw_server import RawServer
from ipfs_accel.types import EmbedResponse
from ipfs_accel.wire.assembler import completion_assembler

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, on_trio, outcome, scripted, streamed

World = Callable[..., Any]
CANARY = "sk-canary-1234"


@pytest.fixture(params=[awaiting, on_trio])
def awaits(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[blocking, awaiting, on_trio])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


def sent(server: RawServer) -> list[str]:
    lines = [line for head in server.heads for line in head.splitlines() if line.lower().startswith("authorization")]
    return [line.rpartition(" ")[2] for line in lines]


def asynchronous(*keys: Any) -> Any:
    """Return an async function that gives these keys, the last one for ever."""
    following = itertools.chain(keys, itertools.repeat(keys[-1]))

    async def give() -> Any:
        await anyio.lowlevel.checkpoint()
        return next(following)

    return give


class Vault:
    """What is called and gives something to be awaited, without being an async function itself."""

    def __call__(self) -> Any:
        return asynchronous("sk-of-a-vault")()


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (asynchronous("sk-of-a-function"), "sk-of-a-function"),
        (Vault(), "sk-of-a-vault"),
        (functools.partial(asynchronous("sk-of-a-part")), "sk-of-a-part"),
        (asynchronous(Secret("sk-hidden")), "sk-hidden"),
    ],
)
def test_an_async_function_is_awaited(awaits: World, source: Any, key: str) -> None:
    with scripted(fine()) as server:
        assert outcome(awaits, server, endpoint={"key": source}).text == "blue"
        assert outcome(awaits, server, options={"key": source}).text == "blue"
    assert sent(server) == [key, key]


def test_it_is_awaited_for_a_stream_too(awaits: World) -> None:
    with scripted(streamed("blue", "END")) as server:
        found = outcome(awaits, server, "stream", endpoint={"key": asynchronous("sk-streamed")})
    assert (found.text, sent(server)) == ("blue", ["sk-streamed"])


def test_each_key_of_several_may_come_from_a_function(awaits: World) -> None:
    with scripted(fault(401), fine()) as server:
        keys = [asynchronous("sk-first-key"), lambda: "sk-second-key"]
        found = outcome(awaits, server, endpoint={"key": keys, "retry": RetryConfig()})
    assert (found.call.key, sent(server)) == ("key-2", ["sk-first-key", "sk-second-key"])


def test_it_is_awaited_once_more_when_its_key_is_refused(awaits: World) -> None:
    given = asynchronous("sk-old-token", "sk-new-token")
    with scripted(fault(401), fine()) as server:
        assert outcome(awaits, server, endpoint={"key": given, "retry": RetryConfig()}).text == "blue"
    assert sent(server) == ["sk-old-token", "sk-new-token"]


def test_a_key_of_the_call_tells_kept_answers_apart(awaits: World) -> None:
    keys = [asynchronous("sk-mine"), asynchronous("sk-mine"), asynchronous("sk-yours")]
    with scripted(fine("one"), fine("two")) as server:
        calls = [("chat", {"model": "acme/m", "messages": "q", "seed": 1, "key": key}) for key in keys]
        results = awaits(server, *calls, config=Config(cache=CacheConfig(), environ={}))
    assert [each.answer.text for each in results] == ["one", "one", "two"]


class Workshop(Acme):
    """Does its work here, with the key if that is wanted."""

    @hookimpl
    def embed(self, endpoint: Any, request: Any) -> Any:
        def run(job: Job) -> EmbedResponse:
            key = job.key() if request.inputs == ("with",) else None
            return EmbedResponse(vectors=(), model=str(key and key.reveal()))

        return Local(run=run)

    @hookimpl
    def stream_complete(self, endpoint: Any, request: Any) -> Any:
        def run(out: Any, job: Job) -> Iterator[None]:
            key = job.key()
            out.text(str(key and key.reveal()))
            yield
            out.done()

        return LocalStream(run=run, assembler=completion_assembler)


def embed(world: World, server: RawServer, text: str, **more: Any) -> Any:
    (found,) = world(server, ("embed", {"model": "acme/m", "inputs": text}), plugin=Workshop, **more)
    return found


def test_a_blocking_function_gets_what_was_awaited(awaits: World) -> None:
    with scripted(fine()) as server:
        settings = {"key": asynchronous("sk-local"), "batching": BatchingConfig()}
        assert embed(awaits, server, "with", endpoint=settings).answer.model == "sk-local"
        call = ("stream_complete", {"model": "acme/m", "prompt": "q"})
        (found,) = awaits(server, call, endpoint={"key": asynchronous("sk-local")}, plugin=Workshop)
    assert found.answer.text == "sk-local"


def test_a_blocking_function_that_wants_no_key_does_not_fail_for_one() -> None:
    with scripted(fine()) as server:
        settings = {"key": asynchronous("sk-local")}
        assert embed(blocking, server, "without", endpoint=settings).error is None
        error = embed(blocking, server, "with", endpoint=settings).error
    assert isinstance(error, e.ConfigError)


@pytest.mark.parametrize("place", ["endpoint", "options"])
@pytest.mark.parametrize("source", [asynchronous(CANARY), Vault()])
def test_a_client_that_waits_refuses_an_async_function(source: Any, place: str) -> None:
    with scripted(fine()) as server:
        error = outcome(blocking, server, **{place: {"key": source}})
    assert (type(error), error.endpoint, server.heads) == (e.ConfigError, "acme", [])
    assert error.message == "endpoint 'acme': key: the function is async, which only AsyncClient can await"
    assert error.hint == "use AsyncClient, or a function that is not async"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "gave None"),
        (CANARY.encode(), "gave bytes"),
        ([CANARY], "gave list"),
        ("", "gave something else: a key is empty"),
        (f"{CANARY}\nx", "gave something else: a key is empty or has characters that no header may hold"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_key_is_named_and_not_shown(world: World, given: Any, reason: str, is_async: bool) -> None:
    if is_async and world is blocking:
        pytest.skip("refused, as above")
    source = asynchronous(given) if is_async else lambda: given
    with scripted(fine()) as server:
        error = outcome(world, server, endpoint={"key": source})
    assert (type(error), error.endpoint, server.heads) == (e.ConfigError, "acme", [])
    assert error.message.startswith(f"endpoint 'acme': key: the function {reason}")
    assert error.hint
    ours = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "/ipfs_accel/" in frame.f_code.co_filename]
    shown = str([frame.f_locals for frame in ours]) + str(error) + repr(error.__dict__) + repr(error.__context__)
    assert "canary" not in shown


def test_waiting_for_a_key_is_a_part_of_the_calls_time(awaits: World) -> None:
    async def forever() -> str:
        await anyio.sleep_forever()
        return ""

    with scripted(fine()) as server:
        error = outcome(awaits, server, endpoint={"key": forever}, options={"timeout": 0.01})
    assert (type(error), error.phase, server.heads) == (e.DeadlineExceededError, "total", [])


@pytest.mark.parametrize("key", [5, b"sk-canary", object(), ["sk-one-key", None], ["sk-one-key", b"sk-canary"], []])
def test_a_setting_that_is_no_key_is_refused_at_once(key: Any) -> None:
    with pytest.raises(e.ConfigError, match=r"^key: ") as caught:
        EndpointConfig(key=key)
    assert "canary" not in str(caught.value)
