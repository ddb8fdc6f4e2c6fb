"""Choices of tools at llama.cpp's real server, which forces none by its name, through every backend that reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Tool

SCHEMA = {
    "type": "object",
    "properties": {"a": {"enum": ["x", "y"]}},
    "required": ["a"],
    "additionalProperties": False,
}
F, G = Tool(name="f_two", parameters=SCHEMA), Tool(name="g_one", parameters=SCHEMA)
# The model is random: these make it begin a call and not end before one.
FORCED: dict[str, Any] = {"max_tokens": 90, "extra": {"logit_bias": [["<tool_call>", 50], [260, 100]]}}


@pytest.fixture(scope="module")
def endpoints(llama: Any) -> dict[str, EndpointConfig]:
    at: dict[str, Any] = {"base_url": f"{llama.url}/v1", "key": llama.key or "none"}
    return {
        "llvm": EndpointConfig(**at),
        "openai": EndpointConfig(**at),
        "responses": EndpointConfig(backend="openai", options={"api": "responses"}, **at),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


def read(client: Client, *arguments: Any, **options: Any) -> Any:
    with client.stream(*arguments, **options) as stream:
        return stream.read()


CALLS = pytest.mark.parametrize("call", [Client.chat, read], ids=["whole", "streamed"])
NAMES = pytest.mark.parametrize("name", ["llvm", "openai", "responses"])


@CALLS
@NAMES
def test_a_tool_that_is_named_is_called(client: Client, name: str, call: Any) -> None:
    for _ in range(3):
        with pytest.warns(UserWarning, match="f_two"):
            answer = call(
                client, f"{name}/any", "hi", tools=[F, G], tool_choice="g_one", parallel_tool_calls=False, **FORCED
            )
        assert [tool.name for tool in answer.tool_calls] == ["g_one"]


@pytest.mark.anyio
async def test_the_same_awaited(endpoints: dict[str, EndpointConfig]) -> None:
    async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
        with pytest.warns(UserWarning, match="f_two"):
            answer = await client.chat("openai/any", "hi", tools=[F, G], tool_choice="g_one", **FORCED)
    assert {tool.name for tool in answer.tool_calls} == {"g_one"}


@CALLS
@NAMES
def test_a_call_that_is_cut_before_its_name_is_told_and_no_text(client: Client, name: str, call: Any) -> None:
    with pytest.warns(UserWarning, match="before its name was whole"):
        answer = call(client, f"{name}/any", "hi", tools=[G], tool_choice="g_one", **{**FORCED, "max_tokens": 9})
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("", (), "length")
