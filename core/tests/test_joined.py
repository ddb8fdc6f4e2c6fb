"""Small embeddings that come at once, joined into one request."""

from __future__ import annotations

import json
import threading
import time
from array import array
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BatchingConfig, Client, EndpointConfig, RetryConfig, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Http, HttpResponse, post_json
from ipfs_accel.testing.raw_server import Connection, answer
from ipfs_accel.types import EmbedResponse, Usage

from .acme import Acme
from .both_worlds import fault, scripted
from .http_worlds import settle


class Embedding(Acme):
    """Gives each text the vector of its length."""

    @hookimpl
    def embed(self, endpoint: Any, request: Any) -> Any:
        def read(response: HttpResponse) -> EmbedResponse:
            vectors = tuple([array("f", [each]) for each in response.json()])
            return EmbedResponse(vectors=vectors, usage=Usage(input_tokens=len(vectors)))

        body = {"texts": request.inputs, "dimensions": request.dimensions}
        return Http(send=post_json("/embed", body), parse=read)


def lengths(connection: Connection) -> None:
    while True:
        texts = json.loads(connection.server.bodies[-1])["texts"]
        if "bad" in texts:
            connection.send(fault(400, "bad_text"))
        else:
            connection.send(answer(json.dumps([len(text) for text in texts]).encode()))
        if connection.request() is None:
            return


def made(kind: Any, url: str, **batching: Any) -> Any:
    config = BatchingConfig(**{"max_wait": 0.2, **batching})
    endpoint = EndpointConfig(batching=config, retry=RetryConfig(attempts=1))
    return kind(plugins=[Embedding(url)], endpoints={"acme": endpoint})


# A batch of so many inputs goes as soon as they are there; were it not full, the test's own time limit would tell.
FULL_WITH = {inputs: {"max_inputs": inputs, "max_wait": 60.0} for inputs in (2, 3, 4)}


def waiting(client: Any) -> int:
    """How many calls wait for company."""
    targets = client._core.targets()
    return sum(len(batch.members) for batch in targets["acme"].guard.batcher._open.values()) if targets else 0


def gather(url: str, *inputs: Any, options: Any = None, **batching: Any) -> list[Any]:
    """Embed all at once in tasks."""
    results: list[Any] = [None] * len(inputs)

    async def one(client: AsyncClient, index: int) -> None:
        more = {} if options is None else options[index]
        try:
            results[index] = await client.embed("acme/m", inputs[index], **more)
        except e.AccelError as error:
            results[index] = error

    async def run() -> None:
        async with made(AsyncClient, url, **batching) as client, anyio.create_task_group() as group:
            for index in range(len(inputs)):
                group.start_soon(one, client, index)

    anyio.run(run)
    return results


def values(results: list[Any]) -> list[Any]:
    return [[vector[0] for vector in result.vectors] for result in results]


def texts(server: Any) -> list[list[str]]:
    return [json.loads(body)["texts"] for body in server.bodies]


def test_calls_that_come_at_once_are_one_request_and_each_gets_its_own() -> None:
    with scripted(lengths) as server:
        results = gather(server.url, "a", ["bb", "ccc"], "dddd", **FULL_WITH[4])
    assert values(results) == [[1], [2, 3], [4]]
    assert texts(server) == [["a", "bb", "ccc", "dddd"]]
    assert {result.call.joined for result in results} == {3}
    assert {(result.usage, result.cost) for result in results} == {(Usage(), None)}


