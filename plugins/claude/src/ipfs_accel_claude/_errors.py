"""What the API's errors say, and which class that is: in error answers, in streams and in results of batches."""

from __future__ import annotations

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
)
from ipfs_accel.plans import ErrorDetail, HttpResponse

__all__ = ["error_of", "read_error"]

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
_WISHES = {"true": True, "false": False}


def error_of(body: Any) -> APIStatusError:
    """Return the error that the JSON of an event or of a result says."""
    error = body.get("error") if isinstance(body, dict) else None
    detail = _detail(error if isinstance(error, dict) else {"message": str(body)[:512]})
    name = error.get("type") if isinstance(error, dict) else None
    kind = detail.kind or _CLASSES.get(str(name), InternalServerError)
    request_id = body.get("request_id") if isinstance(body, dict) else None
    found = kind(detail.message, code=detail.code, body=body, request_id=request_id)
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
    detail = _detail(error if isinstance(error, dict) else {"message": str(error or body)[:512]})
    return detail if wish is None else attrs.evolve(detail, retryable=wish)


def _detail(error: dict[str, Any]) -> ErrorDetail:
    name = error.get("type")
    message = str(error.get("message") or name or "an error without a message")
    details = error.get("details")
    # What stands in the details stays the same; the words may change.
    code = (details.get("error_code") if isinstance(details, dict) else None) or name
    return ErrorDetail(
        message=message,
        code=None if code is None else str(code),
        kind=_kind(name, str(code), message),
        retryable=True if name == "conflict_error" else None,
    )


def _kind(name: Any, code: str, message: str) -> type[APIStatusError] | None:
    """Return a more exact class than the status tells."""
    if code.endswith("spend_limit_reached") or "credit balance is too low" in message:
        return QuotaExceededError
    if name == "exceed_context_size_error":  # llama.cpp's word
        return ContextLengthExceededError
    if name == "invalid_request_error":
        if "prompt is too long" in message or "exceed context limit" in message:
            return ContextLengthExceededError
        if "content filtering policy" in message:
            return ContentFilterError
    if name == "not_found_error" and message.startswith("model:"):
        return ModelNotFoundError
    return None
