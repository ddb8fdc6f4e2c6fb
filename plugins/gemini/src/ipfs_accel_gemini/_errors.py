"""What the API's errors say, and which class that is: in error answers, in streams and in results of batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    NotSupportedByServerError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    class_for_status,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire.words import kind_of

from ._fields import Json

__all__ = ["error_of", "read_error"]

_CLASSES: dict[str, type[APIStatusError]] = {
    "INVALID_ARGUMENT": BadRequestError,
    "FAILED_PRECONDITION": BadRequestError,
    "OUT_OF_RANGE": BadRequestError,
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "NOT_FOUND": NotFoundError,
    "ABORTED": ConflictError,
    "ALREADY_EXISTS": ConflictError,
    "RESOURCE_EXHAUSTED": RateLimitError,
    "UNIMPLEMENTED": NotSupportedByServerError,
    "INTERNAL": InternalServerError,
    "UNAVAILABLE": OverloadedError,
    "DEADLINE_EXCEEDED": InternalServerError,
}
# gRPC's numbers, in results of batches and operations.
_NUMBERS = {
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}
_NO_MODEL = re.compile(r"\bmodels?\b.*(?:not found|not supported|does not exist)", re.IGNORECASE | re.DOTALL)
_SPENT = re.compile(r"PerDay|spend|prepay|credits?\b.*depleted", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
_NO_MODEL_HINT = "check the name; previews and names with -latest are in the version v1beta of the API, and not in v1"
_HINTS = {
    "FAILED_PRECONDITION": "this may mean that the region is not served without billing",
    "DEADLINE_EXCEEDED": "give the call more time, or make the prompt shorter",
}


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer; what is not the API's JSON comes from the edge before it."""
    try:
        body = response.json()
    except InvalidResponseError as wrong:
        text = response.text().strip()[:512]
        is_page = not text or text.startswith("<")
        message = f"the server answered with status {response.status} and no JSON" if is_page else text
        return ErrorDetail(message=message, hint=wrong.hint)
    return _detail(body)


def error_of(body: Any) -> APIStatusError:
    """Return the error that an object of a stream, of a batch or of an operation says."""
    error = _error(body)
    detail = _detail(body)
    number = error.get("code")
    status = number if isinstance(number, int) and 400 <= number < 600 else None  # noqa: PLR2004
    kind = detail.kind or _CLASSES.get(str(detail.code)) or (class_for_status(status) if status else None)
    found = (kind or InternalServerError)(detail.message, code=detail.code, body=body, hint=detail.hint, status=status)
    found.retry_after = detail.retry_after
    return found


def _error(body: Any) -> Json:
    """Return the error object, which may stand in an array of one, or alone."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, dict) else body
    return error if isinstance(error, dict) else {"message": str(error)[:512]}


def _detail(body: Any) -> ErrorDetail:
    error = _error(body)
    details = [each for each in error.get("details") or () if isinstance(each, dict)]
    name = error.get("status") or _NUMBERS.get(error.get("code") or 0) or error.get("code")
    message = str(error.get("message") or name or "an error without a message")
    for violation in _all(details, "fieldViolations"):
        where, what = violation.get("field"), violation.get("description")
        if where and str(where) not in message:
            message += f" ({where}: {what})"
    reasons = [str(each["reason"]) for each in details if each.get("reason")]
    code = None if name is None else str(name)
    kind = _kind(code, reasons, message, details)
    hint = _NO_MODEL_HINT if kind is ModelNotFoundError else _HINTS.get(code or "")
    return ErrorDetail(message=message, code=code, kind=kind, retry_after=_delay(details), hint=hint)


def _kind(name: str | None, reasons: list[str], message: str, details: list[Json]) -> type[APIStatusError] | None:
    """Return a more exact class than the status tells."""
    if "API_KEY_INVALID" in reasons or "API key not valid" in message:
        return AuthenticationError  # with status 400
    if name == "RESOURCE_EXHAUSTED":
        quotas = [str(each.get("quotaId")) for each in _all(details, "violations")]
        return QuotaExceededError if any(_SPENT.search(text) for text in (*quotas, message)) else None
    if name == "INVALID_ARGUMENT" and kind_of(message) is ContextLengthExceededError:
        return ContextLengthExceededError
    if name == "NOT_FOUND" and _NO_MODEL.search(message):
        return ModelNotFoundError
    return None


def _all(details: list[Json], name: str) -> Iterator[Json]:
    for each in details:
        yield from [item for item in each.get(name) or () if isinstance(item, dict)]


def _delay(details: list[Json]) -> float | None:
    for each in details:
        found = _DURATION.fullmatch(str(each.get("retryDelay")))
        if found:
            return float(found[1])
    return None
