"""Schemas at llama.cpp's real server, through every backend that can be pointed at it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, JsonSchema
from ipfs_accel.errors import SchemaViolationError, UnsupportedParameterError


def closed(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"p": part}, "required": ["p"], "additionalProperties": False}


KEPT = closed({"type": "integer", "minimum": 3, "maximum": 5})
LOST = closed({"type": "number", "minimum": 0.25, "maximum": 0.5})
FREE: dict[str, Any] = {"max_tokens": 150}


@pytest.fixture(scope="module")
def endpoints(llama: Any) -> dict[str, EndpointConfig]:
    at: dict[str, Any] = {"base_url": f"{llama.url}/v1", "key": llama.key or "none"}
    return {
        "llvm": EndpointConfig(**at),
        "openai": EndpointConfig(**at),
        "responses": EndpointConfig(backend="openai", options={"api": "responses"}, **at),
        "claude": EndpointConfig(**at | {"base_url": llama.url}),
        "strict": EndpointConfig(backend="llvm", schemas="refuse", **at),
        "trusting": EndpointConfig(backend="llvm", schemas="trust", **at),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


def read(client: Client, *arguments: Any, **options: Any) -> Any:
    with client.stream(*arguments, **options) as stream:
        return stream.read()


CALLS = pytest.mark.parametrize("call", [Client.chat, read], ids=["whole", "streamed"])


@CALLS
@pytest.mark.parametrize("name", ["llvm", "openai", "responses", "strict"])
def test_what_is_enforced_is_followed_also_where_the_responses_api_would_ignore_it(
    client: Client, name: str, call: Any
) -> None:
    for _ in range(4):
        answer = call(client, f"{name}/any", "Go.", response_format=JsonSchema(schema=KEPT, strict=True), **FREE)
        assert json.loads(answer.text)["p"] in {3, 4, 5}


@CALLS
@pytest.mark.parametrize("name", ["llvm", "openai", "responses"])
def test_what_is_not_enforced_is_warned_of_and_checked(client: Client, name: str, call: Any) -> None:
    def until_one_breaks_it() -> None:
        with pytest.raises(SchemaViolationError, match=r"\$\.p: .* is (less|greater) than"):
            for _ in range(20):  # a random number may be a good one
                call(client, f"{name}/any", "Go.", response_format=JsonSchema(schema=LOST), **FREE)

    with pytest.warns(UserWarning, match=re.escape("does not enforce minimum (bounds of a number) at properties.p")):
        until_one_breaks_it()
    with pytest.raises(UnsupportedParameterError, match="minimum"):
        call(client, f"{name}/any", "Go.", response_format=JsonSchema(schema=LOST, strict=True), **FREE)


@CALLS
def test_the_endpoint_decides(client: Client, call: Any) -> None:
    with pytest.raises(UnsupportedParameterError, match="maximum"):
        call(client, "strict/any", "Go.", response_format=JsonSchema(schema=LOST), **FREE)
    assert call(client, "trusting/any", "Go.", response_format=JsonSchema(schema=LOST), seed=1, **FREE).text


@CALLS
def test_a_dialect_without_schemas_refuses_them(client: Client, call: Any) -> None:
    form = JsonSchema(schema=KEPT)
    with pytest.raises(UnsupportedParameterError, match=r"response_format \(llama\.cpp ignores it .* backend llvm"):
        call(client, "claude/any", "Go.", response_format=form, **FREE)
    with pytest.warns(UserWarning, match=r"llama\.cpp ignores it"):
        answer = call(client, "claude/any", "Go.", response_format=form, on_unsupported="warn", max_tokens=4)
    assert answer.usage.output_tokens <= 4


def test_what_needs_the_responses_api_and_a_schema_is_refused(client: Client) -> None:
    with pytest.raises(UnsupportedParameterError, match=r"llama\.cpp ignores it in the Responses API"):
        client.chat(
            "responses/any", "Go.", response_format=JsonSchema(schema=KEPT), extra={"instructions": "Be brief."}
        )


def test_text_completions_are_held_by_the_other_converter(client: Client) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "one", "schema": LOST}}
    for _ in range(4):
        answer = client.complete("llvm/any", "Go.", extra={"response_format": form}, **FREE)
        assert 0.25 <= json.loads(answer.text)["p"] <= 0.5
    distinct = {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True}
    with pytest.warns(UserWarning, match=r"llama\.cpp's completions does not enforce uniqueItems"):
        answer = client.complete("llvm/any", "Go.", extra={"json_schema": distinct}, max_tokens=20)
    assert answer.finish_reason == "length"


async def test_the_same_awaited(endpoints: dict[str, EndpointConfig], anyio_backend: str) -> None:
    async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
        form = JsonSchema(schema=KEPT, strict=True)
        answer = await client.chat("responses/any", "Go.", response_format=form, **FREE)
        assert json.loads(answer.text)["p"] in {3, 4, 5}
        with pytest.raises(UnsupportedParameterError):
            await client.chat("claude/any", "Go.", response_format=form, **FREE)
