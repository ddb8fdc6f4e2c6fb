"""The line that a row has in the output: its id, as it has it itself, and its answer or its error.

Nothing is said of how that came about: no line has a time, an attempt, or an id that a request was given, so that equal
answers give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel.errors import AccelError
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    ClassifyResponse,
    CompletionResponse,
    EmbedResponse,
    Refusal,
    RerankResponse,
    Text,
    Usage,
)

from .row import Row

__all__ = ["error_line", "line_of"]

_TOKENS = tuple([each.name for each in attrs.fields(Usage)])


def line_of(operation: str, row: Row, answer: Any) -> bytes:
    """Return the line of an answer.

    Raises:
        ValueError: Something in it has no form in JSON, such as a score that is no number.
    """
    said: dict[str, Any] = {row.field: row.id, **_WRITERS[operation](answer)}
    if answer.model is not None:
        said["model"] = answer.model
    used = answer.usage
    tokens = {each: number for each in _TOKENS if (number := getattr(used, each)) is not None}
    if tokens:
        said["usage"] = tokens
    return strict_json.dumps(said)


def error_line(row: Row, error: AccelError) -> bytes:
    """Return the line of a failure."""
    said: dict[str, Any] = {"type": type(error).__name__, "message": error.message}
    for each in ("status", "code"):
        value = getattr(error, each, None)
        if value is not None:
            said[each] = value
    return strict_json.dumps({row.field: row.id, "error": said})


def _chat(answer: ChatResponse) -> dict[str, Any]:
    said = _choice(answer.choices[0])
    if len(answer.choices) > 1:
        said["choices"] = [{"index": each.index, **_choice(each)} for each in answer.choices]
    return said


def _choice(choice: Choice) -> dict[str, Any]:
    message = choice.message
    said: dict[str, Any] = {"text": message.text, "finish_reason": choice.finish_reason}
    if len(message.content) != 1 or type(message.content[0]) is not Text:  # nothing but a text is the rule
        if message.reasoning:
            said["reasoning"] = message.reasoning
        refusal = "".join([each.text for each in message.content if isinstance(each, Refusal)])
        if refusal:
            said["refusal"] = refusal
        if message.tool_calls:
            said["tool_calls"] = [
                {"id": each.id, "name": each.name, "arguments": each.arguments} for each in message.tool_calls
            ]
    if choice.logprobs is not None:
        said["logprobs"] = [{"token": each.token, "logprob": each.logprob} for each in choice.logprobs]
    return said


def _complete(answer: CompletionResponse) -> dict[str, Any]:
    said: dict[str, Any] = {"text": answer.text, "finish_reason": answer.finish_reason}
    if len(answer.choices) > 1:
        said["choices"] = [
            {"index": each.index, "text": each.text, "finish_reason": each.finish_reason} for each in answer.choices
        ]
    return said


def _embed(answer: EmbedResponse) -> dict[str, Any]:
    vectors = [each.tolist() for each in answer.vectors]
    return {"vector": vectors[0]} if len(vectors) == 1 else {"vectors": vectors}


def _rerank(answer: RerankResponse) -> dict[str, Any]:
    return {"results": [{"index": each.index, "score": each.score} for each in answer.results]}


def _classify(answer: ClassifyResponse) -> dict[str, Any]:
    found = [[{"label": each.label, "score": each.score} for each in labels] for labels in answer.results]
    return {"labels": found[0]} if len(found) == 1 else {"results": found}


_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "chat": _chat,
    "classify": _classify,
    "complete": _complete,
    "embed": _embed,
    "rerank": _rerank,
}
