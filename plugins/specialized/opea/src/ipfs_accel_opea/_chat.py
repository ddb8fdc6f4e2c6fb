"""Chats and completions, outward. A microservice takes what its model takes; megaservices take less than they say."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatRequest, CompletionRequest, Message, Text
from ipfs_accel.wire import openai_requests as dialect
from ipfs_accel.wire import returned

from ._services import Service

__all__ = ["chat_body", "completion_body", "unsupported"]

Json = dict[str, Any]

# The microservice passes on only what it knows; a megaservice flattens the messages to one prompt and drops the rest.
_UNKNOWN = ("logit_bias", "logprobs", "top_logprobs", "parallel_tool_calls", "user", "reasoning_effort")
_DROPPED = (*_UNKNOWN, "tools", "tool_choice", "response_format", "stop", "seed", "n")
# A megaservice takes 0 for "not given" and puts its own default there.
_NEVER_ZERO = ("temperature", "top_p", "top_k", "max_tokens")
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def _is_llm(service: Service) -> bool:
    return service.name == "llm"


def _nowhere(_said: str | None) -> str:
    """A megaservice reads only who says what."""
    return ""


def unsupported(service: Service, request: ChatRequest) -> tuple[str, ...]:
    """Return the options that the service would drop or replace."""
    if _is_llm(service):
        return dialect.given(request, _UNKNOWN)
    zeros = tuple([name for name in _NEVER_ZERO if getattr(request, name) == 0])
    return (*dialect.given(request, _DROPPED), *zeros)


def kept_back(service: Service, request: ChatRequest) -> tuple[str, ...]:
    """Return what models said before and the service does not take."""
    return () if _is_llm(service) else returned.kept_back(request.messages, lambda _message, _part: False, extra=False)


def chat_body(service: Service, request: ChatRequest, *, stream: bool) -> Json:
    """Make the body of a chat; `stream` is always said, since services differ in what they do without it."""
    if _is_llm(service):
        body = dialect.chat_body(request, stream=stream, leave_out=_UNKNOWN)
        body.pop("stream_options", None)
    else:
        left_out = unsupported(service, request)
        body = {"messages": _flat(request)}
        for name in ("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"):
            value = getattr(request, name)
            if value is not None and name not in left_out:
                body[name] = value
        if service.name == "docsum":
            body["type"] = "text"
    return {**body, "stream": stream, **request.extra}


def _flat(request: ChatRequest) -> Any:
    """Return a single text as it is, which the server passes on unchanged, and a conversation as messages."""
    messages = request.messages
    if (
        len(messages) == 1
        and messages[0].role == "user"
        and all(isinstance(part, Text) for part in messages[0].content)
    ):
        return messages[0].text
    found = []
    for index, message in enumerate(messages):
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequestError(
                f"messages[{index}].role: a megaservice knows no {message.role!r}", hint="chat with the llm service"
            )
        found.append(Message(role=role, content=message.content))  # type: ignore[arg-type]
    return dialect.wire_messages(found, place=_nowhere, extra=False)


def completion_body(request: CompletionRequest, *, stream: bool) -> Json:
    """Make the body of a text completion, which is the microservice's form with `query`."""
    if len(request.prompt) != 1 or not isinstance(request.prompt[0], str):
        raise InvalidRequestError("prompt: OPEA's services take one text", hint="make a call for each")
    body: Json = {"query": request.prompt[0]}
    if request.model and request.model != "llm":
        body["model"] = request.model
    for name in ("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    return {**body, "stream": stream, **request.extra}


COMPLETION_DROPPED = ("seed", "stop", "n", "logit_bias", "user", "suffix", "echo", "logprobs")
