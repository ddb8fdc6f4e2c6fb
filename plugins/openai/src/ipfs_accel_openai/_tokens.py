"""Counting the input tokens of a chat without a server: which encoding is whose."""

from __future__ import annotations

import re
from functools import partial

from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.types import Audio, ChatRequest, Document, Image, TokenCount
from ipfs_accel.wire import openai_tokens

from ._pictures import bounds_of, image_tokens

__all__ = ["count", "encoding_of", "rules"]

# Those whose encoding is published; source: tiktoken's table of models.
_PUBLISHED = re.compile(r"gpt-(?:3\.5|4|5|oss)|chatgpt-4o-|o[134](?:-|$)")

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


def rules(model: str) -> TokenRules:
    """Return what OpenAI publishes of how it counts a model's input."""
    encoding = encoding_of(model) if _PUBLISHED.match(model) else None
    return TokenRules(encoding=encoding, media=partial(_media, model=model))


def _media(part: Image | Audio | Document, model: str) -> tuple[int, int] | None:
    return bounds_of(part, model) if isinstance(part, Image) else None
