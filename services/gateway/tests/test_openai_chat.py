from __future__ import annotations

import json

import httpx  # noqa: TID251 - a client that nobody here wrote
import openai
import pytest
from ipfs_accel.testing import Scripted
from ipfs_accel.types import Reasoning, Text, ToolCall

from .gateways import Running, Start

CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def client_of(running: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0)


def test_the_sdk_reads_a_whole_answer(running: Start) -> None:
    scripted = Scripted(["Hello there."])
    with client_of(running(scripted)) as client:
        answer = client.chat.completions.create(
            model="scripted/any", messages=[{"role": "user", "content": "Hi"}], max_tokens=7, temperature=0.5
        )
    assert answer.choices[0].message.content == "Hello there."
    assert answer.choices[0].finish_reason == "stop"
    asked = scripted.requests[0]
    assert (asked.max_tokens, asked.temperature, asked.messages[0].text) == (7, 0.5, "Hi")


def test_the_sdk_reads_a_stream(running: Start) -> None:
    scripted = Scripted([[Reasoning(text="Hm."), "Hello", " there", CALL]])
    with client_of(running(scripted)) as client:
        stream = client.chat.completions.create(
            model="scripted/any", messages=[{"role": "user", "content": "Hi"}], tools=TOOLS, stream=True
        )
        chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join([delta.content or "" for delta in deltas]) == "Hello there"
    assert "".join([getattr(delta, "reasoning_content", None) or "" for delta in deltas]) == "Hm."
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert calls[0].id == "call_1"
    assert calls[0].function.name == "weather"
    assert json.loads("".join([call.function.arguments for call in calls])) == {"city": "Rome"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_sdk_goes_on_with_a_tools_answer(running: Start) -> None:
    scripted = Scripted([CALL, "It is sunny."])
    messages = [{"role": "user", "content": "Weather?"}]
    with client_of(running(scripted)) as client:
        first = client.chat.completions.create(
            model="scripted/any",
            messages=messages,
            tools=TOOLS,
            tool_choice={"type": "function", "function": {"name": "weather"}},
        )
        said = first.choices[0].message
        messages += [said.to_dict(), {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "sunny"}]
        second = client.chat.completions.create(model="scripted/any", messages=messages, tools=TOOLS)
    assert second.choices[0].message.content == "It is sunny."
    assert scripted.requests[0].tool_choice == "weather"
    assert scripted.requests[1].messages[1].tool_calls == (CALL,)


def test_what_no_target_could_do_is_refused_or_left_out(running: Start) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    with client_of(running(Scripted(["never"]))) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="scripted/any", messages=messages, extra_body={"modalities": ["audio"]})
    assert caught.value.param == "modalities"
    with client_of(running(Scripted(["said"]), settings={"unsupported": "leave_out"})) as client:
        answer = client.chat.completions.create(
            model="scripted/any", messages=messages, extra_body={"modalities": ["audio"]}
        )
    assert answer.choices[0].message.content == "said"


def test_a_stream_tells_its_usage_only_when_asked(running: Start, http: httpx.Client) -> None:
    body = {"model": "scripted/any", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    at = running(Scripted([Text(text="a"), Text(text="b")]))
    plain = http.post(f"{at.url}/v1/chat/completions", json=body).text
    asked = http.post(f"{at.url}/chat/completions", json={**body, "stream_options": {"include_usage": True}}).text
    assert '"usage"' not in plain
    assert asked.strip().endswith("data: [DONE]")
    assert '"choices":[],"usage":' in asked.replace(" ", "")
