"""OVMS's dialect where it agrees with OpenAI's, against llama.cpp's real server; OpenAI's SDK asks the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, JsonSchema
from ipfs_accel import errors as e

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

SAMPLING: dict[str, Any] = {"max_tokens": 8, "temperature": 0.0, "seed": 7}
USER = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def endpoints(llama: Any) -> dict[str, EndpointConfig]:
    return {"o": EndpointConfig(backend="ovms", base_url=llama.url, options={"openai_path": "/v1"})}


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(endpoints=endpoints) as client:
        yield client


@pytest.fixture
def sdk(llama: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{llama.url}/v1", api_key="none", max_retries=0) as sdk:
        yield sdk


def test_a_chat_whole_and_streamed(client: Client, sdk: Any) -> None:
    theirs = sdk.chat.completions.create(model="tiny", messages=USER, **SAMPLING)
    whole = client.chat("o/tiny", "Hello", **SAMPLING)
    with client.stream("o/tiny", "Hello", **SAMPLING) as stream:
        text = "".join(stream.text_stream)

    assert whole.text == text == stream.response.text == theirs.choices[0].message.content
    assert whole.finish_reason == stream.response.finish_reason == theirs.choices[0].finish_reason == "length"
    assert whole.usage.output_tokens == stream.response.usage.output_tokens == theirs.usage.completion_tokens


def test_a_schema_is_imposed(client: Client) -> None:
    schema = JsonSchema(schema={"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]})
    for response_format in (schema, "json"):
        reply = client.chat("o/tiny", "Hello", max_tokens=60, response_format=response_format)
        assert reply.text.lstrip().startswith("{")


def test_completions(client: Client, sdk: Any) -> None:
    theirs = sdk.completions.create(model="tiny", prompt="Once", **SAMPLING)
    whole = client.complete("o/tiny", "Once", **SAMPLING)

    assert whole.text == theirs.choices[0].text
    assert client.stream_complete("o/tiny", "Once", **SAMPLING).read().text == whole.text


def test_a_server_that_leaves_the_stop_text_out_is_read_alike(client: Client) -> None:
    whole = client.complete("o/tiny", "Once", **SAMPLING)
    stop = whole.text[2:4]
    cut = client.complete("o/tiny", "Once", stop=stop, **SAMPLING)

    assert len(cut.text) < len(whole.text)
    assert client.stream_complete("o/tiny", "Once", stop=stop, **SAMPLING).read().text == cut.text


def test_embeddings(client: Client, sdk: Any) -> None:
    theirs = sdk.embeddings.create(model="tiny", input=["a", "b"])
    ours = client.embed("o/tiny", ["a", "b"])

    assert [list(vector) for vector in ours.vectors] == [pytest.approx(each.embedding) for each in theirs.data]
    assert ours.usage.input_tokens == theirs.usage.prompt_tokens


def test_what_is_there_and_how_it_is(client: Client) -> None:
    assert [model.id for model in client.list_models("o")] == ["tiny"]
    health = client.healthcheck("o")
    assert (health.status, health.detail) == ("ok", "it lists 1 models")


def test_responses_whole_and_streamed(client: Client, sdk: Any) -> None:
    fields = {"model": "tiny", "input": "Hello", "max_output_tokens": 8, "temperature": 0.0}
    theirs = sdk.responses.create(**fields)
    whole = client.call("o", "responses", **fields)
    with client.stream_call("o", "stream_responses", **fields) as stream:
        text = "".join(stream.text_stream)

    assert text == stream.response.text == whole.text == theirs.output_text
    assert whole.usage.output_tokens == theirs.usage.output_tokens


def test_a_refusal_is_the_servers(client: Client) -> None:
    with pytest.raises(e.BadRequestError):
        client.chat("o/tiny", "Hello", extra={"messages": "none"})
    with pytest.raises(e.APIStatusError):
        client.rerank("o/tiny", "q", ["a"])


def test_tensors_are_none_of_its_business(client: Client) -> None:
    with pytest.raises(e.NotFoundError):
        client.predict("o/tiny", {"x": [1]})


def test_the_same_awaited(endpoints: dict[str, EndpointConfig], client: Client) -> None:
    whole = client.chat("o/tiny", "Hello", **SAMPLING)

    async def run() -> None:
        async with AsyncClient(endpoints=endpoints) as other:
            assert (await other.chat("o/tiny", "Hello", **SAMPLING)).text == whole.text
            async with other.stream("o/tiny", "Hello", **SAMPLING) as stream:
                assert (await stream.read()).text == whole.text
            assert len((await other.embed("o/tiny", "a")).vectors) == 1
            assert (await other.healthcheck("o")).ok

    anyio.run(run)


def test_a_key_is_sent(llama_keyed: Any) -> None:
    named = {
        name: EndpointConfig(backend="ovms", base_url=llama_keyed.url, key=key, options={"openai_path": "/v1"})
        for name, key in (("right", llama_keyed.key), ("wrong", "sk-wrong-0123456789"))
    }
    with Client(endpoints=named) as client:
        assert client.chat("right/tiny", "Hello", max_tokens=2).usage.output_tokens == 2
        with pytest.raises(e.AuthenticationError) as caught:
            client.chat("wrong/tiny", "Hello", max_tokens=2)
    assert "sk-wrong" not in repr(caught.value)
