"""What middleware works with: the call that it is in, questions of its own, and the texts of requests and answers.

Middleware is any object with `api_version` and at least one of the hooks `rewrite_request`, `rewrite_answer`,
`rewrite_event`, `end_stream` and `call_finished` (see `ipfs_accel.hookspecs`). It stands between callers and all
backends, each outside of the next, in the order in which it is named.

    from ipfs_accel import Client, hookimpl
    from ipfs_accel.middleware import map_texts

    class Discretion:
        api_version = 1

        @hookimpl
        def rewrite_request(self, request):
            return map_texts(request, lambda text: text.replace("Project Zebra", "the project"))

    client = Client(middleware=[Discretion()])
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import attrs

from ipfs_accel._values import define, frozen

from .types import Answer, Reasoning, Request, ToolCall

__all__ = ["Ask", "CallContext", "map_texts", "texts_of"]

T = TypeVar("T")


@define(kw_only=True, eq=False)
class CallContext:
    """A call, as one middleware sees it.

    Attributes:
        operation: Name of the operation, or of the backend's own call.
        targets: What it may go to, as `endpoint/model` (or the endpoint alone): the first, then the fallbacks.
        request: What the caller asked; after `rewrite_request`, what this middleware made of it.
        memo: Where this middleware may remember something until the call's end.
    """

    operation: str
    targets: tuple[str, ...]
    request: Any
    memo: dict[Any, Any] = attrs.field(factory=dict, repr=False)


@frozen
class Ask:
    """A call of middleware's own, to be yielded by its hooks.

    It goes through the middleware that is further in, never through the one that asks, and has its own time limits.

    Attributes:
        operation: One with a whole answer that takes a model, such as chat, moderate or embed.
        model: As a caller would name it: `endpoint/model`, an alias or a route.
        value: The main argument of the client's method of that name, such as messages or inputs.
        options: Its options.
    """

    operation: str
    model: str
    value: Any
    options: Mapping[str, Any] = attrs.field(factory=dict)


# Class to the fields that hold texts, or hold what holds texts. Names, since many of these classes load late.
_FIELDS: dict[str, tuple[str, ...]] = {
    "Audio": ("transcript",),
    "AudioDelta": ("transcript",),
    "BatchItem": ("request",),
    "BatchRequest": ("items",),
    "BatchResult": ("response",),
    "BlockEnd": ("part",),
    "ChatRequest": ("messages",),
    "ChatResponse": ("choices",),
    "Choice": ("message", "extra"),
    "ClassifyRequest": ("inputs",),
    "CompletionChoice": ("text", "extra"),
    "CompletionRequest": ("prompt", "suffix"),
    "CompletionResponse": ("choices",),
    "CreateModelRequest": ("system", "messages"),
    "DetokenizeResponse": ("text",),
    "EditImageRequest": ("prompt", "negative_prompt"),
    "EmbedRequest": ("inputs",),
    "GenerateImageRequest": ("prompt", "negative_prompt"),
    "GeneratedImage": ("revised_prompt",),
    "ImageResponse": ("images", "text"),
    "Message": ("content",),
    "ModerateRequest": ("inputs",),
    "RankedDocument": ("document",),
    "RawRequest": ("query", "json", "fields"),
    "Reasoning": ("text",),
    "ReasoningDelta": ("text",),
    "Refusal": ("text",),
    "RefusalDelta": ("text",),
    "RerankRequest": ("query", "documents"),
    "RerankResponse": ("results",),
    "Segment": ("text", "raw"),
    "SpeakRequest": ("text", "instructions"),
    "Text": ("text",),
    "TextDelta": ("text",),
    "TokenizeRequest": ("text",),
    "ToolResult": ("content",),
    "TranscribeRequest": ("prompt",),
    "TranscribeResponse": ("text", "segments", "words"),
    "VaryImageRequest": ("negative_prompt",),
}
# Likewise to the field that is a body of the provider's own, JSON or text.
_JSON_FIELDS: dict[str, str] = {"RawResponse": "body", "ServerEvent": "data"}


def map_texts(value: T, function: Callable[[str], str]) -> T:
    """Return a request, an answer, an event or a part of one with every text replaced by what the function makes of it.

    Texts are what people, models and tools said: messages with tool results and the strings in a tool call's
    arguments, prompts, inputs and documents, `user` and `extra` of requests, `raw` and `extra` of answers, bodies of
    requests that a caller has written and of their answers, and all strings in plain lists and mappings. What is not
    text passes unchanged: pictures, sound, documents, token ids, tensors, uploads, tool definitions, pieces of a tool
    call's arguments while it comes (`ToolCallDelta`), and what has to go back to its provider as it came (`Opaque`,
    reasoning with a signature, `extra` of messages and calls). A value without a change is returned itself.
    """
    if isinstance(value, str):
        return function(value)  # type: ignore[return-value]
    if isinstance(value, ToolCall):
        return _changed(value, {"arguments": _map_json(value.arguments, function)})
    kind = type(value).__name__
    if kind in _JSON_FIELDS:
        name = _JSON_FIELDS[kind]
        return _changed(value, {name: _map_body(getattr(value, name), function)})
    plain: Any = None
    if isinstance(value, Mapping):
        plain = {name: map_texts(each, function) for name, each in value.items()}
    elif isinstance(value, list | tuple):
        plain = type(value)([map_texts(each, function) for each in value])
    if plain is not None:
        return value if plain == value else cast("T", plain)
    names = _FIELDS.get(kind, ())
    if isinstance(value, Request):
        names = (*names, "user", "extra") if hasattr(value, "user") else (*names, "extra")
    elif isinstance(value, Answer):
        names = (*names, "raw", "extra") if hasattr(value, "extra") else (*names, "raw")
    elif isinstance(value, Reasoning) and value.signature is not None:
        return value
    return _changed(value, {name: map_texts(getattr(value, name), function) for name in names})


def texts_of(value: Any) -> list[str]:
    """Return every text of a request, an answer or an event, as `map_texts` finds them."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    map_texts(attrs.evolve(value, raw=None) if isinstance(value, Answer) else value, note)
    return found


def _changed(value: T, fields: dict[str, Any]) -> T:
    changes = {name: new for name, new in fields.items() if new is not getattr(value, name)}
    return attrs.evolve(value, **changes) if changes else value  # type: ignore[misc]


def _map_json(text: str, function: Callable[[str], str]) -> str:
    """Replace the strings in JSON text; one that is no JSON, as models may write it, is taken as plain text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return function(text)
    mapped = map_texts(value, function)
    return text if mapped is value else json.dumps(mapped, ensure_ascii=False)


def _map_body(body: Any, function: Callable[[str], str]) -> Any:
    """Replace the strings in a body that is JSON, or the whole if it is another text."""
    if isinstance(body, str):
        return _map_json(body, function)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    mapped = _map_json(text, function)
    return body if mapped == text else mapped.encode()
