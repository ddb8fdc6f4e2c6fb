"""The backends that speak OpenAI's dialect against llama.cpp's real server, which nobody here wrote."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import FinishEvent, TextDelta, ToolCallDelta, UsageEvent

SEEDED: dict[str, Any] = {"max_tokens": 12, "seed": 7, "temperature": 1.0}
WEATHER = Tool(
    name="get_weather",
    description="Weather of a city",
    parameters={
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
# Random weights never reach a tool call by themselves: the bias pushes the sampler to its marker, and away from the
# end of the turn.
FORCED: dict[str, Any] = {
    "tools": [WEATHER],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_tokens": 200,
    "seed": 1,
    "extra": {"logit_bias": [["<tool_call>", 50], [260, 100]]},
}


@pytest.fixture(params=["openai", "llvm"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endpoints(backend: str, llama: Any, llama_keyed: Any, llama_plain: Any) -> dict[str, EndpointConfig]:
    def at(server: Any, key: str) -> EndpointConfig:
        return EndpointConfig(backend=backend, base_url=f"{server.url}/v1", key=key)

    return {
        "local": at(llama, ""),
        "keyed": at(llama_keyed, llama_keyed.key),
        "wrong": at(llama_keyed, "sk-wrong-0123456789"),
        "plain": at(llama_plain, ""),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


def test_chat(client: Client) -> None:
    reply = client.chat("local/tiny", [Message.system("Be brief."), "Hello"], **SEEDED)
    assert reply.model == "tiny"
    assert reply.finish_reason in {"stop", "length"}
    assert reply.usage.output_tokens is not None
    assert 0 < reply.usage.output_tokens <= 12
    assert (reply.usage.input_tokens or 0) > 10
    assert "timings" in reply.extra
    assert reply.text == client.chat("local/tiny", [Message.system("Be brief."), "Hello"], **SEEDED).text


def test_a_stream_gives_what_the_chat_gives(client: Client) -> None:
    whole = client.chat("local/tiny", "Hello", **SEEDED)
    with client.stream("local/tiny", "Hello", **SEEDED) as stream:
        events = list(stream)
    assert stream.response.choices == whole.choices
    assert stream.response.usage.output_tokens == whole.usage.output_tokens
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole.text
    assert [type(event) for event in events[-2:]] == [UsageEvent, FinishEvent]
    assert sum(isinstance(event, UsageEvent | FinishEvent) for event in events) == 2
    assert "timings" in stream.response.extra


def test_several_answers(client: Client) -> None:
    reply = client.chat("local/tiny", "Hello", n=2, **SEEDED)
    assert [choice.index for choice in reply.choices] == [0, 1]
    with client.stream("local/tiny", "Hello", n=2, **SEEDED) as stream:
        stream.read()
    assert sorted(choice.index for choice in stream.response.choices) == [0, 1]


def test_logprobs(client: Client) -> None:
    whole = client.chat("local/tiny", "Hello", logprobs=True, top_logprobs=2, **SEEDED)
    tokens = whole.choices[0].logprobs
    assert tokens is not None
    assert len(tokens) == whole.usage.output_tokens
    assert all(token.logprob <= 0 and len(token.top) == 2 for token in tokens)
    streamed = client.stream("local/tiny", "Hello", logprobs=True, top_logprobs=2, **SEEDED).read()
    assert [token.token for token in streamed.choices[0].logprobs or ()] == [token.token for token in tokens]


def test_a_tool_call(client: Client) -> None:
    reply = client.chat("local/tiny", "Weather in Paris?", **FORCED)
    assert reply.finish_reason == "tool_calls"
    (call,) = reply.tool_calls
    assert call.name == "get_weather"
    assert call.parse_arguments()["city"] in {"Paris", "Rome"}
    history = ["Weather in Paris?", reply.message, Message.tool(call.id, "17 C")]
    assert client.chat("local/tiny", history, tools=[WEATHER], tool_choice="none", **SEEDED).usage.input_tokens


def test_a_streamed_tool_call(client: Client) -> None:
    with client.stream("local/tiny", "Weather in Paris?", **FORCED) as stream:
        events = list(stream)
    (call,) = stream.response.tool_calls
    assert stream.response.finish_reason == "tool_calls"
    assert "".join(event.arguments for event in events if isinstance(event, ToolCallDelta)) == call.arguments
    whole = client.chat("local/tiny", "Weather in Paris?", **FORCED)
    assert [each.arguments for each in whole.tool_calls] == [call.arguments]


def test_structured_output(client: Client) -> None:
    import json

    schema = JsonSchema(
        schema={
            "type": "object",
            "properties": {"ok": {"type": "boolean"}, "size": {"enum": ["s", "m"]}},
            "required": ["ok", "size"],
            "additionalProperties": False,
        },
        strict=True,
    )
    reply = client.chat("local/tiny", "Fill in.", response_format=schema, max_tokens=100, seed=3)
    assert json.loads(reply.text).keys() == {"ok", "size"}


def test_completions(client: Client) -> None:
    whole = client.complete("local/tiny", "the answer", logprobs=1, **SEEDED)
    assert whole.usage.output_tokens
    streamed = client.stream_complete("local/tiny", "the answer", **SEEDED).read()
    assert (streamed.text, streamed.finish_reason) == (whole.text, whole.finish_reason)


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings(encoding: str, client: Client) -> None:
    reply = client.embed("local/tiny", ["the answer", "a question"], extra={"encoding_format": encoding})
    assert [len(vector) for vector in reply.vectors] == [64, 64]
    assert sum(value * value for value in reply.vectors[0]) == pytest.approx(1, abs=1e-4)
    assert reply.numpy().shape == (2, 64)
    assert reply.usage.input_tokens


def test_models_and_health(client: Client) -> None:
    assert [model.id for model in client.list_models("local")] == ["tiny"]
    assert client.healthcheck("local").ok
    assert client.healthcheck("wrong").status == "misconfigured"


def test_errors(client: Client, backend: str) -> None:
    with pytest.raises(e.AuthenticationError, match="Invalid API Key") as caught:
        client.chat("wrong/tiny", "hi")
    assert "sk-wrong" not in repr(caught.value.__dict__)
    with pytest.raises(e.BadRequestError):
        client.chat("local/tiny", "hi", extra={"grammar": "root ::= ((("})
    with pytest.raises(e.ContextLengthExceededError, match="256"):
        client.chat("plain/tiny", "word " * 400)
    with pytest.raises(e.NotSupportedByServerError):
        client.embed("plain/tiny", "hi")
    endpoint = EndpointConfig(backend=backend, base_url="http://127.0.0.1:1/v1", key="")
    with Client(endpoints={"down": endpoint}) as other, pytest.raises(e.APIConnectionError, match="refused"):
        other.chat("down/tiny", "hi")


def test_a_wrong_path_is_not_found(llama: Any) -> None:
    endpoint = EndpointConfig(backend="openai", base_url=f"{llama.url}/nowhere", key="")
    with Client(endpoints={"lost": endpoint}) as client, pytest.raises(e.NotFoundError, match="File Not Found"):
        client.chat("lost/tiny", "hi")


def test_a_key_that_is_right(client: Client) -> None:
    assert client.chat("keyed/tiny", "hi", **SEEDED).usage.output_tokens


LONG: dict[str, Any] = {"max_tokens": 100_000, "extra": {"ignore_eos": True}}


def is_busy(llama: Any) -> bool:
    import json
    from urllib.request import urlopen

    with urlopen(f"{llama.url}/slots") as response:
        return any(slot["is_processing"] for slot in json.load(response))


def free_again(llama: Any) -> bool:
    """Whether the server has no busy slot any more, within a minute."""
    until = time.monotonic() + 60
    while is_busy(llama):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_leaving_a_stream_frees_the_servers_slot(client: Client, llama: Any) -> None:
    with client.stream("local/tiny", "Hello", **LONG) as stream:
        for _ in range(5):
            next(stream)
    assert free_again(llama)
    assert client._world.transport.stats().active == 0


def test_idle_connections_expire_on_the_server_and_nobody_notices(client: Client) -> None:
    assert client.list_models("local")
    # llama.cpp closes a connection that was idle for five seconds without a word.
    until = time.monotonic() + 60
    while not any(line.is_readable() for line in client._world.transport._pool._by_age):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert client.chat("local/tiny", "Hello", **SEEDED).usage.output_tokens


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def async_client(endpoints: dict[str, EndpointConfig]) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(endpoints=endpoints) as client:
        yield client


@pytest.mark.anyio
async def test_the_same_awaited(async_client: AsyncClient) -> None:
    whole = await async_client.chat("local/tiny", "Hello", **SEEDED)
    async with async_client.stream("local/tiny", "Hello", **SEEDED) as stream:
        events = [event async for event in stream]
    assert stream.response.choices == whole.choices
    assert isinstance(events[-1], FinishEvent)
    assert len((await async_client.embed("local/tiny", ["a", "b"])).vectors) == 2
    assert (await async_client.stream("local/tiny", "Weather?", **FORCED).read()).tool_calls


@pytest.mark.anyio
async def test_cancelling_frees_the_servers_slot(async_client: AsyncClient, llama: Any) -> None:
    async def read() -> None:
        async for _ in async_client.stream("local/tiny", "Hello", **LONG):
            pass

    for call in (lambda: async_client.chat("local/tiny", "Hello", **LONG), read):
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            with anyio.fail_after(60):
                while not await anyio.to_thread.run_sync(is_busy, llama):
                    pass
            group.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(free_again, llama)
    assert async_client._world.transport.stats().active == 0
