"""Gemini's API: errors, counts and what its routes share. Facts: Google's API reference of November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import Usage

from ipfs_accel_gateway._errors import Refusal

from ._base import Family

__all__ = ["GEMINI", "GEMINI_ARRAY", "camel", "event", "failure", "listed", "refuse", "refuse_others", "usage"]

_STATUSES = {
    "invalid_request": "INVALID_ARGUMENT",
    "too_large": "INVALID_ARGUMENT",
    "not_found": "NOT_FOUND",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "timeout": "DEADLINE_EXCEEDED",
    "overloaded": "UNAVAILABLE",
    "server": "INTERNAL",
}
_TYPE = "type.googleapis.com/google.rpc."


class _Gemini:
    def __init__(self, beat: bytes) -> None:
        self.beat = beat

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """Return an error as `{"error": {"code", "message", "status", "details"}}`."""
        return strict_json.dumps(_error(refusal, request_id))


GEMINI: Family = _Gemini(b": still at work\r\n\r\n")
GEMINI_ARRAY: Family = _Gemini(b"\n")
"""The same for streams that are one JSON array, in which there may be white space."""


def _error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    if refusal.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{refusal.retry_after:g}s"})
    if refusal.param is not None:
        violation = {"field": refusal.param, "description": refusal.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if request_id:
        details.append({"@type": f"{_TYPE}RequestInfo", "requestId": request_id})
    status, message = _STATUSES[refusal.kind], refusal.message
    if refusal.kind == "not_found" and refusal.code != "unknown_url" and "not found" not in message:
        message = f"model not found: {message}"  # the words that clients look for
    return {"error": {"code": refusal.status, "message": message, "status": status, "details": details}}


def failure(refusal: Refusal, request_id: str) -> bytes:
    """Return what a stream that failed says, without what is around it."""
    return strict_json.dumps(_error(refusal, request_id))


def event(value: bytes) -> bytes:
    """Return an event."""
    return b"data: %b\r\n\r\n" % value


def usage(used: Usage) -> dict[str, int]:
    """Return token counts; those of thoughts stand apart. Empty where the provider tells none."""
    told, made = used.input_tokens, used.output_tokens
    if told is None and made is None:
        return {}
    thoughts = used.reasoning_tokens or 0
    found = {
        "promptTokenCount": told or 0,
        "cachedContentTokenCount": used.cached_input_tokens or 0,
        "candidatesTokenCount": max((made or 0) - thoughts, 0),
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": (told or 0) + (made or 0),
    }
    return {name: number for name, number in found.items() if number or name == "totalTokenCount"}


def camel(value: Any, where: str) -> dict[str, Any]:
    """Return an object's members, but for those that are null; names may be in either of proto's two forms.

    Raises:
        Refusal: It is no object.
    """
    if not isinstance(value, Mapping):
        refuse(where, "expected an object")
    return {_camel(name): each for name, each in value.items() if each is not None}


def listed(value: Any, where: str) -> list[Any]:
    """Return a list, which may be left out.

    Raises:
        Refusal: It is something else.
    """
    if value is not None and not isinstance(value, list):
        refuse(where, "expected a list")
    return value or []


def _camel(name: str) -> str:
    if "_" not in name:
        return name
    first, *others = name.split("_")
    return first + "".join([each.capitalize() for each in others])


def refuse(where: str, why: str) -> Any:
    """Refuse a request for a field of it."""
    raise Refusal(400, "invalid_request", f"{where}: {why}", param=where)


def refuse_others(given: Mapping[str, Any], known: set[str], where: str, *, lenient: bool) -> None:
    """Refuse members that have no counterpart, unless they are to be left out."""
    for name in () if lenient else given:
        if name not in known:
            refuse(f"{where}{name}", "the model behind this name has nothing that would do this")
