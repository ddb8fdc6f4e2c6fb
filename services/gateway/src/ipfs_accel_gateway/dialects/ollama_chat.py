"""POST /api/chat and /api/generate of Ollama's API, which stream unless they are told not to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    BlockEnd,
    ChatResponse,
    CompletionResponse,
    Image,
    Message,
    ReasoningDelta,
    RefusalDelta,
    Text,
    TextDelta,
    ToolCall,
)
from ipfs_accel.types import Refusal as Refused

from ipfs_accel_gateway._errors import Refusal

from ._base import NDJSON, Family, GivenError
from ._ollama import OLLAMA, counts, failure, format_of, head, sampling
from ._openai import leftover, logprobs

__all__ = ["CHAT", "GENERATE"]

_SAME = {"model", "format", "options", "stream", "think", "logprobs", "top_logprobs"}
# How a server keeps a model, and what it does with more than a context holds: each target has its own way.
_IGNORED = {"keep_alive", "truncate", "shift"}
_CHAT = {*_SAME, "messages", "tools"}
_GENERATE = {*_SAME, "prompt", "system", "images"}
_COMPLETE = {"model", "options", "stream", "logprobs", "top_logprobs", "prompt", "suffix", "raw"}
_EMPTY: tuple[Any, ...] = ("", [], {}, False)
_EFFORTS = {True: "medium", False: "none"}


class _Route:
    """What both routes have in common."""

    family: Family = OLLAMA
    stream_type = NDJSON

    def __init__(self, name: str, *, is_chat: bool) -> None:
        self.name = name
        self._is_chat = is_chat

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `chat`; `complete` for a prompt that is to be continued as it is; or either of them as a stream."""
        operation = "complete" if _is_bare(members) and not self._is_chat else "chat"
        if members.get("stream") is False:
            return operation
        return "stream" if operation == "chat" else "stream_complete"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages or a prompt, and options.

        Raises:
            GivenError: There is nothing to answer: Ollama's clients load and unload models so.
        """
        if self._is_chat:
            leftover(_filled(members), _CHAT, _IGNORED, lenient=lenient)
            messages = _messages(members)
        else:
            if _is_bare(members):
                return _completion(members, lenient=lenient)
            leftover(_filled(members), _GENERATE, _IGNORED, lenient=lenient)
            messages = _prompted(members)
        if not messages:
            reason = "unload" if members.get("keep_alive") == 0 else "load"
            empty = self._said(Message.assistant())
            body = {**head(str(members["model"])), **empty, "done": True, "done_reason": reason}
            raise GivenError(strict_json.dumps(body))
        return messages, _options(members, lenient=lenient)

    def write(self, answer: Any, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return a whole answer."""
        said = answer.message if isinstance(answer, ChatResponse) else Message.assistant(answer.text)
        return strict_json.dumps({**head(model), **self._said(said), **_end(answer)})

    def writer(self, members: Mapping[str, Any], model: str) -> _Writer:  # noqa: ARG002
        """Return what writes the lines of a stream."""
        return _Writer(model, is_chat=self._is_chat)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return a line that is an error."""
        return failure(refusal)

    def _said(self, message: Message) -> dict[str, Any]:
        text = "".join([part.text for part in message.content if isinstance(part, Text | Refused)])
        thought = {"thinking": message.reasoning} if message.reasoning else {}
        if not self._is_chat:
            return {"response": text, **thought}
        return {"message": {"role": "assistant", "content": text, **thought, **_beside(message)}}


CHAT = _Route("ollama.chat", is_chat=True)
GENERATE = _Route("ollama.generate", is_chat=False)


def _filled(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body says: Ollama's own client has empty texts for what it does not."""
    return {name: value for name, value in members.items() if value not in _EMPTY}


def _is_bare(members: Mapping[str, Any]) -> bool:
    """Whether the prompt is not to be put into the model's own form of a conversation."""
    return bool(members.get("raw") or members.get("suffix"))


def _messages(members: Mapping[str, Any]) -> list[Any]:
    messages = members.get("messages")
    if messages is not None and not isinstance(messages, list):
        raise Refusal(400, "invalid_request", "messages: expected a list", param="messages")
    return [_answering(message) for message in messages or ()]


