"""Each SDK asks each kind of backend through a gateway; what the backends ask is another one, over a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import ollama
import openai
import pytest
from anthropic import Anthropic
from google import genai
from google.genai import types
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.types import ToolCall

from .gateways import Running
from .stages import Stage, stage

BACKENDS = ("openai", "vllm", "groq", "claude", "gemini", "ollama")
BELOW_V1 = {"openai", "vllm", "groq"}
CALL = ToolCall(id="call_abcdefgh", name="weather", arguments='{"city":"Rome"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
USER = [{"role": "user", "content": "Hi"}]


def by_openai(url: str, model: str) -> tuple[str, str, Any]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as sdk:
        ask: Any = sdk.chat.completions.create
        whole = ask(model=model, messages=USER).choices[0].message.content
        chunks = list(ask(model=model, messages=USER, stream=True))
        call = ask(model=model, messages=USER, tools=[FUNCTION]).choices[0].message.tool_calls[0].function
    text = "".join([each.delta.content or "" for chunk in chunks for each in chunk.choices])
    return whole, text, (call.name, json.loads(call.arguments))


def by_responses(url: str, model: str) -> tuple[str, str, Any]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as sdk:
        whole = sdk.responses.create(model=model, input="Hi").output_text
        with sdk.responses.stream(model=model, input="Hi") as stream:
            text = "".join([event.delta for event in stream if event.type == "response.output_text.delta"])
            assert stream.get_final_response().output_text == text
        tool: Any = {"type": "function", "strict": False, "name": "weather", "description": "d", "parameters": SCHEMA}
        call: Any = sdk.responses.create(model=model, input="Hi", tools=[tool]).output[-1]
    return whole, text, (call.name, json.loads(call.arguments))


def by_anthropic(url: str, model: str) -> tuple[str, str, Any]:
    with Anthropic(base_url=url, api_key="any", max_retries=0) as sdk:
        asked: Any = {"model": model, "messages": USER, "max_tokens": 99}
        whole = sdk.messages.create(**asked).content[0].text  # type: ignore[union-attr]
        with sdk.messages.stream(**asked) as stream:
            text = "".join(stream.text_stream)
        tool: Any = {"name": "weather", "description": "d", "input_schema": SCHEMA}
        call: Any = sdk.messages.create(**asked, tools=[tool]).content[-1]
    return whole, text, (call.name, call.input)


def by_google(url: str, model: str) -> tuple[str, str, Any]:
    with genai.Client(api_key="any", http_options=types.HttpOptions(base_url=url)) as sdk:
        whole = sdk.models.generate_content(model=model, contents="Hi").text
        text = "".join([piece.text or "" for piece in sdk.models.generate_content_stream(model=model, contents="Hi")])
        declared = types.FunctionDeclaration(name="weather", description="d", parameters_json_schema=SCHEMA)
        config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
        call = (sdk.models.generate_content(model=model, contents="Hi", config=config).function_calls or [])[0]
    return whole or "", text, (call.name, call.args)


def by_ollama(url: str, model: str) -> tuple[str, str, Any]:
    with ollama.Client(url) as sdk:
        whole = sdk.chat(model, USER).message.content
        text = "".join([line.message.content or "" for line in sdk.chat(model, USER, stream=True)])
        call = (sdk.chat(model, USER, tools=[FUNCTION]).message.tool_calls or [])[0].function
    return whole or "", text, (call.name, dict(call.arguments))


CLIENTS: dict[str, Callable[[str, str], tuple[str, str, Any]]] = {
    "openai": by_openai,
    "responses": by_responses,
    "anthropic": by_anthropic,
    "google": by_google,
    "ollama": by_ollama,
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture(scope="module")
def url(upstream: Stage) -> Iterator[str]:
    endpoints = {
        name: EndpointConfig(base_url=upstream.url + ("/v1" if name in BELOW_V1 else ""), key="any")
        for name in BACKENDS
    }
    running = Running(Config(endpoints=endpoints, environ={}), {})
    yield running.url
    running.close()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_each_asks_each(url: str, upstream: Stage, client: str, backend: str) -> None:
    upstream.plays("Hello there.", ["Hel", "lo"], CALL)
    told = CLIENTS[client](url, f"{backend}/scripted/any")
    assert told == ("Hello there.", "Hello", ("weather", {"city": "Rome"}))
    assert upstream.asked.tools[0].name == "weather"
