"""Counting the input tokens of a chat without a server. Groq publishes no counter, so every count is an estimate."""

from __future__ import annotations

from ipfs_accel.types import ChatRequest, Image, TokenCount
from ipfs_accel.wire import openai_tokens

__all__ = ["count"]

_PICTURE = 2048
# What the prompt format of gpt-oss puts before every chat: who the model is, the date, how much to think, its channels.
_AROUND = 61


def count(request: ChatRequest) -> TokenCount:
    """Count what a chat will send: by the encoding of gpt-oss, which is public, else by its letters."""
    is_gpt_oss = "gpt-oss" in request.model
    return openai_tokens.count(
        request, "o200k_base" if is_gpt_oss else None, _picture, around=_AROUND if is_gpt_oss else 0
    )


def _picture(_image: Image) -> int:
    return _PICTURE
