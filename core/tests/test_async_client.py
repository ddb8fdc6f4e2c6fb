from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import Connection
from ipfs_accel.types import BlockEnd, BlockStart, FinishEvent, TextDelta, UsageEvent
from pytest_httpserver import HTTPServer

from .acme import Acme
from .both_worlds import scripted, streamed
from .http_worlds import settle

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(httpserver: HTTPServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(plugins=[Acme(httpserver.url_for(""))]) as client:
        yield client


async def test_a_chat(client: AsyncClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_json({"answer": "blue", "used": 3}, headers={"X-Id": "r1"})
    reply = await client.chat("acme/m", "sky?")
    assert (reply.text, reply.endpoint, reply.request_id) == ("blue", "acme", "r1")


async def test_many_chats_at_once(client: AsyncClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_json({"answer": "blue", "used": 3})
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.chat, "acme/m", "sky?")
    assert client._world.transport.stats().active == 0


async def test_a_stream(client: AsyncClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stream").respond_with_data("a\nb\nEND\n")
    async with client.stream("acme/m", "q") as stream:
        events = [event async for event in stream]
    assert [type(event) for event in events] == [BlockStart, TextDelta, TextDelta, BlockEnd, UsageEvent, FinishEvent]
    assert stream.response.text == "ab"
    pieces = [piece async for piece in client.stream("acme/m", "q").text_stream]
    assert pieces == ["a", "b"]
    assert (await client.stream("acme/m", "q").read()).text == "ab"


async def test_errors(client: AsyncClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_data('{"problem": "bad"}', status=400)
    with pytest.raises(e.BadRequestError, match="bad"):
        await client.chat("acme/m", "q")
    httpserver.expect_request("/stream").respond_with_data("a\nb\n")
    with pytest.raises(e.StreamIncomplete) as caught:
        await client.stream("acme/m", "q").read()
    assert caught.value.partial is not None


async def test_local_plans_run_in_threads(client: AsyncClient) -> None:
    assert (await client.embed("acme/m", "x")).model == "m"
    assert (await client.stream_complete("acme/m", ["a", "b"]).read()).text == "ab"
    with pytest.raises(e.PluginError, match="engine died") as caught:
        await client.stream_complete("acme/m", ["a", "fail"]).read()
    assert caught.value.endpoint == "acme"


async def test_the_survey_operations(client: AsyncClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/models").respond_with_json([{"id": "small"}])
    httpserver.expect_request("/health").respond_with_data("fine")
    assert [match.name for match in await client.find(endpoints=["acme"])] == ["acme/small"]
    assert (await client.healthcheck_all(["acme"]))["acme"].ok
    assert (await client.supports("acme", "chat")).value == "yes"
    assert await client.call("acme", "double", number=2) == 4


async def test_cancelling_a_call_closes_its_connection() -> None:
    with scripted(Connection.wait) as server:
        async with AsyncClient(plugins=[Acme(server.url)]) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.chat, "acme/m", "q")
                await settle(lambda: server.bodies)
                group.cancel_scope.cancel()
            assert client._world.transport.stats().active == 0
            await settle(lambda: server.closed == 1)


async def test_cancelling_a_stream_closes_its_connection() -> None:
    def say_and_wait(connection: Connection) -> None:
        connection.send(streamed("a", end=False))
        connection.wait()

    got: list[Any] = []

    async def read(client: AsyncClient) -> None:
        async for event in client.stream("acme/m", "q"):
            got.append(event)

    with scripted(say_and_wait) as server:
        async with AsyncClient(plugins=[Acme(server.url)]) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(read, client)
                await settle(lambda: len(got) == 2)
                group.cancel_scope.cancel()
            assert [type(event) for event in got] == [BlockStart, TextDelta]
            assert client._world.transport.stats().active == 0
            await settle(lambda: server.closed == 1)


async def test_a_total_time_limit_holds_for_a_silent_server() -> None:
    with scripted(Connection.wait) as server:
        async with AsyncClient(plugins=[Acme(server.url)], timeout=0.2) as client:
            with pytest.raises(e.APITimeoutError):
                await client.chat("acme/m", "q")
            assert client._world.transport.stats().active == 0


def test_a_client_belongs_to_the_loop_of_its_first_call(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_json({"answer": "blue", "used": 3})
    client = AsyncClient(plugins=[Acme(httpserver.url_for(""))], endpoints={"acme": EndpointConfig(key="")})

    async def use() -> str:
        return (await client.chat("acme/m", "q")).text

    assert asyncio.run(use()) == "blue"
    with pytest.raises(e.AccelError, match="loop"):
        asyncio.run(use())
