"""Counting the input tokens of a chat without a server. Groq publishes no counter, so every count is an estimate."""

from __future__ import annotations

from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.types import Audio, ChatRequest, Document, Image, TokenCount
from ipfs_accel.wire import openai_tokens

__all__ = ["count", "rules"]

_PICTURE = 2048
# What the prompt format of gpt-oss puts before every chat: who the model is, the date, how much to think, its channels.
_AROUND = 61


def count(request: ChatRequest) -> TokenCount:
    """Count what a chat will send: by the encoding of gpt-oss, which is public, else by its letters."""
    encoding = _encoding(request.model)
    return openai_tokens.count(request, encoding, _picture, around=0 if encoding is None else _AROUND)


def rules(model: str) -> TokenRules:
    """Return what is published of how a model's input is counted."""
    return TokenRules(encoding=_encoding(model), media=_media)


def _encoding(model: str) -> str | None:
    return "o200k_base" if "gpt-oss" in model else None


def _media(part: Image | Audio | Document) -> tuple[int, int] | None:
    return (_PICTURE, _PICTURE) if isinstance(part, Image) else None


def _picture(_image: Image) -> int:
    return _PICTURE
