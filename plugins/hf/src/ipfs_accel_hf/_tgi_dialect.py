"""OpenAI's dialect as TGI speaks it: what it ignores or refuses outward, and what it says otherwise inward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import APIStatusError, InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    Document,
    JsonSchema,
    Message,
    Text,
    TokenizeResponse,
    ToolResult,
    Usage,
)
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire import openai_streams
from ipfs_accel.wire.assembler import Assembler, settle_finish_reason
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.sse import ServerSentEvent

from ._errors import exact
from ._stops import REASONS, without_stop

__all__ = [
    "ChatEvents",
    "CompletionEvents",
    "chat_body",
    "check",
    "read_chat",
    "read_completion",
    "read_tokens",
    "refused",
    "without_defaults",
]

Json = dict[str, Any]

_IGNORED_IN_CHATS = ("top_k", "logit_bias", "user", "parallel_tool_calls", "reasoning_effort")
_IGNORED_IN_COMPLETIONS = ("top_k", "logit_bias", "user", "presence_penalty", "suffix", "echo", "logprobs")


def refused(request: Any) -> tuple[str, ...]:
    """Return the options that the server ignores or refuses; one answer is what it gives anyway."""
    names = _IGNORED_IN_COMPLETIONS if isinstance(request, CompletionRequest) else _IGNORED_IN_CHATS
    return names if request.n in {None, 1} else (*names, "n")


def check(request: ChatRequest) -> None:
    """Refuse what no server of this kind can take.

    Raises:
        InvalidRequestError: Free JSON is wanted, a schema and tools together, or a message has sound or a file in it.
    """
    if request.response_format == "json":
        raise InvalidRequestError(
            "response_format: TGI follows a schema and cannot be held to free JSON", hint="give a JsonSchema"
        )
    if isinstance(request.response_format, JsonSchema) and request.tools:
        raise InvalidRequestError(
            "response_format: TGI takes a schema or tools, not both", hint="leave out one of them"
        )
    for index, message in enumerate(request.messages):
        for part in message.content:
            for each in part.content if isinstance(part, ToolResult) else (part,):
                if isinstance(each, Audio | Document):
                    raise InvalidRequestError(f"messages[{index}]: TGI reads texts and pictures, not {each.kind} parts")


def chat_body(body: Json, request: ChatRequest) -> Json:
    """Write a chat's body as TGI wants it."""
    without_defaults(body, request)
    if "messages" not in request.extra:
        body["messages"] = [each for message in body["messages"] for each in _messages(message)]
    if "response_format" not in request.extra:
        if isinstance(request.response_format, JsonSchema):
            # A grammar with `value`; OpenAI's own form is refused.
            body["response_format"] = {"type": "json_object", "value": request.response_format.schema}
        else:
            body.pop("response_format", None)
    return body


def without_defaults(body: Json, request: Any) -> Json:
    """Leave out values that mean "no change" elsewhere and something else here.

    `top_p` has to be below 1, and a `presence_penalty` of 0 would become a repetition penalty of 2.
    """
    if body.get("top_p") is not None and body["top_p"] >= 1 and "top_p" not in request.extra:
        del body["top_p"]
    if body.get("presence_penalty") == 0 and "presence_penalty" not in request.extra:
        del body["presence_penalty"]
    return body


def _messages(message: Json) -> list[Json]:
    """Write one message; the server reads either its content or its tool calls, so both become two messages."""
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content")
    if message.get("refusal"):
        content = f"{content or ''}{message['refusal']}"
    rest = {name: value for name, value in message.items() if name not in {"role", "content", "refusal", "tool_calls"}}
    calls = message.get("tool_calls")
    if not calls:
        return [{"role": role, "content": "" if content is None else content, **rest}]
    said = [{"role": role, "content": content, **rest}] if content else []
    return [*said, {"role": role, "tool_calls": calls, **rest}]


def read_chat(response: HttpResponse, stops: Sequence[str] | None) -> ChatResponse:
    """Read a chat's answer; reasons get their usual names, and a stop text is not part of the answer."""
    answer = answers.read_chat(response)
    choices = []
    for choice in answer.choices:
        message = choice.message
        if choice.finish_reason == "stop_sequence":
            message = _cut(message, stops)
        reason = REASONS.get(choice.finish_reason or "", choice.finish_reason)
        reason = settle_finish_reason(reason, has_tool_calls=bool(message.tool_calls))
        choices.append(attrs.evolve(choice, message=message, finish_reason=reason))
    return attrs.evolve(answer, choices=tuple(choices))


def _cut(message: Message, stops: Sequence[str] | None) -> Message:
    parts = [
        attrs.evolve(part, text=without_stop(part.text, stops)) if isinstance(part, Text) else part
        for part in message.content
    ]
    return attrs.evolve(message, content=tuple(parts))


def read_completion(response: HttpResponse, stops: Sequence[str] | None) -> CompletionResponse:
    """Read a completion's answer, whose choices come in the order in which they were finished."""
    answer = answers.read_completion(response)
    choices = [
        attrs.evolve(
            choice,
            text=without_stop(choice.text, stops) if choice.finish_reason == "stop_sequence" else choice.text,
            finish_reason=REASONS.get(choice.finish_reason or "", choice.finish_reason),
        )
        for choice in sorted(answer.choices, key=lambda choice: choice.index)
    ]
    return attrs.evolve(answer, choices=tuple(choices))


class ChatEvents(openai_streams.ChatDecoder):
    """Tells an assembler what a chat's events mean; an error among them has a form of its own."""

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event."""
        try:
            super().__call__(event, out)
        except APIStatusError as error:
            raise exact(error) from None


class CompletionEvents:
    """Tells an assembler what a completion's events mean; made anew for each stream."""

    def __call__(self, event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
        """Take one event; each prompt's last one has the tokens of that prompt alone."""
        if "eos_token" in event.data:
            event = _without_end_token(event)
        before, out.usage = out.usage, None
        try:
            openai_streams.decode_completion(event, out)
        except APIStatusError as error:
            raise exact(error) from None
        out.usage = _added(before, out.usage)


def _without_end_token(event: ServerSentEvent) -> ServerSentEvent:
    """Take out the text of the end token, which this route does not keep apart from the answer."""
    chunk = strict_json.loads(event.data)
    for choice in chunk.get("choices") or () if isinstance(chunk, dict) else ():
        if choice.get("finish_reason") == "eos_token":
            choice["text"] = ""
    return ServerSentEvent(event.event, strict_json.dumps(chunk).decode())


def _added(left: Usage | None, right: Usage | None) -> Usage | None:
    if left is None or right is None:
        return left or right
    return Usage(
        input_tokens=(left.input_tokens or 0) + (right.input_tokens or 0),
        output_tokens=(left.output_tokens or 0) + (right.output_tokens or 0),
    )


def read_tokens(response: HttpResponse, *, add_special: bool) -> TokenizeResponse:
    """Read the answer of POST /tokenize."""
    body = response.json()
    if not isinstance(body, list):
        raise InvalidResponseError(f"the answer is a JSON {type(body).__name__} instead of a list of tokens")
    kept = body
    if not add_special:
        covering = [index for index, token in enumerate(body) if token["stop"] > token["start"]]
        if covering:
            kept = body[covering[0] : covering[-1] + 1]
    return TokenizeResponse(tokens=tuple([field(token, "id", int) for token in kept]), raw=body)
