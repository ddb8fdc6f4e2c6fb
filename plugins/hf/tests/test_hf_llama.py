"""The OpenAI-shaped parts of the three backends against llama.cpp's real server, where its dialect agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.types import TextDelta


def endpoints(llama: Any) -> dict[str, EndpointConfig]:
    return {
        "tgi": EndpointConfig(base_url=llama.url, options={"completions": "openai"}, key=llama.key),
        "own": EndpointConfig(backend="hf", base_url=f"{llama.url}/v1", key=llama.key),
        "tei": EndpointConfig(base_url=llama.url, key=llama.key),
    }


@pytest.fixture
def client(llama: Any) -> Iterator[Client]:
    with Client(Config(), endpoints=endpoints(llama)) as client:
        yield client


@pytest.mark.parametrize("endpoint", ["tgi", "own"])
def test_a_chat_and_its_stream(endpoint: str, client: Client) -> None:
    options: Any = {"max_tokens": 8, "temperature": 0, "seed": 1}
    whole = client.chat(f"{endpoint}/tiny", "hello", **options)
    assert whole.text
    assert whole.finish_reason in {"length", "stop"}
    assert whole.usage.output_tokens == 8
    stream = client.stream(f"{endpoint}/tiny", "hello", **options)
    pieces = [event.text for event in stream if isinstance(event, TextDelta)]
    assert "".join(pieces) == stream.response.text == whole.text
    assert stream.response.usage.output_tokens == 8


@pytest.mark.parametrize("endpoint", ["tgi", "own"])
def test_a_completion_and_its_stream(endpoint: str, client: Client) -> None:
    options: Any = {"max_tokens": 8, "temperature": 0, "seed": 1}
    whole = client.complete(f"{endpoint}/tiny", "hello", **options)
    assert whole.text
    assert client.stream_complete(f"{endpoint}/tiny", "hello", **options).read().text == whole.text


def test_vectors(client: Client) -> None:
    answer = client.embed("tei/tiny", "hello")
    assert len(answer.vectors) == 1
    assert abs(sum(number * number for number in answer.vectors[0]) - 1) < 1e-3
    assert answer.usage.input_tokens


def test_models_and_health(client: Client) -> None:
    assert [model.id for model in client.list_models("own")] == ["tiny"]
    assert client.show_model("own/tiny").id == "tiny"
    assert client.healthcheck("own").ok
    # It is no TGI and no TEI, which is said.
    assert client.healthcheck("tgi").status == client.healthcheck("tei").status == "unhealthy"


@pytest.mark.parametrize("endpoint", ["tgi", "own"])
def test_errors(endpoint: str, client: Client) -> None:
    for call in (client.chat, lambda *args, **named: client.stream(*args, **named).read()):
        with pytest.raises(e.BadRequestError):
            call(f"{endpoint}/tiny", "hello", extra={"messages": "no list"})
        with pytest.raises(e.ContextLengthExceededError):
            call(f"{endpoint}/tiny", "hello " * 4000)


def test_a_wrong_key(llama_keyed: Any) -> None:
    for key, works in (("sk-test-one", True), ("sk-test-none", False)):
        wrong = llama_keyed._replace(key=key)
        with Client(Config(), endpoints=endpoints(wrong)) as client:
            calls: list[Callable[[], Any]] = [
                lambda: client.chat("tgi/", "hi", max_tokens=1),
                lambda: client.chat("own/", "hi", max_tokens=1),
            ]
            for call in calls:
                if works:
                    assert call().choices
                else:
                    with pytest.raises(e.AuthenticationError):
                        call()


@pytest.mark.anyio
async def test_the_same_awaited(llama: Any) -> None:
    async with AsyncClient(Config(), endpoints=endpoints(llama)) as client:
        for endpoint in ("tgi", "own"):
            assert (await client.chat(f"{endpoint}/tiny", "hello", max_tokens=4)).text
            assert (await client.stream(f"{endpoint}/tiny", "hello", max_tokens=4).read()).text
        assert len((await client.embed("tei/tiny", "hello")).vectors) == 1
