"""OpenAI's API: errors, counts and what its routes share."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import TokenLogprob, Usage

from ipfs_accel_gateway._errors import Refusal

__all__ = ["OPENAI", "asks_for_usage", "counts", "data", "event", "head", "leftover", "logprobs", "usage"]

_TYPES = {
    "invalid_request": "invalid_request_error",
    "too_large": "invalid_request_error",
    "not_found": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "rate_limit": "rate_limit_error",
    "quota": "insufficient_quota",
    "timeout": "timeout_error",
    "overloaded": "server_error",
    "server": "server_error",
}
_CODES = {"not_found": "model_not_found", "authentication": "invalid_api_key", "quota": "insufficient_quota"}


class _OpenAI:
    beat = b": still at work\n\n"

    def error(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002 - the id is in a header here
        """Return an error as `{"error": {"message", "type", "param", "code"}}`."""
        return strict_json.dumps(_error(refusal))


OPENAI = _OpenAI()


def _error(refusal: Refusal) -> dict[str, Any]:
    return {
        "error": {
            "message": refusal.message,
            "type": _TYPES[refusal.kind],
            "param": refusal.param,
            "code": refusal.code or _CODES.get(refusal.kind),
        }
    }


def failure(refusal: Refusal) -> bytes:
    """Return the event of a stream that failed, as the SDKs look for it: an object with `error`."""
    return data(_error(refusal))


def data(value: Any) -> bytes:
    """Return an event without a name."""
    return b"data: %b\n\n" % strict_json.dumps(value)


def event(kind: str, **members: Any) -> bytes:
    """Return an event with a name, which stands in its JSON again."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), strict_json.dumps({"type": kind, **members}))


def counts(used: Usage) -> dict[str, int] | None:
    """Return token counts as routes beside chats tell them, or None where the provider tells none."""
    told, made = used.input_tokens, used.output_tokens
    if told is None and made is None:
        return None
    return {"input_tokens": told or 0, "output_tokens": made or 0, "total_tokens": (told or 0) + (made or 0)}


def head(kind: str, prefix: str, model: str) -> dict[str, Any]:
    """Return what every answer begins with; `created` is in seconds since 1970."""
    return {"id": prefix + os.urandom(12).hex(), "object": kind, "created": int(time.time()), "model": model}


def asks_for_usage(members: Mapping[str, Any]) -> bool:
    """Whether a stream is to tell its token counts."""
    options = members.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def usage(used: Usage) -> dict[str, Any] | None:
    """Return token counts, or None where the provider tells none."""
    told, made = used.input_tokens, used.output_tokens
    if told is None and made is None:
        return None
    found: dict[str, Any] = {
        "prompt_tokens": told or 0,
        "completion_tokens": made or 0,
        "total_tokens": (told or 0) + (made or 0),
    }
    if used.cached_input_tokens is not None:
        found["prompt_tokens_details"] = {"cached_tokens": used.cached_input_tokens}
    if used.reasoning_tokens is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": used.reasoning_tokens}
    return found


def logprobs(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    """Return the log probabilities of an answer's tokens."""
    return {
        "content": [{**_logprob(each), "top_logprobs": [*map(_logprob, each.top)]} for each in tokens],
        "refusal": None,
    }


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    raw = token.bytes if token.bytes is not None else token.token.encode()
    return {"token": token.token, "logprob": token.logprob, "bytes": list(raw)}


def leftover(members: Mapping[str, Any], known: Collection[str], ignored: Collection[str], *, lenient: bool) -> None:
    """Refuse what has no counterpart, unless it is to be left out.

    Args:
        members: Of the body.
        known: What has one.
        ignored: What changes nothing of the answer, or only at OpenAI's own.
        lenient: Whether it is left out.

    Raises:
        Refusal: There is such a member.
    """
    if lenient:
        return
    for name, value in members.items():
        if value is not None and name not in known and name not in ignored:
            raise Refusal(
                400, "invalid_request", f"{name}: the model behind this name has nothing that would do this", param=name
            )
