"""OpenAI's dialect, inward: whole answers to typed values.

Servers differ: fields are null, absent or of a neighbouring form. What a server may leave out is optional here; what no
answer can do without raises an `InvalidResponseError` that names it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ipfs_accel import types
from ipfs_accel._beside import beside_call
from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, Choice, Message, Reasoning, Refusal, Text, TokenLogprob, ToolCall, Usage
from ipfs_accel.types._answers import UNKNOWN_USAGE

from ._settled import choice_index, settle_finish_reason, sound, tool_call_id
from .fields import field, id_of, rest
from .halves import mended
from .openai_errors import checked, failed_choice, in_list
from .openai_messages import (
    CHOICE,
    MESSAGE,
    calls_of,
    finish_reason,
    function_of,
    pictures,
    plain,
    thought_in,
    thoughts,
    unknown_in,
)
from .vectors import vectors

if TYPE_CHECKING:
    from ipfs_accel.types import CompletionChoice, CompletionResponse, EmbedResponse, ModelInfo, Part

__all__ = [
    "KNOWN",
    "chat_of",
    "completion_of",
    "embeddings_of",
    "logprobs_of",
    "read_chat",
    "read_completion",
    "read_embeddings",
    "read_model",
    "read_models",
    "read_usage",
    "token_logprobs",
    "usage_of",
]

Json = dict[str, Any]
A = TypeVar("A", ChatResponse, "CompletionResponse")

KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation", "error"})
"""What has a place of its own in our types; everything else at the top of an answer goes into `extra`."""


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read the answer of POST /chat/completions."""
    return chat_of(checked(response.json()))


def chat_of(body: Json) -> ChatResponse:
    """Read the JSON object of a chat's answer."""
    return _answer(body, ChatResponse, _chat_choice)


def _answer(body: Json, kind: type[A], read_choice: Callable[[Any, int], Any]) -> A:
    found = field(body, "choices", list)
    for choice in found:
        if isinstance(choice, dict) and (failure := failed_choice(choice, body)) is not None:
            raise failure
    choices = tuple([read_choice(choice, index) for index, choice in enumerate(found)])
    if not choices:
        raise InvalidResponseError("the answer has an empty list of choices")
    usage, beside = usage_of(body.get("usage") or found[0].get("usage"))
    extra = {} if body.keys() <= KNOWN else rest(body, KNOWN)
    if beside:
        extra["usage"] = beside
    return kind(id=id_of(body.get("id")), model=body.get("model"), choices=choices, usage=usage, extra=extra, raw=body)


def _chat_choice(choice: Any, position: int) -> Choice:
    message = field(choice, "message", dict)
    parts = tuple(_parts(message))
    beside = {} if message.keys() <= MESSAGE else unknown_in(message)
    has_calls = ToolCall in map(type, parts)
    reason = settle_finish_reason(finish_reason(choice.get("finish_reason")), has_tool_calls=has_calls)
    index = choice.get("index")
    return Choice(
        index=position if index is None else choice_index(index),
        message=Message(role="assistant", content=parts, extra=beside),
        finish_reason=reason,
        logprobs=tuple(logprobs_of(logprobs)) or None if (logprobs := choice.get("logprobs")) else None,
        extra={} if choice.keys() <= CHOICE else rest(choice, CHOICE),
    )


def _parts(message: Json) -> Iterator[Part]:
    content = message.get("content")
    is_plain = type(content) is str
    where, thought = thought_in(message)
    if thought:
        yield Reasoning(text=mended(thought), field=where)
    elif not is_plain and (thought := thoughts(content)):
        yield Reasoning(text=mended(thought), field="content")
    text = content if is_plain else plain(content)
    if text:
        yield Text(text=mended(text), annotations=tuple(message.get("annotations") or ()))
    if not is_plain or message.get("images"):
        yield from pictures(message)
    audio = message.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("data"), str):
        yield sound(base64.b64decode(audio["data"]), audio.get("id"), audio.get("transcript"))
    if message.get("refusal"):
        yield Refusal(text=mended(message["refusal"]))
    ids: list[str] = []
    for index, call in enumerate(calls_of(message) if message.get("tool_calls") else ()):
        name, arguments = function_of(call)
        ids.append(tool_call_id(call.get("id"), index, ids))
        yield ToolCall(id=ids[-1], name=name or "", arguments=mended(arguments), extra=beside_call(call))
    if isinstance(message.get("function_call"), dict):  # deprecated by OpenAI, still sent by old servers
        name, arguments = function_of({"function": message["function_call"]})
        yield ToolCall(id=tool_call_id(None, 0), name=name or "", arguments=arguments)


