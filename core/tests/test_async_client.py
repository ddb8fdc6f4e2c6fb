from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio
import pytest
from ipfs_accel import AsyncClient, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.types import BlockEnd, BlockStart, FinishEvent, TextDelta, UsageEvent
from pytest_httpserver import HTTPServer

from .acme import Acme

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


@contextmanager
def silent_server(head: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Answer with `head`, then say nothing; the event is set when the client has gone."""
    gone = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(head)
            connection.settimeout(10)
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                return
            gone.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], gone
    finally:
        listener.close()
        thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_cancelling_a_call_closes_its_connection() -> None:
    with silent_server(b"") as (port, gone):
        async with AsyncClient(plugins=[Acme(f"http://127.0.0.1:{port}")]) as client:
            with anyio.move_on_after(0.2) as scope:
                await client.chat("acme/m", "q")
            assert scope.cancelled_caught
            assert client._world.transport.stats().active == 0
            assert await anyio.to_thread.run_sync(gone.wait, 5)


async def test_cancelling_a_stream_closes_its_connection() -> None:
    with silent_server(HEAD + b"2\r\na\n\r\n") as (port, gone):
        async with AsyncClient(plugins=[Acme(f"http://127.0.0.1:{port}")]) as client:
            got = []
            with anyio.move_on_after(0.2) as scope:
                async for event in client.stream("acme/m", "q"):
                    got.append(event)
            assert scope.cancelled_caught
            assert [type(event) for event in got] == [BlockStart, TextDelta]
            assert client._world.transport.stats().active == 0
            assert await anyio.to_thread.run_sync(gone.wait, 5)


async def test_a_total_time_limit_holds_for_a_silent_server() -> None:
    with silent_server(b"") as (port, _gone):
        async with AsyncClient(plugins=[Acme(f"http://127.0.0.1:{port}")], timeout=0.2) as client:
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
