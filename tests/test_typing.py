"""What type checkers know of calls: read by mypy and pyright, and run, so that the values are of those types, too."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Literal, NamedTuple, TypedDict, assert_type

import anyio
import attrs
import pydantic
from ipfs_accel import AsyncClient, AsyncStream, Client, Config, EndpointConfig, JsonSchema
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel.types import ChatResponse, ParsedResponse, StreamEvent


@attrs.define
class Made:
    a: int


@dataclasses.dataclass
class Data:
    a: int


class Typed(TypedDict):
    a: int


class Named(NamedTuple):
    a: int


class Model(pydantic.BaseModel):
    a: int


class Size(enum.Enum):
    ONE = 1


def host(connection: Connection) -> None:
    while connection.request() is not None:
        wants = json.loads(connection.server.bodies[-1] or b"{}").get("response_format") or {}
        schema = wants.get("json_schema", {}).get("schema", {"properties": {}})
        said: dict[str, object] = {"value": 1} if schema["properties"].keys() == {"value"} else {"a": 1}
        if "items" in str(schema):
            said = {"value": [{"a": 1}]}
        message = {"role": "assistant", "content": json.dumps(said)}
        body = {"data": [], "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        connection.send(answer(json.dumps(body).encode()))


def test_an_answer_has_the_type_that_was_asked_for() -> None:
    with serve(host) as server:
        at = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="k")
        with Client(Config(), endpoints={"x": at}) as client:
            assert type(assert_type(client.chat("x/m", "a"), ChatResponse)) is ChatResponse
            assert_type(client.chat("x/m", "a", response_format="json"), ChatResponse)
            assert_type(client.chat("x/m", "a", response_format={"type": "object", "properties": {}}), ChatResponse)
            assert_type(client.chat("x/m", "a", response_format=JsonSchema.of(Data)), ChatResponse)
            assert assert_type(client.chat("x/m", "a", response_format=Made), ParsedResponse[Made]).parsed == Made(1)
            assert assert_type(client.chat("x/m", "a", response_format=Data).parsed, Data) == Data(1)
            assert assert_type(client.chat("x/m", "a", response_format=Typed).parsed, Typed) == {"a": 1}
            assert assert_type(client.chat("x/m", "a", response_format=Named).parsed, Named) == Named(1)
            assert assert_type(client.chat("x/m", "a", response_format=Model, repair=1).parsed, Model) == Model(a=1)
            assert assert_type(client.chat("x/m", "a", response_format=Size, seed=1).parsed, Size) is Size.ONE
            assert assert_type(client.chat("x/m", "a", response_format=list[Data]).parsed, list[Data]) == [Data(1)]
            assert assert_type(client.chat("x/m", "a", response_format=int | None).parsed, int | None) == 1
            one: Literal[1, 2] = client.chat("x/m", "a", response_format=Literal[1, 2]).parsed
            assert one == 1


def test_it_has_it_where_it_is_awaited() -> None:
    async def run(url: str) -> None:
        at = EndpointConfig(backend="openai", base_url=f"{url}/v1", key="k")
        async with AsyncClient(Config(), endpoints={"x": at}) as client:
            assert assert_type((await client.chat("x/m", "a", response_format=Data)).parsed, Data) == Data(1)
            assert_type(await client.chat("x/m", "a"), ChatResponse)
            stream = client.stream("x/m", "a", response_format=Data | None)
            assert_type(stream, AsyncStream[StreamEvent, ParsedResponse[Data | None]])
            await stream.close()

    with serve(host) as server:
        anyio.run(run, server.url)