def usage_of(usage: Any) -> tuple[Usage, Json]:
    """Read token counts, and what a usage says that they have no place for: times, prices, counts of another kind.

    Details are parts of the totals; where a host counts what was thought beside, it is added.
    """
    if not isinstance(usage, dict):
        return UNKNOWN_USAGE, {}
    found = _counts(usage)
    beside = {} if usage.keys() <= _COUNTED else rest(usage, _COUNTED)
    for name, known in () if usage.keys() <= _PLAIN else _DETAILS.items():
        details = usage.get(name)
        if details and isinstance(details, dict) and not details.keys() <= known:
            unknown = {each: n for each, n in details.items() if n and each not in known}
            beside |= {name: unknown} if unknown else {}
    total = usage.get("total_tokens")
    if total and total != found.total_tokens:  # it counts something that nothing else tells
        beside["total_tokens"] = total
    return found, beside


def read_usage(usage: Any) -> Usage:
    """Read token counts alone."""
    return _counts(usage) if isinstance(usage, dict) else UNKNOWN_USAGE


def _counts(usage: Json) -> Usage:
    if usage.keys() <= _PLAIN:  # what most servers of one's own say
        return Usage(input_tokens=usage.get("prompt_tokens"), output_tokens=usage.get("completion_tokens"))
    inputs = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    outputs = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    output, thought = _first(usage, _OUTPUT), outputs.get("reasoning_tokens")
    if thought is None:
        thought = usage.get("reasoning_tokens")
    read, written = inputs.get("cached_tokens"), _first(inputs, _WRITTEN)
    found = Usage(
        input_tokens=_first(usage, _INPUT),
        output_tokens=output,
        cached_input_tokens=_first(usage, _READ_ABOVE) if read is None else read,
        cache_write_input_tokens=usage.get("cache_creation_input_tokens") if written is None else written,
        reasoning_tokens=thought,
        audio_input_tokens=inputs.get("audio_tokens"),
        audio_output_tokens=outputs.get("audio_tokens"),
    )
    if thought and output is not None and _is_beside(found, usage.get("total_tokens")):
        return attrs.evolve(found, output_tokens=output + thought)
    return found


# By what names hosts tell the same: OpenAI's two APIs; OpenAI, DeepSeek, Moonshot, and gateways to Claude.
_INPUT, _OUTPUT = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")
_READ_ABOVE = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens")
_OF_INPUT, _OF_OUTPUT = {"cached_tokens", *_WRITTEN, "audio_tokens"}, {"reasoning_tokens", "audio_tokens"}
_DETAILS = {
    "prompt_tokens_details": _OF_INPUT,
    "completion_tokens_details": _OF_OUTPUT,
    "input_tokens_details": _OF_INPUT,
    "output_tokens_details": _OF_OUTPUT,
}
_PLAIN = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_COUNTED = frozenset(
    {*_INPUT, *_OUTPUT, *_READ_ABOVE, *_DETAILS, "reasoning_tokens", "cache_creation_input_tokens", "total_tokens"}
)


def _first(usage: Json, names: tuple[str, ...]) -> Any:
    for name in names:
        value = usage.get(name)
        if value is not None:
            return value
    return None


def _is_beside(usage: Usage, total: Any) -> bool:
    """Whether what was thought is not in the output: xAI, and gateways to Gemini, tell it by the total alone."""
    output, thought = usage.output_tokens or 0, usage.reasoning_tokens or 0
    return thought > output or total == (usage.input_tokens or 0) + output + thought


def logprobs_of(logprobs: Any) -> Iterator[TokenLogprob]:
    """Read both forms: a list of token objects, and the parallel lists of the old completions API."""
    if not isinstance(logprobs, dict):
        return
    yield from token_logprobs([*(logprobs.get("content") or ()), *(logprobs.get("refusal") or ())])
    tops = logprobs.get("top_logprobs") or ()
    for index, (token, value) in enumerate(
        zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or (), strict=False)
    ):
        top = tops[index] if index < len(tops) else None
        alternatives = [TokenLogprob(token=name, logprob=each) for name, each in (top or {}).items()]
        alternatives.sort(key=lambda each: -each.logprob)
        yield TokenLogprob(token=token, logprob=value or 0.0, top=tuple(alternatives))


