"""Anthropic's API: errors, events, counts and what its routes share. Facts: its API reference, version 2026-10-21."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import Usage

from ipfs_accel_gateway._errors import Refusal

__all__ = ["ANTHROPIC", "event", "failure", "new_id", "passed", "usage"]

_TYPES = {
    "invalid_request": "invalid_request_error",
    "too_large": "request_too_large",
    "not_found": "not_found_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "rate_limit": "rate_limit_error",
    "quota": "rate_limit_error",
    "timeout": "timeout_error",
    "overloaded": "overloaded_error",
    "server": "api_error",
}
_PASSED = ("anthropic-version", "anthropic-beta")
_TOO_LONG = "prompt is too long"
"""How the API says so; Claude Code looks for these words, and makes the conversation shorter."""
_NO_SYSTEM = re.compile(
    r"(?i)system message [^.]{0,40}\bmust be (?:at|put on) the beginning"
    r"|conversation roles must alternate|system role not supported"
)
"""How an instruction between the turns is refused: by the templates of Qwen, Mistral and Gemma, and by DeepSeek."""
_LATER_SYSTEM = "messages: the role 'system' behind others is not supported by this model, which says"
"""Claude Code looks for such words, and goes on with reminders in the user's turns instead."""


class _Anthropic:
    beat = b'event: ping\ndata: {"type":"ping"}\n\n'

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """Return an error as `{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        return strict_json.dumps(_error(refusal, request_id))


ANTHROPIC = _Anthropic()


def _error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    message = refusal.message
    if refusal.code == "context_length_exceeded" and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    elif refusal.kind == "invalid_request" and _NO_SYSTEM.search(message):
        message = f"{_LATER_SYSTEM}: {message}"
    return {
        "type": "error",
        "error": {"type": _TYPES[refusal.kind], "message": message},
        "request_id": request_id or None,
    }


def failure(refusal: Refusal, request_id: str) -> bytes:
    """Return the event of a stream that failed."""
    return b"event: error\ndata: %b\n\n" % strict_json.dumps(_error(refusal, request_id))


def event(kind: str, **members: Any) -> bytes:
    """Return an event; its name stands in its JSON again."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), strict_json.dumps({"type": kind, **members}))


def passed(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what of a request's headers Anthropic is to see."""
    return tuple([(name, headers[name]) for name in _PASSED if name in headers])


def new_id() -> str:
    """Return an id of a message."""
    return f"msg_{os.urandom(16).hex()}"


def usage(used: Usage) -> dict[str, Any]:
    """Return token counts, of which the API leaves none out; `input_tokens` are those that no cache had a hand in."""
    read, written = used.cached_input_tokens or 0, used.cache_write_input_tokens or 0
    found: dict[str, Any] = {
        "input_tokens": max((used.input_tokens or 0) - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": used.output_tokens or 0,
    }
    if used.reasoning_tokens is not None:
        found["output_tokens_details"] = {"thinking_tokens": used.reasoning_tokens}
    return found
