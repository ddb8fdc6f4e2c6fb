"""What is passed on unread, and how much of it has to be known all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from ipfs_accel import AsyncClient, Config, RetryConfig
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.testing.raw_server import Connection, answer, chunked, serve
from ipfs_accel.types import RelayRequest

SSE = "text/event-stream"


def unread() -> NoReturn:
    raise AssertionError("it was to be passed on")


def relayed(
    backend: str, dialect: str, operation: str, handle: Callable[[Connection], Any], attempts: int = 1
) -> bytes:
    """Pass a request on to a server, and return the answer."""

    async def run(url: str) -> bytes:
        retry = RetryConfig(attempts=attempts, base=0.01)
        endpoints = {"at": {"backend": backend, "base_url": url, "key": "sk-of-the-operator", "retry": retry}}
        async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
            request = RelayRequest(dialect, operation, {"model": "m"}, (b'{"model":', b"}"))
            async with await client.relay("at/claude-sonnet-4-5", request, unread) as found:
                return b"".join([piece async for piece in found])

    with serve(handle) as server:
        return asyncio.run(run(server.url))


@pytest.mark.parametrize(
    ("backend", "dialect"), [("openai", "openai.chat"), ("claude", "anthropic.messages"), ("ollama", "ollama.chat")]
)
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_page_is_no_answer_whatever_it_is_called(backend: str, dialect: str, kind: str) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b"\n<html>blocked</html>", content_type=kind))

    with pytest.raises(InvalidResponseError, match="HTML"):
        relayed(backend, dialect, "chat", handle)


def test_sound_may_begin_as_a_page_does() -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b" <\x00\x01", content_type="audio/pcm"))

    assert relayed("openai", "openai.audio.speech", "speak", handle) == b" <\x00\x01"


def test_a_stream_that_is_none_is_asked_for_again() -> None:
    half, whole = b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n"

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            ends = whole if len(connection.server.heads) > 1 else b""
            connection.send(chunked(half + ends, content_type=SSE))

    assert relayed("openai", "openai.chat", "stream", handle, attempts=2) == half + whole
