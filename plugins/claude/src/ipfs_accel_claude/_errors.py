"""What the API's errors say, and which class that is: in error answers, in streams and in results of batches."""

from __future__ import annotations

import re
from typing import Any

import attrs
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentFilterError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    class_for_status,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire.words import kind_of, wait

__all__ = ["error_of", "is_error", "read_error"]

# Where no HTTP status tells: inside a stream that began well, and in results of batches.
_CLASSES: dict[str, type[APIStatusError]] = {
    "invalid_request_error": BadRequestError,
    "authentication_error": AuthenticationError,
    "billing_error": PermissionDeniedError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "conflict_error": ConflictError,
    "request_too_large": BadRequestError,
    "rate_limit_error": RateLimitError,
    "overloaded_error": OverloadedError,
    "api_error": InternalServerError,
    "timeout_error": InternalServerError,
}
_NO_MODEL = r"The model `[^`]*` does not exist"
"""How vLLM says so."""
_WISHES = {"true": True, "false": False}


def is_error(body: Any) -> bool:
    """Whether the JSON of an answer or of an event is an error, in a form of this API or of another host of it."""
    if isinstance(body, list):
        return len(body) == 1 and is_error(body[0])
    return isinstance(body, dict) and (body.get("type") == "error" or bool(body.get("error")))


def error_of(body: Any) -> APIStatusError:
    """Return the error that the JSON of an event or of a result says."""
    if isinstance(body, list):
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    if not error and isinstance(body, dict) and isinstance(body.get("message"), str):  # flat, as in llama.cpp's streams
        error = body
    detail = _detail(error if isinstance(error, dict) else {"message": str(error or body)[:512]})
    told = error if isinstance(error, dict) else {}
    status = told.get("code")
    usual = class_for_status(status) if isinstance(status, int) and 400 <= status < 600 else InternalServerError  # noqa: PLR2004
    kind = detail.kind or _CLASSES.get(str(told.get("type")), usual)
    request_id = body.get("request_id") if isinstance(body, dict) else None
    found = kind(
        detail.message,
        code=detail.code,
        body=body,
        request_id=request_id,
        retry_after=detail.retry_after,
        retry_at=detail.retry_at,
    )
    if detail.retryable is not None:
        found.retryable = detail.retryable
    return found


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer; what is not the API's JSON comes from the edge before it."""
    wish = _WISHES.get(response.headers.get("x-should-retry") or "")
    try:
        body = response.json()
    except InvalidResponseError as wrong:
        message = f"the server answered with status {response.status} and no JSON"
        return ErrorDetail(message=message, hint=wrong.hint, retryable=wish)
    error = body.get("error") if isinstance(body, dict) else None
    said = error or (body.get("detail") if isinstance(body, dict) else None) or body
    detail = _detail(error if isinstance(error, dict) else {"message": str(said)[:512]})
    return detail if wish is None else attrs.evolve(detail, retryable=wish)


def _detail(error: dict[str, Any]) -> ErrorDetail:
    name = error.get("type")
    message = str(error.get("message") or name or "an error without a message")
    details = error.get("details")
    after, at = wait(message, error, details)
    # What stands in the details stays the same; the words may change.
    code = (details.get("error_code") if isinstance(details, dict) else None) or name
    return ErrorDetail(
        message=message,
        code=None if code is None else str(code),
        kind=_kind(name, str(code), message, error.get("code")),
        retryable=True if name == "conflict_error" else None,
        retry_after=after,
        retry_at=at,
    )


def _kind(name: Any, code: str, message: str, own: Any) -> type[APIStatusError] | None:
    """Return a more exact class than the status tells; other hosts of these routes have words of their own."""
    if code.endswith("spend_limit_reached") or "credit balance is too low" in message:
        return QuotaExceededError
    if name == "invalid_request_error" and "content filtering policy" in message:
        return ContentFilterError
    if (name == "not_found_error" and message.startswith("model:")) or re.match(_NO_MODEL, message):
        return ModelNotFoundError
    kind = kind_of(message, [str(each).lower() for each in (own, name) if each])
    return kind if kind in _EXACT else None


_EXACT = frozenset({ContextLengthExceededError, ContentFilterError, ModelNotFoundError, QuotaExceededError})
