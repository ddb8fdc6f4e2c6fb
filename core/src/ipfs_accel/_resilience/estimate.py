"""How many tokens a request will take, roughly, for limits that have to know before anybody has counted."""

from __future__ import annotations

from typing import Any

from ipfs_accel.types import ChatRequest, CompletionRequest, EmbedRequest, RelayRequest, RerankRequest, Text

__all__ = ["tokens_of"]

CHARS_PER_TOKEN = 4


def tokens_of(request: object) -> float:
    """Return the tokens of a request and of the longest answer that it allows; 0 where nothing is known of it."""
    if isinstance(request, ChatRequest):
        chars = sum(
            [len(part.text) for message in request.messages for part in message.content if isinstance(part, Text)]
        )
        return chars / CHARS_PER_TOKEN + (request.max_tokens or 0)
    if isinstance(request, CompletionRequest):
        return _inputs(request.prompt) + (request.max_tokens or 0)
    if isinstance(request, EmbedRequest):
        return _inputs(request.inputs)
    if isinstance(request, RerankRequest):
        # The query is read once with each document.
        chars = sum([len(request.query) + len(document) for document in request.documents])
        return chars / CHARS_PER_TOKEN
    return request.tokens if isinstance(request, RelayRequest) else 0.0


def _inputs(values: Any) -> float:
    if isinstance(values, str):
        return len(values) / CHARS_PER_TOKEN
    if isinstance(values, int):
        return 1.0
    return float(sum(map(_inputs, values)))
