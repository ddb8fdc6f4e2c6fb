"""What a provider's own SDK answered goes back as history as our own answer does, however the SDK writes it as a dict."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, Message, UnsupportedParameterWarning
from pytest_httpserver import HTTPServer
from werkzeug import Response

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1.0}'}}
SAID = {"role": "assistant", "content": "so", "annotations": [], "refusal": None, "tool_calls": [CALL]}
OPENAI = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": SAID, "finish_reason": "tool_calls", "logprobs": None}]}  # fmt: skip
GROQ = {**OPENAI, "choices": [{"index": 0, "message": {**SAID, "reasoning": "hm", "executed_tools": [{"type": "search", "index": 0, "arguments": "{}"}]}, "finish_reason": "tool_calls"}]}  # fmt: skip
SPOKEN = {**OPENAI, "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "audio": {"id": "s1", "data": "AAAA", "expires_at": 5, "transcript": "ho"}}, "finish_reason": "stop"}]}  # fmt: skip
CLAUDE = {
    "id": "m1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "stop_reason": "tool_use", "stop_sequence": None,
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "Eq=="},
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "text", "text": "so", "citations": None},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1.0, "big": 2**70}},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
GEMINI = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
                    {"text": "so"},
                    {"functionCall": {"name": "look", "args": {"at": 1.0}, "id": "c1"}, "thoughtSignature": "AQ=="},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                ],
            },
            "finishReason": "STOP",
        }
    ]
}
OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "so", "thinking": "hm", "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1.0}}}]}, "done": True, "done_reason": "stop"}  # fmt: skip
RESPONSE = {
    "id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "output": [{"type": "message", "id": "m1", "role": "assistant", "status": "completed", "phase": "commentary", "content": [{"type": "output_text", "text": "so", "annotations": []}]}],
}  # fmt: skip


def of_google(body: Any) -> Any:
    return importlib.import_module("google.genai.types").Content.model_validate(body["candidates"][0]["content"])


def of(module: str, name: str, inside: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda body: getattr(importlib.import_module(module), name).model_validate(inside(body))


CASES: dict[str, tuple[str, str, Any, Callable[[Any], Any]]] = {  # SDK, backend, answer, the SDK's message
    "openai": ("openai", "openai", OPENAI, of("openai.types.chat", "ChatCompletionMessage", lambda body: body["choices"][0]["message"])),
    "openai-sound": ("openai", "openai", SPOKEN, of("openai.types.chat", "ChatCompletionMessage", lambda body: body["choices"][0]["message"])),
    "openai-responses": ("openai", "openai", RESPONSE, of("openai.types.responses", "ResponseOutputMessage", lambda body: body["output"][0])),
    "groq": ("groq", "groq", GROQ, of("groq.types.chat", "ChatCompletionMessage", lambda body: body["choices"][0]["message"])),
    "anthropic": ("anthropic", "claude", CLAUDE, of("anthropic.types", "Message", lambda body: body)),
    "google": ("google.genai", "gemini", GEMINI, of_google),
    "ollama": ("ollama", "ollama", OLLAMA, of("ollama", "Message", lambda body: body["message"])),
}  # fmt: skip
DUMPS: dict[str, Callable[[Any], Any]] = {
    "model_dump": lambda message: message.model_dump(),
    "without-null": lambda message: message.model_dump(exclude_none=True),
    "json": lambda message: json.loads(message.model_dump_json()),
    "by-alias": lambda message: json.loads(message.model_dump_json(by_alias=True, exclude_none=True)),
    "to_dict": lambda message: message.to_dict() if hasattr(message, "to_dict") else message.model_dump(),
}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    place = {"base_url": httpserver.url_for("").removesuffix("/"), "key": "sk-test-0123"}
    endpoints = {name: EndpointConfig(**place) for name in ("openai", "groq", "claude", "gemini", "ollama")}
    endpoints["responses"] = EndpointConfig(**place, backend="openai", options={"api": "responses"})
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.parametrize("case", CASES)
def test_it_goes_back_as_our_own_answer_does(case: str, dump: str, client: Client, httpserver: HTTPServer) -> None:
    sdk, backend, body, message_of = CASES[case]
    pytest.importorskip(sdk, reason="the SDK is the oracle of this test")
    answer = Response(json.dumps(body), content_type="application/json")
    httpserver.expect_request(re.compile("/.*")).respond_with_response(answer)
    model = f"{'responses' if case == 'openai-responses' else backend}/claude-opus-5-5"
    ours = client.chat(model, "hi").message
    theirs = DUMPS[dump](message_of(body))
    results = [Message.tool(call.id, "1") for call in ours.tool_calls]

    for message in (ours, theirs):
        client.chat(model, ["hi", message, *results, "and?"])

    expected, found = [json.loads(request.get_data()) for request, _ in httpserver.log[-2:]]
    assert found == expected


@pytest.mark.parametrize("backend", ["openai", "claude", "gemini", "ollama"])
@pytest.mark.parametrize("case", ["openai", "anthropic", "google", "ollama"])
def test_it_goes_to_another_provider_too(case: str, backend: str, client: Client, httpserver: HTTPServer) -> None:
    sdk, own, body, message_of = CASES[case]
    pytest.importorskip(sdk, reason="the SDK is the oracle of this test")
    answers = {CASES[each][1]: CASES[each][2] for each in ("openai", "anthropic", "google", "ollama")}
    httpserver.expect_request(re.compile("/.*")).respond_with_response(
        Response(json.dumps(answers[backend]), content_type="application/json")
    )
    message = message_of(body).model_dump()
    call_id = {"ollama": "call_0"}.get(own, "c1")
    # A thought that Claude signed has no place in Gemini's API, and the others take it as it is.
    is_told = (case, backend) == ("anthropic", "gemini")
    with pytest.warns(UnsupportedParameterWarning, match=r"messages\[1\]\.reasoning") if is_told else nullcontext():
        client.chat(f"{backend}/m", ["hi", message, Message.tool(call_id, "17"), "and?"])

    sent = httpserver.log[-1][0].get_data().decode()
    assert "look" in sent
    assert "17" in sent
    assert "so" in sent
