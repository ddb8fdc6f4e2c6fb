"""OpenAI's dialect as TGI speaks it: what it ignores or refuses outward, and what it says otherwise inward."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import APIStatusError, InvalidRequestError, InvalidResponseError, UnprocessableEntityError
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
from ipfs_accel.wire.documents import text_of
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.sse import ServerSentEvent

from ._errors import exact
from ._generation import PIECE
from ._stops import REASONS, without_stop
from ._tgi_tools import without_references, written

__all__ = [
    "ChatEvents",
    "CompletionEvents",
    "chat_body",
    "check",
    "doubt",
    "doubt_of_texts",
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
                if isinstance(each, Audio) or (isinstance(each, Document) and text_of(each) is None):
                    raise InvalidRequestError(f"messages[{index}]: TGI reads texts and pictures, not {each.kind} parts")


def chat_body(body: Json, request: ChatRequest) -> Json:
    """Write a chat's body as TGI wants it."""
    without_defaults(body, request)
    if "messages" not in request.extra:
        body["messages"] = [_message(message) for message in body["messages"]]
    if request.tools and "tools" not in request.extra:
        body["tools"] = without_references(body["tools"])
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


def _message(message: Json) -> Json:
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content")
    if message.get("refusal"):
        content = f"{content or ''}{message['refusal']}"
    rest = {name: value for name, value in message.items() if name not in {"role", "content", "refusal"}}
    made = {"role": role, "content": "" if content is None else content, **rest}
    return written(made) if message.get("tool_calls") else made


def read_chat(response: HttpResponse, request: ChatRequest) -> ChatResponse:
    """Read a chat's answer; reasons get their usual names, and a stop text is not part of the answer."""
    answer = answers.read_chat(response)
    choices = []
    for choice in answer.choices:
        message = choice.message
        if choice.finish_reason == "stop_sequence":
            message = _cut(message, request.stop)
        elif choice.finish_reason == "length" and not message.content and choice.logprobs:
            # A text that ends inside a character comes empty, though its tokens are there.
            message = attrs.evolve(message, content=(Text(text="".join([each.token for each in choice.logprobs])),))
        reason = REASONS.get(choice.finish_reason or "", choice.finish_reason)
        reason = settle_finish_reason(reason, has_tool_calls=bool(message.tool_calls))
        choices.append(attrs.evolve(choice, message=message, finish_reason=reason))
    return _of_second(attrs.evolve(answer, choices=tuple(choices)), response, request)


def _of_second(answer: ChatResponse, response: HttpResponse, request: ChatRequest) -> ChatResponse:
    """Drop what is of another generation.

    Where a model chooses none of the tools, the server generates anew without them, and tells the end, the count and
    the log probabilities of the first one, which nobody sees. The header has the count of the second.
    """
    count = response.headers.get("x-generated-tokens", "")
    if not request.tools or answer.tool_calls or not count.isdecimal() or int(count) == answer.usage.output_tokens:
        return answer
    reason = "length" if request.max_tokens is not None and int(count) >= request.max_tokens else None
    choices = [attrs.evolve(choice, finish_reason=reason, logprobs=None) for choice in answer.choices]
    usage = attrs.evolve(answer.usage, output_tokens=int(count))
    return attrs.evolve(answer, choices=tuple(choices), usage=usage)


def doubt(answer: ChatResponse, limit: int | None) -> str | None:
    """Say what the server does not: that it made more than was asked for, or lost the text."""
    made = answer.usage.output_tokens or 0
    if (said := _exceeded(made, limit)) is not None:
        return said
    if made and answer.finish_reason == "length" and not answer.message.content:
        return "the answer ends inside a character, and TGI has lost its text: stream it, or ask for logprobs"
    return None


def doubt_of_texts(answer: CompletionResponse, limit: int | None) -> str | None:
    """Say the same of a completion, whose texts cannot be cut as nothing tells where their tokens end."""
    return _exceeded(answer.usage.output_tokens or 0, None if limit is None else limit * len(answer.choices))


