"""The backend against llama.cpp's real server, which speaks this dialect and which nobody here wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Image, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import FinishEvent, TextDelta, ToolCall, UsageEvent

GREEDY: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
WEATHER = Tool(
    name="get_weather",
    description="Weather of a city",
    parameters={"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
)
CALL = ToolCall(id="t1", name="get_weather", arguments='{"city": "Paris"}')
HISTORY = ["Weather in Paris?", Message.assistant("Let me see.", CALL), Message.tool("t1", "17 C")]
CONVERSATIONS: list[tuple[Any, dict[str, Any]]] = [
    ("Hello", {}),
    ([Message.system("Be brief."), "Hello", Message.assistant("Hi."), "How are you?"], {}),
    (["Hello", Message.assistant("Hi."), Message.system("Be brief."), "How are you?"], {}),
    ("Weather?", {"tools": [WEATHER]}),
    ("Weather?", {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False}),
    (HISTORY, {"tools": [WEATHER], "tool_choice": "none"}),
    ([*HISTORY, "And in Rome?"], {"tools": [WEATHER]}),
]


@pytest.fixture
def endpoints(llama: Any, llama_keyed: Any, llama_plain: Any) -> dict[str, EndpointConfig]:
    def at(server: Any, key: str, path: str = "", **options: Any) -> EndpointConfig:
        return EndpointConfig(backend="claude", base_url=server.url + path, key=key, options=options)

    return {
        "local": at(llama, ""),
        "copied": at(llama, "", "/v1"),
        "bearer": at(llama_keyed, llama_keyed.key),
        "named": at(llama_keyed, llama_keyed.key, key_header="x-api-key"),
        "wrong": at(llama_keyed, "sk-wrong-0123456789"),
        "plain": at(llama_plain, ""),
        "lost": at(llama, "", "/nowhere"),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.mark.parametrize("endpoint", ["local", "copied"])
def test_chat(endpoint: str, client: Client) -> None:
    reply = client.chat(f"{endpoint}/tiny", "Hello", **GREEDY)
    assert reply.model == "tiny"
    assert (reply.finish_reason, reply.extra["stop_reason"]) == ("length", "max_tokens")
    assert reply.usage.output_tokens == 12
    assert reply.text
    assert reply.text == client.chat(f"{endpoint}/tiny", "Hello", **GREEDY).text


@pytest.mark.parametrize(("messages", "options"), CONVERSATIONS)
def test_chats_streams_and_counts_agree(messages: Any, options: dict[str, Any], client: Client) -> None:
    whole = client.chat("local/tiny", messages, **GREEDY, **options)
    with client.stream("local/tiny", messages, **GREEDY, **options) as stream:
        events = list(stream)
    assert stream.response.choices == whole.choices
    assert stream.response.model == whole.model
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole.text
    assert [type(event) for event in events[-2:]] == [UsageEvent, FinishEvent]
    # What came from the cache differs from call to call; the whole prompt does not.
    counted = client.count_tokens("local/tiny", messages, **options)
    assert counted.input_tokens == whole.usage.input_tokens == stream.response.usage.input_tokens
    assert (counted.exact, whole.usage.output_tokens) == (False, stream.response.usage.output_tokens)


def test_the_definitions_of_tools_reach_the_model(client: Client) -> None:
    plain = client.count_tokens("local/tiny", "Weather?").input_tokens
    assert client.count_tokens("local/tiny", "Weather?", tools=[WEATHER]).input_tokens > plain + 50


def test_what_was_called_and_what_it_gave_reach_the_model(client: Client) -> None:
    few, more = (
        client.count_tokens("local/tiny", [*HISTORY[:2], Message.tool("t1", text)], tools=[WEATHER]).input_tokens
        for text in ("17 C", "17 C and a little rain in the evening")
    )
    assert more > few


def test_a_stop_ends_the_answer(client: Client) -> None:
    whole = client.chat("local/tiny", "Hello", **GREEDY)
    stop = whole.text[4:8]
    for reply in (
        client.chat("local/tiny", "Hello", stop=stop, **GREEDY),
        client.stream("local/tiny", "Hello", stop=[stop], **GREEDY).read(),
    ):
        assert reply.text == whole.text.partition(stop)[0]
        assert reply.finish_reason == "stop"


def test_models_and_health(client: Client) -> None:
    (model,) = client.list_models("local")
    assert (model.id, model.owned_by, model.context_window) == ("tiny", "llamacpp", None)
    health = client.healthcheck("local")
    assert (health.status, health.server) == ("ok", "llama.cpp")


@pytest.mark.parametrize("endpoint", ["bearer", "named"])
def test_both_ways_to_send_a_key(endpoint: str, client: Client) -> None:
    assert client.chat(f"{endpoint}/tiny", "hi", **GREEDY).usage.output_tokens


def test_errors(client: Client) -> None:
    with pytest.raises(e.AuthenticationError, match="Invalid API Key") as caught:
        client.chat("wrong/tiny", "hi")
    assert "sk-wrong" not in repr(caught.value.__dict__)
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        client.chat("plain/tiny", "word " * 400)
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        client.stream("plain/tiny", "word " * 400).read()
    with pytest.raises(e.NotFoundError, match="File Not Found"):
        client.chat("lost/tiny", "hi")
    with pytest.raises(e.NotFoundError, match="File Not Found"):
        client.list_files("local")
    with pytest.raises(e.InternalServerError, match="image input is not supported"):
        client.chat("local/tiny", Message.user(Image(data=b"\x89PNG\r\n\x1a\n0")))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def async_client(endpoints: dict[str, EndpointConfig]) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(endpoints=endpoints) as client:
        yield client


@pytest.mark.anyio
@pytest.mark.parametrize(("messages", "options"), CONVERSATIONS)
async def test_the_same_awaited(messages: Any, options: dict[str, Any], async_client: AsyncClient) -> None:
    whole = await async_client.chat("local/tiny", messages, **GREEDY, **options)
    async with async_client.stream("local/tiny", messages, **GREEDY, **options) as stream:
        events = [event async for event in stream]
    assert stream.response.choices == whole.choices
    assert isinstance(events[-1], FinishEvent)
    counted = await async_client.count_tokens("local/tiny", messages, **options)
    assert counted.input_tokens == whole.usage.input_tokens


@pytest.mark.anyio
async def test_errors_awaited(async_client: AsyncClient) -> None:
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        await async_client.stream("plain/tiny", "word " * 400).read()
    assert [model.id for model in await async_client.list_models("local")] == ["tiny"]