def token_logprobs(tokens: Any) -> Iterator[TokenLogprob]:
    """Read tokens with their log probabilities and their alternatives; one without text or number is no such thing."""
    for token in tokens or ():
        if not isinstance(token, dict):
            continue
        text, value, raw = token.get("token"), token.get("logprob"), token.get("bytes")
        if isinstance(text, str) and isinstance(value, int | float):
            yield TokenLogprob(
                token=text,
                logprob=value,
                bytes=None if raw is None else bytes(raw),
                top=tuple(token_logprobs(token.get("top_logprobs"))),
            )


def read_completion(response: HttpResponse) -> CompletionResponse:
    """Read the answer of POST /completions."""
    return completion_of(checked(response.json()))


def completion_of(body: Json) -> CompletionResponse:
    """Read the JSON object of a completion's answer."""
    return _answer(body, types.CompletionResponse, _completion_choice)


def _completion_choice(choice: Any, position: int) -> CompletionChoice:
    index = choice.get("index") if isinstance(choice, dict) else None
    return types.CompletionChoice(
        index=position if index is None else choice_index(index),
        text=mended(field(choice, "text", str)),
        finish_reason=finish_reason(choice.get("finish_reason")),
        logprobs=tuple(logprobs_of(choice.get("logprobs"))) or None,
        extra={} if choice.keys() <= CHOICE else rest(choice, CHOICE),
    )


def read_embeddings(response: HttpResponse, count: int, dimensions: int | None = None, first: int = 0) -> EmbedResponse:
    """Read the answer of POST /embeddings: vectors in base64 or as numbers, in any order; else as `wire.vectors`."""
    return embeddings_of(checked(response.json(vectors=True)), count, dimensions, first)


def embeddings_of(body: Json, count: int | None = None, dimensions: int | None = None, first: int = 0) -> EmbedResponse:
    """Read the JSON object of such an answer."""
    items = field(body, "data", list)
    if {*map(type, items)} - {dict}:
        raise InvalidResponseError(
            "the answer does not have the form of this API: 'data' has other things than objects"
        )
    if any(item.get("index", position) is not position for position, item in enumerate(items)):
        items = _in_order(items)
    found = vectors([item.get("embedding") for item in items], count, dimensions, first)
    return types.EmbedResponse(vectors=found, model=body.get("model"), usage=read_usage(body.get("usage")), raw=body)


def _in_order(items: list[Any]) -> list[Any]:
    """Return the vectors in the order of the inputs, each of which has to have one."""
    indexes = [item.get("index") for item in items]
    if all(index is None for index in indexes) or all(type(index) is int and index == 0 for index in indexes):
        return items  # Gemini's route numbers none of them, and others say null
    found: dict[int, Any] = {}
    for place, index in enumerate(indexes):
        if type(index) is not int or not 0 <= index < len(items) or index in found:
            raise InvalidResponseError(
                f"the answer's {len(items)} vectors do not have the indexes 0 to {len(items) - 1}, each once: "
                f"data[{place}] has {short(index)}",
                hint="which input is whose cannot be told: ask for each input alone",
            )
        found[index] = items[place]
    return [found[index] for index in range(len(items))]


def read_models(response: HttpResponse) -> tuple[ModelInfo, ...]:
    """Read the answer of GET /models; some servers give a bare list."""
    body = response.json()
    items = body if isinstance(body, list) and not in_list(body) else _listed(checked(body))
    return tuple([_model(item) for item in items])


def _listed(body: Json) -> list[Any]:
    """Return the items of a list; Ollama's is null where it has none."""
    return [] if "data" in body and body["data"] is None else field(body, "data", list)


def read_model(response: HttpResponse) -> ModelInfo:
    """Read the answer of GET /models/{id}."""
    return _model(checked(response.json()))


def _model(item: Any) -> ModelInfo:
    return types.ModelInfo(
        id=field(item, "id", str),
        owned_by=item.get("owned_by"),
        created=item.get("created"),
        retired=item.get("shutdown_date"),
        raw=item,
    )
