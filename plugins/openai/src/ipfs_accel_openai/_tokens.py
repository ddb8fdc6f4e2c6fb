"""Counting the input tokens of a chat without a server: which encoding is whose."""

from __future__ import annotations

from functools import partial

from ipfs_accel.types import ChatRequest, TokenCount
from ipfs_accel.wire import openai_tokens

from ._pictures import image_tokens

__all__ = ["count", "encoding_of"]

# Longest prefix first; names that are newer than this table are of the newest encoding.
_ENCODINGS = (
    ("gpt-oss", "o200k_base"),
    ("gpt-4o", "o200k_base"),
    ("gpt-4.", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-3.5", "cl100k_base"),
    ("text-embedding-", "cl100k_base"),
    ("davinci-002", "cl100k_base"),
    ("babbage-002", "cl100k_base"),
)


def encoding_of(model: str) -> str:
    """Return the name of a model's encoding."""
    return next((encoding for prefix, encoding in _ENCODINGS if model.startswith(prefix)), "o200k_base")


def count(request: ChatRequest) -> TokenCount:
    """Count what a chat will send."""
    return openai_tokens.count(request, encoding_of(request.model), partial(image_tokens, model=request.model))
