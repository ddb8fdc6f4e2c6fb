"""Answers and streams of /api/chat, /api/generate and /api/embed to typed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs
from ipfs_accel.errors import StreamIncomplete
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    CompletionChoice,
    CompletionResponse,
    EmbedResponse,
    Message,
    Part,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler, settle_finish_reason, tool_call_id
from ipfs_accel.wire.fields import field, rest
from ipfs_accel.wire.halves import mended, written
from ipfs_accel.wire.ndjson import NDJSONDecoder
from ipfs_accel.wire.openai_answers import token_logprobs
from ipfs_accel.wire.returned import beside_call
from ipfs_accel.wire.vectors import vectors

from ._errors import checked, read_line

__all__ = [
    "ChatDecoder",
    "Durations",
    "GenerateDecoder",
    "durations",
    "lines",
    "read_chat",
    "read_completion",
    "read_embeddings",
]

Json = dict[str, Any]
A = TypeVar("A", ChatResponse, CompletionResponse)

# What has a place of its own in our types; everything else of an answer goes into `extra`.
_KNOWN = {"model", "message", "response", "logprobs", "done", "done_reason", "prompt_eval_count", "eval_count"}
_MESSAGE = frozenset({"role", "content", "thinking", "images", "tool_calls", "tool_name"})
_PER_SECOND = 1e9
MAX_LINE_BYTES = 8 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Durations:
    """Where the server's own time went, in seconds; None where it does not tell.

    Attributes:
        total: All of it.
        load: For loading the model.
        prompt: For reading the prompt.
        generation: For generating the answer.
        tokens_per_second: Generated tokens by the time for them.
    """

    total: float | None = None
    load: float | None = None
    prompt: float | None = None
    generation: float | None = None
    tokens_per_second: float | None = None


def durations(answer: ChatResponse | CompletionResponse) -> Durations:
    """Read the durations of an answer, which Ollama gives in nanoseconds and `extra` has as they came."""

    def seconds(name: str) -> float | None:
        value = answer.extra.get(name)
        return value / _PER_SECOND if isinstance(value, int | float) else None

    generation, tokens = seconds("eval_duration"), answer.usage.output_tokens
    return Durations(
        total=seconds("total_duration"),
        load=seconds("load_duration"),
        prompt=seconds("prompt_eval_duration"),
        generation=generation,
        tokens_per_second=tokens / generation if tokens and generation else None,
    )


def lines() -> NDJSONDecoder:
    """Make the decoder of a stream's lines, which may be as long as Ollama's own client accepts them."""
    return NDJSONDecoder(max_event_bytes=MAX_LINE_BYTES)


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read a whole answer to a chat.

    Raises:
        StreamIncomplete: It is cut off: the server gave up in its middle, for example on endless repetition.
    """
    body = checked(response.json())
    message = field(body, "message", dict)
    parts = tuple(_parts(message))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    reason = settle_finish_reason(body.get("done_reason"), has_tool_calls=has_calls)
    choice = Choice(
        message=Message(role="assistant", content=parts, extra=rest(message, _MESSAGE)),
        finish_reason=reason,
        logprobs=_logprobs(body) or None,
    )
    answer = ChatResponse(
        model=body.get("model"), choices=(choice,), usage=_usage(body), extra=rest(body, _KNOWN), raw=body
    )
    return _whole(body, answer)


def read_completion(response: HttpResponse) -> CompletionResponse:
    """Read a whole completion; raises as `read_chat` does."""
    body = checked(response.json())
    choice = CompletionChoice(
        text=mended(field(body, "response", str)),
        finish_reason=body.get("done_reason"),
        logprobs=_logprobs(body) or None,
    )
    answer = CompletionResponse(
        model=body.get("model"), choices=(choice,), usage=_usage(body), extra=rest(body, _KNOWN), raw=body
    )
    return _whole(body, answer)


def read_embeddings(response: HttpResponse, count: int, dimensions: int | None) -> EmbedResponse:
    """Read `count` vectors of so many numbers; None for any."""
    body = checked(response.json(vectors=True))
    found = vectors(field(body, "embeddings", list), count, dimensions)
    usage = Usage(input_tokens=body.get("prompt_eval_count"))
    return EmbedResponse(vectors=found, model=body.get("model"), usage=usage, raw=body)


def _whole(body: Json, answer: A) -> A:
    # A rendering of the prompt alone is whole without being done.
    if not body.get("done") and "_debug_info" not in body:
        error = StreamIncomplete("the server ended the answer before it was done", body=body)
        error.partial = answer
        raise error
    return answer


def _parts(message: Json) -> Iterator[Part]:
    if message.get("thinking"):
        yield Reasoning(text=mended(field(message, "thinking", str)))
    if message.get("content"):
        yield Text(text=mended(field(message, "content", str)))
    ids: list[str] = []
    for index, call in enumerate(message.get("tool_calls") or ()):
        name, arguments = _called(call)
        ids.append(tool_call_id(call.get("id"), index, ids))
        yield ToolCall(id=ids[-1], name=name, arguments=arguments, extra=beside_call(call))


def _called(call: Json) -> tuple[str, str]:
    """Return name and arguments of a tool call, the latter as JSON text: there is an object, a text or nothing."""
    function = field(call, "function", dict)
    arguments = function.get("arguments") or {}
    return field(function, "name", str), arguments if isinstance(arguments, str) else written(arguments)


def _logprobs(body: Json) -> tuple[TokenLogprob, ...]:
    return tuple(token_logprobs(body.get("logprobs")))


def _usage(body: Mapping[str, Any]) -> Usage:
    """Read the counts of an answer; a missing one means none generated, but an unknown number read."""
    output = body.get("eval_count", 0) if body.get("done") else None
    return Usage(input_tokens=body.get("prompt_eval_count"), output_tokens=output)


class ChatDecoder:
    """Tells an assembler what the lines of a chat mean; only a line that says done completes it."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, line: str, out: Assembler[ChatResponse]) -> None:
        """Take one line."""
        body = read_line(line)
        message = field(body, "message", dict)
        out.reasoning(message.get("thinking") or "")
        out.text(message.get("content") or "")
        for call in message.get("tool_calls") or ():
            # Each call comes whole, and servers number them from 0 in every line.
            name, arguments = _called(call)
            out.tool_call(self._calls, id=call.get("id"), name=name, arguments=arguments, extra=beside_call(call))
            self._calls += 1
        if not message.keys() <= _MESSAGE:
            out.beside(rest(message, _MESSAGE))
        _common(body, out)


class GenerateDecoder:
    """Likewise for a completion, whose thoughts have no place in the answer but `extra`."""

    def __init__(self) -> None:
        self._thoughts: list[str] = []

    def __call__(self, line: str, out: Assembler[CompletionResponse]) -> None:
        """Take one line."""
        body = read_line(line)
        thought = body.pop("thinking", None)
        if thought:
            self._thoughts.append(thought)
            out.reasoning(thought)
            out.extra["thinking"] = mended("".join(self._thoughts))
        out.text(field(body, "response", str))
        _common(body, out)


def _common(body: Json, out: Assembler[Any]) -> None:
    """Tell what the lines of both have beside the answer's text."""
    out.start(model=body.get("model"))
    out.logprobs(_logprobs(body))
    if not body.get("done"):
        return
    out.extra |= rest(body, _KNOWN)
    out.usage = _usage(body)
    if body.get("done_reason"):
        out.finish(body["done_reason"])
    out.done()
