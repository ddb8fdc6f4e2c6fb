"""The operations of a client that take a model: hook name, how the request is made, and the type of the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from . import _convert
from .types import (
    ChatResponse,
    CompletionResponse,
    DetokenizeResponse,
    EmbedResponse,
    Request,
    RerankResponse,
    TokenCount,
    TokenizeResponse,
)

A = TypeVar("A")


@attrs.frozen
class Operation(Generic[A]):
    """One operation.

    Attributes:
        name: Of the hook.
        build: Makes the request from model id, main argument and options.
    """

    name: str
    build: Callable[[str, Any, dict[str, Any]], Request]


CHAT: Operation[ChatResponse] = Operation("chat", _convert.chat_request)
STREAM: Operation[ChatResponse] = Operation("stream", _convert.chat_request)
COMPLETE: Operation[CompletionResponse] = Operation("complete", _convert.completion_request)
STREAM_COMPLETE: Operation[CompletionResponse] = Operation("stream_complete", _convert.completion_request)
EMBED: Operation[EmbedResponse] = Operation("embed", _convert.embed_request)
RERANK: Operation[RerankResponse] = Operation("rerank", _convert.rerank_request)
TOKENIZE: Operation[TokenizeResponse] = Operation("tokenize", _convert.tokenize_request)
DETOKENIZE: Operation[DetokenizeResponse] = Operation("detokenize", _convert.detokenize_request)
COUNT_TOKENS: Operation[TokenCount] = Operation("count_tokens", _convert.chat_request)
