from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.testing import Scripted
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway.asgi import Application

BODY = {"model": "scripted/any", "messages": [{"role": "user", "content": "Hi"}]}
ROUTE = "/v1/chat/completions"


def application(script: Iterable[Any], **settings: Any) -> Application:
    config = Config(endpoints={"scripted": EndpointConfig()}, gateway=settings, environ={})
    return Application(config, plugins=[Scripted(script)])


def scope_of(path: str = ROUTE, **more: Any) -> dict[str, Any]:
    head = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [(b"host", b"localhost")]}
    return {**head, **more}


async def ask(app: Application, body: dict[str, Any]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(ROUTE, json=body)
    await app.close()
    return answer


def test_it_answers_whole_and_streamed() -> None:
    whole = asyncio.run(ask(application(["Hello."]), BODY))
    assert whole.json()["choices"][0]["message"]["content"] == "Hello."
    assert whole.headers["content-length"] == str(len(whole.content))
    streamed = asyncio.run(ask(application([["Hel", "lo."]]), {**BODY, "stream": True}))
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.rstrip().endswith("data: [DONE]")


def test_a_body_that_is_too_large_is_refused() -> None:
    answer = asyncio.run(ask(application([], max_body=10), BODY))
    assert answer.status_code == 413
    assert "10 bytes" in answer.json()["error"]["message"]


def test_a_header_that_makes_a_request_mean_two_things_is_refused() -> None:
    async def run() -> list[Any]:
        app = application([])
        caller = Caller({"type": "http.request", "body": json.dumps(BODY).encode()})
        twice = [(b"host", b"localhost"), (b"x-api-key", b"one"), (b"x-api-key", b"two")]
        await app(scope_of(headers=twice), caller.receive, caller.send)
        await app.close()
        return caller.sent

    head, body = asyncio.run(run())
    assert head["status"] == 400
    assert b"x-api-key" in body["body"]


def test_the_body_of_who_has_no_key_is_not_waited_for() -> None:
    async def run() -> list[Any]:
        app = application([], keys={"alice": {"hash": hash_of("ia-of-alice")}})
        caller = Caller({"type": "http.request", "body": b"{", "more_body": True})
        await app(scope_of(), caller.receive, caller.send)
        await app.close()
        return caller.sent

    head, body = asyncio.run(run())
    assert head["status"] == 401
    assert (b"www-authenticate", b"Bearer") in head["headers"]
    assert b"a key of this gateway is missing" in body["body"]


class Caller:
    """The server's side of one request, for what a client library does not show."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.sent: list[dict[str, Any]] = []
        self.leaves = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.events:
            return self.events.pop(0)
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Any) -> None:
        self.sent.append(event)


def test_a_call_ends_when_its_caller_leaves() -> None:
    async def run() -> tuple[bool, list[Any]]:
        begun, ended = asyncio.Event(), asyncio.Event()
        app = application([])

        async def handle(_request: Any, _reply: Any) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        (await app._open()).app.handle = handle  # type: ignore[method-assign]
        caller = Caller({"type": "http.request", "body": json.dumps(BODY).encode()})
        task = asyncio.create_task(app(scope_of(), caller.receive, caller.send))
        await begun.wait()
        caller.leaves.set()
        await task
        await app.close()
        return ended.is_set(), caller.sent

    assert asyncio.run(run()) == (True, [])


class Stuck(Caller):
    """A caller who takes the head and one piece, and no more."""

    async def send(self, event: Any) -> None:
        await super().send(event)
        if len(self.sent) > 2:
            await asyncio.Event().wait()


def test_a_call_ends_when_its_caller_takes_nothing() -> None:
    async def run() -> list[Any]:
        app = application([], write_timeout=0.05, heartbeat=600)
        ended = asyncio.Event()

        async def handle(_request: Any, reply: Any) -> None:
            try:
                await reply.begin(200, ())
                await asyncio.sleep(0.2)  # silence of the gateway's own is none of the caller's
                while True:
                    await reply.write(b"data: 1\n\n")
            finally:
                ended.set()

        (await app._open()).app.handle = handle  # type: ignore[method-assign]
        caller = Stuck({"type": "http.request", "body": b"{}"})
        await asyncio.wait_for(app(scope_of(), caller.receive, caller.send), 60)
        assert ended.is_set()
        await app.close()
        return caller.sent

    sent = asyncio.run(run())
    assert [event.get("body") for event in sent] == [None, b"data: 1\n\n", b"data: 1\n\n"]
    assert sent[-1]["more_body"]


def test_silence_shows_signs_of_life_in_a_stream() -> None:
    async def run() -> list[dict[str, Any]]:
        app = application([], heartbeat=0.01)
        caller = Caller({"type": "http.request", "body": b"{}"})
        lived = asyncio.Event()

        async def handle(_request: Any, reply: Any) -> None:
            reply.keep_alive(200, (("content-type", "text/event-stream"),), b": yes\n\n")
            while len(caller.sent) < 3:  # noqa: ASYNC110 - what sends knows no event
                await asyncio.sleep(0.005)
            await reply.begin(200, ())
            await reply.write(b"data: 1\n\n")
            await reply.end()
            lived.set()

        (await app._open()).app.handle = handle  # type: ignore[method-assign]
        await app(scope_of(), caller.receive, caller.send)
        assert lived.is_set()
        await app.close()
        return caller.sent

    sent = asyncio.run(run())
    assert [event["type"] for event in sent].count("http.response.start") == 1
    assert sent[1]["body"] == b": yes\n\n"
    assert sent[-2]["body"] == b"data: 1\n\n"
    assert not sent[-1].get("more_body")


def test_the_lifespan_opens_and_closes() -> None:
    async def run(config: Config) -> list[Any]:
        events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        caller = Caller(*events)
        await Application(config, plugins=[Scripted([])])({"type": "lifespan"}, caller.receive, caller.send)
        return caller.sent

    good = Config(endpoints={"scripted": EndpointConfig()}, environ={})
    assert [each["type"] for each in asyncio.run(run(good))] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    bad = Config(gateway={"port": -1}, environ={})
    (failed,) = asyncio.run(run(bad))
    assert failed["type"] == "lifespan.startup.failed"
    assert "port" in failed["message"]


def test_a_websocket_is_closed() -> None:
    caller: list[Any] = []

    async def run() -> None:
        app = application([])

        async def send(event: Any) -> None:
            caller.append(event)

        await app({"type": "websocket"}, send, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert caller == [{"type": "websocket.close"}]
