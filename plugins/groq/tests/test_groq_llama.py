"""The backend against llama.cpp's real server, which speaks this dialect and which nobody here wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import BlockEnd, FinishEvent, TextDelta, ToolCall, UsageEvent

GREEDY: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
WEATHER = Tool(
    name="get_weather",
    description="Weather of a city",
    parameters={"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
)
CALL = ToolCall(id="ax9fskhev", name="get_weather", arguments='{"city": "Paris"}')
CONVERSATIONS: list[tuple[Any, dict[str, Any]]] = [
    ("Hello", {}),
    ([Message.system("Be brief."), "Hello", Message.assistant("Hi."), "How are you?"], {}),
    ("Hello", {"top_p": 0.9, "seed": 7, "stop": ["x"], "frequency_penalty": 0.5, "presence_penalty": 0.5, "user": "u"}),
    (
        ["Weather?", Message.assistant(CALL), Message.tool("ax9fskhev", "17 C")],
        {"tools": [WEATHER], "tool_choice": "none"},
    ),
    ("JSON?", {"response_format": JsonSchema(schema={"type": "object", "properties": {}}), "max_tokens": 40}),
]


@pytest.fixture
def endpoints(llama: Any, llama_keyed: Any, llama_plain: Any) -> dict[str, EndpointConfig]:
    def at(server: Any, key: str, path: str = "/v1") -> EndpointConfig:
        return EndpointConfig(backend="groq", base_url=server.url + path, key=key)

    return {
        "local": at(llama, ""),
        "keyed": at(llama_keyed, llama_keyed.key),
        "wrong": at(llama_keyed, "gsk_wrong_0123456789"),
        "plain": at(llama_plain, ""),
        "lost": at(llama, "", ""),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.fixture
async def aclient(endpoints: dict[str, EndpointConfig]) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(endpoints=endpoints) as client:
        yield client


def test_chat(client: Client) -> None:
    reply = client.chat("local/tiny", "Hello", **GREEDY)
    assert (reply.model, reply.finish_reason, reply.usage.output_tokens) == ("tiny", "length", 12)
    assert reply.text
    assert reply.cost is None


@pytest.mark.parametrize(("messages", "options"), CONVERSATIONS)
def test_chats_and_streams_agree(messages: Any, options: dict[str, Any], client: Client) -> None:
    settings = {**GREEDY, **options}
    whole = client.chat("local/tiny", messages, **settings)
    with client.stream("local/tiny", messages, **settings, extra={"stream_options": {"include_usage": True}}) as stream:
        events = list(stream)
    assert stream.response.choices == whole.choices
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole.text
    assert [event.part for event in events if isinstance(event, BlockEnd)] == list(whole.message.content)
    assert [type(event) for event in events[-2:]] == [UsageEvent, FinishEvent]
    assert stream.response.usage.output_tokens == whole.usage.output_tokens


def test_a_forced_tool_call(client: Client) -> None:
    settings: dict[str, Any] = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 80, "temperature": 0}
    whole = client.chat("local/tiny", "Weather in Paris?", **settings)
    streamed = client.stream("local/tiny", "Weather in Paris?", **settings).read()
    assert [(each.name, each.arguments) for each in streamed.tool_calls] == [
        (each.name, each.arguments) for each in whole.tool_calls
    ]
    assert streamed.finish_reason == whole.finish_reason


def test_models_and_health(client: Client) -> None:
    assert client.healthcheck("local").ok
    assert "tiny" in {model.id for model in client.list_models("local")}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_asynchronous_client(aclient: AsyncClient, client: Client, anyio_backend: str) -> None:
    expected = client.chat("local/tiny", "Hello", **GREEDY)
    assert (await aclient.chat("local/tiny", "Hello", **GREEDY)).choices == expected.choices
    async with aclient.stream("local/tiny", "Hello", **GREEDY) as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert "".join(pieces) == expected.text


def test_errors(client: Client) -> None:
    assert client.chat("keyed/tiny", "Hello", **GREEDY).text
    with pytest.raises(e.AuthenticationError):
        client.chat("wrong/tiny", "Hello")
    with pytest.raises(e.ContextLengthExceededError):
        client.chat("plain/tiny", "Hello " * 2000)
    with pytest.raises(e.ContextLengthExceededError):
        client.stream("plain/tiny", "Hello " * 2000).read()
    with pytest.raises(e.NotFoundError):
        client.chat("lost/tiny", "Hello")
    with pytest.raises(e.BadRequestError):
        client.chat("local/tiny", "Hello", extra={"response_format": {"type": "nonsense"}})