def test_threads_are_joined_too() -> None:
    results: dict[str, Any] = {}
    with scripted(lengths) as server, made(Client, server.url, **FULL_WITH[3]) as client:
        threads = [
            threading.Thread(target=lambda text=text: results.update({text: client.embed("acme/m", text)}))
            for text in ("a", "bb", "ccc")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
    assert {text: values([found])[0] for text, found in results.items()} == {"a": [1], "bb": [2], "ccc": [3]}
    assert len(server.bodies) == 1


def test_a_call_alone_waits_for_company_and_keeps_its_usage() -> None:
    with scripted(lengths) as server:
        started = time.perf_counter()
        (found,) = gather(server.url, "a")
    assert time.perf_counter() - started >= 0.2
    assert (found.usage.input_tokens, found.call.joined) == (1, 1)


def test_a_full_batch_does_not_wait() -> None:
    with scripted(lengths) as server:
        started = time.perf_counter()
        gather(server.url, "a", "b", max_inputs=2, max_wait=60)
    assert time.perf_counter() - started < 60
    assert len(server.bodies) == 1


def test_a_large_call_goes_alone_at_once() -> None:
    with scripted(lengths) as server:
        started = time.perf_counter()
        (found,) = gather(server.url, ["a", "b"], max_inputs=2, max_wait=60)
    assert time.perf_counter() - started < 60
    assert values([found]) == [[1, 1]]


def test_only_equal_calls_are_joined() -> None:
    with scripted(lengths) as server:
        gather(server.url, "a", "b", "c", options=[{}, {"dimensions": 8}, {"key": "sk-own"}])
    assert sorted(texts(server)) == [["a"], ["b"], ["c"]]


def test_a_refusal_reaches_only_whose_input_it_is() -> None:
    with scripted(lengths) as server:
        results = gather(server.url, "a", "bad", "ccc", **FULL_WITH[3])
    assert values([results[0], results[2]]) == [[1], [3]]
    assert type(results[1]) is e.BadRequestError
    assert len(server.bodies) == 4


def test_a_failure_of_the_server_reaches_all_each_with_an_error_of_its_own() -> None:
    with scripted(fault(503)) as server:
        results = gather(server.url, "a", "b", **FULL_WITH[2])
    assert [type(result) for result in results] == [e.OverloadedError] * 2
    assert results[0] is not results[1]
    assert len(server.bodies) == 1


def test_too_few_vectors_are_no_answer() -> None:
    with scripted(answer(b"[1]")) as server:
        results = gather(server.url, "a", "b", **FULL_WITH[2])
    assert [type(result) for result in results] == [e.InvalidResponseError] * 2


@pytest.mark.parametrize("first", [True, False])
def test_whoever_is_cancelled_takes_nobody_along(first: bool) -> None:
    results: list[Any] = []

    async def one(client: AsyncClient, text: str) -> None:
        results.append(await client.embed("acme/m", text))

    async def leaver(client: AsyncClient, leaving: anyio.CancelScope) -> None:
        with leaving:
            await client.embed("acme/m", "gone")

    async def run(url: str) -> None:
        leaving = anyio.CancelScope()
        async with (
            made(AsyncClient, url, max_inputs=4, max_wait=60.0) as client,
            anyio.create_task_group() as group,
        ):
            if first:
                group.start_soon(leaver, client, leaving)
                await settle(lambda: waiting(client) == 1)
            group.start_soon(one, client, "a")
            group.start_soon(one, client, "bb")
            await settle(lambda: waiting(client) == 2 + first)
            if not first:
                group.start_soon(leaver, client, leaving)
                await settle(lambda: waiting(client) == 3)
            leaving.cancel()
            await settle(lambda: waiting(client) == 2)
            group.start_soon(client.embed, "acme/m", ["fill", "it"])

    with scripted(lengths) as server:
        anyio.run(run, server.url)
    assert sorted(values(results)) == [[1], [2]]
    assert len(server.bodies) == 1


def test_a_leader_that_is_cancelled_while_it_asks_is_replaced() -> None:
    results: list[Any] = []

    async def follower(client: AsyncClient) -> None:
        results.append(await client.embed("acme/m", "bb"))

    async def run(url: str) -> None:
        async with (
            made(AsyncClient, url, **FULL_WITH[2]) as client,
            anyio.create_task_group() as group,
            anyio.create_task_group() as left,
        ):
            left.start_soon(client.embed, "acme/m", "gone")
            await settle(lambda: waiting(client) == 1)
            group.start_soon(follower, client)
            await settle(lambda: server.bodies)
            left.cancel_scope.cancel()

    with scripted(Connection.wait, lengths) as server:
        anyio.run(run, server.url)
    assert values(results) == [[2]]
    assert texts(server) == [["gone", "bb"], ["bb"]]


def test_nothing_is_joined_unless_it_is_configured() -> None:
    with scripted(lengths) as server, Client(plugins=[Embedding(server.url)]) as client:
        assert client.embed("acme/m", "a").call.joined == 1
        assert client.states()["acme"].active == 0
