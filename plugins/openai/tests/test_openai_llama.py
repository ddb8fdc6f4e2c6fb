"""The Responses API and the server's own token count against llama.cpp's real server, which nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import FinishEvent, TextDelta, ToolCall, UsageEvent

GREEDY: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
WEATHER = Tool(
    name="get_weather",
    description="Weather of a city",
    parameters={"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
)
CALL = ToolCall(id="call_1", name="get_weather", arguments='{"city": "Paris"}')
CONVERSATIONS: list[tuple[Any, dict[str, Any]]] = [
    ("Hello", {}),
    ([Message.system("Be brief."), "Hello", Message.assistant("Hi."), "How are you?"], {}),
    ("Weather?", {"tools": [WEATHER]}),
    (["Weather in Paris?", Message.assistant("Let me see.", CALL), Message.tool("call_1", "17 C")], {"tools": [WEATHER]}),
]  # fmt: skip


def at(server: Any, key: str = "", **options: Any) -> EndpointConfig:
    return EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key=key, options=options)


@pytest.fixture
def endpoints(llama: Any, llama_keyed: Any, llama_plain: Any) -> dict[str, EndpointConfig]:
    return {
        "local": at(llama, api="responses", count="server"),
        "chats": at(llama),
        "keyed": at(llama_keyed, llama_keyed.key, api="responses"),
        "wrong": at(llama_keyed, "sk-wrong-0123456789", api="responses"),
        "plain": at(llama_plain, api="responses"),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.mark.parametrize(("messages", "options"), CONVERSATIONS)
def test_answers_streams_and_counts_agree(messages: Any, options: dict[str, Any], client: Client) -> None:
    whole = client.chat("local/tiny", messages, **GREEDY, **options)
    assert whole.extra["status"]
    with client.stream("local/tiny", messages, **GREEDY, **options) as stream:
        events = list(stream)
    assert stream.response.text == whole.text
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole.text
    assert [type(event) for event in events[-2:]] == [UsageEvent, FinishEvent]
    counted = client.count_tokens("local/tiny", messages, **options)
    assert counted.input_tokens == whole.usage.input_tokens
    assert (counted.method, whole.usage.output_tokens) == ("server", 12)


def test_both_apis_say_the_same(client: Client) -> None:
    assert client.chat("local/tiny", "Hello", **GREEDY).text == client.chat("chats/tiny", "Hello", **GREEDY).text


def test_a_key(client: Client) -> None:
    assert client.chat("keyed/tiny", "hi", **GREEDY).usage.output_tokens
    with pytest.raises(e.AuthenticationError):
        client.chat("wrong/tiny", "hi")


def test_a_prompt_beyond_the_context(client: Client) -> None:
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        client.chat("plain/tiny", "word " * 400)
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        client.stream("plain/tiny", "word " * 400).read()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(anyio_backend: str, endpoints: dict[str, EndpointConfig]) -> None:
    async with AsyncClient(endpoints=endpoints) as client:
        whole = await client.chat("local/tiny", "Hello", **GREEDY)
        assert (await client.stream("local/tiny", "Hello", **GREEDY).read()).text == whole.text