def _exceeded(made: int, limit: int | None) -> str | None:
    if limit is None or not PIECE < limit < made:
        return None
    return f"TGI made {made} tokens and not the {limit} of max_tokens, since it makes them in pieces of 1,024"


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

    def __init__(self, request: ChatRequest) -> None:
        super().__init__()
        self._limit, self._has_tools = request.max_tokens, bool(request.tools)
        self._is_exceeded = self._limit is not None and self._limit > PIECE
        self._count = 0

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event, which has one token unless it is of a tool call."""
        if self._has_tools and not out.choices and event.data.startswith("[DONE]"):
            raise self._no_call(out)
        try:
            super().__call__(event, out)
        except APIStatusError as error:
            raise exact(error) from None
        if self._limit is None or not self._is_exceeded or not out.choices or out.is_done:
            return
        self._count += 1
        if self._count >= self._limit and not out.choices[0].finish_reason:
            # The server would go on to the next multiple of 1,024.
            out.usage = out.usage or Usage(output_tokens=self._count)
            out.finish("length")
            out.done()

    def _no_call(self, out: Assembler[ChatResponse]) -> APIStatusError:
        """Return the error that this route does not tell: that the model wrote no call, or only a part of one."""
        made = out.usage.output_tokens if out.usage is not None else None
        is_cut = self._limit is not None and made is not None and made >= self._limit
        error = UnprocessableEntityError(
            "Tool error: the stream ended without a text and without a tool call",
            code="tool_error",
            hint="the limit cut the call in its middle: give it more max_tokens" if is_cut else None,
        )
        error.retryable = not is_cut
        return error


_END = "text of the end token"


class CompletionEvents:
    """Tells an assembler what a completion's events mean; made anew for each stream."""

    def __init__(self, request: CompletionRequest, memo: MutableMapping[Any, Any]) -> None:
        limit = request.extra.get("max_tokens", request.max_tokens)
        self._memo = memo
        self._limit = limit if isinstance(limit, int) and limit > PIECE else None
        self._made = [0] * len(request.prompt)

    def __call__(self, event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
        """Take one event; each prompt's last one has the tokens of that prompt alone."""
        if self._limit is None:
            self._take(event, out)
            return
        made = self._made
        index = _choice_of(event)
        if index is None or index >= len(made):
            self._take(event, out)
        elif made[index] < self._limit:
            made[index] += 1
            self._take(event, out)
            if made[index] == self._limit and not out.choices[index].finish_reason:
                # The server would go on to the next multiple of 1,024.
                out.finish("length", index)
                out.usage = _added(out.usage, Usage(output_tokens=made[index]))
                if sum(bool(each.finish_reason) for each in out.choices.values()) == len(made):
                    out.done()

    def _take(self, event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
        if "eos_token" in event.data or ('"length"' in event.data and _END in self._memo):
            event = _without_end_token(event, self._memo)
        before, out.usage = out.usage, None
        try:
            openai_streams.decode_completion(event, out)
        except APIStatusError as error:
            raise exact(error) from None
        out.usage = _added(before, out.usage)


def _choice_of(event: ServerSentEvent) -> int | None:
    """Return which text an event goes on with; each has one token of one of them."""
    if not event.data.startswith("{"):
        return None
    choices = strict_json.loads(event.data).get("choices")
    return choices[0].get("index") or 0 if choices else None


def _without_end_token(event: ServerSentEvent, memo: MutableMapping[Any, Any]) -> ServerSentEvent:
    """Take out the text of the end token, which this route does not keep apart from the answer.

    One that is the last token that was allowed is told as `length`, and known by the text that it had before.
    """
    chunk = strict_json.loads(event.data)
    for choice in chunk.get("choices") or () if isinstance(chunk, dict) else ():
        reason, text = choice.get("finish_reason"), choice.get("text")
        if reason == "eos_token":
            memo[_END] = text
        if reason == "eos_token" or (reason == "length" and text == memo.get(_END)):
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
