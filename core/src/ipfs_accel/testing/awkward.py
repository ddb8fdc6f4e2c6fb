"""Texts that no server can be sent, in each operation that takes some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import Message

__all__ = ["AWKWARD"]

_HALF = "a\ud83db"
_HISTORY = ["hi", Message.assistant("ho"), _HALF]

AWKWARD: Mapping[str, tuple[Callable[[Any, str], Any], str]] = {
    "chat": (lambda client, at: client.chat(f"{at}/m", _HISTORY), "messages[2]"),
    "stream": (lambda client, at: client.stream(f"{at}/m", _HISTORY), "messages[2]"),
    "complete": (lambda client, at: client.complete(f"{at}/m", _HALF), "prompt[0]"),
    "stream_complete": (lambda client, at: client.stream_complete(f"{at}/m", _HALF), "prompt[0]"),
    "embed": (lambda client, at: client.embed(f"{at}/m", [_HALF]), "inputs[0]"),
    "rerank": (lambda client, at: client.rerank(f"{at}/m", "q", [_HALF]), "documents[0]"),
}
"""Operation to a call with such a text, and the place of it."""
