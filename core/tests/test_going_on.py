"""Streams whose answer comes in several bodies, in both worlds."""

from __future__ import annotations

import json
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, Client, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint, HttpRequest, post_json
from ipfs_accel.testing.raw_server import RawServer
from ipfs_accel.types import ChatRequest, TextDelta

from .acme import Acme, decode
from .both_worlds import Step, fault, scripted, streamed


class Decoder:
    """A line `MORE x` says that the answer goes on with the request x."""

    def __init__(self) -> None:
        self.more: str | None = None

    def __call__(self, frame: str, out: Any) -> None:
        if frame.startswith("MORE "):
            self.more = frame.removeprefix("MORE ")
        else:
            decode(frame, out)


def going_on(decoder: Decoder) -> HttpRequest | None:
    more, decoder.more = decoder.more, None
    return None if more is None else post_json("/stream", {"more": more})


class Going(Acme):
    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        return attrs.evolve(super().stream(endpoint, request), decoder=Decoder, going_on=going_on)


def read(world: str, server: RawServer) -> tuple[list[str], Any]:
    """Return the texts that came and the answer, or the error."""
    texts: list[str] = []

    async def run() -> Any:
        async with AsyncClient(plugins=[Going(server.url)], timeout=Timeout(idle=60)) as client:
            async with client.stream("acme/m", "q") as stream:
                async for event in stream:
                    texts.extend([event.text] if isinstance(event, TextDelta) else [])
            assert client._world.transport.stats().active == 0
            return stream.response

    try:
        if world == "async":
            return texts, anyio.run(run)
        with Client(plugins=[Going(server.url)], timeout=Timeout(idle=60)) as client:
            with client.stream("acme/m", "q") as stream:
                for event in stream:
                    texts.extend([event.text] if isinstance(event, TextDelta) else [])
            assert client._world.transport.stats().active == 0
            return texts, stream.response
    except e.AccelError as error:
        return texts, error


def more_of(server: RawServer) -> list[Any]:
    return [json.loads(body).get("more") for body in server.bodies]


@pytest.mark.parametrize("world", ["sync", "async"])
@pytest.mark.parametrize(("first", "second"), [(["a"], ["b"]), ([], []), ([], ["b"])])
def test_an_answer_of_several_bodies_is_one_stream(world: str, first: list[str], second: list[str]) -> None:
    bodies = streamed(*first, "MORE 1"), streamed(*second, "MORE 2"), streamed("c", "END")
    with scripted(*bodies) as server:
        texts, answer = read(world, server)
        assert more_of(server) == [None, "1", "2"]
        assert server.connections == 1
    assert texts == [*first, *second, "c"]
    assert answer.text == "".join(texts)


@pytest.mark.parametrize("world", ["sync", "async"])
@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (fault(503), e.OverloadedError),
        (lambda connection: connection.send(streamed("b", end=False)), e.StreamInterrupted),
        (streamed("b"), e.StreamIncomplete),
        (lambda _connection: None, e.StreamInterrupted),
    ],
)
def test_what_came_before_it_could_not_go_on_is_told(world: str, second: Step, kind: type[e.APIError]) -> None:
    with scripted(streamed("a", "MORE 1"), second) as server:
        texts, error = read(world, server)
        assert more_of(server)[:2] == [None, "1"]
    assert texts[0] == "a"
    assert type(error) is kind
    assert error.partial is not None
    assert error.partial.text == "".join(texts)
