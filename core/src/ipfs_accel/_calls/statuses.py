"""Answers that are no success, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ipfs_accel.errors import APIError, APIStatusError, InvalidResponseError, class_for_status
from ipfs_accel.hints import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipfs_accel.plans import ErrorDetail, HttpResponse

__all__ = ["status_error"]

_LOGIN_WANTED = 511
_BAD_REQUEST = 400
_WANTS_TLS = (b"request was sent to HTTPS port", b"request to an HTTPS server", b"to an SSL-enabled server port")
"""How nginx, Go's library and Apache's server answer who speaks plain HTTP to a port that speaks TLS."""
_RETRYABLE = {408: True, 425: True, 505: False, _LOGIN_WANTED: False}
"""Whether a repetition may succeed, for statuses whose class says something else."""


def status_error(response: HttpResponse, read: Callable[[HttpResponse], ErrorDetail], now: float) -> APIError:
    """Read a response that is not a success.

    Args:
        response: The answer.
        read: Reads its body, as the backend knows it.
        now: Seconds since 1970.
    """
    status = response.status
    if 300 <= status < 400:  # noqa: PLR2004
        host = urlsplit(response.headers.get("location", "")).netloc or "the same host"
        return APIStatusError(
            f"the server answered with a redirect ({status}) to {host}, which is not followed",
            status=status,
            hint="set the base URL to where the API really is",
        )
    detail = read(response)
    kind = detail.kind or class_for_status(status)
    error = kind(
        detail.message,
        status=status,
        code=detail.code,
        body=_body(response),
        hint=detail.hint,
        retry_after=detail.retry_after or retry_after(response.headers, now),
        retry_at=detail.retry_at,
    )
    wish = response.headers.get("x-should-retry")
    if wish in {"true", "false"}:
        error.retryable = wish == "true"
    elif detail.retryable is not None:
        error.retryable = detail.retryable
    elif status in _RETRYABLE:
        error.retryable = _RETRYABLE[status]
    if status == _LOGIN_WANTED:
        error.about(hint="a network between here and the server wants a login first, such as that of a hotel")
    elif status == _BAD_REQUEST and any(words in response.body for words in _WANTS_TLS):
        error.about(hint="the server wants TLS at this port: the base URL has to begin with https://")
    return error


def _body(response: HttpResponse) -> Any:
    try:
        return response.json()
    except InvalidResponseError:
        return response.text()[:512] or None
