"""Runs against llama.cpp's real server, through each backend that has tools there, whole and streamed."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel.errors import InternalServerError
from ipfs_accel.types import RunResult, ToolEnd, ToolStart

CALLED: list[str] = []


def switch(lamp: Literal["red", "green"]) -> str:
    """Switch a lamp on.

    Args:
        lamp: Which one.
    """
    CALLED.append(lamp)
    return f"{lamp} is on"


# The model is random: these make it begin a call and not end before one.
OPTIONS: dict[str, Any] = {"tool_choice": "required", "max_rounds": 2, "max_tokens": 90, "extra": {"logit_bias": [["<tool_call>", 50], [260, 100]]}}  # fmt: skip
# What it says after its first call may be cut anywhere, which the server tells in one way or another.
pytestmark = pytest.mark.filterwarnings("ignore::ipfs_accel.UnsupportedParameterWarning")


@pytest.fixture(params=["llvm", "openai"])
def endpoint(request: pytest.FixtureRequest, llama: Any) -> EndpointConfig:
    return EndpointConfig(backend=request.param, base_url=f"{llama.url}/v1", key=llama.key or "none")


def check(result: RunResult[Any] | None) -> None:
    assert result is not None
    first = result.tool_runs[0]
    assert first.outcome == "done"
    assert first.result.content[0].text == f"{CALLED[0]} is on"  # type: ignore[union-attr]
    assert [message.role for message in result.messages[:3]] == ["user", "assistant", "tool"]
    assert result.usage.input_tokens


def test_a_real_server_calls_a_function(endpoint: EndpointConfig) -> None:
    CALLED.clear()
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        try:
            result = client.run("x/tiny", "Make light.", tools=[switch], **OPTIONS)
        except InternalServerError as error:
            check(error.run)
        else:
            check(result)


def test_a_real_server_calls_a_function_while_it_streams(endpoint: EndpointConfig) -> None:
    CALLED.clear()
    told: list[type] = []
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        stream = client.stream_run("x/tiny", "Make light.", tools=[switch], **OPTIONS)
        try:
            told += [type(event) for event in stream if isinstance(event, ToolStart | ToolEnd)]
        except InternalServerError as error:
            check(error.run)
        else:
            check(stream.result)
            assert told[0] is ToolStart  # of several calls in one turn all begin before the first ends
            assert told.count(ToolStart) == told.count(ToolEnd)


def test_a_real_server_calls_a_function_that_is_awaited(endpoint: EndpointConfig) -> None:
    CALLED.clear()

    async def awaited(lamp: Literal["red", "green"]) -> str:
        await anyio.lowlevel.checkpoint()
        return switch(lamp)

    async def main() -> Any:
        async with AsyncClient(Config(environ={}), endpoints={"x": endpoint}) as client:
            try:
                return await client.run("x/tiny", "Make light.", tools=[awaited], **OPTIONS)
            except InternalServerError as error:
                return error.run

    check(anyio.run(main))
