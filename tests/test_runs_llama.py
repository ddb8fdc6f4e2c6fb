"""Runs against llama.cpp's real server, through each backend that has tools there, whole and streamed."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel.types import ToolEnd, ToolStart

CALLED: list[tuple[str, bool]] = []


def switch(lamp: Literal["red", "green"], on: bool) -> str:
    """Switch a lamp.

    Args:
        lamp: Which one.
        on: Whether it is to shine.
    """
    CALLED.append((lamp, on))
    return f"{lamp} is {'on' if on else 'off'}"


# The model is random: these make it begin a call and not end before one.
OPTIONS: dict[str, Any] = {
    "tools": [switch],
    "tool_choice": "required",
    "max_rounds": 2,
    "max_tokens": 120,
    "extra": {"logit_bias": [["<tool_call>", 50], [260, 100]]},
}
# What a model of random weights says after its call may be cut anywhere.
pytestmark = pytest.mark.filterwarnings("ignore::ipfs_accel.UnsupportedParameterWarning")


@pytest.fixture(params=["llvm", "openai"])
def endpoint(request: pytest.FixtureRequest, llama: Any) -> EndpointConfig:
    return EndpointConfig(backend=request.param, base_url=f"{llama.url}/v1", key=llama.key or "none")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_real_server_calls_a_function(streamed: bool, endpoint: EndpointConfig) -> None:
    CALLED.clear()
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        if streamed:
            with client.stream_run("x/tiny", "Make light.", **OPTIONS) as stream:
                told = [type(event) for event in stream if isinstance(event, ToolStart | ToolEnd)]
                result = stream.result
            assert told[:2] == [ToolStart, ToolEnd] or len(result.tool_runs) > 1
        else:
            result = client.run("x/tiny", "Make light.", **OPTIONS)
    first = result.tool_runs[0]
    assert first.outcome == "done"
    assert CALLED[0][0] in {"red", "green"}
    assert first.result.content[0].text.startswith(CALLED[0][0])  # type: ignore[union-attr]
    assert [message.role for message in result.messages[:3]] == ["user", "assistant", "tool"]
    assert result.usage.input_tokens


def test_a_real_server_calls_a_function_that_is_awaited(endpoint: EndpointConfig) -> None:
    async def look(where: Literal["up", "down"]) -> str:
        await anyio.lowlevel.checkpoint()
        return f"saw {where}"

    async def main() -> Any:
        async with AsyncClient(Config(environ={}), endpoints={"x": endpoint}) as client:
            return await client.run("x/tiny", "Look.", **{**OPTIONS, "tools": [look]})

    result = anyio.run(main)
    assert result.tool_runs[0].outcome == "done"
    assert result.tool_runs[0].result.content[0].text in {"saw up", "saw down"}
