"""POST /chat/completions of OpenAI's API, after its reference of 2026."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    Audio,
    BlockEnd,
    BlockStart,
    ChatResponse,
    Choice,
    FinishEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from ipfs_accel.types import Refusal as Refused

from ipfs_accel_gateway._errors import Refusal

from ._base import Family
from ._openai import OPENAI, asks_for_usage, data, failure, head, leftover, logprobs, usage

__all__ = ["CHAT", "Chat", "Writer"]

_SAME = (
    "temperature", "top_p", "top_k", "seed", "stop", "n", "frequency_penalty", "presence_penalty", "logit_bias", "user",
    "parallel_tool_calls", "reasoning_effort", "logprobs", "top_logprobs", "response_format",
)  # fmt: skip
_LIMITS = ("max_completion_tokens", "max_tokens")
_READ = {*_SAME, *_LIMITS, "messages", "tools", "tool_choice", "model", "stream", "stream_options"}
_IGNORED = {
    "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
}  # fmt: skip


class Chat:
    """Chats, in the form that most clients speak."""

    name = "openai.chat"
    family: Family = OPENAI
    stream_type = "text/event-stream; charset=utf-8"

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `stream` where that is asked for."""
        return "stream" if members.get("stream") else "chat"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat."""
        messages = members.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refusal(
                400, "invalid_request", "messages: expected a list with at least one message", param="messages"
            )
        leftover(members, _READ, _IGNORED, lenient=lenient)
        options = {name: members[name] for name in _SAME if members.get(name) is not None}
        if isinstance(options.get("response_format"), dict) and options["response_format"].get("type") == "text":
            del options["response_format"]
        limit = next((members[name] for name in _LIMITS if members.get(name) is not None), None)
        if limit is not None:
            options["max_tokens"] = limit
        if members.get("tools"):
            options["tools"] = members["tools"]
            if members.get("tool_choice") is not None:
                options["tool_choice"] = _choice(members["tool_choice"])
        return messages, options

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return a whole answer."""
        body = head("chat.completion", "chatcmpl-", answer.model or model)
        body["choices"] = [_written(choice) for choice in answer.choices]
        used = usage(answer.usage)
        if used is not None:
            body["usage"] = used
        return strict_json.dumps(body)

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the chunks of a stream."""
        return Writer(model, tells_usage=asks_for_usage(members))

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return a chunk that is an error."""
        return failure(refusal)


CHAT = Chat()


def _choice(value: Any) -> str:
    """Return a choice of tools as a word, or as the name of the tool."""
    if isinstance(value, str):
        return value
    named = value.get("function") if isinstance(value, dict) else None
    if not isinstance(named, dict) or not isinstance(named.get("name"), str):
        raise Refusal(
            400, "invalid_request", "tool_choice: expected a word, or a function by its name", param="tool_choice"
        )
    return str(named["name"])


def _written(choice: Choice) -> dict[str, Any]:
    said = choice.message
    refusal = "".join([part.text for part in said.content if isinstance(part, Refused)]) or None
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": refusal}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    calls = [_call(part) for part in said.tool_calls]
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None and refusal is None:
        message["content"] = ""
    for part in said.content:
        if isinstance(part, Audio) and part.data is not None:
            message["audio"] = {
                "id": part.id or "",
                "data": b64encode(part.data).decode(),
                "transcript": part.transcript or "",
                "expires_at": 0,
            }
    return {
        "index": choice.index,
        "message": message,
        "logprobs": None if choice.logprobs is None else logprobs(choice.logprobs),
        "finish_reason": choice.finish_reason or "stop",
    }


def _call(part: ToolCall) -> dict[str, Any]:
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}


class Writer:
    """Chunks; each has the whole head again, which is written once."""

    def __init__(self, model: str, *, tells_usage: bool) -> None:
        self._head = head("chat.completion.chunk", "chatcmpl-", model)
        self._tells_usage = tells_usage
        written = strict_json.dumps(self._head)[:-1]
        self._before = b'data: %b,"choices":[{"index":' % written
        self._calls: dict[tuple[int, int], int] = {}
        self._begun: set[int] = set()

    def begin(self) -> bytes:
        """Return nothing: a choice begins with its first event."""
        return b""

    def event(self, event: Any) -> bytes:  # noqa: PLR0911 - one for each kind
        """Return a chunk."""
        kind = type(event)
        if kind is TextDelta:
            return self._delta(event.choice, b'{"content":%b}' % strict_json.dumps(event.text))
        if kind is ToolCallDelta:
            number = self._calls[event.choice, event.block]
            delta = {"tool_calls": [{"index": number, "function": {"arguments": event.arguments}}]}
            return self._delta(event.choice, strict_json.dumps(delta))
        if kind is ReasoningDelta:
            return self._delta(event.choice, b'{"reasoning_content":%b}' % strict_json.dumps(event.text))
        if kind is RefusalDelta:
            return self._delta(event.choice, b'{"refusal":%b}' % strict_json.dumps(event.text))
        if kind is BlockEnd and isinstance(event.part, ToolCall) and not event.part.arguments:
            number = self._calls[event.choice, event.block]  # clients read what they put together as JSON
            return self._delta(event.choice, b'{"tool_calls":[{"index":%d,"function":{"arguments":"{}"}}]}' % number)
        if kind is BlockStart and event.type == "tool_call":
            number = sum([choice == event.choice for choice, _ in self._calls])
            self._calls[event.choice, event.block] = number
            call = {
                "index": number,
                "id": event.id,
                "type": "function",
                "function": {"name": event.name, "arguments": ""},
            }
            return self._delta(event.choice, strict_json.dumps({"tool_calls": [call]}))
        return self._finish(event) if kind is FinishEvent else b""

    def end(self, answer: ChatResponse) -> bytes:
        """Return the counts, if they are asked for, and the mark of the end."""
        told = b""
        if self._tells_usage:
            told = data({**self._head, "choices": [], "usage": usage(answer.usage)})
        return told + b"data: [DONE]\n\n"

    def _delta(self, choice: int, delta: bytes) -> bytes:
        begun = b""
        if choice not in self._begun:
            self._begun.add(choice)
            begun = self._delta(choice, b'{"role":"assistant","content":""}')
        return b'%b%b%d,"delta":%b,"finish_reason":null}]}\n\n' % (begun, self._before, choice, delta)

    def _finish(self, event: FinishEvent) -> bytes:
        chunks = []
        for choice, reason in enumerate(event.finish_reasons):
            begun = b"" if choice in self._begun else self._delta(choice, b"{}")
            said = strict_json.dumps(reason or "stop")
            chunks.append(b'%b%b%d,"delta":{},"finish_reason":%b}]}\n\n' % (begun, self._before, choice, said))
        return b"".join(chunks)