def _answering(message: Any) -> Any:
    """Return a message; a tool's result may name the tool in several places, or follow its call without a word."""
    if not isinstance(message, dict) or message.get("role") != "tool":
        return message
    name = message.get("tool_name") or message.get("name")
    said = {key: value for key, value in message.items() if key not in {"name", "tool_name"}}
    if said.get("tool_call_id"):
        return said
    return {**said, "tool_call_id": ""} if name is None else {**said, "tool_name": name}


def _prompted(members: Mapping[str, Any]) -> list[Any]:
    prompt, system = members.get("prompt") or "", members.get("system")
    if not isinstance(prompt, str):
        raise Refusal(400, "invalid_request", "prompt: expected a string", param="prompt")
    images = members.get("images")
    if not prompt and not images:
        return []
    asked = {"role": "user", "content": prompt, **({"images": images} if images else {})}
    return [{"role": "system", "content": system}, asked] if system else [asked]


def _options(members: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    options = sampling(members, lenient=lenient)
    form, think = format_of(members), members.get("think")
    if form is not None:
        options["response_format"] = form
    if think is not None:
        options["reasoning_effort"] = _EFFORTS[think] if isinstance(think, bool) else think
    if members.get("logprobs"):
        options["logprobs"] = True
        if members.get("top_logprobs"):
            options["top_logprobs"] = members["top_logprobs"]
    if members.get("tools"):
        options["tools"] = members["tools"]
    return options


def _completion(members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
    leftover(_filled(members), _COMPLETE, _IGNORED, lenient=lenient)
    options = sampling(members, lenient=lenient)
    if members.get("suffix"):
        options["suffix"] = members["suffix"]
    if members.get("logprobs"):
        options["logprobs"] = members.get("top_logprobs") or 0
    return members.get("prompt") or "", options


def _beside(message: Message) -> dict[str, Any]:
    calls = [_call(part, index) for index, part in enumerate(message.tool_calls)]
    images = [part.base64() for part in message.content if isinstance(part, Image) and part.data is not None]
    return {**({"images": images} if images else {}), **({"tool_calls": calls} if calls else {})}


def _call(call: ToolCall, index: int) -> dict[str, Any]:
    try:
        arguments = call.parse_arguments()
    except ValueError:
        message = f"the model called the tool {call.name!r} with arguments that are not the JSON object of this API"
        raise Refusal(502, "server", message) from None
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": arguments}}


def _end(answer: ChatResponse | CompletionResponse) -> dict[str, Any]:
    choice = answer.choices[0]
    reason = "stop" if choice.finish_reason in {None, "tool_calls"} else choice.finish_reason
    told = {} if choice.logprobs is None else {"logprobs": logprobs(choice.logprobs)["content"]}
    return {"done": True, "done_reason": reason, **counts(answer, answer.usage), **told}


class _Writer:
    """Lines; each has the same beginning, which is written once."""

    def __init__(self, model: str, *, is_chat: bool) -> None:
        self._model = model
        self._is_chat = is_chat
        self._before = strict_json.dumps(head(model))[:-1]
        self._calls = 0

    def begin(self) -> bytes:
        """Return nothing: the first event is the first line."""
        return b""

    def event(self, event: Any) -> bytes:
        """Return a line."""
        kind = type(event)
        if kind is TextDelta or kind is RefusalDelta:
            return self._line(strict_json.dumps(event.text), b"")
        if kind is ReasoningDelta:
            return self._line(b'""', b',"thinking":%b' % strict_json.dumps(event.text))
        if kind is BlockEnd and self._is_chat:
            return b"".join(self._whole(event.part))
        return b""

    def end(self, answer: ChatResponse | CompletionResponse) -> bytes:
        """Return the last line."""
        said: dict[str, Any] = {"message": {"role": "assistant", "content": ""}} if self._is_chat else {"response": ""}
        return strict_json.dumps({**head(self._model), **said, **_end(answer)}) + b"\n"

    def _whole(self, part: Any) -> Iterator[bytes]:
        """Write what comes as a whole."""
        if isinstance(part, ToolCall):
            yield self._line(b'""', b',"tool_calls":%b' % strict_json.dumps([_call(part, self._calls)]))
            self._calls += 1
        elif isinstance(part, Image) and part.data is not None:
            yield self._line(b'""', b',"images":%b' % strict_json.dumps([part.base64()]))

    def _line(self, text: bytes, beside: bytes) -> bytes:
        form = b'%b,"message":{"role":"assistant","content":%b%b},"done":false}\n'
        if not self._is_chat:
            form = b'%b,"response":%b%b,"done":false}\n'
        return form % (self._before, text, beside)
